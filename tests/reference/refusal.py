"""How a step says no, and how a policy says what it expects."""

from typing import Any


class Refused(Exception):
    """The token is refused: a stable code, and the name of the claim where there is one."""

    def __init__(self, code: str, claim: str | None = None) -> None:
        super().__init__(code, claim)
        self.code = code
        self.claim = claim


def expected_names(expectation: Any) -> frozenset[str] | None:
    """Return the names that a policy expects, or None where it expects none: it says ``ANY``, or nothing."""
    if isinstance(expectation, str):
        return frozenset([expectation])
    try:
        return frozenset(expectation)
    except TypeError:
        return None

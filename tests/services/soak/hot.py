"""Verify many remembered tokens one by one, and count what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from jotgate import Verifier
from jotgate.errors import JotgateError


def codes_of(verifier: Verifier, texts: Iterable[str]) -> list[str]:
    """Return the code of each refusal, and ``accepted``."""
    codes = []
    for text in texts:
        try:
            verifier.verify(text)
        except JotgateError as error:
            codes.append(str(error.code))
        else:
            codes.append("accepted")
    return codes


def counted(codes: list[str]) -> dict[str, int]:
    """Return how often each code came, and nothing else."""
    return dict(Counter(codes))

"""When a token is dated: now, or as soon as one counts after its subject's were taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._clock import wait_until
from ..errors import PolicyError
from ..keys.feed import told
from ..stores.rules import NEVER

if TYPE_CHECKING:
    from ..stores.protocol import SubjectRules

_SECOND: Final = 1_000_000_000
_MOST_AHEAD: Final = 2
"""Seconds by which a token may be dated ahead of our clock: a second for the rule, one for the store's clock."""


def asked_from(rules: SubjectRules, subject: str, session: str | None) -> int:
    """From which second on a token may be dated."""
    floor_s = told(lambda: rules.valid_from(subject, session), "the revocations cannot be asked ({})")
    if type(floor_s) is not int:
        raise PolicyError("valid_from of the revocations returns an int")
    return floor_s


def dated(now_ns: int, floor_s: int) -> int:
    """The ``iat``: now, or the second from which on one counts."""
    now_s = now_ns // _SECOND
    if floor_s >= NEVER:
        raise PolicyError("the session is over: no token of it counts any more; begin another one", "revoked", "sid")
    if floor_s > now_s + _MOST_AHEAD:
        raise PolicyError(
            "tokens of this subject or session were taken back up to a moment that is still to come by this machine's "
            "clock: set the clocks of this machine and of the store",
            "revoked",
            "iat",
        )
    if floor_s > now_s + 1:
        # Two rules of one second. Verifiers let a date be a second ahead, so this token would count too late.
        wait_until((floor_s - 1) * _SECOND)
    return max(now_s, floor_s)

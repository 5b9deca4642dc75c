"""How rules about what is taken back are dated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._clock import now
from .rules import NEVER, Rule

if TYPE_CHECKING:
    from .protocol import Store

LEEWAY = 600
"""Seconds: what a policy may forgive an expired token, so that its rule outlives it."""


def before_now(store: Store) -> int:
    """Return the second below which an ``iat`` was until now: no token of this second or an earlier one counts.

    By the later of two clocks, this machine's and the store's: which of them dated the tokens is not known.
    """
    return int(max(now(), store.now())) + 1


def token_rule(issuer: str, token_id: str, expires: int) -> Rule:
    """Take back the tokens with a ``jti`` that expire by then, in Unix seconds."""
    return Rule("jti", issuer, token_id, 0, min(expires + LEEWAY, NEVER))


def subject_rule(issuer: str, subject: str, before: int, until: float) -> Rule:
    """Take back the tokens and sessions of a subject from before a second."""
    return Rule("sub", issuer, subject, before, min(int(until), NEVER))


def session_rule(issuer: str, session: str, until: float) -> Rule:
    """Take back the tokens of a session that is over, whenever they are issued."""
    return Rule("sid", issuer, session, NEVER, min(int(until), NEVER))


def key_rule(thumbprint: str) -> Rule:
    """Take back everything that a key signed, and will sign."""
    return Rule("key", "", thumbprint, 0, NEVER)

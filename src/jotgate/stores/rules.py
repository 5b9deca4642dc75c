"""What was taken back, as a store keeps it.

A rule only grows: of two that say something about the same thing, what holds is the later moment and the longer time.
So it does not matter in which order rules arrive, how often, or from whom: stores and mirrors that have met each other
agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

Kind = Literal["jti", "sub", "sid", "epoch", "key"]

KINDS: Final[tuple[Kind, ...]] = ("jti", "sub", "sid", "epoch", "key")

NEVER: Final = 253_402_300_799
"""A time no clock will show (9999-12-31T23:59:59Z): for rules that stay for ever, and sessions that are over."""


class Rule(NamedTuple):
    """One thing that was taken back."""

    kind: Kind
    """``jti``: one token. ``sub``, ``sid``: the tokens of a subject or session that were issued before a moment.
    ``epoch``: those of another epoch. ``key``: everything that a key signed, whenever."""
    issuer: str
    """Whose tokens, by exact match of ``iss``; empty: every issuer's."""
    name: str
    """The ``jti``, ``sub`` or ``sid``; the RFC 7638 thumbprint of the key; empty for an epoch."""
    value: int
    """``sub``, ``sid``: an ``iat`` below it is refused, in Unix seconds. ``epoch``: the one that counts. Else 0."""
    until: int
    """Unix seconds: from then on the rule says nothing that the expiry of tokens does not say. `NEVER` for an epoch and
    a key."""

    @property
    def key(self) -> RuleKey:
        """What it is about."""
        return RuleKey(self.kind, self.issuer, self.name)


class RuleKey(NamedTuple):
    """What a rule is about; there is at most one rule about it."""

    kind: Kind
    issuer: str
    name: str


def joined(one: Rule | None, other: Rule) -> Rule:
    """Return what two rules about the same thing say together."""
    if one is None:
        return other
    return other._replace(value=max(one.value, other.value), until=max(one.until, other.until))


def keys_about(kind: Kind, issuer: str, name: str) -> list[RuleKey]:
    """Return what a rule about something of an issuer may be about: that issuer's, and every issuer's."""
    return [RuleKey(kind, each, name) for each in dict.fromkeys((issuer, ""))]


def latest(rules: Iterable[Rule | None]) -> int:
    """Return the largest value of the rules there are; 0: there is none."""
    return max((rule.value for rule in rules if rule is not None), default=0)

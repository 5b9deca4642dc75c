"""Rules and names as bytes, for stores that keep bytes; and what a rule must be to be kept at all."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ..errors import PolicyError
from .rules import KINDS, NEVER, Kind, Rule, RuleKey

_LARGEST = 2**53 - 1  # what a double still holds: Lua, and scores of sorted sets, know no other number
_LAST_EPOCH = 10**15
_LONGEST = 2**20  # of an issuer and a name together: more than any token has room for
_LASTING = ("epoch", "key")
_LETTERS: dict[Kind, bytes] = {"jti": b"j", "sub": b"s", "sid": b"i", "epoch": b"e", "key": b"k"}
_KINDS = {letter[0]: kind for kind, letter in _LETTERS.items()}


def check_rules(rules: Iterable[Rule]) -> None:
    """Refuse rules that not every store could keep, or not every mirror read: one of those would end all news.

    Raises:
        PolicyError: ``invalid_policy``: an unknown kind, a number out of range, a name too long, an epoch or key that
            would run out, an epoch with a name.
    """
    for rule in rules:
        if rule.kind not in KINDS:
            raise PolicyError(f"a rule must be of one of these kinds: {', '.join(KINDS)}")
        if not (0 <= rule.value <= _LARGEST and 0 <= rule.until <= NEVER):
            raise PolicyError("the value of a rule must be from 0 to 2**53 - 1, and its time from 0 to NEVER")
        if rule.kind in _LASTING and rule.until != NEVER:
            raise PolicyError("a rule about an epoch or a key stays for ever: its time must be NEVER")
        if rule.kind == "epoch" and (rule.name or rule.value > _LAST_EPOCH):
            raise PolicyError("a rule about an epoch has no name, and its value is at most 10**15")
        if len(rule.issuer) + len(rule.name) > _LONGEST:
            raise PolicyError("the issuer and the name of a rule have at most 2**20 characters together")


def check_time(until: int) -> None:
    """Refuse a time that not every store could keep.

    Raises:
        PolicyError: ``invalid_policy``: it is not from 0 to `NEVER`.
    """
    if not 0 <= until <= NEVER:
        raise PolicyError("the time of a record or member must be from 0 to NEVER")


def is_unicode(text: str) -> bool:
    """Whether it has no lone surrogate, as no token has one."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def name_bytes(name: str) -> bytes:
    """Return any text as bytes, also such as is no Unicode."""
    return name.encode("utf-8", "surrogatepass")


def name_of(data: bytes) -> str:
    """Return what `name_bytes` was given."""
    return data.decode("utf-8", "surrogatepass")


def key_bytes(key: RuleKey) -> bytes:
    """Return a rule's key as bytes, another for each key and never empty."""
    issuer = name_bytes(key.issuer)
    return b"%b%d:%b%b" % (_LETTERS[key.kind], len(issuer), issuer, name_bytes(key.name))


def key_of(data: bytes) -> RuleKey:
    """Return what `key_bytes` was given."""
    length, _, text = data[1:].partition(b":")
    return RuleKey(_KINDS[data[0]], name_of(text[: int(length)]), name_of(text[int(length) :]))


def new_mark() -> str:
    """Return what tells an entry of a history from any other that takes its place."""
    return os.urandom(8).hex()

"""What has changed between two JWK sets."""

from __future__ import annotations

import json
from typing import Literal, NamedTuple

from .keysets import KeyView, SetView

_KEY_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "pub", "k")

Kind = Literal["alarm", "removed", "added", "changed", "same"]


class Change(NamedTuple):
    """One key of either set, or two that belong together."""

    kind: Kind
    before: KeyView | None
    after: KeyView | None
    members: tuple[str, ...] = ()
    """Of a changed key, the names of the members that are not the same."""


class EpochChange(NamedTuple):
    """What became of the issuer's epoch, which decides on tokens that no key would refuse."""

    kind: Kind
    before: int | None
    after: int | None
    meaning: str
    """What follows for tokens; empty where nothing does."""


def diff_epochs(before: SetView, after: SetView) -> EpochChange:
    """Compare the epochs of two sets.

    One that went down or is gone is an alarm: whatever an earlier epoch took back would count again.
    """

    def changed(kind: Kind, meaning: str) -> EpochChange:
        return EpochChange(kind, before.epoch, after.epoch, meaning)

    old, new = before.epoch, after.epoch
    if not after.epoch_is_sound:
        return changed("alarm", "it is not a whole number in range, verifiers refuse the whole document")
    if old == new:
        return changed("same" if before.epoch_is_sound else "changed", "")
    if new is None:
        return changed("alarm", "it is gone, tokens that it took back would count again")
    if old is None:
        return changed("added", "tokens of an earlier epoch, or without one, are refused")
    if new < old:
        return changed("alarm", "it went down, no rotation does that: make sure who wrote this set")
    return changed("changed", "it went up, all earlier tokens are taken back")


def diff(before: SetView, after: SetView) -> list[Change]:
    """Compare two sets key by key; the order of the keys does not count.

    A key is the same by what it is (its thumbprint), not by its name. Another key under a kid that was taken is an
    alarm: nobody rotates that way, verifiers that cached the old one refuse honest tokens, and it is what a replaced
    document looks like.

    Returns:
        Alarms first, then what was removed, added, changed, and stayed.
    """
    left, right = list(before.keys), list(after.keys)
    changes: list[Change] = []
    for matches in (_same_key_and_kid, _same_key, _same_kid):
        for old in tuple(left):
            new = next((each for each in right if matches(old, each)), None)
            if new is None:
                continue
            left.remove(old)
            right.remove(new)
            changes.append(_change(old, new))
    changes += [Change("removed", key, None) for key in left]
    changes += [Change("added", None, key) for key in right]
    order = ("alarm", "removed", "added", "changed", "same")
    return sorted(changes, key=lambda change: order.index(change.kind))


def _change(old: KeyView, new: KeyView) -> Change:
    if _identity(old) != _identity(new):
        return Change("alarm", old, new)
    names = sorted(
        name
        for name in {*old.members, *new.members}
        if (name in old.members) != (name in new.members) or old.members.get(name) != new.members.get(name)
    )
    return Change("changed" if names else "same", old, new, tuple(names))


def _identity(key: KeyView) -> str:
    """The thumbprint; of a key that is not sound, the members that make it up."""
    return key.thumbprint or json.dumps({name: key.members.get(name) for name in _KEY_MEMBERS})


def _same_key_and_kid(old: KeyView, new: KeyView) -> bool:
    return old.kid == new.kid and _identity(old) == _identity(new)


def _same_key(old: KeyView, new: KeyView) -> bool:
    return _identity(old) == _identity(new)


def _same_kid(old: KeyView, new: KeyView) -> bool:
    return old.kid is not None and old.kid == new.kid

"""The manifest of a key ring: its state as one JSON file that shows its own damage."""

from __future__ import annotations

import hashlib
from typing import Any

from .._json import check
from ..errors import InvalidKeyError, JotgateError, MalformedTokenError
from .key import VerificationKey
from .lifecycle import Compromise, Key, RingState, Settings, check_settings

FORMAT = 1
_OPTIONAL_TIME = (float, int, type(None))
_TIME = (float, int)
# What each member of a record is; a bool is no number.
_SHAPES: dict[type, dict[str, tuple[type, ...]]] = {
    Settings: {
        "algorithm": (str,),
        "publish_ahead": _TIME,
        "token_lifetime": _TIME,
        "leeway": _TIME,
        "cache_time": _TIME,
        "allow_short_times": (bool,),
    },
    Key: {
        "kid": (str,),
        "alg": (str,),
        "jwk": (dict,),
        "thumbprint": (str,),
        "created_at": _TIME,
        "published_at": _TIME,
        "retention": _TIME,
        "active_from": _OPTIONAL_TIME,
        "retiring_from": _OPTIONAL_TIME,
        "gone_at": _OPTIONAL_TIME,
        "has_private": (bool,),
    },
    Compromise: {
        "kid": (str,),
        "alg": (str,),
        "thumbprint": (str,),
        "was": (str,),
        "at": _TIME,
        "active_kid": (str,),
        "next_kid": (str, type(None)),
        "epoch": (int, type(None)),
        "residual_until": _TIME,
        "refused_until": _OPTIONAL_TIME,
    },
    RingState: {
        "settings": (dict,),
        "protection": (str,),
        "counts_epochs": (bool,),
        "epoch": (int,),
        "keys": (list,),
        "distrusted": (list,),
        "condemned": (list,),
        "sequence": (int,),
    },
}


def dump(state: RingState) -> bytes:
    """Write a state as the text of a manifest."""
    import orjson

    ring = state._asdict() | {
        "settings": state.settings._asdict(),
        "keys": [key._asdict() for key in state.keys],
        "distrusted": [each._asdict() for each in state.distrusted],
    }
    document = {"jotgate_key_ring": FORMAT, "ring": ring, "sha256": _digest(ring)}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def parse(text: bytes) -> RingState:
    """Read the text of a manifest.

    Raises:
        InvalidKeyError: ``invalid_key``: it is not whole, was altered, or contradicts itself.
    """
    import orjson

    try:
        check(text)
        document = orjson.loads(text)
        if document["jotgate_key_ring"] != FORMAT:
            raise InvalidKeyError("the manifest of the key ring is of another version of Jotgate")
        ring = document["ring"]
        if _digest(ring) != document["sha256"]:
            raise ValueError
        parts = {
            "settings": _record(Settings, ring["settings"]),
            "keys": tuple(_record(Key, each) for each in ring["keys"]),
            "distrusted": tuple(_record(Compromise, each) for each in ring["distrusted"]),
            "condemned": tuple(map(str, ring["condemned"])),
        }
        state: RingState = _record(RingState, ring)._replace(**parts)
        _check(state)
    except InvalidKeyError:
        raise
    except (MalformedTokenError, ValueError, TypeError, AttributeError, LookupError, StopIteration):
        raise InvalidKeyError(
            "the manifest of the key ring is damaged: restore it from a backup together with its key files"
        ) from None
    return state


def _record(kind: Any, members: dict[str, Any]) -> Any:
    shape = _SHAPES[kind]
    if members.keys() != shape.keys():
        raise ValueError
    for name, types in shape.items():
        value = members[name]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise TypeError
    return kind(**members)


def _check(state: RingState) -> None:
    check_settings(state.settings)
    if len({key.kid for key in state.keys}) != len(state.keys):
        raise ValueError
    signing = [key for key in state.keys if key.active_from is not None and key.retiring_from is None]
    if len(signing) != 1 or sum(key.active_from is None for key in state.keys) > 1:
        raise ValueError
    for key in state.keys:
        if state.is_distrusted(key.thumbprint):
            raise InvalidKeyError("the manifest of the key ring names a key that was compromised")
        if verification_key(key).thumbprint() != key.thumbprint:
            raise ValueError


def verification_key(key: Key) -> VerificationKey:
    """Return the public key of a record of the manifest.

    Raises:
        InvalidKeyError: ``invalid_key``: it is none, or has private members.
    """
    try:
        loaded = VerificationKey.from_jwk(key.jwk, alg=key.alg)
    except JotgateError as error:
        raise InvalidKeyError(f"a public key in the manifest of the key ring cannot be used: {error}") from None
    if loaded.kid != key.kid:
        raise InvalidKeyError("a public key in the manifest of the key ring has another kid")
    return loaded


def _digest(ring: dict[str, Any]) -> str:
    import orjson

    return hashlib.sha256(orjson.dumps(ring, option=orjson.OPT_SORT_KEYS)).hexdigest()

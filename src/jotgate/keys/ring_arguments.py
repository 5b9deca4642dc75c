"""What a key ring is opened with, held against what it was made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import PolicyError
from .lifecycle import Protection, RingState
from .signers import FileKeys, UnknownKeys

if TYPE_CHECKING:
    from ..stores.protocol import PrivateKeys
    from .ring_store import RingStore

_ARGUMENTS: dict[Protection, str] = {"passphrase": "passphrase", "wrap": "wrap", "elsewhere": "private_keys"}


def given_settings(**settings: Any) -> dict[str, Any]:
    """Return the settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}


def refuse_other_settings(state: RingState, given: dict[str, Any]) -> None:
    """Refuse settings that are not those of the ring.

    Raises:
        PolicyError: ``invalid_policy``.
    """
    for name, value in given.items():
        kept = getattr(state.settings, name)
        if kept != value:
            changed = "stage" if name == "algorithm" else "reconfigure"
            raise PolicyError(f"{name} is {value!r} here and {kept!r} in the key ring: leave it out, or see {changed}")


def protection_of(passphrase: object, wrap: object, private_keys: object) -> Protection:
    """Return how private keys are kept by what was given.

    Raises:
        PolicyError: ``invalid_policy``: several ways, or a passphrase that is none.
    """
    ways: dict[Protection, object] = {"passphrase": passphrase, "wrap": wrap, "elsewhere": private_keys}
    given = [way for way, value in ways.items() if value is not None]
    if len(given) > 1:
        raise PolicyError("give one of passphrase, wrap and private_keys")
    if passphrase is not None and (not isinstance(passphrase, str | bytes) or not passphrase):
        raise PolicyError("passphrase is str or bytes, and not empty")
    return given[0] if given else "none"


def keeper_of(state: RingState, given: Protection, keys: PrivateKeys, store: RingStore) -> PrivateKeys:
    """Return who keeps the private keys of a ring; one that can only drop them if nothing was given.

    Raises:
        PolicyError: ``invalid_policy``: the ring was made with something else.
    """
    if given == state.protection:
        return keys
    if given == "none":
        return UnknownKeys() if state.protection == "elsewhere" else FileKeys(store.path, state.protection)
    leave_out = f"leave {_ARGUMENTS[given]} out"
    if state.protection == "none":
        raise PolicyError(f"the ring is not encrypted: {leave_out}")
    raise PolicyError(f"the ring was made with {_ARGUMENTS[state.protection]}: give that, and {leave_out}")

"""Which algorithms the machine's libcrypto serves, and a key prepared in it."""

from __future__ import annotations

import functools

from .. import _lanes
from .._key import ALGORITHM_NUMBERS, SignatureLane
from .._lanes import EVPLane, PublicKeyLane, library, reason
from . import tables
from .algorithms import ALGORITHMS

__all__ = ["library", "reason", "served", "serves", "signature_lane"]


def signature_lane(algorithm_name: str, material: bytes) -> SignatureLane | None:
    """Prepare a checked key in libcrypto.

    Args:
        algorithm_name: Canonical name of the algorithm.
        material: The secret of an HMAC algorithm, else the public key as SubjectPublicKeyInfo, DER.

    Returns:
        The lane, or None where there is no library or it does not serve the algorithm or take the key. An ES256 key
        gets a table when it is busy.

    Raises:
        ValueError: The material is not a key of this algorithm.
        PolicyError: ``invalid_policy``: ``JOTGATE_LIBCRYPTO`` names something that cannot be used, or
            ``JOTGATE_TABLES`` is neither ``on`` nor ``off``.

    Cost: The first call for an algorithm runs its self-test, up to 1 ms; ML-DSA 5 ms.
    """
    if not serves(algorithm_name):
        return None
    try:
        lane = _prepare(algorithm_name, material)
    except LookupError:
        return None
    if algorithm_name == "ES256" and isinstance(lane, PublicKeyLane):
        return tables.with_table(lane, material)
    return lane


def served() -> dict[str, bool]:
    """Return for every algorithm whether lanes serve it; runs the self-tests that have not run yet."""
    return {name: serves(name) for name in ALGORITHMS}


@functools.cache
def serves(algorithm_name: str) -> bool:
    """Tell whether lanes serve an algorithm: whether the library passes its self-test, run once a process.

    Threads that ask for the first time at once may each run it; they get the same answer.
    """
    if library() is None:
        return False
    from .selftest import MESSAGE, known_answer  # here: only whoever verifies needs the vectors

    try:
        known = known_answer(algorithm_name)
        rejects = [_prepare(algorithm_name, key).verify(MESSAGE, signature) for key, signature in known.rejects()]
        return _prepare(algorithm_name, known.key).verify(MESSAGE, known.signature) and not any(rejects)
    except (LookupError, RuntimeError):
        return False  # no such algorithm in this library, or it fails


def _prepare(algorithm_name: str, material: bytes) -> EVPLane:
    return _lanes.prepare(ALGORITHM_NUMBERS[algorithm_name], material)

"""keys/strength.py: the bounds themselves; the attacks on them are in tests/attacks/test_key_strength.py."""

from __future__ import annotations

import random

import pytest
from support import rejects, secret_key

from jotgate.keys.strength import check_edwards, check_rsa, is_roca


def modulus(bits: int, seed: int = 1) -> int:
    """Return a number of this size that no small prime divides: the checks do not ask for more."""
    source = random.Random(seed)
    while True:
        n = source.getrandbits(bits) | 1 | 1 << bits - 1
        if all(n % d for d in range(3, 168, 2)):
            return n


@pytest.mark.parametrize("bits", [2048, 2049, 3072, 4096, 8191, 8192])
def test_sizes_from_2048_to_8192_bits_are_taken(bits: int) -> None:
    check_rsa(modulus(bits), 65537)


@pytest.mark.parametrize("bits", [256, 1024, 2047, 8193, 16384])
def test_other_sizes_are_refused_and_named(bits: int) -> None:
    assert str(bits) in str(rejects("invalid_key", lambda: check_rsa(modulus(bits), 65537)))


@pytest.mark.parametrize("factor", [2, 3, 5, 163, 167])
def test_small_factors_are_refused(factor: int) -> None:
    rejects("invalid_key", lambda: check_rsa(modulus(2048) * factor, 65537))


def test_ordinary_moduli_do_not_have_the_roca_fingerprint() -> None:
    assert not any(is_roca(modulus(2048, seed)) for seed in range(100))
    assert not is_roca(secret_key("RS256").public_key().public_numbers().n)


def test_one_wrong_residue_ends_the_roca_fingerprint() -> None:
    assert is_roca(pow(65537, 4711))
    assert is_roca(1)
    # Modulo 11, 65537 is 10, whose only powers are 10 and 1.
    assert not is_roca(2)


@pytest.mark.parametrize(("crv", "size"), [("Ed25519", 32), ("Ed448", 57)])
def test_edwards_keys_have_one_length(crv: str, size: int) -> None:
    check_edwards(crv, secret_key(crv).public_key().public_bytes_raw())
    for length in (0, 1, size - 1, size + 1, 64):
        rejects("invalid_key", lambda length=length: check_edwards(crv, b"\x05" * length))

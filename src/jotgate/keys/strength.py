"""Public keys that load everywhere and must not be trusted: too small, malformed, or of a broken generator.

Only integers and byte strings are compared here; curves and primitives stay with `cryptography`.
"""

from __future__ import annotations

import functools
import math

from ..errors import InvalidKeyError

MIN_RSA_BITS = 2048
"""RFC 7518 sections 3.3 and 3.5."""
MAX_RSA_BITS = 8192
"""A verification costs the square of the size: sixteen times as much at 8192 bits as at 2048."""

_FERMAT_F4 = 65537
_SMALL_PRIMES = tuple(n for n in range(2, 168) if all(n % d for d in range(2, math.isqrt(n) + 1)))
_PRIMORIAL = math.prod(_SMALL_PRIMES)


def check_rsa(modulus: int, exponent: int) -> None:
    """Refuse an RSA public key that is too small, too big, or cannot have come from a sound generator.

    Args:
        modulus: n; 2048 to 8192 bits, odd, without small factors, not of the form that ROCA breaks.
        exponent: e; odd, 1 < e < 2^64.

    Raises:
        InvalidKeyError: ``invalid_key``.

    Spec: RFC 7518 section 3.3; CVE-2017-15361 (ROCA). Whether n has exactly two prime factors is not checked:
    nobody can without factoring it.
    """
    bits = modulus.bit_length()
    if bits < MIN_RSA_BITS:
        raise InvalidKeyError(f"an RSA key needs at least {MIN_RSA_BITS} bits, this one has {bits}")
    if bits > MAX_RSA_BITS:
        raise InvalidKeyError(f"an RSA key may have at most {MAX_RSA_BITS} bits, this one has {bits}")
    if math.gcd(modulus, _PRIMORIAL) != 1:
        raise InvalidKeyError(
            "the RSA modulus is even or has another small factor: it is not the product of two primes"
        )
    if exponent <= 1 or exponent % 2 == 0:
        raise InvalidKeyError("the RSA public exponent must be odd and greater than 1")
    if exponent >= 1 << 64:
        raise InvalidKeyError("the RSA public exponent must be below 2^64")
    if is_roca(modulus):
        raise InvalidKeyError(
            "the RSA key comes from a broken generator (ROCA, CVE-2017-15361): make a new one elsewhere"
        )


def is_roca(modulus: int) -> bool:
    """Tell whether an RSA modulus has the fingerprint of the generator broken in 2017.

    That generator made primes ``k * M + (65537^a mod M)`` with M the product of the first primes, so its
    moduli are powers of 65537 modulo M. Whether a discrete logarithm exists is decided one prime power of the
    group order at a time. A sound modulus passes for one with probability about 2^-154.

    Cost: well under 1 ms; the group is worked out once a process.
    """
    order, subgroups = _powers_of_65537()
    return all(pow(modulus, order // size, _PRIMORIAL) in members for size, members in subgroups)


@functools.cache
def _powers_of_65537() -> tuple[int, tuple[tuple[int, frozenset[int]], ...]]:
    """Return the order of 65537 modulo the primorial, and its subgroups of prime power order."""
    order = math.lcm(*(_order_of_65537(prime) for prime in _SMALL_PRIMES))
    subgroups = []
    for prime in _SMALL_PRIMES:
        size = 1
        while order % (size * prime) == 0:
            size *= prime
        if size > 1:
            generator = pow(_FERMAT_F4, order // size, _PRIMORIAL)
            subgroups.append((size, frozenset(pow(generator, i, _PRIMORIAL) for i in range(size))))
    return order, tuple(subgroups)


def _order_of_65537(prime: int) -> int:
    power, order = _FERMAT_F4 % prime, 1
    while power != 1:
        power, order = power * _FERMAT_F4 % prime, order + 1
    return order


class _Edwards:
    """What the encoding of a public key on one curve may not be (RFC 8032 sections 5.1.2 and 5.2.2)."""

    __slots__ = ("low_order", "prime", "sign_byte_mask", "size")

    def __init__(self, prime: int, size: int, sign_byte_mask: int, low_order: frozenset[int]) -> None:
        self.prime = prime
        self.size = size
        self.sign_byte_mask = sign_byte_mask
        self.low_order = low_order


_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1
# y of the points of order 8 is this or its negative; orders 1, 2 and 4 have y = 1, -1 and 0. Both signs of x
# are refused for each: eight points, and for y = 1 and y = -1 also the encodings that RFC 8032 does not
# decode.
_Y_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7

_EDWARDS = {
    "Ed25519": _Edwards(_P25519, 32, 0x7F, frozenset({0, 1, _P25519 - 1, _Y_OF_ORDER_8, _P25519 - _Y_OF_ORDER_8})),
    # The cofactor is 4: y = 1, -1 and 0 are all there is. The last byte holds the sign of x and nothing else.
    "Ed448": _Edwards(_P448, 57, 0x7F, frozenset({0, 1, _P448 - 1})),
}


def check_edwards(crv: str, public: bytes) -> None:
    """Refuse an Ed25519 or Ed448 public key of small order or with more than one encoding.

    Under a point of small order one signature verifies for many messages, whoever made it. OpenSSL loads such
    keys.

    Args:
        crv: ``Ed25519`` or ``Ed448``.
        public: The encoded point, 32 or 57 bytes.

    Raises:
        InvalidKeyError: ``invalid_key``.

    Spec: RFC 8032 sections 5.1.3 and 5.2.3; RFC 8037 section 2. An encoding off the curve is not looked for:
    it fails every verification.
    """
    curve = _EDWARDS[crv]
    if len(public) != curve.size:
        raise InvalidKeyError(f"an {crv} public key has {curve.size} bytes, this one has {len(public)}")
    y = int.from_bytes(public[:-1] + bytes([public[-1] & curve.sign_byte_mask]), "little")
    if y >= curve.prime:
        raise InvalidKeyError(f"the {crv} public key is not encoded canonically")
    if y in curve.low_order:
        raise InvalidKeyError(f"the {crv} public key is a point of small order: anybody can sign for it")

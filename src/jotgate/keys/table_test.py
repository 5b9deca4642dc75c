"""What a table must get right before it serves: good and bad signatures, and every entry of it once.

Nobody here has the private key. Signatures over digests, which nobody can choose, are made from the public key alone by
libcrypto's plain multiplication, which knows nothing of the table; `cryptography` confirms some of them.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from .._clock import monotonic_ns_now
from .._ecdsa import PointTable, signed_digest
from .._lanes import PublicKeyLane
from .._points import inverses

# libcrypto's table has 37 rows of the multiples 1 to 64, and reads a number in signed digits of 7 bits, one from each
# row. These numbers below the order have equal digits, or two in turn, so that together they reach each entry.
_ROWS = range(37)
_DIGITS = [*((digit, digit) for digit in range(1, 64)), (63, 64), (64, 63)]
_FACTORS = [sum(pair[row % 2] << 7 * row for row in _ROWS) % 2**255 for pair in _DIGITS]

_CONFIRMED = 4
"""Signatures of which bad ones are made; `cryptography` looks at all of these too, 60 us every time."""

_BLOCK, _BLOCKS, _ATTEMPTS = 50, 5, 3


def passes(table: PointTable, material: bytes) -> bool:
    """Tell whether a table accepts what is right and refuses what is wrong.

    Args:
        table: Just built.
        material: The key that it must be of, as SubjectPublicKeyInfo, DER.

    Cost: 9 ms, mostly without the GIL.
    """
    key = load_der_public_key(material)
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    for number, factor in enumerate(_FACTORS):
        # u1 of 0 is a digest of 0, and an infinite summand
        digest, signature = signed_digest(material, _bytes(factor // 3 if number else 0), _bytes(factor))
        inverse = inverses([signature[32:]])[0]
        if not (table.verify_digest(digest, signature) and table.verify_digest(digest, signature, inverse)):
            return False
        if number >= _CONFIRMED:
            continue
        rejects = _rejects(digest, signature)
        if any(table.verify_digest(*reject) or table.verify_digest(*reject, inverse) for reject in rejects):
            return False
        if not _is_good(key, digest, signature) or any(_is_good(key, *reject) for reject in rejects):
            return False
    return True


def is_faster(table: PointTable, plain: PublicKeyLane) -> bool:
    """Tell whether a table beats the library's own verification: on some machines libcrypto keeps none worth it.

    The two take turns, for the clock is coarse and the machine may be busy.

    Cost: 25 ms, mostly without the GIL.
    """
    message, signature, spent = b"", b"\x11" * 64, [0, 0]
    for _ in range(_ATTEMPTS):
        for _ in range(_BLOCKS):
            begin = monotonic_ns_now()
            for _ in range(_BLOCK):
                plain.verify(message, signature)
            middle = monotonic_ns_now()
            for _ in range(_BLOCK):
                table.verify_digest(signature[:32], signature)
            spent[0] += middle - begin
            spent[1] += monotonic_ns_now() - middle
        if spent[1] <= spent[0]:
            return True
    return False


def _rejects(digest: bytes, signature: bytes) -> list[tuple[bytes, bytes]]:
    """Return pairs that must be refused: a flipped bit in each of the three numbers, and numbers out of range."""
    r, s = signature[:32], signature[32:]
    return [
        (_flipped(digest), signature),
        (digest, _flipped(r) + s),
        (digest, r + _flipped(s)),
        (digest, bytes(32) + s),
        (digest, r + bytes(32)),
        (digest, b"\xff" * 32 + s),
        (digest, r + b"\xff" * 32),
    ]


def _flipped(number: bytes) -> bytes:
    return bytes([*number[:-1], number[-1] ^ 1])


def _bytes(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _is_good(key: ec.EllipticCurvePublicKey, digest: bytes, signature: bytes) -> bool:
    pair = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        key.verify(encode_dss_signature(*pair), digest, ec.ECDSA(Prehashed(SHA256())))
    except InvalidSignature:
        return False
    return True

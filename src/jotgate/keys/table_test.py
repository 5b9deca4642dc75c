"""What a table must get right before it serves: good and bad signatures, and every entry of it once.

Nobody here has the private key. Signatures over digests, which nobody can choose, are made from the public key alone by
libcrypto's plain multiplication, which knows nothing of the table, and its own verification confirms some of them. Not
`cryptography`'s: this runs in a thread that nobody knows of, which a fork must not find in there.
"""

from __future__ import annotations

from .._clock import thread_ns_now
from .._ecdsa import PointTable, signed_digest, verify_plainly
from .._lanes import PublicKeyLane
from .._points import inverses

# libcrypto's table has 37 rows of the multiples 1 to 64. It reads a number in digits of 7 bits from -64 to 64, a carry
# among them, one for each row; the last has 4 bits. Numbers of equal digits, or of two in turn, reach each entry.
_ROWS = 36
_PAIRS = [*((digit, digit) for digit in range(1, 64)), (63, 64), (64, 63)]
_FACTORS = [
    sum(pair[row % 2] << 7 * row for row in range(_ROWS)) + ((15 if 64 in pair else number % 15 + 1) << 7 * _ROWS)
    for number, pair in enumerate(_PAIRS)
]

_CONFIRMED = 4
"""Signatures of which bad ones are made; the library's own verification looks at all of these too."""

_ROUNDS, _ATTEMPTS = 20, 3


def passes(table: PointTable, plain: PublicKeyLane, material: bytes) -> bool:
    """Tell whether a table accepts what is right and refuses what is wrong.

    Args:
        table: Just built.
        plain: The key that it must be of.
        material: The same, as SubjectPublicKeyInfo, DER.

    Cost: 9 ms, mostly without the GIL.
    """
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
        if not verify_plainly(plain, digest, signature) or any(verify_plainly(plain, *each) for each in rejects):
            return False
    return True


def is_faster(table: PointTable, plain: PublicKeyLane) -> bool:
    """Tell whether a table beats the library's own verification.

    Where libcrypto has no code of its own for P-256 in the machine's language, a multiplication by a table takes longer
    than a whole verification.

    Cost: 2 ms, without the GIL.
    """
    message, signature, spent = b"", b"\x11" * 64, [0, 0]
    for _ in range(_ATTEMPTS):
        for _ in range(_ROUNDS):
            begin = thread_ns_now()
            plain.verify(message, signature)
            middle = thread_ns_now()
            table.verify_digest(signature[:32], signature)
            spent[0] += middle - begin
            spent[1] += thread_ns_now() - middle
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

"""A table of an ES256 key beside `cryptography`, and beside what is known of a signature by the way it was made.

usage: python -m tests.differential.tables [--cases N] [--seed N]

Signatures are over digests, which cost nothing to make up, so that every case of the equation can be chosen: equal and
opposite summands, an infinite one, an x above the order. Half of them come with an inverse, as in a batch; some of
those are wrong.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).parents[1]))

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from reference.p256 import G, N, P, Point, add, multiply, negative, with_x

from jotgate._ecdsa import PointTable, signed_digest
from jotgate._points import inverses

EDGES = (0, 1, 2, N - 2, N - 1, N, N + 1, P - 1, P, P + 1, 2**255, 2**256 - 1)
GROUP = 64  # as many as a batch inverts together
SCHEME = ec.ECDSA(Prehashed(hashes.SHA256()))


class Case(NamedTuple):
    """A signature, and whether it is good where that is known."""

    kind: str
    digest: int
    r: int
    s: int
    good: bool | None


class Key:
    """A public key in both libraries, and signatures of it.

    Args:
        point: The key.
        secret: Its private key, if anybody has it.
    """

    def __init__(self, point: Point, secret: int | None, rng: random.Random, good: list[Case] | None = None) -> None:
        assert point is not None
        self.point, self.secret, self.good = point, secret, good or []
        self.key = ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()
        self.material = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.table = PointTable(self.material)
        for _ in range(16):
            digest, signature = signed_digest(self.material, _bytes(rng.randrange(N)), _bytes(rng.randrange(1, N)))
            numbers = (int.from_bytes(part, "big") for part in (digest, signature[:32], signature[32:]))
            self.good.append(Case("made of the public key", *numbers, True))

    def reference(self, case: Case) -> bool:
        """Return the verdict of `cryptography`."""
        try:
            self.key.verify(encode_dss_signature(case.r, case.s), _bytes(case.digest), SCHEME)
        except InvalidSignature:
            return False
        return True


class Nonce(NamedTuple):
    """A number k with what signing with it needs: 1 / k, and the x of k G and of 2 k G, modulo the order."""

    k: int
    inverse: int
    r: int
    r_of_double: int


def nonces(rng: random.Random, count: int) -> list[Nonce]:
    """Return some, the extreme ones first."""

    def r_of(k: int) -> int:
        return ec.derive_private_key(k % N, ec.SECP256R1()).public_key().public_numbers().x % N

    numbers = [1, 2, N - 1, N - 2, (N + 1) // 2, *(rng.randrange(1, N) for _ in range(count))]
    return [Nonce(k, pow(k, -1, N), r_of(k), r_of(2 * k)) for k in numbers]


def keys(rng: random.Random) -> list[Key]:
    """Return keys with a private key, with extreme coordinates, and with a signature whose x is extreme."""
    secrets = [1, 2, 3, N - 1, N - 2, (N - 1) // 2, *(rng.randrange(1, N) for _ in range(8))]
    made = [Key(multiply(secret, G), secret, rng) for secret in secrets]
    for numbers in (range(200), range(P - 1, P - 200, -1)):
        points = islice(filter(None, map(with_x, numbers)), 3)
        made += [Key(each, None, rng) for point in points for each in (point, negative(point))]
    for first in (N, P - 300, 1):  # the last: r itself is the x, and r + n another candidate
        made += islice((key for x in range(first, first + 200) for key in _with_chosen_x(x, rng)), 4)
    return made


def _with_chosen_x(x: int, rng: random.Random) -> Iterator[Key]:
    """Yield the key that has a signature whose point has this x: Q = (R - u1 G) / u2."""
    point, digest, s = with_x(x), rng.randrange(N), rng.randrange(1, N)
    r = x % N
    if point is None or r == 0:
        return
    u1, u2 = digest * pow(s, -1, N), r * pow(s, -1, N)
    key = multiply(pow(u2, -1, N), add(point, negative(multiply(u1, G))))
    good = [Case(f"x is r{' + n' * (x >= N)}", digest, r, number, True) for number in (s, N - s)]
    yield Key(key, None, rng, good * 8)


def case_of(key: Key, other: Key, nonce: Nonce, rng: random.Random) -> Case:
    """Make up one case."""
    kind = rng.randrange(16)
    if key.secret is None or kind < 2:
        case = rng.choice(key.good)
        kind = rng.choice((0, 5, 6, 7, 8, 9, 10))
    else:
        digest = rng.choice(EDGES) % 2**256 if rng.randrange(32) == 0 else rng.getrandbits(256)
        s = nonce.inverse * (digest + nonce.r * key.secret) % N
        case = Case("signed", digest, nonce.r, s, s != 0)
    if kind <= 4:
        return case
    if kind <= 6:
        return _flipped(case, rng)
    if kind == 7:
        edges = case._replace(kind="edge", good=None)
        return edges._replace(r=rng.choice(EDGES)) if rng.randrange(2) else edges._replace(s=rng.choice(EDGES))
    if kind == 8:
        return Case("two edges", case.digest, rng.choice(EDGES), rng.choice(EDGES), None)
    if kind == 9:
        return case._replace(kind="n - s", s=N - case.s)
    if kind == 10:
        swapped = (case.s, case.r), ((case.r + N) % 2**256, case.s), (case.r, (case.s + N) % 2**256)
        r, s = rng.choice(swapped)
        return Case("swapped, or n more", case.digest, r, s, None)
    if kind == 11:
        return _signed_by(other, nonce, rng) if other is not key else case
    assert key.secret is not None
    return _related(kind, key.secret, nonce, rng)


def _flipped(case: Case, rng: random.Random) -> Case:
    """One bit of one of the three numbers."""
    field = rng.choice(("digest", "r", "s"))
    number = getattr(case, field) ^ 1 << rng.randrange(256)
    # a digest below 2^256 - n has another that is the same modulo n, but no single bit leads there
    return case._replace(kind=f"flipped {field}", good=False, **{field: number})


def _signed_by(other: Key, nonce: Nonce, rng: random.Random) -> Case:
    digest = rng.getrandbits(256)
    if other.secret is None:
        return rng.choice(other.good)._replace(kind="wrong key", good=None)
    return Case("wrong key", digest, nonce.r, nonce.inverse * (digest + nonce.r * other.secret) % N, False)


def _related(kind: int, secret: int, nonce: Nonce, rng: random.Random) -> Case:
    """The two summands are the same point, or opposite ones: u2 = u1 / d, or - u1 / d."""
    same = kind <= 14
    u2 = (1 if same else -1) * nonce.k * pow(secret, -1, N) % N
    r = nonce.r_of_double if kind <= 13 else rng.randrange(1, N)
    s = r * pow(u2, -1, N) % N
    name = "equal summands" if kind <= 13 else "equal summands, another r" if same else "opposite summands"
    return Case(name, nonce.k * s % N, r, s, kind <= 13)


def _bytes(number: int) -> bytes:
    return number.to_bytes(32, "big")


def run(cases: int, seed: int) -> Counter[tuple[str, bool]]:
    """Compare; return how many cases of each kind had each verdict."""
    rng = random.Random(seed)
    everybody, pool = keys(rng), nonces(rng, 300)
    counts: Counter[tuple[str, bool]] = Counter()
    for start in range(0, cases, GROUP):
        key = rng.choice(everybody)
        group = [case_of(key, rng.choice(everybody), rng.choice(pool), rng) for _ in range(min(GROUP, cases - start))]
        hints = inverses([_bytes(case.s) for case in group])
        for case, hint in zip(group, hints, strict=True):
            assert (hint is not None) == (0 < case.s < N)
            chance = rng.randrange(8)
            given = None if chance < 4 else hint if chance < 7 else rng.choice((*hints, rng.randbytes(32)))
            table = key.table.verify_digest(_bytes(case.digest), _bytes(case.r) + _bytes(case.s), given)
            reference = key.reference(case)
            if table != reference or (case.good is not None and table != case.good):
                raise SystemExit(f"seed {seed}: {case}, key {key.point}, inverse {given!r}: {table}, not {reference}")
            counts[case.kind, table] += 1
    return counts


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    started = time.perf_counter()
    counts = run(options.cases, options.seed)
    print(f"{counts.total()} signatures, seed {options.seed}, {time.perf_counter() - started:.0f} s: no disagreement")
    for (kind, verdict), count in sorted(counts.items()):
        print(f"{count:>10} {'accepted' if verdict else 'refused':9} {kind}")


if __name__ == "__main__":
    main()

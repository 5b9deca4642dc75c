"""Both backends on the same tokens: mutated headers, payloads, signatures and keys must get the same verdict.

usage: python -m tests.differential.backends [--cases N] [--seed N] [--algorithms ES256,RS256]
"""

import argparse
import random
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from support import NOW, SIGNATURE_BYTES, clock_at, compact, header, policy, served_algorithms, verification_key

from jotgate import Verifier
from jotgate._codec import b64url_decode, b64url_encode
from jotgate.errors import JotgateError

# How much of the cases each gets: cheap checks more than dear ones.
SHARES = {"HS256": 30, "HS384": 10, "HS512": 10, "RS256": 20, "RS384": 5, "RS512": 5}
SHARES |= {"PS256": 6, "PS384": 3, "PS512": 3, "ES256": 5, "Ed25519": 2}
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class Pair:
    """One algorithm's verifiers, and tokens of two keys: the right one and another."""

    def __init__(self, alg: str) -> None:
        self.alg = alg
        key = verification_key(alg)
        self.reference = Verifier(key, policy(alg), cache=None, backend="cryptography")
        self.lane = Verifier(key, policy(alg), cache=None, backend="libcrypto")
        self.tokens = [compact(header(alg, n=n), alg=alg) for n in range(4)]
        self.twins = [b64url_decode(text.rpartition(".")[2]) for text in self.tokens]

    def verdicts(self, text: str) -> tuple[str, str]:
        """Return what the two say."""
        return _verdict(self.reference, text), _verdict(self.lane, text)


def _verdict(verifier: Verifier, text: str) -> str:
    try:
        return str(verifier.verify(text).to_dict())
    except JotgateError as error:
        return f"{error.code} {error.claim}"


def mutate(pair: Pair, rng: random.Random) -> str:
    """Return a token with something wrong, mostly in its signature, or nothing."""
    text = rng.choice(pair.tokens)
    signing_input, _, encoded = text.rpartition(".")
    raw = bytearray(b64url_decode(encoded))
    kind = rng.randrange(10)
    if kind == 0:
        return text
    if kind <= 3:
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif kind == 4:
        raw = bytearray(rng.choice(pair.twins))
    elif kind == 5:
        raw = bytearray(rng.randbytes(len(raw)))
    elif kind == 6:
        at = rng.randrange(2) * (len(raw) // 2)
        edge = rng.choice((0, 1, P256_ORDER - 1, P256_ORDER, P256_ORDER + 1, 2 ** (4 * len(raw)) - 1))
        half = len(raw) // 2
        raw[at : at + half] = (edge % 2 ** (8 * half)).to_bytes(half, "big")
    elif kind == 7:
        raw = raw[: rng.randrange(len(raw))] if rng.randrange(2) else raw + rng.randbytes(rng.randrange(1, 4))
    elif kind == 8:
        place = rng.randrange(len(signing_input))
        signing_input = signing_input[:place] + rng.choice("ABCabc019-_.") + signing_input[place + 1 :]
    else:
        raw[: len(raw) // 2], raw[len(raw) // 2 :] = raw[len(raw) // 2 :], raw[: len(raw) // 2]
    return f"{signing_input}.{b64url_encode(bytes(raw))}"


def run(cases: int, seed: int, algorithms: list[str]) -> dict[str, int]:
    """Compare; return how many cases each algorithm had."""
    rng = random.Random(seed)
    pairs = [Pair(alg) for alg in algorithms]
    weights = [SHARES.get(alg, 1) for alg in algorithms]
    counts = dict.fromkeys(algorithms, 0)
    with clock_at(NOW):
        for pair in pairs:
            assert len(pair.twins[0]) == SIGNATURE_BYTES.get(pair.alg, len(pair.twins[0]))
        for pair in rng.choices(pairs, weights, k=cases):
            text = mutate(pair, rng)
            reference, lane = pair.verdicts(text)
            if reference != lane:
                raise SystemExit(f"seed {seed}, {pair.alg}: {reference!r} and {lane!r}")
            counts[pair.alg] += 1
    return counts


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--algorithms")
    options = parser.parse_args()
    algorithms = options.algorithms.split(",") if options.algorithms else served_algorithms()
    started = time.perf_counter()
    counts = run(options.cases, options.seed, algorithms)
    stats = Verifier(verification_key("HS256"), policy("HS256")).stats()
    print(f"backends: {stats['backend']}")
    print(f"libcrypto: {stats['libcrypto']}, {stats['reason'] or 'served'}")
    print(f"{sum(counts.values())} cases on both, seed {options.seed}, {time.perf_counter() - started:.0f} s: {counts}")


if __name__ == "__main__":
    main()

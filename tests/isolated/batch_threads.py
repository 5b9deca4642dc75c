"""Several threads run batches over one verifier while its keys are replaced; the pool grows as one of them wants."""

import sys
import threading

from measure import failures, guarded, run_all
from support import NOW, clock_at, compact, header, policy, secret_key, verification_key

from jotgate import KeySet, TokenCache, VerifiedToken, Verifier

sys.setswitchinterval(1e-5)


def texts_by(alg: str, kid: str, which: int, count: int) -> list[str]:
    key = secret_key(alg, which)
    return [compact(header(alg, kid=kid, n=number), alg=alg, key=key) for number in range(count)]


def replacing(alg: str, count: int, rounds: int, cache: TokenCache | None) -> None:
    texts = [texts_by(alg, f"k{which}", which, count) for which in (0, 1)]
    forged = [f"{one.rpartition('.')[0]}.{other.rpartition('.')[2]}" for one, other in zip(*texts, strict=True)]
    mixed = [text for three in zip(*texts, forged, strict=True) for text in three]
    sets = [
        KeySet([verification_key(alg, kid="k0")]),
        KeySet([verification_key(alg, kid="k1", which=1)]),
        KeySet([verification_key(alg, kid="k0"), verification_key(alg, kid="k1", which=1)]),
    ]
    way_in = Verifier(sets[2], policy(alg), cache=cache)
    done = threading.Event()
    patterns: set[frozenset[str]] = set()

    def run() -> None:
        for number in range(rounds):
            batch = way_in.verify_batch(mixed, threads=1 + number % 4)
            # one batch, one set of keys: all texts of a key share their fate
            fates = [set(batch.code[which::3]) for which in (0, 1)]
            if cache is None:
                assert all(len(fate) == 1 for fate in fates), fates
            for fate in fates:
                assert fate <= {"accepted", "unknown_key"}, fate
            assert set(batch.code[2::3]) <= {"bad_signature", "unknown_key"}
            patterns.add(frozenset(batch.code))
            assert batch.accepted == sum(isinstance(result, VerifiedToken) for result in batch)
            for index, result in enumerate(batch):
                if isinstance(result, VerifiedToken):
                    assert (result.kid, result.header["n"]) == (f"k{index % 3}", index // 3)

    def replace() -> None:
        number = 0
        while not done.wait(0.001):
            way_in.replace_keys(sets[number % 3])
            number += 1

    replacer = guarded(replace)
    replacer.start()
    run_all([guarded(run) for _ in range(5)])
    done.set()
    replacer.join()
    assert not failures, failures
    assert len(patterns) > 1, patterns


def is_bounded() -> None:
    names = sorted(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
    assert names == ["jotgate-0", "jotgate-1", "jotgate-2"], names


with clock_at(NOW):
    replacing("HS256", 200, 40, None)
    is_bounded()
    replacing("HS256", 200, 40, TokenCache(max_entries=300))
    replacing("Ed25519", 50, 8, None)
    is_bounded()

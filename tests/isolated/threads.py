"""Threads share a verifier while another replaces its keys: every verdict is one that some key set gives."""

import sys
import threading

from measure import code_of, failures, guarded, run_all
from support import NOW, clock_at, compact, header, policy, secret_key, token, verification_key, verifier

from jotgate import KeySet, Verifier

sys.setswitchinterval(1e-5)
ROUNDS = 4_000


def replacing() -> None:
    texts = [compact(header("HS256", kid=f"k{n}"), key=secret_key("HS256", n)) for n in (0, 1)]
    forged = compact(header("HS256", kid="k0"), key=secret_key("HS256", 1))
    sets = [
        KeySet([verification_key("HS256", kid="k0")]),
        KeySet([verification_key("HS256", kid="k1", which=1)]),
        KeySet([verification_key("HS256", kid="k0"), verification_key("HS256", kid="k1", which=1)]),
    ]
    way_in = Verifier(sets[2], policy())
    done = threading.Event()
    seen: set[str] = set()

    def read(made, kid: str) -> None:
        assert made.kid == kid
        assert made["sub"] == made.subject

    def verify() -> None:
        for number in range(ROUNDS):
            which = number & 1
            verdict = code_of(lambda which=which: read(way_in.verify(texts[which]), f"k{which}"))
            assert verdict in (None, "unknown_key")
            seen.add(verdict or "accepted")
            assert code_of(lambda: way_in.verify(forged)) in ("bad_signature", "unknown_key")

    def replace() -> None:
        number = 0
        while not done.is_set():
            way_in.replace_keys(sets[number % 3])
            number += 1

    replacer = guarded(replace)
    replacer.start()
    run_all([guarded(verify) for _ in range(6)])
    done.set()
    replacer.join()
    assert seen == {"accepted", "unknown_key"}, seen
    assert not failures, failures


def sharing_a_token() -> None:
    """One token, read by many at once: the claims are built once or often, and are always the same."""
    way_in = verifier()
    for _ in range(200):
        made = way_in.verify(token(scope=["a", {"b": [1, 2, 3]}]))
        barrier = threading.Barrier(4)

        def read(made=made, barrier=barrier) -> None:
            barrier.wait()
            assert made.claims["scope"] == ("a", made.claims["scope"][1])
            assert made.to_dict()["scope"] == ["a", {"b": [1, 2, 3]}]
            assert made.header["alg"] == "HS256"

        run_all([guarded(read) for _ in range(4)])


def mixing_algorithms() -> None:
    algorithms = ("RS256", "ES256", "EdDSA")
    way_in = Verifier(KeySet([verification_key(alg, kid=alg) for alg in algorithms]), policy(*algorithms))
    texts = {alg: compact(header(alg, kid=alg), alg=alg) for alg in algorithms}

    def verify(alg: str) -> None:
        for _ in range(150):
            assert way_in.verify(texts[alg]).alg == alg

    run_all([guarded(lambda alg=alg: verify(alg)) for alg in algorithms for _ in range(2)])
    assert way_in.stats()["verdicts"]["accepted"] == 6 * 150


with clock_at(NOW):
    replacing()
    sharing_a_token()
    mixing_algorithms()

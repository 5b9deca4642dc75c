"""The limits of the verified-token cache: what a hit costs, what it weighs, what revocation and flooding add."""

import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import memory
import ours
import rivals
from judging import COUNT, ROUNDS, Gate, check_answers, microseconds, prepared_hmac, settle
from remote import RemoteRow, Worker
from run import environment
from timing import Row, call_each, sweep
from tokens import AUDIENCE, ISSUER, LONGER_PAYLOAD_BYTES, Corpus, Signer, claims_set, make_corpus

from jotgate import KeySet, Policy, RemoteKeySet, TokenCache, VerificationKey, VerifiedToken, Verifier
from jotgate._revoked import RevocationIndex

HOT = 500  # tokens that come again and again
PASSES = 8  # over them in one turn, beside other processes: a turn that began with cold caches would tell nothing
MANY_BYTES = 30_000_000  # of tokens: far beyond what a processor's caches hold
# A verification by the lanes with its insertion, against one without a cache. Measured: 1.46 to 1.55, that is 0.43 us
# for a copy of the text, the time window, and the victim's end.
INSERTION = 1.7
# ryjwt takes 0.36 of oxyjwt's time for HS256 (bench/results/others-3.13.json), and a hit a tenth of ryjwt's.
OF_OXYJWT = 0.036
REVOCATIONS_PER_S = 100
RULES = 1_000_000


def primed(corpus: Corpus, **options: Any) -> Callable[[str], VerifiedToken]:
    """Return `verify` of a verifier that has checked, and remembers, every token of the corpus."""
    verify = ours.verifier(corpus.alg, corpus.key, **options).verify
    check_answers(verify, ours.claims, corpus)
    return verify


def must_hit(verify: Any, corpus: Corpus, what: str) -> None:
    """Check that a row which others are compared with knows its tokens: all but those that their bucket had no room
    for."""
    cache = verify.__self__.cache
    before = cache.stats()["misses"]
    for text in corpus.fresh(len(corpus.signed)):
        verify(text)
    if cache.stats()["misses"] - before > len(corpus.signed) // 100:
        raise SystemExit(f"{what}: known tokens were verified again")


def look_up() -> list[Gate]:
    """A hit against `dict.get` with equal keys: a few strings that come again and again, made just before."""
    corpus = make_corpus("HS256", HOT, LONGER_PAYLOAD_BYTES)
    if {len(token.text) for token in corpus.signed} != {700}:
        raise SystemExit("the tokens are not 700 characters long")
    verify = primed(corpus)

    def read(text: str) -> None:
        verify(text).claims["sub"]

    fresh = partial(corpus.fresh, HOT)
    rows = {
        "hit": Row(verify, fresh),
        "read": Row(read, fresh),
        "bytes": Row(verify, lambda: [bytes(bytearray(token.text)) for token in corpus.signed]),
        "dict": Row(dict.fromkeys(fresh()).get, fresh),
        "hmac": prepared_hmac(corpus, HOT),
    }

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}
        against = f"against {best['dict']:.3f} us"

        def line(name: str, row: str, limit: float | None = None) -> Gate:
            return Gate(name, best[row] / best["dict"], limit, "x", f"{best[row]:.3f} us {against}")

        return [
            line("hit / dict.get, 500 strings of 700 bytes", "hit", 0.7),
            line("  and a claim read", "read"),
            line("  bytes instead of str", "bytes"),
        ]

    return settle(rows, judge)


def look_up_among_many() -> list[Gate]:
    """The same for 30 MB of strings in an order of chance, where the memory decides and not the program."""
    corpus = make_corpus("HS256", MANY_BYTES // 700, LONGER_PAYLOAD_BYTES)
    verify = primed(corpus, cache=TokenCache(max_bytes=256 << 20))
    blobs = [token.text for token in corpus.signed]

    def shuffled() -> list[str]:
        random.shuffle(blobs)
        return [str(blob, "ascii") for blob in blobs]

    must_hit(verify, corpus, "30 MB")
    rows = {"hit": Row(verify, shuffled), "dict": Row(dict.fromkeys(shuffled()).get, shuffled)}
    sweep(rows, 6)
    # Every round has another order, so a slice has no best run of its own: whole rounds are compared.
    hit, other = (row.fastest for row in rows.values())
    return [Gate("  30 MB of strings, shuffled", hit / other, None, "x", f"{hit:.3f} us against {other:.3f} us")]


def against_ryjwt() -> list[Gate]:
    """A hit against the whole of ryjwt's HS256, both under one interpreter that ryjwt runs on; where there is none,
    against oxyjwt's."""
    python: str | Path | None = sys.executable
    if sys.version_info < (3, 12):
        try:
            python = environment("3.13")
        except subprocess.CalledProcessError as failure:
            print(f"no environment for Python 3.13: {failure}")
            python = None
    rival, limit = ("ryjwt", 0.1) if python is not None else ("oxyjwt", OF_OXYJWT)
    python = python or sys.executable
    corpus = make_corpus("HS256", HOT)
    workers = [Worker.python("ours_hit", None, python), Worker.python(f"others.{rival}", "main", python)]
    counts = (PASSES * HOT, HOT)
    rows: dict[str, Row] = {
        name: RemoteRow(worker, corpus, count)
        for name, worker, count in zip(("hit", rival), workers, counts, strict=True)
    }

    def judge() -> list[Gate]:
        hit, other = (row.best for row in rows.values())
        detail = f"{hit:.3f} us against {other:.2f} us"
        return [Gate(f"hit / cold HS256 of {rival}", hit / other, limit, "x", detail)]

    gates = settle(rows, judge)
    for worker in workers:
        worker.close()
    return gates


def against_fast_jwt() -> list[Gate]:
    """A hit against a hit of the peer that caches: Node, its default key, strings made just before."""
    name = "hit / cached verify of fast-jwt, on Node"
    directory = rivals.node_directory()
    if isinstance(directory, str):
        return [Gate(name, None, 0.1, "x", directory)]
    corpus = make_corpus("HS256", HOT)
    workers = {mode: Worker.fast_jwt(directory, mode) for mode in ("cached", "uncached")}
    rows: dict[str, Row] = {mode: RemoteRow(worker, corpus, HOT) for mode, worker in workers.items()}
    rows["hit"] = Row(primed(corpus), partial(corpus.fresh, PASSES * HOT))

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}
        return [
            Gate(title, best["hit"] / best[mode], limit, "x", f"{best['hit']:.3f} us against {best[mode]:.2f} us")
            for title, mode, limit in ((name, "cached", 0.1), ("  its verify without a cache", "uncached", None))
        ]

    gates = settle(rows, judge)
    for worker in workers.values():
        worker.close()
    return gates


def weight() -> list[Gate]:
    """What a cached token of 700 characters keeps resident, tables and all, in a process of its own."""
    gates = []
    for name, mode, limit in (("memory of a cached 700-byte token", "kept", 1.6), ("  claims read", "read", None)):
        command = [sys.executable, memory.__file__, mode]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        if found is None:
            return [Gate(name, None, limit, "KiB", "no /proc here")]
        detail = f"{found['accounted']:.2f} KiB by the cache's own account"
        gates.append(Gate(name, found["resident"], limit, "KiB", detail))
    return gates


def million(until: int) -> RevocationIndex:
    """Return an index of a million rules, of each kind some: about every issuer's tokens and about one issuer's. It is
    vouched for until a moment, as one that follows a store is."""
    index = RevocationIndex()
    kinds = ("jti", "jti", "jti", "sub", "sid")
    for start in range(0, RULES, 1000):
        index.merge(
            [(kinds[i % 5], (ISSUER, "")[i % 2], f"{i:032x}", 1, until) for i in range(start, start + 1000)]
            + [("epoch", "", "", 0, until), ("epoch", ISSUER, "", 0, until)]
        )
    index.vouch_until(1 << 62)
    return index


def revocation() -> list[Gate]:
    """What a revocation index adds to a hit: nothing changed since, and something changed before each call."""
    corpus = make_corpus("HS256", HOT, LONGER_PAYLOAD_BYTES)
    until = int(time.time()) + 3600
    quiet, busy = million(until), million(until)
    without, unchanged, changed = (
        primed(corpus, **options) for options in ({}, {"revocations": quiet}, {"revocations": busy})
    )
    fresh = partial(corpus.fresh, HOT)

    later = itertools.count(2)

    def after_a_change() -> list[str]:
        # Each token comes once a round, so each finds the generation moved on since it was last asked for.
        busy.merge([("sub", "", "somebody", next(later), until)])
        return fresh()

    for verify, what in ((without, "no index"), (unchanged, "nothing revoked since"), (changed, "a change before")):
        must_hit(verify, corpus, what)
    rows = {
        "without": Row(without, fresh),
        "unchanged": Row(unchanged, fresh),
        "changed": Row(changed, after_a_change),
        "hmac": prepared_hmac(corpus, HOT),
    }

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}

        def line(name: str, row: str, limit_us: float) -> Gate:
            extra = best[row] - best["without"]
            detail = f"{best[row]:.3f} - {best['without']:.3f} = {extra:.3f} us"
            return Gate(name, extra / best["hmac"], microseconds(limit_us), "HMAC", detail)

        return [
            line("a million rules on a hit, nothing changed", "unchanged", 0.03),
            line("  changed since: looked up again", "changed", 0.5),
        ]

    return [*settle(rows, judge), under_revocations(corpus, changed, unchanged, busy)]


def under_revocations(
    corpus: Corpus, verify: Callable[[str], Any], undisturbed: Callable[[str], Any], index: RevocationIndex
) -> Gate:
    """A second of hits during which somebody revokes, against a second during which nobody does, turn by turn."""
    until = int(time.time()) + 3600
    taken = {verify: 0, undisturbed: 0}
    revoked = calls = 0
    while taken[verify] < 1_000_000_000:
        if taken[verify] * REVOCATIONS_PER_S >= revoked * 1_000_000_000:
            index.revoke(f"{revoked:032x}", until)
            revoked += 1
        for call in taken:
            taken[call] += call_each(call, corpus.fresh(HOT))
        calls += HOT
    each, other = (ns / calls / 1000 for ns in taken.values())
    name = f"  {REVOCATIONS_PER_S} revocations a second / none"
    return Gate(name, each / other, None, "x", f"{each:.3f} us against {other:.3f} us, means")


def fetched_keys() -> list[Gate]:
    """What keys that are fetched, and kept fresh in the background, add to a hit."""
    corpus = make_corpus("ES256", HOT, LONGER_PAYLOAD_BYTES)
    keys = KeySet([VerificationKey.from_pem(corpus.key, alg="ES256")])
    document = json.dumps(keys.to_jwks()).encode()
    remote = RemoteKeySet("https://auth.example.com/jwks.json", fetch=lambda *_: (200, {}, document))
    policy = Policy(algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE)
    fresh = partial(corpus.fresh, HOT)
    rows = {"hmac": prepared_hmac(make_corpus("HS256", 8), HOT)}
    for name, source in (("static", keys), ("fetched", remote)):
        verify = Verifier(source, policy).verify
        check_answers(verify, ours.claims, corpus)
        must_hit(verify, corpus, f"{name} keys")
        rows[name] = Row(verify, fresh)

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}
        extra = best["fetched"] - best["static"]
        detail = f"{best['fetched']:.3f} - {best['static']:.3f} = {extra:.3f} us"
        return [
            Gate(
                "fetched keys on a hit, against a static set", extra / best["hmac"], microseconds(0.05), "HMAC", detail
            )
        ]

    gates = settle(rows, judge)
    if remote.stats()["fetched"] != 1:
        raise SystemExit("the keys were not fetched just once")
    remote.close()
    return gates


def flooding() -> list[Gate]:
    """Valid tokens that never come again: with a full cache, against no cache."""
    signer = Signer("HS256")
    now = int(time.time())
    pool = [signer.sign(claims_set(now)).text for _ in range(40_000)]
    cache = TokenCache(max_bytes=16 << 20)
    flooded = ours.verifier("HS256", signer.key, cache=cache).verify
    cold = ours.bind("HS256", signer.key)
    if flooded(pool[0].decode()).issuer != ISSUER or cold(pool[0].decode()).issuer != ISSUER:
        raise SystemExit("wrong claims")
    for blob in pool:
        flooded(str(blob, "ascii"))
    full = cache.stats()
    if not full["evictions"] or 2 * full["entries"] > len(pool) - ROUNDS:
        raise SystemExit("the cache is not full, or knows too much of the pool")

    def in_turn() -> Iterator[Sequence[str]]:
        while True:
            for start in range(0, len(pool) - COUNT, COUNT):
                yield [str(blob, "ascii") for blob in pool[start : start + COUNT]]

    rows = {"flooded": Row(flooded, in_turn().__next__), "cold": Row(cold, in_turn().__next__)}

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}
        detail = f"{best['flooded']:.3f} us against {best['cold']:.3f} us"
        return [Gate("new tokens, cache full / no cache", best["flooded"] / best["cold"], INSERTION, "x", detail)]

    gates = settle(rows, judge)
    after = cache.stats()
    # The shadow knows fingerprints: once in a while a token is taken for one that came back, and stays.
    if after["hits"] - full["hits"] > (after["misses"] - full["misses"]) // 1000:
        raise SystemExit("tokens of the flood were known")
    return gates


ALL = (look_up, look_up_among_many, against_ryjwt, against_fast_jwt, weight, revocation, fetched_keys, flooding)

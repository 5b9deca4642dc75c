"""Jotgate with a busy ES256 key: the same calls as `ours`, once the key has its table; and whole batches."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import ours
from tokens import Corpus

from jotgate import VerifiedToken, Verifier
from jotgate.keys.tables import KEEPER

VERSION = ours.VERSION
claims = ours.claims
PATIENCE_SECONDS = 10
_bound: dict[str, Verifier] = {}


def make_busy(verifier: Verifier, corpus: Corpus) -> None:
    """Verify until the key of a verifier has its table: as a server does, and then wait for the thread."""
    before = verifier.stats()["tables"]
    if before["reason"] is not None:
        raise SystemExit(f"no tables here: {before['reason']}")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while verifier.stats()["tables"]["count"] == before["count"] or KEEPER._asked:
        verifier.verify_batch(corpus.fresh(512), threads=1)
        if time.monotonic() > deadline:
            raise SystemExit("the key got no table")


def bind(alg: str, key: bytes) -> Callable[[str], VerifiedToken]:
    """Return the `verify` of a verifier without a cache."""
    _bound[alg] = ours.verifier(alg, key, cache=None)
    return _bound[alg].verify


def prime(corpus: Corpus) -> None:
    """Have the table made before anything is timed."""
    make_busy(_bound[corpus.alg], corpus)


def time_batch(call: Any, texts: Sequence[str]) -> list[int]:
    """Return the nanoseconds of one batch on one thread, with the verifier of `call`."""
    verify_batch = call.__self__.verify_batch
    start = time.perf_counter_ns()
    verify_batch(texts, threads=1)
    return [time.perf_counter_ns() - start]

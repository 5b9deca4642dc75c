"""Verifying many tokens: how the work is shared out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from . import workers
from ._batch import BatchResult
from ._engine import Engine
from .errors import PolicyError

__all__ = ["BatchResult", "verify_batch"]

PART = 65_536
"""Texts in one part. Equal texts within a part are verified once; an iterator is read a part at a time."""

LEAST_SHARE = 32
"""Texts for which another thread is woken."""

MAX_THREADS = 256


def verify_batch(engine: Engine, texts: Iterable[str | bytes], threads: int | None = None) -> BatchResult:
    """Verify every text; see ``Verifier.verify_batch``."""
    if isinstance(texts, str | bytes | bytearray) or not isinstance(texts, Iterable):
        raise TypeError("verify_batch takes a sequence of tokens, not a single one")
    if threads is not None and (type(threads) is not int or not 1 <= threads <= MAX_THREADS):
        raise PolicyError(f"threads is a number from 1 to {MAX_THREADS}, or None for one a core")
    result = BatchResult(engine, PART)
    for part in _parts(texts):
        share = result._take(part) // LEAST_SHARE
        if threads is None and share > 1:  # counting cores reads files: nothing for a small batch
            threads = min(workers.usable_cores(), MAX_THREADS)
        _run(result, share, threads)
        left = PART + 1
        asked: set[tuple[object, str]] = set()
        while True:
            before = len(asked)
            again = _renewed(result, asked)
            if not again or (again >= left and len(asked) == before):  # each round decides some, or asks something else
                break
            left = again
            _run(result, again // LEAST_SHARE, threads)
        result._finish()
    return result


def _parts(texts: Iterable[str | bytes]) -> Iterator[tuple[str | bytes, ...]]:
    # a sequence is copied whole: what its owner does to it meanwhile changes nothing here
    rest = iter(tuple(texts) if isinstance(texts, Sequence) else texts)
    while part := tuple(islice(rest, PART)):
        yield part


def _renewed(result: BatchResult, asked: set[tuple[object, str]]) -> int:
    """Ask for newer keys and rules, where those of now left texts undecided; return how many are to be verified again.

    A feed is asked once for newer ones, and each time that those it has no longer count.
    """
    answers = {}
    for feed, (want, seen) in result._lacking().items():
        if want == "usable" or (feed, want) not in asked:
            answers[feed] = feed._newer(seen, want)
        asked.add((feed, want))
    result._unfetched([feed for feed, answer in answers.items() if answer is None])
    newer = [feed for feed, answer in answers.items() if answer]
    withdrawn = result._withdrawn()  # last: what was accepted must count when the caller gets it
    return result._again(newer) if newer or withdrawn else 0


def _run(result: BatchResult, share: int, threads: int | None) -> None:
    """Work in this thread and in as many others of the pool as are free, until all have stopped."""
    threads = max(1, min(share, threads or 1))
    result._share(threads)
    try:
        if threads > 1:
            workers.POOL.lend(result, threads - 1)
        result._work()
    except BaseException:
        result._stop()
        raise
    finally:
        result._join()

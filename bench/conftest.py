"""Ours over time: fixtures of the pytest-benchmark suite. `python -m pytest bench` runs it."""

import functools
import sys
from pathlib import Path

import pytest

# The scripts of this folder import each other by plain name, as they do when run as scripts.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from timing import call_each
from tokens import make_corpus


@pytest.fixture(scope="session")
def corpus_of():
    """Return the corpus of an algorithm, made once a session."""
    return functools.cache(make_corpus)


@pytest.fixture
def per_item(benchmark):
    """Benchmark a call over items made just before each round; `extra_info` keeps how many a round has.

    A round is the unit because one call is too short to time alone, and its strings must not be used again.
    """

    def run(call, fresh, loop=call_each, rounds: int = 100):
        benchmark.extra_info["calls"] = len(fresh())
        benchmark.pedantic(
            lambda items: loop(call, items),
            setup=lambda: ((fresh(),), {}),
            rounds=rounds,
            warmup_rounds=3,
        )

    return run

"""The cache keeps at least what true LRU keeps, on the traces of `bench/eviction`."""

import pytest
from eviction_replay import TRACES, replay, without_flood

NAMES = ["zipf-0.8", "zipf-1.2", "zipf-0.7+scan", "expiry-0.7", "expiry-bursts", "flood-1x", "expiry+flood-1x"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [5, 20])
def test_no_trace_has_fewer_hits_than_lru(name: str, share: int) -> None:
    trace = TRACES[name]()
    asked, had, lru_had = replay(trace, max(8, trace.footprint * share // 100))
    assert asked > 1_000
    assert had >= lru_had


@pytest.mark.parametrize("name", ["flood-1x", "flood-10x"])
def test_a_flood_of_valid_tokens_leaves_honest_users_four_hits_of_five(name: str) -> None:
    trace = TRACES[name]()
    entries = trace.footprint * 60 // 100
    _, flooded, _ = replay(trace, entries)
    _, calm, _ = replay(without_flood(trace), entries)
    assert flooded >= 0.8 * calm

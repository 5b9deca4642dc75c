"""The times of a remote key set, as arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import rejects

from jotgate.keys.freshness import SECOND, Freshness, KeyState, Times, checked_times, seconds

TIMES = Times(lifetime=300, shortest=60, longest=3600, cooldown=30, max_stale=3600)
BEGAN = 1_000 * SECOND


def fetched(allowed: float | None = None, jitter: float = 0.0, times: Times = TIMES) -> Freshness:
    freshness = Freshness(times)
    freshness.begin(BEGAN)
    freshness.succeed(BEGAN, allowed, jitter)
    return freshness


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (0, KeyState.FRESH),
        (239.9, KeyState.FRESH),
        (240, KeyState.AGING),
        (299.9, KeyState.AGING),
        (300, KeyState.STALE),
        (3899.9, KeyState.STALE),
        (3900, KeyState.DEAD),
    ],
)
def test_states_follow_one_another(after, state):
    assert fetched().state(BEGAN + int(after * SECOND)) is state


def test_without_keys_it_is_empty_and_a_fetch_is_due_at_once():
    freshness = Freshness(TIMES)
    assert freshness.state(10**18) is KeyState.EMPTY
    assert (freshness.usable_until, freshness.due_at, freshness.age(BEGAN)) == (0, 0, None)
    assert freshness.may_ask(0)


@pytest.mark.parametrize(
    ("allowed", "lifetime"), [(None, 300), (0, 60), (59, 60), (61, 61), (600, 600), (3600, 3600), (86400, 3600)]
)
def test_cache_control_is_clamped(allowed, lifetime):
    freshness = fetched(allowed)
    edge = BEGAN + lifetime * SECOND
    assert freshness.state(edge - 1) is not KeyState.STALE
    assert freshness.state(edge) is KeyState.STALE
    assert freshness.usable_until == edge + 3600 * SECOND


def test_failures_are_retried_after_the_cooldown_and_keep_the_keys():
    freshness = fetched()
    freshness.begin(BEGAN + 240 * SECOND)
    freshness.fail()
    assert freshness.failing
    assert freshness.due_at == BEGAN + 270 * SECOND
    assert freshness.state(BEGAN + 299 * SECOND) is KeyState.AGING
    assert freshness.usable_until == BEGAN + 3900 * SECOND
    freshness.begin(BEGAN + 270 * SECOND)
    freshness.succeed(BEGAN + 270 * SECOND, None, 0)
    assert not freshness.failing
    assert freshness.state(BEGAN + 270 * SECOND) is KeyState.FRESH


def test_the_cooldown_counts_attempts_that_failed():
    freshness = Freshness(TIMES)
    freshness.begin(BEGAN)
    freshness.fail()
    assert not freshness.may_ask(BEGAN + 30 * SECOND - 1)
    assert freshness.may_ask(BEGAN + 30 * SECOND)
    freshness.end(BEGAN + 3 * SECOND)
    assert not freshness.may_ask(BEGAN + 33 * SECOND - 1)
    assert freshness.may_ask(BEGAN + 33 * SECOND)
    assert freshness.due_at == BEGAN + 30 * SECOND
    assert freshness.state(BEGAN) is KeyState.EMPTY


def test_a_seed_counts_and_newer_keys_are_due_at_once():
    freshness = Freshness(TIMES)
    freshness.seed(BEGAN)
    assert freshness.state(BEGAN) is KeyState.AGING
    assert freshness.due_at == 0
    assert freshness.state(BEGAN + 300 * SECOND) is KeyState.STALE


@given(
    lifetime=st.floats(1, 3600),
    allowed=st.none() | st.floats(0, 10**6),
    jitter=st.floats(-0.5, 0.5),
    max_stale=st.floats(0, 3600),
)
def test_keys_are_refreshed_before_they_are_stale_and_never_within_the_cooldown(lifetime, allowed, jitter, max_stale):
    times = checked_times(lifetime, (60, 3600), min(lifetime, 60) * 0.75, max_stale)
    freshness = fetched(allowed, jitter, times)
    stale_at = freshness.usable_until - int(max_stale * SECOND)
    assert freshness.due_at >= BEGAN + int(times.cooldown * SECOND)
    assert freshness.due_at < stale_at
    assert freshness.state(freshness.due_at) is KeyState.AGING
    assert freshness.state(stale_at) in (KeyState.STALE, KeyState.DEAD)


@pytest.mark.parametrize(
    "arguments",
    [
        (300, (60, 30), 30, 3600),
        (300, (60,), 30, 3600),
        (300, 60, 30, 3600),
        (300, (60, 3600), 50, 3600),
        (10, (60, 3600), 30, 3600),
        (0, (60, 3600), 30, 3600),
        (300, (60, 3600), -1, 3600),
        (300, (60, 3600), 30, -1),
        (float("nan"), (60, 3600), 30, 3600),
        (float("inf"), (60, 3600), 30, 3600),
        (True, (60, 3600), 0, 3600),
        ("300", (60, 3600), 30, 3600),
    ],
)
def test_times_that_cannot_keep_keys_fresh_are_refused(arguments):
    rejects("invalid_policy", lambda: checked_times(*arguments))


def test_a_number_of_seconds():
    assert seconds("x", 3) == 3.0
    rejects("invalid_policy", lambda: seconds("x", 0.001, least=0.01))

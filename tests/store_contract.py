"""What every store does: one suite, imported by a test module that has a fixture `opened`.

`opened(**options)` returns a store; all stores that it returns within one test have the same, at first empty, data.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import rejects

from jotgate.stores.protocol import Changes, Position, Store
from jotgate.stores.rules import KINDS, NEVER, Rule, RuleKey, joined

Opened = Callable[..., Store]

LATER = 4_000_000_000
ISSUER = "https://auth.example.com"
TEXTS = ("", "a", "a:b", "\0", "a\0b", "1:", "ключ", "\U0001f511", "\ud800", "x" * 100_000, "{a}", "%", "'; --")
several = itertools.count()


def jti(name: str, until: int = LATER) -> Rule:
    return Rule("jti", ISSUER, name, 0, until)


def everything(store: Store) -> tuple[Position, dict[RuleKey, Rule]]:
    position, portions = store.snapshot()
    return position, {rule.key: rule for portion in portions for rule in portion}


def some(changes: Changes | None) -> Changes:
    assert changes is not None
    return changes


def unavailable(call: Callable[[], Any]) -> str:
    """Assert that a call says that the store is not there, and return how."""
    return str(rejects("store_unavailable", call))


def refused(call: Callable[[], Any]) -> str:
    """Assert that a call is a mistake of ours or of an operator, and return which."""
    return str(rejects("invalid_policy", call))


def at_once(work: Iterable[Callable[[], Any]]) -> list[Any]:
    """Run each in a thread of its own, all from the same moment on, and return what they return."""
    calls = list(work)
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


# Rules


def test_an_empty_store_knows_nothing(opened: Opened) -> None:
    store = opened()
    position, rules = everything(store)
    assert rules == {}
    assert store.rules([RuleKey("jti", ISSUER, "a")]) == [None]
    assert store.changes(position, 0) == Changes(position, ())


def test_rules_are_joined_not_replaced(opened: Opened) -> None:
    store = opened()
    store.write([Rule("sub", ISSUER, "a", 100, LATER), Rule("sub", "", "a", 7, LATER)])
    store.write([Rule("sub", ISSUER, "a", 50, LATER + 10), Rule("sid", ISSUER, "a", 1, LATER)])
    wanted = {
        rule.key: rule
        for rule in (
            Rule("sub", ISSUER, "a", 100, LATER + 10),
            Rule("sub", "", "a", 7, LATER),
            Rule("sid", ISSUER, "a", 1, LATER),
        )
    }
    assert everything(store)[1] == wanted
    keys = [RuleKey("jti", ISSUER, "a"), *wanted]
    assert opened().rules(keys) == [None, *wanted.values()]


def test_what_says_nothing_new_changes_nothing(opened: Opened) -> None:
    store = opened()
    store.write([jti("a"), Rule("sub", ISSUER, "a", 5, LATER)])
    position, rules = everything(store)
    store.write([jti("a"), jti("a", LATER - 1), Rule("sub", ISSUER, "a", 4, LATER - 1)])
    store.write([])
    assert store.changes(position, 0) == Changes(position, ())
    assert everything(store) == (position, rules)


def test_of_one_write_only_what_grew_is_told(opened: Opened) -> None:
    store = opened()
    store.write([jti("a"), Rule("sub", ISSUER, "s", 5, LATER)])
    position, _ = store.snapshot()
    store.write([jti("a"), jti("b"), Rule("sub", ISSUER, "s", 3, LATER + 1)])
    assert set(some(store.changes(position, 0)).rules) == {jti("b"), Rule("sub", ISSUER, "s", 5, LATER + 1)}


kinds = st.sampled_from(["jti", "sub", "sid"])
small = st.integers(0, 3)
rules = st.builds(
    lambda kind, issuer, name, value, until: Rule(kind, issuer, name, value if kind != "jti" else 0, LATER + until),
    kinds,
    st.sampled_from(["", ISSUER, "é"]),
    st.sampled_from(["", "a", "\0", "b"]),
    small,
    small,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rules, max_size=12), st.randoms(use_true_random=False), st.data())
def test_order_repetition_and_split_make_no_difference(opened: Opened, given_rules, random, data) -> None:
    # One store for all examples, each with issuers of its own: a real server is not emptied a hundred times.
    one, other = f"{next(several)}/", f"{next(several)}/"
    store = opened()
    wanted: dict[RuleKey, Rule] = {}
    for rule in given_rules:
        wanted[rule.key] = joined(wanted.get(rule.key), rule)
    before, _ = store.snapshot()
    store.write([rule._replace(issuer=one + rule.issuer) for rule in given_rules])
    shuffled = given_rules + data.draw(st.lists(st.sampled_from(given_rules), max_size=6)) if given_rules else []
    random.shuffle(shuffled)
    while shuffled:
        size = random.randint(1, len(shuffled))
        store.write([rule._replace(issuer=other + rule.issuer) for rule in shuffled[:size]])
        shuffled = shuffled[size:]
    told: dict[RuleKey, Rule] = {}
    for rule in some(store.changes(before, 0)).rules:
        told[rule.key] = joined(told.get(rule.key), rule)
    for prefix in (one, other):
        mine = {
            key._replace(issuer=key.issuer[len(prefix) :]): rule._replace(issuer=key.issuer[len(prefix) :])
            for key, rule in told.items()
            if key.issuer.startswith(prefix)
        }
        assert mine == wanted
        keys = [key._replace(issuer=prefix + key.issuer) for key in wanted]
        assert store.rules(keys) == [rule._replace(issuer=prefix + rule.issuer) for rule in wanted.values()]


def test_any_text_is_a_name(opened: Opened) -> None:
    store = opened()
    position, _ = store.snapshot()
    wanted = [Rule("sid", issuer, name, 3, LATER) for issuer in TEXTS for name in TEXTS]
    store.write(wanted)
    assert set(some(store.changes(position, 0)).rules) == set(wanted)
    assert set(everything(store)[1].values()) == set(wanted)
    assert store.rules([rule.key for rule in wanted]) == wanted
    for text in TEXTS:
        assert store.swap(text, None, text.encode("utf-8", "surrogatepass"), LATER)
        assert store.read(text) == text.encode("utf-8", "surrogatepass")
        for member in TEXTS:
            store.join(text, member, LATER)
        assert sorted(store.members(text)) == sorted(TEXTS)
        store.leave(text, text)
        assert sorted(store.members(text)) == sorted(set(TEXTS) - {text})


def test_every_kind_and_the_largest_numbers(opened: Opened) -> None:
    store = opened()
    wanted = [Rule(kind, ISSUER, "n", 2**53 - 1, NEVER) for kind in KINDS if kind != "epoch"]
    wanted.append(Rule("epoch", ISSUER, "", 10**15, NEVER))
    store.write(wanted)
    assert store.rules([rule.key for rule in wanted]) == wanted
    assert set(everything(store)[1].values()) == set(wanted)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("jti", ISSUER, "a", 0, NEVER + 1),
        Rule("jti", ISSUER, "a", 0, -1),
        Rule("sub", ISSUER, "a", 2**53, LATER),
        Rule("sub", ISSUER, "a", -1, LATER),
        Rule("epoch", ISSUER, "", 1, LATER),
        Rule("epoch", ISSUER, "a", 1, NEVER),
        Rule("epoch", ISSUER, "", 10**15 + 1, NEVER),
        Rule("key", ISSUER, "a", 0, LATER),
        Rule("iss", ISSUER, "a", 0, LATER),  # type: ignore[arg-type]
    ],
)
def test_rules_that_not_every_store_could_keep_are_refused(opened: Opened, rule: Rule) -> None:
    store = opened()
    refused(lambda: store.write([jti("b"), rule]))
    assert everything(store)[1] == {}


def test_a_large_write_is_one(opened: Opened) -> None:
    """Who reads meanwhile sees all of it or nothing."""
    store = opened(timeout=5)
    position, _ = store.snapshot()
    wanted = {jti(str(number)) for number in range(5_000)}
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(store.write, list(wanted))
        seen: set[int] = set()
        while 5_000 not in seen:
            seen.add(len(some(opened(timeout=5).changes(position, 0)).rules))
        written.result()
    assert seen <= {0, 5_000}
    assert set(some(store.changes(position, 0)).rules) == wanted
    assert set(everything(store)[1].values()) == wanted


# The history


def test_changes_go_on_where_the_last_ended(opened: Opened) -> None:
    store = opened()
    position, _ = store.snapshot()
    for number in range(5):
        store.write([jti(str(number))])
        position, told = some(opened().changes(position, 0))
        assert told == (jti(str(number)),)
    assert some(store.changes(position, 0)).rules == ()


def test_a_snapshot_and_the_changes_since_it_are_complete(opened: Opened) -> None:
    """Whatever is written between two portions of a snapshot is in it or among the changes since its position."""
    store = opened(timeout=5)
    wanted = {jti(str(number)) for number in range(3_000)}
    store.write(list(wanted))
    position, portions = store.snapshot()
    found: set[Rule] = set()
    for number, portion in enumerate(portions):
        found |= set(portion)
        late = jti(f"late {number}")
        store.write([late])
        wanted.add(late)
    found |= set(some(store.changes(position, 0)).rules)
    assert found == wanted


def test_nothing_written_is_lost_to_those_who_follow(opened: Opened) -> None:
    """Four writers, three who follow and one who begins again and again, at the same time."""
    rounds, writers = 25, 4
    wanted = {jti(f"{writer} {number}") for writer in range(writers) for number in range(rounds * 3)}
    start, _ = opened(timeout=5).snapshot()
    done = threading.Event()

    def write(writer: int) -> None:
        store = opened(timeout=5)
        for number in range(rounds):
            store.write([jti(f"{writer} {number * 3 + extra}") for extra in range(3)])

    def follow() -> set[Rule]:
        store, position, found = opened(timeout=5), start, set()
        while True:
            last = done.is_set()
            position, told = some(store.changes(position, 0.05))
            found |= set(told)
            if last:
                return found

    def begin_again() -> set[Rule]:
        store = opened(timeout=5)
        while True:
            last = done.is_set()
            position, rules = everything(store)
            found = set(rules.values()) | set(some(store.changes(position, 0)).rules)
            if last:
                return found

    with ThreadPoolExecutor(8) as pool:
        followers = [pool.submit(follow) for _ in range(3)] + [pool.submit(begin_again)]
        for writer in [pool.submit(write, number) for number in range(writers)]:
            writer.result()
        done.set()
        for follower in followers:
            assert follower.result() == wanted


def test_whoever_waits_is_woken(opened: Opened) -> None:
    store, writer = opened(), opened()
    position, _ = store.snapshot()
    delays = []
    with ThreadPoolExecutor(1) as pool:
        for number in range(7):
            waiting = pool.submit(lambda at: (store.changes(at, 5), time.monotonic()), position)
            time.sleep(0.03)
            assert not waiting.done()
            writer.write([jti(str(number))])
            written = time.monotonic()
            changes, woken = waiting.result()
            position, told = some(changes)
            assert told == (jti(str(number)),)
            delays.append(woken - written)
    assert sorted(delays)[3] < 0.1


def test_waiting_ends(opened: Opened) -> None:
    store = opened()
    position, _ = store.snapshot()
    begun = time.monotonic()
    assert store.changes(position, 0.2) == Changes(position, ())
    assert 0.15 < time.monotonic() - begun < 1.5


def test_of_a_history_that_was_trimmed_nothing_is_told(opened: Opened) -> None:
    store = opened(history=10)
    start, _ = store.snapshot()
    store.write([jti("first")])
    for number in range(400):
        store.write([jti(str(number))])
    assert store.changes(start, 0) is None
    assert store.changes(start, 5) is None  # at once
    recent, rules = everything(store)
    assert len(rules) == 401
    store.write([jti("last")])
    assert some(store.changes(recent, 0)).rules == (jti("last"),)


def test_of_foreign_positions_nothing_is_told(opened: Opened) -> None:
    store = opened()
    store.write([jti("a")])
    place, mark = store.snapshot().position
    for foreign in (
        Position(place, "0" * len(mark)),
        Position(place, ""),
        Position("1", mark),
        Position("1-1", mark),
        Position("", mark),
        Position("99999999999999-0", mark),
        Position("99999999999999", mark),
        Position("-1", mark),
        Position("x", "y"),
        Position("$", mark),
        Position("+", mark),
    ):
        if foreign != (place, mark):
            assert store.changes(foreign, 0) is None, foreign


def test_epochs_count_each_issuer_alone_and_no_two_begin_the_same(opened: Opened) -> None:
    store = opened(timeout=5)
    position, _ = store.snapshot()
    assert store.advance_epoch("other") == 1
    begun = at_once([lambda: [opened(timeout=5).advance_epoch(ISSUER) for _ in range(5)]] * 8)
    assert sorted(itertools.chain(*begun)) == list(range(1, 41))
    assert store.rules([RuleKey("epoch", ISSUER, ""), RuleKey("epoch", "other", "")]) == [
        Rule("epoch", ISSUER, "", 40, NEVER),
        Rule("epoch", "other", "", 1, NEVER),
    ]
    told = [rule.value for rule in some(store.changes(position, 0)).rules if rule.issuer == ISSUER]
    assert told == list(range(1, 41))
    store.write([Rule("epoch", ISSUER, "", 100, NEVER)])
    assert store.advance_epoch(ISSUER) == 101


def test_what_has_run_out_goes_and_what_lasts_stays(opened: Opened) -> None:
    store = opened()
    past = int(store.now()) - 10
    lasting = [Rule("epoch", ISSUER, "", 3, NEVER), Rule("key", "", "k", 0, NEVER), jti("alive")]
    store.write([*lasting, *(jti(str(number), past) for number in range(900))])
    for number in range(60):
        store.write([jti(f"new {number} {other}", past) for other in range(40)])
    rules = everything(store)[1]
    assert {rule.key: rule for rule in lasting}.items() <= rules.items()
    assert len(rules) <= 1100, "what has run out is not removed"


# Records


def test_a_record_is_swapped_for_what_is_there(opened: Opened) -> None:
    store = opened()
    assert store.read("a") is None
    assert not store.swap("a", b"", b"x", LATER)
    assert store.swap("a", None, b"", LATER)
    assert store.read("a") == b""
    assert not store.swap("a", None, b"x", LATER)
    assert not store.swap("a", b"x", b"y", LATER)
    assert store.swap("a", b"", b"\0\xff\r\n", LATER)
    assert opened().read("a") == b"\0\xff\r\n"
    assert store.read("b") is None


def test_of_many_who_swap_one_wins(opened: Opened) -> None:
    for number in range(3):
        name = f"family {number}"
        stores = [opened(timeout=10) for _ in range(8)]
        assert stores[0].swap(name, None, b"0", LATER)
        won = at_once(
            [
                lambda store=stores[mine % 8], name=name, mine=mine: store.swap(name, b"0", b"%d" % (mine + 1), LATER)
                for mine in range(64)
            ]
        )
        assert sum(won) == 1
        assert stores[0].read(name) == b"%d" % (won.index(True) + 1)


def test_a_record_runs_out(opened: Opened) -> None:
    store = opened()
    assert store.swap("a", None, b"x", int(store.now()) - 5)
    assert store.read("a") is None
    assert not store.swap("a", b"x", b"y", LATER)
    assert store.swap("a", None, b"y", int(store.now()) + 2)
    assert store.read("a") == b"y"
    assert store.swap("a", b"y", b"z", NEVER)
    assert store.read("a") == b"z"
    assert store.swap("a", b"z", b"", 0)
    assert store.read("a") is None


@pytest.mark.parametrize("until", [NEVER + 1, 2**60, 2**70, -1])
def test_a_time_that_not_every_store_could_keep_is_refused(opened: Opened, until: int) -> None:
    """On Redis the member was there, and its group for ever: the time to let go of it could not be set."""
    store = opened()
    for call in (lambda: store.swap("a", None, b"x", until), lambda: store.join("g", "a", until)):
        refused(call)
    assert (store.read("a"), store.members("g")) == (None, [])


# Groups


def test_groups(opened: Opened) -> None:
    store = opened()
    soon, past = int(store.now()) + 1000, int(store.now()) - 5
    assert store.members("g") == []
    store.leave("g", "a")
    store.join("g", "a", LATER)
    store.join("g", "b", soon)
    store.join("g", "over", past)
    store.join("other", "c", LATER)
    store.join("g", "a", soon)
    assert sorted(opened().members("g")) == ["a", "b"]
    store.join("g", "over", soon)
    store.join("g", "over", past)
    assert sorted(store.members("g")) == ["a", "b", "over"]
    store.leave("g", "b")
    store.leave("g", "never in it")
    assert sorted(store.members("g")) == ["a", "over"]
    assert store.members("other") == ["c"]


def test_all_who_join_at_once_are_in(opened: Opened) -> None:
    names = [str(number) for number in range(32)]
    at_once([lambda name=name: opened(timeout=5).join("g", name, LATER) for name in names])
    assert sorted(opened().members("g")) == sorted(names)


# Life


def test_a_closed_store_goes_on(opened: Opened) -> None:
    store = opened()
    store.close()
    store.write([jti("a")])
    position, _ = store.snapshot()
    store.close()
    store.close()
    assert store.rules([jti("a").key]) == [jti("a")]
    assert store.changes(position, 0) == Changes(position, ())


def test_a_store_knows_the_time_and_its_own_state(opened: Opened) -> None:
    store = opened()
    assert abs(store.now() - time.time()) < 1
    findings = store.check()
    assert findings
    assert all(finding.code and finding.message for finding in findings)
    assert 0 < store.timeout <= 60

"""The revocation index: what it joins, what it lets go, what it gives back, and how it grows."""

import gc
import random
import threading
import weakref
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support import NOW, clock_at, refuses, token, verifier

from jotgate import _clock
from jotgate._revoked import RevocationIndex
from jotgate.stores.rules import NEVER, Rule

pytestmark = pytest.mark.usefixtures("frozen_clock")
LEEWAY = 600
LATER = NOW + 1_000


def jti(name: str, until: int = LATER, issuer: str = "") -> Rule:
    return Rule("jti", issuer, name, 0, until)


def listed(index: RevocationIndex) -> set[tuple[Any, ...]]:
    return set(index.rules())


def left_over(index: RevocationIndex, mark: int) -> list[str]:
    return sorted(rule[2] for portion in index.unmarked(mark, 3) for rule in portion)


# -- joining


def test_what_is_new_is_counted_and_moves_the_generation_once() -> None:
    index = RevocationIndex()
    assert index.merge([jti("a"), jti("b"), jti("a")]) == 2
    assert (len(index), index.generation) == (2, 1)
    assert index.merge([jti("a"), jti("b", LATER - 1)]) == 0
    assert index.generation == 1, "nothing new: nothing has to be looked up again"
    assert index.merge([]) == 0
    assert index.merge([jti("a", LATER + 1), jti("c")]) == 2
    assert (len(index), index.generation) == (3, 2)
    assert listed(index) == {jti("a", LATER + 1), jti("b"), jti("c")}
    assert index.counts() == {"jti": 3, "sub": 0, "sid": 0, "epoch": 0, "key": 0}
    assert repr(index) == "<RevocationIndex of 3 rules>"


def test_the_later_moment_and_the_longer_time_hold_in_any_order() -> None:
    rules = [Rule("sub", "i", "s", NOW + at, LATER + long) for at, long in ((1, 2), (2, 1), (0, 3))]
    for order in (rules, rules[::-1], rules[1:] + rules[:1]):
        index = RevocationIndex()
        index.merge(order)
        assert listed(index) == {Rule("sub", "i", "s", NOW + 2, LATER + 3)}
        assert index.merge(order) == 0


def test_kinds_and_issuers_are_told_apart() -> None:
    index = RevocationIndex()
    rules = {
        Rule(kind, issuer, "n", 1 if kind in ("sub", "sid") else 0, LATER)
        for kind in ("jti", "sub", "sid")
        for issuer in ("", "i", "j")
    }
    rules |= {Rule("epoch", issuer, "", number, NEVER) for number, issuer in enumerate(("", "i", "j"))}
    rules |= {Rule("key", issuer, "n", 0, NEVER) for issuer in ("", "i")}
    assert index.merge(list(rules)) == len(rules) == len(index)
    assert listed(index) == rules
    assert index.distrusted == {"n"}


def test_what_has_run_out_is_not_taken_in() -> None:
    index = RevocationIndex()
    assert index.merge([jti("a", NOW - LEEWAY), jti("b", NOW - LEEWAY + 1), jti("c", -5)]) == 1
    assert listed(index) == {jti("b", NOW - LEEWAY + 1)}
    with clock_at(NOW + 1):
        assert listed(index) == set()


def test_times_beyond_32_bits_have_no_end() -> None:
    index = RevocationIndex()
    index.merge([Rule("sub", "", "a", 2**32 - 1, 2**32 - 2), Rule("sub", "", "b", 2**32 - 2, 2**40), jti("c", NEVER)])
    assert listed(index) == {
        Rule("sub", "", "a", NEVER, 2**32 - 2),
        Rule("sub", "", "b", 2**32 - 2, NEVER),
        jti("c", NEVER),
    }


def test_epochs_and_keys_stay_for_ever() -> None:
    index = RevocationIndex()
    assert index.merge([Rule("epoch", "i", "", 10**15, 1), Rule("key", "", "t", 7, 1)]) == 2
    assert listed(index) == {Rule("epoch", "i", "", 10**15, NEVER), Rule("key", "", "t", 0, NEVER)}


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (("jti", "", "a", 0), ValueError),
        (("jti", "", "a", 0, LATER, 1), ValueError),
        (5, TypeError),
        (("JTI", "", "a", 0, LATER), ValueError),
        ((b"jti", "", "a", 0, LATER), ValueError),
        (("jti", None, "a", 0, LATER), TypeError),
        (("jti", "", b"a", 0, LATER), TypeError),
        (("jti", "", "a", 0.0, LATER), TypeError),
        (("jti", "", "a", True, LATER), TypeError),
        (("jti", "", "a", 0, 1.5), TypeError),
        (("jti", "", "a", -1, LATER), ValueError),
        (("jti", "", "a", 2**63, LATER), ValueError),
        (("jti", "", "a", 0, 2**63), ValueError),
        (("jti", "", "\ud800", 0, LATER), ValueError),
        (("sub", "\ud800", "a", 0, LATER), ValueError),
        (("epoch", "", "a", 1, NEVER), ValueError),
        (("epoch", "", "", 10**15 + 1, NEVER), ValueError),
        (("jti", "", "a" * 2**28, 0, LATER), ValueError),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_one_that_cannot_be_read_leaves_everything_as_it_was(rule: Any, error: type[Exception]) -> None:
    index = RevocationIndex()
    with pytest.raises(error):
        index.merge([jti("b"), rule])
    assert (len(index), index.generation, listed(index)) == (0, 0, set())


def test_rules_about_more_issuers_than_it_can_number() -> None:
    index = RevocationIndex()
    index.merge([jti("a", issuer=f"i{number}") for number in range(65_535)])
    before = index.generation
    with pytest.raises(ValueError, match="issuers"):
        index.merge([jti("b"), jti("a", issuer="one more"), jti("c")])
    assert index.merge([jti("b", issuer="i65534")]) == 1
    assert len(index) == 65_537
    assert index.generation == before + 2, "one of the three was entered: it has to be looked at"


# -- what a store has lost


def test_what_was_not_in_a_snapshot_is_given_back() -> None:
    index = RevocationIndex()
    index.merge([jti("lost"), jti("kept"), jti("longer", LATER + 5), Rule("sub", "i", "later", NOW + 5, LATER)])
    index.merge([Rule("epoch", "i", "", 3, NEVER), Rule("key", "", "t", 0, NEVER)])
    mark = index.mark_snapshot()
    index.merge([jti("kept"), jti("new"), jti("longer"), Rule("sub", "i", "later", NOW + 9, LATER - 1)], mark)
    index.merge([Rule("epoch", "i", "", 2, NEVER)], mark)
    assert left_over(index, mark) == ["", "later", "longer", "lost", "t"]
    given = {rule for portion in index.unmarked(mark, 2) for rule in portion}
    assert Rule("sub", "i", "later", NOW + 9, LATER) in given
    assert Rule("epoch", "i", "", 3, NEVER) in given
    index.merge(list(given), mark)
    assert left_over(index, mark) == []
    index.merge([jti("kept", LATER + 9)])
    assert left_over(index, mark) == ["kept"], "it says more now than the store did"


def test_portions_while_they_are_written_back() -> None:
    index = RevocationIndex()
    names = {f"n{number}" for number in range(5_000)}
    index.merge([jti(name) for name in names])
    mark = index.mark_snapshot()
    seen: set[str] = set()
    grown = 0
    for portion in index.unmarked(mark, 100):
        assert 0 < len(portion) <= 100
        seen |= {rule[2] for rule in portion}
        index.merge(portion, mark)
        index.merge([jti(f"more{grown + number}") for number in range(50)], mark)  # shards give way meanwhile
        grown += 50
    assert names <= seen
    assert left_over(index, mark) == []


def test_marks_begin_again_without_mixing_up_snapshots() -> None:
    index = RevocationIndex()
    first = index.mark_snapshot()
    index.merge([jti("old")], first)
    for _ in range(255):
        mark = index.mark_snapshot()
    assert mark == first
    assert left_over(index, mark) == ["old"]
    for wrong in (256, -1):
        with pytest.raises(ValueError, match="mark"):
            index.merge([jti("a")], wrong)


def test_what_has_run_out_is_not_given_back() -> None:
    index = RevocationIndex()
    index.merge([jti("a", NOW), jti("b")])
    with clock_at(NOW + LEEWAY):
        assert left_over(index, index.mark_snapshot()) == ["b"]


# -- growing and letting go


def test_sweeping_lets_go_of_what_has_run_out_one_shard_at_a_time() -> None:
    index = RevocationIndex()
    index.merge([jti(f"short{number}", NOW + 10) for number in range(6_400)])
    index.merge([jti(f"long{number}", NOW + 10_000) for number in range(640)])
    full = index.nbytes
    assert sum(index.sweep() for _ in range(64)) == 0
    with clock_at(NOW + 10 + LEEWAY):
        first = index.sweep()
        assert 30 < first < 250
        assert first + sum(index.sweep() for _ in range(63)) == 6_400
        assert len(index) == 640
        assert index.nbytes < full / 5
        assert sum(index.sweep() for _ in range(64)) == 0
        assert {rule[2] for rule in index.rules()} == {f"long{number}" for number in range(640)}


def test_a_rule_that_grows_again_and_again_takes_no_more_memory() -> None:
    index = RevocationIndex()
    for moment in range(50_000):
        index.merge([Rule("sub", "", "somebody", NOW + moment, LATER + moment)])
    assert listed(index) == {Rule("sub", "", "somebody", NOW + 49_999, LATER + 49_999)}
    assert index.nbytes < 2_000


def test_names_of_every_length() -> None:
    index = RevocationIndex()
    names = ["n" * length for length in (*range(70), 255, 256, 4_095, 65_535, 65_536, 300_000)]
    index.merge([jti(name) for name in names])
    assert listed(index) == {jti(name) for name in names}
    way_in = verifier(revocations=index)
    for name in (*names[:70], names[71]):
        refuses(way_in, token(jti=name), "revoked")
        assert way_in.verify(token(jti=name + "m"))


def test_an_empty_index_takes_next_to_nothing() -> None:
    assert RevocationIndex().nbytes == 0


class Growing(RuleBasedStateMachine):
    """An index beside a dict, while rules come, run out and are swept."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.at(NOW)
        self.index = RevocationIndex()
        self.model: dict[tuple[str, str, str], tuple[int, int]] = {}
        self.ever: set[tuple[str, str, str]] = set()
        self.chooser = random.Random(7)

    def teardown(self) -> None:
        _clock.set_wall_clock_for_tests(None)

    def at(self, now: int) -> None:
        self.now = now
        _clock.set_wall_clock_for_tests(now * 1_000_000_000)

    def enter(self, rules: list[Rule]) -> None:
        self.index.merge(rules)
        for each in rules:
            value, until = self.model.get(each.key, (0, 0))
            self.model[each.key] = max(value, each.value), max(until, each.until)

    @rule(count=st.integers(1, 400), kind=st.sampled_from(["jti", "sub", "sid"]), issuer=st.sampled_from(["", "i"]))
    def come(self, count: int, kind: Any, issuer: str) -> None:
        value = 0 if kind == "jti" else self.now
        until = self.now + self.chooser.choice((1, 50, 5_000))
        self.enter([Rule(kind, issuer, f"n{self.chooser.randrange(2_000)}", value, until) for _ in range(count)])

    @rule(value=st.integers(0, 5), issuer=st.sampled_from(["", "i"]))
    def advance(self, value: int, issuer: str) -> None:
        self.enter([Rule("epoch", issuer, "", value, NEVER)])

    @rule(seconds=st.sampled_from([1, 60, LEEWAY, 3_000]))
    def pass_time(self, seconds: int) -> None:
        self.at(self.now + seconds)

    @rule(times=st.sampled_from([1, 64]))
    def sweep(self, times: int) -> None:
        for _ in range(times):
            self.index.sweep()

    @precondition(lambda self: self.model)
    @invariant()
    def agrees(self) -> None:
        over = {key for key, (_, until) in self.model.items() if until + LEEWAY <= self.now}
        live = {(*key, *says) for key, says in self.model.items() if key not in over}
        assert listed(self.index) == live
        self.ever |= set(self.model)
        assert len(live) <= len(self.index) <= len(self.ever)
        for key in over:
            del self.model[key]  # it may be there still; values only rise with time, so a later one hides it


Growing.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
test_growing = Growing.TestCase


# -- who vouches for it, who watches it


class Feed:
    index: RevocationIndex


def test_liveness() -> None:
    bare = RevocationIndex()
    assert (bare.usable_until, bare.feed) == (None, None)
    feed = Feed()
    index = RevocationIndex(feed)  # type: ignore[arg-type]
    assert (index.usable_until, index.feed) == (0, feed)
    index.vouch_until(17)
    assert index.usable_until == 17
    index.vouch_until(None)
    assert index.usable_until is None


def test_an_index_and_its_feed_hold_each_other_up_no_longer_than_anybody_else_does() -> None:
    gc.disable()
    try:
        feed = Feed()
        feed.index = RevocationIndex(feed)  # type: ignore[arg-type]
        gone = weakref.ref(feed), weakref.ref(feed.index)
        index = feed.index
        del feed
        assert index.feed is None
        del index
        assert [each() for each in gone] == [None, None]
    finally:
        gc.enable()


class Watcher:
    def __init__(self, fails: BaseException | None = None) -> None:
        self.told = 0
        self.fails = fails

    def tell(self) -> None:
        self.told += 1
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise error


def test_who_watches_is_told_of_keys_and_of_nothing_else() -> None:
    index = RevocationIndex()
    one, other = Watcher(), Watcher()
    for _ in range(2):
        index._watch(one.tell)
    index._watch(other.tell)
    index.merge([jti("a"), Rule("epoch", "", "", 1, NEVER)])
    assert one.told == 0
    index.merge([Rule("key", "", "t", 0, NEVER), Rule("key", "", "u", 0, NEVER)])
    assert (one.told, other.told, index.distrusted) == (1, 1, {"t", "u"})
    assert index.merge([Rule("key", "", "t", 0, NEVER)]) == 0
    assert one.told == 2, "whoever entered it first may not have told yet"
    index._unwatch(one.tell)
    del other
    index.merge([Rule("key", "", "v", 0, NEVER)])
    assert one.told == 2


def test_whatever_happens_in_one_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda it: reported.append(str(it.exc_value)))
    index = RevocationIndex()
    watchers = [Watcher(RuntimeError("a secret")), Watcher(KeyboardInterrupt()), Watcher()]
    for watcher in watchers:
        index._watch(watcher.tell)
    with pytest.raises(KeyboardInterrupt):
        index.merge([Rule("key", "", "t", 0, NEVER)])
    assert [watcher.told for watcher in watchers] == [1, 2, 1]
    assert reported == ["telling a verifier of a distrusted key failed with RuntimeError"]
    assert index.distrusted == {"t"}


# -- readers without the GIL


def test_a_kept_result_keeps_nothing_that_gave_way() -> None:
    index = RevocationIndex()
    way_in = verifier(revocations=index, cache=None)
    kept = way_in.verify_batch([token(jti="a")])
    index.merge([jti(f"n{number}") for number in range(1_000)])
    assert kept.accepted == 1
    assert kept[0]["jti"] == "a"


def test_threads_read_while_one_merges() -> None:
    index = RevocationIndex()
    out, still = [token(jti=f"out{number}") for number in range(200)], [token(jti=f"in{n}") for n in range(200)]
    index.merge([jti(f"out{number}", NOW + 300) for number in range(200)])
    way_in = verifier(revocations=index, cache=None)
    done, wrong = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            codes = way_in.verify_batch(out + still, threads=1).code
            if codes != ("revoked",) * 200 + ("accepted",) * 200:
                wrong.append(codes)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(200):
            rules = [jti(f"x{number}-{n}", NOW + n) for n in range(100)]
            index.merge([*rules, jti(f"out{number % 200}", NOW + 300 + number)])
            index.sweep()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []

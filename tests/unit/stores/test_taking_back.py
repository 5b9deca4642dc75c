"""How long rules stay, and from which moment they take back."""

import pytest
from support import NOW, MovingClock

from jotgate.stores.memory import MemoryStore
from jotgate.stores.rules import NEVER, Rule
from jotgate.stores.taking_back import before_now, key_rule, session_rule, subject_rule, token_rule


@pytest.mark.parametrize(("ahead", "before"), [(0, NOW + 1), (-100, NOW + 1), (100.5, NOW + 101)])
def test_the_later_clock_counts(ahead: float, before: int, clock: MovingClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryStore, "now", lambda _: clock.now + ahead)
    assert before_now(MemoryStore()) == before


def test_it_is_after_everything_of_this_second(clock: MovingClock) -> None:
    clock.advance(0.999)
    assert before_now(MemoryStore()) == NOW + 1
    clock.advance(0.001)
    assert before_now(MemoryStore()) == NOW + 2


def test_what_begins_anew_between_two_rules_of_one_second_is_taken_back(clock: MovingClock) -> None:
    """It is dated by the first rule, in the second that has not come yet."""
    first = subject_rule("i", "s", before_now(MemoryStore()))
    second = subject_rule("", "s", before_now(MemoryStore(), first))
    assert (first.value, second.value) == (NOW + 1, NOW + 2)
    assert before_now(MemoryStore(), first, second) == NOW + 2, "nothing is issued that is dated by the second one yet"
    assert before_now(MemoryStore(), first._replace(value=NOW + 99)) == NOW + 2
    clock.advance(1)
    assert before_now(MemoryStore(), first, second) == NOW + 3
    clock.advance(4)
    assert before_now(MemoryStore(), first, second, None) == NOW + 6
    assert before_now(MemoryStore(), session_rule("i", "s", NOW)) == NOW + 6


def test_rules_stay_as_long_as_what_they_are_about() -> None:
    assert token_rule("i", "j", 1000) == Rule("jti", "i", "j", 0, 1600)
    assert token_rule("i", "j", NEVER).until == NEVER
    assert subject_rule("i", "s", 1000) == Rule("sub", "i", "s", 1000, 1000 + 30 * 86_400 + 900 + 600)
    assert session_rule("i", "s", 1000) == Rule("sid", "i", "s", NEVER, 1000 + 900 + 600)
    assert session_rule("i", "s", 1000, 60) == Rule("sid", "i", "s", NEVER, 1000 + 60 + 600)
    assert key_rule("t") == Rule("key", "", "t", 0, NEVER)

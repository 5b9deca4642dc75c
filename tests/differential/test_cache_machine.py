"""The cache changes no verdict: hypothesis chooses what happens, and a slice of the random walk."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from .cache_walk import walk
from .cache_world import FAMILIES, ISSUER, OTHER_ISSUER, SECOND, START, World, reset_clock, stopped_clock

TEXTS = st.integers(0, 11)
NUDGES = st.sampled_from((-1, 0, 1))
ISSUERS = st.sampled_from((ISSUER, OTHER_ISSUER))


class OneIssuer(RuleBasedStateMachine):
    """A verifier with a cache beside one without."""

    issuers = False

    @initialize(seed=st.integers(0, 200))
    def build(self, seed: int) -> None:
        reset_clock()
        self.world = World(seed, issuers=self.issuers, texts=12)
        self.steps = 0

    @rule(which=TEXTS, form=st.sampled_from((0, 0, 0, 1, 2, 3, 4)), fresh=st.booleans(), read=st.booleans())
    def verify(self, which: int, form: int, fresh: bool, read: bool) -> None:
        self.world.verify(which, form, fresh=fresh, read=read)

    @rule(which=TEXTS)
    def verify_twice(self, which: int) -> None:
        self.world.verify(which)
        self.world.verify(which, 1)

    @rule(nudge=NUDGES, data=st.data())
    def clock_to_an_edge(self, nudge: int, data: st.DataObject) -> None:
        self.world.clock_to_edge(data.draw(st.integers(0, len(self.world.edges))), nudge)

    @rule(ns=st.sampled_from((1, -1, SECOND, -SECOND, 3600 * SECOND, -3600 * SECOND)))
    def clock_by(self, ns: int) -> None:
        self.world.clock_by(ns)

    @rule()
    def clock_to_the_start(self) -> None:
        self.world.move_clock(START)

    def issuer(self, data: st.DataObject) -> str:
        return data.draw(ISSUERS) if self.issuers else ISSUER

    @rule(data=st.data())
    def add_key(self, data: st.DataObject) -> None:
        issuer, key = self.issuer(data), data.draw(st.sampled_from(self.world.family["keys"]))
        self.world.present_keys([*self.world.present.get(issuer, ()), key], issuer)

    @rule(data=st.data(), at=st.integers(0, 5))
    def remove_key(self, data: st.DataObject, at: int) -> None:
        issuer = self.issuer(data)
        present = list(self.world.present.get(issuer, ()))
        if len(present) > 1:
            del present[at % len(present)]
            self.world.present_keys(present, issuer)

    @rule(data=st.data())
    def first_keys(self, data: st.DataObject) -> None:
        self.world.present_keys(list(self.world.family["first"]), self.issuer(data))

    @rule(data=st.data(), at=st.integers(0, 5))
    def swap_key_under_its_kid(self, data: st.DataObject, at: int) -> None:
        issuer = self.issuer(data)
        present = list(self.world.present.get(issuer, ()))
        if present:
            kid, alg, which = present[at % len(present)]
            present[at % len(present)] = (kid, alg, 1 - which)
            self.world.present_keys(present, issuer)

    @rule()
    def replace_with_equal_keys(self) -> None:
        self.world.replace()

    @rule(number=st.integers(0, 39))
    def revoke(self, number: int) -> None:
        self.world.revoke(number)

    @rule(value=st.sampled_from((None, None, None, True, False, 1, "no", RuntimeError())))
    def answer(self, value: object) -> None:
        self.world.answer(value)

    @rule()
    def clear(self) -> None:
        self.world.clear()

    @rule(which=TEXTS)
    def attack_the_result(self, which: int) -> None:
        self.world.attack_result(which)

    @invariant()
    def every_token_gets_the_same_verdict_twice(self) -> None:
        """After most steps; not after all, so that two changes also come between two looks."""
        if hasattr(self, "world"):
            self.steps += 1
            if self.steps % 4:
                for which in (*range(12), *range(12)):
                    self.world.verify(which)
            self.world.bounds_hold()


class SeveralIssuers(OneIssuer):
    """The same with a mapping: issuers come, go, and change their policies."""

    issuers = True

    @rule(which=st.integers(0, 6), issuer=ISSUERS)
    def change_policy(self, which: int, issuer: str) -> None:
        self.world.change_policy(which, issuer)

    @precondition(lambda self: len(self.world.present) > 1)
    @rule(issuer=ISSUERS)
    def remove_issuer(self, issuer: str) -> None:
        self.world.remove_issuer(issuer)


@pytest.fixture(autouse=True, scope="module")
def _clock():
    with stopped_clock():
        yield


_PROFILE = settings.default
_FEWER = settings(_PROFILE, max_examples=max(1, _PROFILE.max_examples // 4), stateful_step_count=40)

TestOneIssuer = OneIssuer.TestCase
TestOneIssuer.settings = _FEWER
TestSeveralIssuers = SeveralIssuers.TestCase
TestSeveralIssuers.settings = _FEWER


@pytest.mark.parametrize("seed", [1_000_000, 2_000_000])
def test_a_slice_of_the_walk(seed: int) -> None:
    happened = walk(seed, 20_000)
    for what in ("hits", "evictions", "expired", "verdict accepted", "verdict revoked", "keys", "clear"):
        assert happened[what] > 20, what


def test_both_families_are_walked() -> None:
    seen = {tuple(World(seed).family["algorithms"]) for seed in range(60)}
    assert len(seen) == len(FAMILIES)

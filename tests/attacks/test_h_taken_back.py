"""Groups H and K: tokens of before a moment, and which of several moments counts."""

from itertools import permutations
from typing import Any

import pytest
from publisher import stopped_monotonic
from store_in_hand import HeldStore
from support import ABSENT, ISSUER, NOW, SUBJECT, clock_at, error_of, raw_claim, refuses, token, verifier

from jotgate import Revocations, Verifier
from jotgate._revoked import RevocationIndex
from jotgate.stores.rules import NEVER

pytestmark = pytest.mark.usefixtures("frozen_clock")

RULED = {"sub": SUBJECT, "sid": "session-1"}


def taken_back(*rules: tuple[str, str, str, int, int]) -> Verifier:
    index = RevocationIndex()
    for rule in rules:
        index.merge([rule])
    return verifier(revocations=index)


@pytest.mark.parametrize("kind", RULED)
@pytest.mark.parametrize("issuer", ["", ISSUER])
def test_h9_before_a_moment_is_told_by_iat_and_not_by_now(kind: str, issuer: str) -> None:
    way_in = taken_back((kind, issuer, RULED[kind], NOW, NEVER))
    whose: Any = {"sid": RULED["sid"]}
    with clock_at(NOW + 200):  # long after the moment: what was issued since goes on to count
        for iat in (NOW - 1, NOW - 100, 0):
            refuses(way_in, token(iat=iat, **whose), "revoked")
        refuses(way_in, raw_claim("iat", f"{NOW - 1}.999999999999", **whose), "revoked")
        refuses(way_in, token(iat=ABSENT, **whose), "revoked")
        for iat in (NOW, NOW + 1, NOW + 200):
            assert way_in.verify(token(iat=iat, **whose))
        assert way_in.verify(token(iat=NOW - 1, sub="other", sid="other"))
    with clock_at(NOW - 1):  # by a clock that is behind, too
        refuses(way_in, token(iat=NOW - 1, **whose), "revoked")


@pytest.mark.parametrize("kind", RULED)
def test_k3_of_several_moments_the_latest_counts(kind: str) -> None:
    rules = [
        (kind, issuer, RULED[kind], NOW + at, NEVER) for at, issuer in ((-9, ""), (5, ISSUER), (2, ISSUER), (3, ""))
    ]
    for order in permutations(rules):
        way_in = taken_back(*order)
        with clock_at(NOW + 10):
            refuses(way_in, token(iat=NOW + 4, sid="session-1"), "revoked")
            assert way_in.verify(token(iat=NOW + 5, sid="session-1"))
    way_in = taken_back(("sub", "", SUBJECT, NOW - 9, NEVER), ("sid", ISSUER, "session-1", NOW - 5, NEVER))
    with clock_at(NOW):
        refuses(way_in, token(iat=NOW - 6, sid="session-1"), "revoked")
        assert way_in.verify(token(iat=NOW - 6, sid="session-2"))


DECISIONS: dict[str, dict[str, Any]] = {
    "refuse": {},
    "accept_for": {"accept_for": 5},
    "accept_until_exp": {},
}


@pytest.mark.parametrize("on_stale", DECISIONS)
def test_k13_a_store_that_is_down_is_decided_about_by_name(on_stale: str) -> None:
    """Real servers that are stopped, paused and flushed: tests/services/test_store_outages.py."""
    assert error_of(lambda: verifier(revocations=Revocations(HeldStore()))).code == "invalid_policy", "no default"
    store = HeldStore()
    with stopped_monotonic() as monotonic:
        rules = Revocations(store, on_stale=on_stale, max_lag=3, **DECISIONS[on_stale])  # type: ignore[arg-type]
        with verifier(revocations=rules) as way_in:
            good, gone = token(jti="good"), token(jti="gone")
            for text in (good, gone):
                assert way_in.verify(text)
            rules.revoke("gone", NOW + 3600)
            store.stop()
            monotonic.forward(2.9)
            assert way_in.verify(good)
            refuses(way_in, gone, "revoked")
            monotonic.forward(0.2)
            if on_stale == "refuse":
                refuses(way_in, good, "store_unavailable")
            else:
                assert way_in.verify(good)
            refuses(way_in, gone, "revoked")
            monotonic.forward(5)
            if on_stale == "accept_until_exp":
                assert way_in.verify(good)
            else:
                refuses(way_in, good, "store_unavailable")
            refuses(way_in, gone, "revoked")

"""The verified-token cache and the revocation index: what is kept, for how long, and what it costs."""

import copy
import gc
import pickle
import random
import tracemalloc
import weakref
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import (
    ABSENT,
    NOW,
    b64u,
    claims,
    clock_at,
    compact,
    dumps,
    error_of,
    header,
    outcome,
    policy,
    refuses,
    rejects,
    resign,
    token,
    verification_key,
    verifier,
)

from jotgate import TokenCache, VerificationKey, Verifier, _clock, jws
from jotgate._revoked import RevocationIndex
from jotgate.errors import StoreUnavailableError

pytestmark = pytest.mark.usefixtures("frozen_clock")

SECOND = 1_000_000_000
LEAST = 16 << 10


def numbered(number: int, **more: Any) -> str:
    return token(jti=f"{number:08}", **more)


def stats(way_in: Verifier) -> tuple[int, int, int]:
    found = way_in.stats()
    return found["hits"], found["misses"], found["cache_entries"]


def is_cached(way_in: Verifier, text: Any) -> bool:
    before = way_in.stats()["hits"]
    way_in.verify(text)
    return way_in.stats()["hits"] > before


# -- arguments


@pytest.mark.parametrize(
    "options",
    [
        *({"max_bytes": value} for value in (0, -1, LEAST - 1, 1 << 47, 1e6, "64", None, True)),
        *({"max_entries": value} for value in (0, -1, 1.5, "1", True, 1 << 50)),
        *({"ttl": value} for value in (0, -1, float("nan"), float("inf"), "1", True, 1 << 40)),
    ],
)
def test_a_wrong_argument_is_refused(options: dict[str, Any]) -> None:
    rejects("invalid_policy", lambda: TokenCache(**options))


def test_arguments_are_by_name_and_can_be_read() -> None:
    with pytest.raises(TypeError):
        TokenCache(LEAST)
    made = TokenCache(max_bytes=LEAST, max_entries=3, ttl=1.5)
    assert (made.max_bytes, made.max_entries, made.ttl) == (LEAST, 3, 1.5)
    assert (TokenCache().max_bytes, TokenCache().max_entries, TokenCache().ttl) == (64 << 20, None, None)
    with pytest.raises(AttributeError):
        made.max_bytes = 1
    assert repr(LEAST) in repr(made)


def test_a_cache_belongs_to_one_verifier() -> None:
    cache = TokenCache()
    first = verifier(cache=cache)
    assert first.cache is cache
    rejects("invalid_policy", lambda: verifier(cache=cache))
    assert first.verify(token())
    for wrong in ({}, 1, True, "cache", TokenCache):
        rejects("invalid_policy", lambda wrong=wrong: verifier(cache=wrong))


def test_a_verifier_that_could_not_be_built_takes_no_cache() -> None:
    cache = TokenCache()
    rejects("invalid_policy", lambda: Verifier(verification_key("HS256"), policy(), cache=cache, backend="x"))
    rejects("invalid_policy", lambda: Verifier(verification_key("HS256"), policy(), cache=cache, revocations=object()))
    assert verifier(cache=cache).cache is cache


def test_none_is_no_cache() -> None:
    way_in = verifier(cache=None)
    assert way_in.cache is None
    assert way_in.verify(token()) is not way_in.verify(token())
    assert stats(way_in) == (0, 0, 0)


def test_a_cache_is_neither_copied_nor_pickled() -> None:
    cache = TokenCache()
    way_in = verifier(cache=cache)
    for thing in (cache, way_in, RevocationIndex()):
        for make in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                make(thing)


# -- what is kept


def test_hits_and_misses_are_counted() -> None:
    way_in = verifier()
    text = token()
    assert way_in.verify(text) is way_in.verify(text)
    assert stats(way_in) == (1, 1, 1)
    error_of(lambda: way_in.verify("a.b.c"))
    error_of(lambda: way_in.verify(None))
    error_of(lambda: way_in.verify("é"))
    assert stats(way_in) == (1, 2, 1)
    assert way_in.stats()["verdicts"]["accepted"] == 2
    assert len(way_in.cache) == 1


def test_str_and_bytes_are_one_text() -> None:
    way_in = verifier()
    text = token()
    made = way_in.verify(text)
    assert way_in.verify(text.encode()) is made
    assert way_in.verify("".join(list(text))) is made
    assert stats(way_in) == (2, 1, 1)


def test_no_refusal_is_kept() -> None:
    index = RevocationIndex()
    index.revoke("gone", NOW + 300)
    way_in = verifier(revocations=index)
    good = token()
    for text in (
        good[:-4] + "AAAA",
        token(exp=NOW),
        token(aud="x"),
        token(jti="gone"),
        "x" * 20_000,
        token(iat=NOW + 9),
    ):
        code = error_of(lambda text=text: way_in.verify(text)).code
        refuses(way_in, text, code)
    assert stats(way_in)[::2] == (0, 0)


def test_padded_text_is_neither_kept_nor_found() -> None:
    way_in = verifier(allow_padding=True)
    parts = [b64u(dumps(part)) for part in (header("HS256"), claims(jti="padded"))]
    padded = resign(".".join(part + "=" * (-len(part) % 4) for part in parts)) + "="
    assert padded.count("=") > 1
    for _ in range(3):
        assert way_in.verify(padded)
    assert stats(way_in) == (0, 3, 0)
    text = resign(padded.rpartition(".")[0].replace("=", ""))
    assert not is_cached(way_in, text)
    assert is_cached(way_in, text)
    # padding of the signature alone: same signed bytes, one entry, and the padded text never finds it
    assert not is_cached(way_in, text + "=")
    assert not is_cached(way_in, text + "=")
    assert len(way_in.cache) == 1


def test_a_payload_without_claims_checked_is_not_kept() -> None:
    key, text = verification_key("HS256"), token(exp=NOW - 1)
    way_in = Verifier(key, policy())
    assert jws.verify(text, key, algorithms=["HS256"])
    refuses(way_in, text, "expired")


def test_clear_forgets_every_token_and_no_counter() -> None:
    way_in = verifier()
    text = token()
    held = way_in.verify(text)
    way_in.verify(text)
    way_in.cache.clear()
    way_in.cache.clear()
    assert stats(way_in) == (1, 1, 0)
    assert way_in.verify(text) is not held
    assert held.claims == claims()


# -- how long


def test_without_exp_an_entry_lives_an_hour() -> None:
    way_in = verifier(require=("iss", "aud"))
    text = token(exp=ABSENT)
    way_in.verify(text)
    with clock_at(NOW + 3599, SECOND - 1):
        assert is_cached(way_in, text)
    with clock_at(NOW + 3600):
        assert not is_cached(way_in, text)
        assert is_cached(way_in, text)


@pytest.mark.parametrize(("ttl", "ns"), [(1, SECOND), (2.5, 2_500_000_000), (1e-9, 1)])
@pytest.mark.parametrize("exp", [NOW + 300, ABSENT])
def test_ttl_ends_an_entry_to_the_nanosecond(ttl: float, ns: int, exp: Any) -> None:
    way_in = verifier(require=("iss", "aud"), cache=TokenCache(ttl=ttl))
    text = token(exp=exp)
    way_in.verify(text)
    _clock.set_wall_clock_for_tests(NOW * SECOND + ns - 1)
    assert is_cached(way_in, text)
    _clock.set_wall_clock_for_tests(NOW * SECOND + ns)
    assert not is_cached(way_in, text)


def test_a_ttl_of_hours_may_exceed_the_hour() -> None:
    way_in = verifier(require=("iss", "aud"), cache=TokenCache(ttl=7200))
    text = token(exp=ABSENT)
    way_in.verify(text)
    with clock_at(NOW + 7199):
        assert is_cached(way_in, text)


def test_expired_entries_make_room_first() -> None:
    way_in = verifier(cache=TokenCache(max_entries=1))
    way_in.verify(numbered(1, exp=NOW + 5))
    with clock_at(NOW + 6):
        way_in.verify(numbered(2))
    assert way_in.stats()["expired"] >= 1


FRACTIONS = st.one_of(st.just(""), st.text("0123456789", min_size=1, max_size=12).map(lambda digits: f".{digits}"))
DATES = st.one_of(
    st.none(), st.tuples(st.integers(NOW - 20, NOW + 20), FRACTIONS).map(lambda both: f"{both[0]}{both[1]}")
)
SPANS = st.one_of(st.integers(0, 20), st.decimals(0, 20, places=3).map(float))


@given(exp=DATES, nbf=DATES, iat=DATES, leeway=SPANS, max_age=st.one_of(st.none(), SPANS.filter(bool)))
def test_at_every_edge_of_time_both_ways_agree(
    exp: str | None, nbf: str | None, iat: str | None, leeway: float, max_age: float | None
) -> None:
    options = {"require": ("iss", "aud"), "leeway": leeway, "max_age": max_age}
    cached, plain = verifier(**options), verifier(cache=None, **options)
    members = [f'"{name}":{value}' for name, value in (("exp", exp), ("nbf", nbf), ("iat", iat)) if value]
    payload = dumps(claims(exp=ABSENT, iat=ABSENT))[:-1] + b"," + ",".join(members).encode() + b"}"
    text = compact(header("HS256"), payload if members else claims(exp=ABSENT, iat=ABSENT))
    edges = set()
    for value in (exp, nbf, iat):
        if value:
            for shift in (0, leeway, -leeway, max_age or 0, (max_age or 0) + leeway):
                edges.add(int((Decimal(value) + Decimal(repr(shift))) * SECOND))
    moments = sorted({edge + nudge for edge in edges for nudge in (-1, 0, 1, 2)} | {NOW * SECOND})
    accepted = [moment for moment in moments if agreed(cached, plain, text, moment)]
    # again from each end, with the entry of another moment in the cache
    for start in accepted[:1] + accepted[-1:]:
        cached.cache.clear()
        assert agreed(cached, plain, text, start)
        for moment in (*moments, *reversed(moments)):
            agreed(cached, plain, text, moment)
    _clock.set_wall_clock_for_tests(NOW * SECOND)


def agreed(cached: Verifier, plain: Verifier, text: str, moment: int) -> bool:
    _clock.set_wall_clock_for_tests(moment)
    seen, expected = (outcome(lambda way_in=way_in: way_in.verify(text)) for way_in in (cached, plain))
    assert (seen and (seen.code, seen.claim)) == (expected and (expected.code, expected.claim))
    return expected is None


# -- what it costs


def held_by(way_in: Verifier) -> int:
    return way_in.stats()["cache_bytes"]


def test_a_token_of_700_bytes_costs_at_most_1600() -> None:
    way_in = verifier()
    texts = [numbered(number, x="y" * 327) for number in range(2_000)]
    assert 690 <= len(texts[0]) <= 710
    before = held_by(way_in)
    for text in texts:
        way_in.verify(text)
    assert (held_by(way_in) - before) / way_in.stats()["cache_entries"] <= 1.6 * 1024


PAYLOADS = {
    "small": lambda n: {},
    "text": lambda n: {"x": "y" * 400, "z": f"é{n}" * 20},
    "numbers": lambda n: {"x": [n + i + 0.5 for i in range(30)], "y": [2**40 + n + i for i in range(20)]},
    "nested": lambda n: {"x": [{"a": [{"b": n}]}, [], {}], "y": {"c": {"d": None, "e": [True]}}},
    "members": lambda n: {"x": {f"k{i}": i for i in range(60)}},
    "names of its own": lambda n: {f"{n}-{i}-{'n' * 30}": i for i in range(12)},
}


@pytest.mark.parametrize("shape", PAYLOADS)
def test_claims_are_charged_as_what_they_take(shape: str) -> None:
    way_in = verifier(max_token_bytes=1 << 20)
    made = [way_in.verify(numbered(number, **PAYLOADS[shape](number))) for number in range(600)]
    before, kept = held_by(way_in), way_in.stats()["cache_entries"]
    gc.collect()
    tracemalloc.start()
    try:
        for each in made:
            assert each.claims
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept >= 590
    assert 0.85 <= (held_by(way_in) - before) / (grown * kept / 600) <= 1.25
    before = held_by(way_in)
    for each in made:
        assert each.claims
    assert held_by(way_in) == before, "charged once"


def test_a_token_is_charged_as_what_it_takes() -> None:
    """Payload and token as tracemalloc sees them; the entry is the text and less than 160 bytes more."""
    way_in = verifier()
    texts = [numbered(number, x="y" * 200) for number in range(3_000)]
    way_in.verify(token())
    gc.collect()
    tracemalloc.start()
    try:
        for text in texts:
            way_in.verify(text)
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    found = way_in.stats()
    entries = found["cache_entries"]
    least, most = (grown + entries * (len(texts[0]) + more) for more in (90, 160 + 45))
    assert 0.9 * least <= found["cache_bytes"] <= 1.1 * most


def test_a_header_is_counted_once_and_leaves_with_its_last_token() -> None:
    way_in = verifier(cache=TokenCache(ttl=None))
    empty = held_by(way_in)
    one = compact(header("HS256", x="y" * 500), claims(jti="1"))
    two = compact(header("HS256", x="y" * 500), claims(jti="2", exp=NOW + 10))
    way_in.verify(one)
    first = held_by(way_in) - empty
    way_in.verify(two)
    second = held_by(way_in) - empty - first
    assert second < first - 2_000
    with clock_at(NOW + 10):
        refuses(way_in, two, "expired")
    assert held_by(way_in) - empty == first
    with clock_at(NOW + 400):
        refuses(way_in, one, "expired")
    assert held_by(way_in) == empty


def test_building_claims_is_charged_and_can_push_others_out() -> None:
    way_in = verifier(cache=TokenCache(max_bytes=LEAST))
    made = [way_in.verify(numbered(number, x=[number + 0.5, *range(1000, 1040)])) for number in range(8)]
    entries = len(way_in.cache)
    for each in made:
        assert each.claims["x"][0] == int(each.token_id) + 0.5
        assert held_by(way_in) <= LEAST
    assert len(way_in.cache) < entries
    # evicted while they were held, and read again
    way_in.cache.clear()
    for each in made:
        assert each.to_dict()["x"][1] == 1000


def test_an_entry_that_would_push_out_too_much_is_not_kept() -> None:
    way_in = verifier(cache=TokenCache(max_bytes=LEAST))
    small, big = numbered(1), numbered(2, x="y" * 4_000)
    way_in.verify(small)
    way_in.verify(big)
    assert not is_cached(way_in, big)
    assert is_cached(way_in, small)


def test_both_bounds_hold_under_many_tokens() -> None:
    way_in = verifier(cache=TokenCache(max_bytes=1 << 20))
    few = verifier(cache=TokenCache(max_entries=50))
    body = b64u(dumps(header("HS256")))
    for number in range(100_000):
        text = resign(f"{body}.{b64u(dumps(claims(jti=str(number))))}")
        made = way_in.verify(text)
        if number % 10 == 0:
            assert made.claims
        few.verify(text)
        if number % 100 == 0:
            assert held_by(way_in) <= 1 << 20
            assert len(few.cache) <= 50
    found = way_in.stats()
    assert found["cache_entries"] > 400
    assert found["evictions"] + found["cache_entries"] == 100_000 - found["expired"]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_handful_of_entries_is_enough_to_be_right(most: int) -> None:
    way_in = verifier(cache=TokenCache(max_bytes=LEAST, max_entries=most))
    chooser = random.Random(most)
    texts = {numbered(number): f"{number:08}" for number in range(3_000)}
    for text in chooser.choices(list(texts), k=12_000):
        assert way_in.verify(text).token_id == texts[text]
        assert len(way_in.cache) <= most
    assert way_in.stats()["hits"] > 0


def test_tokens_outlive_whatever_kept_them() -> None:
    cache = TokenCache(max_bytes=LEAST)
    way_in = verifier(cache=cache)
    gone = weakref.ref(way_in)
    made = [way_in.verify(numbered(number)) for number in range(300)]
    del way_in
    gc.collect()
    assert gone() is None
    assert [each["jti"] for each in made[:150]] == [f"{number:08}" for number in range(150)]
    del cache
    assert [each["jti"] for each in made] == [f"{number:08}" for number in range(300)]


# -- revocation


def test_revoking_is_seen_at_once_and_in_any_spelling() -> None:
    index = RevocationIndex()
    way_in = verifier(revocations=index)
    plain = token(jti="aé")
    escaped = compact(header("HS256"), dumps(claims())[:-1] + rb',"jti":"\u0061\u00e9"}')
    for text in (plain, escaped):
        way_in.verify(text)
        assert is_cached(way_in, text)
    before = index.generation
    index.revoke("aé", NOW + 300)
    assert index.generation > before
    for text in (plain, escaped):
        refuses(way_in, text, "revoked")
        error = error_of(lambda text=text: way_in.verify(text, fresh=True))
        assert error.code == "revoked"
    assert way_in.verify(token(jti="a"))


def test_after_a_change_the_other_tokens_are_still_hits() -> None:
    index = RevocationIndex()
    way_in = verifier(revocations=index)
    texts = [numbered(number) for number in range(50)]
    for text in texts:
        way_in.verify(text)
    for number in range(20):
        index.revoke(f"other-{number}", NOW + 300)
        assert all(is_cached(way_in, text) for text in texts)


def test_an_index_grows_and_forgets_nothing_that_still_counts() -> None:
    index = RevocationIndex()
    for number in range(100_000):
        index.revoke(f"id-{number}", NOW + 100)
    assert len(index) == 100_000
    way_in = verifier(revocations=index)
    for number in range(0, 100_000, 997):
        refuses(way_in, token(jti=f"id-{number}"), "revoked")
        assert way_in.verify(token(jti=f"no-{number}"))
    with clock_at(NOW + 100 + 600):  # what a policy may forgive is over too
        for number in range(200_000):
            index.revoke(f"later-{number}", NOW + 1_000)
        assert len(index) == 200_000
        assert way_in.verify(token(jti="id-7", exp=NOW + 900))
        refuses(way_in, token(jti="later-7", exp=NOW + 900), "revoked")


def test_a_revocation_is_never_shortened() -> None:
    index = RevocationIndex()
    index.revoke("a", NOW + 1_000)
    index.revoke("a", NOW + 1)
    assert len(index) == 1
    with clock_at(NOW + 500):
        for number in range(5_000):
            index.revoke(f"{number}", NOW + 900)
        refuses(verifier(revocations=index), token(jti="a", exp=NOW + 999), "revoked")


@pytest.mark.parametrize("wrong", [None, 1, b"a", ["a"]])
def test_an_id_is_text(wrong: Any) -> None:
    with pytest.raises(TypeError):
        RevocationIndex().revoke(wrong, NOW)


@pytest.mark.parametrize("wrong", [None, "1", 1.5, 1 << 70])
def test_a_time_is_whole_seconds(wrong: Any) -> None:
    index = RevocationIndex()
    with pytest.raises((TypeError, ValueError)):
        index.revoke("a", wrong)
    assert (len(index), index.generation) == (0, 0)


class Check:
    """A caller's check that does what a test wants."""

    def __init__(self, act: Any) -> None:
        self.act = act
        self.asked: list[tuple[Any, bool]] = []

    def is_revoked(self, token: Any, *, fresh: bool) -> Any:
        self.asked.append((token.token_id, fresh))
        return self.act(token)


@pytest.mark.parametrize("answer", [None, 0, 1, "", "yes", [], object(), NotImplemented])
def test_an_answer_that_is_not_a_bool_decides_nothing(answer: Any) -> None:
    check = Check(lambda token: False)
    way_in = verifier(revocations=check)
    text = token()
    assert way_in.verify(text)
    check.act = lambda token: answer
    assert type(error_of(lambda: way_in.verify(text))) is StoreUnavailableError
    check.act = lambda token: True
    refuses(way_in, text, "revoked")
    check.act = lambda token: 1 // 0
    refuses(way_in, text, "store_unavailable")
    check.act = lambda token: False
    assert way_in.verify(text)


def test_a_check_is_asked_about_hits_and_told_of_fresh() -> None:
    check = Check(lambda token: False)
    way_in = verifier(revocations=check)
    text = token(jti="a")
    way_in.verify(text)
    way_in.verify(text)
    way_in.verify(text, fresh=True)
    assert check.asked == [("a", False), ("a", False), ("a", True)]
    assert way_in.stats()["hits"] == 2


def test_a_check_may_clear_the_cache_and_replace_keys_under_our_feet() -> None:
    way_in = verifier(revocations=(check := Check(lambda token: False)), cache=TokenCache(max_bytes=LEAST))
    text = token(jti="a")

    def act(made: Any) -> bool:
        way_in.cache.clear()
        way_in.replace_keys(verification_key("HS256", which=1))
        way_in.replace_keys(verification_key("HS256"))
        return made.claims["jti"] != "a"

    way_in.verify(text)
    check.act = act
    for _ in range(50):
        assert way_in.verify(text).token_id == "a"


def test_a_check_may_verify_other_tokens_and_the_very_same() -> None:
    way_in = verifier("ES256", revocations=(check := Check(lambda token: False)), cache=TokenCache(max_bytes=LEAST))
    texts = [token("ES256", jti=str(number)) for number in range(30)]
    depth = 0

    def act(made: Any) -> bool:
        nonlocal depth
        if depth:
            return False
        depth = 1
        try:
            for text in texts:
                assert way_in.verify(text).claims
        finally:
            depth = 0
        return False

    check.act = act
    for text in texts[:5]:
        assert way_in.verify(text)["sub"]


def test_fresh_needs_revocations() -> None:
    rejects("invalid_policy", lambda: verifier().verify(token(), fresh=True))


def test_a_secret_of_another_verifier_changes_nothing() -> None:
    key = VerificationKey.from_secret(b"s" * 32, alg="HS256")
    text = token(key=b"s" * 32)
    right, wrong = Verifier(key, policy()), verifier()
    assert right.verify(text)
    refuses(wrong, text, "bad_signature")

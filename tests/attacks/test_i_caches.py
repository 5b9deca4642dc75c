"""Group I: caches of verdicts. Each flaw is tested on a hot cache, and against what the first look decided."""

import copy
import hashlib
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from reference import p256
from support import (
    ABSENT,
    ISSUER,
    NOW,
    ORDERS,
    b64u,
    claims,
    clock_at,
    compact,
    dumps,
    error_of,
    header,
    policy,
    refuses,
    rejects,
    resign,
    sign,
    token,
    unb64u,
    verification_key,
    verifier,
)

from jotgate import ANY, KeySet, TokenCache, VerificationKey, Verifier, _clock
from jotgate._binding import Binding
from jotgate._key import KeySource
from jotgate._revoked import RevocationIndex

pytestmark = pytest.mark.usefixtures("frozen_clock")

EVIL = "https://evil.example.com"


def hits(way_in: Verifier) -> int:
    return way_in.stats()["hits"]


def hot(way_in: Verifier, text: Any) -> Any:
    """Verify twice and make sure that the second look came from the cache."""
    way_in.verify(text)
    before = hits(way_in)
    made = way_in.verify(text)
    assert hits(way_in) == before + 1
    return made


# -- what an entry is found by


def test_i1_the_caller_has_no_say_in_how_a_token_is_found() -> None:
    for option in ("key", "key_builder", "hash", "hasher", "cache_key"):
        with pytest.raises(TypeError):
            TokenCache(**{option: lambda text: "same"})
    with pytest.raises(TypeError):
        type("Own", (TokenCache,), {})


@pytest.mark.parametrize("alg", ["HS256", "RS256", "ES256", "ES512", "Ed448", "ML-DSA-44"])
def test_i1_any_other_byte_is_another_token(alg: str) -> None:
    """The place in the table comes from the end of the signature, which all of these have in common."""
    way_in, text = verifier(alg), token(alg)
    hot(way_in, text)
    before = hits(way_in)
    signature = text.rindex(".") + 1
    places = [*range(0, signature, 7), *range(signature, max(signature, len(text) - 64), 29)]
    for at in places:
        if text[at] != ".":
            refused = error_of(
                lambda at=at: way_in.verify(f"{text[:at]}{'B' if text[at] != 'B' else 'C'}{text[at + 1 :]}")
            )
            assert refused.code in ("malformed", "bad_signature", "algorithm_not_allowed", "unknown_key")
    assert hits(way_in) == before
    hot(way_in, text)


def test_i12_a_dot_in_another_place_is_another_token() -> None:
    way_in, text = verifier(), token()
    hot(way_in, text)
    head, payload, signature = text.split(".")
    for moved in (
        f"{head}{payload[:4]}.{payload[4:]}.{signature}",
        f"{head[:-4]}.{head[-4:]}{payload}.{signature}",
        f"{head}.{payload[:-4]}.{payload[-4:]}{signature}",
        f"{head}.{payload}{signature[:4]}.{signature[4:]}",
        f"{head}{payload}..{signature}",
    ):
        assert error_of(lambda moved=moved: way_in.verify(moved)).code in ("malformed", "bad_signature")
    for whole in (text[1:], text[:-1], text + "A", text[-64:], f"{text}.", f" {text}", text + text):
        error_of(lambda whole=whole: way_in.verify(whole))
    assert hits(way_in) == 1


# -- time


SUBSETS = [names for size in range(4) for names in itertools.combinations(("iat", "nbf", "exp"), size)]


@pytest.mark.parametrize("names", SUBSETS, ids="_".join)
@pytest.mark.parametrize("leeway", [0, 5])
def test_i2_a_remembered_token_is_held_to_its_times(names: tuple[str, ...], leeway: int) -> None:
    way_in = verifier(require=("iss", "aud"), leeway=leeway)
    dates = {"iat": NOW - 10, "nbf": NOW - 5, "exp": NOW + 60}
    text = token(**{name: dates[name] if name in names else ABSENT for name in dates})
    hot(way_in, text)
    second = 1_000_000_000
    first = max([dates[name] for name in names if name != "exp"], default=0) - leeway
    if "exp" in names:
        _clock.set_wall_clock_for_tests((NOW + 60 + leeway) * second - 1)
        assert way_in.verify(text)
        for later in (0, 1, 10 * second, 86_400 * second):
            _clock.set_wall_clock_for_tests((NOW + 60 + leeway) * second + later)
            refuses(way_in, text, "expired", "exp")
    else:
        _clock.set_wall_clock_for_tests((NOW + 10**8) * second)
        assert way_in.verify(text)
    _clock.set_wall_clock_for_tests(NOW * second)
    hot(way_in, text)
    if first > 0:
        _clock.set_wall_clock_for_tests(first * second)
        assert way_in.verify(text)
        _clock.set_wall_clock_for_tests(first * second - 1)
        assert error_of(lambda: way_in.verify(text)).code in ("not_yet_valid", "invalid_claim")


@pytest.mark.parametrize("exp", [ABSENT, NOW + 10_000])
def test_i3_max_age_goes_on_to_count(exp: Any) -> None:
    way_in = verifier(max_age=30, require=("iss", "aud"))
    text = token(iat=NOW - 10, exp=exp)
    hot(way_in, text)
    with clock_at(NOW + 20):
        assert way_in.verify(text)
    with clock_at(NOW + 20, 1):
        refuses(way_in, text, "too_old", "iat")


def test_i8_no_entry_outlives_its_token() -> None:
    """However long the cache would keep it."""
    way_in = verifier(cache=TokenCache(ttl=86_400))
    text = token(exp=NOW + 3)
    hot(way_in, text)
    with clock_at(NOW + 3):
        refuses(way_in, text, "expired")
        assert way_in.stats()["cache_entries"] == 0


def test_i14_age_counts_from_iat_and_not_from_the_first_look() -> None:
    way_in = verifier(max_age=100)
    text = token(iat=NOW - 99, exp=NOW + 10_000)
    hot(way_in, text)
    with clock_at(NOW + 1, 1):
        refuses(way_in, text, "too_old")


def test_i14_two_verifiers_with_other_limits_share_nothing() -> None:
    short, long = verifier(max_age=10), verifier(max_age=100)
    text = token(iat=NOW - 5)
    hot(long, text)
    hot(short, text)
    with clock_at(NOW + 6):
        refuses(short, text, "too_old")
        assert long.verify(text)


def test_i14_a_token_outlives_its_entry_its_cache_and_its_verifier() -> None:
    cache = TokenCache(max_bytes=16 << 10)
    way_in = verifier(cache=cache)
    held = [way_in.verify(token(x=[number, "y" * 200])) for number in range(200)]
    assert cache.stats()["evictions"] > 100
    cache.clear()
    del cache, way_in
    for number, made in enumerate(held):
        assert made["x"] == (number, "y" * 200)
        assert made.header["alg"] == "HS256"


# -- results


def test_i4_what_one_caller_does_to_the_result_no_other_sees() -> None:
    way_in = verifier()
    text = token(roles=["reader", {"of": ["x"]}])
    made = hot(way_in, text)
    for change in (
        lambda: made.claims.__setitem__("sub", "ADMIN"),
        lambda: made.claims["roles"].append("admin"),
        lambda: made.claims["roles"][1].update(of="all"),
        lambda: made.header.__setitem__("alg", "none"),
        lambda: setattr(made, "subject", "ADMIN"),
        lambda: setattr(made, "_claims", {}),
        lambda: copy.copy(made),
    ):
        with pytest.raises((TypeError, AttributeError)):
            change()
    mine = made.to_dict()
    mine["sub"] = "ADMIN"
    mine["roles"][1]["of"].append("all")
    again = hot(way_in, text)
    assert again.subject == "user-4711"
    assert again.to_dict() == claims(roles=["reader", {"of": ["x"]}])


# -- whose verdict it is


def test_i5_one_cache_never_serves_two_policies() -> None:
    cache = TokenCache()
    lax = verifier(audience=ANY, cache=cache)
    text = token(aud="https://somewhere.example.com")
    hot(lax, text)
    rejects("invalid_policy", lambda: verifier(cache=cache))
    refuses(verifier(), text, "wrong_audience")
    del lax
    rejects("invalid_policy", lambda: verifier(cache=cache))


def test_i5_each_issuer_keeps_its_policy_and_a_new_policy_is_asked() -> None:
    key = verification_key("HS256")
    lax, strict = policy(audience=ANY), policy(subject="nobody-else")
    other = policy(issuer=EVIL)
    way_in = Verifier({ISSUER: (key, lax), EVIL: (key, other)})
    text = token()
    hot(way_in, text)
    way_in.replace_keys({ISSUER: (key, strict), EVIL: (key, other)})
    refuses(way_in, text, "wrong_subject")
    way_in.replace_keys({ISSUER: (key, lax), EVIL: (key, other)})
    assert way_in.verify(text)
    way_in.replace_keys({ISSUER: (key, policy(audience=ANY, max_token_bytes=len(text) - 1)), EVIL: (key, other)})
    refuses(way_in, text, "too_large")
    way_in.replace_keys({EVIL: (key, other)})
    refuses(way_in, text, "wrong_issuer")


def test_i6_one_token_and_two_verifiers() -> None:
    text = token()
    right = verifier()
    wrong = Verifier(verification_key("HS256", which=1), policy())
    strict = verifier(typ="at+jwt")
    hot(right, text)
    for _ in range(2):
        refuses(wrong, text, "bad_signature")
        refuses(strict, text, "missing_claim", "typ")
        assert right.verify(text)


class Answers:
    """A caller's own check."""

    def __init__(self) -> None:
        self.revoked: Any = False
        self.asked: list[bool] = []

    def is_revoked(self, token: Any, *, fresh: bool) -> Any:
        self.asked.append(fresh)
        return self.revoked


def test_i7_a_callable_is_asked_every_time() -> None:
    answers = Answers()
    way_in = verifier(revocations=answers)
    text = token()
    for number in range(1, 6):
        assert way_in.verify(text)
        assert len(answers.asked) == number
    assert hits(way_in) == 4
    answers.revoked = True
    refuses(way_in, text, "revoked")
    answers.revoked = None
    refuses(way_in, text, "store_unavailable")
    answers.revoked = False
    assert way_in.verify(text, fresh=True)
    assert answers.asked[-1] is True


def test_i7_a_revoked_id_is_refused_at_once() -> None:
    index = RevocationIndex()
    way_in = verifier(revocations=index)
    text, other = token(jti="a"), token(jti="b")
    hot(way_in, text)
    hot(way_in, other)
    index.revoke("a", NOW + 300)
    refuses(way_in, text, "revoked")
    hot(way_in, other)


# -- keys


def bound(source: KeySource, *keys: VerificationKey) -> Binding:
    each = KeySet(keys)._bind(("HS256",))
    return Binding(policy()._compiled, each._table, source.publish([key._identity() for key in each]))


def keyed_verifier(source: KeySource, *keys: VerificationKey) -> Verifier:
    way_in = verifier()
    way_in._bind(bound(source, *keys))
    return way_in


KEY, OTHER_KEY = (verification_key("HS256", kid=kid) for kid in ("k1", "k2"))
SWAPPED = verification_key("HS256", kid="k1", which=1)
TEXT = compact(header("HS256", kid="k1"))


def test_i9_a_key_that_is_replaced_takes_its_tokens_along() -> None:
    way_in = Verifier(KeySet([KEY, OTHER_KEY]), policy())
    hot(way_in, TEXT)
    way_in.replace_keys(OTHER_KEY)
    refuses(way_in, TEXT, "unknown_key")
    way_in.replace_keys(KEY)
    before = hits(way_in)
    assert way_in.verify(TEXT)
    assert hits(way_in) == before, "a key that comes back vouches for nothing that was decided before"
    hot(way_in, TEXT)
    way_in.replace_keys(SWAPPED)
    refuses(way_in, TEXT, "bad_signature")


def test_i9_a_source_that_drops_a_key_without_another_word() -> None:
    source = KeySource()
    way_in = keyed_verifier(source, KEY, OTHER_KEY)
    hot(way_in, TEXT)
    source.publish([OTHER_KEY._identity()])
    before = way_in.stats()
    refuses(way_in, TEXT, "unknown_key")
    assert way_in.stats()["hits"] == before["hits"]
    assert way_in.verify_batch([TEXT]).code == ("unknown_key",)
    way_in._bind(bound(source, OTHER_KEY))
    refuses(way_in, TEXT, "unknown_key")


def test_i9_a_key_that_stays_keeps_its_tokens() -> None:
    way_in = Verifier(KeySet([KEY]), policy())
    hot(way_in, TEXT)
    for keys in (KeySet([KEY, OTHER_KEY]), KeySet([KEY]), verification_key("HS256", kid="k1")):
        before = hits(way_in)
        way_in.replace_keys(keys)
        assert way_in.verify(TEXT)
        assert hits(way_in) == before + 1


def test_i10_the_same_kid_with_another_key_or_none() -> None:
    source = KeySource()
    way_in = keyed_verifier(source, KEY)
    hot(way_in, TEXT)
    way_in._bind(bound(source, SWAPPED))
    refuses(way_in, TEXT, "bad_signature")
    way_in._bind(bound(source, OTHER_KEY))
    refuses(way_in, TEXT, "unknown_key")


def test_i10_a_key_that_is_added_can_take_a_token_over() -> None:
    """Without kid a token is served by the only key; a second one makes it ambiguous."""
    lone, second = verification_key("HS256"), verification_key("HS256", kid="k2", which=1)
    way_in = Verifier(lone, policy())
    nameless, named = token(), compact(header("HS256", kid="k2"))
    hot(way_in, nameless)
    hot(way_in, named)
    way_in.replace_keys(KeySet([lone, second]))
    refuses(way_in, nameless, "unknown_key")
    refuses(way_in, named, "bad_signature")
    way_in.replace_keys(lone)
    assert way_in.verify(nameless)
    assert way_in.verify(named)


def test_i10_eddsa_becomes_ambiguous_with_a_second_curve_under_its_kid() -> None:
    ed25519, ed448 = (verification_key(alg, kid="e") for alg in ("Ed25519", "Ed448"))
    way_in = Verifier(ed25519, policy("EdDSA"))
    text = compact(header("EdDSA", kid="e"), alg="EdDSA")
    hot(way_in, text)
    way_in.replace_keys(KeySet([ed25519, ed448]))
    refuses(way_in, text, "unknown_key")
    way_in.replace_keys(ed25519)
    assert way_in.verify(text)


def test_i11_keys_that_cannot_be_had_leave_the_good_ones() -> None:
    way_in = Verifier(KEY, policy())
    hot(way_in, TEXT)
    for wrong in ({}, "https://jwks", None, {"keys": []}, KeySet):
        before = hits(way_in)
        error_of(lambda wrong=wrong: way_in.replace_keys(wrong))
        assert way_in.verify(TEXT)
        assert hits(way_in) == before + 1


def test_i11_past_its_deadline_a_source_vouches_for_nothing() -> None:
    source = KeySource()
    way_in = keyed_verifier(source, KEY)
    second = 1_000_000_000
    try:
        _clock.set_monotonic_clock_for_tests(1_000 * second)
        source.expire_at(1_010 * second)
        hot(way_in, TEXT)
        _clock.set_monotonic_clock_for_tests(1_010 * second - 1)
        hot(way_in, TEXT)
        _clock.set_monotonic_clock_for_tests(1_010 * second)
        before = hits(way_in)
        refuses(way_in, TEXT, "key_fetch_failed")
        assert hits(way_in) == before
        source.expire_at(1_020 * second)
        way_in.verify(TEXT)
        assert hits(way_in) == before + 1
    finally:
        _clock.set_monotonic_clock_for_tests(None)


# -- one signature, two tokens


def key_for(message: bytes, signature: bytes) -> VerificationKey:
    """The ES256 key under which a given signature is one of a given message: ECDSA public-key recovery."""
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    point = p256.with_x(r)
    assert point is not None
    z = int.from_bytes(hashlib.sha256(message).digest(), "big")
    back = pow(r, -1, p256.N)
    found = p256.add(p256.multiply(s * back, point), p256.multiply(-z * back, p256.G))
    assert found is not None
    numbers = ec.EllipticCurvePublicNumbers(*found, ec.SECP256R1())
    return VerificationKey.from_cryptography(numbers.public_key(), alg="ES256")


def twins(alg: str, head: dict[str, Any], first: dict[str, Any], second: dict[str, Any]) -> tuple[str, str, bytes]:
    """Two tokens that end in one signature, made for the first."""
    bodies = [f"{b64u(dumps(head))}.{b64u(dumps(payload))}" for payload in (first, second)]
    signature = sign(alg, bodies[0].encode())
    honest, forged = (f"{body}.{b64u(signature)}" for body in bodies)
    return honest, forged, signature


VICTIM = claims(sub="alice")
FORGED = claims(iss=EVIL, sub="admin")
ORDERS_OF_LOOKS = [(0, 1), (1, 0), (0, 1, 0, 1), (1, 0, 1, 0)]


def both_hold(doors: list[Any], texts: list[str], subjects: list[str], looks: tuple[int, ...]) -> None:
    """Each text is accepted by its own door as what it says, whatever was looked at before."""
    for which in looks:
        made = hot(doors[which], texts[which])
        assert made.subject == subjects[which]
        assert made["iss"] == (ISSUER, EVIL)[which]


@pytest.mark.parametrize("looks", ORDERS_OF_LOOKS)
def test_i13_one_es256_signature_over_two_tokens_under_two_keys(looks: tuple[int, ...]) -> None:
    honest, forged, signature = twins("ES256", header("ES256"), VICTIM, FORGED)
    theirs = key_for(forged.rpartition(".")[0].encode(), signature)
    ours = verification_key("ES256")
    assert honest.rpartition(".")[2] == forged.rpartition(".")[2]
    one = Verifier({ISSUER: (ours, policy("ES256")), EVIL: (theirs, policy("ES256", issuer=EVIL))})
    both_hold([one, one], [honest, forged], ["alice", "admin"], looks)
    first, second = Verifier(ours, policy("ES256")), Verifier(theirs, policy("ES256", issuer=EVIL))
    both_hold([first, second], [honest, forged], ["alice", "admin"], looks)
    for door, text in ((first, forged), (second, honest)):
        refuses(door, text, "bad_signature")
    # what the other issuer signed never passes under the first one's name
    refuses(Verifier({ISSUER: (ours, policy("ES256"))}), forged, "wrong_issuer")


@pytest.mark.parametrize("looks", ORDERS_OF_LOOKS)
def test_i13_one_token_under_a_key_made_for_it(looks: tuple[int, ...]) -> None:
    """The same header and issuer, one verifier after the other: only all bytes and the key tell them apart."""
    honest, forged, signature = twins("ES256", header("ES256"), VICTIM, claims(sub="admin"))
    theirs = key_for(forged.rpartition(".")[0].encode(), signature)
    ours = verification_key("ES256")
    for which in looks:
        way_in = Verifier((ours, theirs)[which], policy("ES256"))
        right, wrong = (honest, forged)[:: 1 if which == 0 else -1]
        hot(way_in, right)
        refuses(way_in, wrong, "bad_signature")
        way_in.replace_keys((theirs, ours)[which])
        refuses(way_in, right, "bad_signature")
        assert hot(way_in, wrong).subject == ("admin", "alice")[which]


@pytest.mark.parametrize("looks", ORDERS_OF_LOOKS)
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_i13_a_long_secret_and_its_hash_make_one_mac(alg: str, looks: tuple[int, ...]) -> None:
    block, digest = (64, "sha256") if alg == "HS256" else (128, f"sha{alg[2:]}")
    long = random.Random(13).randbytes(block + 1)
    keys = [VerificationKey.from_secret(secret, alg=alg) for secret in (long, hashlib.new(digest, long).digest())]
    theirs = compact(header(alg), claims(iss=EVIL), alg=alg, key=long)
    ours = compact(header(alg), alg=alg, key=long)
    one = Verifier({ISSUER: (keys[0], policy(alg)), EVIL: (keys[1], policy(alg, issuer=EVIL))})
    both_hold([one, one], [ours, theirs], ["user-4711"] * 2, looks)
    doors = [Verifier(keys[0], policy(alg)), Verifier(keys[1], policy(alg, issuer=EVIL))]
    both_hold(doors, [ours, theirs], ["user-4711"] * 2, looks)
    refuses(doors[0], theirs, "wrong_issuer")
    refuses(doors[1], ours, "wrong_issuer")
    # as cryptography one key, as trust two: what the one vouched for, the other does not
    swap = Verifier(keys[0], policy(alg))
    hot(swap, ours)
    before = hits(swap)
    swap.replace_keys(keys[1])
    swap.verify(ours)
    assert hits(swap) == before


def test_i13_the_other_signature_of_ecdsa_is_another_entry() -> None:
    text = token("ES256", jti="a")
    head, _, signature = text.rpartition(".")
    raw = unb64u(signature)
    s = ORDERS["ES256"] - int.from_bytes(raw[32:], "big")
    twin = f"{head}.{b64u(raw[:32] + s.to_bytes(32, 'big'))}"
    index = RevocationIndex()
    way_in = verifier("ES256", revocations=index)
    hot(way_in, text)
    hot(way_in, twin)
    assert way_in.stats()["cache_entries"] == 2
    index.revoke("a", NOW + 300)
    refuses(way_in, text, "revoked")
    refuses(way_in, twin, "revoked")


# -- floods


HONEST = 2_000


def zipf(chooser: random.Random) -> Callable[[], int]:
    weights = list(itertools.accumulate(1 / rank for rank in range(1, HONEST + 1)))
    return lambda: chooser.choices(range(HONEST), cum_weights=weights)[0]


def flood_token(number: int, *, head: bytes = b'{"alg":"HS256"}') -> str:
    return resign(f"{b64u(head)}.{b64u(dumps(claims(sub=f'attacker-{number:08}')))}")


def big_enough_for(count: int) -> TokenCache:
    probe = verifier()
    for number in range(500):
        probe.verify(flood_token(number))
    return TokenCache(max_bytes=probe.stats()["cache_bytes"] * count // 500)


def honest_hit_rates(attack: Callable[[Verifier, int], object]) -> tuple[float, float]:
    """Hit rate of 2000 tokens asked for by Zipf in a cache for 3000: alone, then among ten times as many others."""
    chooser = random.Random(2000)
    draw = zipf(chooser)
    way_in = verifier(cache=big_enough_for(3_000))
    honest = [token(sub=f"honest-{number:06}") for number in range(HONEST)]
    for text in honest:
        way_in.verify(text)

    def served(rounds: int, others: int) -> float:
        found = 0
        for number in range(rounds):
            before = way_in.cache.stats()["hits"]
            way_in.verify(honest[draw()])
            found += way_in.cache.stats()["hits"] - before
            for each in range(others):
                attack(way_in, number * others + each)
        return found / rounds

    served(10_000, 0)
    alone = served(5_000, 0)
    served(3_000, 10)
    return alone, served(3_000, 10)


def once(way_in: Verifier, number: int) -> None:
    way_in.verify(flood_token(number))


def and_read(way_in: Verifier, number: int) -> None:
    assert way_in.verify(flood_token(number))["sub"]


def with_headers_of_their_own(way_in: Verifier, number: int) -> None:
    way_in.verify(flood_token(number, head=b'{"alg":"HS256","nonce":"%064d"}' % number))


@pytest.mark.parametrize("attack", [once, and_read, with_headers_of_their_own])
def test_i12_a_flood_of_valid_tokens_does_not_wash_the_others_out(attack: Callable[[Verifier, int], object]) -> None:
    alone, flooded = honest_hit_rates(attack)
    assert alone > 0.95
    assert flooded >= 0.8 * alone, (alone, flooded)

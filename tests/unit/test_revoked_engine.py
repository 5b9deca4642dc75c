"""What a verifier makes of an index and its feed: hits, staleness, fresh answers, batches, distrusted keys."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest
from publisher import Hand, Monotonic, Scripted, stopped_monotonic
from support import (
    ABSENT,
    ISSUER,
    NOW,
    claims,
    clock_at,
    compact,
    dumps,
    error_of,
    header,
    policy,
    raw_claim,
    refuses,
    rejects,
    secret_key,
    signing_key,
    token,
    verification_key,
    verifier,
)

from jotgate import KeyRing, KeySet, TokenCache, VerificationKey, Verifier, jws
from jotgate._binding import Binding
from jotgate._key import KeySource, TrustCell
from jotgate._revoked import RevocationIndex
from jotgate.errors import PolicyError, StoreUnavailableError
from jotgate.keys.feed import Watched
from jotgate.stores.rules import NEVER

pytestmark = pytest.mark.usefixtures("frozen_clock")
FOR_EVER = 10**18


class Rules(Scripted, Watched):
    """A feed of rules in the test's hand."""

    def __init__(self, usable_until: int | None = None) -> None:
        super().__init__()
        self.index = RevocationIndex(self)  # type: ignore[arg-type]
        self.index.vouch_until(usable_until)
        self.asked: list[str] = []
        self.answers: list[Any] = []
        self.rested = 0

    def _newer(self, seen: None, want: str) -> Any:
        assert seen is None
        return self._answer(want)

    async def _newer_async(self, seen: None, want: str) -> Any:
        return self._answer(want)

    def _asked_now(self) -> None:
        self._answer("now")

    def _rest(self) -> None:
        self.rested += 1

    def warm(self) -> None:
        self._answer("warm")

    async def warm_async(self) -> None:
        self._answer("warm_async")

    def stats(self) -> dict[str, Any]:
        return {"asked": len(self.asked)}

    def take_back(self, *rules: tuple[str, str, str, int, int]) -> bool:
        self.index.merge(rules)
        return True

    def usable(self, until: int | None = None) -> bool:
        self.index.vouch_until(until)
        return True


def jti(name: str) -> tuple[str, str, str, int, int]:
    return "jti", "", name, 0, NOW + 1_000


def sub(name: str, before: int) -> tuple[str, str, str, int, int]:
    return "sub", "", name, before, NOW + 1_000


def epoch(number: int, issuer: str = "") -> tuple[str, str, str, int, int]:
    return "epoch", issuer, "", number, NEVER


def key(thumbprint: str) -> tuple[str, str, str, int, int]:
    return "key", "", thumbprint, 0, NEVER


def hits(way_in: Verifier) -> int:
    return int(way_in.stats()["hits"])


Way = Callable[[Verifier, str], Any]


def one(way_in: Verifier, text: str) -> Any:
    return way_in.verify(text)


def one_async(way_in: Verifier, text: str) -> Any:
    return asyncio.run(way_in.verify_async(text))


def many(way_in: Verifier, text: str) -> Any:
    (found,) = way_in.verify_batch([text])
    if isinstance(found, Exception):
        raise found
    return found


ways = pytest.mark.parametrize("way", [one, one_async, many])
cached = pytest.mark.parametrize("options", [{}, {"cache": None}], ids=["cache", "no cache"])


@pytest.fixture
def monotonic() -> Iterator[Monotonic]:
    with stopped_monotonic() as clock:
        yield clock


def code_of(way: Way, way_in: Verifier, text: str) -> tuple[str, str | None]:
    error = error_of(lambda: way(way_in, text))
    return error.code, error.claim


# -- rules


@ways
@cached
def test_an_iat_is_compared_exactly(way: Way, options: Any) -> None:
    rules = Rules()
    way_in = verifier(revocations=rules, **options)
    texts = {
        written: raw_claim("iat", written)
        for written in (f"{NOW - 1}.9", f"{NOW - 1}.999999999999", f"{NOW}", f"{NOW}.0", f"{NOW}.0000000000001")
    }
    for text in texts.values():
        assert way(way_in, text) if not text.endswith("1") else True
    rules.take_back(sub("user-4711", NOW))
    with clock_at(NOW + 1):
        for written, text in texts.items():
            if Fraction(written) < NOW:
                assert code_of(way, way_in, text) == ("revoked", None), written
            else:
                assert way(way_in, text), written
        assert code_of(way, way_in, token(iat=ABSENT)) == ("revoked", None)
        assert way(way_in, token(iat=ABSENT, sub="other"))


@ways
def test_the_session_is_a_str_where_sessions_can_be_over(way: Way) -> None:
    rules = Rules()
    assert way(verifier(), token(sid=5))
    assert code_of(way, verifier(revocations=rules), token(sid=5)) == ("wrong_type", "sid")
    assert code_of(way, verifier(revocations=rules), token(sid=None)) == ("wrong_type", "sid")
    assert way(verifier(revocations=rules), token(sid=""))
    assert way(verifier(require=["sid"]), token(sid=5))
    assert code_of(way, verifier(require=["sid"]), token()) == ("missing_claim", "sid")


def test_what_is_known_here_refuses_whatever_is_not_known() -> None:
    rules = Rules(0)
    rules.take_back(jti("a"))
    way_in = verifier(revocations=rules)
    refuses(way_in, token(jti="a"), "revoked")
    refuses(way_in, token(jti="b"), "store_unavailable")
    assert rules.asked == ["usable"]


# -- liveness


@ways
@cached
def test_nothing_is_accepted_before_the_store_was_read(way: Way, options: Any) -> None:
    rules = Rules(0)
    way_in = verifier(revocations=rules, **options)
    assert not way_in.ready
    for answer in (None, False):
        rules.answers = [answer]
        assert code_of(way, way_in, token()) == ("store_unavailable", None)
    assert rules.asked == ["usable"] * 2
    rules.answers = [rules.usable]
    assert way(way_in, token())
    assert way_in.ready
    assert way(way_in, token())
    assert len(rules.asked) == 3


@ways
def test_a_bad_token_is_refused_as_such_and_costs_the_store_nothing(way: Way) -> None:
    rules = Rules(0)
    way_in = verifier(revocations=rules)
    assert code_of(way, way_in, token(exp=NOW - 1)) == ("expired", "exp")
    assert code_of(way, way_in, token(key=b"x" * 32)) == ("bad_signature", None)
    assert rules.asked == []


@ways
def test_a_hit_counts_only_as_long_as_the_rules_are_vouched_for(way: Way, monotonic: Monotonic) -> None:
    rules = Rules()
    rules.index.vouch_until(10_010 * 10**9)
    way_in = verifier(revocations=rules)
    text = token()
    assert way(way_in, text)
    monotonic.forward(9.999)
    assert way(way_in, text)
    assert hits(way_in) == 1
    monotonic.forward(0.001)
    assert code_of(way, way_in, text) == ("store_unavailable", None)
    assert not way_in.ready
    rules.answers = [rules.usable]
    assert way(way_in, text)
    assert rules.asked == ["usable"] * 2


@ways
def test_what_was_taken_back_meanwhile_is_seen_when_the_rules_are_read(way: Way) -> None:
    rules = Rules(0)
    rules.answers = [lambda: rules.take_back(jti("a")) and rules.usable()]
    assert code_of(way, verifier(revocations=rules), token(jti="a")) == ("revoked", None)


def test_a_token_that_was_remembered_under_old_rules_is_looked_up_again() -> None:
    rules = Rules()
    way_in = verifier(revocations=rules)
    text = token(jti="a", sid="s")
    way_in.verify(text)
    rules.take_back(("sid", "https://other.example.com", "s", NEVER, NEVER))
    way_in.verify(text)
    assert hits(way_in) == 1
    rules.take_back(("sid", ISSUER, "s", NEVER, NEVER))
    refuses(way_in, text, "revoked")


# -- epochs


@ways
def test_an_epoch_ahead_asks_the_store_once(way: Way) -> None:
    rules = Rules()
    rules.take_back(epoch(3))
    way_in = verifier(revocations=rules)
    assert code_of(way, way_in, token(epoch=4)) == ("invalid_claim", "epoch")
    rules.answers = [None]
    assert code_of(way, way_in, token(epoch=4)) == ("store_unavailable", None)
    rules.answers = [lambda: rules.take_back(epoch(4))]
    assert way(way_in, token(epoch=4))
    assert code_of(way, way_in, token(epoch=3)) == ("revoked", None)
    rules.answers = [True, True, True]
    assert code_of(way, way_in, token(epoch=6)) == ("invalid_claim", "epoch")
    if way is not many:  # a batch goes on while each round decides some
        assert rules.asked == ["newer"] * 4
    assert code_of(way, way_in, token(epoch="4")) == ("wrong_type", "epoch")
    assert error_of(lambda: way(way_in, token(epoch=9))).args[0].endswith("the store of revocations tells of")


@ways
def test_a_stale_index_does_not_call_an_epoch_wrong(way: Way) -> None:
    rules = Rules(0)
    rules.take_back(epoch(3))
    way_in = verifier(revocations=rules)
    assert code_of(way, way_in, token(epoch=4)) == ("store_unavailable", None)
    assert code_of(way, way_in, token(epoch=2)) == ("revoked", None)
    rules.answers = [rules.usable, lambda: rules.take_back(epoch(4))]
    assert way(way_in, token(epoch=4))
    assert rules.asked == ["usable", "usable", "newer"]


def test_the_larger_of_two_epochs_holds() -> None:
    rules = Rules()
    rules.take_back(epoch(2), epoch(5, ISSUER), epoch(9, "https://other.example.com"))
    way_in = verifier(revocations=rules)
    assert way_in.verify(token(epoch=5))
    refuses(way_in, token(epoch=2), "revoked")
    rules.take_back(epoch(6))
    refuses(way_in, token(epoch=5), "revoked")
    assert way_in.verify(token(epoch=6))


def test_keys_and_rules_each_have_their_feed() -> None:
    keys, rules = Hand(epoch=1), Rules(0)
    rules.take_back(epoch(2))
    own = signing_key("HS256")
    way_in = Verifier(keys, policy(), revocations=rules)
    keys.answers = [lambda: keys.give(own, epoch=1)]
    rules.answers = [rules.usable]
    assert way_in.verify(token(epoch=2))
    assert (keys.asked, rules.asked) == (["usable"], ["usable"])


def test_of_keys_and_rules_who_heard_of_an_epoch_first_is_right() -> None:
    keys, rules = Hand(signing_key("HS256"), epoch=1), Rules()
    way_in = Verifier(keys, policy(), revocations=rules)
    keys.answers = [False]
    refuses(way_in, token(epoch=2), "invalid_claim", "epoch")
    assert (keys.asked, rules.asked) == (["newer"], [])
    rules.take_back(epoch(2, ISSUER))
    assert way_in.verify(token(epoch=2)), "the keys are behind"
    refuses(way_in, token(epoch=1), "revoked")
    assert way_in.verify_batch([token(epoch=2, jti="other"), token(epoch=1)]).code == ("accepted", "revoked")
    keys.give(signing_key("HS256"), epoch=3)
    assert way_in.verify(token(epoch=3)), "the rules are behind"
    refuses(way_in, token(epoch=2), "revoked")
    assert (keys.asked, rules.asked) == (["newer"], [])


# -- fresh


def test_fresh_asks_the_store_once_and_then_the_index_answers() -> None:
    rules = Rules(0)
    way_in = verifier(revocations=rules)
    text = token(jti="a")
    assert way_in.verify(text, fresh=True), "nothing is stale after the store was asked"
    assert asyncio.run(way_in.verify_async(text, fresh=True))
    assert rules.asked == ["now", "now"]
    rules.usable()
    assert way_in.verify(text, fresh=True)
    assert (hits(way_in), rules.asked) == (2, ["now"] * 3)
    rules.answers = [lambda: rules.take_back(jti("a"))]
    assert error_of(lambda: way_in.verify(text, fresh=True)).code == "revoked"
    assert rules.asked == ["now"] * 4
    assert error_of(lambda: way_in.verify(text, fresh=True)).code == "revoked"
    assert rules.asked == ["now"] * 4, "it is known: nothing the store says would change it"


@cached
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("error", [StoreUnavailableError("down", "store_unavailable"), RuntimeError("a secret")])
def test_a_store_that_cannot_be_asked_decides_nothing(options: Any, error: Exception, ahead: bool) -> None:
    rules = Rules()
    way_in = verifier(revocations=rules, **options)
    text = token(epoch=2) if ahead else token()
    if ahead:
        rules.take_back(epoch(1))
    else:
        way_in.verify(text)
    for _ in range(2):
        rules.answers = [error]
        refused = error_of(lambda: way_in.verify(text, fresh=True))
        assert (refused.code, refused.http_status) == ("store_unavailable", 503)
        rules.answers = [error]
        refused = error_of(lambda: asyncio.run(way_in.verify_async(text, fresh=True)))
        assert (refused.code, refused.claim, "secret" in str(refused)) == ("store_unavailable", None, False)
    if not ahead:
        assert way_in.verify(text)
    assert rules.asked == ["now"] * 4


def test_a_fresh_answer_about_an_epoch_is_the_last_word() -> None:
    rules = Rules()
    rules.take_back(epoch(3))
    way_in = verifier(revocations=rules)
    for run in (
        lambda: way_in.verify(token(epoch=4), fresh=True),
        lambda: asyncio.run(way_in.verify_async(token(epoch=4), fresh=True)),
    ):
        assert error_of(run).code == "invalid_claim"
    rules.answers = [lambda: rules.take_back(epoch(4))]
    assert way_in.verify(token(epoch=4), fresh=True)
    assert rules.asked == ["now"] * 3


def test_a_fresh_bad_token_costs_the_store_nothing() -> None:
    rules = Rules(0)
    way_in = verifier(revocations=rules)
    text = token()
    for code, bad in (("expired", token(exp=NOW - 1)), ("bad_signature", text[:-4] + "AAAA"), ("malformed", "junk")):
        assert error_of(lambda bad=bad: way_in.verify(bad, fresh=True)).code == code
        assert error_of(lambda bad=bad: asyncio.run(way_in.verify_async(bad, fresh=True))).code == code
    assert rules.asked == []


def test_asking_does_not_hold_up_the_event_loop() -> None:
    rules = Rules()
    way_in = verifier(revocations=rules)
    going = threading.Event()

    async def run() -> None:
        rules.answers = [lambda: going.wait(20)]
        asking = asyncio.ensure_future(way_in.verify_async(token(), fresh=True))
        while not rules.asked:
            await asyncio.sleep(0)
        assert not asking.done()
        going.set()
        assert await asking

    asyncio.run(run())


@pytest.mark.parametrize("fresh", [False, True])
def test_an_interrupt_while_the_store_is_asked_is_raised(fresh: bool) -> None:
    rules = Rules(0)
    way_in = verifier(revocations=rules)
    for interrupt in (KeyboardInterrupt(), SystemExit(3)):
        rules.answers = [interrupt]
        with pytest.raises(type(interrupt)):
            way_in.verify(token(), fresh=fresh)
    assert way_in.stats()["verdicts"]["undecided"] == 2


def test_a_bare_index_answers_fresh_questions_itself() -> None:
    index = RevocationIndex()
    way_in = verifier(revocations=index)
    assert way_in.verify(token(), fresh=True)
    assert way_in.verify(token(), fresh=True)
    assert hits(way_in) == 1
    index.vouch_until(0)
    assert error_of(lambda: way_in.verify(token(), fresh=True)).code == "store_unavailable"


# -- batches


@pytest.mark.parametrize("threads", [1, 4])
def test_a_batch_asks_once_for_all_that_is_undecided(threads: int) -> None:
    rules = Rules(0)
    rules.answers = [lambda: rules.take_back(*(jti(f"id{number}") for number in range(0, 200, 2))) and rules.usable()]
    way_in = verifier(revocations=rules)
    batch = way_in.verify_batch([token(jti=f"id{number}") for number in range(200)], threads)
    assert batch.code == ("revoked", "accepted") * 100
    assert rules.asked == ["usable"]


def test_a_batch_without_a_store_refuses_each_as_undecided() -> None:
    rules = Rules(0)
    rules.answers = [None]
    batch = verifier(revocations=rules).verify_batch([token(jti=f"{n}") for n in range(5)] + [token(exp=NOW - 1)])
    assert (batch.counts, batch.undecided) == ({"store_unavailable": 5, "expired": 1}, 5)


# -- an iat ahead


@ways
@cached
def test_an_iat_may_be_a_second_ahead_where_tokens_can_be_taken_back(way: Way, options: Any) -> None:
    def late(**more: Any) -> Verifier:
        return verifier(revocations=RevocationIndex(), **options, **more)

    for way_in in (late(), late(leeway=0.5)):
        assert way(way_in, token(iat=NOW + 1))
        assert way(way_in, token(iat=NOW + 1))
        assert code_of(way, way_in, raw_claim("iat", f"{NOW + 1}.000000001")) == ("invalid_claim", "iat")
    assert way(late(leeway=2), token(iat=NOW + 2))
    assert code_of(way, late(leeway=2), raw_claim("iat", f"{NOW + 2}.1")) == ("invalid_claim", "iat")
    assert code_of(way, verifier(**options), token(iat=NOW + 1)) == ("invalid_claim", "iat")
    way_in = late()
    assert way(way_in, token(iat=NOW + 1))
    with clock_at(NOW - 1, 999_999_999):
        assert code_of(way, way_in, token(iat=NOW + 1)) == ("invalid_claim", "iat")


def test_a_token_a_second_ahead_is_remembered() -> None:
    way_in = verifier(revocations=RevocationIndex())
    for _ in range(2):
        assert way_in.verify(token(iat=NOW + 1))
    assert hits(way_in) == 1


# -- distrusted keys


def test_a_distrusted_cell_refuses_before_any_cryptography() -> None:
    class Never:
        def copy(self) -> Any:
            raise AssertionError

    cell = TrustCell(KeySource())
    assert (cell.trusted, cell.distrusted) == (True, False)
    cell.distrust()
    assert (cell.trusted, cell.distrusted) == (False, True)
    assert repr(cell) == "<TrustCell trusted=False distrusted=True>"
    own = verification_key("HS256")
    binding = Binding(policy()._compiled, KeySet([own])._bind(("HS256",))._table, (cell,))
    way_in = verifier()
    way_in._bind(binding)
    refuses(way_in, token(), "revoked")
    refuses(way_in, compact(header("HS256"), b"not even claims"), "revoked")


def sources(alg: str) -> dict[str, Any]:
    own, other = verification_key(alg, kid="own"), verification_key(alg, kid="other", which=1)
    feed = Hand(signing_key(alg, kid="own"), signing_key(alg, kid="other", which=1))
    return {
        "key": own,
        "set": KeySet([own, other]),
        "feed": feed,
        "issuers": {ISSUER: (KeySet([own, other]), policy(alg))},
        "fed issuers": {ISSUER: (feed, policy(alg)), "x": (feed, policy(alg, issuer="x"))},
    }


@ways
@pytest.mark.parametrize(("alg", "fed"), [("HS256", True), ("ES256", False), ("RS256", True), ("ES384", False)])
@pytest.mark.parametrize("source", ["key", "set", "feed", "issuers", "fed issuers"])
@cached
def test_a_distrusted_key_reaches_every_verifier(way: Way, options: Any, alg: str, source: str, fed: bool) -> None:
    rules: Any = Rules() if fed else RevocationIndex()
    index = rules.index if fed else rules
    keys = sources(alg)[source]
    way_in = Verifier(keys, None if "issuers" in source else policy(alg), revocations=rules, **options)
    text = compact(header(alg, kid="own"), alg=alg, key=secret_key(alg))
    other = compact(header(alg, kid="other"), alg=alg, key=secret_key(alg, 1))
    assert way(way_in, text)
    index.merge([key(verification_key(alg).thumbprint())])
    for _ in range(2):
        assert code_of(way, way_in, text) == ("revoked", None)
        assert code_of(way, way_in, text[: -len(text.rpartition(".")[2])] + "AAAA") == ("revoked", None)
    if source != "key":
        assert way(way_in, other)
    later = Verifier(sources(alg)[source], None if "issuers" in source else policy(alg), revocations=rules, **options)
    assert code_of(way, later, text) == ("revoked", None)


def test_a_distrusted_key_that_left_and_came_back_is_distrusted_still() -> None:
    rules = Rules()
    one, other = signing_key("ES256", kid="a"), signing_key("ES256", kid="b", which=1)
    feed = Hand(one, other)
    way_in = Verifier(feed, policy("ES256"), revocations=rules)
    text = jws.sign(claims(), one)
    way_in.verify(text)
    rules.take_back(key(one.public().thumbprint()))
    refuses(way_in, text, "revoked")
    feed.give(other)
    refuses(way_in, text, "unknown_key")
    feed.give(one, other)
    refuses(way_in, text, "revoked")
    way_in.replace_keys(KeySet([one.public()]))
    refuses(way_in, text, "revoked")
    way_in.replace_keys(KeySet([signing_key("ES256", kid="c").public()]))
    refuses(way_in, jws.sign(claims(), signing_key("ES256", kid="c")), "revoked")


def test_a_key_of_a_ring_is_distrusted(tmp_path: Any) -> None:
    with KeyRing(tmp_path / "ring", create=True, algorithm="ES256") as ring:
        rules = Rules()
        way_in = Verifier(ring, policy("ES256"), revocations=rules)
        text = jws.sign(claims(epoch=0), ring.signer())
        way_in.verify(text)
        rules.take_back(key(VerificationKey.from_jwk(ring.signer().public_jwk()).thumbprint()))
        refuses(way_in, text, "revoked")


def test_a_key_that_is_distrusted_while_it_is_used_counts_no_more() -> None:
    rules = Rules()
    own = verification_key("ES256", kid="k")
    way_in = Verifier(own, policy("ES256"), revocations=rules)
    texts = [compact(header("ES256", kid="k"), claims(jti=f"{n}"), alg="ES256") for n in range(300)]
    wrong: list[str] = []
    over, done = threading.Event(), threading.Event()

    def verify() -> None:
        while not done.is_set():
            known = over.is_set()
            codes = set(way_in.verify_batch(texts, threads=1).code)
            if known and codes != {"revoked"}:
                wrong.append(str(codes))

    threads = [threading.Thread(target=verify) for _ in range(3)]
    for thread in threads:
        thread.start()
    way_in.verify(texts[0])
    rules.take_back(key(own.thumbprint()))
    over.set()
    for text in texts:
        refuses(way_in, text, "revoked")
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- what is given as revocations


def test_what_a_verifier_takes_as_revocations() -> None:
    class Undecided(Rules):
        def _watch(self, watcher: Any) -> None:
            raise PolicyError("say what happens when the store is silent")

    class OnlyIndex:
        index = RevocationIndex()

    rejects("invalid_policy", lambda: verifier(revocations=OnlyIndex()))
    cache = TokenCache()
    rejects("invalid_policy", lambda: verifier(revocations=Undecided(), cache=cache))
    assert verifier(revocations=Rules(), cache=cache), "the cache was not taken by the one that could not be built"
    rules = Rules()
    rejects("invalid_policy", lambda: verifier(revocations=rules, cache=cache))
    assert rules.rested == 1, "nobody watches it"
    by_index = verifier(revocations=rules.index)
    rules.index.vouch_until(0)
    refuses(by_index, token(), "store_unavailable")
    assert rules.asked == ["usable"], "its feed was found"


def test_a_verifier_looks_after_its_rules() -> None:
    rules = Rules(0)
    way_in = verifier(revocations=rules)
    way_in.warm()
    asyncio.run(way_in.warm_async())
    assert rules.asked == ["warm", "warm_async"]
    rules.answers = [StoreUnavailableError("down", "store_unavailable")]
    assert error_of(way_in.warm).code == "store_unavailable"
    assert way_in.stats()["revocations"] == {"asked": 3}
    assert not rules.rested
    with way_in:
        pass
    assert rules.rested == 1
    bare = RevocationIndex()
    bare.merge([jti("a")])
    stats = verifier(revocations=bare).stats()["revocations"]
    assert stats == {"rules": {"jti": 1, "sub": 0, "sid": 0, "epoch": 0, "key": 0}, "bytes": bare.nbytes}
    assert verifier().stats()["revocations"] == {}


def test_a_closed_verifier_still_learns_of_keys() -> None:
    rules = Rules()
    way_in = verifier(revocations=rules)
    way_in.close()
    rules.take_back(key(verification_key("HS256").thumbprint()))
    refuses(way_in, token(), "revoked")


def test_escaped_claims_are_the_claims_they_spell() -> None:
    index = RevocationIndex()
    index.merge([("jti", ISSUER, "ab", 0, NEVER)])
    way_in = verifier(revocations=index)
    spelled = dumps(claims())[:-1].replace(b'"https:', b'"\\u0068ttps:') + rb',"jti":"\u0061b"}'
    refuses(way_in, compact(header("HS256"), spelled), "revoked")

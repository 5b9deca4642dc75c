"""Taking back, and what a verifier makes of it."""

import asyncio
import threading
from functools import partial

import pytest
from publisher import A, B, stopped_monotonic
from store_in_hand import HeldStore
from support import AUDIENCE, CLASS_OF_CODE, ISSUER, NOW, clock_at, error_of, policy, refuses, rejects

from jotgate import Issuer, KeySet, Revocations, Verifier, jws
from jotgate._revoked import RevocationIndex
from jotgate.errors import PolicyError, RevokedTokenError, StoreUnavailableError
from jotgate.stores.memory import MemoryStore
from jotgate.stores.rules import NEVER, Rule, RuleKey

OTHER = "https://other.example.com"
CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 3600, "iat": NOW - 10, "jti": "id", "sub": "alice", "sid": "s"}


def token(key=A, **more):
    return jws.sign({name: value for name, value in (CLAIMS | more).items() if value is not None}, key)


def refuses_fresh(verifier, text, code):
    error = error_of(lambda: verifier.verify(text, fresh=True))
    assert error.code == code
    assert type(error) is CLASS_OF_CODE[code]


@pytest.fixture(autouse=True)
def monotonic(frozen_clock):
    with stopped_monotonic() as clock:
        yield clock


@pytest.fixture
def store():
    return HeldStore()


@pytest.fixture
def world(store):
    """Revocations whose thread is stopped: the test asks with `fresh`, or writes by the same object."""
    revocations = Revocations(store, issuer=ISSUER, on_stale="refuse")
    verifier = Verifier(KeySet([A.public(), B.public()]), policy("ES256"), revocations=revocations)
    yield revocations, verifier
    verifier.close()


# -- what is taken back


TAKEN = {
    "jti": lambda it: it.revoke("id", NOW + 3600),
    "token": lambda it: it.revoke_token(Verifier(KeySet([A.public()]), policy("ES256")).verify(token())),
    "subject": lambda it: it.revoke_subject("alice"),
    "session": lambda it: it.revoke_session("s"),
    "epoch": lambda it: it.epochs.advance(),
    "key": lambda it: it.revoke_key(A.thumbprint()),
}


@pytest.mark.parametrize("take_back", TAKEN.values(), ids=TAKEN)
def test_what_is_taken_back_is_refused_at_once_remembered_or_not(world, take_back):
    revocations, verifier = world
    text = token()
    verifier.verify(text)
    verifier.verify(text)
    assert verifier.stats()["hits"] == 1
    take_back(revocations)
    refuses(verifier, text, "revoked")
    refuses(verifier, token(jti="id", nonce="1"), "revoked")
    assert verifier.verify_batch([text, token(jti="id", nonce="2")]).code == ("revoked", "revoked")


@pytest.mark.parametrize("take_back", TAKEN.values(), ids=TAKEN)
def test_others_learn_of_it(store, take_back):
    writer = Revocations(store, issuer=ISSUER)
    reader = Revocations(store, on_stale="refuse")
    with Verifier(KeySet([A.public(), B.public()]), policy("ES256"), revocations=reader) as verifier:
        text = token()
        verifier.verify(text)
        take_back(writer)
        refuses_fresh(verifier, text, "revoked")
        refuses(verifier, text, "revoked")


@pytest.mark.parametrize(
    ("take_back", "claims"),
    [
        (TAKEN["jti"], {"jti": "other"}),
        (TAKEN["jti"], {"jti": None}),
        (TAKEN["subject"], {"sub": "bob"}),
        (TAKEN["subject"], {"sub": None}),
        (TAKEN["subject"], {"iat": NOW + 1}),
        (TAKEN["session"], {"sid": "other"}),
        (TAKEN["session"], {"sid": None}),
        (TAKEN["epoch"], {"epoch": 1}),
    ],
)
def test_what_is_not_taken_back_is_not(world, take_back, claims):
    revocations, verifier = world
    take_back(revocations)
    verifier.verify(token(**claims))
    refuses(verifier, token(), "revoked")


@pytest.mark.parametrize("name", [name for name in TAKEN if name != "key"])
def test_a_rule_about_one_issuer_says_nothing_about_another(store, name):
    revocations = Revocations(store, issuer=ISSUER, on_stale="refuse")
    issuers = {
        ISSUER: (KeySet([A.public()]), policy("ES256")),
        OTHER: (KeySet([B.public()]), policy("ES256", issuer=OTHER)),
    }
    with Verifier(issuers, revocations=revocations) as verifier:
        TAKEN[name](revocations)
        verifier.verify(token(B, iss=OTHER))
        refuses(verifier, token(), "revoked")
        TAKEN[name](Revocations(store))
        refuses_fresh(verifier, token(B, iss=OTHER), "revoked")


def test_issued_before_is_by_the_second(world):
    revocations, verifier = world
    assert revocations.revoke_subject("alice") == NOW + 1
    for iat in (0, NOW - 1, NOW, NOW + 0.999):
        refuses(verifier, token(iat=iat), "revoked")
    refuses(verifier, token(iat=None), "revoked")
    verifier.verify(token(iat=NOW + 1))
    refuses(verifier, token(iat=NOW + 1.5), "invalid_claim")


def test_the_latest_of_several_rules_holds(world):
    revocations, verifier = world
    revocations.revoke_subject("alice")
    with clock_at(NOW + 100):
        Revocations(revocations._store).revoke_subject("alice")
        refuses_fresh(verifier, token(iat=NOW + 50), "revoked")
        verifier.verify(token(iat=NOW + 101))


def test_an_issuer_that_knows_the_rules_dates_the_next_token_so_that_it_counts(world):
    revocations, verifier = world
    issuer = Issuer(ISSUER, A, revocations=revocations)
    first = issuer.issue("alice", AUDIENCE)
    verifier.verify(first)
    revocations.revoke_subject("alice")
    refuses(verifier, first, "revoked")
    assert verifier.verify(issuer.issue("alice", AUDIENCE)).issued_at == NOW + 1
    revocations.revoke_session("s")
    with pytest.raises(PolicyError) as caught:
        issuer.issue("alice", AUDIENCE, session="s")
    assert caught.value.code == "revoked"


def test_epochs_are_the_issuers_and_the_stores(store):
    one, other = Revocations(store, issuer=ISSUER), Revocations(store, issuer=OTHER)
    assert one.epochs.current() == 0
    assert [one.epochs.advance(), one.epochs.advance()] == [1, 2]
    assert (one.epochs.current(), other.epochs.current()) == (2, 0)
    issuer = Issuer(ISSUER, A, epochs=one.epochs)
    revocations = Revocations(store, on_stale="refuse")
    with Verifier(KeySet([A.public()]), policy("ES256"), revocations=revocations) as verifier:
        text = issuer.issue("alice", AUDIENCE)
        verifier.verify(text)
        one.epochs.advance()
        newer = issuer.issue("alice", AUDIENCE)
        verifier.verify(newer)  # ahead of the mirror: it asks
        refuses(verifier, text, "revoked")


# -- when the store is silent


def test_a_verifier_wants_to_know_what_silence_means():
    revocations = Revocations(MemoryStore())
    rejects("invalid_policy", lambda: Verifier(KeySet([A.public()]), policy("ES256"), revocations=revocations))


@pytest.mark.parametrize(
    "options",
    [
        {"on_stale": "accept"},
        {"on_stale": "accept_for"},
        {"on_stale": "refuse", "accept_for": 5},
        {"accept_for": 5},
        {"on_stale": "accept_for", "accept_for": -1},
        {"on_stale": "accept_for", "accept_for": float("nan")},
        {"on_stale": "accept_for", "accept_for": True},
        {"max_lag": 1.9},
        {"max_lag": "10"},
        {"keep": 0},
        {"issuer": ""},
        {"issuer": 1},
    ],
)
def test_options_that_say_nothing_are_refused(options):
    rejects("invalid_policy", lambda: Revocations(MemoryStore(), **options))
    rejects("invalid_policy", lambda: Revocations(object()))


@pytest.mark.parametrize(
    ("options", "within", "beyond"),
    [
        ({"on_stale": "refuse"}, 9.9, 10.1),
        ({"on_stale": "refuse", "max_lag": 3}, 2.9, 3.1),
        ({"on_stale": "accept_for", "accept_for": 60}, 69.9, 70.1),
        ({"on_stale": "accept_until_exp"}, 3000, None),
    ],
)
def test_silence(store, options, within, beyond, monotonic):
    revocations = Revocations(store, **options)
    with Verifier(KeySet([A.public()]), policy("ES256"), revocations=revocations) as verifier:
        hot, gone = token(), token(jti="gone")
        verifier.verify(hot)
        verifier.verify(gone)
        revocations.revoke("gone", NOW + 3600)
        revocations._mirror.ask()
        store.stop()
        monotonic.forward(within)
        verifier.verify(hot)
        verifier.verify(token(nonce=str(within)))
        refuses(verifier, gone, "revoked")
        assert verifier.stats()["revocations"]["state"] == ("late" if within > 10 else "current")
        refuses_fresh(verifier, hot, "store_unavailable")
        if beyond is None:
            return
        monotonic.forward(beyond - within)
        refuses(verifier, hot, "store_unavailable")
        refuses(verifier, token(nonce="new"), "store_unavailable")
        assert verifier.verify_batch([hot, token(nonce="newer")]).code == ("store_unavailable",) * 2
        refuses(verifier, gone, "revoked")  # what is known is known
        refuses(verifier, token(exp=NOW - 1), "expired")
        assert verifier.stats()["revocations"]["state"] == "refusing"
        assert not verifier.ready
        store.resume()
        revocations._mirror.ask()
        verifier.verify(hot)
        assert verifier.ready


@pytest.mark.parametrize("on_stale", ["refuse", "accept_until_exp", "accept_for"])
def test_nothing_is_accepted_before_everything_was_read(store, on_stale):
    store.stop()
    options = {"accept_for": 1000} if on_stale == "accept_for" else {}
    revocations = Revocations(store, on_stale=on_stale, **options)
    with Verifier(KeySet([A.public()]), policy("ES256"), revocations=revocations) as verifier:
        assert verifier.stats()["revocations"]["state"] == "unknown"
        refuses(verifier, token(), "store_unavailable")
        assert verifier.verify_batch([token()]).code == ("store_unavailable",)
        rejects("store_unavailable", lambda: verifier.warm())
        assert not verifier.ready


def test_a_write_that_fails_is_an_error_and_nothing_is_forgotten(world, store):
    revocations, verifier = world
    verifier.verify(token())
    store.stop()
    for take_back in (TAKEN["jti"], TAKEN["subject"], TAKEN["session"], TAKEN["epoch"], TAKEN["key"]):
        rejects("store_unavailable", partial(take_back, revocations))
    verifier.verify(token())
    store.resume()
    revocations.revoke("id", NOW + 3600)
    refuses(verifier, token(), "revoked")


def test_in_an_event_loop(store):
    writer = Revocations(store, issuer=ISSUER)

    async def run():
        revocations = Revocations(store, on_stale="refuse")
        with Verifier(KeySet([A.public()]), policy("ES256"), revocations=revocations) as verifier:
            await verifier.warm_async()
            text = token()
            await verifier.verify_async(text)
            verifier.verify(text)
            writer.revoke("id", NOW + 3600)
            with pytest.raises(RevokedTokenError) as caught:
                await verifier.verify_async(text, fresh=True)
            assert caught.value.code == "revoked"
            writer.epochs.advance()
            await verifier.verify_async(token(jti="other", epoch=1))
            store.stop()
            with pytest.raises(StoreUnavailableError):
                await verifier.verify_async(token(jti="other", epoch=1), fresh=True)

    asyncio.run(run())


def test_what_is_written_is_kept_as_long_as_it_says_something(store):
    revocations = Revocations(store, issuer=ISSUER, keep=86_400)
    revocations.revoke("id", NOW + 100)
    revocations.revoke_subject("alice")
    revocations.revoke_session("s")
    revocations.revoke_key(A.thumbprint())
    revocations.epochs.advance()
    assert {rule for portion in store.inner.snapshot().rules for rule in portion} == {
        Rule("jti", ISSUER, "id", 0, NOW + 700),
        Rule("sub", ISSUER, "alice", NOW + 1, NOW + 1 + 86_400 + 600),
        Rule("sid", ISSUER, "s", NEVER, NOW + 1 + 86_400 + 600),
        Rule("key", "", A.thumbprint(), 0, NEVER),
        Rule("epoch", ISSUER, "", 1, NEVER),
    }


@pytest.mark.parametrize("until", [-1, 600, NOW * 1000, NOW + 0.5, str(NOW), None, True])
def test_until_is_a_whole_number_of_seconds(until):
    rejects("invalid_policy", lambda: Revocations(MemoryStore()).revoke("id", until))


@pytest.mark.parametrize("name", ["", None, b"id", 5])
def test_names_are_texts(name):
    revocations = Revocations(MemoryStore())
    for take_back in (
        lambda: revocations.revoke(name, 1),
        lambda: revocations.revoke_subject(name),
        lambda: revocations.revoke_session(name),
        lambda: revocations.revoke_key(name),
    ):
        rejects("invalid_policy", take_back)


def test_a_token_without_an_id_is_taken_back_by_its_subject():
    revocations = Revocations(MemoryStore())
    rejects(
        "invalid_policy",
        lambda: revocations.revoke_token(Verifier(KeySet([A.public()]), policy("ES256")).verify(token(jti=None))),
    )


def test_a_token_without_an_end_is_taken_back_for_ever(store):
    open_end = policy("ES256", require=("iss", "aud"))
    Revocations(store).revoke_token(Verifier(KeySet([A.public()]), open_end).verify(token(exp=None)))
    assert store.inner.rules([RuleKey("jti", "", "id")]) == [Rule("jti", "", "id", 0, NEVER)]


def test_what_nobody_asks_rests_and_what_is_asked_again_wakes(store):
    revocations = Revocations(store, on_stale="accept_until_exp")
    one = Verifier(KeySet([A.public()]), policy("ES256"), revocations=revocations)
    other = Verifier(KeySet([A.public()]), policy("ES256"), revocations=revocations)
    one.verify(token())
    one.close()
    other.verify(token())
    other.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "jotgate-revoked"]
    assert not revocations.ready, "nobody hears of what is taken back now"
    Revocations(store).revoke("id", NOW + 3600)
    refuses(other, token(), "revoked")
    other.close()


def test_a_repr_says_how_it_is_and_nothing_else(world, store):
    revocations, verifier = world
    assert repr(revocations) == "<Revocations unknown>"
    verifier.warm()
    revocations.revoke_subject("alice")
    assert repr(revocations) == "<Revocations current>"
    assert "alice" not in repr(verifier.stats()["revocations"])


def test_a_key_that_is_taken_back_while_a_verifier_is_made_is_not_trusted_by_it(monkeypatch):
    index = RevocationIndex()
    watch = Verifier._watch_rules

    def late(verifier):
        index.merge([Rule("key", "", A.thumbprint(), 0, NEVER)])
        watch(verifier)

    monkeypatch.setattr(Verifier, "_watch_rules", late)
    verifier = Verifier(KeySet([A.public()]), policy("ES256"), revocations=index)
    refuses(verifier, token(), "revoked")


def test_a_token_of_another_issuer_is_taken_back_as_its_own(store):
    anybody = Verifier(KeySet([A.public()]), policy("ES256", issuer=OTHER))
    Revocations(store, issuer=ISSUER).revoke_token(anybody.verify(token(iss=OTHER)))
    revocations = Revocations(store, on_stale="refuse")
    with Verifier(KeySet([A.public()]), policy("ES256", issuer=OTHER), revocations=revocations) as verifier:
        refuses(verifier, token(iss=OTHER), "revoked")


@pytest.mark.parametrize("name", ["kid-1", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "+", "A" * 43 + "\n"])
def test_a_key_is_named_by_its_thumbprint_and_nothing_else(store, name):
    rejects("invalid_policy", lambda: Revocations(store).revoke_key(name))
    assert store.names() == []


@pytest.mark.parametrize("name", ["\ud800", "a\udfff"])
def test_what_is_no_text_is_not_written(store, name):
    revocations = Revocations(store)
    for call in (revocations.revoke_subject, revocations.revoke_session, lambda each: revocations.revoke(each, NOW)):
        rejects("invalid_policy", partial(call, name))
    rejects("invalid_policy", lambda: Revocations(store, issuer=name))
    assert store.names() == []


def test_the_next_epoch_is_above_one_that_the_mirror_has_not_heard_of(store):
    world = Revocations(store, issuer=ISSUER, on_stale="accept_until_exp")
    world.warm()
    store.changes = lambda since, wait: (_ for _ in ()).throw(StoreUnavailableError("held"))
    for _ in range(3):
        Revocations(store).epochs.advance()
    assert world.epochs.advance() == 4
    world.close()


def test_an_issuer_asks_its_own_rules(store):
    for other in (Revocations(store), Revocations(store, issuer=OTHER)):
        rejects("invalid_policy", lambda other=other: Issuer(ISSUER, A, revocations=other))


def test_a_store_that_must_not_be_used_is_said_when_it_is_warmed(store):
    store.stop(PolicyError("the store evicts"))
    with Revocations(store, on_stale="refuse") as revocations:
        assert "the store evicts" in str(rejects("invalid_policy", revocations.warm))


def test_only_a_token_is_a_token():
    rejects("invalid_policy", lambda: Revocations(MemoryStore()).revoke_token(token()))

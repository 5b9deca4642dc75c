"""Verifiers whose keys come from a feed: epochs, several issuers, batches, and keys that change under way."""

import threading

import pytest
from publisher import URL, A, B, C, Hand, Publisher, stopped_monotonic
from support import AUDIENCE, ISSUER, error_of, policy, refuses, rejects, signing_key

from jotgate import KeySet, RemoteKeySet, Verifier, jws

CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": 32503680000}
EXPECTED = policy("ES256")
OTHER = "https://other.example.com"


def token(key=A, **more):
    return jws.sign(CLAIMS | more, key)


def hits(way_in):
    return way_in.stats()["hits"]


# -- epochs


@pytest.mark.parametrize(
    ("written", "code", "claim"),
    [
        (3, None, None),
        (2, "revoked", None),
        (0, "revoked", None),
        (None, "revoked", None),
        (4, "invalid_claim", "epoch"),
        (10**30, "malformed", None),
        (2**63, "invalid_claim", "epoch"),
        (-3, "wrong_type", "epoch"),
        (3.0, "wrong_type", "epoch"),
        (True, "wrong_type", "epoch"),
        ("3", "wrong_type", "epoch"),
        ([3], "wrong_type", "epoch"),
    ],
)
def test_a_token_carries_the_epoch_of_its_issuer(written, code, claim):
    way_in = Verifier(Hand(A, epoch=3), EXPECTED)
    more = {} if written is None else {"epoch": written}
    try:
        text = token(A, **more)
    except ValueError:  # an integer that no token of ours can carry
        assert code == "malformed"
        return
    for verify in (way_in.verify, lambda one: way_in.verify_batch([one])[0]):
        if code is None:
            assert verify(text)["epoch"] == 3
            continue
        found = error_of(lambda verify=verify: verify(text)) if verify == way_in.verify else verify(text)
        assert (found.code, found.claim) == (code, claim)


def test_where_no_epochs_are_counted_the_claim_means_nothing():
    way_in = Verifier(Hand(A), EXPECTED)
    for value in (-1, "x", 7, None):
        assert way_in.verify(token(A, epoch=value))
    assert Verifier(Hand(A, epoch=0), EXPECTED).verify(token(A))
    demanding = Verifier(Hand(A), policy("ES256", require=("exp", "iss", "aud", "epoch")))
    refuses(demanding, token(A), "missing_claim", "epoch")
    assert demanding.verify(token(A, epoch=1))


def test_a_new_epoch_refuses_every_remembered_token_on_the_next_call():
    feed = Hand(A, epoch=0)
    way_in = Verifier(feed, EXPECTED)
    texts = [token(A, jti=str(number)) for number in range(200)]
    for text in texts * 2:
        assert way_in.verify(text)
    assert hits(way_in) >= 200
    feed.give(A, epoch=1)
    assert {way_in.verify_batch(texts).code[0]} == {"revoked"}
    for text in texts:
        refuses(way_in, text, "revoked")
    assert way_in.verify(token(A, epoch=1))


def test_an_epoch_ahead_is_looked_up_before_it_is_refused():
    feed = Hand(A, epoch=1)
    way_in = Verifier(feed, EXPECTED)
    feed.answers = [lambda: feed.give(A, epoch=2)]
    assert way_in.verify(token(A, epoch=2))
    refuses(way_in, token(A, epoch=3), "invalid_claim", "epoch")
    assert feed.asked == ["newer", "newer"]


def test_an_epoch_of_a_document_never_goes_back():
    publisher = Publisher(A, jotgate_epoch=4)
    with publisher.keys() as remote, Verifier(remote, EXPECTED) as way_in:
        assert way_in.verify(token(A, epoch=4))
        assert remote.stats()["epoch"] == 4
        publisher.publish(A, B, jotgate_epoch=3)
        assert "older" in str(rejects("key_fetch_failed", remote.refresh))
        publisher.publish(A, jotgate_epoch=5)
        remote.refresh()
        refuses(way_in, token(A, epoch=4), "revoked")


# -- what is asked of a feed, and how often


def test_what_a_feed_answers_decides():
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED)
    for answer, code in ((False, "unknown_key"), (None, "key_fetch_failed"), (OSError("secret"), "key_fetch_failed")):
        feed.answers = [answer]
        refuses(way_in, token(B), code)
    feed.answers = [True, True, True]
    refuses(way_in, token(B), "unknown_key")
    assert feed.asked == ["newer"] * 4, "a verdict asks for the same thing once"
    feed.give(A, usable_until=0)
    feed.asked.clear()
    feed.answers = [lambda: feed.give(A), lambda: feed.give(A, B)]
    assert way_in.verify(token(B)).kid == "b"
    assert feed.asked == ["usable", "newer"]


def test_only_what_newer_keys_could_change_asks_for_them():
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED)
    for text in ("junk", token(A)[:-4] + "AAAA", token(A, exp=1), token(A, aud="x"), token(signing_key("RS256"))):
        assert error_of(lambda text=text: way_in.verify(text)).code != "unknown_key"
    assert feed.asked == []


# -- batches


def test_a_batch_fetches_the_first_keys():
    publisher = Publisher(A)
    with publisher.keys() as remote, Verifier(remote, EXPECTED) as way_in:
        found = way_in.verify_batch([token(A), "junk", token(B), token(A, exp=1), token(A)])
        assert found.code == ("accepted", "malformed", "unknown_key", "expired", "accepted")
        assert found[0].kid == "a"
        assert len(publisher.calls) == 1
        assert way_in.stats()["verdicts"]["accepted"] == 2


def test_a_batch_looks_for_unknown_kids_once():
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED)
    feed.answers = [lambda: feed.give(A, B)]
    texts = [token(A), token(B), token(C), token(B, jti="2"), token(A)]
    found = way_in.verify_batch(texts, threads=2)
    assert found.code == ("accepted", "accepted", "unknown_key", "accepted", "accepted")
    assert [each.kid for each in found if each.__class__.__name__ == "VerifiedToken"] == ["a", "b", "b", "a"]
    assert feed.asked == ["newer"]


def test_a_batch_of_what_cannot_be_decided():
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED)
    feed.answers = [None]
    found = way_in.verify_batch([token(A), token(B)])
    assert found.code == ("accepted", "key_fetch_failed")
    assert found.undecided == 1
    feed.give(A, usable_until=0)
    assert way_in.verify_batch([token(A, jti="x")] * 3).counts == {"key_fetch_failed": 3}


def test_a_lease_that_ends_within_a_batch_is_renewed():
    feed = Hand(A, usable_until=0)
    way_in = Verifier(feed, EXPECTED)
    rounds = []

    def extend():
        rounds.append(1)
        return feed.give(A, usable_until=0 if len(rounds) < 2 else None)

    feed.answers = [extend, extend, extend]
    found = way_in.verify_batch([token(A, jti=str(number)) for number in range(100)])
    assert found.counts == {"key_fetch_failed": 100}, "a renewal that decides nothing is not repeated"
    found = way_in.verify_batch([token(A, jti=str(number)) for number in range(100)])
    assert found.counts == {"accepted": 100}


def test_a_result_stays_after_its_keys_have_expired():
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED, cache=None)
    found = way_in.verify_batch([token(A, jti=str(number)) for number in range(50)])
    feed.give(B, usable_until=0)
    assert all(each.kid == "a" for each in found)


# -- several issuers


def test_two_issuers_with_one_kid_keep_their_keys_apart():
    mine, theirs = Publisher(A), Publisher(A.generate("ES256", kid="a"))
    other = A.generate("ES256", kid="a")
    theirs.publish(other)
    with mine.keys() as one, theirs.keys() as two:
        way_in = Verifier(
            {ISSUER: (one, EXPECTED), OTHER: (two, policy("ES256", issuer=OTHER))},
        )
        assert way_in.verify(token(A)).issuer == ISSUER
        assert way_in.verify(token(other, iss=OTHER)).issuer == OTHER
        refuses(way_in, token(A, iss=OTHER), "bad_signature")
        refuses(way_in, token(other), "bad_signature")
        assert set(way_in.stats()["keys"]) == {ISSUER, OTHER}
        assert way_in.ready


def test_a_change_at_one_issuer_leaves_the_others_alone():
    one, two = Hand(A, epoch=0), Hand(B)
    way_in = Verifier({ISSUER: (one, EXPECTED), OTHER: (two, policy("ES256", issuer=OTHER))}, backend="cryptography")
    texts = [token(A), token(B, iss=OTHER)]
    for text in texts * 2:
        assert way_in.verify(text)
    one.give(C, epoch=0)
    before = hits(way_in)
    assert way_in.verify(texts[1])
    assert hits(way_in) == before + 1
    refuses(way_in, texts[0], "unknown_key")
    assert one.asked == ["newer"]
    assert two.asked == []


# -- keys that change hands


def test_keys_are_replaced_by_others_of_any_kind():
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED)
    assert way_in.verify(token(A))
    way_in.replace_keys(KeySet([A.public(), B.public()]))
    assert way_in.stats()["keys"] == {}
    feed.give(C)
    assert way_in.verify(token(B)).kid == "b"
    refuses(way_in, token(C), "unknown_key")
    way_in.replace_keys(feed)
    assert way_in.verify(token(C)).kid == "c"
    feed.give(B)
    refuses(way_in, token(C), "unknown_key")


def test_the_signature_layer_takes_the_keys_of_now():
    feed = Hand(A)
    assert jws.verify(token(A), feed, algorithms=["ES256"]).kid == "a"
    error = error_of(lambda: jws.verify(token(A), Hand(), algorithms=["ES256"]))
    assert error.code == "key_fetch_failed"
    assert feed.asked == []


def test_an_unchanged_key_is_prepared_once():
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED)
    first = way_in._binder._issuers[b""].parts.keys
    again = A.from_jwk(A.to_jwk(private=True))
    feed.give(again, B)
    kept = {key.kid: key for key in way_in._binder._issuers[b""].parts.keys}
    assert kept["a"] is next(iter(first))
    assert kept["a"]._handle.in_lane(lambda _: None) is next(iter(first))._handle.in_lane(lambda _: None)


def test_warming_and_readiness():
    feed = Hand()
    way_in = Verifier(feed, EXPECTED)
    assert not way_in.ready
    way_in.warm()
    assert feed.asked == ["warm"]
    with stopped_monotonic() as clock:
        feed.give(A, usable_until=10_010 * 10**9)
        assert way_in.ready
        clock.forward(10)
        assert not way_in.ready
    assert Verifier(A.public(), EXPECTED).ready


def test_threads_that_verify_while_keys_change():
    feed = Hand(A, B)
    way_in = Verifier(feed, EXPECTED)
    texts = [token(key, jti=str(number)) for key in (A, B) for number in range(40)]
    done = threading.Event()
    codes = set()

    def verify():
        while not done.is_set():
            for text in texts:
                try:
                    codes.add(way_in.verify(text).kid)
                except Exception as error:
                    codes.add(getattr(error, "code", repr(error)))

    threads = [threading.Thread(target=verify) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(300):
        feed.give(*((A, B) if turn % 2 else (A,)))
    done.set()
    for thread in threads:
        thread.join()
    assert codes <= {"a", "b", "unknown_key"}
    feed.give(A)
    for text in texts[40:]:
        refuses(way_in, text, "unknown_key")


# -- for_issuer


def test_for_issuer_takes_the_parameters_that_everybody_uses():
    way_in = Verifier.for_issuer(ISSUER, audience=AUDIENCE, algorithms=["ES256"], leeway=10, typ="at+jwt")
    assert way_in.stats()["keys"][""]["url"] is None
    local = Verifier.for_issuer(
        "http://127.0.0.1:1", audience=AUDIENCE, algorithms=["ES256"], allow_http=True, max_stale=0, leeway=1
    )
    assert not local.ready
    with pytest.raises(TypeError):
        Verifier.for_issuer(ISSUER, audience=AUDIENCE, algorithms=["ES256"], stale=0)
    plain = Verifier.for_issuer(ISSUER, audience=AUDIENCE, algorithms=["ES256"], tables=False)
    assert plain.stats()["tables"]["reason"] == "this verifier uses none"
    direct = Verifier.for_issuer(ISSUER, audience=AUDIENCE, algorithms=["ES256"], jwks_uri=URL)
    assert direct.stats()["keys"][""]["url"] == URL
    assert not direct.ready
    for wrong in ("http://auth.example.com", "auth.example.com", "https://auth.example.com?x=1"):
        rejects(
            "invalid_policy",
            lambda wrong=wrong: Verifier.for_issuer(wrong, audience=AUDIENCE, algorithms=["ES256"]),
        )
    rejects("invalid_policy", lambda: Verifier.for_issuer(ISSUER, audience=AUDIENCE, algorithms=["none"]))


def test_keys_are_found_by_an_issuers_metadata():
    publisher = Publisher(A)
    metadata = b'{"issuer": "%s", "jwks_uri": "%s"}' % (ISSUER.encode(), URL.encode())

    def fetch(url, headers, timeout):
        if url.endswith("/.well-known/openid-configuration"):
            publisher.calls.append((url, {}))
            return 200, {}, metadata
        return publisher(url, headers, timeout)

    with RemoteKeySet.for_issuer(ISSUER, fetch=fetch) as remote:
        assert Verifier(remote, EXPECTED).verify(token(A)).kid == "a"
        assert [url for url, _ in publisher.calls] == [ISSUER + "/.well-known/openid-configuration", URL]
        assert remote.url == URL
        remote.refresh()
        assert len(publisher.calls) == 3, "where the keys are is asked once an hour"
        publisher.status = 404
        rejects("key_fetch_failed", remote.refresh)
        assert remote.url is None, "and after a failure"
        publisher.status = 200
        remote.refresh()
        assert len(publisher.calls) == 6
    metadata = metadata.replace(b"auth.", b"evil.")
    with RemoteKeySet.for_issuer(ISSUER, fetch=fetch) as remote:
        assert "another issuer" in str(rejects("key_fetch_failed", remote.warm))

"""What a reviewer found in keys that change: each with the case that showed it."""

import asyncio
import logging
import os
import threading

import pytest
from publisher import URL, A, B, Publisher, stopped_monotonic
from support import AUDIENCE, ISSUER, policy, refuses, rejects, signing_key

from jotgate import KeyRing, KeySet, RemoteKeySet, Verifier, jws
from jotgate.keys import feed as feeds
from jotgate.keys import flight
from jotgate.keys.feed import KeyFeed, Supply
from jotgate.keys.freshness import KeyState

CLAIMS = {"iss": ISSUER, "aud": AUDIENCE, "exp": 32503680000}
EXPECTED = policy("ES256")


def token(key=A, **more):
    return jws.sign(CLAIMS | more, key)


class Hand(KeyFeed):
    def __init__(self, *keys, epoch=None):
        super().__init__()
        self.supply = Supply(KeySet([key.public() for key in keys]), None, epoch)
        self.answer = False

    def _supply(self):
        return self.supply

    def _renew(self, want):
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def _renew_async(self, want):
        return self._renew(want)

    def stats(self):
        return {}


# -- a key that goes while it is in use


@pytest.mark.parametrize("alg", ["ES384", "HS256"])
def test_a_batch_stops_accepting_a_key_that_is_withdrawn_meanwhile(alg):
    key, other = signing_key(alg, kid="k"), signing_key(alg, kid="other")
    way_in = Verifier(KeySet([key.public(), other.public()]), policy(alg))
    texts = [jws.sign(CLAIMS | {"jti": str(number)}, key) for number in range(3_000 if alg == "ES384" else 60_000)]
    withdrawn = threading.Timer(0.02, lambda: way_in.replace_keys(KeySet([other.public()])))
    withdrawn.start()
    found = way_in.verify_batch(texts, threads=1)
    withdrawn.join()
    assert found.counts == {"unknown_key": len(texts)}
    assert way_in.stats()["verdicts"]["accepted"] == 0


def test_what_a_batch_took_from_the_cache_is_let_go_too():
    feed = Hand(A, B)
    way_in = Verifier(feed, EXPECTED)
    known, new = token(A), [token(B, jti=str(number)) for number in range(40)]
    assert way_in.verify(known)
    assert way_in.verify(known)

    def drop():
        feed.supply = Supply(KeySet([B.public()]), None)
        feed._tell()
        return False

    feed._renew = lambda want: drop()
    found = way_in.verify_batch([known, *new, token(signing_key("ES256", kid="none")), known])
    assert found.code == ("unknown_key", *["accepted"] * 40, "unknown_key", "unknown_key")


def test_a_key_withdrawn_during_a_check_is_decided_by_the_new_keys():
    old, new = A, A.generate("ES256", kid="a")
    feed = Hand(old)
    way_in = Verifier(feed, EXPECTED, cache=None)
    done = threading.Event()
    wrong = []

    def verify():
        while not done.is_set():
            for key in (old, new):
                try:
                    way_in.verify(token(key))
                except Exception as error:
                    if error.code not in ("bad_signature", "unknown_key"):
                        wrong.append(error.code)

    threads = [threading.Thread(target=verify) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(200):
        feed.supply = Supply(KeySet([(old, new)[turn % 2].public()]), None)
        feed._tell()
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []


# -- what the feed has and the verifier has not been told of


def test_a_verifier_that_was_not_told_is_told_before_it_refuses():
    feed = Hand(A, epoch=1)
    way_in = Verifier(feed, EXPECTED)
    feed.supply = Supply(KeySet([A.public(), B.public()]), None, 2)  # and nobody was told
    assert way_in.verify(token(B, epoch=2)).kid == "b"
    feed.supply = Supply(KeySet([A.public()]), None, 3)
    assert way_in.verify_batch([token(A, epoch=3)]).code == ("accepted",)
    feed.supply = Supply(KeySet([B.public()]), None, 4)
    assert asyncio.run(way_in.verify_async(token(B, epoch=4))).kid == "b"


# -- what a feed raises


def test_what_a_feed_raises_is_undecided_everywhere(caplog):
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED)
    feed.answer = ValueError("Bearer secret")
    with caplog.at_level(logging.ERROR, "jotgate.keys"):
        refuses(way_in, token(B), "key_fetch_failed")
        assert way_in.verify_batch([token(B)]).code == ("key_fetch_failed",)
        assert rejects("key_fetch_failed", lambda: asyncio.run(way_in.verify_async(token(B))))
    assert len(caplog.records) == 3
    assert "secret" not in caplog.text


@pytest.mark.parametrize("interrupt", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_what_is_meant_to_end_the_thread_ends_it(interrupt):
    feed = Hand(A)
    way_in = Verifier(feed, EXPECTED)
    feed.answer = interrupt
    for verify in (way_in.verify, lambda text: way_in.verify_batch([text])):
        with pytest.raises(type(interrupt)) as caught:
            verify(token(B))
        assert caught.value is interrupt


def test_a_watcher_that_raises_is_logged_and_the_others_are_told(caplog):
    publisher = Publisher(A)

    class Bad:
        def told(self):
            raise RuntimeError("secret")

    bad = Bad()
    with publisher.keys() as remote:
        remote._watch(bad.told)
        way_in = Verifier(remote, EXPECTED)
        assert way_in.verify(token())
        publisher.publish(B)
        remote.refresh()
        assert way_in.verify(token(B))
        assert remote.state is KeyState.FRESH
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_a_keeper_outlives_what_goes_wrong_while_it_lands(monkeypatch):
    publisher = Publisher(A)
    with publisher.keys(lifetime=0.2, cache_control=(0.2, 0.2), cooldown=0.05) as remote:
        remote.warm()
        monkeypatch.setattr(RemoteKeySet, "_accept", lambda *_: 1 / 0)
        rejects("key_fetch_failed", remote.refresh)
        assert remote._flight is None, "nobody is left to wait for a fetch that has landed"
        monkeypatch.undo()
        publisher.publish(B)
        way_in = Verifier(remote, EXPECTED)
        end = threading.Event()
        for _ in range(400):
            if remote._answer.keys and {key.kid for key in remote._answer.keys} == {"b"}:
                break
            end.wait(0.01)
        assert way_in.verify(token(B)).kid == "b"


def test_a_keeper_outlives_a_system_without_threads(monkeypatch, caplog):
    publisher = Publisher(A)
    with publisher.keys(on_event=lambda _: None) as remote:
        remote.warm()
        start = threading.Thread.start

        def refuse(thread):
            if thread.name == "jotgate-event":
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", refuse)
        remote.refresh()
        remote.refresh()
    assert "RuntimeError" in caplog.text


# -- documents and addresses


def test_a_document_that_lost_its_epoch_is_not_taken():
    publisher = Publisher(A, jotgate_epoch=5)
    with publisher.keys() as remote, Verifier(remote, EXPECTED) as way_in:
        refuses(way_in, token(A, epoch=4), "revoked")
        publisher.publish(A, B)
        assert "gone" in str(rejects("key_fetch_failed", remote.refresh))
        refuses(way_in, token(A, epoch=4), "revoked")
        refuses(way_in, token(A), "revoked")
        assert remote.stats()["epoch"] == 5


@pytest.mark.parametrize("count", [-1, 10**15, 2**63])
def test_a_counter_that_does_not_count_is_no_epoch(tmp_path, count):
    class Counter:
        counted = 3

        def current(self):
            return self.counted

        def advance(self):
            return self.counted

    epochs = Counter()
    ring = KeyRing(tmp_path / "ring", create=True, epochs=epochs)
    way_in = Verifier(ring, EXPECTED, cache=None)
    assert way_in.verify(jws.sign(CLAIMS | {"epoch": 3}, ring.signer()))
    epochs.counted = count
    ring._look()
    for epoch in (0, 3):
        refuses(way_in, jws.sign(CLAIMS | {"epoch": epoch}, _signer_of(ring)), "key_fetch_failed")


def _signer_of(ring):
    return ring._signer


def test_a_tag_goes_only_to_where_it_came_from():
    one, two = "https://one.example.com/k", "https://two.example.com/k"
    publisher, where = Publisher(A), [one]
    publisher.headers = {"etag": '"1"'}

    def fetch(url, headers, timeout):
        if ".well-known" in url:
            publisher.calls.append((url, dict(headers)))
            return 200, {}, b'{"issuer": "%s", "jwks_uri": "%s"}' % (ISSUER.encode(), where[0].encode())
        status, answered, body = publisher(url, headers, timeout)
        return (304, answered, b"") if "if-none-match" in headers else (status, answered, body)

    with RemoteKeySet.for_issuer(ISSUER, fetch=fetch, headers={"Authorization": "Bearer k"}) as remote:
        way_in = Verifier(remote, EXPECTED)
        assert way_in.verify(token(A))
        remote.refresh()
        assert remote.stats()["unchanged"] == 1
        publisher.error = OSError()
        rejects("key_fetch_failed", remote.refresh)
        publisher.error = None
        where[0] = two
        publisher.publish(B)
        remote.refresh()
        refuses(way_in, token(A), "unknown_key")
        assert way_in.verify(token(B))
    sent = {url.split("/")[2]: headers for url, headers in publisher.calls}
    assert sent["auth.example.com"] == {"authorization": "Bearer k"}
    assert "authorization" not in sent["one.example.com"] | sent["two.example.com"]


def test_an_unasked_for_304_is_no_answer():
    publisher = Publisher(A)
    with publisher.keys() as remote:
        remote.warm()
        publisher.status = 304
        rejects("key_fetch_failed", remote.refresh)


def test_metadata_that_cannot_be_had_leave_the_keys_where_they_were():
    publisher, down = Publisher(A), []

    def fetch(url, headers, timeout):
        if ".well-known" in url:
            return (
                (503, {}, b"")
                if down
                else (200, {}, b'{"issuer":"%s","jwks_uri":"%s"}' % (ISSUER.encode(), URL.encode()))
            )
        return publisher(url, headers, timeout)

    with RemoteKeySet.for_issuer(ISSUER, fetch=fetch) as remote:
        remote.warm()
        publisher.status = 500
        rejects("key_fetch_failed", remote.refresh)
        publisher.status, down[:] = 200, [True]
        publisher.publish(A, B)
        remote.refresh()
        assert remote.stats()["keys"] == 2


def test_what_a_query_holds_is_not_shown():
    secret = URL + "?code=hunter2"
    with RemoteKeySet(secret, fetch=lambda *_: (500, {}, b"")) as remote:
        rejects("key_fetch_failed", remote.warm)
        assert "hunter2" not in repr(remote) + str(remote.stats())


# -- a life


def test_an_operators_refresh_sees_what_was_published_before_it():
    publisher = Publisher(A)
    with publisher.keys() as remote, Verifier(remote, EXPECTED) as way_in:
        publisher.gate.clear()
        early = threading.Thread(target=remote.warm)
        early.start()
        publisher.entered.acquire()
        publisher.publish(B)
        late = threading.Thread(target=remote.refresh)
        late.start()
        publisher.gate.set()
        early.join()
        late.join()
        assert len(publisher.calls) == 2
        refuses(way_in, token(A), "unknown_key")


def test_keys_of_a_closed_set_count_as_long_as_they_would_have():
    publisher = Publisher(A)
    with stopped_monotonic() as clock:
        remote = publisher.keys()
        way_in = Verifier(remote, EXPECTED)
        assert way_in.verify(token())
        remote.close()
        way_in._keys_changed()
        assert way_in.ready
        assert way_in.verify(token(jti="new"))
        way_in._forked()
        assert way_in.verify(token(jti="newer"))
        clock.forward(4000)
        refuses(way_in, token(), "key_fetch_failed")


def test_a_short_cooldown_does_not_hammer_a_failing_endpoint():
    publisher = Publisher(A)
    publisher.status = 500
    with publisher.keys(cooldown=0) as remote:
        rejects("key_fetch_failed", remote.warm)
        threading.Event().wait(0.5)
        assert len(publisher.calls) <= 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
def test_a_construction_that_failed_does_not_hinder_those_that_did_not():
    kept = []
    for _ in range(20):
        try:
            RemoteKeySet("http://auth.example.com/jwks")
        except ValueError as error:
            kept.append(error)
    publisher = Publisher(A)
    with publisher.keys() as remote, Verifier(remote, EXPECTED) as way_in:
        assert way_in.verify(token())
        feeds._in_child()
        assert remote._keeper is None
        assert way_in.verify(token(jti="new"))
    assert kept
    assert flight.MOST_LEFT_ALONE == 4


def test_a_ring_counts_at_once_in_a_forked_child(tmp_path):
    ring = KeyRing(tmp_path / "ring", create=True)
    way_in = Verifier(ring, EXPECTED)
    text = jws.sign(CLAIMS | {"epoch": 0}, ring.signer())
    assert way_in.verify(text)
    feeds._in_child()
    assert way_in.verify(text)
    feeds._in_child()
    way_in.warm()
    assert way_in.verify_batch([text]).code == ("accepted",)

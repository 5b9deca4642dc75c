"""A remote key set: what it takes, when it fetches, whom it lets wait."""

import asyncio
import gc
import json
import logging
import threading
import time
import weakref

import pytest
from publisher import URL, A, B, Publisher, document, stopped_monotonic
from support import error_of, policy, refuses, rejects, signing_key

from jotgate import RemoteKeySet, Verifier, errors, jws
from jotgate.keys.freshness import KeyState

CLAIMS = {"iss": "https://auth.example.com", "aud": "https://billing.example.com", "exp": 32503680000}
EXPECTED = policy("ES256")


def token(key=A, **more):
    return jws.sign(CLAIMS | more, key)


@pytest.fixture
def published():
    """A publisher and whatever key sets a test makes of it; closed at the end."""
    publisher = Publisher(A)
    made = []

    def keys(**options):
        made.append(publisher.keys(**options))
        return made[-1]

    yield publisher, keys
    publisher.gate.set()
    for each in made:
        each.close()


def soon(condition, seconds=5.0):
    """Wait for what another thread is about to do."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)


# -- the first keys


def test_construction_does_nothing_and_the_first_token_fetches(published):
    publisher, keys = published
    way_in = Verifier(keys(), EXPECTED)
    assert (publisher.calls, way_in.ready) == ([], False)
    assert way_in.verify(token()).kid == "a"
    assert way_in.ready
    assert [url for url, _ in publisher.calls] == [URL]


def test_warm_fetches_once_and_says_why_it_could_not(published):
    publisher, keys = published
    remote = keys()
    remote.warm()
    remote.warm()
    assert len(publisher.calls) == 1
    publisher.status = 503
    broken = keys()
    error = error_of(broken.warm)
    assert isinstance(error, errors.KeyFetchError)
    assert (error.code, "503" in str(error)) == ("key_fetch_failed", True)
    assert broken.state is KeyState.EMPTY
    asyncio.run(remote.warm_async())
    rejects("key_fetch_failed", lambda: asyncio.run(broken.warm_async()))


def test_many_threads_share_the_first_fetch(published):
    publisher, keys = published
    way_in = Verifier(keys(), EXPECTED)
    publisher.gate.clear()
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(way_in.verify(token()).kid)) for _ in range(32)]
    for thread in threads:
        thread.start()
    publisher.entered.acquire()
    publisher.gate.set()
    for thread in threads:
        thread.join()
    assert (seen, len(publisher.calls)) == (["a"] * 32, 1)


def test_without_keys_a_token_is_undecided_and_the_cooldown_holds(published):
    publisher, keys = published
    publisher.error = OSError("no route")
    way_in = Verifier(keys(), EXPECTED)
    for _ in range(5):
        refusal = refuses(way_in, token(), "key_fetch_failed")
        assert refusal.http_status == 503
    assert len(publisher.calls) == 1
    assert way_in.stats()["verdicts"]["key_fetch_failed"] == 5


def test_what_cannot_be_a_token_asks_for_no_keys(published):
    publisher, keys = published
    way_in = Verifier(keys(), EXPECTED)
    refuses(way_in, "a.b", "malformed")
    refuses(way_in, jws.sign(CLAIMS, signing_key("RS256")), "algorithm_not_allowed")
    assert publisher.calls == []


# -- what a document may be


def test_unusable_keys_are_skipped_and_say_why(published):
    publisher, keys = published
    private = B.to_jwk(private=True)
    rsa = signing_key("RS256", kid="r").public_jwk()
    del rsa["alg"]
    members = [
        A.public_jwk(),
        {"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "s", "alg": "HS256"},
        private,
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "off"},
        {"kty": "new", "kid": "n"},
        {"kid": "nothing"},
        "text",
        None,
        rsa,
    ]
    publisher.body = json.dumps({"keys": members, "more": 1}).encode()
    remote = keys(algorithms=["ES256", "RS256", "PS256"])
    remote.warm()
    assert remote.stats()["keys"] == 1
    assert [kid for kid, _ in remote.skipped] == ["s", "b", "off", "n", "nothing", None, None, "r"]
    assert "secret" in remote.skipped[0][1]
    assert "RS256, PS256" in remote.skipped[-1][1]
    assert all(len(reason) > 20 and "c2VjcmV0" not in reason for _, reason in remote.skipped)


def test_a_key_without_alg_takes_the_only_one_that_the_policy_allows(published):
    publisher, keys = published
    bare = signing_key("RS256", kid="r")
    jwk = bare.public_jwk()
    del jwk["alg"]
    publisher.body = json.dumps({"keys": [jwk]}).encode()
    remote = keys()
    assert Verifier(remote, policy("RS256")).verify(token(bare)).kid == "r"
    both = Verifier(remote, policy("RS256", "PS256"))
    refuses(both, token(bare), "key_fetch_failed")


def test_two_keys_of_one_name_are_both_left_out(published):
    publisher, keys = published
    other = signing_key("ES256", kid="a").generate("ES256", kid="a")
    publisher.publish(A, other, B, B)
    remote = keys()
    way_in = Verifier(remote, EXPECTED)
    refuses(way_in, token(A), "unknown_key")
    refuses(way_in, token(other), "unknown_key")
    assert way_in.verify(token(B)).kid == "b"
    assert [kid for kid, _ in remote.skipped] == ["a", "a"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b'{"keys": {}}',
        b'{"keys": []',
        b'{"keys": [], "keys": []}',
        b'\xef\xbb\xbf{"keys": []}',
        b'{"keys": [' + b",".join([b"{}"] * 65) + b"]}",
        b'{"keys": [], "jotgate_epoch": -1}',
        b'{"keys": [], "jotgate_epoch": 1.5}',
        b'{"keys": [], "jotgate_epoch": true}',
        b" " * (1 << 20) + b'{"keys": []}',
    ],
)
def test_what_is_no_key_set_changes_nothing(published, body):
    publisher, keys = published
    remote = keys()
    way_in = Verifier(remote, EXPECTED)
    assert way_in.verify(token())
    publisher.body = body
    rejects("key_fetch_failed", remote.refresh)
    assert way_in.verify(token())
    assert way_in.verify(token(jti="new"))
    assert (remote.stats()["failed"], remote.stats()["keys"]) == (1, 1)


@pytest.mark.parametrize("nothing", [b'{"keys":[]}', b'{"keys":[{"kty":"EC","alg":"es256"}]}'])
def test_a_set_without_a_key_that_serves_is_believed_and_blames_no_token(published, nothing):
    publisher, keys = published
    remote = keys()
    way_in = Verifier(remote, EXPECTED)
    with stopped_monotonic() as clock:
        assert way_in.verify(token())
        publisher.body = nothing
        remote.refresh()
        for text in (token(), token(jti="new"), token(B)):
            refuses(way_in, text, "key_fetch_failed")
        assert not way_in.ready
        rejects("key_fetch_failed", remote.warm)
        assert "no key that can be used" in remote.stats()["last_error"]
        clock.forward(55)  # it is looked at again after the shortest lifetime, not after the longest
        assert remote.state is KeyState.AGING
        publisher.publish(A)
        remote.refresh()
        assert way_in.verify(token())
        assert way_in.ready


@pytest.mark.parametrize("answer", [(200, {}, "text"), (200, {}), None, ("200", {}, b""), (200, {}, b"x" * 200)])
def test_a_fetch_of_ones_own_that_answers_something_else(answer):
    remote = RemoteKeySet(URL, fetch=lambda *_: answer, max_bytes=100)
    with remote:
        rejects("key_fetch_failed", remote.warm)


@pytest.mark.parametrize("status", [100, 201, 204, 206, 301, 302, 303, 307, 308, 400, 401, 403, 404, 410, 500, 503])
def test_only_200_is_an_answer(published, status):
    publisher, keys = published
    publisher.status = status
    remote = keys()
    assert str(status) in str(rejects("key_fetch_failed", remote.warm))


def test_not_modified_without_a_document_is_no_answer(published):
    publisher, keys = published
    publisher.status = 304
    rejects("key_fetch_failed", keys().warm)


# -- asking again


def test_a_first_answer_without_a_body_is_a_failed_fetch(published):
    publisher, keys = published
    publisher.body = b""
    remote = keys()
    rejects("key_fetch_failed", remote.warm)
    assert (remote.stats()["failed"], remote.stats()["unchanged"], remote.state) == (1, 0, KeyState.EMPTY)


def test_an_etag_is_sent_back_and_an_unchanged_set_keeps_everything(published):
    publisher, keys = published
    publisher.headers = {"ETag": '"one"', "Cache-Control": "max-age=120"}
    remote = keys(headers={"X-From": "gateway"})
    way_in = Verifier(remote, EXPECTED)
    assert way_in.verify(token())
    publisher.status, publisher.body = 304, b""
    remote.refresh()
    assert publisher.calls[0][1] == {"x-from": "gateway"}
    assert publisher.calls[1][1] == {"x-from": "gateway", "if-none-match": '"one"'}
    hits = way_in.stats()["hits"]
    assert way_in.verify(token())
    assert remote.stats()["unchanged"] == 1
    publisher.status, publisher.body = 200, document(A)
    remote.refresh()
    assert remote.stats()["unchanged"] == 2
    assert hits == 0


@pytest.mark.parametrize("etag", ['"' + "x" * 2000 + '"', '"\u00e9"', '"a\x01"'])
def test_an_odd_etag_is_not_sent_back(published, etag):
    publisher, keys = published
    publisher.headers = {"etag": etag}
    remote = keys()
    remote.warm()
    remote.refresh()
    assert publisher.calls[1][1] == {}


def test_keys_are_refreshed_ahead_of_time_without_any_request(published):
    publisher, keys = published
    remote = keys(lifetime=0.2, cache_control=(0.2, 1), cooldown=0.05)
    remote.warm()
    soon(lambda: len(publisher.calls) >= 3)
    assert remote.state is not KeyState.STALE


def test_cache_control_decides_how_long(published):
    publisher, keys = published
    publisher.headers = {"cache-control": "max-age=600", "age": "100"}
    remote = keys()
    with stopped_monotonic() as clock:
        remote.warm()
        clock.forward(449)
        assert remote.state in (KeyState.FRESH, KeyState.AGING)
        clock.forward(50)
        assert remote.state is KeyState.AGING
        clock.forward(1)
        assert remote.state is KeyState.STALE


# -- unknown kids


def test_unknown_kids_cause_one_fetch_a_cooldown(published):
    publisher, keys = published
    remote = keys()
    way_in = Verifier(remote, EXPECTED)
    with stopped_monotonic() as clock:
        assert way_in.verify(token())
        for number in range(2_000):
            refuses(way_in, jws.sign(CLAIMS, signing_key("ES256", kid=f"k{number}")), "unknown_key")
        assert len(publisher.calls) == 1
        clock.forward(30)
        for number in range(2_000):
            refuses(way_in, jws.sign(CLAIMS, signing_key("ES256", kid=f"k{number}")), "unknown_key")
        assert len(publisher.calls) == 2


def test_a_request_waits_for_one_fetch_even_if_that_outlasts_the_cooldown(published):
    publisher, keys = published
    with stopped_monotonic() as clock:
        remote = keys(cooldown=1, timeout=20)
        way_in = Verifier(remote, EXPECTED)
        assert way_in.verify(token())
        clock.forward(1)
        publisher.gate.clear()
        caller = threading.Thread(target=refuses, args=(way_in, token(B), "unknown_key"))
        caller.start()
        soon(lambda: len(publisher.calls) == 2)
        clock.forward(2)
        publisher.gate.set()
        caller.join()
        assert len(publisher.calls) == 2
        clock.forward(1)
        refuses(way_in, token(B), "unknown_key")
        assert len(publisher.calls) == 3


def test_a_new_key_is_found_by_its_first_token(published):
    publisher, keys = published
    remote = keys()
    way_in = Verifier(remote, EXPECTED)
    with stopped_monotonic() as clock:
        assert way_in.verify(token())
        publisher.publish(A, B)
        refuses(way_in, token(B), "unknown_key")
        clock.forward(30)
        assert way_in.verify(token(B)).kid == "b"
        assert way_in.verify(token(A)).kid == "a"


def test_at_most_so_many_wait_for_an_unknown_kid(published):
    publisher, keys = published
    remote = keys(max_waiters=3, cooldown=0)
    way_in = Verifier(remote, EXPECTED)
    assert way_in.verify(token())
    publisher.publish(A, B)
    publisher.entered.acquire()
    publisher.gate.clear()
    codes = []

    def ask():
        try:
            codes.append(way_in.verify(token(B)).kid)
        except errors.JotgateError as refusal:
            codes.append(refusal.code)

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    soon(lambda: len(codes) == 7)
    assert codes == ["unknown_key"] * 7
    assert way_in.verify(token(A)).kid == "a", "who has a key does not wait"
    publisher.gate.set()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["b"] * 3 + ["unknown_key"] * 7
    assert remote.stats()["turned_away"] == 7


def test_whether_a_kid_exists_is_not_known_while_the_endpoint_fails(published):
    publisher, keys = published
    remote = keys(cooldown=0.01, lifetime=60)
    way_in = Verifier(remote, EXPECTED)
    assert way_in.verify(token())
    publisher.status = 500
    time.sleep(0.02)
    refuses(way_in, token(B), "key_fetch_failed")
    assert way_in.verify(token(A, jti="fresh"))


# -- failure, staleness, death


def test_the_last_good_keys_serve_until_max_stale(published):
    publisher, keys = published
    remote = keys()
    way_in = Verifier(remote, EXPECTED)
    with stopped_monotonic() as clock:
        assert way_in.verify(token())
        publisher.error = OSError("gone")
        for _ in range(13):
            clock.forward(299)
            rejects("key_fetch_failed", remote.refresh)
            assert way_in.verify(token())
            assert way_in.verify(token(jti=str(clock)))
        assert remote.state is KeyState.STALE
        clock.forward(13)
        assert remote.state is KeyState.DEAD
        assert not way_in.ready
        for text in (token(), token(jti="new"), token(B)):
            refuses(way_in, text, "key_fetch_failed")
        publisher.error = None
        remote.refresh()
        assert way_in.verify(token())
        assert (remote.state, way_in.ready) == (KeyState.FRESH, True)


def test_with_no_staleness_allowed_keys_end_with_their_lifetime(published):
    publisher, keys = published
    way_in = Verifier(keys(max_stale=0), EXPECTED)
    with stopped_monotonic() as clock:
        assert way_in.verify(token())
        publisher.error = OSError("gone")
        clock.forward(300)
        refuses(way_in, token(), "key_fetch_failed")


def test_a_key_removed_upstream_goes_at_the_next_refresh(published):
    publisher, keys = published
    publisher.publish(A, B)
    remote = keys()
    way_in = Verifier(remote, EXPECTED)
    texts = [token(A), token(B)]
    for text in texts * 2:
        assert way_in.verify(text)
    publisher.publish(B)
    remote.refresh()
    refuses(way_in, texts[0], "unknown_key")
    hits = way_in.stats()["hits"]
    assert way_in.verify(texts[1])
    assert way_in.stats()["hits"] == hits + 1, "a key that stays keeps what was verified with it"


def test_a_fetch_past_its_deadline_is_left_alone_and_not_looked_at(published):
    publisher, keys = published
    publisher.gate.clear()
    publisher.publish(B)
    remote = keys(timeout=0.05, cooldown=0)
    way_in = Verifier(remote, EXPECTED)
    refuses(way_in, token(A), "key_fetch_failed")
    soon(lambda: remote.stats()["failed"] >= 1)
    assert "timeout" in remote.stats()["last_error"]
    publisher.publish(A)
    soon(lambda: remote.stats()["failed"] >= 5)
    assert len(publisher.calls) == 4, "no more are begun while four hang"
    publisher.gate.set()
    soon(lambda: remote.state is KeyState.FRESH)
    assert way_in.verify(token(A)).kid == "a"
    refuses(way_in, token(B), "unknown_key")


def test_what_a_fetch_of_ones_own_raises_is_not_repeated(published):
    publisher, keys = published
    publisher.error = RuntimeError("Bearer hunter2")
    remote = keys()
    error = rejects("key_fetch_failed", remote.warm)
    assert "RuntimeError" in str(error)
    assert "hunter2" not in str(error) + repr(error) + str(remote.stats()) + repr(remote)


# -- event loops


def test_in_an_event_loop_verify_never_waits(published):
    publisher, keys = published
    way_in = Verifier(keys(), EXPECTED)
    publisher.gate.clear()

    async def both():
        refuses(way_in, token(), "key_fetch_failed")
        assert way_in.verify_batch([token()]).code == ("key_fetch_failed",)
        publisher.gate.set()
        return await way_in.verify_async(token())

    assert asyncio.run(both()).kid == "a"
    assert len(publisher.calls) == 1


def test_verify_async_waits_without_holding_up_the_loop(published):
    publisher, keys = published
    way_in = Verifier(keys(), EXPECTED)
    publisher.gate.clear()

    async def run():
        waiting = [asyncio.create_task(way_in.verify_async(token())) for _ in range(20)]
        while not publisher.calls:
            await asyncio.sleep(0.001)
        publisher.gate.set()
        return [found.kid for found in await asyncio.gather(*waiting)]

    assert asyncio.run(run()) == ["a"] * 20
    assert len(publisher.calls) == 1


def test_verify_async_refuses_as_verify_does(published):
    publisher, keys = published
    remote = keys()
    way_in = Verifier(remote, EXPECTED)

    def code(text):
        return error_of(lambda: asyncio.run(way_in.verify_async(text))).code

    assert code("junk") == "malformed"
    assert code(token(B)) == "unknown_key"
    assert code(jws.sign({**CLAIMS, "exp": 1}, A)) == "expired"
    rejects("invalid_policy", lambda: asyncio.run(way_in.verify_async(token(), fresh=True)))
    verdicts = way_in.stats()["verdicts"]
    assert (verdicts["malformed"], verdicts["unknown_key"], verdicts["expired"]) == (1, 1, 1)
    publisher.error = OSError()
    assert error_of(lambda: asyncio.run(Verifier(keys(), EXPECTED).verify_async(token()))).code == "key_fetch_failed"


def test_a_task_that_is_cancelled_while_it_waits_harms_nobody(published):
    publisher, keys = published
    way_in = Verifier(keys(), EXPECTED)
    publisher.gate.clear()

    async def run():
        doomed = asyncio.create_task(way_in.verify_async(token()))
        patient = asyncio.create_task(way_in.verify_async(token()))
        while not publisher.calls:
            await asyncio.sleep(0.001)
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)
        publisher.gate.set()
        return (await patient).kid, doomed.cancelled()

    assert asyncio.run(run()) == ("a", True)


def test_a_loop_that_ended_while_a_fetch_was_under_way(published):
    publisher, keys = published
    way_in = Verifier(keys(), EXPECTED)
    publisher.gate.clear()

    async def leave():
        waiting = asyncio.create_task(way_in.verify_async(token()))
        while not publisher.calls:
            await asyncio.sleep(0.001)
        waiting.cancel()

    asyncio.run(leave())
    publisher.gate.set()
    assert way_in.verify(token()).kid == "a"


# -- a life


def test_a_seed_serves_until_the_first_fetch(published):
    publisher, keys = published
    publisher.gate.clear()
    for seed in (document(A), document(A).decode(), json.loads(document(A))):
        way_in = Verifier(keys(seed=seed), EXPECTED)
        assert way_in.verify(token()).kid == "a"
    for seed in (b"junk", 5, {"keys": 1}, {"keys": [object()]}):
        rejects("invalid_key", lambda seed=seed: keys(seed=seed))


def test_events_tell_what_happened(published, caplog):
    publisher, keys = published
    events = []

    def note(event):
        events.append(event)
        raise ValueError("the operator's own trouble")

    with caplog.at_level(logging.WARNING, "jotgate.keys"):
        remote = keys(on_event=note)
        remote.warm()
        remote.refresh()
        publisher.status = 500
        rejects("key_fetch_failed", remote.refresh)
        # the log may have a last word of another test's key set, too
        soon(lambda: len(events) == caplog.text.count("ValueError in") == 3 and "answered 500" in caplog.text)
    assert "own trouble" not in caplog.text
    assert "ValueError" in caplog.text
    assert f"the keys of {URL} (fresh)" in caplog.text
    assert [event.kind for event in events] == ["fetched", "unchanged", "failed"]
    assert [str(event.state) for event in events] == ["fresh"] * 3
    assert "500" in events[-1].detail


def test_closing_stops_fetching_and_keeps_what_counts(published):
    publisher, keys = published
    remote = keys()
    way_in = Verifier(remote, EXPECTED)
    with stopped_monotonic() as clock:
        assert way_in.verify(token())
        remote.close()
        assert way_in.verify(token())
        clock.forward(31)
        refuses(way_in, token(B), "unknown_key")
        clock.forward(4000)
        refuses(way_in, token(), "key_fetch_failed")
    assert len(publisher.calls) == 1
    rejects("key_fetch_failed", remote.refresh)
    rejects("key_fetch_failed", remote.warm)


def keepers():
    return [thread for thread in threading.enumerate() if thread.name == "jotgate-keys"]


def test_a_verifier_that_closes_leaves_the_keys_to_the_others(published):
    publisher, keys = published
    remote = keys()
    with Verifier(remote, EXPECTED) as one, Verifier(remote, EXPECTED) as other:
        assert one.verify(token())
        one.close()
        publisher.publish(B)
        remote.refresh()
        assert other.verify(token(B)).kid == "b"
        assert keepers()
    soon(lambda: not keepers())
    third = Verifier(remote, EXPECTED)
    assert third.verify(token(B)).kid == "b"
    third.close()


def test_a_key_set_that_nobody_holds_ends_its_thread():
    publisher = Publisher(A)
    before = len(keepers())
    way_in = Verifier(publisher.keys(), EXPECTED)
    assert way_in.verify(token())
    gone = weakref.ref(way_in)
    del way_in
    gc.collect()
    assert gone() is None
    soon(lambda: len(keepers()) <= before)


@pytest.mark.parametrize(
    "options",
    [
        {"algorithms": ["none"]},
        {"max_waiters": 0},
        {"max_bytes": 1.5},
        {"max_keys": True},
        {"timeout": 0},
        {"timeout": "3"},
        {"fetch": "curl"},
        {"on_event": 1},
        {"headers": {"Host": "x"}},
        {"headers": {"X": "a\r\nb"}},
        {"tls": object()},
        {"cooldown": 100},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    rejects("invalid_policy", lambda: RemoteKeySet(URL, **options))
    rejects("invalid_policy", lambda: RemoteKeySet("http://auth.example.com/jwks.json"))
    rejects("invalid_policy", lambda: RemoteKeySet(URL, fetch=print, tls=__import__("ssl").create_default_context()))


def test_its_repr_and_stats(published):
    _, keys = published
    remote = keys()
    assert repr(remote) == f"<RemoteKeySet {URL} empty>"
    remote.warm()
    assert remote.stats() | {"age_s": 0} == {
        "url": URL,
        "state": "fresh",
        "keys": 1,
        "skipped": 0,
        "age_s": 0,
        "epoch": None,
        "fetched": 1,
        "unchanged": 0,
        "failed": 0,
        "waited": 0,
        "turned_away": 0,
        "last_error": "",
    }
    assert remote.stats()["age_s"] < 60

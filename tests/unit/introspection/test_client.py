"""The client: what it asks, what it takes for an answer, what it remembers, who waits for whom."""

import asyncio
import functools
import json
import threading
import time

import pytest
from introspecting import API, INACTIVE, JSON, SECRET, URL, Endpoint, active
from support import (
    AUDIENCE,
    CLASS_OF_CODE,
    ISSUER,
    NOW,
    SUBJECT,
    error_of,
    rejects,
)

from jotgate.errors import IntrospectionError
from jotgate.introspection.auth import BasicAuth
from jotgate.introspection.client import IntrospectionClient
from jotgate.introspection.token import IntrospectedToken

pytestmark = pytest.mark.usefixtures("clock")
TEXT = "opaque.token-1"
SHORT = 0.2


def refused(client, text=TEXT, code="introspection_failed", **options):
    error = error_of(lambda: client.introspect(text, **options))
    assert (error.code, type(error)) == (code, CLASS_OF_CODE[code])
    return error


# -- what is asked


def test_the_token_travels_in_the_body_and_nowhere_else():
    endpoint = Endpoint(active())
    endpoint.client(timeout=2.5).introspect("a+b/c=&d%20")
    ((url, headers, body, timeout),) = endpoint.calls
    assert (url, timeout) == (URL, 2.5)
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert headers["accept"] == "application/json"
    assert headers["authorization"].startswith("Basic ")
    assert endpoint.forms == [{"token": "a+b/c=&d%20", "token_type_hint": "access_token"}]
    assert b"a%2Bb%2Fc%3D%26d%2520" in body
    assert "a+b" not in url + str(headers)


def test_making_a_client_asks_nothing():
    endpoint = Endpoint()
    client = endpoint.client()
    assert endpoint.calls == []
    assert repr(client) == f"<IntrospectionClient {URL}>"
    assert SECRET not in repr(client) + repr(vars(client))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed"), (None, "malformed"), (7, "malformed"), (["x"], "malformed"), ("a b", "malformed"),
        ("a\n", "malformed"), ("a\x00", "malformed"), ("é", "malformed"), (b"\xff", "malformed"),
        ("x" * 16385, "too_large"), (b"x" * 16385, "too_large"),
    ],
)  # fmt: skip
def test_what_is_no_token_is_not_sent(text, code):
    endpoint = Endpoint(active())
    refused(endpoint.client(), text, code)
    assert error_of(lambda: asyncio.run(endpoint.client().introspect_async(text))).code == code
    assert endpoint.calls == []


def test_the_longest_token_and_bytes_are_sent():
    endpoint = Endpoint(active())
    assert endpoint.client().introspect("x" * 16384)
    assert endpoint.client().introspect(b"abc")
    assert endpoint.forms[1]["token"] == "abc"


# -- what counts as an answer


def test_an_active_token():
    token = Endpoint(active(scope="read", aud=AUDIENCE)).client().introspect(TEXT)
    assert type(token) is IntrospectedToken
    assert (token.subject, token["scope"], token.audience) == (SUBJECT, "read", (AUDIENCE,))


def test_an_inactive_token():
    error = refused(Endpoint(INACTIVE).client(), code="inactive")
    assert (error.http_status, error.claim) == (401, None)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"true", b'"active"', b"\xef\xbb\xbf" + INACTIVE, active()[:-1], active() + b"x", b"\xff",
        b"{}", b'{"active":"true"}', b'{"active":1}', b'{"active":null}', b'{"active":[true]}', b'{"Active":true}',
        b'{"active":false,"active":true}', b'{"active":true,"active":true}', b'{"active":true,"x":{"a":1,"a":2}}',
        b'{"active":true,"\\u0061ctive":false}', b'{"active":true,"exp":"soon"}', b'{"active":true,"sub":7}',
        b'{"active":true,"exp":true}', b'{"active":true,"aud":{}}', b'{"active":true,"x":1e999}',
        b"[" * 100000,
    ],
    ids=range(25),
)  # fmt: skip
def test_what_is_no_answer_accepts_nothing(body):
    error = refused(Endpoint(body).client())
    assert isinstance(error, IntrospectionError)
    assert error.http_status == 503


@pytest.mark.parametrize(
    ("members", "code", "claim"),
    [
        ({"exp": NOW}, "expired", "exp"), ({"exp": NOW - 1}, "expired", "exp"), ({"exp": 0}, "expired", "exp"),
        ({"nbf": NOW + 1}, "not_yet_valid", "nbf"), ({"iat": NOW + 1}, "invalid_claim", "iat"),
        ({"exp": 1e30}, "invalid_claim", "exp"), ({"exp": -1}, "invalid_claim", "exp"),
    ],
)  # fmt: skip
def test_the_clock_of_here_counts_too(members, code, claim):
    assert refused(Endpoint(active(**members)).client(), code=code).claim == claim


def test_leeway():
    assert Endpoint(active(exp=NOW - 9, nbf=NOW + 9, iat=NOW + 9)).client(leeway=10).introspect(TEXT)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "missing_claim"), ({"iss": ISSUER}, "missing_claim"), ({"iss": "x", "aud": AUDIENCE}, "wrong_issuer"),
        ({"iss": ISSUER, "aud": "x"}, "wrong_audience"), ({"iss": ISSUER, "aud": []}, "wrong_audience"),
    ],
)  # fmt: skip
def test_expectations(members, code):
    refused(Endpoint(active(**members)).client(issuer=ISSUER, audience=AUDIENCE), code=code)
    met = Endpoint(active(iss=ISSUER, aud=["x", AUDIENCE])).client(issuer=ISSUER, audience=AUDIENCE)
    assert met.introspect(TEXT).issuer == ISSUER


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 401, 403, 404, 429, 500, 503, "200", None, True])
def test_any_other_status_accepts_nothing(status):
    endpoint = Endpoint(active())
    endpoint.status = status
    error = refused(endpoint.client())
    if status in (401, 403):
        assert str(status) in str(error)
        assert "client" in str(error)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": "text/html"}, {"Content-Type": "application/jwt"}, {"Content-Type": "application/json, x"},
     {"content-type": "application/json", "Content-Type": "application/json"}, None, [("Content-Type", "x")]],
)  # fmt: skip
def test_another_content_type_accepts_nothing(headers):
    endpoint = Endpoint(active())
    endpoint.headers = headers
    refused(endpoint.client())


@pytest.mark.parametrize("value", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
def test_content_types_of_json(value):
    endpoint = Endpoint(active())
    endpoint.headers = {"content-TYPE": value}
    assert endpoint.client().introspect(TEXT)


def test_an_answer_that_is_too_long_or_none_at_all():
    long = Endpoint(active(x="x" * 1000))
    refused(long.client(max_response_bytes=1000))
    assert long.client(max_response_bytes=2000).introspect(TEXT)
    text = Endpoint()
    text.body = active().decode()  # type: ignore[assignment]
    refused(text.client())


@pytest.mark.parametrize("error", [OSError("c4n4ry"), ValueError("c4n4ry"), TimeoutError("c4n4ry"), KeyError(TEXT)])
def test_a_fetch_that_raises_accepts_nothing_and_its_words_are_not_repeated(error):
    endpoint = Endpoint(active())
    endpoint.error = error
    raised = refused(endpoint.client())
    assert "c4n4ry" not in f"{raised} {raised!r} {raised.__cause__}"
    assert TEXT not in str(raised)


def test_errors_are_made_anew():
    client = Endpoint(INACTIVE).client()
    one, other = refused(client, code="inactive"), refused(client, code="inactive")
    assert one is not other


# -- the deadline


def test_a_fetch_that_hangs_holds_nobody_up():
    endpoint = Endpoint(active())
    endpoint.gate.clear()
    client = endpoint.client(timeout=SHORT)
    began = time.monotonic()
    refused(client)
    asked = error_of(lambda: asyncio.run(client.introspect_async(TEXT, fresh=True)))
    assert asked.code == "introspection_failed"
    assert time.monotonic() - began < 10 * SHORT
    endpoint.gate.set()


def test_fetches_that_never_end_are_not_piled_up(clock):
    endpoint = Endpoint(active())
    endpoint.gate.clear()
    client = endpoint.client(timeout=0.01, max_under_way=16)
    for number in range(16):
        refused(client, f"t{number}")
    assert "have not ended" in str(refused(client))
    assert len(endpoint.calls) == 16 == client.stats()["under_way"]
    endpoint.gate.set()
    end = time.monotonic() + 5
    while client.stats()["under_way"]:
        assert time.monotonic() < end
        time.sleep(0.005)
    assert client.introspect("t0", fresh=True)


def test_who_comes_after_the_deadline_asks_anew(clock):
    endpoint = Endpoint(active())
    endpoint.gate.clear()
    client = endpoint.client(timeout=SHORT, cache_ttl=60)
    refused(client)
    clock.advance(SHORT)
    endpoint.gate.set()
    assert client.introspect(TEXT)
    assert len(endpoint.calls) == 2


# -- one question for many


def shared_by(client, endpoint, threads, loops):
    """Let threads and event loops ask about one token while the endpoint takes its time."""
    endpoint.gate.clear()
    outcomes: list[object] = []

    def ask() -> None:
        outcomes.append(outcome(lambda: client.introspect(TEXT)))

    def ask_in_a_loop() -> None:
        async def several():
            calls = [client.introspect_async(TEXT) for _ in range(4)]
            return await asyncio.gather(*calls, return_exceptions=True)

        outcomes.extend(asyncio.run(several()))

    def outcome(call):
        try:
            return call()
        except Exception as error:
            return error

    workers = [threading.Thread(target=ask) for _ in range(threads)]
    workers += [threading.Thread(target=ask_in_a_loop) for _ in range(loops)]
    for worker in workers:
        worker.start()
    wanted = threads + 4 * loops
    end = time.monotonic() + 10
    while sum(client.stats()[name] for name in ("asked", "shared")) < wanted:
        assert time.monotonic() < end
        time.sleep(0.002)
    endpoint.gate.set()
    for worker in workers:
        worker.join(10)
    assert len(outcomes) == wanted
    return outcomes


@pytest.mark.parametrize("kind", ["active", "inactive", "failing"])
def test_threads_and_loops_share_one_question(kind):
    endpoint = Endpoint(active() if kind == "active" else INACTIVE)
    if kind == "failing":
        endpoint.status = 500
    client = endpoint.client(timeout=20)
    outcomes = shared_by(client, endpoint, threads=64, loops=4)
    assert len(endpoint.calls) == 1
    if kind == "active":
        assert all(type(each) is IntrospectedToken for each in outcomes)
    else:
        code = "inactive" if kind == "inactive" else "introspection_failed"
        assert {each.code for each in outcomes} == {code}
        assert len({id(each) for each in outcomes}) == len(outcomes)
    assert client.stats()["shared"] == len(outcomes) - 1
    assert client.stats()["under_way"] == 0


def test_different_tokens_share_nothing():
    endpoint = Endpoint(active())
    client = endpoint.client(cache_ttl=60)
    for number in range(20):
        assert client.introspect(f"t{number}")
    assert len(endpoint.calls) == 20


def test_a_fresh_question_shares_nothing():
    endpoint = Endpoint(active())
    endpoint.gate.clear()
    client = endpoint.client(timeout=20, cache_ttl=60)
    tokens = []
    first = threading.Thread(target=lambda: tokens.append(client.introspect(TEXT)))
    first.start()
    endpoint.entered.acquire()
    endpoint.body = INACTIVE  # taken back meanwhile
    second = threading.Thread(target=lambda: tokens.append(refused(client, code="inactive", fresh=True)))
    second.start()
    endpoint.entered.acquire()
    endpoint.gate.set()
    first.join()
    second.join()
    assert len(endpoint.calls) == 2


def test_an_answer_of_before_is_not_remembered_once_it_is_known_better():
    """The later question lands first and says inactive; the earlier one's answer, active, is not for later calls."""
    bodies = [active(), INACTIVE, INACTIVE]
    gates = [threading.Event(), threading.Event(), threading.Event()]
    gates[2].set()
    entered = threading.Semaphore(0)
    numbers = iter(range(3))

    def fetch(*_):
        number = next(numbers)
        entered.release()
        gates[number].wait(20)
        return 200, JSON, bodies[number]

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, timeout=20, cache_ttl=60)
    early = threading.Thread(target=lambda: client.introspect(TEXT))
    early.start()
    entered.acquire()
    gates[1].set()
    refused(client, code="inactive", fresh=True)
    gates[0].set()
    early.join()
    assert client.stats()["cache_entries"] == 0
    refused(client, code="inactive")


def test_neither_is_that_of_a_fresh_question():
    """Of two fresh questions the earlier one lands last."""
    bodies = iter([active(), INACTIVE, INACTIVE])
    gate, entered = threading.Event(), threading.Semaphore(0)

    def fetch(*_):
        body = next(bodies)
        entered.release()
        if body != INACTIVE:
            gate.wait(20)
        return 200, JSON, body

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, timeout=20, cache_ttl=60)
    early = threading.Thread(target=lambda: client.introspect(TEXT, fresh=True))
    early.start()
    entered.acquire()
    refused(client, code="inactive", fresh=True)
    gate.set()
    early.join()
    assert client.stats()["cache_entries"] == 0
    refused(client, code="inactive")


# -- a fetch that is async


def test_an_async_fetch():
    calls = []

    async def fetch(url, headers, body, timeout):
        calls.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        return 200, JSON, active()

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch)

    async def several():
        mine = asyncio.get_running_loop()
        tokens = await asyncio.gather(*(client.introspect_async(TEXT) for _ in range(8)))
        assert calls == [mine]
        return tokens

    assert {token.subject for token in asyncio.run(several())} == {SUBJECT}
    rejects("invalid_policy", lambda: client.introspect(TEXT))


def test_an_async_object_and_a_partial():
    class Fetch:
        async def __call__(self, url, headers, body, timeout):
            return 200, JSON, active()

    async def fetch(extra, url, headers, body, timeout):
        return 200, JSON, active()

    for each in (Fetch(), functools.partial(fetch, 1)):
        client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=each)
        assert asyncio.run(client.introspect_async(TEXT)).subject == SUBJECT


def test_an_async_fetch_that_hangs_or_whose_asker_goes_away():
    released = threading.Event()

    async def fetch(url, headers, body, timeout):
        while not released.is_set():
            await asyncio.sleep(0.005)
        return 200, JSON, active()

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, timeout=SHORT)
    assert error_of(lambda: asyncio.run(client.introspect_async(TEXT))).code == "introspection_failed"
    assert client.stats()["under_way"] == 0

    async def cancelled() -> None:
        patient = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, timeout=5)
        first = asyncio.create_task(patient.introspect_async(TEXT))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(patient.introspect_async(TEXT))
        await asyncio.sleep(0.02)
        first.cancel()  # whoever asked first does not take the answer with him
        released.set()
        assert (await second).subject == SUBJECT

    asyncio.run(cancelled())


def test_a_loop_that_ends_lets_the_others_know():
    begun = threading.Event()

    async def fetch(url, headers, body, timeout):
        begun.set()
        await asyncio.sleep(30)

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, timeout=20)

    async def leave() -> None:
        task = asyncio.create_task(client.introspect_async(TEXT))
        while not begun.is_set():
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.05)
        task.cancel()

    failures = []

    def wait() -> None:
        begun.wait(10)
        failures.append(error_of(lambda: asyncio.run(client.introspect_async(TEXT))))

    other = threading.Thread(target=wait)
    other.start()
    asyncio.run(leave())
    other.join(10)
    assert [each.code for each in failures] == ["introspection_failed"]


def test_a_question_that_is_cancelled_before_its_first_step_is_over():
    """As a shutdown does it that cancels every task there is."""

    async def fetch(url, headers, body, timeout):
        return 200, JSON, active()

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, timeout=20, max_under_way=1)

    async def run():
        asking = asyncio.create_task(client.introspect_async(TEXT))
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task(), asking}:
            task.cancel()
        with pytest.raises(IntrospectionError) as refusal:
            await asyncio.wait_for(asking, 5)
        assert refusal.value.code == "introspection_failed"
        assert client.stats()["under_way"] == 0
        return await client.introspect_async(TEXT)

    assert asyncio.run(run()).subject == SUBJECT
    assert (client.stats()["failed"], client.stats()["active"]) == (1, 1)


def test_a_fetch_that_ends_its_thread_is_over(monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    endpoint = Endpoint()
    endpoint.error = SystemExit(1)
    client = endpoint.client(timeout=20, max_under_way=1)
    for _ in range(2):
        refused(client)
    assert client.stats()["under_way"] == 0
    for thread in threading.enumerate():
        if thread.name == "jotgate-introspect":
            thread.join(10)


def test_a_plain_fetch_does_not_hold_up_the_loop():
    endpoint = Endpoint(active())
    endpoint.gate.clear()
    client = endpoint.client(timeout=20)

    async def run():
        asking = asyncio.create_task(client.introspect_async(TEXT))
        await asyncio.sleep(0.01)
        assert not asking.done()
        rejects("invalid_policy", lambda: client.introspect(TEXT, fresh=True))
        endpoint.gate.set()
        return await asking

    assert asyncio.run(run()).subject == SUBJECT


# -- what is remembered


def test_nothing_is_remembered_unless_asked_for():
    endpoint = Endpoint(active())
    client = endpoint.client()
    assert client.introspect(TEXT)
    endpoint.body = INACTIVE
    refused(client, code="inactive")  # at once
    assert len(endpoint.calls) == 2


def test_a_positive_answer_is_remembered(clock):
    endpoint = Endpoint(active())
    client = endpoint.client(cache_ttl=60)
    first = client.introspect(TEXT)
    second = client.introspect(TEXT)
    assert first is not second
    assert first.claims == second.claims
    assert asyncio.run(client.introspect_async(TEXT)).subject == SUBJECT
    assert len(endpoint.calls) == 1
    assert client.stats()["remembered"] == 2
    clock.advance(59.9)
    assert client.introspect(TEXT)
    clock.advance(0.1)
    assert client.introspect(TEXT)
    assert len(endpoint.calls) == 2


@pytest.mark.parametrize(("members", "lives"), [({"exp": NOW + 10}, 10), ({"exp": NOW + 10.5}, 10.5), ({}, 60)])
def test_no_answer_outlives_its_exp(clock, members, lives):
    endpoint = Endpoint(json.dumps({"active": True} | members).encode())
    client = endpoint.client(cache_ttl=60)
    assert client.introspect(TEXT)
    clock.advance(lives - 0.001)
    assert client.introspect(TEXT)
    assert len(endpoint.calls) == 1
    clock.advance(0.001)
    endpoint.body = INACTIVE
    refused(client, code="inactive")
    assert len(endpoint.calls) == 2


def test_leeway_is_not_for_remembered_answers(clock):
    endpoint = Endpoint(active(exp=NOW + 10))
    client = endpoint.client(cache_ttl=60, leeway=30)
    assert client.introspect(TEXT)
    clock.advance(10)
    assert client.introspect(TEXT)
    assert len(endpoint.calls) == 2


def test_a_clock_that_goes_back_makes_nothing_live_longer(clock):
    endpoint = Endpoint(active(nbf=NOW))
    client = endpoint.client(cache_ttl=60)
    assert client.introspect(TEXT)
    clock.wall_ns -= 10**9
    clock.advance(0)
    refused(client, code="not_yet_valid")
    assert len(endpoint.calls) == 2


def test_the_age_counts_from_when_it_was_asked(clock):
    endpoint = Endpoint(active())
    endpoint.gate.clear()
    client = endpoint.client(cache_ttl=10, timeout=20)
    asking = threading.Thread(target=lambda: client.introspect(TEXT))
    asking.start()
    endpoint.entered.acquire()
    clock.advance(9)
    endpoint.gate.set()
    asking.join()
    assert client.introspect(TEXT)
    assert len(endpoint.calls) == 1
    clock.advance(1)
    assert client.introspect(TEXT)
    assert len(endpoint.calls) == 2


@pytest.mark.parametrize("body", [INACTIVE, b"{}", active(exp=NOW - 1)])
def test_no_refusal_is_remembered(body):
    endpoint = Endpoint(body)
    client = endpoint.client(cache_ttl=60)
    for _ in range(3):
        error_of(lambda: client.introspect(TEXT))
    endpoint.body = active()
    assert client.introspect(TEXT)
    assert len(endpoint.calls) == 4


def test_a_fresh_question_that_is_refused_forgets_what_was_remembered():
    endpoint = Endpoint(active())
    client = endpoint.client(cache_ttl=60)
    assert client.introspect(TEXT)
    endpoint.body = INACTIVE
    assert client.introspect(TEXT)  # remembered
    refused(client, code="inactive", fresh=True)
    refused(client, code="inactive")
    assert client.stats()["cache_entries"] == 0


def test_the_cache_is_bounded():
    endpoint = Endpoint(active())
    few = endpoint.client(cache_ttl=60, cache_entries=2)
    for text in ("a", "b", "a", "c"):  # b is the least recently used
        few.introspect(text)
    before = len(endpoint.calls)
    few.introspect("a")
    few.introspect("c")
    assert len(endpoint.calls) == before
    few.introspect("b")
    assert len(endpoint.calls) == before + 1
    small = endpoint.client(cache_ttl=60, cache_bytes=2000)
    for number in range(50):
        small.introspect(f"t{number}")
        assert small.stats()["cache_bytes"] <= 2000
    assert 1 <= small.stats()["cache_entries"] <= 3
    tiny = endpoint.client(cache_ttl=60, cache_bytes=100)
    tiny.introspect("a")
    assert tiny.stats()["cache_entries"] == 0


def test_nothing_of_the_token_is_kept():
    client = Endpoint(active()).client(cache_ttl=60)
    client.introspect("c4n4ry-token")
    kept = repr(client._answers._entries)  # type: ignore[union-attr]
    assert "c4n4ry" not in kept
    (key,) = client._answers._entries  # type: ignore[union-attr]
    assert len(key) == 32
    assert key != Endpoint().client()._key("c4n4ry-token")


def test_a_forked_child_begins_anew():
    endpoint = Endpoint(active())
    client = endpoint.client(cache_ttl=60)
    client.introspect(TEXT)
    client._lock.acquire()
    client._forked()
    assert client.introspect(TEXT)
    assert len(endpoint.calls) == 2


# -- mistakes


@pytest.mark.parametrize(
    "options",
    [
        {"auth": None}, {"auth": "x:y"}, {"fetch": 7}, {"cache_ttl": 301}, {"cache_ttl": 0}, {"cache_ttl": True},
        {"cache_ttl": "1"}, {"timeout": 0}, {"max_under_way": 0}, {"timeout": None}, {"max_response_bytes": 0},
        {"cache_entries": 0}, {"cache_bytes": -1}, {"issuer": None}, {"audience": []}, {"leeway": 601}, {"leeway": -1},
        {"tls": 7},
    ],
)  # fmt: skip
def test_mistakes_are_refused_at_construction(options):
    rejects("invalid_policy", lambda: Endpoint().client(**options))


@pytest.mark.parametrize(
    "url", ["http://auth.example.com/introspect", "http://127.0.0.1/", "ftp://x/", "https://u:p@x/", "https://x/#a", ""]
)
def test_urls_that_must_not_be_asked(url):
    rejects("invalid_policy", lambda: IntrospectionClient(url, auth=BasicAuth(API, SECRET)))


def test_the_query_of_the_url_is_not_shown():
    client = IntrospectionClient(URL + "?key=c4n4ry", auth=BasicAuth(API, SECRET))
    assert "c4n4ry" not in f"{client!r} {client.stats()}"


def test_stats():
    endpoint = Endpoint(active())
    client = endpoint.client()
    client.introspect(TEXT)
    endpoint.body = INACTIVE
    refused(client, code="inactive")
    endpoint.status = 500
    refused(client)
    assert client.stats() == {
        "url": URL, "asked": 3, "shared": 0, "remembered": 0, "active": 1, "refused": 1, "failed": 1, "under_way": 0,
        "cache_entries": 0, "cache_bytes": 0,
    }  # fmt: skip


# -- questions that are cut off


class Cut(BaseException):
    """What a fetch of the user's may raise besides exceptions, as gevent and asyncio do to end it."""


def test_a_fetch_that_is_cut_off_holds_no_place():
    def fetch(*_):
        raise Cut

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, max_under_way=1, timeout=SHORT)
    for _ in range(2):
        error = refused(client)
        assert "the fetch" in str(error)
    assert client.stats()["under_way"] == 0


def test_a_question_whose_event_loop_ends_before_it_is_begun_holds_no_place():
    async def fetch(*_):
        return 200, JSON, active()

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, max_under_way=1)

    async def cut():
        waiting = asyncio.ensure_future(client.introspect_async(TEXT))
        await asyncio.sleep(0)  # asked, and the task of the question not begun
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(cut())
    assert client.stats()["under_way"] == 0
    assert asyncio.run(client.introspect_async(TEXT))


def test_a_question_whose_event_loop_is_closed_holds_no_place():
    async def fetch(*_):
        await asyncio.sleep(60)

    client = IntrospectionClient(URL, auth=BasicAuth(API, SECRET), fetch=fetch, max_under_way=1, timeout=SHORT)
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(client.introspect_async(TEXT))
    loop.run_until_complete(asyncio.sleep(0.01))
    asked = next(iter(client._under_way)).task
    loop.close()
    for task in (waiting, asked):
        task._log_destroy_pending = False  # that they are pending is what this is about
    assert not waiting.done()
    error = error_of(lambda: asyncio.run(client.introspect_async("another")))
    assert (type(error), error.code) == (IntrospectionError, "introspection_failed")
    assert "no answer within" in str(error)

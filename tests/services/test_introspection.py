"""Introspection and revocation over real HTTP and TLS, and what a client makes of an endpoint that misbehaves."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from introspecting import (
    API,
    APP,
    INACTIVE,
    KEY,
    SECRET,
    TakenBack,
    access_token,
    clients,
    issuers_verifier,
    partners_responder,
)
from services import certificates, wire
from services.asgi import Served
from services.endpoints import TLSServed, asgi
from support import AUDIENCE, ISSUER, SUBJECT, error_of, refuses

from jotgate.introspection.auth import BasicAuth, MutualTls, PrivateKeyJwt
from jotgate.introspection.callers import Client, ClientCertificate
from jotgate.introspection.client import IntrospectionClient
from jotgate.introspection.hybrid import HybridVerifier
from jotgate.introspection.responder import IntrospectionResponder
from jotgate.introspection.revocation_endpoint import RevocationEndpoint
from jotgate.keys.fetch import fetch
from jotgate.stores.memory import MemoryStore

SHORT = 0.3
# The machine of the tests may be busy; a hung question would take for ever.
AT_MOST = 2.0
ACTIVE = b'{"active":true,"sub":"user-4711"}'
FAR = 32503680000


def long_lived(**changes: Any) -> str:
    return access_token(exp=FAR, **changes)


def client_of(url: str, **options: Any) -> IntrospectionClient:
    settings: dict[str, Any] = {"auth": BasicAuth(API, SECRET), "allow_http": True, "timeout": 10} | options
    return IntrospectionClient(url, **settings)


@pytest.fixture
def taken() -> TakenBack:
    return TakenBack()


@pytest.fixture
def served(taken: TakenBack) -> Iterator[Served]:
    verifier = issuers_verifier(revocations=taken)
    introspect = partners_responder(MemoryStore(), verifier)
    revoke = RevocationEndpoint(verifier, clients=clients(), revocations=taken)
    with Served(asgi(introspect=introspect, revoke=revoke)) as server:
        yield server


# -- both sides of ours


def test_a_token_is_active_until_its_client_takes_it_back(served: Served) -> None:
    client = client_of(served.origin + "/introspect", issuer=ISSUER, audience=AUDIENCE)
    text = long_lived()
    assert client.introspect(text).subject == SUBJECT
    assert asyncio.run(client.introspect_async(text))["client_id"] == APP
    headers = {"content-type": "application/x-www-form-urlencoded"} | BasicAuth(APP, SECRET[::-1]).present().headers
    answer = fetch(served.origin + "/revoke", headers, 5, body=b"token=" + text.encode(), allow_http=True)
    assert (answer.status, answer.body) == (200, b"")
    assert error_of(lambda: client.introspect(text)).code == "inactive"
    way_in = HybridVerifier(issuers_verifier(), client)
    assert way_in.verify(text)
    assert error_of(lambda: way_in.verify(text, sensitive=True)).code == "inactive"


def test_assertions_over_http(served: Served) -> None:
    client = client_of(served.origin + "/introspect", auth=PrivateKeyJwt("partner", KEY, ISSUER))
    for _ in range(3):
        assert client.introspect(long_lived()).subject == SUBJECT
    stranger = client_of(served.origin + "/introspect", auth=PrivateKeyJwt(API, KEY, ISSUER))
    assert "401" in str(error_of(lambda: stranger.introspect(long_lived())))


def test_wrong_credentials_are_not_the_token_s_fault(served: Served) -> None:
    client = client_of(served.origin + "/introspect", auth=BasicAuth(API, SECRET + "x"))
    error = error_of(lambda: client.introspect(long_lived()))
    assert (error.code, error.http_status) == ("introspection_failed", 503)
    assert "our own client credentials" in str(error)
    assert SECRET not in str(error)


def test_a_client_certificate_over_tls(tmp_path: Any) -> None:
    ours = certificates.Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(ours.pem())
    known, unknown = ours.issue("known.example.com"), ours.issue("unknown.example.com")
    der = ssl.PEM_cert_to_DER_cert("-----BEGIN CERT" + known.read_text().partition("-----BEGIN CERT")[2])
    table = {API: Client(ClientCertificate.of(der), audience=AUDIENCE)}
    tls = ours.serving()
    tls.load_verify_locations(cadata=ours.pem())
    tls.verify_mode = ssl.CERT_REQUIRED
    with TLSServed(IntrospectionResponder(issuers_verifier(), clients=table), tls) as server:
        url = server.origin + "/introspect"

        def client(certificate: Any, **options: Any) -> IntrospectionClient:
            settings = {"cafile": tmp_path / "ca.pem"} | options
            return IntrospectionClient(url, auth=MutualTls(API, certificate, **settings), timeout=10)

        assert client(known).introspect(long_lived()).subject == SUBJECT
        assert "401" in str(error_of(lambda: client(unknown).introspect(long_lived())))
        for refused in (
            client(known, cafile=None),  # the system's authorities do not know the server
            IntrospectionClient(url, auth=BasicAuth(API, SECRET), tls=ours.trusted(), timeout=10),  # no certificate
        ):
            assert error_of(lambda refused=refused: refused.introspect(long_lived())).code == "introspection_failed"


# -- endpoints that misbehave

SLOW = ("hang", "drip", "endless", "by_its_length")


def json_answer(body: bytes) -> list[bytes]:
    return [wire.answer(body, content_type="application/json")]


@pytest.mark.parametrize("name", sorted(name for name in wire.ANSWERS if not name.startswith("ok")))
def test_whatever_a_server_does_nothing_is_accepted_and_nobody_waits_long(name: str) -> None:
    with wire.Server(lambda _: wire.ANSWERS[name](ACTIVE)) as server:
        client = client_of(server.url(), timeout=SHORT if any(word in name for word in SLOW) else 5)
        began = time.monotonic()
        error = error_of(lambda: client.introspect("c4n4ry-token"))
        assert time.monotonic() - began < SHORT + AT_MOST
    assert error.code == "introspection_failed"
    assert "c4n4ry" not in f"{error} {error!r} {error.__cause__}"


def test_a_slow_answer_ends_at_the_deadline_in_an_event_loop_too() -> None:
    body = wire.answer(ACTIVE, content_type="application/json")
    with wire.Server(lambda _: wire.dripping(body, 0.05)) as server:
        client = client_of(server.url(), timeout=SHORT)
        began = time.monotonic()
        assert error_of(lambda: asyncio.run(client.introspect_async("t"))).code == "introspection_failed"
        assert time.monotonic() - began < SHORT + AT_MOST


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_no_redirect_is_followed(status: str) -> None:
    with wire.Server(lambda _: json_answer(ACTIVE)) as other:
        with wire.Server(lambda _: wire.redirect(status, other.url())) as server:
            error = error_of(lambda: client_of(server.url()).introspect("t"))
        assert (error.code, other.requests) == ("introspection_failed", [])


@pytest.mark.parametrize("kind", ["application/jwk-set+json", "text/html", "text/plain", "application/jwt"])
def test_another_content_type_accepts_nothing(kind: str) -> None:
    with wire.Server(lambda _: [wire.answer(ACTIVE, content_type=kind)]) as server:
        assert error_of(lambda: client_of(server.url()).introspect("t")).code == "introspection_failed"


def test_the_request_as_it_is_on_the_wire() -> None:
    with wire.Server(lambda _: json_answer(ACTIVE)) as server:
        assert client_of(server.url("/introspect")).introspect("a+b").subject == SUBJECT
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/introspect")
    assert request.body == b"token=a%2Bb&token_type_hint=access_token"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"
    assert "a%2Bb" not in str(request.headers)


def test_nothing_listens() -> None:
    with wire.Server(lambda _: []) as server:
        url = server.url()
    assert error_of(lambda: client_of(url).introspect("t")).code == "introspection_failed"


# -- two servers, many callers


def test_two_servers_and_one_token() -> None:
    with (
        wire.Server(lambda _: json_answer(ACTIVE)) as yes,
        wire.Server(lambda _: json_answer(INACTIVE)) as no,
    ):
        accepting, refusing = (client_of(each.url(), cache_ttl=60) for each in (yes, no))
        for _ in range(2):
            assert accepting.introspect("one-token")
            assert error_of(lambda: refusing.introspect("one-token")).code == "inactive"
        assert (len(yes.requests), len(no.requests)) == (1, 2)


def test_threads_and_event_loops_share_one_request() -> None:
    gate = threading.Event()

    def script(_: wire.Request) -> Iterator[Any]:
        gate.wait(20)
        yield from json_answer(ACTIVE)

    with wire.Server(script) as server:
        client = client_of(server.url(), timeout=20)
        found: list[Any] = []

        async def several() -> None:
            found.extend(await asyncio.gather(*(client.introspect_async("t") for _ in range(8))))

        workers = [threading.Thread(target=lambda: found.append(client.introspect("t"))) for _ in range(64)]
        workers += [threading.Thread(target=lambda: asyncio.run(several())) for _ in range(2)]
        for worker in workers:
            worker.start()
        end = time.monotonic() + 10
        while sum(client.stats()[name] for name in ("asked", "shared")) < 80:
            assert time.monotonic() < end
            time.sleep(0.005)
        gate.set()
        for worker in workers:
            worker.join(20)
        assert len(found) == 80
        assert {token.subject for token in found} == {SUBJECT}
        assert len(server.requests) == 1


def test_a_server_that_comes_back_is_asked_again() -> None:
    with wire.Server(lambda _: [wire.RESET]) as server:
        client = client_of(server.url())
        refuses(Door(client), "t", "introspection_failed")
        server.script = lambda _: json_answer(ACTIVE)
        assert client.introspect("t")


class Door:
    def __init__(self, client: IntrospectionClient) -> None:
        self.verify = client.introspect

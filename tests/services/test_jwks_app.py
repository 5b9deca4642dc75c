"""What an issuer publishes, over real HTTP, as our own verifiers find it: discovery, key set, epoch."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services.asgi import Served
from support import AUDIENCE, refuses

from jotgate import Issuer, KeyRing, Policy, RemoteKeySet, Verifier
from jotgate.keys.publish import JWKS_PATH, jwks_app


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "ring", create=True)


@pytest.fixture
def served(ring: KeyRing) -> Iterator[Served]:
    apps: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await apps[0](scope, receive, send)

    server = Served(app)
    apps.append(jwks_app(ring, issuer=server.origin, allow_http=True))  # it has to know where it is served
    with server:
        yield server


def get(url: str, **headers: str) -> tuple[int, Any, bytes]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_a_server_sends_it_as_we_wrote_it(served: Served, ring: KeyRing) -> None:
    status, headers, body = get(served.origin + JWKS_PATH)
    assert status == 200
    assert json.loads(body) == ring.jwks() | {"jotgate_epoch": 0}
    assert headers["content-type"] == "application/jwk-set+json"
    assert headers["cache-control"] == "public, max-age=300"
    status, again, body = get(served.origin + JWKS_PATH, **{"If-None-Match": headers["etag"]})
    assert (status, body, again["etag"]) == (304, b"", headers["etag"])
    assert get(f"{served.origin}/")[0] == 404
    request = urllib.request.Request(served.origin + JWKS_PATH, method="POST", data=b"x")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 405
    caught.value.close()


def test_a_verifier_finds_the_keys_by_the_issuer_s_name(served: Served, ring: KeyRing) -> None:
    issuer = Issuer(served.origin, ring)
    keys = RemoteKeySet.for_issuer(served.origin, allow_http=True)
    with Verifier(keys, Policy(algorithms=["ES256"], issuer=served.origin, audience=AUDIENCE)) as verifier:
        assert verifier.verify(issuer.issue("user-1", AUDIENCE)).subject == "user-1"


def test_a_compromise_reaches_verifiers_elsewhere(served: Served, ring: KeyRing) -> None:
    """At their next fetch the key is gone, and tokens of other keys of before are taken back by the epoch."""
    issuer = Issuer(served.origin, ring)
    policy = Policy(algorithms=["ES256"], issuer=served.origin, audience=AUDIENCE)

    def verifier() -> Verifier:
        return Verifier(RemoteKeySet(served.origin + JWKS_PATH, allow_http=True), policy)

    before = issuer.issue("user-1", AUDIENCE)
    with verifier() as early:
        assert early.verify(before)
    waiting = next(record.kid for record in ring.keys if record.state == "next")
    ring.compromise(waiting)
    after = issuer.issue("user-1", AUDIENCE)
    with verifier() as late:
        refuses(late, before, "revoked")  # its key is still trusted
        assert late.verify(after)
    ring.compromise(str(ring.signer().kid))
    with verifier() as latest:
        refuses(latest, after, "unknown_key")
        assert latest.verify(issuer.issue("user-1", AUDIENCE))

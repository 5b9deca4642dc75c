"""The endpoints of RFC 7009 and RFC 7662 with real sessions and revocations on a real store, and other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from introspecting import API, APP, INACTIVE, KEY, SECRET, access_token, basic, clients, post
from services.asserting import THREADS
from services.redis_servers import names, store_url
from services.watch import Watch
from services.wire import Server, answer
from support import AUDIENCE, ISSUER, SUBJECT, error_of, rejects

from jotgate import ANY, Issuer, KeySet, Policy, Revocations, SessionManager, Verifier
from jotgate.errors import RevokedTokenError
from jotgate.introspection.auth import PrivateKeyJwt
from jotgate.introspection.responder import IntrospectionResponder
from jotgate.introspection.revocation_endpoint import RevocationEndpoint
from jotgate.sessions.answers import Tokens
from jotgate.sessions.secrets import FixedSecrets
from jotgate.stores import open_store

TESTS = Path(__file__).parents[1]
FAR = 32503680000
OWNER = basic(APP, SECRET[::-1])
DONE = (200, b"")


@pytest.fixture(params=["sqlite", *names()[:1]])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with store_url(request.param, tmp_path) as url:
        yield url


class AuthorizationServer:
    """Sessions, and both endpoints, with nothing in the place of anything."""

    def __init__(self, url: str) -> None:
        self.store = open_store(url, timeout=10)
        self.revocations = Revocations(self.store, issuer=ISSUER, on_stale="refuse")
        issuer = Issuer(ISSUER, KEY, revocations=self.revocations)
        self.sessions = SessionManager(self.store, issuer, secrets=FixedSecrets({1: b"s" * 32}))
        everybody = Policy(algorithms=["ES256"], issuer=ISSUER, audience=ANY)
        self.verifier = Verifier(KeySet([KEY.public()]), everybody, revocations=self.revocations)
        options: dict[str, Any] = {"clients": clients(), "sessions": self.sessions}
        self.revoking = RevocationEndpoint(self.verifier, revocations=self.revocations, **options)
        self.introspecting = IntrospectionResponder(self.verifier, fresh=True, **options)

    def start(self, **options: Any) -> Tokens:
        return self.sessions.start(SUBJECT, AUDIENCE, client_id=APP, **options)

    def revoke(self, token: str, headers: Any = OWNER) -> tuple[int, bytes]:
        done = post(self.revoking, {"token": token}, headers)
        return done.status, done.body

    def told(self, token: str, headers: Any = None) -> dict[str, Any]:
        answer = post(self.introspecting, {"token": token}, headers)
        assert answer.status == 200
        if b'"active":false' in answer.body:
            assert answer.body == INACTIVE
        return dict(json.loads(answer.body))

    def close(self) -> None:
        self.verifier.close()
        self.store.close()


@pytest.fixture
def server(url: str) -> Iterator[AuthorizationServer]:
    made = AuthorizationServer(url)
    yield made
    made.close()


def test_a_refresh_token_that_its_client_takes_back_ends_the_session_everywhere(
    url: str, server: AuthorizationServer
) -> None:
    first, other = server.start(scope="read"), server.start()
    second = server.sessions.refresh(first.refresh)
    described = server.told(second.refresh, OWNER)
    assert described["active"] is True
    assert (described["sub"], described["client_id"], described["scope"]) == (SUBJECT, APP, "read")
    published = json.dumps({"keys": [KEY.public_jwk() | {"use": "sig"}]}).encode()
    watched = {"first": first.access, "second": second.access, "other": other.access}
    with Server(lambda _: [answer(published)]) as keys, Watch(url, {}, watched, processes=2, url=keys.url()) as watch:
        for name in watched:
            watch.wait_for(name, "accepted")
        assert server.revoke(second.refresh, basic(API)) == (400, b'{"error":"invalid_grant"}')
        assert server.told(second.refresh, OWNER) == described, "another client's word ends nothing"
        assert server.revoke(second.refresh) == DONE
        # Here it holds at once, for whoever asks the store; elsewhere, when the mirror has heard of it.
        for access in (first.access, second.access):
            assert type(error_of(lambda access=access: server.verifier.verify(access, fresh=True))) is RevokedTokenError
        watch.wait_for("first", "revoked")
        watch.wait_for("second", "revoked")
        assert set(watch.verdicts("other")) == {"accepted"}
    for text in (second.refresh, first.refresh):
        assert rejects("invalid_grant", lambda text=text: server.sessions.refresh(text)).cause == "ended"
    assert server.revoke(second.refresh) == DONE, "once more"
    assert server.sessions.refresh(other.refresh).session == other.session


def test_whatever_is_over_is_told_by_the_same_bytes(server: AuthorizationServer) -> None:
    logged_out, revoked, taken_back, replayed = (server.start() for _ in range(4))
    for tokens in (logged_out, revoked, taken_back, replayed):
        assert server.told(tokens.access)["active"] is True
        assert server.told(tokens.refresh, OWNER)["active"] is True
        assert server.told(tokens.refresh) == {"active": False}, "another client's"
    server.sessions.end(logged_out.session)
    server.revocations.revoke_session(revoked.session)
    assert server.revoke(taken_back.access) == DONE
    assert server.told(taken_back.refresh, OWNER)["active"] is True, "an access token is taken back alone"
    server.sessions.refresh(server.sessions.refresh(replayed.refresh).refresh)
    rejects("invalid_grant", lambda: server.sessions.refresh(replayed.refresh))
    texts = [tokens.access for tokens in (logged_out, revoked, taken_back, replayed)]
    texts += [tokens.refresh for tokens in (logged_out, revoked, replayed)]
    texts += ["unknown", logged_out.refresh[:-4] + "AAAA", logged_out.refresh.replace("1.", "2.", 1)]
    answers = [post(server.introspecting, {"token": text}, headers) for text in texts for headers in (None, OWNER)]
    assert len({repr(answer) for answer in answers}) == 1
    assert answers[0].body == INACTIVE


def test_of_four_processes_with_one_assertion_one_is_admitted(url: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    form = {"token": access_token(exp=FAR)} | PrivateKeyJwt("partner", KEY, ISSUER).present().form
    processes = [
        subprocess.Popen(
            [sys.executable, str(TESTS / "services" / "asserting.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    try:
        for line, expected in ((json.dumps({"store": url}), "ready\n"), (json.dumps(form), None)):
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(line + "\n")
                process.stdin.flush()
            if expected:
                assert [process.stdout.readline() for process in processes if process.stdout] == [expected] * 4
        statuses = [status for process in processes for status in json.loads(process.communicate(timeout=60)[0])]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert sorted(statuses) == [200] + [401] * (4 * THREADS - 1)

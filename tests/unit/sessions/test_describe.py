"""Sessions as endpoints see them: what a refresh token is about, and that taking it back takes back everything."""

from typing import Any
from urllib.parse import urlencode

import pytest
from introspecting import INACTIVE, SECRET, basic
from session_world import forged, issuer, manager, started
from store_in_hand import HeldStore
from support import AUDIENCE, ISSUER, NOW, SUBJECT, MovingClock, error_of, policy, refuses, signing_key

from jotgate import ANY, KeySet, Revocations, Verifier
from jotgate.errors import StoreUnavailableError
from jotgate.introspection.callers import Client, ClientSecret
from jotgate.introspection.endpoint import Response
from jotgate.introspection.responder import IntrospectionResponder
from jotgate.introspection.revocation_endpoint import RevocationEndpoint
from jotgate.stores.memory import MemoryEpochs, MemoryStore
from jotgate.stores.sqlite import SqliteStore
from jotgate.stores.taking_back import before_now, session_rule, subject_rule

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_what_is_told_of_a_refresh_token(clock: MovingClock) -> None:
    sessions = manager()
    tokens = started(sessions, client_id="app", scope="read write")
    clock.advance(5)
    assert sessions.describe(tokens.refresh) == {
        "sid": tokens.session,
        "sub": SUBJECT,
        "aud": AUDIENCE,
        "iss": ISSUER,
        "iat": NOW,
        "exp": NOW + 7 * 86_400,
        "client_id": "app",
        "scope": "read write",
    }
    described = sessions.describe(started(sessions).refresh)
    assert described is not None
    assert not {"client_id", "scope"} & described.keys()


def test_only_what_would_work_is_told_of(clock: MovingClock) -> None:
    store, epochs = MemoryStore(), MemoryEpochs()
    sessions = manager(store, of=issuer(epochs))
    tokens = started(sessions)
    newer = sessions.refresh(tokens.refresh)
    assert sessions.describe(tokens.refresh), "the one before, within the grace"
    assert sessions.describe(newer.refresh)
    clock.advance(31)
    assert sessions.describe(tokens.refresh) is None
    assert sessions.describe(newer.refresh), "asking ended nothing"
    for text in ("", "x", newer.access, forged(tokens.session, 9), forged(tokens.session, 1, secret=b"x" * 32)):
        assert sessions.describe(text) is None
    before = sessions.stats()
    sessions.describe("x")
    assert sessions.stats() == before
    store.write([subject_rule(ISSUER, SUBJECT, before_now(store))])
    assert sessions.describe(newer.refresh) is None
    clock.advance(1)
    other = started(sessions)
    store.write([session_rule(ISSUER, other.session, before_now(store))])
    assert sessions.describe(other.refresh) is None
    third = started(sessions)
    epochs.advance()
    assert sessions.describe(third.refresh) is None


def test_a_forgery_is_not_worth_a_look_at_the_store() -> None:
    store = HeldStore()
    sessions = manager(store)
    tokens = started(sessions)
    store.stop()
    store.calls.clear()
    for text in ("x", tokens.refresh[:-2] + "AA", tokens.access, None):
        assert sessions.describe(text) is None  # type: ignore[arg-type]
    assert store.calls == []
    assert isinstance(error_of(lambda: sessions.describe(tokens.refresh)), StoreUnavailableError)


@pytest.fixture
def service(tmp_path: Any) -> Any:
    """An issuer's service: sessions, both endpoints, and a verifier elsewhere on the same store."""

    class Service:
        store = SqliteStore(tmp_path / "state.db")
        sessions = manager(store)
        writer = Revocations(store, issuer=ISSUER, on_stale="refuse")
        keys = KeySet([signing_key("Ed25519").public()])
        own = Verifier(keys, policy("EdDSA", audience=ANY), revocations=writer)
        elsewhere = Verifier(keys, policy("EdDSA"), revocations=Revocations(store, on_stale="refuse"))
        clients = {"app": Client(ClientSecret.of(SECRET), audience=AUDIENCE)}  # noqa: RUF012
        introspect = IntrospectionResponder(own, clients=clients, sessions=sessions, fresh=True)
        revoke = RevocationEndpoint(own, clients=clients, revocations=writer, sessions=sessions)

        @staticmethod
        def post(endpoint: Any, token: str) -> Response:
            return endpoint.respond("POST", FORM | basic("app"), urlencode({"token": token}).encode())

    made = Service()
    yield made
    made.own.close()
    made.elsewhere.close()
    made.store.close()


def test_a_refresh_token_taken_back_takes_the_session_along(service: Any) -> None:
    tokens = service.sessions.start(SUBJECT, AUDIENCE, client_id="app")
    service.elsewhere.verify(tokens.access)
    service.elsewhere.verify(tokens.access)
    for token in (tokens.refresh, tokens.access):
        assert service.post(service.introspect, token).body.startswith(b'{"active":true')
    assert service.post(service.revoke, tokens.refresh).status == 200
    assert error_of(lambda: service.sessions.refresh(tokens.refresh)).code == "invalid_grant"
    assert error_of(lambda: service.elsewhere.verify(tokens.access, fresh=True)).code == "revoked"
    refuses(service.elsewhere, tokens.access, "revoked")
    answers = [service.post(service.introspect, token) for token in (tokens.refresh, tokens.access, "unknown")]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0].body == INACTIVE


def test_an_access_token_taken_back_is_refused_elsewhere_and_the_session_goes_on(service: Any) -> None:
    tokens = service.sessions.start(SUBJECT, AUDIENCE, client_id="app")
    service.elsewhere.verify(tokens.access)
    assert service.post(service.revoke, tokens.access).status == 200
    assert error_of(lambda: service.elsewhere.verify(tokens.access, fresh=True)).code == "revoked"
    assert service.post(service.introspect, tokens.access).body == INACTIVE
    service.elsewhere.verify(service.sessions.refresh(tokens.refresh).access)


def test_another_clients_session_is_left_alone(service: Any) -> None:
    tokens = service.sessions.start(SUBJECT, AUDIENCE, client_id="other")
    assert service.post(service.revoke, tokens.refresh).status == 400
    assert service.sessions.refresh(tokens.refresh)

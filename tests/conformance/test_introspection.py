"""Revocation and introspection: RFC 7009 section 2, RFC 7662 sections 2 and 4."""

import pytest
from introspecting import (
    API,
    INACTIVE,
    OWNER,
    SECRET,
    URL,
    Endpoint,
    World,
    access_token,
    active,
    basic,
    clients,
    issuers_verifier,
    post,
)
from support import AUDIENCE, ISSUER, NOW, SUBJECT, error_of, refuses, rejects, signing_key

from jotgate.errors import StoreUnavailableError
from jotgate.introspection.auth import BasicAuth, PrivateKeyJwt
from jotgate.introspection.callers import Assertions, Client, ClientKeys
from jotgate.introspection.client import IntrospectionClient
from jotgate.introspection.responder import IntrospectionResponder
from jotgate.stores.memory import MemoryStore

pytestmark = pytest.mark.usefixtures("clock")


def test_rfc7009_2_refresh_and_access_tokens_are_revoked() -> None:
    world = World()
    for text in ("r1", access_token()):
        assert world.revoke(text).status == 200
    assert world.sessions.ended == ["s1"]
    refuses(world.verifier, access_token(), "revoked")


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "unknown"])
def test_rfc7009_2_1_all_kinds_are_searched_whatever_the_hint(hint: str) -> None:
    world = World()
    for text in ("r1", access_token()):
        assert world.revoke(text, token_type_hint=hint).status == 200
    assert (world.sessions.ended, world.taken.ids) == (["s1"], {"j1"})


def test_rfc7009_2_2_an_invalid_token_is_answered_200() -> None:
    for text in ("unknown", access_token(exp=NOW), access_token()[:-4] + "AAAA"):
        assert World().revoke(text).status == 200


def test_rfc7009_2_1_only_the_owning_client_revokes() -> None:
    world = World()
    for text in ("r1", access_token()):
        assert world.revoke(text, basic(API)).status == 400
        assert world.revoke(text, {}).status == 401
    assert (world.sessions.ended, world.taken.ids) == ([], set())


def test_rfc7009_2_1_a_refresh_token_ends_the_whole_session() -> None:
    """What ends is the session that the refresh token belongs to, and so every token that names it."""
    world = World()
    world.revoke("r1")
    assert world.sessions.ended == [world.sessions.known["r1"]["sid"]]
    assert world.introspect("r1", OWNER).body == INACTIVE


def test_rfc7009_2_2_1_a_store_that_is_down_is_503_with_retry_after() -> None:
    world = World()
    world.taken.error = world.sessions.error = StoreUnavailableError("down", "store_unavailable")
    for text in ("r1", access_token()):
        answer = world.revoke(text)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


def test_rfc7662_2_1_the_caller_is_authenticated_authorised_and_throttled() -> None:
    world = World()
    assert world.introspect(access_token(), {}).status == 401
    assert world.introspect(access_token()).body != INACTIVE
    assert world.introspect(access_token(), OWNER).body == INACTIVE  # another's audience
    slow = IntrospectionResponder(world.verifier, clients=clients(), throttle=lambda client_id: 3)
    assert post(slow, {"token": access_token()}).status == 429


def test_rfc7662_2_2_an_inactive_token_is_told_as_nothing_else() -> None:
    world = World()
    world.taken.ids.add("gone")
    for text in ("unknown", access_token(jti="gone"), access_token(aud="x"), "r1"):
        assert world.introspect(text).body == b'{"active":false}'


@pytest.mark.parametrize(
    "changes",
    [{"exp": NOW}, {"nbf": NOW + 1}, {"jti": "gone"}, {"aud": "https://crm.example.com"}, {"iss": "https://x"}],
)
def test_rfc7662_4_everything_about_a_token_is_checked(changes) -> None:
    world = World()
    world.taken.ids.add("gone")
    assert world.introspect(access_token()).body != INACTIVE
    assert world.introspect(access_token(**changes)).body == INACTIVE
    assert world.introspect(access_token()[:-4] + "AAAA").body == INACTIVE


def test_rfc7662_4_post_only_and_over_tls() -> None:
    assert World().introspecting.respond("GET", basic(), b"token=t").status == 405
    for url in ("http://auth.example.com/introspect", "http://127.0.0.1/introspect"):
        rejects("invalid_policy", lambda url=url: IntrospectionClient(url, auth=BasicAuth(API, SECRET)))


def test_rfc7662_4_no_answer_is_remembered_beyond_exp(clock) -> None:
    endpoint = Endpoint(active(exp=NOW + 5))
    client = endpoint.client(cache_ttl=300)
    assert client.introspect("t")
    clock.advance(4.999)
    assert client.introspect("t")
    assert len(endpoint.calls) == 1
    clock.advance(0.001)
    assert error_of(lambda: client.introspect("t")).code == "expired"
    assert len(endpoint.calls) == 2


def test_rfc9700_2_5_a_client_authenticates_by_its_own_key() -> None:
    """Nobody else knows a secret of such a client, the server included; RFC 7523 sections 2.2 and 3."""
    key = signing_key("ES256", kid="client", which=1)
    responder = IntrospectionResponder(
        issuers_verifier(),
        clients={API: Client(ClientKeys(key.public(), algorithms=["ES256"]), audience=AUDIENCE)},
        assertions=Assertions(ISSUER, MemoryStore()),
    )
    for signer, status in ((key, 200), (signing_key("ES256", kid="client", which=2), 401)):
        asked = IntrospectionClient(
            URL,
            auth=PrivateKeyJwt(API, signer, ISSUER),
            fetch=lambda url, headers, body, timeout: responder.respond("POST", headers, body),
        )
        if status == 200:
            assert asked.introspect(access_token()).subject == SUBJECT
        else:
            assert error_of(lambda asked=asked: asked.introspect(access_token())).code == "introspection_failed"

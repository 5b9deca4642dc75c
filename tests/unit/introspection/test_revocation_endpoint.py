"""The revocation endpoint: who may take what back."""

import pytest
from introspecting import API, OWNER, TakenBack, World, access_token, basic, clients, post
from support import NOW, refuses, rejects, signing_key

from jotgate.errors import StoreUnavailableError
from jotgate.introspection.endpoint import Response
from jotgate.introspection.revocation_endpoint import RevocationEndpoint

pytestmark = pytest.mark.usefixtures("frozen_clock")

DONE = Response(200, {"cache-control": "no-store"}, b"")


def is_error(answer, status, error):
    assert (answer.status, answer.body) == (status, f'{{"error":"{error}"}}'.encode())
    assert answer.headers["cache-control"] == "no-store"


def test_an_access_token_is_taken_back():
    world = World()
    text = access_token()
    assert world.verifier.verify(text)
    assert world.revoke(text) == DONE
    refuses(world.verifier, text, "revoked")
    assert world.revoke(text) == DONE  # again


def test_a_refresh_token_ends_its_session():
    world = World()
    assert world.revoke("r1") == DONE
    assert world.sessions.ended == ["s1"]
    assert world.revoke("r1") == DONE
    assert world.sessions.ended == ["s1", "s1"], "a token that no longer works still names its session"


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "", "x" * 99])
def test_both_kinds_are_tried_whatever_the_hint(hint):
    world = World()
    assert world.revoke(access_token(), token_type_hint=hint) == DONE
    assert world.revoke("r1", token_type_hint=hint) == DONE
    assert (world.taken.ids, world.sessions.ended) == ({"j1"}, ["s1"])


@pytest.mark.parametrize(
    "text",
    [
        "unknown", "a.b.c", "é", "x" * 20000, access_token()[:-8] + "AAAAAAAA", access_token(exp=NOW),
        access_token(signing_key("ES384", kid="k")), access_token(iss="https://other.example.com"),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_token_that_does_not_count_anyway(text):
    world = World()
    assert world.revoke(text) == DONE
    assert (world.taken.ids, world.sessions.ended) == (set(), [])


def test_only_its_own_client_takes_a_token_back():
    world = World()
    for text in (access_token(), "r1"):
        is_error(world.revoke(text, basic(API)), 400, "invalid_grant")
    is_error(world.revoke(access_token(client_id=None)), 400, "invalid_grant")
    world.sessions.known["r2"] = {"sid": "s2"}
    is_error(world.revoke("r2"), 400, "invalid_grant")
    assert (world.taken.ids, world.sessions.ended) == (set(), [])
    is_error(world.revoke(access_token(), basic("nobody")), 401, "invalid_client")
    is_error(world.revoke(access_token(), {}), 401, "invalid_client")
    assert world.revoke("x", {}).headers["www-authenticate"] == 'Basic realm="revocation"'


@pytest.mark.parametrize("changes", [{"nbf": NOW + 60}, {"iat": NOW + 5}])
def test_a_token_that_counts_later_is_not_said_to_be_taken_back(changes):
    is_error(World().revoke(access_token(**changes)), 503, "temporarily_unavailable")


def test_what_cannot_be_taken_back():
    is_error(World().revoke(access_token(jti=None)), 400, "unsupported_token_type")
    is_error(World(revocations=None).revoke(access_token()), 400, "unsupported_token_type")
    world = World(sessions=None)
    assert world.revoke("r1") == DONE  # as any unknown token
    assert world.sessions.asked == []


def test_while_the_store_is_down_the_token_lives():
    world = World()
    world.taken.error = world.sessions.error = StoreUnavailableError("down", "store_unavailable")
    for text in (access_token(), "r1"):
        answer = world.revoke(text)
        is_error(answer, 503, "temporarily_unavailable")
        assert answer.headers["retry-after"] == "1"
    assert world.verifier.verify(access_token())


def test_the_form_of_a_request():
    world = World()
    is_error(post(world.revoking, {"x": "1"}, OWNER), 400, "invalid_request")
    assert world.revoking.respond("GET", OWNER, b"").status == 405


def test_mistakes():
    rejects("invalid_policy", lambda: World(revocations=None, sessions=None))
    rejects("invalid_policy", lambda: RevocationEndpoint(7, clients=clients(), revocations=TakenBack()))
    assert "canary" not in repr(World().revoking)

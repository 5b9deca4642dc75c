"""Rows about introspection: one-time assertions, answers that tell no reasons, caches of two servers."""

from functools import partial

import pytest
from introspecting import (
    API,
    INACTIVE,
    KEY,
    URL,
    Endpoint,
    World,
    access_token,
    active,
    basic,
    partners_responder,
    post,
)
from session_world import at_once
from support import ISSUER, NOW, error_of

from jotgate.introspection.auth import PrivateKeyJwt
from jotgate.introspection.client import IntrospectionClient
from jotgate.stores.memory import MemoryStore

pytestmark = pytest.mark.usefixtures("frozen_clock")


@pytest.mark.parametrize("processes", [1, 4])
def test_h10_of_64_threads_with_one_assertion_one_is_admitted(processes: int) -> None:
    """Also where each has an endpoint of its own, as several processes that share a store do."""
    store = MemoryStore()
    ways_in = [partners_responder(store) for _ in range(processes)]
    form = {"token": access_token()} | PrivateKeyJwt("partner", KEY, ISSUER).present().form
    answers = at_once([partial(post, ways_in[number % processes], form, {}) for number in range(64)])
    assert sorted(answer.status for answer in answers) == [200] + [401] * 63
    assert post(ways_in[0], form, {}).status == 401


def test_k9_a_caller_learns_no_reason() -> None:
    """Neither why a token is inactive, nor whether a client exists."""
    world = World()
    world.taken.ids.add("gone")
    texts = [
        "unknown", access_token(exp=NOW), access_token(jti="gone"), access_token(aud="https://crm.example.com"), "r1",
        access_token()[:-8] + "AAAAAAAA", access_token(nbf=NOW + 9), access_token(iss="https://other.example.com"),
    ]  # fmt: skip
    assert {world.introspect(text).body for text in texts} == {INACTIVE}
    assert len({repr(tuple(world.introspect(text))) for text in texts}) == 1
    strangers = [basic("nobody"), basic(API, "wrong"), basic(API, ""), {}, {"Authorization": "Basic x"}]
    assert len({repr(tuple(world.introspect("t", headers))) for headers in strangers}) == 1


def test_i6_the_answer_of_one_server_is_not_another_s() -> None:
    """One token, two endpoints that share nothing; and two clients of one endpoint, who may not see the same."""
    yes, no = Endpoint(active()), Endpoint(INACTIVE)
    accepting, refusing = yes.client(cache_ttl=60), no.client(cache_ttl=60)
    for _ in range(2):
        assert accepting.introspect("one-token")
        assert error_of(lambda: refusing.introspect("one-token")).code == "inactive"
    assert (len(yes.calls), len(no.calls)) == (1, 2)
    same = IntrospectionClient(URL, auth=PrivateKeyJwt("b", KEY, ISSUER), fetch=no)
    assert error_of(lambda: same.introspect("one-token")).code == "inactive"

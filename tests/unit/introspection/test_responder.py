"""The responder: what it tells of an active token, and that it tells nothing of any other."""

import asyncio
import json
import statistics
import time

import pytest
from introspecting import (
    API,
    APP,
    FORM,
    INACTIVE,
    KEY,
    OWNER,
    SECRET,
    Endpoint,
    Sessions,
    TakenBack,
    access_token,
    basic,
    clients,
    issuers_verifier,
    post,
)
from support import AUDIENCE, ISSUER, NOW, SUBJECT, rejects, signing_key

from jotgate import ANY
from jotgate.errors import StoreUnavailableError
from jotgate.introspection.callers import Client, ClientSecret
from jotgate.introspection.endpoint import Response, read_request
from jotgate.introspection.responder import IntrospectionResponder
from jotgate.introspection.revocation_endpoint import RevocationEndpoint

pytestmark = pytest.mark.usefixtures("frozen_clock")

OTHER = signing_key("ES384", kid="k")


def responder(verifier=None, **options):
    return IntrospectionResponder(verifier or issuers_verifier(), **({"clients": clients()} | options))


def told(answer):
    assert answer.status == 200
    return json.loads(answer.body)


# -- an active token


def test_what_is_told_of_an_active_token():
    answer = post(responder(), {"token": access_token(scope="read write", nbf=NOW, cnf={"x5t#S256": "t"}, email="x")})
    assert answer.headers == {"content-type": "application/json", "cache-control": "no-store"}
    assert told(answer) == {
        "active": True, "scope": "read write", "client_id": APP, "token_type": "Bearer", "exp": NOW + 300, "iat": NOW,
        "nbf": NOW, "sub": SUBJECT, "aud": AUDIENCE, "iss": ISSUER, "jti": "j1", "cnf": {"x5t#S256": "t"},
    }  # fmt: skip


def test_what_the_token_does_not_have_is_not_told():
    assert told(post(responder(), {"token": access_token(jti=None, client_id=None, iat=None)})) == {
        "active": True, "token_type": "Bearer", "exp": NOW + 300, "sub": SUBJECT, "aud": AUDIENCE, "iss": ISSUER,
    }  # fmt: skip


def test_further_claims_by_name():
    answer = post(responder(claims=["sid", "x", "none"]), {"token": access_token(sid="s", x={"a": [1]}, y=1)})
    assert told(answer) | {"sid": "s", "x": {"a": [1]}} == told(answer)
    assert not {"y", "none"} & told(answer).keys()


def test_a_list_of_scopes_is_told_as_one_string():
    assert told(post(responder(), {"token": access_token(scope=["a", "b"])}))["scope"] == "a b"


def test_a_token_bound_to_a_key_is_not_told_as_a_bearer_token():
    assert told(post(responder(), {"token": access_token(cnf={"jkt": "t"})}))["token_type"] == "DPoP"


def test_our_client_reads_it():
    way_in = responder()

    def fetch(url, headers, body, timeout):
        return way_in.respond("POST", headers, body)

    client = Endpoint().client(fetch=fetch, issuer=ISSUER, audience=AUDIENCE)
    assert client.introspect(access_token()).subject == SUBJECT
    assert type(way_in.respond("POST", {}, b"")) is Response


def test_without_holding_up_the_event_loop():
    headers = basic() | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = asyncio.run(responder().respond_async("POST", headers, b"token=" + access_token().encode()))
    assert told(answer)["active"] is True


# -- any other


def inactive_causes():
    good = access_token()
    return {
        "unknown": "opaque-token", "not a jwt": "a.b.c", "garbage": "\x00\xff é \n", "too long": "x" * 20000,
        "json": '{"active":true}', "bad signature": good[:-8] + "AAAAAAAA", "cut off": good[:-1],
        "another algorithm": access_token(OTHER), "expired": access_token(exp=NOW),
        "not yet": access_token(nbf=NOW + 1), "issued later": access_token(iat=NOW + 1), "another issuer": access_token(iss="https://other.example.com"),
        "another audience": access_token(aud="https://crm.example.com"), "no audience": access_token(aud=None),
        "no expiry": access_token(exp=None), "taken back": access_token(jti="gone"),
        "another client's refresh token": "r1", "wrong type": access_token(sub=7),
    }  # fmt: skip


def test_every_inactive_answer_is_the_same_bytes():
    taken = TakenBack()
    taken.ids.add("gone")
    way_in = responder(issuers_verifier(revocations=taken), sessions=Sessions())
    answers = {cause: post(way_in, {"token": text}) for cause, text in inactive_causes().items()}
    assert len(answers) == 18
    assert {repr(tuple(answer)) for answer in answers.values()} == {
        repr((200, {"content-type": "application/json", "cache-control": "no-store"}, INACTIVE))
    }


def test_no_cause_takes_grossly_longer_than_another():
    """A signature is checked or not; nothing waits, and nothing is looked up for some and not for others."""
    way_in = responder()
    medians = {}
    for cause, text in inactive_causes().items():
        spent = []
        for _ in range(15):
            began = time.perf_counter()
            post(way_in, {"token": text})
            spent.append(time.perf_counter() - began)
        medians[cause] = statistics.median(spent)
    assert max(medians.values()) < 0.005, medians


def test_a_caller_sees_tokens_for_its_audiences_only():
    table = {
        "both": Client(ClientSecret.of(SECRET), audience=["a", "b"]),
        "all": Client(ClientSecret.of(SECRET), audience=ANY),
        "own": Client(ClientSecret.of(SECRET)),
    }  # fmt: skip
    way_in = responder(clients=table)
    cases = (("a", {"both", "all"}), (["x", "b"], {"both", "all"}), ("own", {"own", "all"}), ("nobody", {"all"}))
    for audience, sees in cases:
        for name in table:
            answer = post(way_in, {"token": access_token(aud=audience)}, basic(name))
            assert (answer.body != INACTIVE) == (name in sees), (audience, name)


def test_the_hint_changes_nothing():
    way_in = responder(sessions=Sessions())
    for hint in ("access_token", "refresh_token", "id_token", "x" * 100, ""):
        assert told(post(way_in, {"token": access_token(), "token_type_hint": hint}))["active"]
        assert told(post(way_in, {"token": "r1", "token_type_hint": hint}, OWNER))["active"]


# -- refresh tokens


def test_a_refresh_token_is_shown_to_its_client():
    sessions = Sessions()
    sessions.known["r1"] |= {"exp": NOW + 9, "aud": ("a", "b"), "secret": "x"}
    way_in = responder(sessions=sessions)
    answer = told(post(way_in, {"token": "r1"}, OWNER))
    assert answer == {"active": True, "client_id": APP, "sub": SUBJECT, "exp": NOW + 9, "aud": ["a", "b"]}
    assert post(way_in, {"token": "r1"}).body == INACTIVE
    assert post(way_in, {"token": "r2"}, OWNER).body == INACTIVE
    sessions.end("s1")
    assert post(way_in, {"token": "r1"}, OWNER).body == INACTIVE


def test_a_session_of_no_client_is_shown_to_those_who_see_all():
    sessions = Sessions()
    sessions.known["r2"] = {"sid": "s2", "sub": SUBJECT}
    way_in = responder(sessions=sessions, clients=clients(all=Client(ClientSecret.of(SECRET), audience=ANY)))
    assert post(way_in, {"token": "r2"}).body == INACTIVE
    assert told(post(way_in, {"token": "r2"}, basic("all")))["sub"] == SUBJECT


def test_sessions_are_asked_only_about_what_could_be_a_refresh_token():
    sessions = Sessions()
    way_in = responder(sessions=sessions)
    for text in ("é", "a b", "x" * 16385, "a\x00", access_token()):
        post(way_in, {"token": text})
    assert sessions.asked == []


# -- when it cannot be decided


def test_undecided_is_503_and_never_inactive():
    sessions = Sessions()
    sessions.error = StoreUnavailableError("down", "store_unavailable")

    class Down(TakenBack):
        def is_revoked(self, token, *, fresh):
            raise OSError

    for way_in, text in (
        (responder(sessions=sessions), "r1"),
        (responder(issuers_verifier(revocations=Down())), access_token()),
    ):
        answer = post(way_in, {"token": text})
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.body == b'{"error":"temporarily_unavailable"}'
        assert b"active" not in answer.body


# -- fresh, throttle


def test_fresh_asks_the_store():
    taken = TakenBack()
    for fresh in (False, True):
        post(responder(issuers_verifier(revocations=taken), fresh=fresh), {"token": access_token()})
    assert taken.asked == [False, True]
    rejects("invalid_policy", lambda: responder(fresh=True))


def test_a_throttled_caller_waits():
    waits = {API: 0.0, APP: 1.2}
    asked = []

    def throttle(client_id):
        asked.append(client_id)
        return waits[client_id]

    way_in = responder(throttle=throttle)
    assert post(way_in, {"token": access_token()}).status == 200
    answer = post(way_in, {"token": access_token()}, OWNER)
    assert (answer.status, answer.headers["retry-after"], answer.body) == (429, "2", b'{"error":"slow_down"}')
    assert post(way_in, {"token": "x"}, basic("nobody")).status == 401
    assert asked == [API, APP]


@pytest.mark.parametrize(
    "options", [{"verifier": 7}, {"claims": "sid"}, {"claims": [7]}, {"claims": ["active"]}, {"claims": ["token_type"]}]
)
def test_mistakes(options):
    rejects("invalid_policy", lambda: responder(**options))


def test_the_repr_of_a_request_or_an_answer_shows_nothing_of_either():
    headers = {"Content-Type": FORM} | basic()
    request = read_request(headers, b"token=c4n4ry", b"c4n4ry")
    assert repr(request) == "Request()"
    assert repr(post(responder(), {"token": access_token()})) == "Response(status=200)"


def test_its_repr_shows_no_secret():
    shown = f"{responder()!r} {clients()!r} {clients()[API].credentials!r}"
    assert SECRET not in shown
    assert KEY.alg == "ES256"


def test_sessions_that_know_no_refresh_tokens_are_refused_when_they_are_given():
    for endpoint in (IntrospectionResponder, RevocationEndpoint):
        rejects("invalid_policy", lambda each=endpoint: each(issuers_verifier(), clients=clients(), sessions=object()))

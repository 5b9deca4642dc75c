"""Refresh tokens: RFC 9700, RFC 6749, RFC 6265bis and what profiles add (checklist 62 to 72)."""

import pytest
from session_world import forged, manager, sid_rule, started, verified
from support import AUDIENCE, SUBJECT, MovingClock, error_of, refuses, verifier

from jotgate.sessions.cookies import RefreshCookie
from jotgate.sessions.endpoint import SessionEndpoint
from jotgate.sessions.origin import RequestGuard
from jotgate.stores.memory import MemoryStore

pytestmark = pytest.mark.usefixtures("clock")
APP = "https://app.example.com"
DAY = 86_400


def cause(sessions, token: str) -> str | None:
    error = error_of(lambda: sessions.refresh(token))
    assert (error.code, error.http_status) == ("invalid_grant", 401)
    return error.cause


def test_rfc9700_2_2_2_refresh_tokens_are_rotated() -> None:
    sessions = manager()
    tokens = started(sessions)
    seen = {tokens.refresh}
    for _ in range(5):
        tokens = sessions.refresh(tokens.refresh)
        seen.add(tokens.refresh)
    assert len(seen) == 6


def test_rfc9700_4_14_2_a_refresh_token_is_bound_to_scope_and_resources() -> None:
    sessions = manager()
    tokens = sessions.start(SUBJECT, [AUDIENCE], scope="read")
    for _ in range(2):
        tokens = sessions.refresh(tokens.refresh)
        token = verified(tokens.access)
        assert (token["scope"], token.audience) == ("read", (AUDIENCE,))
    assert (
        error_of(lambda: sessions.refresh(tokens.refresh, audience="https://other.example.com")).code
        == "invalid_target"
    )


def test_rfc6749_6_a_scope_that_was_not_granted_is_refused() -> None:
    sessions = manager()
    tokens = sessions.start(SUBJECT, AUDIENCE, scope="read write")
    assert error_of(lambda: sessions.refresh(tokens.refresh, scope="read admin")).code == "invalid_scope"
    less = sessions.refresh(tokens.refresh, scope="read")
    assert verified(less.access)["scope"] == "read"
    # RFC 6749 section 6: the successor has the scope of the token it replaces.
    assert verified(sessions.refresh(less.refresh).access)["scope"] == "read write"


def test_rfc9700_4_14_2_reuse_revokes_the_active_token(clock: MovingClock) -> None:
    store = MemoryStore()
    sessions = manager(store)
    first = started(sessions)
    active = sessions.refresh(first.refresh)
    clock.advance(30)
    assert cause(sessions, first.refresh) == "recent"
    assert cause(sessions, active.refresh) == "ended"
    assert sid_rule(store, first.session) is not None, "and its access tokens"


def test_rfc9700_4_14_2_the_grant_inside_the_token_is_protected() -> None:
    sessions = manager()
    mine, other = started(sessions), started(sessions, "other")
    parts = mine.refresh.split(".")
    for changed in (
        ".".join([parts[0], other.session, *parts[2:]]),
        ".".join([*parts[:2], "1", parts[3]]),
        ".".join(["2", *parts[1:]]),
    ):
        assert cause(sessions, changed) in ("bad_mac", "unknown_version")
    assert sessions.refresh(mine.refresh)


def test_rfc9700_4_14_2_refresh_tokens_expire_when_idle(clock: MovingClock) -> None:
    sessions = manager(idle_lifetime=DAY)
    tokens = started(sessions)
    clock.advance(DAY)
    assert cause(sessions, tokens.refresh) == "idle_expired"


def test_rfc9700_4_14_2_refresh_tokens_are_revoked_on_log_out() -> None:
    sessions = manager()
    one, two = started(sessions), started(sessions)
    sessions.log_out(one.refresh)
    assert cause(sessions, one.refresh) == "ended"
    sessions.end_all(SUBJECT)
    assert cause(sessions, two.refresh) == "ended"


def test_browser_based_apps_rotation_does_not_extend_the_lifetime(clock: MovingClock) -> None:
    sessions = manager(idle_lifetime=DAY, absolute_lifetime=2 * DAY)
    tokens = started(sessions)
    for _ in range(4):
        clock.advance(DAY / 2 - 1)
        tokens = sessions.refresh(tokens.refresh)
    clock.advance(4)
    assert cause(sessions, tokens.refresh) == "expired"


def test_rfc9700_2_3_audience_and_privileges_are_restricted() -> None:
    for audience in ("", [], None, [""]):
        assert error_of(lambda audience=audience: manager().start(SUBJECT, audience)).code == "invalid_policy"
    sessions = manager()
    token = verified(sessions.start(SUBJECT, AUDIENCE, scope="read").access)
    assert (token.audience, token["scope"]) == ((AUDIENCE,), "read")


def test_rfc9700_2_3_a_token_meant_for_others_is_refused() -> None:
    sessions = manager()
    refuses(verifier("Ed25519"), sessions.start(SUBJECT, "https://other.example.com").access, "wrong_audience")


def test_rfc9700_4_15_a_client_is_not_taken_for_a_subject() -> None:
    """The subject is what the caller proved; what a client is called stands in a claim of its own."""
    sessions = manager()
    token = verified(started(sessions, client_id=f"{SUBJECT}-2").access)
    assert (token.subject, token["client_id"]) == (SUBJECT, f"{SUBJECT}-2")
    for name in ("sub", "client_id"):
        assert error_of(lambda name=name: sessions.start(SUBJECT, AUDIENCE, {name: "x"})).claim == name
    client = sessions.start("app", AUDIENCE, client_id="app")
    sessions.end_all(f"{SUBJECT}-2")
    assert [info.session for info in sessions.sessions("app")] == [client.session]


def test_fapi2_a_retry_after_a_lost_response_succeeds(clock: MovingClock) -> None:
    sessions = manager()
    tokens = started(sessions)
    lost = sessions.refresh(tokens.refresh)
    clock.advance(29)
    assert sessions.refresh(tokens.refresh).refresh == lost.refresh == forged(tokens.session, 1)
    assert sessions.refresh(lost.refresh)


def test_rfc6265bis_4_1_attributes_of_the_cookie() -> None:
    for cookie in (RefreshCookie(), RefreshCookie(host_only=False, path="/auth/session")):
        for text in (cookie.set(started(manager())), cookie.clear()):
            assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(text.split("; "))


def test_rfc6265bis_4_1_3_prefixes_of_the_cookie() -> None:
    own, shared = RefreshCookie().clear(), RefreshCookie(host_only=False, path="/auth/session").clear()
    assert own.startswith("__Host-")
    assert "Path=/;" in own
    assert shared.startswith("__Secure-")
    assert "Path=/auth/session;" in shared
    assert "Domain" not in own + shared


def test_refresh_route_is_defended_against_forged_requests() -> None:
    sessions = manager()
    tokens = started(sessions)
    routes = SessionEndpoint(sessions, RefreshCookie(), RequestGuard([APP]))
    cookie = ("Cookie", f"__Host-refresh={tokens.refresh}")
    json, form = ("Content-Type", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")
    for method, headers in (
        ("GET", [("Origin", APP), json]), ("POST", [json]), ("POST", [("Origin", "https://evil.example.com"), json]),
        ("POST", [("Origin", APP), form]), ("POST", [("Sec-Fetch-Site", "same-site"), json]),
    ):  # fmt: skip
        assert routes.refresh(method, [*headers, cookie]).status in (403, 405)
    assert sessions.stats()["rotated"] == 0
    assert routes.refresh("POST", [("Origin", APP), json, cookie]).status == 200


def test_rfc6749_5_1_answers_are_not_stored() -> None:
    sessions = manager()
    routes = SessionEndpoint(sessions, RefreshCookie(), RequestGuard([APP]))
    headers = [("Origin", APP), ("Content-Type", "application/json")]
    cookie = ("Cookie", f"__Host-refresh={started(sessions).refresh}")
    for answer in (
        routes.refresh("POST", [*headers, cookie]),
        routes.refresh("POST", headers),
        routes.refresh("GET", headers),
        routes.log_out("POST", [*headers, cookie]),
        routes.started(started(sessions), headers),
    ):
        assert ("Cache-Control", "no-store") in answer.headers
        assert ("Pragma", "no-cache") in answer.headers

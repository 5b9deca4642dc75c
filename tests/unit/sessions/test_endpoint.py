"""The two routes, refresh and log-out, as a browser meets them."""

import json
from typing import Any

import pytest
from session_world import SESSION, Down, Untouched, forged, manager, sid_rule, started, verified
from support import SUBJECT, MovingClock, error_of

from jotgate.errors import PolicyError
from jotgate.sessions.cookies import RefreshCookie
from jotgate.sessions.endpoint import Answer, SessionEndpoint
from jotgate.sessions.origin import RequestGuard
from jotgate.stores.memory import MemoryStore

pytestmark = pytest.mark.usefixtures("clock")
APP = "https://app.example.com"
HEADERS = [("Origin", APP), ("Content-Type", "application/json")]


def endpoint(store: Any = None, **options: Any) -> SessionEndpoint:
    return SessionEndpoint(manager(store, **options), RefreshCookie(), RequestGuard([APP]))


def with_cookie(token: str) -> list[tuple[str, str]]:
    return [*HEADERS, ("Cookie", f"theme=dark; __Host-refresh={token}")]


def cookie_of(answer: Answer) -> str:
    return dict(answer.headers)["Set-Cookie"].partition(";")[0].partition("=")[2]


def test_a_refresh() -> None:
    store = MemoryStore()
    routes = endpoint(store)
    tokens = started(manager(store))
    answer = routes.refresh("POST", with_cookie(tokens.refresh))
    assert answer.status == 200
    body = json.loads(answer.body)
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token_expires_in"}
    assert verified(body["access_token"])["sid"] == tokens.session
    assert (body["token_type"], body["refresh_token_expires_in"]) == ("Bearer", 604_800)
    assert 570 <= body["expires_in"] <= 600
    headers = dict(answer.headers)
    assert headers["Set-Cookie"] == (
        f"__Host-refresh={forged(tokens.session, 1)}; Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Strict"
    )
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "application/json"
    assert headers["Access-Control-Allow-Origin"] == APP
    assert headers["Vary"] == "Origin"
    assert forged(tokens.session, 1).encode() not in answer.body
    assert routes.refresh("POST", with_cookie(cookie_of(answer))).status == 200


def test_a_log_in() -> None:
    sessions = manager()
    routes = SessionEndpoint(sessions, RefreshCookie(), RequestGuard([APP]))
    tokens = started(sessions)
    answer = routes.started(tokens, HEADERS)
    assert answer.status == 200
    assert cookie_of(answer) == tokens.refresh
    assert json.loads(answer.body)["access_token"] == tokens.access
    assert dict(answer.headers)["Cache-Control"] == "no-store"


def test_every_refusal_is_the_same_answer(clock: MovingClock) -> None:
    """Whoever sent the token cannot tell an unknown session from a stolen, an expired or a disabled one."""
    store = MemoryStore()
    sessions = manager(store, subject_status=lambda subject: subject != "disabled")
    routes = SessionEndpoint(sessions, RefreshCookie(), RequestGuard([APP]))
    active = manager(store)
    ended, expired, disabled = (started(active, subject) for subject in ("a", "b", "disabled"))
    active.end(ended.session)
    clock.advance(8 * 86_400)
    disabled = started(active, "disabled")
    replayed = started(active)
    active.refresh(active.refresh(replayed.refresh).refresh)
    answers = [
        routes.refresh("POST", with_cookie(token))
        for token in (
            "", "x", forged(SESSION, 0), forged(SESSION, 0)[:-1] + "_", forged(SESSION, 0, version=9), ended.refresh,
            expired.refresh, disabled.refresh, replayed.refresh, replayed.refresh,
        )
    ]  # fmt: skip
    answers.append(routes.refresh("POST", HEADERS))
    answers.append(routes.refresh("POST", [*with_cookie("x"), ("Cookie", "__Host-refresh=y")]))
    assert {(answer.status, answer.body, tuple(answer.headers)) for answer in answers} == {
        (
            401,
            b'{"error":"invalid_grant"}',
            (
                ("Content-Type", "application/json"),
                ("Cache-Control", "no-store"),
                ("Pragma", "no-cache"),
                ("Access-Control-Allow-Origin", APP),
                ("Access-Control-Allow-Credentials", "true"),
                ("Vary", "Origin"),
                ("WWW-Authenticate", 'Bearer error="invalid_token"'),
            ),
        )
    }


def test_a_store_that_is_down_is_no_log_out() -> None:
    for route in (endpoint(Down()).refresh, endpoint(Down()).log_out):
        answer = route("POST", with_cookie(forged(SESSION, 0)))
        headers = dict(answer.headers)
        assert (answer.status, answer.body) == (503, b'{"error":"temporarily_unavailable"}')
        assert headers["Retry-After"] == "2"
        assert headers["Access-Control-Allow-Origin"] == APP
        assert "Set-Cookie" not in headers


def test_logging_out() -> None:
    store = MemoryStore()
    routes = endpoint(store)
    tokens = started(manager(store))
    for _ in range(2):
        answer = routes.log_out("POST", with_cookie(tokens.refresh))
        assert (answer.status, answer.body) == (204, b"")
        assert dict(answer.headers)["Set-Cookie"] == RefreshCookie().clear()
        assert dict(answer.headers)["Cache-Control"] == "no-store"
    assert sid_rule(store, tokens.session) is not None
    assert routes.refresh("POST", with_cookie(tokens.refresh)).status == 401


@pytest.mark.parametrize("token", ["", "x", forged(SESSION, 0)[:-1] + "_", forged(SESSION, 0, version=9)])
def test_logging_out_without_a_session_clears_the_cookie(token: str) -> None:
    routes = endpoint(Untouched())
    for headers in (with_cookie(token), HEADERS, [*with_cookie(token), ("Cookie", "__Host-refresh=y")]):
        answer = routes.log_out("POST", headers)
        assert answer.status == 204
        assert dict(answer.headers)["Set-Cookie"] == RefreshCookie().clear()


def test_a_second_cookie_keeps_nobody_from_logging_out() -> None:
    """Another host of the domain may have planted it: each session that a genuine token names is over."""
    store = MemoryStore()
    ours, other = started(manager(store)), started(manager(store))
    tokens = [forged(SESSION, 0)[:-1] + "_", ours.refresh, "", other.refresh]
    headers = [*HEADERS, ("Cookie", "; ".join(f"__Host-refresh={each}" for each in tokens))]
    assert endpoint(store).refresh("POST", headers).status == 401
    assert len(manager(store).sessions(SUBJECT)) == 2
    answer = endpoint(store).log_out("POST", headers)
    assert (answer.status, dict(answer.headers)["Set-Cookie"]) == (204, RefreshCookie().clear())
    assert manager(store).sessions(SUBJECT) == []
    assert endpoint(Down()).log_out("POST", headers).status == 503
    assert endpoint(Untouched()).log_out("POST", [*headers, ("Cookie", "x" * 16_384)]).status == 204


def test_an_id_of_a_session_ends_nothing() -> None:
    """It is no secret: every access token has it."""
    store = MemoryStore()
    tokens = started(manager(store))
    assert endpoint(store).log_out("POST", with_cookie(tokens.session)).status == 204
    assert manager(store).refresh(tokens.refresh)


@pytest.mark.parametrize(
    ("method", "headers", "status", "code"),
    [
        ("GET", HEADERS, 405, "method_not_allowed"),
        ("OPTIONS", HEADERS, 405, "method_not_allowed"),
        ("POST", [("Origin", "https://evil.example"), HEADERS[1]], 403, "wrong_origin"),
        ("POST", [("Origin", "null"), HEADERS[1]], 403, "wrong_origin"),
        ("POST", HEADERS[1:], 403, "wrong_origin"),
        ("POST", HEADERS[:1], 403, "wrong_content_type"),
        (
            "OPTIONS",
            [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")],
            403,
            "wrong_origin",
        ),
    ],
)
def test_a_request_of_another_site_changes_nothing(
    method: str, headers: list[tuple[str, str]], status: int, code: str
) -> None:
    routes = endpoint(Untouched())
    for route in (routes.refresh, routes.log_out):
        answer = route(method, [*headers, ("Cookie", f"__Host-refresh={forged(SESSION, 0)}")])
        assert (answer.status, json.loads(answer.body)) == (status, {"error": code})
        assert "Set-Cookie" not in dict(answer.headers)
        assert dict(answer.headers).get("Allow") == ("POST" if status == 405 else None)
        if code == "wrong_origin":
            assert "Access-Control-Allow-Origin" not in dict(answer.headers)


def test_a_preflight() -> None:
    routes = endpoint(Untouched())
    for route in (routes.refresh, routes.log_out):
        answer = route("OPTIONS", [("Origin", APP), ("Access-Control-Request-Method", "POST")])
        assert (answer.status, answer.body) == (204, b"")
        assert dict(answer.headers)["Access-Control-Allow-Methods"] == "POST"
        assert "Set-Cookie" not in dict(answer.headers)


def test_cookies_in_several_headers() -> None:
    store = MemoryStore()
    tokens = started(manager(store))
    headers = [*HEADERS, ("cookie", "a=b"), ("cookie", f"__Host-refresh={tokens.refresh}")]
    assert endpoint(store).refresh("POST", headers).status == 200
    assert endpoint(store).refresh("POST", dict(with_cookie(tokens.refresh))).status == 200


def test_a_mistake_of_the_operator_is_not_hidden() -> None:
    def status(subject: str) -> bool:
        raise PolicyError("x")

    store = MemoryStore()
    tokens = started(manager(store))
    routes = endpoint(store, subject_status=status)
    assert type(error_of(lambda: routes.refresh("POST", with_cookie(tokens.refresh)))) is PolicyError


def test_a_repr_shows_no_token() -> None:
    store = MemoryStore()
    tokens = started(manager(store))
    answer = endpoint(store).refresh("POST", with_cookie(tokens.refresh))
    assert repr(answer) == "Answer(status=200)"
    assert SUBJECT not in repr(endpoint(store))

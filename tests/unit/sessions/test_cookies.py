"""The cookie of a refresh token: what a browser is told, and what comes back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_world import SESSION, forged
from support import error_of, rejects

from jotgate.errors import RefreshError
from jotgate.sessions.answers import Tokens
from jotgate.sessions.cookies import NO_STORE, RefreshCookie

TOKEN = forged(SESSION, 1)
TOKENS = Tokens("a.b.c", TOKEN, SESSION, 600, 604_800)


def test_a_host_of_its_own() -> None:
    cookie = RefreshCookie()
    assert cookie.name == "__Host-refresh"
    assert cookie.set(TOKENS) == (f"__Host-refresh={TOKEN}; Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Strict")
    assert cookie.clear() == "__Host-refresh=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Strict"


def test_a_host_that_is_shared() -> None:
    cookie = RefreshCookie(host_only=False, path="/auth/session", name="rt")
    assert cookie.set(TOKENS) == (
        f"__Secure-rt={TOKEN}; Max-Age=604800; Path=/auth/session; Secure; HttpOnly; SameSite=Strict"
    )
    assert cookie.clear() == "__Secure-rt=; Max-Age=0; Path=/auth/session; Secure; HttpOnly; SameSite=Strict"


def test_no_cookie_names_a_domain() -> None:
    for cookie in (RefreshCookie(), RefreshCookie(host_only=False, path="/x")):
        assert "domain" not in f"{cookie.set(TOKENS)}{cookie.clear()}".lower()


@pytest.mark.parametrize(
    "options",
    [
        {"path": "/"}, {"path": "/auth"}, {"host_only": False}, {"host_only": False, "path": "/"},
        {"host_only": False, "path": ""}, {"host_only": False, "path": "auth"}, {"host_only": False, "path": "/auth/"},
        {"host_only": False, "path": "/a; Domain=x"}, {"host_only": False, "path": "/a\n"},
        {"host_only": False, "path": "/../x"}, {"host_only": False, "path": 7}, {"name": ""}, {"name": "a b"},
        {"name": "a=b"}, {"name": "__Host-x"}, {"name": "x" * 65}, {"name": None}, {"name": "a\n"}, {"name": "é"},
    ],
)  # fmt: skip
def test_what_no_browser_would_keep_is_refused(options: dict[str, Any]) -> None:
    rejects("invalid_policy", lambda: RefreshCookie(**options))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None), ("", None), (f"__Host-refresh={TOKEN}", TOKEN), (f"a=b; __Host-refresh={TOKEN}; c=d", TOKEN),
        (f"a=b;__Host-refresh={TOKEN};c", TOKEN), (f"\t __Host-refresh={TOKEN} \t", TOKEN),
        (f"__host-refresh={TOKEN}", None), (f"refresh={TOKEN}", None), (f"x__Host-refresh={TOKEN}", None),
        (f"__Host-refresh ={TOKEN}", None), ("__Host-refresh", ""), ("__Host-refresh=", ""),
        (f"__Host-refresh==={TOKEN}", f"=={TOKEN}"), (f'__Host-refresh="{TOKEN}"', f'"{TOKEN}"'),
        (f"x=__Host-refresh={TOKEN}", None),
    ],
)  # fmt: skip
def test_reading(header: str | None, token: str | None) -> None:
    assert RefreshCookie().read(header) == token


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        (f"__Host-refresh={TOKEN}; __Host-refresh={TOKEN}", "several_cookies"),
        (f"__Host-refresh={TOKEN}; a=b; __Host-refresh=", "several_cookies"),
        ("a" * 16_385, "malformed"), (b"__Host-refresh=x", "malformed"),
    ],
)  # fmt: skip
def test_what_is_not_from_here_alone_is_refused(header: Any, cause: str) -> None:
    error = error_of(lambda: RefreshCookie().read(header))
    assert (type(error), error.code, error.cause) == (RefreshError, "invalid_grant", cause)
    assert TOKEN not in f"{error}{error.args}"


@given(st.lists(st.text(max_size=20), max_size=8))
def test_any_header_can_be_read(parts: list[str]) -> None:
    header = ";".join(parts)
    assert RefreshCookie(name="zz").read(header) is None
    assert RefreshCookie(name="zz").read(f"{header};__Host-zz={TOKEN}") == TOKEN


def test_nothing_is_kept_by_caches() -> None:
    assert dict(NO_STORE) == {"Cache-Control": "no-store", "Pragma": "no-cache"}
    assert repr(RefreshCookie()) == "RefreshCookie('__Host-refresh')"

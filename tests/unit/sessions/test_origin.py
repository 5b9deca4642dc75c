"""Which requests count: POST, from an allowed origin, and such as no form sends."""

from typing import Any

import pytest
from support import error_of, rejects

from jotgate.errors import MethodNotAllowedError, PolicyError, RequestRefusedError
from jotgate.sessions.origin import RequestGuard

APP = "https://app.example.com"
JSON = ("Content-Type", "application/json")
GUARD = RequestGuard([APP, "https://beta.example.com:8443", "http://localhost:5173"])


def refused(guard: RequestGuard, headers: Any, code: str, method: str = "POST") -> None:
    error = error_of(lambda: guard.check(method, headers))
    assert type(error) is (MethodNotAllowedError if code == "method_not_allowed" else RequestRefusedError)
    assert error.code == code
    assert error.http_status == (405 if code == "method_not_allowed" else 403)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post", "", "POST "])
def test_only_post(method: str) -> None:
    refused(GUARD, [("Origin", APP), JSON], "method_not_allowed", method)


@pytest.mark.parametrize("origin", [APP, "https://beta.example.com:8443", "http://localhost:5173"])
def test_allowed_origins(origin: str) -> None:
    for name in ("Origin", "origin", "ORIGIN"):
        GUARD.check("POST", [(name, origin), JSON])
        GUARD.check("POST", {name: origin, "content-type": "application/json; charset=utf-8"})


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "https://evil.example", "http://app.example.com", f"{APP}/", f"{APP}:443", f"{APP}:8443",
        "https://APP.example.com", "https://app.example.com.evil.example", "https://evil.example/app.example.com",
        "https://xapp.example.com", f" {APP}", f"{APP} ", f"{APP}, {APP}", f"{APP} https://evil.example", "*",
        "https://app.example.com.", "http://localhost", "https://beta.example.com",
    ],
)  # fmt: skip
def test_other_origins(origin: str) -> None:
    refused(GUARD, [("Origin", origin), JSON], "wrong_origin")
    # What the browser says of the site does not make up for it.
    refused(GUARD, [("Origin", origin), JSON, ("Sec-Fetch-Site", "same-origin")], "wrong_origin")


def test_two_origins_are_none() -> None:
    refused(GUARD, [("Origin", APP), ("origin", APP), JSON], "wrong_origin")
    refused(GUARD, [("Origin", "null"), ("origin", APP), JSON], "wrong_origin")


@pytest.mark.parametrize("site", ["same-site", "cross-site", "none", "", "Same-Origin", "same-origin, same-origin"])
def test_without_an_origin_the_site_decides(site: str) -> None:
    GUARD.check("POST", [("Sec-Fetch-Site", "same-origin"), JSON])
    refused(GUARD, [("Sec-Fetch-Site", site), JSON], "wrong_origin")
    refused(GUARD, [JSON], "wrong_origin")
    refused(GUARD, [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "same-origin"), JSON], "wrong_origin")
    loose = RequestGuard([APP], same_site=True)
    loose.check("POST", [("Sec-Fetch-Site", "same-site"), JSON])
    loose.check("POST", [("Sec-Fetch-Site", "same-origin"), JSON])
    if site != "same-site":
        refused(loose, [("Sec-Fetch-Site", site), JSON], "wrong_origin")


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", "json",
     "text/plain; application/json", "application/json, text/plain", "text/plain;charset=application/json"],
)  # fmt: skip
def test_what_a_form_can_send_is_refused(content_type: str) -> None:
    refused(GUARD, [("Origin", APP), ("Content-Type", content_type)], "wrong_content_type")
    refused(GUARD, [("Origin", APP)], "wrong_content_type")
    refused(GUARD, [("Origin", APP), JSON, ("Content-Type", content_type)], "wrong_content_type")


def test_a_header_of_the_application() -> None:
    guard = RequestGuard([APP], header="X-Session")
    guard.check("POST", [("Origin", APP), ("x-session", "1")])
    guard.check("POST", [("Origin", APP), JSON])
    refused(guard, [("Origin", APP), ("X-Session", "")], "wrong_content_type")
    refused(GUARD, [("Origin", APP), ("X-Session", "1")], "wrong_content_type")


@pytest.mark.parametrize(
    "header",
    ["Accept", "Range", "Origin", "Cookie", "Host", "Referer", "User-Agent", "Content-Length", "Connection", "DNT",
     "Accept-Encoding", "Authorization", "Cache-Control", "Upgrade-Insecure-Requests", "Sec-Fetch-Site", "sec-ch-ua",
     "Proxy-Authorization", "X-Forwarded-For", "Forwarded", "Via", "Access-Control-Request-Method", "If-None-Match"],
)  # fmt: skip
def test_what_is_sent_with_a_form_does_not_tell_it_from_one(header: str) -> None:
    """Browsers write these by themselves, and proxies."""
    rejects("invalid_policy", lambda: RequestGuard([APP], header=header))


def test_preflights() -> None:
    asked = [("Origin", APP), ("Access-Control-Request-Method", "POST")]
    guard = RequestGuard([APP], header="X-Session")
    assert dict(guard.preflight("OPTIONS", asked) or ()) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type, x-session",
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }
    assert guard.preflight("POST", asked) is None
    assert guard.preflight("OPTIONS", [("Origin", APP)]) is None
    for origin in ("https://evil.example", "null", "*"):
        error = error_of(lambda origin=origin: guard.preflight("OPTIONS", [("Origin", origin), asked[1]]))
        assert (type(error), error.code) == (RequestRefusedError, "wrong_origin")


def test_only_allowed_origins_may_read() -> None:
    assert dict(GUARD.cors([("Origin", APP)]))["Access-Control-Allow-Origin"] == APP
    for headers in ([], [("Origin", "https://evil.example")], [("Origin", "null")], [("Origin", APP), ("Origin", APP)]):
        assert GUARD.cors(headers) == [("Vary", "Origin")]


@pytest.mark.parametrize(
    "origins",
    [
        None, APP, [], [""], ["*"], ["null"], [None], [APP + "/"], [APP + ":443"], ["https://APP.example.com"],
        ["http://app.example.com"], ["http://localhost:80"], ["https://*.example.com"], ["https://app.example.com/x"],
        ["https://user@app.example.com"], ["ftp://app.example.com"], ["app.example.com"], [f"{APP} "], ["https://é.com"],
        ["https://app.example.com?x"], [APP, "x"],
    ],
)  # fmt: skip
def test_an_origin_is_one_that_browsers_send(origins: Any) -> None:
    rejects("invalid_policy", lambda: RequestGuard(origins))


@pytest.mark.parametrize("header", ["", "a b", "Accept", "content-type", "Accept-Language", "x:", 7, "X\n"])
def test_a_header_is_one_that_needs_a_preflight(header: Any) -> None:
    rejects("invalid_policy", lambda: RequestGuard([APP], header=header))


def test_loopback_addresses() -> None:
    for origin in ("http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost"):
        RequestGuard([origin]).check("POST", [("Origin", origin), JSON])
    assert repr(RequestGuard([APP])) == "RequestGuard(['https://app.example.com'])"


@pytest.mark.parametrize(
    "name",
    ["User-Agent", "Referer", "Cookie", "Origin", "Host", "Content-Length", "Connection", "DNT", "Save-Data",
     "Sec-Fetch-Mode", "sec-ch-ua", "Proxy-Foo", "Upgrade-Insecure-Requests", "Cache-Control", "Pragma", "Priority",
     "Accept-Encoding", "Authorization", "Downlink", "Viewport-Width"],
)  # fmt: skip
def test_a_header_that_browsers_send_by_themselves_proves_nothing(name: str) -> None:
    error = error_of(lambda: RequestGuard([APP], header=name))
    assert (type(error), error.code) == (PolicyError, "invalid_policy")

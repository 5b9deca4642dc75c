"""Finding an issuer's keys by its own word, and only by its own."""

import json

import pytest

from jotgate.errors import KeyFetchError, PolicyError
from jotgate.keys.discovery import discover, metadata_urls, parse_object, read_metadata
from jotgate.keys.fetch import Fetched

ISSUER = "https://auth.example.com/tenant"
OIDC = "https://auth.example.com/tenant/.well-known/openid-configuration"
OAUTH = "https://auth.example.com/.well-known/oauth-authorization-server/tenant"
JWKS = "https://keys.example.net/jwks"
NAMELESS = b'{"issuer": "https://i.example.com"}'


def document(**changes) -> bytes:
    return json.dumps({"issuer": ISSUER, "jwks_uri": JWKS} | changes).encode()


class Site:
    """Answers by URL and remembers what was asked."""

    def __init__(self, **answers) -> None:
        self.answers = {"oidc": (404, b""), "oauth": (404, b"")} | answers
        self.asked: list[str] = []

    def __call__(self, url: str) -> Fetched:
        self.asked.append(url)
        status, body = self.answers["oidc" if "openid" in url else "oauth"]
        return Fetched(status, {}, body)


@pytest.mark.parametrize(
    ("issuer", "oidc", "oauth"),
    [
        (ISSUER, OIDC, OAUTH),
        (ISSUER + "/", OIDC, OAUTH),
        (
            "https://auth.example.com",
            "https://auth.example.com/.well-known/openid-configuration",
            "https://auth.example.com/.well-known/oauth-authorization-server",
        ),
        (
            "https://auth.example.com/",
            "https://auth.example.com/.well-known/openid-configuration",
            "https://auth.example.com/.well-known/oauth-authorization-server",
        ),
        (
            "https://a:8443/a/b",
            "https://a:8443/a/b/.well-known/openid-configuration",
            "https://a:8443/.well-known/oauth-authorization-server/a/b",
        ),
    ],
)
def test_where_the_documents_are(issuer, oidc, oauth):
    assert metadata_urls(issuer) == (oidc, oauth)


@pytest.mark.parametrize(
    "issuer", ["auth.example.com", "http://auth.example.com", ISSUER + "?a=b", ISSUER + "#a", None]
)
def test_issuers_that_are_no_address(issuer):
    with pytest.raises(PolicyError) as caught:
        discover(issuer, Site())
    assert caught.value.code == "invalid_policy"


def test_openid_connect_first():
    site = Site(oidc=(200, document()))
    assert discover(ISSUER, site) == JWKS
    assert site.asked == [OIDC]


def test_oauth_where_the_first_is_not_found():
    site = Site(oauth=(200, document()))
    assert discover(ISSUER, site) == JWKS
    assert site.asked == [OIDC, OAUTH]


@pytest.mark.parametrize("status", [301, 302, 304, 307, 400, 401, 403, 410, 500, 503])
def test_no_other_status_leads_to_the_second(status):
    site = Site(oidc=(status, b""), oauth=(200, document()))
    with pytest.raises(KeyFetchError, match=f"status is {status}") as caught:
        discover(ISSUER, site)
    assert caught.value.code == "key_fetch_failed"
    assert site.asked == [OIDC]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            document(issuer="https://evil.example.com"),
            f"document {OIDC} is that of another issuer, 'https://evil.example.com' and not '{ISSUER}'$",
        ),
        (document(issuer="evil\u202e\n" + "x" * 1000), r"'evil\\u202e\\nx{194}'\.\.\. and not"),
        (document(issuer=ISSUER + "/"), "slash at the end"),
        (document(issuer=ISSUER.upper()), f"another issuer, '{ISSUER.upper()}' and not '{ISSUER}'$"),
        (document(issuer=None), "names no issuer$"),
        (document(issuer=[ISSUER]), "another issuer, one that is no string and not"),
        (b'{"jwks_uri": "https://keys.example.net/jwks"}', "names no issuer$"),
        (document(jwks_uri=None), "no jwks_uri"),
        (document(jwks_uri="http://keys.example.net/jwks"), "cannot be used"),
        (document(jwks_uri="file:///etc/passwd"), "cannot be used"),
        (document(jwks_uri="https://user:pw@keys.example.net/"), "cannot be used"),
        (document(jwks_uri="/jwks"), "cannot be used"),
        (b"", "strict JSON"),
        (b"<html>", "strict JSON"),
        (b"[]", "strict JSON"),
        (b"\xff", "strict JSON"),
        (b'{"issuer": "https://evil.example.com", "issuer": "' + ISSUER.encode() + b'"}', "strict JSON"),
    ],
)
def test_documents_that_are_refused(body, told):
    with pytest.raises(KeyFetchError, match=told) as caught:
        discover(ISSUER, Site(oidc=(200, body)))
    assert caught.value.code == "key_fetch_failed"


def test_nothing_found():
    told = rf"document {OAUTH} could not be fetched \(nor could {OIDC}: 404\), the status is 404$"
    with pytest.raises(KeyFetchError, match=told) as caught:
        discover(ISSUER, Site())
    assert caught.value.code == "key_fetch_failed"


def test_messages_name_the_document_without_a_query():
    with pytest.raises(KeyFetchError, match=r"document https://a\.example\.com/d has no jwks_uri$") as caught:
        read_metadata("https://i.example.com", "https://a.example.com/d?secret", Fetched(200, {}, NAMELESS))
    assert caught.value.code == "key_fetch_failed"


def test_http_on_the_loopback_by_opt_in():
    issuer = "http://127.0.0.1:8000"
    site = Site(oidc=(200, document(issuer=issuer, jwks_uri=issuer + "/jwks")))
    assert discover(issuer, site, allow_http=True) == issuer + "/jwks"
    with pytest.raises(PolicyError):
        discover(issuer, site)


def test_parse_object():
    assert parse_object(b'{"a": [1]}', "x") == {"a": [1]}
    with pytest.raises(KeyFetchError, match="the thing is not a strict JSON object"):
        parse_object(b"{}{}", "the thing")

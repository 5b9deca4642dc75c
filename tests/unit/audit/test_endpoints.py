"""The doctor's judgement against servers on the loopback: what a verifier would meet, and what follows from it."""

import email.utils
import inspect
import json
import socket

import pytest
from services import certificates, wire
from services.wire import answer
from support import NOW
from unit.audit.keysets import document, jwk

from jotgate.audit import endpoints, keylint
from jotgate.audit.endpoints import Examination, examine
from jotgate.errors import PolicyError
from jotgate.keys.remote import RemoteKeySet

pytestmark = pytest.mark.usefixtures("frozen_clock")

SET = document(jwk(kid="a"), jwk(kid="b", which=1))
GOOD = {"cache_control": "public, max-age=300", "etag": '"1"', "date": email.utils.formatdate(NOW, usegmt=True)}


def published(request: wire.Request, body: bytes = SET, **headers: str) -> list[wire.Action]:
    """Answer as one should, with some headers changed; None leaves one out."""
    headers = {name: value for name, value in (GOOD | headers).items() if value is not None}
    if "etag" in headers and request.headers.get("if-none-match") == headers["etag"]:
        return [answer(status="304 Not Modified", etag=headers["etag"])]
    return [answer(body, **headers)]


def look(script, path="/jwks.json", **options) -> Examination:
    with wire.Server(script) as server:
        return examine(server.url(path), allow_http=True, **options)


def codes(examination: Examination) -> list[str]:
    return [each.code for each in examination.findings]


def test_all_is_well():
    seen = look(published)
    assert (seen.verdict, codes(seen), seen.issuer) == ("fine", [], None)
    assert (seen.lifetime, seen.refresh_after, seen.revalidates) == (300, 240, True)
    assert [visit.status for visit in seen.visits] == [200, 304]
    assert [key.kid for key in seen.keys.usable] == ["a", "b"]
    assert seen.visits[0].clock == 0
    assert seen.visits[0].seconds < 5


@pytest.mark.parametrize(
    ("headers", "lifetime", "expected"),
    [
        ({"cache_control": None}, 300, ["no_max_age"]),
        ({"cache_control": "no-cache"}, 60, ["short_lifetime"]),
        ({"cache_control": "max-age=5"}, 60, ["short_lifetime"]),
        ({"cache_control": "max-age=60"}, 60, []),
        ({"cache_control": "max-age=900", "age": "500"}, 400, ["clock"]),
        ({"cache_control": "max-age=3600"}, 3600, []),
        ({"cache_control": "max-age=86400"}, 3600, ["capped_lifetime"]),
        ({"cache_control": "max-age=31536000"}, 3600, ["long_lifetime"]),
        ({"etag": None}, 300, ["no_etag"]),
        ({"content_type": "application/json; charset=utf-8"}, 300, []),
        ({"content_type": "text/plain"}, 300, ["content_type"]),
        ({"date": None}, 300, []),
        ({"date": "yesterday"}, 300, []),
        ({"date": email.utils.formatdate(NOW + 10, usegmt=True)}, 300, ["clock"]),
        ({"date": email.utils.formatdate(NOW - 10, usegmt=True)}, 300, ["clock"]),
        ({"date": email.utils.formatdate(NOW - 100, usegmt=True), "age": "100"}, 200, []),
    ],
)
def test_headers(headers, lifetime, expected):
    seen = look(lambda request: published(request, **headers))
    assert (seen.lifetime, codes(seen)) == (lifetime, expected)
    assert seen.verdict == ("broken" if headers.get("age") == "500" else "fine")


def test_a_clock_that_is_far_off_breaks_tokens():
    seen = look(lambda request: published(request, date=email.utils.formatdate(NOW + 100, usegmt=True)))
    (finding,) = seen.findings
    assert (finding.severity, finding.code, seen.verdict) == ("error", "clock", "broken")
    assert "100 s ahead" in finding.message


def test_etags_that_are_not_honoured():
    seen = look(lambda _: [answer(SET, **GOOD)])
    assert (codes(seen), seen.revalidates, seen.verdict) == (["etag_ignored"], False, "fine")


def test_etags_that_break_the_request():
    def script(request):
        return [wire.RESET] if "if-none-match" in request.headers else [answer(SET, **GOOD)]

    seen = look(script)
    assert (codes(seen), seen.verdict) == (["etag"], "broken")
    seen = look(lambda _: [answer(SET, **(GOOD | {"etag": '"\x01"'}))])
    assert (codes(seen), seen.verdict) == (["etag"], "fine")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("not_found", "status"),
        ("error_500", "status"),
        ("error_503", "status"),
        ("reset", "not_usable"),
        ("truncated", "not_usable"),
        ("oversized", "not_usable"),
        ("gzip", "not_usable"),
        ("not_http", "not_usable"),
    ],
)
def test_no_usable_answer(name, code):
    seen = look(lambda _: wire.ANSWERS[name](SET * 20), timeout=0.2)
    assert (codes(seen), seen.verdict, seen.keys) == ([code, "no_discovery"], "broken", None)


@pytest.mark.parametrize("name", ["hang", "drip_body"])
def test_no_answer_in_time_decides_nothing(name):
    seen = look(lambda _: wire.ANSWERS[name](SET * 20), timeout=0.2)
    assert (codes(seen), seen.verdict, seen.keys) == (["timeout", "no_discovery"], "unreachable", None)
    first, second = seen.findings
    assert "--timeout" in first.advice
    assert "no answer there either" in second.message


def test_discovery_that_is_late_decides_nothing():
    def script(request):
        return wire.ANSWERS["hang"](b"") if "well-known" in request.target else [answer(status="404 Not Found")]

    seen = look(script, timeout=0.2)
    assert (codes(seen), seen.verdict) == (["status", "no_discovery"], "unreachable")


@pytest.mark.parametrize("status", [401, 403, 404, 429, 502])
def test_statuses_come_with_advice(status):
    seen = look(lambda _: [answer(status=f"{status} X")])
    finding, _ = seen.findings
    assert str(status) in finding.message
    assert finding.advice


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        (b"<!doctype html>", "web page"),
        (b"{}", '{"keys": [...]}'),
        (b'{"jwks_uri": "https://x/"}', "name the issuer"),
        (b'{"keys": 1}', '{"keys": [...]}'),
        (b"{]", "keys"),
    ],
)
def test_no_key_set(body, advice):
    def script(request):
        return [answer(status="404 Not Found")] if "well-known" in request.target else published(request, body)

    seen = look(script)
    finding = seen.findings[0]
    assert (finding.code, seen.verdict) == ("not_a_key_set", "broken")
    assert advice in finding.advice


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, []), (7, []), (None, []), (-1, ["epoch"]), ("7", ["epoch"]), (True, ["epoch"])]
)
def test_epochs(epoch, expected):
    body = json.dumps(json.loads(SET) | {"jotgate_epoch": epoch}).encode()
    assert codes(look(lambda request: published(request, body))) == expected


def test_one_key_alone_is_no_set():
    body = json.dumps(jwk(kid="a")).encode()

    def script(request):
        return [answer(status="404 Not Found")] if "well-known" in request.target else published(request, body)

    seen = look(script)
    assert (codes(seen), seen.verdict) == (["not_a_key_set", "no_discovery"], "broken")


def test_what_is_judged_by_is_what_a_remote_key_set_does():
    defaults = {name: each.default for name, each in inspect.signature(RemoteKeySet).parameters.items()}
    assert defaults["lifetime"] == endpoints.DEFAULT_LIFETIME_SECONDS
    assert defaults["cache_control"] == (endpoints.MIN_LIFETIME_SECONDS, endpoints.MAX_LIFETIME_SECONDS)
    assert defaults["timeout"] == endpoints.TIMEOUT_SECONDS
    assert (defaults["max_keys"], defaults["max_bytes"]) == (keylint.MAX_KEYS, keylint.MAX_BYTES)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_explained(status):
    seen = look(lambda _: wire.redirect(f"{status} Elsewhere", "https://other.example.com/jwks"))
    finding, _ = seen.findings
    assert (finding.code, seen.verdict) == ("redirect", "broken")
    assert "https://other.example.com/jwks" in finding.where


def test_keys_are_examined_as_lint_does():
    seen = look(lambda request: published(request, document(jwk(kid="a", private=True), jwk(kid="b", which=1))))
    assert (seen.verdict, codes(seen)) == ("broken", ["private_key_published", "no_second_key"])


def test_algorithms():
    seen = look(published, algorithms=["RS256"])
    assert (seen.verdict, codes(seen)) == ("broken", ["no_usable_key", "not_allowed", "not_allowed"])
    assert "key_fetch_failed" in seen.findings[0].message
    assert seen.findings[1].advice == "allow ES256, or publish an RS256 key"


def test_unknown_algorithms_are_refused_before_anything_is_fetched():
    with wire.Server(published) as server, pytest.raises(PolicyError) as caught:
        examine(server.url(), allow_http=True, algorithms=["none"])
    assert (caught.value.code, server.requests) == ("invalid_policy", [])


def test_slow(monkeypatch):
    monkeypatch.setattr("jotgate.audit.endpoints._SLOW_SECONDS", 0.05)
    seen = look(
        lambda request: [0.1, *published(request)] if "if-none-match" not in request.headers else published(request)
    )
    assert (seen.verdict, codes(seen)) == ("fine", ["slow"])


def test_nobody_there():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/jwks.json"
        seen = examine(url, allow_http=True)
    assert (seen.verdict, codes(seen), len(seen.visits)) == ("unreachable", ["unreachable"], 1)


@pytest.mark.parametrize("url", ["http://auth.example.com/", "file:///etc/passwd", "http://127.0.0.1/", "x"])
def test_addresses_that_no_verifier_takes(url):
    with pytest.raises(PolicyError) as caught:
        examine(url)
    assert caught.value.code == "invalid_policy"


class Site:
    """An issuer with discovery; `changes` are those of its document."""

    def __init__(self, path: str = "/.well-known/openid-configuration", tenant: str = "", **changes):
        self.path, self.tenant, self.changes = path, tenant, changes
        self.origin = ""

    def __call__(self, request):
        if request.target == self.path:
            members = {"issuer": self.origin + self.tenant, "jwks_uri": f"{self.origin}/keys"} | self.changes
            return [answer(json.dumps(members).encode(), content_type="application/json")]
        if request.target == "/keys":
            return published(request)
        return [answer(b"hello", "404 Not Found")]

    def look(self, **options) -> Examination:
        with wire.Server(self) as server:
            self.origin = server.origin
            return examine(server.origin + self.tenant, allow_http=True, **options)


class TestIssuers:
    def test_openid_connect(self):
        seen = Site().look()
        assert (seen.verdict, codes(seen)) == ("fine", [])
        assert [(visit.role, visit.status) for visit in seen.visits] == [
            ("discovery", 200), ("jwks", 200), ("jwks", 304)
        ]  # fmt: skip
        assert seen.issuer + "/keys" == seen.jwks_url

    def test_a_tenant(self):
        seen = Site("/t/.well-known/openid-configuration", "/t").look()
        assert (seen.verdict, codes(seen), seen.issuer[-2:]) == ("fine", [], "/t")

    def test_oauth_only(self):
        seen = Site("/.well-known/oauth-authorization-server/t", "/t").look()
        assert seen.verdict == "fine"
        assert [visit.status for visit in seen.visits] == [404, 200, 200, 304]

    def test_another_issuer(self):
        seen = Site(issuer="https://evil.example.com").look()
        (finding,) = seen.findings
        assert (finding.code, seen.verdict, seen.jwks_url) == ("discovery", "broken", None)
        assert f"another issuer, 'https://evil.example.com' and not '{seen.issuer}'" in finding.message

    @pytest.mark.parametrize("uri", [None, "http://auth.example.com/jwks", "ftp://x/"])
    def test_no_usable_jwks_uri(self, uri):
        seen = Site(jwks_uri=uri).look()
        assert (codes(seen), seen.verdict) == (["discovery"], "broken")

    def test_keys_elsewhere_that_cannot_be_reached(self):
        seen = Site(jwks_uri="http://127.0.0.1:1/jwks").look()
        assert (codes(seen), seen.verdict) == (["unreachable"], "unreachable")

    def test_unsigned_tokens_on_offer(self):
        seen = Site(id_token_signing_alg_values_supported=["RS256", "none"]).look()
        assert (codes(seen), seen.verdict) == (["alg_none"], "fine")

    def test_neither_a_set_nor_an_issuer(self):
        seen = Site("/nowhere").look()
        assert (codes(seen), seen.verdict, seen.issuer) == (["status", "no_discovery"], "broken", None)
        assert [(visit.role, visit.status) for visit in seen.visits] == [
            ("jwks", 404), ("discovery", 404), ("discovery", 404)
        ]  # fmt: skip


class TestTLS:
    @pytest.fixture
    def authority(self, tmp_path):
        return certificates.Authority(tmp_path)

    def look(self, authority, served) -> Examination:
        with wire.Server(published, tls=served) as server:
            return examine(server.url(), tls=authority.trusted())

    def test_good(self, authority):
        seen = self.look(authority, authority.serving())
        assert (seen.verdict, codes(seen)) == ("fine", [])
        assert seen.visits[0].tls.version == "TLSv1.3"
        assert seen.visits[0].tls.expires_at == int(certificates.END.timestamp())

    def test_a_certificate_that_ends_soon(self, authority, monkeypatch):
        monkeypatch.setattr("jotgate.audit.endpoints.now", lambda: certificates.END.timestamp() - 5 * 86400)
        seen = self.look(authority, authority.serving())
        assert "certificate" in codes(seen)
        assert "ends in 5 days" in next(each.message for each in seen.findings if each.code == "certificate")

    @pytest.mark.parametrize(
        ("options", "told", "advice"),
        [
            ({"host": "auth.example.com"}, "mismatch", "issued for this"),
            ({"until": certificates.EXPIRED}, "has expired", "renewed"),
        ],
    )
    def test_certificates_that_are_not_trusted(self, authority, options, told, advice):
        seen = self.look(authority, authority.serving(**options))
        (finding,) = seen.findings
        assert (finding.code, seen.verdict) == ("untrusted_certificate", "broken")
        assert told in finding.message
        assert advice in finding.advice

    def test_an_unknown_authority(self, authority, tmp_path):
        seen = self.look(certificates.Authority(tmp_path, "another"), authority.serving())
        assert (codes(seen), seen.verdict) == (["untrusted_certificate"], "broken")
        assert "--ca FILE" in seen.findings[0].advice

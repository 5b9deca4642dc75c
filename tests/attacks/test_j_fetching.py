"""B16, B17 and J5: where keys are fetched from, that no redirect leads elsewhere, and that a fetch ends."""

import time

import pytest
from services import certificates, wire

from jotgate.errors import KeyFetchError, PolicyError
from jotgate.keys.discovery import discover
from jotgate.keys.fetch import Fetched, fetch

BODY = b'{"keys":[]}'
SCHEMES = ["file:///etc/passwd", "ftp://127.0.0.1/jwks.json", "data:application/json,{}", "jar:x", "gopher://x", "x:y"]


@pytest.mark.parametrize("url", SCHEMES)
@pytest.mark.parametrize("allow_http", [False, True])
def test_b16_keys_come_over_https_only(url, allow_http):
    with pytest.raises(PolicyError) as caught:
        fetch(url, {}, 1, allow_http=allow_http)
    assert caught.value.code == "invalid_policy"


def test_b16_http_is_for_the_loopback_and_by_opt_in():
    with wire.Server(lambda _: wire.ANSWERS["ok"](BODY)) as server:
        with pytest.raises(PolicyError):
            fetch(server.url(), {}, 5)
        assert server.requests == []
        assert fetch(server.url(), {}, 5, allow_http=True).body == BODY
    with pytest.raises(PolicyError):
        fetch("http://auth.example.com/jwks.json", {}, 5, allow_http=True)


@pytest.mark.parametrize("url", [*SCHEMES, "http://169.254.169.254/latest/meta-data"])
def test_b16_a_discovered_address_is_held_to_the_same(url):
    issuer = "https://auth.example.com"
    body = b'{"issuer":"%s","jwks_uri":"%s"}' % (issuer.encode(), url.encode())
    with pytest.raises(KeyFetchError) as caught:
        discover(issuer, lambda _: Fetched(200, {}, body))
    assert caught.value.code == "key_fetch_failed"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_b17_redirects_are_not_followed(status):
    with wire.Server(lambda _: wire.ANSWERS["ok"](BODY)) as other:
        for location in (other.url(), "/elsewhere", "file:///etc/passwd"):
            with wire.Server(lambda _, to=location: wire.redirect(status, to)) as server:
                answer = fetch(server.url(), {}, 5, allow_http=True)
            assert (answer.status, answer.body) == (int(status[:3]), b"")
            assert len(server.requests) == 1
    assert other.requests == []


def test_b17_no_redirect_from_https_to_http(tmp_path):
    authority = certificates.Authority(tmp_path)
    with wire.Server(lambda _: wire.ANSWERS["ok"](BODY)) as plain:
        script = wire.redirect("302 Found", plain.url())
        with wire.Server(lambda _: script, tls=authority.serving()) as server:
            answer = fetch(server.url(), {}, 5, tls=authority.trusted(), allow_http=True)
    assert (answer.status, answer.body, plain.requests) == (302, b"", [])


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_b17_discovery_does_not_follow_them_either(status):
    with wire.Server(lambda _: wire.redirect(status, "https://evil.example.com/")) as server:
        with pytest.raises(KeyFetchError, match="redirects are not followed") as caught:
            discover(server.origin, lambda url: fetch(url, {}, 5, allow_http=True), allow_http=True)
        assert len(server.requests) == 1
    assert caught.value.code == "key_fetch_failed"


@pytest.mark.parametrize("name", ["hang", "hang_in_body", "drip_headers", "drip_body", "endless_continue"])
def test_j5_a_slow_server_costs_the_deadline_and_no_more(name):
    with wire.Server(lambda _: wire.ANSWERS[name](BODY * 50)) as server:
        begun = time.monotonic()
        with pytest.raises(KeyFetchError, match=r"took longer than 0\.2 s") as caught:
            fetch(server.url(), {}, 0.2, allow_http=True)
        assert time.monotonic() - begun < 2
    assert caught.value.code == "key_fetch_failed"


@pytest.mark.parametrize(
    "name", ["oversized", "oversized_by_its_length_only", "oversized_without_length", "oversized_chunked", "gzip"]
)
def test_j5_a_body_has_at_most_one_mebibyte(name):
    with wire.Server(lambda _: wire.ANSWERS[name](BODY)) as server, pytest.raises(KeyFetchError) as caught:
        fetch(server.url(), {}, 5, allow_http=True)
    assert caught.value.code == "key_fetch_failed"

"""Which URLs keys may be fetched from, and that a URL has one reading."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jotgate.errors import PolicyError
from jotgate.keys.urls import Address, address_of, check_url, is_loopback

GOOD = {
    "https://auth.example.com": Address("https", "auth.example.com", 443, "/"),
    "HTTPS://Auth.Example.COM/": Address("https", "auth.example.com", 443, "/"),
    "https://auth.example.com:8443/a/b?c=d&e=/?": Address("https", "auth.example.com", 8443, "/a/b?c=d&e=/?"),
    "https://auth.example.com?x=a@b": Address("https", "auth.example.com", 443, "/?x=a@b"),
    "https://auth.example.com/@x:y": Address("https", "auth.example.com", 443, "/@x:y"),
    "https://xn--mnchen-3ya.example/j%20k": Address("https", "xn--mnchen-3ya.example", 443, "/j%20k"),
    "https://my_service/jwks": Address("https", "my_service", 443, "/jwks"),
    "https://192.0.2.1/": Address("https", "192.0.2.1", 443, "/"),
    "https://[2001:DB8::1]:8443/": Address("https", "2001:db8::1", 8443, "/"),
}
LOOPBACK = [
    "http://localhost/",
    "http://LOCALHOST:8080",
    "http://127.0.0.1:1/",
    "http://127.255.255.254/x",
    "http://[::1]:9/x",
    "http://[0:0:0:0:0:0:0:1]/",
]
BAD = {
    "another scheme": [
        "file:///etc/passwd",
        "ftp://auth.example.com/jwks",
        "data:application/json,{}",
        "gopher://auth.example.com",
        "ws://auth.example.com",
        "javascript:alert(1)",
        "httpsx://auth.example.com",
        "https+unix://auth.example.com",
        "//auth.example.com/",
        "auth.example.com",
        "/etc/passwd",
        "",
        ":",
    ],
    "http": [
        "http://auth.example.com/",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://10.0.0.1/",
        "http://[::2]/",
        "http://0.0.0.0/",
        "http://[::ffff:192.0.2.1]/",
        "http://foo.localhost/",
    ],
    "user and password": [
        "https://user@auth.example.com/",
        "https://user:password@auth.example.com/",
        "https://@auth.example.com/",
        "https://trusted.example@evil.example/",
        "https://trusted.example:443@evil.example?",
    ],
    "fragment": ["https://auth.example.com/#a", "https://auth.example.com#@evil.example/"],
    "characters": [
        "https://auth.example.com/a b",
        " https://auth.example.com/",
        "https://auth.example.com/\r\nX: y",
        "https://auth.example.com/\n",
        "https://auth.example.com/\x00",
        "https://auth.example.com\t/",
        "https://auth.example.com/\x7f",
        "https://m\xfcnchen.example/",
        "https://auth.example.com/\u2025",
        "https://auth\uff0eexample.com/",
        "https://evil.example\\@auth.example.com/",
        "https:\\\\auth.example.com/",
        "https://auth.example.com\\.evil.example/",
        "https://auth.example.com/\\",
    ],
    "host": [
        "https://",
        "https:///path",
        "https:/auth.example.com/",
        "https:auth.example.com",
        "https://?x",
        "https://.example.com/",
        "https://auth..example.com/",
        "https://auth.example.com./",
        "https://-a.example.com/",
        "https://a-.example.com/",
        "https://a%2eexample.com/",
        "https://auth.example.com,evil.example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 127 + "example/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.0.0.1.5/",
        "https://256.0.0.1/",
        "https://example.0x/",
        "https://[::1/",
        "https://::1/",
        "https://[::g]/",
        "https://[]/",
        "https://[fe80::1%25eth0]/",
        "https://[127.0.0.1]/",
    ],
    "port": [
        "https://auth.example.com:0/",
        "https://auth.example.com:65536/",
        "https://auth.example.com:99999/",
        "https://auth.example.com:/",
        "https://auth.example.com:x/",
        "https://auth.example.com:+443/",
        "https://auth.example.com:443:443/",
        "https://auth.example.com:\u0664/",
    ],
    "too long": ["https://auth.example.com/" + "a" * 2048],
}


@pytest.mark.parametrize("url", GOOD)
def test_good(url):
    assert check_url(url) == url
    assert address_of(url) == GOOD[url]


@pytest.mark.parametrize("url", LOOPBACK)
def test_http_for_the_loopback_by_opt_in_only(url):
    assert check_url(url, allow_http=True) == url
    with pytest.raises(PolicyError, match="allow_http=True") as caught:
        check_url(url)
    assert caught.value.code == "invalid_policy"


@pytest.mark.parametrize("url", [url for urls in BAD.values() for url in urls])
def test_bad(url):
    for allow_http in (False, True):
        with pytest.raises(PolicyError) as caught:
            check_url(url, allow_http=allow_http)
        assert caught.value.code == "invalid_policy"


@pytest.mark.parametrize("url", [None, b"https://auth.example.com/", 1])
def test_wrong_types(url):
    with pytest.raises(PolicyError):
        check_url(url)


def test_messages_do_not_repeat_the_url():
    for url in ("https://user:Canary-1@auth.example.com/", "https://auth.example.com/?k=Canary-1#", "Canary-1"):
        with pytest.raises(PolicyError) as caught:
            check_url(url)
        assert "Canary-1" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://a.example/x?y=secret", "https://a.example"),
        ("https://a.example:443/", "https://a.example"),
        ("https://a.example:444/", "https://a.example:444"),
        ("https://[::1]:444/", "https://[::1]:444"),
        ("http://localhost:80/", "http://localhost"),
    ],
)
def test_origin(url, origin):
    assert address_of(url, allow_http=True).origin == origin


def test_is_loopback():
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.9.9.9", "::1")))
    assert not any(map(is_loopback, ("example.com", "128.0.0.1", "::", "0.0.0.0", "localhost.")))


@given(st.text("htps:/@#?\\[].%0123456789abcx- \t\r\n\u2025", max_size=40).map(lambda text: "https://" + text))
def test_what_is_taken_the_standard_library_reads_alike(url):
    try:
        address = address_of(url)
    except PolicyError:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.hostname) in {("https", address.host), ("https", url[9 : url.find("]")])}
    assert (parts.port or 443, parts.username, parts.fragment) == (address.port, None, "")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://a.example.com", "https://a.example.com/"),
        ("https://a.example.com:8443/x/y?secret=1", "https://a.example.com:8443/x/y"),
        ("http://[::1]:80/?secret", "http://[::1]/"),
    ],
)
def test_place(url, place):
    assert address_of(url, allow_http=True).place == place

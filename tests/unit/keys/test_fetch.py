"""One GET against real sockets: what comes through, and that whatever else a server does ends at the deadline."""

import socket
import ssl
import threading
import time

import pytest
from services import certificates, wire

from jotgate.errors import KeyFetchError, PolicyError
from jotgate.keys import fetch as module
from jotgate.keys.fetch import Fetched, check_headers, check_tls, fetch, fetch_failed

BODY = b'{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}'
SECRET = "Bearer c4n4ry-0123456789"
SHORT = 0.2
# The machine of the tests may be busy; a hung fetch would take for ever.
AT_MOST = 2.0


def get(server: wire.Server, timeout: float = 5.0, **options) -> Fetched:
    return fetch(server.url(), {"Authorization": SECRET}, timeout, allow_http=True, **options)


def serving(name: str) -> wire.Server:
    return wire.Server(lambda _: wire.ANSWERS[name](BODY))


def failure(call) -> str:
    with pytest.raises(KeyFetchError) as caught:
        call()
    assert caught.value.code == "key_fetch_failed"
    text = f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    assert SECRET not in text
    assert "11qYAYKx" not in text
    return str(caught.value)


@pytest.mark.parametrize("name", [name for name in wire.ANSWERS if name.startswith("ok")])
def test_a_whole_answer_comes_through(name):
    with serving(name) as server:
        answer = get(server)
    assert (answer.status, answer.body) == (200, BODY)


def test_what_is_asked():
    with serving("ok") as server:
        get(server)
        fetch(server.url("/a/b?c=d"), {"If-None-Match": '"1"', "accept": "x/y"}, 5, allow_http=True)
    first, second = server.requests
    assert (first.method, first.target) == ("GET", "/jwks.json")
    assert first.headers == {
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/jwk-set+json, application/json",
        "accept-encoding": "identity",
        "authorization": SECRET,
        "connection": "close",
        "user-agent": "jotgate",
    }
    assert second.target == "/a/b?c=d"
    assert (second.headers["if-none-match"], second.headers["accept"]) == ('"1"', "x/y")


def test_headers_of_the_answer():
    raw = b'HTTP/1.1 200 OK\r\nETag:  W/"1" \r\nCache-Control: public\r\ncache-control: max-age=9\r\n\r\n{}'
    with wire.Server(lambda _: [raw]) as server:
        assert get(server).headers == {"etag": 'W/"1"', "cache-control": "public, max-age=9"}


@pytest.mark.parametrize(
    ("name", "status"),
    [("not_modified", 304), ("not_found", 404), ("error_500", 500), ("error_503", 503), ("error_500_hanging", 500)],
)
def test_other_statuses_are_returned_without_a_body(name, status):
    with serving(name) as server:
        answer = get(server)
    assert (answer.status, answer.body) == (status, b"")


SLOW = {
    "hang": "waiting for the headers",
    "hang_in_headers": "waiting for the headers",
    "hang_in_body": "reading the body",
    "drip_headers": "waiting for the headers",
    "drip_body": "reading the body",
    "endless_continue": "waiting for the headers",
}


@pytest.mark.parametrize("name", SLOW)
def test_everything_ends_at_the_deadline(name):
    with serving(name) as server:
        begun = time.monotonic()
        told = failure(lambda: get(server, SHORT))
        assert SHORT * 0.9 <= time.monotonic() - begun < AT_MOST
    assert "took longer than 0.2 s" in told
    assert SLOW[name] in told


REFUSED = {
    "close": "Remote end closed connection",
    "reset": "Connection reset",
    "reset_in_body": "Connection reset",
    "truncated": "cut off",
    "truncated_chunk": "cut off",
    "no_last_chunk": "cut off",
    "oversized": "larger than 1048576 bytes",
    "oversized_by_its_length_only": "larger than 1048576 bytes",
    "oversized_without_length": "larger than 1048576 bytes",
    "oversized_chunked": "larger than 1048576 bytes",
    "endless_chunk": "far more than a body of 1048576 bytes takes while reading the body",
    "endless_chunk_extension": "far more than a body of 1048576 bytes takes while reading the body",
    "endless_trailers": "far more than a body of 1048576 bytes takes while reading the body",
    "endless_interim": "far more than a body of 1048576 bytes takes while waiting for the headers",
    "huge_header": "LineTooLong",
    "many_headers": "too many headers",
    "gzip": "compressed",
    "gzip_transfer": "transfer coding",
    "two_lengths": "Content-Length",
    "signed_length": "Content-Length",
    "not_http": "BadStatusLine",
    "bad_status": "BadStatusLine",
    "negative_chunk": "cut off",
    "bad_chunk": "cut off",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_answer_is_an_error(name):
    with serving(name) as server:
        assert REFUSED[name] in failure(lambda: get(server))


def test_every_answer_has_a_test():
    judged_by_the_reader = {"garbage", "html", "empty"}
    statuses = {"not_modified", "not_found", "error_500", "error_503", "error_500_hanging"}
    accepted = {name for name in wire.ANSWERS if name.startswith("ok")}
    assert accepted | statuses | set(SLOW) | set(REFUSED) | judged_by_the_reader == set(wire.ANSWERS)


@pytest.mark.parametrize("name", ["garbage", "html", "empty"])
def test_bodies_are_not_judged(name):
    with serving(name) as server:
        assert get(server).status == 200


@pytest.mark.parametrize("name", ["ok", "ok_chunked", "ok_without_length"])
def test_the_limit_is_that_of_the_body(name):
    with serving(name) as server:
        assert get(server, max_bytes=len(BODY)).body == BODY
        assert f"larger than {len(BODY) - 1} bytes" in failure(lambda: get(server, max_bytes=len(BODY) - 1))


def test_nothing_listens():
    with serving("ok") as server:
        pass
    assert "Connection refused" in failure(lambda: get(server))
    assert "while connecting" in failure(lambda: get(server))


def test_a_connection_that_nobody_takes():
    # A full backlog: the kernel answers no further SYN.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            waiting.append(filler)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        told = failure(lambda: fetch(url, {}, SHORT, allow_http=True))
        for each in waiting:
            each.close()
    assert "while connecting" in told or "while waiting" in told


class TestNames:
    def test_a_resolver_that_hangs(self, monkeypatch):
        released = threading.Event()
        real = socket.getaddrinfo

        def hanging(*arguments, **options):
            if options.get("flags"):
                return real(*arguments, **options)
            released.wait(5)
            return []

        monkeypatch.setattr(socket, "getaddrinfo", hanging)
        begun = time.monotonic()
        told = failure(lambda: fetch("https://auth.example.com/", {}, SHORT))
        assert time.monotonic() - begun < AT_MOST
        released.set()
        assert "looking up the name" in told

    def test_a_name_without_address(self, monkeypatch):
        def unknown(*_, **__):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        assert "has no address" in failure(lambda: fetch("https://auth.example.com/", {}, 5))

    def test_localhost_over_http_is_this_machine_whatever_the_resolver_says(self, monkeypatch):
        real = socket.getaddrinfo

        def elsewhere(*arguments, **options):
            if options.get("flags"):
                return real(*arguments, **options)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.1", 80))]

        monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
        told = failure(lambda: fetch("http://localhost/", {}, SHORT, allow_http=True))
        assert "no address of the host may be connected to" in told

    def test_the_second_address_is_tried(self, monkeypatch):
        with serving("ok") as server, socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            real = socket.getaddrinfo

            def two(*arguments, **options):
                if options.get("flags"):
                    return real(*arguments, **options)
                return [
                    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
                    for port in (closed.getsockname()[1], server.port)
                ]

            monkeypatch.setattr(socket, "getaddrinfo", two)
            url = f"http://localhost:{server.port}/"
            assert fetch(url, {}, 5, allow_http=True).body == BODY


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("ca"))


class TestTLS:
    def served(self, tls: ssl.SSLContext, name: str = "ok") -> wire.Server:
        return wire.Server(lambda _: wire.ANSWERS[name](BODY), tls=tls)

    @pytest.mark.parametrize("name", ["ok", "ok_chunked", "ok_without_length"])
    def test_good(self, authority, name):
        seen = []
        with self.served(authority.serving(), name) as server:
            answer = get(
                server,
                tls=authority.trusted(),
                watch=lambda step, sock: seen.append((step, isinstance(sock, ssl.SSLSocket))),
            )
        assert answer.body == BODY
        assert seen == [("connected", False), ("secured", True)]

    def test_a_watcher_learns_why_it_failed(self, authority):
        seen = []
        with self.served(authority.serving("auth.example.com")) as server:
            failure(lambda: get(server, tls=authority.trusted(), watch=lambda step, it: seen.append((step, type(it)))))
        assert seen == [("connected", socket.socket), ("failed", ssl.SSLCertVerificationError)]

    def test_wrong_host(self, authority):
        with self.served(authority.serving("auth.example.com")) as server:
            told = failure(lambda: get(server, tls=authority.trusted()))
        assert "not trusted" in told
        assert "mismatch" in told
        assert server.requests == []

    def test_expired(self, authority):
        with self.served(authority.serving(until=certificates.EXPIRED)) as server:
            assert "certificate has expired" in failure(lambda: get(server, tls=authority.trusted()))
        assert server.requests == []

    def test_unknown_authority(self, authority, tmp_path):
        other = certificates.Authority(tmp_path, "another CA")
        with self.served(authority.serving()) as server:
            assert "not trusted" in failure(lambda: get(server, tls=other.trusted()))
            assert "not trusted" in failure(lambda: get(server))
        assert server.requests == []

    def test_an_end_without_farewell_is_a_cut(self, authority):
        with self.served(authority.serving()) as server:
            server.script = lambda _: [b"HTTP/1.1 200 OK\r\n\r\n" + BODY, wire.CUT]
            assert "while reading the body" in failure(lambda: get(server, tls=authority.trusted()))
            server.script = lambda _: [b"HTTP/1.1 200 OK\r\n\r\n" + BODY, wire.RESET]
            failure(lambda: get(server, tls=authority.trusted()))
            # A length says where the body ends, whatever comes of the connection.
            server.script = lambda _: [wire.answer(BODY), wire.CUT]
            assert get(server, tls=authority.trusted()).body == BODY

    def test_a_server_that_does_not_speak_tls(self, authority):
        with serving("ok") as server:
            url = server.url().replace("http:", "https:")
            told = failure(lambda: fetch(url, {}, SHORT, tls=authority.trusted()))
        assert "setting up TLS" in told

    def test_a_handshake_that_hangs(self, authority):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
            told = failure(lambda: fetch(url, {}, SHORT, tls=authority.trusted()))
        assert "setting up TLS" in told

    @pytest.mark.parametrize("name", ["hang", "drip_headers", "drip_body"])
    def test_the_deadline_holds_inside_tls(self, authority, name):
        with self.served(authority.serving(), name) as server:
            begun = time.monotonic()
            assert "took longer" in failure(lambda: get(server, SHORT, tls=authority.trusted()))
            assert time.monotonic() - begun < AT_MOST


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan"), True, "3", None])
def test_timeouts(timeout):
    with pytest.raises(PolicyError) as caught:
        fetch("https://auth.example.com", {}, timeout)
    assert caught.value.code == "invalid_policy"


def test_no_request_goes_out_for_a_refused_url():
    with pytest.raises(PolicyError, match="https"):
        fetch("file:///etc/passwd", {}, 1)
    with serving("ok") as server, pytest.raises(PolicyError, match="allow_http"):
        fetch(server.url(), {}, 1)
    assert server.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "a\r\nY: b"},
        {"X": "a\nb"},
        {"X": "\x00"},
        {"X": "\u20ac"},
        {"X\r\nY": "b"},
        {"": "b"},
        {"X Y": "b"},
        {"X": b"b"},
        {b"X": "b"},
        {"Host": "elsewhere"},
        {"accept-encoding": "gzip"},
        {"Content-Length": "3"},
        {"Transfer-Encoding": "chunked"},
        {"X-A": "1", "x-a": "2"},
        [("X", "y")],
    ],
)
def test_headers_that_are_refused(headers):
    with pytest.raises(PolicyError) as caught:
        check_headers(headers)
    assert caught.value.code == "invalid_policy"
    with pytest.raises(PolicyError):
        fetch("https://auth.example.com", headers, 1)


def test_no_value_of_a_header_is_repeated():
    with pytest.raises(PolicyError) as caught:
        check_headers({"Authorization": SECRET + "\n"})
    assert SECRET not in str(caught.value)


def test_tls_that_does_not_verify_is_refused():
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    with pytest.raises(PolicyError, match="verify"):
        check_tls(unverified)
    unverified.verify_mode = ssl.CERT_NONE
    with pytest.raises(PolicyError, match="verify"):
        fetch("https://auth.example.com", {}, 1, tls=unverified)
    with pytest.raises(PolicyError, match="SSLContext"):
        check_tls("yes")
    assert check_tls(None) is None


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    with serving("ok") as server, serving("garbage") as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        assert get(server).body == BODY
    assert proxy.requests == []


def test_the_error():
    error = fetch_failed("why")
    assert (type(error), error.code, error.http_status, str(error)) == (KeyFetchError, "key_fetch_failed", 503, "why")
    assert module.MAX_BODY_BYTES == 1 << 20


def test_the_repr_of_an_answer_shows_its_status_alone() -> None:
    assert repr(Fetched(200, {"set-cookie": "c4n4ry"}, b"c4n4ry")) == "<Fetched 200>"

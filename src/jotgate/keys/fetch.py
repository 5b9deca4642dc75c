"""The one place that asks over HTTP: one request, one deadline, one answer.

No redirect is followed, no cookie kept, no proxy of the environment used, no certificate left unchecked. Whoever needs
a proxy or another client gives his key set or introspection client a ``fetch`` of his own. The standard library does
the protocol; it is loaded at the first fetch.
"""

from __future__ import annotations

import io
import math
import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .._clock import monotonic_ns_now
from ..errors import KeyFetchError, PolicyError
from .urls import Address, address_of, is_loopback
from .urls import check_url as check_url

if TYPE_CHECKING:
    import socket
    import ssl
    from http.client import HTTPResponse

MAX_BODY_BYTES = 1 << 20
_FRAMING_BYTES = 1 << 18
_OK = 200
_DEFAULT_HEADERS = {
    "accept": "application/jwk-set+json, application/json",
    "user-agent": "jotgate",
    "accept-encoding": "identity",
    "connection": "close",
}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")
# What frames the message is ours to say.
_OUR_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Fetched(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a name that came more than once, the values joined by a comma and a space."""
    body: bytes
    """Of a 200; of any other status it is not read, and empty."""

    def __repr__(self) -> str:
        return f"<Fetched {self.status}>"


def fetch_failed(message: str) -> KeyFetchError:
    """Return the error for keys that could not be fetched."""
    return KeyFetchError(message, "key_fetch_failed")


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Check the headers of a request.

    Returns:
        A copy with the names in lower case.

    Raises:
        PolicyError: ``invalid_policy``: not a mapping of str to str, a name or value that would break the request
            apart, a name twice, or one that frames the message (``Host``, ``Accept-Encoding``, ``Connection`` ...).
            No value is repeated.
    """
    if not isinstance(headers, Mapping):
        raise PolicyError("request headers are a mapping of names to values")
    checked: dict[str, str] = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise PolicyError("names and values of request headers are str")
        if not _HEADER_NAME.fullmatch(name):
            raise PolicyError("a request header has a name that is not one")
        if not _HEADER_VALUE.fullmatch(value):
            raise PolicyError(f"the value of the request header {name} has a line break or another forbidden character")
        if name.lower() in _OUR_HEADERS:
            raise PolicyError(f"the request header {name} is not yours to set")
        if name.lower() in checked:
            raise PolicyError(f"the request header {name} is given twice")
        checked[name.lower()] = value
    return checked


def check_tls(tls: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """Refuse TLS settings under which anybody could answer for the host.

    Raises:
        PolicyError: ``invalid_policy``: not an ``ssl.SSLContext``, or one without certificate or host name
            verification.
    """
    if tls is None:
        return None
    import ssl

    if not isinstance(tls, ssl.SSLContext):
        raise PolicyError("tls is an ssl.SSLContext")
    if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
        raise PolicyError(
            "tls must verify certificates and host names; trust a private CA by ssl.create_default_context(cafile=...)"
        )
    return tls


def fetch(
    url: str,
    headers: Mapping[str, str],
    timeout: float,
    *,
    body: bytes | None = None,
    sought: str = "a JWKS",
    max_bytes: int = MAX_BODY_BYTES,
    tls: ssl.SSLContext | None = None,
    allow_http: bool = False,
    watch: Callable[[str, Any], None] | None = None,
) -> Fetched:
    """GET one URL, or POST to it.

    Every status is returned, 3xx too: nothing is followed. Neither content type nor body are judged.

    Args:
        url: As `check_url` takes it.
        headers: Added to the request, or in place of ``Accept`` and ``User-Agent``.
        timeout: Seconds for all of it together: name, connection, TLS, headers and body. A server that sends a byte
            now and then gains nothing by it.
        body: What to POST; the headers say what it is. None: GET.
        sought: What the answer should be, for messages.
        max_bytes: Largest body of an answer; of the whole answer no more is read than twice that and 256 KiB.
        tls: Settings of TLS; the system's certificate authorities when None.
        allow_http: Take ``http`` on the loopback.
        watch: Called with ``connected`` and the socket, then, over TLS, with ``secured`` and the ``ssl.SSLSocket``; it
            may look, but neither read nor write. Where a step fails, with ``failed`` and the exception, whose text may
            quote the answer.

    Raises:
        KeyFetchError: ``key_fetch_failed``: no connection, no trusted certificate, no complete answer in time, a body
            that is too large, compressed or cut off. The message says which step failed and has nothing of headers
            and body.
        PolicyError: ``invalid_policy``: an argument that `check_url`, `check_headers` or `check_tls` refuses.

    Cost: one connection, and a thread while the name is looked up; one that the resolver does not answer stays until
    it does.

    Spec: RFC 9110, RFC 9112. Stricter: a ``Content-Length`` that is not one number, a transfer coding other than
    ``chunked``, and TLS that ends without saying so are errors.
    """
    address = address_of(url, allow_http=allow_http)
    request = _DEFAULT_HEADERS | check_headers(headers)
    check_tls(tls)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < math.inf:
        raise PolicyError("timeout is a number of seconds above 0")
    return _Exchange(address, timeout, sought).answer(request, body, max_bytes, tls, watch or _nobody)


def _nobody(step: str, seen: object) -> None:
    return


class _Exchange:
    """One connection on its way to its deadline."""

    __slots__ = ("_address", "_deadline_ns", "_sought", "_step", "_timeout")

    def __init__(self, address: Address, timeout: float, sought: str) -> None:
        self._address = address
        self._timeout = timeout
        self._sought = sought
        self._deadline_ns = monotonic_ns_now() + int(timeout * 1e9)
        self._step = ""

    def left(self) -> float:
        """Return the seconds that are left, or raise TimeoutError."""
        left = (self._deadline_ns - monotonic_ns_now()) / 1e9
        if left <= 0:
            raise TimeoutError
        return left

    def answer(
        self,
        request: dict[str, str],
        body: bytes | None,
        max_bytes: int,
        tls: ssl.SSLContext | None,
        watch: Callable[[str, Any], None],
    ) -> Fetched:
        from http.client import HTTPConnection, HTTPException

        sock: socket.socket | None = None
        try:
            sock = self._connect()
            watch("connected", sock)
            if self._address.scheme == "https":
                sock = self._secure(sock, tls)
                watch("secured", sock)
            self._step = "sending the request"
            connection = HTTPConnection(self._address.host, self._address.port)
            connection.sock = _Wire(sock, self.left, self._most(max_bytes))
            connection.request("GET" if body is None else "POST", self._address.target, body, request)
            self._step = "waiting for the headers of the answer"
            return self._read(connection.getresponse(), max_bytes)
        except KeyFetchError:
            raise
        except (OSError, HTTPException, ValueError) as error:
            watch("failed", error)
            # `from None`: what http.client raises quotes the answer.
            raise fetch_failed(self._explained(error)) from None
        finally:
            if sock is not None:
                sock.close()

    def _most(self, max_bytes: int) -> Callable[[int], None]:
        """Return what counts the bytes of an answer, and refuses more of them than body, headers and framing need."""
        left = 2 * max_bytes + _FRAMING_BYTES  # small chunks may be framed by as many bytes as they have

        def count(received: int) -> None:
            nonlocal left
            left -= received
            if left < 0:
                raise fetch_failed(
                    f"{self._address.origin} sent far more than a body of {max_bytes} bytes takes while {self._step}: "
                    f"is this the URL of {self._sought}?"
                )

        return count

    def _connect(self) -> socket.socket:
        import socket

        self._step = "looking up the name"
        addresses = self._resolve()
        if self._address.scheme == "http":
            # `localhost` is what the resolver says it is.
            addresses = [each for each in addresses if is_loopback(str(each[4][0]))]
        self._step = "connecting"
        failure: OSError = OSError("no address of the host may be connected to")
        for number, (family, kind, protocol, _, where) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                # An address that swallows packets leaves the others their share of the time.
                sock.settimeout(self.left() / (len(addresses) - number))
                sock.connect(where)
                return sock
            except OSError as error:
                sock.close()
                failure = error
        raise failure

    def _resolve(self) -> list[Any]:
        import socket

        def addresses(flags: int = 0) -> list[Any]:
            return socket.getaddrinfo(self._address.host, self._address.port, type=socket.SOCK_STREAM, flags=flags)

        try:
            return addresses(socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass
        found: list[list[Any] | Exception] = []

        def look_up() -> None:
            try:
                found.append(addresses())
            except Exception as error:
                found.append(error)

        # Nothing can interrupt the resolver: the thread is left behind with it.
        thread = threading.Thread(target=look_up, name="jotgate-resolver", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            raise fetch_failed("no thread could be started to look up a name") from None
        thread.join(self.left())
        if not found:
            raise TimeoutError
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    def _secure(self, sock: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
        import ssl

        self._step = "setting up TLS"
        try:
            if tls is None:
                tls = ssl.create_default_context()
                tls.set_alpn_protocols(["http/1.1"])
            sock.settimeout(self.left())
            # A body without a length ends where TLS says so; a connection that was cut must not look like it.
            return tls.wrap_socket(sock, server_hostname=self._address.host, suppress_ragged_eofs=False)
        except BaseException:
            sock.close()
            raise

    def _read(self, response: HTTPResponse, max_bytes: int) -> Fetched:
        headers: dict[str, str] = {}
        for name, value in response.getheaders():
            low, text = name.lower(), value.strip()
            headers[low] = f"{headers[low]}, {text}" if low in headers else text
        if response.status != _OK:
            return Fetched(response.status, headers, b"")
        self._step = "reading the body"
        where = self._address.origin
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise fetch_failed(f"{where} sent a compressed body, which was not asked for")
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise fetch_failed(f"{where} sent a body in a transfer coding other than chunked")
        length = headers.get("content-length")
        if length is not None and not re.fullmatch("[0-9]{1,15}", length):
            raise fetch_failed(f"{where} sent a Content-Length that is not one number")
        too_large = f"{where} sent a body larger than {max_bytes} bytes: is this the URL of {self._sought}?"
        if response.length is not None and response.length > max_bytes:
            raise fetch_failed(too_large)
        body = response.read(max_bytes + 1)
        if len(body) > max_bytes:
            raise fetch_failed(too_large)
        if response.length:
            raise fetch_failed(f"the body from {where} was cut off")
        return Fetched(response.status, headers, body)

    def _explained(self, error: Exception) -> str:
        import ssl
        from http.client import HTTPException, IncompleteRead
        from socket import gaierror

        where = self._address.origin
        if isinstance(error, TimeoutError):
            return f"{where} took longer than {self._timeout:g} s; the time was up while {self._step}"
        if isinstance(error, gaierror):
            return f"the host of {where} has no address: check the name and the DNS"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {where} is not trusted ({error.verify_message.rstrip('.')}): have it put right, "
                "or pass an ssl.SSLContext that trusts its CA"
            )
        if isinstance(error, ssl.SSLError):
            reason = (error.reason or "the connection ended").lower().replace("_", " ")
            return f"TLS with {where} failed while {self._step}: {reason}"
        if isinstance(error, IncompleteRead):
            return f"the body from {where} was cut off"
        if isinstance(error, OSError):
            return f"{where} failed while {self._step}: {error.strerror or error.args[0] or type(error).__name__}"
        # The names of these classes say it (LineTooLong, BadStatusLine); their text quotes the answer.
        kind = type(error).__name__ if type(error) is not HTTPException else "too many headers"
        return f"the answer of {where} is not HTTP/1.1 that can be read safely ({kind})"


class _Wire(io.RawIOBase):
    """What `http.client` takes for a socket: reads and writes have the time that is left, reads are counted."""

    def __init__(self, sock: socket.socket, left: Callable[[], float], count: Callable[[int], None]) -> None:
        self._sock = sock
        self._left = left
        self._count = count

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._left())
        received = self._sock.recv_into(buffer)
        # Whatever `http.client` makes of what it reads: it takes a chunk of -1 bytes for one without an end.
        self._count(received)
        return received

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(self._left())
        self._sock.sendall(data)

    def close(self) -> None:
        # `http.client` closes its connection before the body is read; whoever made the socket closes it.
        return

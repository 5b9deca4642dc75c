"""An HTTP server on the loopback that does on the wire exactly what a script says, mistakes and malice included.

A script turns a request into the actions to do on its connection, one after the other: send bytes, wait, hang until
the server closes, reset. `ANSWERS` has the answers that a client of key sets meets, by name; whoever wants another
sequence, or another document as time goes on, sets `Server.script`.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Self

RESET = object()
"""An action: end the connection with a TCP reset."""
CUT = object()
"""An action: end the connection as if the line had been cut, inside TLS without a farewell."""
HANG = object()
"""An action: keep the connection open, silent, until the server closes or the client goes away."""
Action = bytes | float | object
"""Bytes are sent, a number is a wait in seconds."""


class Request(NamedTuple):
    """What a client asked for; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


Script = Callable[[Request], Iterable[Action]]


class Server:
    """Answers each connection's one request by the script, on a thread of its own, while the context lasts.

    Args:
        script: What to do with a request; may be replaced at any time.
        tls: Speak TLS with these settings. A client that ends the handshake is counted in `refused`.
        port: 0 takes a free one; a number lets a server come back where one was.
    """

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.refused = 0
        self._tls = tls
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self._listener.getsockname()[1]

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    def url(self, path: str = "/jwks.json") -> str:
        """Return the address of a path."""
        return self.origin + path

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        # `close` alone does not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive(), "a connection does not end"

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        self._threads = [each for each in self._threads if each.is_alive()]
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        try:
            if self._tls is not None:
                try:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                except OSError:
                    self.refused += 1
                    return
            request = _read_request(connection)
            if request is None:
                return
            self.requests.append(request)
            for action in self.script(request):
                self._do(connection, action)
            _end(connection)
        except OSError:
            return  # the client has gone
        finally:
            connection.close()

    def _do(self, connection: socket.socket, action: Action) -> None:
        if isinstance(action, bytes):
            connection.sendall(action)
        elif isinstance(action, float | int):
            self._closing.wait(action)
        elif action is CUT:
            raise ConnectionAbortedError
        elif action is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise ConnectionResetError
        else:
            connection.settimeout(0.02)
            while not self._closing.is_set():
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(1):
                        raise ConnectionAbortedError


def _read_request(connection: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536) or b"\0" * 65536  # a client that went away
    return Request(method, target, headers, body)


def _end(connection: socket.socket) -> None:
    if isinstance(connection, ssl.SSLSocket):
        connection.unwrap()
    else:
        connection.shutdown(socket.SHUT_WR)


def answer(
    body: bytes = b"", status: str = "200 OK", content_type: str = "application/jwk-set+json", **headers: str
) -> bytes:
    """Write a whole answer; ``cache_control`` becomes ``Cache-Control``."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", f"Content-Type: {content_type}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Write an answer in chunks."""
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return CHUNKED + chunks + end


def dripping(data: bytes, pause: float = 0.02) -> Iterator[Action]:
    """Send one byte at a time, for as long as anybody reads."""
    for byte in data:
        yield bytes([byte])
        yield pause


def redirect(status: str, location: str) -> list[Action]:
    """Send whoever asks to another place."""
    return [answer(status=status, location=location)]


TRUNCATED_BY = 10
LARGE = b" " * ((1 << 20) + 1)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

ANSWERS: dict[str, Callable[[bytes], Iterable[Action]]] = {
    # what is to be accepted
    "ok": lambda body: [answer(body)],
    "ok_chunked": lambda body: [chunked(body[:5], body[5:])],
    "ok_without_length": lambda body: [b"HTTP/1.1 200 OK\r\n\r\n" + body],
    "ok_in_two_pieces": lambda body: [answer(body)[:-5], 0.01, answer(body)[-5:]],
    # what says that there is nothing (new)
    "not_modified": lambda _: [answer(status="304 Not Modified")],
    "not_found": lambda _: [answer(b"<html>", "404 Not Found")],
    "error_500": lambda _: [answer(b"oops", "500 Internal Server Error")],
    "error_503": lambda _: [answer(b"oops", "503 Service Unavailable", retry_after="1")],
    "error_500_hanging": lambda _: [b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\n", HANG],
    # what never ends
    "hang": lambda _: [HANG],
    "hang_in_headers": lambda _: [b"HTTP/1.1 200 OK\r\nContent-Le", HANG],
    "hang_in_body": lambda body: [answer(body)[:-TRUNCATED_BY], HANG],
    "drip_headers": lambda body: dripping(answer(body)),
    "drip_body": lambda body: [answer(body)[: -len(body)], *dripping(body)],
    "endless_continue": lambda _: [b"HTTP/1.1 100 Continue\r\n\r\n", *[0.01, b"HTTP/1.1 100 Continue\r\n\r\n"] * 99],
    # what ends too early
    "close": lambda _: [],
    "reset": lambda _: [RESET],
    "reset_in_body": lambda body: [answer(body)[:-TRUNCATED_BY], RESET],
    "truncated": lambda body: [answer(body)[:-TRUNCATED_BY]],
    "truncated_chunk": lambda body: [chunked(body, end=b"")[:-TRUNCATED_BY]],
    "no_last_chunk": lambda body: [chunked(body, end=b"")],
    # what is too much
    "oversized": lambda _: [answer(LARGE)],
    "oversized_by_its_length_only": lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", HANG],
    "oversized_without_length": lambda _: [b"HTTP/1.1 200 OK\r\n\r\n", LARGE],
    "oversized_chunked": lambda _: [chunked(LARGE)],
    "endless_chunk": lambda _: [CHUNKED + b"-1\r\n", *[LARGE] * 40],
    "endless_chunk_extension": lambda _: [CHUNKED, *[b"1;" + b"x" * 60_000 + b"\r\nx\r\n"] * 400],
    "endless_trailers": lambda body: [chunked(body, end=b"0\r\n"), *[b"x: " + b"x" * 60_000 + b"\r\n"] * 400],
    "endless_interim": lambda _: [b"HTTP/1.1 100 Continue\r\nx: " + b"x" * 60_000 + b"\r\n\r\n"] * 400,
    "huge_header": lambda body: [answer(body, x="x" * 70_000)],
    "many_headers": lambda body: [answer(body, **{f"x{number}": "x" for number in range(200)})],
    # what is not what was asked for
    "gzip": lambda body: [answer(gzip.compress(body), content_encoding="gzip")],
    "gzip_transfer": lambda body: [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + gzip.compress(body)
    ],
    "two_lengths": lambda body: [answer(body, content__length="1").replace(b"Content--Length", b"Content-Length")],
    "signed_length": lambda body: [b"HTTP/1.1 200 OK\r\nContent-Length: +%d\r\n\r\n" % len(body) + body],
    "not_http": lambda _: [b"SSH-2.0-OpenSSH_9.6\r\n"],
    "bad_status": lambda _: [b"HTTP/1.1 abc OK\r\n\r\n"],
    "negative_chunk": lambda body: [CHUNKED + b"-1\r\n" + body + b"\r\n0\r\n\r\n"],
    "bad_chunk": lambda _: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    # what is HTTP, and no key set
    "garbage": lambda _: [answer(b"{]")],
    "html": lambda _: [answer(b"<!doctype html><title>Log in</title>", content_type="text/html")],
    "empty": lambda _: [answer(b"")],
}
"""By name, what a server sends where the document would be `body`."""

"""A JWKS document behind HTTP on the loopback address, and its way back."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.request import ProxyHandler, build_opener

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATH = "/.well-known/jwks.json"
_LARGEST_DOCUMENT_BYTES = 1 << 20
_DEADLINE_SECONDS = 10


@contextmanager
def published(document: Mapping[str, object]) -> Iterator[str]:
    """Serve a JWKS document on a free port of 127.0.0.1 while the context lasts.

    Yields:
        Its address.
    """
    body = json.dumps(document).encode("ascii")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != PATH:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/jwk-set+json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "public, max-age=300")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{PATH}"
        finally:
            server.shutdown()
            thread.join()


def fetch(url: str) -> bytes:
    """Get the document as a verifier would, past any proxy that the environment names."""
    with build_opener(ProxyHandler({})).open(url, timeout=_DEADLINE_SECONDS) as response:
        body: bytes = response.read(_LARGEST_DOCUMENT_BYTES)
    return body

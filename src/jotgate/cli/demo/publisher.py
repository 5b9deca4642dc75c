"""A JWKS document behind HTTP on the loopback address."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from jotgate.keys.public_document import PublicDocument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jotgate.keys.public_document import PublishedKeys

PATH = "/.well-known/jwks.json"


@contextmanager
def published(source: PublishedKeys) -> Iterator[str]:
    """Serve the public keys of a source on a free port of 127.0.0.1 while the context lasts.

    Args:
        source: As for ``jwks_app``.

    Yields:
        Its address.
    """
    document = PublicDocument(source)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != PATH:
                self.send_error(404)
                return
            body = document.current().body
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

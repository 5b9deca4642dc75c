"""Publishing an issuer's keys: an ASGI application, and a file for a web server."""

from __future__ import annotations

import os
import stat
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from ..errors import JotgateError, PolicyError, UndecidedError
from .discovery import metadata_urls
from .metadata import PRIVATE_MEMBERS
from .public_document import PublicDocument, PublishedKeys, Written, written
from .urls import address_of, check_url

Message: TypeAlias = MutableMapping[str, Any]
Application: TypeAlias = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
"""An ASGI application (version 3)."""

JWKS_PATH: Final = "/.well-known/jwks.json"

_JWK_SET, _JSON, _TEXT = b"application/jwk-set+json", b"application/json", b"text/plain; charset=utf-8"
_LONGEST_MAX_AGE = 86400
_MODE = 0o644
_LARGEST_BYTES = 4 << 20
_RETRY_SECONDS = b"5"
_Headers: TypeAlias = list[tuple[bytes, bytes]]


def jwks_app(
    source: PublishedKeys,
    *,
    max_age: int = 300,
    stale_while_revalidate: int = 0,
    path: str | None = None,
    issuer: str | None = None,
    jwks_uri: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    allow_http: bool = False,
    cors: bool = False,
) -> Application:
    """Make an ASGI application that publishes public keys and, if asked to, where they are.

    It answers GET and HEAD; to others 405. The document is written once per change of the keys, with a strong ``ETag``,
    and ``If-None-Match`` is answered 304. While the source cannot be read, it answers 503: what was published before
    may have a key that was dropped since.

    Args:
        source: A KeyRing or another object with ``jwks()``; a KeySet; or keys, of a SigningKey its public half.
        max_age: Seconds that caches may hold the document, 1 to 86400.
        stale_while_revalidate: Seconds more for which a cache may answer from a document that is too old while it
            fetches a new one (RFC 5861). 0: a withdrawn key would be served for as long.
        path: Answer under this path only, else 404; None: under every path, or with `issuer` ``JWKS_PATH``.
        issuer: Also answer the discovery documents of OpenID Connect and OAuth 2.0 for this issuer, which is the URL
            in its tokens, at the paths that belong to it; the application is then at the root of its host.
        jwks_uri: The address of the keys in those; by default `path` on the host of the issuer.
        metadata: More members of those, such as ``token_endpoint``.
        allow_http: Take `issuer` and `jwks_uri` with ``http``, on the loopback only: for tests.
        cors: Let scripts of every origin read what is published.

    Raises:
        PolicyError: ``invalid_policy``: an argument is out of range, or the two times together are longer than the ring
            believes caches to hold the document (its ``cache_time``).
        InvalidKeyError: ``invalid_key``: there are no public keys in `source`, or other than public ones.

    Cost: a request costs one ``source.jwks()``. The application does no other I/O, and waits for nothing.

    Spec: RFC 7517 sections 5 and 8.5.2; RFC 9110 sections 8.8.3, 13.1.2 and 15.4.5; RFC 9111 section 5.2.2; OpenID
        Connect Discovery 1.0 section 4; RFC 8414 section 3.
    """
    _check_times(source, max_age, stale_while_revalidate)
    if path is not None and not (isinstance(path, str) and path.startswith("/")):
        raise PolicyError("path begins with a slash")
    document = PublicDocument(source)
    pages: dict[str, _Page] = {}
    if issuer is not None:
        path = JWKS_PATH if path is None else path
        pages = _discovery(issuer, jwks_uri, path, metadata, allow_http)
    elif jwks_uri is not None or metadata is not None:
        raise PolicyError("jwks_uri and metadata are for discovery documents: name their issuer")
    page = _Page(_JWK_SET, document.current)
    common: _Headers = [(b"x-content-type-options", b"nosniff")]
    if cors:
        common.append((b"access-control-allow-origin", b"*"))
    return _Publisher(
        page if path is None else None,
        pages if path is None else pages | {path: page},
        lambda: _cache_control(source, max_age, stale_while_revalidate),
        common,
    )


def write_jwks(source: PublishedKeys, path: str | os.PathLike[str]) -> bool:
    """Write the document into a file for a web server, if it is not there already.

    Whoever reads the file, also after a crash, sees all of the old document or all of the new one. Call it after each
    change of the keys and after ``maintain``. Of several writers at once none puts back what another has replaced: each
    looks at the keys when it is its turn. It needs POSIX.

    Args:
        source: As for ``jwks_app``.
        path: The file; its mode becomes 0644. A symbolic link is replaced, not followed. It is not in the directory of
            a key ring, and a file that is there already is empty, or a JWK set without private keys.

    Returns:
        Whether it was written: False when it had the document already.

    Raises:
        InvalidKeyError: ``invalid_key``: as for ``jwks_app``; the file stays as it was.
        PolicyError: ``invalid_policy``: `path` is none of a published document.
        StoreUnavailableError: ``store_unavailable``: it cannot be written.
    """
    from .files import replace_file, unavailable

    document = PublicDocument(source)
    file = Path(path)
    try:
        before = _replaceable(file)
        if before == _latest(document) and stat.S_IMODE(file.stat().st_mode) == _MODE:
            return False
        replace_file(file, lambda: _latest(document), _MODE)
    except ImportError:
        raise PolicyError("write_jwks needs POSIX file locks, which this system has not") from None
    except OSError as error:
        raise unavailable("write the JWKS", error) from None
    return True


def _latest(document: PublicDocument) -> bytes:
    """The document as of now: a ring is asked to look, as what it read half a second ago may have been withdrawn."""
    look = getattr(document.source, "warm", None)
    if look is not None:
        with suppress(UndecidedError):  # what it could not read it will not tell either
            look()
    return document.current().body


def _replaceable(file: Path) -> bytes | None:
    """Return what is in the file of a document; None if there is none yet.

    Raises:
        PolicyError: ``invalid_policy``: replacing it would destroy something else.
        OSError: It cannot be read.
    """
    from .ring_store import MANIFEST

    if os.path.lexists(file.parent / MANIFEST):
        raise PolicyError("the document would be in the directory of a key ring, which is private: put it elsewhere")
    if file.is_symlink() or not file.exists():
        return None
    if not file.is_file():
        raise PolicyError("what is there is no file, and was left as it is")
    with file.open("rb") as stream:
        content = stream.read(_LARGEST_BYTES + 1)
    if content and not _is_public_set(content):
        raise PolicyError(
            "the file that is there is not a JWK set of public keys, and was left as it is: name another, or remove it"
        )
    return content


def _is_public_set(content: bytes) -> bool:
    import orjson

    try:
        document = orjson.loads(content)
    except ValueError:
        return False
    keys = document.get("keys") if isinstance(document, dict) else None
    return isinstance(keys, list) and all(
        isinstance(key, dict) and not any(name in key for name in PRIVATE_MEMBERS) for key in keys
    )


class _Page(NamedTuple):
    content_type: bytes
    current: Callable[[], Written]


class _Publisher:
    """The application: which page is where, and how HTTP asks for it."""

    __slots__ = ("_cache_control", "_common", "_everywhere", "_pages")

    def __init__(
        self,
        everywhere: _Page | None,
        pages: Mapping[str, _Page],
        cache_control: Callable[[], bytes],
        common: _Headers,
    ) -> None:
        self._everywhere = everywhere
        self._pages = pages
        self._cache_control = cache_control
        self._common = common

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            status, headers, body = self._answer(scope)
            await send({"type": "http.response.start", "status": status, "headers": [*self._common, *headers]})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    def _answer(self, scope: Mapping[str, Any]) -> tuple[int, _Headers, bytes]:
        if scope["method"] not in ("GET", "HEAD"):
            return _failure(405, b"only GET and HEAD", (b"allow", b"GET, HEAD"))
        # where an application is mounted at is part of `path`, but not for every server
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        page = self._pages.get(path, self._everywhere)
        if page is None:
            return _failure(404, b"not here", (b"cache-control", b"no-store"))
        try:
            document = page.current()
            cache_control = self._cache_control()
        except JotgateError as error:
            import logging

            logging.getLogger("jotgate.keys").warning("the keys cannot be published: %s", error)
            return _failure(503, b"try again", (b"cache-control", b"no-store"), (b"retry-after", _RETRY_SECONDS))
        headers = [(b"cache-control", cache_control), (b"etag", document.etag.encode("ascii"))]
        asked = b",".join(value for name, value in scope["headers"] if name.lower() == b"if-none-match")
        if _matches(asked.decode("latin-1"), document.etag):
            return 304, headers, b""
        return 200, [(b"content-type", page.content_type), *_length(document.body), *headers], document.body


def _failure(status: int, text: bytes, *headers: tuple[bytes, bytes]) -> tuple[int, _Headers, bytes]:
    return status, [(b"content-type", _TEXT), *_length(text), *headers], text


def _length(body: bytes) -> _Headers:
    return [(b"content-length", str(len(body)).encode("ascii"))]


def _matches(asked: str, etag: str) -> bool:
    """Whether ``If-None-Match`` names the document: compared weakly, as RFC 9110 section 13.1.2 says.

    Our tags have neither commas nor quotes, so that a list may be cut at its commas: a foreign tag in pieces matches
    nothing.
    """
    tags = [tag.strip(" \t").removeprefix("W/") for tag in asked.split(",")]
    return etag in tags or tags == ["*"]


def _check_times(source: object, max_age: object, stale_while_revalidate: object) -> None:
    for name, value, least in (("max_age", max_age, 1), ("stale_while_revalidate", stale_while_revalidate, 0)):
        if type(value) is not int or not least <= value <= _LONGEST_MAX_AGE:
            raise PolicyError(f"{name} is a number of seconds from {least} to {_LONGEST_MAX_AGE}")
    cache_time = _cache_time(source)
    if cache_time is not None and max_age + stale_while_revalidate > cache_time:  # type: ignore[operator]
        raise PolicyError(
            f"caches would hold the document for longer than the key ring believes (cache_time, {cache_time:g} s), so "
            "that a key could sign or be gone before they know: lower max_age, or reconfigure the ring"
        )


def _cache_time(source: object) -> float | None:
    """For how long a key ring believes caches to hold its document, in seconds."""
    believed: float | None = getattr(getattr(source, "settings", None), "cache_time", None)
    return believed


def _cache_control(source: object, max_age: int, stale_while_revalidate: int) -> bytes:
    """The header of now: a ring that was reconfigured meanwhile is not made a liar of."""
    cache_time = _cache_time(source)
    if cache_time is not None:
        max_age = min(max_age, int(cache_time))
        stale_while_revalidate = min(stale_while_revalidate, int(cache_time) - max_age)
    more = f", stale-while-revalidate={stale_while_revalidate}" if stale_while_revalidate else ""
    return f"public, max-age={max_age}{more}".encode("ascii")


def _discovery(
    issuer: str, jwks_uri: str | None, path: str, metadata: Mapping[str, Any] | None, allow_http: bool
) -> dict[str, _Page]:
    urls = metadata_urls(issuer, allow_http=allow_http)
    if jwks_uri is None:
        base = urls[1].partition("/.well-known/")[0]
        jwks_uri = base + path
    check_url(jwks_uri, allow_http=allow_http)
    more = {} if metadata is None else dict(metadata)
    if not {"issuer", "jwks_uri"}.isdisjoint(more):
        raise PolicyError("issuer and jwks_uri of the metadata are arguments of their own")
    try:
        document = written({"issuer": issuer, "jwks_uri": jwks_uri} | more)
    except TypeError:
        raise PolicyError("metadata is a mapping of JSON values") from None
    page = _Page(_JSON, lambda: document)
    return {address_of(url, allow_http=allow_http).target: page for url in urls}

"""One fetch of a JWKS document, and what it says: no state, no clock, no threads."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..errors import InvalidKeyError, KeyFetchError
from . import fetch as http
from .caching import parse_cache_control
from .discovery import discover
from .fetch import Fetched
from .keyset import KeySet
from .urls import address_of

Fetch = Callable[[str, Mapping[str, str], float], tuple[int, Mapping[str, str], bytes]]
"""A request of the user's own: URL, headers and deadline in seconds, to status, headers and body. It raises what it
likes. It runs on a thread of its own."""

EPOCH_MEMBER = "jotgate_epoch"
"""Member of a JWKS document with its issuer's epoch; others ignore what they do not know (RFC 7517 section 5)."""

MOST_ETAG_BYTES = 1024
MOST_EPOCHS = 10**15
_OK, _NOT_MODIFIED = 200, 304


class Answer(NamedTuple):
    keys: KeySet | None  # None: the document has not changed
    body: bytes
    etag: str | None
    epoch: int | None
    allowed: float | None
    url: str


class Question(NamedTuple):
    """What a fetch knows when it begins, so that it needs nothing of the key set while it runs."""

    url: str | None  # None: the issuer's metadata say it
    known_url: str | None  # where the last answer came from
    issuer: str | None
    origin: str  # whom the user's headers are for
    ask: Fetch
    headers: Mapping[str, str]
    timeout: float
    algorithms: tuple[str, ...] | None
    max_bytes: int
    max_keys: int
    allow_http: bool
    body: bytes
    etag: str | None
    epoch: int | None

    def after(self, answer: Answer) -> Question:
        """The next question, now that this answer has come."""
        return self._replace(
            url=answer.url, known_url=answer.url, body=answer.body, etag=answer.etag, epoch=answer.epoch
        )


def obtain(question: Question) -> Answer:
    """Ask for the document and read it.

    Raises:
        KeyFetchError: ``key_fetch_failed``.
        InvalidKeyError: ``invalid_key``: what came is no JWK set.
    """
    url = question.url or _located(question)
    # a tag is worth something only where it came from
    etag = question.etag if question.body and url == question.known_url else None
    status, answered, body = _get(question, url, etag)
    if status == _NOT_MODIFIED and etag is not None:
        allowed = parse_cache_control(answered)
        return Answer(None, question.body, etag, question.epoch, allowed, url)
    if status != _OK:
        raise http.fetch_failed(f"{_origin(url)} answered {status}; only 200 is taken, and no redirect followed")
    return read(question, body, answered, url)


def _located(question: Question) -> str:
    """Where the issuer's metadata say that the keys are; while those cannot be had, where they were."""
    try:
        return discover(question.issuer or "", functools.partial(_get, question), allow_http=question.allow_http)
    except KeyFetchError:
        if question.known_url is None:
            raise
        return question.known_url


def _origin(url: str) -> str:
    return address_of(url, allow_http=True).origin


def _get(question: Question, url: str, etag: str | None = None) -> Fetched:
    headers = dict(question.headers) if _origin(url) == question.origin else {}
    if etag is not None:
        headers["if-none-match"] = etag
    status, answered, body = question.ask(url, headers, question.timeout)
    if type(status) is not int or type(body) is not bytes or len(body) > question.max_bytes:
        raise http.fetch_failed(f"an answer is a status, headers, and at most {question.max_bytes} bytes")
    return Fetched(status, {str(name).lower(): str(value) for name, value in answered.items()}, body)


def read(question: Question, body: bytes, headers: Mapping[str, str], url: str) -> Answer:
    etag = headers.get("etag")
    if etag is not None and not (len(etag) <= MOST_ETAG_BYTES and etag.isascii() and etag.isprintable()):
        etag = None
    allowed = parse_cache_control(headers)
    if question.body and body == question.body:
        return Answer(None, body, etag, question.epoch, allowed, url)
    keys, members = KeySet._from_remote(body, question.algorithms, max_keys=question.max_keys)
    epoch = members.get(EPOCH_MEMBER)
    if epoch is not None and (type(epoch) is not int or not 0 <= epoch < MOST_EPOCHS):
        raise http.fetch_failed(f"{EPOCH_MEMBER} is not a whole number in range")
    if question.epoch is not None and (epoch is None or epoch < question.epoch):
        raise http.fetch_failed(
            "the document is older than one that came before, or written by something else: its epoch is lower, or gone"
        )
    return Answer(keys, body, etag, epoch, allowed, url)


def as_bytes(document: str | bytes | Mapping[str, Any]) -> bytes:
    """Return a document as it would have come over the network.

    Raises:
        InvalidKeyError: ``invalid_key``: it cannot be one.
    """
    import orjson

    try:
        if isinstance(document, Mapping):
            return orjson.dumps(dict(document))
        return document.encode("utf-8") if isinstance(document, str) else bytes(document)
    except (TypeError, ValueError, AttributeError):
        raise InvalidKeyError("the seed is a JWK set: JSON text, or a mapping") from None

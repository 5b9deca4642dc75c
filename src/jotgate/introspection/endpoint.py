"""What the endpoints have in common: a request read strictly, a caller authenticated, an answer written.

Free of any framework: method, headers, body and the peer's certificate go in, status, headers and body come out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from ..errors import PolicyError, UndecidedError

MAX_BODY_BYTES: Final = 1 << 16
MAX_FIELDS: Final = 32
RETRY_AFTER: Final = 1
"""Seconds after which a caller may ask again when the token could not be decided on."""

Headers = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]

_FORM: Final = "application/x-www-form-urlencoded"
_NEVER_STORED: Final = {"cache-control": "no-store"}
_JSON: Final = {"content-type": "application/json"} | _NEVER_STORED


class Response(NamedTuple):
    """What to send back. ``repr`` shows its status alone."""

    status: int
    headers: dict[str, str]
    """Names in lower case. ``Content-Length`` is left to whoever sends it."""
    body: bytes

    def __repr__(self) -> str:
        return f"Response(status={self.status})"


class Request(NamedTuple):
    """A request that could be read. ``repr`` shows nothing of it."""

    authorization: str | None
    form: dict[str, str]
    certificate: bytes | None

    def __repr__(self) -> str:
        return "Request()"


class Caller(NamedTuple):
    """A client that has proved who it is."""

    client_id: str
    audiences: frozenset[str] | None
    """Whose tokens it may ask about; None: anybody's."""


class Authenticator(Protocol):
    """Says who calls."""

    def authenticate(self, request: Request) -> Caller | None:
        """Return the caller; None: nobody that is known.

        Raises:
            BadRequest: The request is not one.
            UndecidedError: It cannot be found out now.
        """


class BadRequest(Exception):  # noqa: N818, it is an answer
    """A request that is answered as ``invalid_request``."""


Throttle = Callable[[str], float]
"""Says of a client_id how many seconds it has to wait before it may ask; 0: none."""


class Endpoint:
    """An endpoint that answers POSTed forms of authenticated clients about one token."""

    __slots__ = ("_authenticator", "_challenge", "_throttle")

    def __init__(self, authenticator: Authenticator, *, realm: str, throttle: Throttle | None) -> None:
        if not isinstance(realm, str) or not realm.isascii() or not realm.isprintable() or set('"\\') & set(realm):
            raise PolicyError("realm is visible ASCII without quotes or backslashes")
        if throttle is not None and not callable(throttle):
            raise PolicyError("throttle is a callable of a client_id that returns seconds")
        self._authenticator = authenticator
        self._challenge = {"www-authenticate": f'Basic realm="{realm}"'}
        self._throttle = throttle

    def respond(self, method: str, headers: Headers, body: bytes, *, certificate: bytes | None = None) -> Response:
        """Answer one request.

        Args:
            method: As it came.
            headers: A mapping, or pairs as they came.
            body: The whole body; more than 64 KiB is refused, but let your server read no more than that.
            certificate: The certificate, in DER, that the client showed when the TLS connection was set up and proved
                to have the key of; None where there is none. Never what a header says, unless your own proxy wrote it.

        Returns:
            What to send back. The endpoint must be served over TLS.
        """
        if method != "POST":
            return _error(405, "invalid_request", {"allow": "POST"})
        try:
            request = read_request(headers, body, certificate)
            caller = self._authenticator.authenticate(request)
            if caller is None:
                return _error(401, "invalid_client", self._challenge)
            wait = 0 if self._throttle is None else self._throttle(caller.client_id)
            if wait > 0:
                return _error(429, "slow_down", {"retry-after": str(-int(-wait // 1))})
            text = request.form.get("token")
            if text is None:
                raise BadRequest
            return self._answer(caller, text)
        except BadRequest:
            return _error(400, "invalid_request")
        except UndecidedError:
            return unavailable()

    async def respond_async(
        self, method: str, headers: Headers, body: bytes, *, certificate: bytes | None = None
    ) -> Response:
        """As `respond`, on a thread of its own: keys may have to be fetched, and stores be asked."""
        import asyncio

        return await asyncio.to_thread(self.respond, method, headers, body, certificate=certificate)

    def _answer(self, caller: Caller, text: str) -> Response:
        """Answer about one token."""
        raise NotImplementedError


def read_request(headers: Headers, body: bytes, certificate: bytes | None) -> Request:
    """Read what was POSTed.

    Raises:
        BadRequest: Not a form in UTF-8, one that is too long, a field or an ``Authorization`` header twice.

    Spec: RFC 6749 section 3.2: a field without a value counts as absent, unknown ones are ignored.
    """
    from urllib.parse import parse_qsl

    found: dict[str, str] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        low = _text(name).lower()
        if low in found and low in ("authorization", "content-type"):
            raise BadRequest
        found[low] = _text(value)
    if found.get("content-type", "").partition(";")[0].strip().lower() != _FORM or len(body) > MAX_BODY_BYTES:
        raise BadRequest
    try:
        text = bytes(body).decode("ascii")
        fields = parse_qsl(text, True, strict_parsing=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise BadRequest from None
    form = dict(fields)
    if len(form) < len(fields):
        raise BadRequest
    return Request(found.get("authorization"), {name: value for name, value in form.items() if value}, certificate)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def answered(body: bytes) -> Response:
    """Return a 200 with a JSON body, or with none."""
    return Response(200, dict(_JSON if body else _NEVER_STORED), body)


def refused(error: str) -> Response:
    """Return a 400 with an error code of RFC 6749 section 5.2 or RFC 7009 section 2.2.1."""
    return _error(400, error)


def unavailable() -> Response:
    """Return a 503: nothing is known about the token, so that whoever asks must take it for one that lives."""
    return _error(503, "temporarily_unavailable", {"retry-after": str(RETRY_AFTER)})


def _error(status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, _JSON | dict(headers or {}), f'{{"error":"{error}"}}'.encode("ascii"))

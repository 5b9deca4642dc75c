"""Where an issuer publishes its keys, by its own word.

``discover`` asks; ``metadata_urls`` and ``read_metadata`` are its two halves without I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._json import check
from ..errors import MalformedTokenError, PolicyError
from .fetch import Fetched, fetch_failed
from .urls import address_of, check_url

_OK, _NOT_FOUND = 200, 404
_LONGEST_SHOWN = 200


def metadata_urls(issuer: str, *, allow_http: bool = False) -> tuple[str, str]:
    """Return where an issuer's metadata is: first by OpenID Connect, then by OAuth 2.0.

    Args:
        issuer: A URL without query, exactly as the tokens have it in ``iss``.
        allow_http: As for `check_url`.

    Raises:
        PolicyError: ``invalid_policy``: not such a URL.

    Spec: OpenID Connect Discovery 1.0 section 4.1 (appended to the issuer), RFC 8414 section 3.1 (before its path).
    """
    address = address_of(issuer, allow_http=allow_http)
    if "?" in issuer:
        raise PolicyError("an issuer is a URL without a query")
    path = address.target.rstrip("/")
    base = issuer.rstrip("/").removesuffix(path)
    return f"{base}{path}/.well-known/openid-configuration", f"{base}/.well-known/oauth-authorization-server{path}"


def discover(issuer: str, get: Callable[[str], Fetched], *, allow_http: bool = False) -> str:
    """Ask an issuer where its keys are.

    Args:
        issuer: A URL, exactly as the tokens have it in ``iss``.
        get: Fetches one URL, with whatever deadline is left.
        allow_http: As for `check_url`, for the issuer and for the address that it names.

    Returns:
        Its ``jwks_uri``, checked by `check_url`. It may be on another host.

    Raises:
        KeyFetchError: ``key_fetch_failed``: no document, one of another issuer, or one without a usable ``jwks_uri``.
        PolicyError: ``invalid_policy``: the issuer is not such a URL.

    Spec: OpenID Connect Discovery 1.0 section 4; RFC 8414 section 3, asked only where the first is not found (404).
    """
    first, second = metadata_urls(issuer, allow_http=allow_http)
    url = first
    answer = get(url)
    if answer.status == _NOT_FOUND:
        url = second
        answer = get(url)
    return read_metadata(issuer, url, answer, allow_http=allow_http)


def read_metadata(issuer: str, url: str, answer: Fetched, *, allow_http: bool = False) -> str:
    """Return the ``jwks_uri`` of the document fetched from one of the `metadata_urls`; as `discover` otherwise."""
    first, _ = metadata_urls(issuer, allow_http=allow_http)
    what = f"the discovery document {address_of(url, allow_http=allow_http).place}"
    if answer.status != _OK:
        hint = ": redirects are not followed, name the issuer as its tokens do" if 300 <= answer.status < 400 else ""
        before = "" if url == first else f" (nor could {address_of(first, allow_http=allow_http).place}: 404)"
        raise fetch_failed(f"{what} could not be fetched{before}, the status is {answer.status}{hint}")
    members = parse_object(answer.body, what)
    named = members.get("issuer")
    if named is None:
        raise fetch_failed(f"{what} names no issuer")
    if named != issuer:
        near = isinstance(named, str) and named.rstrip("/") == issuer.rstrip("/")
        hint = ": they differ in the slash at the end, write it as the tokens have it" if near else ""
        raise fetch_failed(f"{what} is that of another issuer, {_shown(named)} and not {_shown(issuer)}{hint}")
    uri = members.get("jwks_uri")
    if not isinstance(uri, str):
        raise fetch_failed(f"{what} has no jwks_uri")
    try:
        return check_url(uri, allow_http=allow_http)
    except PolicyError as error:
        raise fetch_failed(f"the jwks_uri of the issuer cannot be used: {error.args[0]}") from None


def _shown(issuer: object) -> str:
    """Quote an issuer, which an operator configured here or there, so that it fits into one line of a log."""
    if not isinstance(issuer, str):
        return "one that is no string"
    return ascii(issuer) if len(issuer) <= _LONGEST_SHOWN else f"{issuer[:_LONGEST_SHOWN]!a}..."


def parse_object(body: bytes, what: str) -> dict[str, Any]:
    """Read a fetched JSON object strictly: UTF-8, no member name twice, bounded depth.

    Raises:
        KeyFetchError: ``key_fetch_failed``.
    """
    import orjson

    try:
        check(body)
        members: dict[str, Any] = orjson.loads(body)
    except (MalformedTokenError, ValueError):
        raise fetch_failed(f"{what} is not a strict JSON object: is this the right URL?") from None
    return members

"""Whether a request that a browser sends with its cookies comes from where it may come from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from ..errors import MethodNotAllowedError, PolicyError, RequestRefusedError
from ..keys.urls import address_of

Headers: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]
"""Names in any case. As pairs a name may come several times."""

_HEADER = re.compile(r"[A-Za-z0-9-]+")
# What a form can send, or any page without a preflight (Fetch standard, CORS-safelisted request headers).
_WITHOUT_PREFLIGHT: Final = frozenset({"accept", "accept-language", "content-language", "content-type", "range"})
# What a browser sends by itself (forbidden request-headers, caching, client hints), or keeps for a host.
_BY_ITSELF: Final = frozenset(
    {
        "accept-charset", "accept-encoding", "authorization", "cache-control", "connection", "content-length",
        "cookie", "cookie2", "date", "device-memory", "dnt", "downlink", "dpr", "ect", "expect", "forwarded",
        "host", "keep-alive", "last-event-id", "origin", "pragma", "priority",
        "purpose", "referer", "rtt", "save-data", "service-worker", "set-cookie", "te", "trailer",
        "transfer-encoding", "upgrade", "upgrade-insecure-requests", "user-agent", "via", "viewport-width", "width",
        "x-real-ip",
    }
)  # fmt: skip
_RESERVED: Final = ("access-control-", "if-", "proxy-", "sec-", "x-forwarded-")


class RequestGuard:
    """Refuses requests that another site may have had a browser make.

    What counts is the method (POST), ``Origin`` (exactly one of the list; without it ``Sec-Fetch-Site``), and something
    that no form can send: a JSON content type or a header of the application's own, for which a browser asks first.

    Args:
        origins: Where pages that use sessions come from: ``https://app.example.com``, the port where it is not 443.
            ``http`` on the loopback only, for development.
        same_site: Where there is no ``Origin``, take ``Sec-Fetch-Site: same-site`` too: every host of the registrable
            domain is trusted then.
        header: The name of a header that counts like a JSON content type if it is there and not empty.

    Raises:
        PolicyError: ``invalid_policy``: no origin, or one that no browser would send; a header that any page can send.

    Spec: Fetch standard, sections on ``Origin`` and CORS; Fetch Metadata.
    """

    __slots__ = ("_header", "_origins", "_sites")

    def __init__(self, origins: Collection[str], *, same_site: bool = False, header: str | None = None) -> None:
        if isinstance(origins, str) or not isinstance(origins, Collection) or not origins:
            raise PolicyError("origins takes a collection of origins, such as ['https://app.example.com']")
        self._origins = frozenset(map(_origin, origins))
        self._sites = ("same-origin", "same-site") if same_site else ("same-origin",)
        if header is not None and (
            type(header) is not str
            or not _HEADER.fullmatch(header)
            or header.lower() in _WITHOUT_PREFLIGHT | _BY_ITSELF
            or header.lower().startswith(_RESERVED)
        ):
            raise PolicyError("header takes the name of a header of your own, such as X-Session")
        self._header = None if header is None else header.lower()

    def check(self, method: str, headers: Headers) -> None:
        """Refuse a request that does not come from where it may.

        Raises:
            MethodNotAllowedError: ``method_not_allowed``: no POST.
            RequestRefusedError: ``wrong_origin``, ``wrong_content_type``.
        """
        if method != "POST":
            raise MethodNotAllowedError("only POST changes a session", "method_not_allowed")
        found = collected(headers)
        self._check_origin(found)
        media_type = _only(found, "content-type").partition(";")[0].strip(" \t").lower()
        if media_type != "application/json" and not (self._header is not None and any(found.get(self._header, ()))):
            own = "" if self._header is None else f", or the header {self._header}"
            raise RequestRefusedError(f"send Content-Type: application/json{own}", "wrong_content_type")

    def preflight(self, method: str, headers: Headers) -> list[tuple[str, str]] | None:
        """Return the headers that answer a browser's question whether it may send the request, None if it is none.

        Raises:
            RequestRefusedError: ``wrong_origin``.
        """
        found = collected(headers)
        if method != "OPTIONS" or "access-control-request-method" not in found:
            return None
        self._check_origin(found)
        names = "Content-Type" if self._header is None else f"Content-Type, {self._header}"
        return [
            *self.cors(headers),
            ("Access-Control-Allow-Methods", "POST"),
            ("Access-Control-Allow-Headers", names),
            ("Access-Control-Max-Age", "600"),
        ]

    def cors(self, headers: Headers) -> list[tuple[str, str]]:
        """Return the headers by which a browser lets a page of an allowed origin read the answer."""
        origin = _only(collected(headers), "origin")
        vary = [("Vary", "Origin")]
        if origin not in self._origins:
            return vary
        return [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Credentials", "true"), *vary]

    def _check_origin(self, found: dict[str, list[str]]) -> None:
        if "origin" in found:
            allowed = _only(found, "origin") in self._origins
        else:
            allowed = _only(found, "sec-fetch-site") in self._sites
        if not allowed:
            raise RequestRefusedError("the request does not come from an origin that may make it", "wrong_origin")

    def __repr__(self) -> str:
        return f"RequestGuard({sorted(self._origins)})"


def collected(headers: Headers) -> dict[str, list[str]]:
    """Return the values of each header, by its name in lower case."""
    found: dict[str, list[str]] = {}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        found.setdefault(name.lower(), []).append(value)
    return found


def _only(found: dict[str, list[str]], name: str) -> str:
    """The value of a header that is there once; of one that is there twice nobody knows which counts."""
    values = found.get(name, [])
    return values[0] if len(values) == 1 else ""


def _origin(origin: object) -> str:
    try:
        address = address_of(origin, allow_http=True)  # type: ignore[arg-type]  # another type is refused
        if address.origin == origin:
            return origin
    except PolicyError:
        pass
    raise PolicyError(
        "an origin is scheme, host and port as browsers write it: https://app.example.com, in lower case, no path, no "
        "slash at its end, no port 443; http on the loopback only"
    )

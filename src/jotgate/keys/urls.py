"""Addresses that may be asked for keys and about tokens, read in one way only.

The text is matched against a grammar far narrower than RFC 3986, and what is connected to are the parts of that match:
there is no second parser that could see another host in it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import PolicyError

_MAX_URL_CHARACTERS = 2048
_MAX_HOST_CHARACTERS = 253
_DEFAULT_PORTS = {"https": 443, "http": 80}
_VISIBLE = re.compile(r"[!-~]*")
_URL = re.compile(
    r"(?P<scheme>[A-Za-z]+)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^?#\\]*)?"
    r"(?P<query>\?[^#\\]*)?"
)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
# A last label of this form makes the host a number: some parsers take 0x7f.1 or 2130706433 for an address.
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


class Address(NamedTuple):
    """The parts of a URL that was checked."""

    scheme: str
    """``https`` or ``http``."""
    host: str
    """In lower case, an IPv6 address without its brackets."""
    port: int
    target: str
    """Path and query, as the request line has them."""

    @property
    def origin(self) -> str:
        """Scheme, host and port: what may stand in messages, whereas a query may hold a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}")

    @property
    def place(self) -> str:
        """Origin and path, for messages about one document of several on a host."""
        return self.origin + self.target.partition("?")[0]


def check_url(url: str, *, allow_http: bool = False) -> str:
    """Refuse a URL that must not be asked.

    Args:
        url: Absolute, of visible ASCII, at most 2048 characters.
        allow_http: Take ``http`` too, where the host is the loopback: ``localhost``, ``127.0.0.0/8``, ``::1``.

    Returns:
        The same text.

    Raises:
        PolicyError: ``invalid_policy``: another scheme (``file``, ``ftp``, ``data``), no host, user and password, a
            fragment, white space, control characters or backslashes, or a host or port that not every parser reads
            alike.

    Spec: RFC 3986 section 3, far stricter: names are DNS names in ASCII, an IPv4 address has four decimal parts.
    """
    address_of(url, allow_http=allow_http)
    return url


def address_of(url: str, *, allow_http: bool = False) -> Address:
    """Return the parts of a URL; as `check_url` otherwise."""
    if not isinstance(url, str):
        raise PolicyError(f"a URL is a str, not {type(url).__name__}")
    if len(url) > _MAX_URL_CHARACTERS:
        raise PolicyError(f"a URL has at most {_MAX_URL_CHARACTERS} characters")
    if not _VISIBLE.fullmatch(url):
        raise PolicyError(
            "a URL has visible ASCII characters only: no spaces or line breaks; percent-encode the path, and write "
            "the name of the host in its ASCII form (xn--)"
        )
    scheme = url.partition(":")[0].lower()
    if scheme not in _DEFAULT_PORTS:
        raise PolicyError("only https is spoken: the URL must begin with https://")
    for mark, what in (("\\", "backslash"), ("#", "fragment (#)")):
        if mark in url:
            raise PolicyError(f"a URL to fetch from has no {what}")
    if "@" in re.split("[/?]", url[len(scheme) + 3 :], maxsplit=1)[0]:
        raise PolicyError("a URL to fetch from has no user name and password; give request headers instead")
    match = _URL.fullmatch(url)
    if match is None:
        raise PolicyError("the URL has no host, or one that is neither a DNS name nor an IP address")
    host, port = _host(match["host"]), _port(match["port"], scheme)
    if scheme == "http" and not is_loopback(host):
        raise PolicyError("only https is spoken: whoever is on the way could read and change what goes over http")
    if scheme == "http" and not allow_http:
        raise PolicyError("http is not spoken unless allow_http=True says so, and then on the loopback only")
    return Address(scheme, host, port, (match["path"] or "/") + (match["query"] or ""))


def shown(url: str | None) -> str | None:
    """Return what of a URL may be shown: a query may hold a secret."""
    return None if url is None else url.partition("?")[0]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address alone."""
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _host(text: str) -> str:
    from ipaddress import IPv4Address, IPv6Address

    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError:
            raise PolicyError("the host of the URL is not an IPv6 address") from None
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(text))
        except ValueError:
            raise PolicyError("an IPv4 address in a URL has four decimal parts, such as 127.0.0.1") from None
    if len(text) > _MAX_HOST_CHARACTERS or not all(map(_LABEL.fullmatch, labels)):
        raise PolicyError("the host of the URL is not a DNS name: letters, digits and hyphens between dots")
    return text.lower()


def _port(text: str | None, scheme: str) -> int:
    if text is None:
        return _DEFAULT_PORTS[scheme]
    port = int(text)
    if not 1 <= port <= 65535:
        raise PolicyError("the port of a URL is 1 to 65535")
    return port

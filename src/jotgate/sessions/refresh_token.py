"""The refresh token: ``version.family.counter.MAC``.

- ``version``: which server secret the MAC was made with; decimal.
- ``family``: the session, 16 random bytes as base64url. It is also the ``sid`` of the access tokens: knowing it is no
  use to anybody.
- ``counter``: how often the session was refreshed before; decimal.
- ``MAC``: HMAC-SHA256 over the text before it, all 32 bytes as base64url. The key is HKDF-SHA256 of the server secret
  for this family. The secret is not in the store, so whoever reads the store, an access token or a log of session ids
  makes no refresh token.

There is exactly one text for each token. Whether it is genuine is found out without asking anybody.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from .._codec import b64url_decode, b64url_encode
from ..errors import MalformedTokenError, RefreshError

if TYPE_CHECKING:
    from .vouching import SecretSource

FAMILY_BYTES: Final = 16
MOST: Final = 2**31 - 1
"""The greatest version, and the greatest counter: a refresh each second reaches it after 68 years."""

_NUMBER = "0|[1-9][0-9]{0,9}"
_TOKEN = re.compile(rf"({_NUMBER})\.([A-Za-z0-9_-]{{22}})\.({_NUMBER})\.([A-Za-z0-9_-]{{43}})")
_SESSION = re.compile(r"[A-Za-z0-9_-]{22}")
_MESSAGE: Final = "the refresh token is not valid, or no longer: sign in again"
_PURPOSE: Final = b"jotgate refresh token\0"


class RefreshToken(NamedTuple):
    """What a genuine refresh token says; it says nothing of whether the session lives."""

    version: int
    family: str
    counter: int

    def __repr__(self) -> str:
        return "RefreshToken()"


def refusal(cause: str) -> RefreshError:
    """Return the error that looks the same whatever the cause."""
    return RefreshError(_MESSAGE, "invalid_grant", None, cause)


def made(version: int, secret: bytes, family: str, counter: int) -> str:
    """Return the text of a refresh token.

    Args:
        version: Of the secret, 1 to `MOST`.
        secret: The server secret of that version, at least 32 bytes.
        family: As `is_session` accepts it.
        counter: 0 to `MOST`.

    Cost: one HKDF and one HMAC, some 20 us.
    """
    signed = f"{version}.{family}.{counter}"
    return f"{signed}.{b64url_encode(_mac(secret, family, signed))}"


def authentic(text: object, secrets: SecretSource) -> RefreshToken:
    """Return what a refresh token says if a server secret vouches for it.

    Args:
        text: A ``str``; anything else is malformed.
        secrets: The server secrets.

    Raises:
        RefreshError: ``invalid_grant``; causes ``malformed``, ``unknown_version``, ``bad_mac``.
        StoreUnavailableError: ``store_unavailable``: the secrets cannot be had.
    """
    match = _TOKEN.fullmatch(text) if type(text) is str else None
    if match is None:
        raise refusal("malformed")
    version, counter = int(match[1]), int(match[3])
    if not (is_session(match[2]) and 1 <= version <= MOST and counter <= MOST):
        raise refusal("malformed")
    try:
        presented = b64url_decode(match[4])
    except MalformedTokenError:
        raise refusal("malformed") from None
    secret = secrets.secret(version)
    if secret is None:
        raise refusal("unknown_version")
    if not hmac.compare_digest(_mac(secret, match[2], match[0].rpartition(".")[0]), presented):
        raise refusal("bad_mac")
    return RefreshToken(version, match[2], counter)


def is_session(text: str) -> bool:
    """Tell whether a text can be the id of a session: 16 bytes as base64url, written in the one way there is."""
    if _SESSION.fullmatch(text) is None:
        return False
    try:
        return len(b64url_decode(text)) == FAMILY_BYTES
    except MalformedTokenError:
        return False


def _mac(secret: bytes, family: str, signed: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    key = HKDF(SHA256(), 32, None, _PURPOSE + family.encode("ascii")).derive(secret)
    return hmac.digest(key, signed.encode("ascii"), "sha256")

"""How a client says who it is: RFC 6749 section 2.3.1, RFC 7523 section 2.2, RFC 8705 section 2."""

from __future__ import annotations

import re
from base64 import b64encode
from os import PathLike, urandom
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, final

from .._clock import now
from .._codec import b64url_encode
from ..errors import PolicyError
from ..jws import sign
from ..keys.freshness import whole_number

if TYPE_CHECKING:
    import ssl

    from ..stores.protocol import Signer

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_ASSERTION_LIFETIME: Final = 300
"""Seconds; who checks assertions takes none that lives longer."""

_CLIENT_ID = re.compile(r"[ -~]{1,256}")


class Presented(NamedTuple):
    """What goes with a request. ``repr`` shows nothing of it."""

    headers: dict[str, str]
    form: dict[str, str]

    def __repr__(self) -> str:
        return "Presented()"


class ClientAuth(Protocol):
    """Says to an endpoint who asks."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """TLS settings with a certificate of the client's, or None."""

    def present(self) -> Presented:
        """Return what goes with one request."""


@final
class BasicAuth:
    """A client with a secret.

    Args:
        client_id: The client's name.
        secret: Its secret, of high entropy.

    Raises:
        PolicyError: ``invalid_policy``.

    Spec: RFC 6749 section 2.3.1: both are form-encoded before they are joined.
    """

    __slots__ = ("_header", "client_id")

    tls = None

    def __init__(self, client_id: str, secret: str) -> None:
        from urllib.parse import quote_plus

        if not isinstance(secret, str) or not secret:
            raise PolicyError("secret is a str, and not empty")
        self.client_id = checked_client_id(client_id)
        try:
            pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        except UnicodeEncodeError:  # which has the secret in it
            raise PolicyError("secret is text that can be written as UTF-8") from None
        self._header = f"Basic {b64encode(pair.encode('ascii')).decode('ascii')}"

    def present(self) -> Presented:
        """Return the ``Authorization`` header."""
        return Presented({"authorization": self._header}, {})

    def __repr__(self) -> str:
        return f"<BasicAuth of {self.client_id!r}>"


@final
class PrivateKeyJwt:
    """A client with a key pair, which signs a new assertion for each request.

    Args:
        client_id: The client's name.
        signer: A ``SigningKey``, or a ``Signer`` for a key in a KMS or an HSM. Not an HMAC secret.
        audience: Whom the assertions are for: the issuer's identifier, or what else it asks for.
        lifetime: Seconds that one is valid, 1 to 300.

    Raises:
        PolicyError: ``invalid_policy``.

    Spec: RFC 7523 sections 2.2 and 3; OpenID Connect Core 1.0 section 9.
    """

    __slots__ = ("_audience", "_lifetime", "_signer", "client_id")

    tls = None

    def __init__(self, client_id: str, signer: Signer, audience: str, *, lifetime: int = 60) -> None:
        if not callable(getattr(signer, "sign", None)) or not isinstance(getattr(signer, "alg", None), str):
            raise PolicyError("signer is a SigningKey, or signs like one")
        if signer.alg.startswith("HS"):
            raise PolicyError("signer has a private key: with an HMAC secret, whoever checks can be the client")
        if not isinstance(audience, str) or not audience:
            raise PolicyError("audience is the identifier of the issuer that is asked")
        if whole_number("lifetime", lifetime) > MAX_ASSERTION_LIFETIME:
            raise PolicyError(f"lifetime is at most {MAX_ASSERTION_LIFETIME} seconds")
        self.client_id = checked_client_id(client_id)
        self._signer = signer
        self._audience = audience
        self._lifetime = lifetime

    def present(self) -> Presented:
        """Return a new assertion.

        Raises:
            InvalidKeyError: ``invalid_key``: the signer's signature is not one.
            UndecidedError: ``undecided``: the signer failed.
        """
        issued = int(now())
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self._audience,
            "jti": b64url_encode(urandom(16)),
            "iat": issued,
            "exp": issued + self._lifetime,
        }
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": sign(claims, self._signer)}
        return Presented({}, form)

    def __repr__(self) -> str:
        return f"<PrivateKeyJwt of {self.client_id!r} alg={self._signer.alg!r}>"


@final
class MutualTls:
    """A client with a certificate, which it shows when the connection is set up.

    The files are read once, now.

    Args:
        client_id: The client's name.
        certfile: PEM file of the certificate and, if the issuer needs them, those above it.
        keyfile: PEM file of the private key; None: it is in `certfile`.
        password: Of an encrypted private key.
        cafile: PEM file of the authorities that may vouch for the issuer's host; None: the system's.

    Raises:
        PolicyError: ``invalid_policy``: a file cannot be read, or certificate and key do not belong together.

    Spec: RFC 8705 section 2.
    """

    __slots__ = ("_tls", "client_id")

    def __init__(
        self,
        client_id: str,
        certfile: str | PathLike[str],
        keyfile: str | PathLike[str] | None = None,
        *,
        password: str | bytes | None = None,
        cafile: str | PathLike[str] | None = None,
    ) -> None:
        import ssl

        self.client_id = checked_client_id(client_id)
        try:
            self._tls = ssl.create_default_context(cafile=cafile)
            # a callable: else OpenSSL asks for a missing password on the terminal
            self._tls.load_cert_chain(certfile, keyfile, lambda: password or b"")
        except (OSError, ValueError, TypeError) as error:
            kind = type(error).__name__
            raise PolicyError(f"certificate, private key or authorities could not be loaded ({kind})") from None
        self._tls.set_alpn_protocols(["http/1.1"])

    @property
    def tls(self) -> ssl.SSLContext:
        """TLS settings with the certificate."""
        return self._tls

    def present(self) -> Presented:
        """Return the name of the client: the certificate is shown by TLS."""
        return Presented({}, {"client_id": self.client_id})

    def __repr__(self) -> str:
        return f"<MutualTls of {self.client_id!r}>"


def checked_client_id(client_id: object) -> str:
    """Return the name of a client, or refuse it.

    Raises:
        PolicyError: ``invalid_policy``.

    Spec: RFC 6749 appendix A.1.
    """
    if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
        raise PolicyError("a client_id is 1 to 256 characters of visible ASCII and spaces")
    return client_id

"""Who may call an endpoint, and how a caller proves who it is: a secret, a key pair or a certificate."""

from __future__ import annotations

import hashlib
import hmac
import math
from base64 import b64decode
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final, cast, final

from .. import unverified
from .._clock import now
from .._codec import b64url_decode, b64url_encode
from ..binding import KeySource
from ..errors import MalformedTokenError, PolicyError, TokenError
from ..keys.freshness import whole_number
from ..policy import ANY, AnyValue, Policy
from ..stores.taking_back import MARGIN
from ..token import VerifiedToken
from ..verifier import Verifier
from .auth import ASSERTION_TYPE, MAX_ASSERTION_LIFETIME, checked_client_id
from .endpoint import BadRequest, Caller, Request

if TYPE_CHECKING:
    from ..stores.protocol import Records

LEEWAY: Final = 10
"""Seconds that a client's clock may differ from ours."""
LONGEST_LIFETIME: Final = 3600
LEAST_SECRET: Final = 32
MOST_JTI: Final = 256

_NOBODY = hashlib.sha256(b"").digest()


@final
class ClientSecret:
    """What is kept of a client's secret: its SHA-256. Good for secrets of high entropy, and for no others.

    Args:
        digest: SHA-256 of the secret: 32 bytes, or 64 hexadecimal digits.

    Raises:
        PolicyError: ``invalid_policy``.
    """

    __slots__ = ("_digest",)

    def __init__(self, digest: bytes | str) -> None:
        try:
            self._digest = bytes.fromhex(digest) if isinstance(digest, str) else bytes(digest)
        except (TypeError, ValueError):
            self._digest = b""
        if len(self._digest) != len(_NOBODY) or self._digest == _NOBODY:
            raise PolicyError("a ClientSecret takes the SHA-256 of a secret; ClientSecret.of(secret) makes one")

    @classmethod
    def of(cls, secret: str) -> ClientSecret:
        """Return what is kept of a secret.

        Args:
            secret: At least 32 characters, drawn at random: ``secrets.token_urlsafe(32)``.

        Raises:
            PolicyError: ``invalid_policy``: it is shorter.
        """
        if not isinstance(secret, str) or len(secret) < LEAST_SECRET:
            raise PolicyError(f"a client's secret has at least {LEAST_SECRET} characters, drawn at random")
        try:
            return cls(_digest_of(secret))
        except UnicodeEncodeError:  # which has the secret in it
            raise PolicyError("a client's secret is text that can be written as UTF-8") from None

    def __repr__(self) -> str:
        return "<ClientSecret>"


@final
class ClientKeys:
    """The public keys of a client that signs assertions.

    Args:
        keys: The keys, or where the client publishes them.
        algorithms: Allowed algorithms; none with a shared secret.

    Raises:
        PolicyError: ``invalid_policy``.
    """

    __slots__ = ("algorithms", "keys")

    def __init__(self, keys: KeySource, *, algorithms: Collection[str]) -> None:
        self.keys = keys
        self.algorithms = tuple(algorithms)
        Policy(algorithms=self.algorithms, issuer=ANY, audience=ANY)
        if any(name.startswith("HS") for name in self.algorithms):
            raise PolicyError("a client signs with a private key: algorithms names no HMAC")

    def __repr__(self) -> str:
        return f"<ClientKeys {self.algorithms}>"


@final
class ClientCertificate:
    """A client's certificate, by its thumbprint: exactly this one, whoever issued it.

    Args:
        thumbprint: ``x5t#S256``: SHA-256 of the certificate in DER, as base64url.

    Raises:
        PolicyError: ``invalid_policy``.

    Spec: RFC 8705 sections 2.2 and 3.1.
    """

    __slots__ = ("thumbprint",)

    def __init__(self, thumbprint: str) -> None:
        try:
            length = len(b64url_decode(thumbprint))
        except (TypeError, MalformedTokenError):
            length = 0
        if not isinstance(thumbprint, str) or length != len(_NOBODY):
            raise PolicyError("a thumbprint (x5t#S256) is 43 characters of base64url")
        self.thumbprint = thumbprint

    @classmethod
    def of(cls, certificate: bytes) -> ClientCertificate:
        """Return the entry for a certificate in DER."""
        return cls(_thumbprint(certificate))

    def __repr__(self) -> str:
        return f"<ClientCertificate {self.thumbprint}>"


Credential = ClientSecret | ClientKeys | ClientCertificate


@final
class Client:
    """A client that may call.

    Args:
        credentials: By any of these it proves who it is; two while one takes the place of another.
        audience: Of an introspection endpoint: about which tokens it may ask, by their ``aud``. None: those for its
            own client_id. ``ANY``: all.

    Raises:
        PolicyError: ``invalid_policy``.
    """

    __slots__ = ("audience", "credentials")

    def __init__(self, *credentials: Credential, audience: str | Collection[str] | AnyValue | None = None) -> None:
        if not credentials or not all(isinstance(each, Credential) for each in credentials):
            raise PolicyError("a Client has a ClientSecret, ClientKeys or ClientCertificate, at least one")
        self.credentials = credentials
        self.audience = None if audience is None else _audiences(audience)

    def __repr__(self) -> str:
        return f"<Client with {len(self.credentials)} credentials>"


@final
class Assertions:
    """What assertions of clients with keys must be, and which were used. Endpoints may share it.

    Args:
        audience: As whom they address us: the issuer's identifier, the endpoint's URL, or both. One that addresses
            somebody else too is refused.
        store: Remembers which were used; all processes of the endpoints share it.
        max_lifetime: Most seconds from now until one expires, 1 to 3600.

    Raises:
        PolicyError: ``invalid_policy``.

    Spec: RFC 7523 section 3. Stricter: every assertion has a ``jti`` and counts once.
    """

    __slots__ = ("audience", "max_lifetime", "store")

    def __init__(
        self, audience: str | Collection[str], store: Records, *, max_lifetime: int = MAX_ASSERTION_LIFETIME
    ) -> None:
        if not callable(getattr(store, "swap", None)):
            raise PolicyError("store is a Store: it remembers which assertions were used")
        if isinstance(audience, AnyValue) or whole_number("max_lifetime", max_lifetime) > LONGEST_LIFETIME:
            raise PolicyError(f"audience names us, and max_lifetime is at most {LONGEST_LIFETIME} seconds")
        self.audience = frozenset(cast("tuple[str, ...]", _audiences(audience)))
        self.store = store
        self.max_lifetime = max_lifetime

    def verifier(self, client_id: str, keys: ClientKeys) -> Verifier:
        """Return what verifies the assertions of a client."""
        policy = Policy(
            algorithms=keys.algorithms,
            issuer=client_id,
            subject=client_id,
            audience=self.audience,
            require=("iss", "sub", "aud", "exp", "jti"),
            leeway=LEEWAY,
        )
        return Verifier(keys.keys, policy, cache=None)

    def use_up(self, client_id: str, token: VerifiedToken) -> bool:
        """Return whether a verified assertion counts: of all who try, in all processes, for one it does."""
        expires, jti = token.expires_at, token.token_id
        if expires is None or not jti or len(jti) > MOST_JTI or not self.audience.issuperset(token.audience):
            return False
        if expires > now() + self.max_lifetime + LEEWAY:
            return False
        # Kept longer than it counts: by a clock of the store that is ahead it must not have run out before.
        name = hashlib.sha256(f"{len(client_id)}:{client_id}:{jti}".encode()).digest()
        return self.store.swap(f"assertion:{b64url_encode(name)}", None, b"", math.ceil(expires) + LEEWAY + MARGIN)

    def __repr__(self) -> str:
        return f"<Assertions for {sorted(self.audience)}>"


@final
class Callers:
    """The table of clients.

    Args:
        clients: By client_id.
        assertions: What assertions must be, for clients with keys.

    Raises:
        PolicyError: ``invalid_policy``: among them, clients with keys, and no `assertions`.
    """

    __slots__ = ("_assertions", "_clients", "_verifiers")

    def __init__(self, clients: Mapping[str, Client], assertions: Assertions | None) -> None:
        if not isinstance(clients, Mapping) or not clients:
            raise PolicyError("clients is a mapping from client_id to Client, with at least one")
        if not isinstance(assertions, Assertions | None):
            raise PolicyError("assertions takes Assertions(audience, store)")
        self._assertions = assertions
        self._clients: dict[str, tuple[Client, Caller]] = {}
        self._verifiers: dict[str, tuple[Verifier, ...]] = {}
        for client_id, client in clients.items():
            if not isinstance(client, Client):
                raise PolicyError("clients is a mapping from client_id to Client")
            checked_client_id(client_id)
            audiences = (client_id,) if client.audience is None else client.audience
            caller = Caller(client_id, None if isinstance(audiences, AnyValue) else frozenset(audiences))
            self._clients[client_id] = client, caller
            keys = [each for each in client.credentials if isinstance(each, ClientKeys)]
            if keys and assertions is None:
                raise PolicyError("clients with keys need assertions=Assertions(audience, store)")
            if assertions is not None:
                self._verifiers[client_id] = tuple(assertions.verifier(client_id, each) for each in keys)

    def authenticate(self, request: Request) -> Caller | None:
        """Return the client that a request is proved to come from; None if it is not.

        Raises:
            BadRequest: More than one way to prove it, or a client_id that is another's.
            UndecidedError: The client's keys or the store cannot be asked.

        Spec: RFC 6749 section 2.3; RFC 7521 section 4.2; RFC 8705 section 2.
        """
        form = request.form
        asserted = "client_assertion" in form or "client_assertion_type" in form
        if asserted + (request.authorization is not None) + ("client_secret" in form) > 1:
            raise BadRequest
        if asserted:
            caller = self._by_assertion(form)
        elif request.authorization is not None:
            caller = self._by_secret(request.authorization)
        else:
            caller = self._by_certificate(form.get("client_id"), request.certificate)
        if caller is not None and form.get("client_id", caller.client_id) != caller.client_id:
            raise BadRequest
        return caller

    def _by_secret(self, authorization: str) -> Caller | None:
        from urllib.parse import unquote_plus

        scheme, _, encoded = authorization.partition(" ")
        try:
            pair = b64decode(encoded.strip().encode("ascii"), validate=True).decode("ascii")
            client_id, _, secret = (unquote_plus(each, errors="strict") for each in pair.partition(":"))
            digest = _digest_of(secret)
        except ValueError:
            return None
        if scheme.lower() != "basic":
            return None
        client, caller = self._clients.get(client_id, (None, None))
        kept = [each._digest for each in client.credentials if isinstance(each, ClientSecret)] if client else []
        # every one is compared, and something is where there is none
        matches = [hmac.compare_digest(digest, each) for each in kept or [_NOBODY]]
        return caller if kept and any(matches) else None

    def _by_certificate(self, client_id: str | None, certificate: bytes | None) -> Caller | None:
        client, caller = self._clients.get(client_id or "", (None, None))
        if client is None or certificate is None:
            return None
        shown = _thumbprint(certificate)
        kept = [each.thumbprint for each in client.credentials if isinstance(each, ClientCertificate)]
        return caller if any(hmac.compare_digest(shown, each) for each in kept) else None

    def _by_assertion(self, form: Mapping[str, str]) -> Caller | None:
        text = form.get("client_assertion", "")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            return None
        try:
            claims = unverified.peek(text).claims  # which client's keys to try, and nothing more
        except MalformedTokenError:
            return None
        client_id = None if claims is None else claims.get("sub")
        if self._assertions is None or not isinstance(client_id, str):
            return None
        for verifier in self._verifiers.get(client_id, ()):
            try:
                token = verifier.verify(text)
            except TokenError:
                continue
            return self._clients[client_id][1] if self._assertions.use_up(client_id, token) else None
        return None


def _audiences(audience: str | Collection[str] | AnyValue) -> tuple[str, ...] | AnyValue:
    # a policy says what an audience can be
    expected = Policy(algorithms=["ES256"], issuer=ANY, audience=audience).audience
    return (expected,) if isinstance(expected, str) else expected


def _digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8")).digest()


def _thumbprint(certificate: bytes) -> str:
    return b64url_encode(hashlib.sha256(certificate).digest())

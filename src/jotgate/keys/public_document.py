"""The JWKS document of an issuer, written once per change: public members only, whatever the keys came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from .._codec import b64url_encode
from ..errors import InvalidKeyError
from .document import EPOCH_MEMBER
from .key import SigningKey, VerificationKey
from .keyset import KeySet
from .metadata import PRIVATE_MEMBERS

_ABOUT: Final = ("kty", "kid", "use", "alg")
# RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3: what of a key of each type is public. Nothing else is ever
# written, so that no member that a key type gets one day is published because nobody thought of it.
PUBLIC_MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    "RSA": (*_ABOUT, "n", "e"),
    "EC": (*_ABOUT, "crv", "x", "y"),
    "OKP": (*_ABOUT, "crv", "x"),
    "AKP": (*_ABOUT, "pub"),
}


class JWKSource(Protocol):
    """Published keys that change, such as a ``KeyRing``'s; ``epoch``, ``settings`` and ``warm`` are used if there.

    ``warm()`` looks for changes now, where ``jwks()`` may be a little behind.
    """

    def jwks(self) -> Mapping[str, Any]:
        """Return ``{"keys": [...]}`` as of now; cheap, as it is asked for each request."""


PublishedKeys: TypeAlias = JWKSource | KeySet | VerificationKey | SigningKey | Iterable[VerificationKey | SigningKey]


class Written(NamedTuple):
    """A document as it is sent."""

    body: bytes
    etag: str
    """Strong: of the bytes (RFC 9110 section 8.8.1); the same in every process that publishes the same keys."""


class PublicDocument:
    """The document of a source, written anew when its keys or its epoch change.

    Args:
        source: A KeyRing or another source with ``jwks()``, a KeySet, or keys; of a SigningKey its public half.

    Raises:
        InvalidKeyError: ``invalid_key``: there are no public keys in it, or other than public ones.
        JotgateError: as the source raises.
    """

    __slots__ = ("_held", "_read", "source")

    def __init__(self, source: PublishedKeys) -> None:
        self.source = source
        self._read = _reader(source)
        self._held: tuple[Mapping[str, Any], Written] | None = None
        self.current()

    def current(self) -> Written:
        """Return the document as of now.

        Raises:
            JotgateError: as the source raises, and as for the first document: nothing is published then.
        """
        # Compared by a copy of its own, as a source may change its document in place; held as one value, as another
        # thread may write meanwhile, and the keys of one moment must not pass for those of another.
        members = _members(*self._read())
        held = self._held
        if held is None or held[0] != members:
            held = self._held = (members, written(members))
        return held[1]


def _reader(source: Any) -> Callable[[], tuple[Mapping[str, Any], int | None]]:
    if callable(getattr(source, "jwks", None)):
        return lambda: _of_one_moment(source)
    document = _static(source)
    return lambda: (document, None)


def _of_one_moment(source: Any) -> tuple[Mapping[str, Any], int | None]:
    while True:
        epoch = getattr(source, "epoch", None)
        document = source.jwks()
        # a compromise between the two: its key must not go out with the epoch that takes its tokens back
        if getattr(source, "epoch", None) == epoch:
            return document, epoch


def _static(source: Any) -> Mapping[str, Any]:
    if not isinstance(source, KeySet):
        keys = (source,) if isinstance(source, VerificationKey | SigningKey) else source
        if isinstance(keys, str | bytes | Mapping) or not isinstance(keys, Iterable):
            raise InvalidKeyError("what is published is a KeyRing, a KeySet, or keys: load them first")
        source = KeySet([key.public() if isinstance(key, SigningKey) else key for key in keys])
    document: Mapping[str, Any] = source.to_jwks()
    return document


def written(members: Mapping[str, Any]) -> Written:
    """Write a document and its tag.

    Raises:
        TypeError: It has what JSON has not.
    """
    import hashlib

    import orjson

    body = orjson.dumps(dict(members))
    return Written(body, f'"{b64url_encode(hashlib.sha256(body).digest()[:18])}"')


def _members(document: object, epoch: object) -> dict[str, Any]:
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list | tuple) or not keys:
        raise InvalidKeyError("there is no public key to publish; a shared secret (HMAC) has no public half")
    members: dict[str, Any] = {"keys": [public_only(key) for key in keys]}
    if epoch is not None:
        if type(epoch) is not int or epoch < 0:
            raise InvalidKeyError("the epoch of an issuer is a whole number")
        members[EPOCH_MEMBER] = epoch
    return members


def public_only(jwk: object) -> dict[str, str]:
    """Return the public members of a JWK, and nothing else.

    Raises:
        InvalidKeyError: ``invalid_key``: a shared secret, a type that has no public members here, or private members.
    """
    if not isinstance(jwk, Mapping):
        raise InvalidKeyError("what is published is JWKs")
    public = PUBLIC_MEMBERS.get(str(jwk.get("kty")))
    if public is None:
        raise InvalidKeyError('a JWK of type "oct", or of a type without public members, is not published')
    if any(name in jwk for name in PRIVATE_MEMBERS):
        raise InvalidKeyError("a JWK that is to be published has private members: nothing was published")
    members = {name: jwk[name] for name in public if name in jwk}
    if not all(isinstance(value, str) for value in members.values()):
        raise InvalidKeyError("the public members of a JWK are strings")
    return members

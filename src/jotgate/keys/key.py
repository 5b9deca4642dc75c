"""The two key classes: one that verifies, one that signs. A key has exactly one algorithm.

Which algorithm is said when the key is loaded, never by a token. There is no function that takes text and
finds out whether it is a public key or a secret: that guess is how public keys came to be used as secrets.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, cast, final

from .._key import ALGORITHM_NUMBERS, KeyHandle
from ..errors import InvalidKeyError
from . import jwk as _jwk
from . import pem as _pem
from . import primitives
from .algorithms import ALGORITHMS, Algorithm, algorithms_of_key, header_name
from .frozen import Frozen
from .material import Material, bind, secret_material
from .metadata import check_kid, kid_of, read_members
from .secrets import check_length

if TYPE_CHECKING:
    from .primitives import PrivateKey, PublicKey


@final
class VerificationKey(Frozen):
    """A public key or an HMAC secret, checked and prepared for verifying with one algorithm. Immutable.

    Made by one of the ``from_`` methods. Two keys are equal when kid, algorithm and thumbprint are. It is not
    pickled; copying a public key gives the same object, copying a secret raises TypeError.
    """

    __slots__ = ("_alg", "_canonical", "_handle", "_kid", "_members", "_thumbprint")

    _alg: str
    _canonical: str
    _handle: KeyHandle
    _kid: str | None
    _members: dict[str, str] | None
    _thumbprint: str

    def __new__(cls, *_: object, **__: object) -> Self:
        raise TypeError("load a VerificationKey by from_pem, from_der, from_jwk, from_secret or from_cryptography")

    def __init_subclass__(cls) -> None:
        raise TypeError("VerificationKey is final")

    @classmethod
    def from_pem(cls, pem: bytes | str, *, alg: str, kid: str | None = None) -> Self:
        """Load a public key from PEM.

        Args:
            pem: The text, not the path of a file: one PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE. Of a
                certificate only the key is used: dates, names, usages and its own signature are not checked.
            alg: The one algorithm the key verifies, as in a token's header.
            kid: Key id, 1 to 256 bytes, or None.

        Raises:
            InvalidKeyError: ``invalid_key``: not such a text, a private key, a key of another kind than
                `alg`, or a weak one.
        """
        return cls._from_public(_pem.load_public_pem(pem, pss=_is_pss(alg)), alg, kid)

    @classmethod
    def from_der(cls, der: bytes, *, alg: str, kid: str | None = None) -> Self:
        """Load a public key from DER: SubjectPublicKeyInfo, PKCS#1 RSAPublicKey or a certificate.

        Args:
            der: Exactly one DER value.
            alg: The one algorithm the key verifies, as in a token's header.
            kid: Key id, 1 to 256 bytes, or None.

        Raises:
            InvalidKeyError: ``invalid_key``, as for `from_pem`.
        """
        return cls._from_public(_pem.load_public_der(der, pss=_is_pss(alg)), alg, kid)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any], *, alg: str | None = None) -> Self:
        """Load a public key, or a secret of type ``oct``, from a JWK.

        Args:
            jwk: The parsed object. ``kid`` is taken from it. ``use``, if present, is ``sig``; ``key_ops``, if
                present, has ``verify``. The first certificate of ``x5c`` must hold the same key; the chain is
                not checked.
            alg: The algorithm, for a JWK that does not name it; beside one that does it must be the same.

        Raises:
            InvalidKeyError: ``invalid_key``: a member malformed or contradicting another, private members, no
                algorithm where the type leaves several (RSA, oct), or a weak key.

        Spec: RFC 7517, RFC 7518 section 6, RFC 8037, RFC 9964.
        """
        members = read_members(jwk)
        material = _jwk.load_verifying(members)
        return cls._bound(material, *bind(material, alg, jwk_alg=members.get("alg")), kid_of(members))

    @classmethod
    def from_secret(cls, secret: bytes, *, alg: str, kid: str | None = None) -> Self:
        """Load an HMAC secret.

        Args:
            secret: Exactly `bytes`, at least as long as the hash (32, 48 or 64), from a random source, not a
                password (RFC 8725 section 3.5). Anything that is a public or private key in any encoding is
                refused.
            alg: ``HS256``, ``HS384`` or ``HS512``.
            kid: Key id, 1 to 256 bytes, or None.

        Raises:
            InvalidKeyError: ``invalid_key``.
        """
        material = secret_material(secret)
        return cls._bound(material, *bind(material, _known(alg)), kid)

    @classmethod
    def from_cryptography(cls, key: PublicKey, *, alg: str, kid: str | None = None) -> Self:
        """Take a public key object of `cryptography`.

        Args:
            key: RSA, EC, Ed25519, Ed448 or ML-DSA public key. Private keys, certificates and HMAC objects are
                refused.
            alg: The one algorithm the key verifies, as in a token's header.
            kid: Key id, 1 to 256 bytes, or None.

        Raises:
            InvalidKeyError: ``invalid_key``: another object, a key of another kind than `alg`, or a weak one.
        """
        return cls._from_public(key, alg, kid)

    @classmethod
    def _from_public(cls, key: object, alg: str, kid: object) -> Self:
        material = _jwk.material_of(key)
        return cls._bound(material, *bind(material, _known(alg)), kid)

    @classmethod
    def _bound(cls, material: Material, algorithm: Algorithm, name: str, kid: object) -> Self:
        """Prepare checked material for its algorithm; `name` is the algorithm as the caller called it."""
        checked_kid = check_kid(kid)
        if material.is_secret:
            check_length(cast("bytes", material.key), algorithm.key_bytes)
        context = primitives.verification_context(algorithm, material.key)
        size = primitives.signature_bytes(algorithm, material.key)
        return cls._build(
            _alg=str(name),
            _canonical=algorithm.name,
            _handle=KeyHandle(
                ALGORITHM_NUMBERS[algorithm.name],
                checked_kid,
                context,
                size,
                functools.partial(primitives.lane_material, material.key),
            ),
            _kid=checked_kid,
            _members=None if material.is_secret else material.members,
            _thumbprint=material.thumbprint(),
        )

    @property
    def alg(self) -> str:
        """The algorithm as it was named when the key was loaded: ``EdDSA`` stays ``EdDSA``."""
        return self._alg

    @property
    def kid(self) -> str | None:
        """The key id, or None."""
        return self._kid

    def thumbprint(self) -> str:
        """Return the SHA-256 thumbprint of the key as base64url (RFC 7638), of a secret too.

        The thumbprint of a secret identifies it; of a secret that was not random it also helps to guess it.
        """
        return self._thumbprint

    def to_jwk(self) -> dict[str, str]:
        """Return the public JWK: key members, ``kid`` if there is one, ``alg`` and ``use``.

        Ed25519 and Ed448 keys say ``EdDSA``, which verifiers in use today understand.

        Raises:
            InvalidKeyError: ``invalid_key``: the key is a secret, of which nothing is public.
        """
        if self._members is None:
            raise InvalidKeyError("an HMAC secret has no public JWK")
        return _with_metadata(self._members, self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VerificationKey):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[str | None, str, str]:
        return self._kid, self._canonical, self._thumbprint

    def __copy__(self) -> Self:
        if self._members is None:
            raise TypeError("an HMAC secret is not copied")
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self.__copy__()

    def __repr__(self) -> str:
        return f"VerificationKey(kid={self._kid!r}, alg={self._alg!r})"


@final
class SigningKey(Frozen):
    """A private key or an HMAC secret, checked, for signing with one algorithm. Immutable, never copied.

    It has the two members that an issuer needs of a signer, `sign` and `kid`: a key in a KMS or an HSM that
    has them too can stand in its place.
    """

    __slots__ = ("_key", "_public")

    _key: PrivateKey | bytes
    _public: VerificationKey

    def __new__(cls, *_: object, **__: object) -> Self:
        raise TypeError(
            "load a SigningKey by from_pem, from_der, from_jwk, from_secret or from_cryptography, or generate"
        )

    def __init_subclass__(cls) -> None:
        raise TypeError("SigningKey is final")

    @classmethod
    def generate(cls, alg: str, *, kid: str | None = None, bits: int | None = None) -> Self:
        """Make a new key.

        Args:
            alg: What it is for; ``EdDSA`` makes an Ed25519 key.
            kid: Key id, 1 to 256 bytes; the key's thumbprint if None.
            bits: Size of an RSA key, 2048 to 8192 in steps of 8; 2048 if None.

        Raises:
            InvalidKeyError: ``invalid_key``: no such algorithm, or `bits` out of range or for another kind of
                key.
        """
        algorithm = algorithms_of_key(alg)[0]
        key = primitives.generate(algorithm, bits)
        material = secret_material(key) if isinstance(key, bytes) else _jwk.material_of(key.public_key())
        return cls._bound(key, material, algorithm, alg, material.thumbprint() if kid is None else kid)

    @classmethod
    def from_pem(
        cls, pem: bytes | str, *, alg: str, kid: str | None = None, password: bytes | str | None = None
    ) -> Self:
        """Load a private key from PEM.

        Args:
            pem: The text, not the path of a file: one PRIVATE KEY, ENCRYPTED PRIVATE KEY, RSA or EC PRIVATE
                KEY.
            alg: The one algorithm the key signs with.
            kid: Key id, 1 to 256 bytes, or None.
            password: For an encrypted key; a `str` is taken as UTF-8.

        Raises:
            InvalidKeyError: ``invalid_key``: not such a text, a public key, a wrong or missing password, a
                key of another kind than `alg`, or a weak one.
        """
        return cls._from_private(_pem.load_private_pem(pem, password), alg, kid)

    @classmethod
    def from_der(cls, der: bytes, *, alg: str, kid: str | None = None, password: bytes | str | None = None) -> Self:
        """Load a private key from DER: PKCS#8 (also encrypted), PKCS#1 or SEC 1.

        Args:
            der: Exactly one DER value.
            alg: The one algorithm the key signs with.
            kid: Key id, 1 to 256 bytes, or None.
            password: For an encrypted key; a `str` is taken as UTF-8.

        Raises:
            InvalidKeyError: ``invalid_key``, as for `from_pem`.
        """
        return cls._from_private(_pem.load_private_der(der, password), alg, kid)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any], *, alg: str | None = None) -> Self:
        """Load a private key, or a secret of type ``oct``, from a JWK.

        Args:
            jwk: The parsed object. ``kid`` is taken from it. ``use``, if present, is ``sig``; ``key_ops``, if
                present, has ``sign``. Private members must belong to the public ones.
            alg: The algorithm, for a JWK that does not name it; beside one that does it must be the same.

        Raises:
            InvalidKeyError: ``invalid_key``: as for `VerificationKey.from_jwk`; also a public key, private
                members that do not belong to it, and RSA keys of more than two primes.
        """
        members = read_members(jwk)
        key, material = _jwk.load_signing(members)
        return cls._bound(key, material, *bind(material, alg, jwk_alg=members.get("alg")), kid_of(members))

    @classmethod
    def from_secret(cls, secret: bytes, *, alg: str, kid: str | None = None) -> Self:
        """Load an HMAC secret; see `VerificationKey.from_secret`."""
        material = secret_material(secret)
        return cls._bound(secret, material, *bind(material, _known(alg)), kid)

    @classmethod
    def from_cryptography(cls, key: PrivateKey, *, alg: str, kid: str | None = None) -> Self:
        """Take a private key object of `cryptography`.

        Args:
            key: RSA, EC, Ed25519, Ed448 or ML-DSA private key.
            alg: The one algorithm the key signs with.
            kid: Key id, 1 to 256 bytes, or None.

        Raises:
            InvalidKeyError: ``invalid_key``: another object, a key of another kind than `alg`, or a weak one.
        """
        return cls._from_private(key, alg, kid)

    @classmethod
    def _from_private(cls, key: object, alg: str, kid: object) -> Self:
        private, material = _jwk.material_of_private(key)
        return cls._bound(private, material, *bind(material, _known(alg)), kid)

    @classmethod
    def _bound(cls, key: PrivateKey | bytes, material: Material, algorithm: Algorithm, name: str, kid: object) -> Self:
        return cls._build(_key=key, _public=VerificationKey._bound(material, algorithm, name, kid))

    @property
    def alg(self) -> str:
        """The algorithm as it was named when the key was loaded: ``EdDSA`` stays ``EdDSA``."""
        return self._public.alg

    @property
    def kid(self) -> str | None:
        """The key id, or None."""
        return self._public.kid

    @property
    def header_alg(self) -> str:
        """What a token's header says: ``EdDSA`` for Ed25519 and Ed448, else the algorithm's name."""
        return header_name(self._public._canonical)

    def thumbprint(self) -> str:
        """Return the SHA-256 thumbprint of the public key or the secret as base64url (RFC 7638)."""
        return self._public.thumbprint()

    def public(self) -> VerificationKey:
        """Return the key that verifies what this one signs; for a secret that is the secret as well."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the raw JWS signature over `data`; ECDSA as R || S, each zero-padded to the curve's size.

        Raises:
            TypeError: `data` is not bytes.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"what is signed is bytes, not {type(data).__name__}")
        return primitives.sign(ALGORITHMS[self._public._canonical], self._key, data)

    def to_jwk(self, *, private: bool = False) -> dict[str, str]:
        """Return the JWK: public members only, unless `private` is True.

        Raises:
            InvalidKeyError: ``invalid_key``: the key is a secret and `private` is False.
        """
        if not private:
            return self._public.to_jwk()
        public = {"kty": "oct"} if self._public._members is None else self._public._members
        return _with_metadata(public | _jwk.private_members(self._key), self._public)

    def public_jwk(self) -> dict[str, str]:
        """Return the public JWK, as `VerificationKey.to_jwk`; a signer outside this process has this method too."""
        return self._public.to_jwk()

    def to_pem(self, password: bytes | str | None = None) -> bytes:
        """Return the private key as PKCS#8 PEM, encrypted if a password is given.

        Raises:
            InvalidKeyError: ``invalid_key``: the key is a secret, or the password is empty or of another
                type.
        """
        if isinstance(self._key, bytes):
            raise InvalidKeyError("an HMAC secret has no PEM form")
        return _pem.private_pem(self._key, password)

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r}, alg={self.alg!r})"


def _known(alg: str) -> str:
    """Refuse None and unknown names, where the type of the key alone would otherwise decide."""
    algorithms_of_key(alg)
    return alg


def _is_pss(alg: str) -> bool:
    return all(algorithm.family == "RSA-PSS" for algorithm in algorithms_of_key(alg))


def _with_metadata(members: dict[str, str], key: VerificationKey) -> dict[str, str]:
    kid = {} if key.kid is None else {"kid": key.kid}
    return members | kid | {"alg": header_name(key._canonical), "use": "sig"}

"""Private keys in a directory, one PKCS#8 file each, and what a ring asks of any signer before it trusts it."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from ..errors import InvalidKeyError, JotgateError, PolicyError
from ..stores.protocol import KeyWrap, PrivateKeys, Signer
from .files import create_private, read_private, unavailable
from .key import SigningKey, VerificationKey
from .lifecycle import Key, Protection

ENDING = ".pem"
_WRAPPED = b"jotgate-wrapped-key-1\n"
# A kid that is a thumbprint names its file; any other, of a key made elsewhere, does by its hash. Nothing else is ours.
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_OURS = re.compile(r"(?:[A-Za-z0-9_-]{43}|kid\.[0-9a-f]{64})\.pem", re.ASCII)
_LOCKED: dict[Protection, str] = {
    "passphrase": "the private keys of this ring are encrypted: give the passphrase",
    "wrap": "the private keys of this ring are wrapped: give wrap",
    "elsewhere": "the private keys of this ring are kept elsewhere: give private_keys",
}
_PROBE = b"Jotgate asks each key for one signature before it is published."


class FileKeys:
    """The ``PrivateKeys`` of a directory.

    Args:
        directory: Where the files are; it is there, and private.
        protection: How they are written: as they are, encrypted with a passphrase, or wrapped.
        passphrase: `str` (taken as UTF-8) or `bytes`.
        wrap: What wraps them.

    Without what they are encrypted by, private keys are neither made nor loaded, but still removed.
    """

    __slots__ = ("_directory", "_passphrase", "_protection", "_wrap")

    def __init__(
        self,
        directory: Path,
        protection: Protection,
        passphrase: bytes | str | None = None,
        wrap: KeyWrap | None = None,
    ) -> None:
        self._directory = directory
        self._protection = protection
        self._passphrase = passphrase
        self._wrap = wrap

    @property
    def is_locked(self) -> bool:
        """Whether the keys are encrypted by what was not given."""
        return self._protection != "none" and self._passphrase is None and self._wrap is None

    def create(self, algorithm: str) -> SigningKey:
        """Make a key and write it; its kid is its thumbprint."""
        self._refuse_locked()
        key = SigningKey.generate(algorithm)
        while str(key.kid).startswith("-"):  # it would be taken for an option on every command line
            key = SigningKey.generate(algorithm)
        self.put(key)
        return key

    def put(self, key: SigningKey) -> None:
        """Write a key that was made elsewhere.

        Raises:
            InvalidKeyError: ``invalid_key``: it cannot be encrypted or wrapped.
            StoreUnavailableError: ``store_unavailable``: it cannot be written.
        """
        data = self._sealed(key)
        try:
            create_private(self._file(str(key.kid)), data)
        except OSError as error:
            raise unavailable("write a private key of the key ring", error) from None

    def load(self, kid: str, algorithm: str) -> SigningKey:
        """Return a key from its file.

        Raises:
            InvalidKeyError: ``invalid_key``: the file is open to others, a link, damaged, or sealed otherwise.
            StoreUnavailableError: ``store_unavailable``: it is not there or cannot be read.
            PolicyError: ``invalid_policy``: what it was sealed by was not given.
        """
        self._refuse_locked()
        data = self.read(kid)
        try:
            if self._wrap is None:
                return SigningKey.from_pem(data, alg=algorithm, kid=kid, password=self._passphrase)
            return SigningKey.from_pem(self._unwrapped(data), alg=algorithm, kid=kid)
        except InvalidKeyError as error:
            raise InvalidKeyError(f"the private key {kid!r} of the key ring cannot be used: {error}") from None

    def read(self, kid: str) -> bytes:
        """Return what is in the file of a key.

        Raises:
            InvalidKeyError: ``invalid_key``: the file is open to others, or a link.
            StoreUnavailableError: ``store_unavailable``: it is not there or cannot be read.
        """
        what = f"the private key {kid!r} of the key ring"
        return read_private(self._file(kid), what, if_open="; whoever read it can sign")[0]

    def destroy(self, kid: str) -> None:
        """Remove a file; what lay in it may still be on the disk."""
        self._file(kid).unlink(missing_ok=True)

    def sweep(self, kids: set[str]) -> None:
        """Remove the files of all other keys: those that a killed writer made and never named. Foreign files stay."""
        named = {self._file(kid).name for kid in kids}
        try:
            for path in self._directory.iterdir():
                if _OURS.fullmatch(path.name) and path.name not in named:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise unavailable("clear up the key ring's directory", error) from None

    def _refuse_locked(self) -> None:
        if self.is_locked:
            raise PolicyError(_LOCKED[self._protection])

    def _file(self, kid: str) -> Path:
        if _THUMBPRINT.fullmatch(kid):
            return self._directory / f"{kid}{ENDING}"
        import hashlib

        # A key that was adopted keeps its kid, which may be anything.
        return self._directory / f"kid.{hashlib.sha256(kid.encode()).hexdigest()}{ENDING}"

    def _sealed(self, key: SigningKey) -> bytes:
        if self._wrap is None:
            return key.to_pem(self._passphrase)
        plain = key.to_pem()
        try:
            wrapped = self._wrap.wrap(plain)
        except Exception as error:
            raise InvalidKeyError(f"the private key could not be wrapped ({type(error).__name__})") from None
        if not isinstance(wrapped, bytes) or not wrapped or plain[28:60] in wrapped:
            raise InvalidKeyError("wrap.wrap returns bytes that do not show what was wrapped")
        return _WRAPPED + b64encode(wrapped) + b"\n"

    def _unwrapped(self, data: bytes) -> bytes:
        if self._wrap is None or not data.startswith(_WRAPPED):
            raise InvalidKeyError("it is not wrapped")
        try:
            plain = self._wrap.unwrap(b64decode(data[len(_WRAPPED) :].rstrip(b"\n"), validate=True))
        except Exception:
            # Whatever it was: it may quote what it could not unwrap.
            raise InvalidKeyError("it cannot be unwrapped: wrapped by another key, or damaged") from None
        if not isinstance(plain, bytes):
            raise InvalidKeyError("wrap.unwrap returns bytes")
        return plain

    def __repr__(self) -> str:
        return f"FileKeys({self._protection})"


class UnknownKeys:
    """In place of a keeper of private keys that was not given: enough to publish, and to drop a key."""

    def create(self, algorithm: str) -> Signer:
        """Refuse."""
        raise PolicyError(_LOCKED["elsewhere"])

    def load(self, kid: str, algorithm: str) -> Signer:
        """Refuse."""
        raise PolicyError(_LOCKED["elsewhere"])

    def destroy(self, kid: str) -> None:
        """Refuse: whoever has the keeper will do it."""
        raise PolicyError(_LOCKED["elsewhere"])


def loaded(keys: PrivateKeys, key: Key) -> Signer:
    """Return what signs with a key of the manifest.

    Raises:
        InvalidKeyError: ``invalid_key``: what was found is another key.
        JotgateError: as the keeper of the keys raises.
    """
    signer = keys.load(key.kid, key.alg)
    if public_of(signer).thumbprint() != key.thumbprint or signer.kid != key.kid:
        raise InvalidKeyError(f"the private key {key.kid!r} is not the key that the manifest of the key ring names")
    return signer


def look_at(keys: PrivateKeys, key: Key) -> None:
    """Load a key of the manifest, or look at what can be seen of it without what it is encrypted by.

    Raises:
        JotgateError: as `loaded`.
    """
    if isinstance(keys, FileKeys) and keys.is_locked:
        keys.read(key.kid)
    elif not isinstance(keys, UnknownKeys):
        loaded(keys, key)


def public_of(signer: Signer) -> VerificationKey:
    """Return the public key of a signer.

    Raises:
        InvalidKeyError: ``invalid_key``: it gives none, has private members, or another kid or algorithm.
    """
    if isinstance(signer, SigningKey):
        return signer.public()
    try:
        members: dict[str, Any] = dict(signer.public_jwk())
        key = VerificationKey.from_jwk(members, alg=signer.alg)
    except JotgateError:
        raise
    except Exception as error:
        raise InvalidKeyError(f"the signer does not give its public JWK ({type(error).__name__})") from None
    if key.kid is None or key.kid != signer.kid:
        raise InvalidKeyError("the signer's public JWK has no kid, or another one than the signer")
    return key


def prove(signer: Signer) -> VerificationKey:
    """Have a signer sign, and return the public key, which verified it: no key is published that cannot sign.

    Raises:
        InvalidKeyError: ``invalid_key``: the signature is not a raw JWS signature of the public key.
        JotgateError: as the signer raises.
    """
    key = public_of(signer)
    try:
        signature = signer.sign(_PROBE)
        good = isinstance(signature, bytes) and key._handle.verify(_PROBE, signature)
    except JotgateError:
        raise
    except Exception as error:
        raise InvalidKeyError(f"the signer cannot sign ({type(error).__name__})") from None
    if not good:
        raise InvalidKeyError("the signer's signature is not one of its public key (ECDSA: R || S, not DER)")
    return key


def record_of(signer: Signer, now: float) -> Key:
    """Return a new key of a ring.

    Raises:
        InvalidKeyError: ``invalid_key``: it cannot sign, or has no kid.
        PolicyError: ``invalid_policy``: it is a shared secret.
    """
    if isinstance(signer, SigningKey) and signer.alg.startswith("HS"):
        raise PolicyError("a key ring publishes its keys, and a shared secret has no public half")
    key = prove(signer)
    if key.kid is None:
        raise InvalidKeyError("a key of a ring has a kid")
    return Key(key.kid, key.alg, key.to_jwk(), key.thumbprint(), now, now)

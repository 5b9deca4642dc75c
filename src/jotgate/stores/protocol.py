"""What lower layers need of higher ones, by shape."""

from collections.abc import Mapping
from typing import Protocol

from .._token import VerifiedToken


class RevocationCheck(Protocol):
    """Says whether a token was taken back."""

    def is_revoked(self, token: VerifiedToken, *, fresh: bool) -> bool:
        """Return whether a token that passed every other check was taken back.

        Asked under the GIL on every verification, also of a remembered token: answer from memory.

        Args:
            token: Verified in every other respect.
            fresh: Rely on nothing that was read earlier; ask whoever knows.

        Returns:
            True or False. Anything else, and any exception, refuses the token as ``store_unavailable``.
        """


class Signer(Protocol):
    """Signs with one key by one algorithm, wherever the key is: a ``SigningKey``, or a key that never leaves its KMS
    or HSM.
    """

    @property
    def alg(self) -> str:
        """The algorithm, as ``jotgate`` names it."""

    @property
    def kid(self) -> str | None:
        """The key id."""

    def sign(self, data: bytes) -> bytes:
        """Return the raw JWS signature over ``data`` (ECDSA: R || S, each of the curve's size)."""

    def public_jwk(self) -> Mapping[str, str]:
        """Return the public JWK, with ``kid`` and ``alg``."""


class EpochCounter(Protocol):
    """Counts the times an issuer has taken everything back: a token of an earlier epoch no longer counts."""

    def current(self) -> int:
        """Return the epoch that new tokens carry and verifiers demand; 0 before the first ``advance``."""

    def advance(self) -> int:
        """Begin the next epoch, for every process that shares the counter, and return it."""


class PrivateKeys(Protocol):
    """Makes and keeps the private keys of a key ring where they are: a directory, a KMS, an HSM."""

    def create(self, algorithm: str) -> Signer:
        """Make a key pair that outlives the process, and return what signs with it.

        Its ``kid`` is one that no key of the issuer ever had; whoever keeps the key finds it again by it. A key that
        was made but that the ring then could not enter into its manifest stays behind.
        """

    def load(self, kid: str, algorithm: str) -> Signer:
        """Return what signs with a key that ``create`` made, in this process or another."""

    def destroy(self, kid: str) -> None:
        """Destroy a private key; one that is not there is destroyed. Called again until it has not raised."""


class KeyWrap(Protocol):
    """Encrypts what is written to disk, by a key that is kept elsewhere."""

    def wrap(self, data: bytes) -> bytes:
        """Return ``data`` encrypted and authenticated."""

    def unwrap(self, data: bytes) -> bytes:
        """Return what was wrapped, or raise if it was not wrapped by this key or was altered."""

"""What a session manager asks of whoever keeps its server secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from ..errors import InvalidKeyError, JotgateError, StoreUnavailableError

LEAST_BYTES: Final = 32
"""Of a server secret."""


class SecretSource(Protocol):
    """Keeps the server secrets: a directory, a KMS. Each secret has at least 32 bytes and a version that never means
    another one.

    A source raises ``StoreUnavailableError`` where it cannot answer; it is asked for every refresh token, and keeps
    what it has fetched.
    """

    def current(self) -> tuple[int, bytes]:
        """Return the version and the secret that new refresh tokens are made with."""

    def secret(self, version: int) -> bytes | None:
        """Return the secret of a version; None: there is none, or none any more."""


class Vouching:
    """A source, as it is asked on the request path: it answers with secrets, or is unavailable.

    Args:
        source: The caller's.
    """

    __slots__ = ("_source",)

    def __init__(self, source: SecretSource) -> None:
        self._source = source

    def current(self) -> tuple[int, bytes]:
        """Return the version and the secret that new refresh tokens are made with.

        Raises:
            StoreUnavailableError: ``store_unavailable``.
        """
        version, secret = _asked(self._source.current)
        return version, _checked(secret)

    def secret(self, version: int) -> bytes | None:
        """Return the secret of a version, None if there is none. Raises as `current`."""
        secret = _asked(lambda: self._source.secret(version))
        return None if secret is None else _checked(secret)


def _asked(source: Callable[[], Any]) -> Any:
    try:
        return source()
    except InvalidKeyError as error:
        raise StoreUnavailableError(str(error)) from None
    except JotgateError:
        raise
    except Exception as error:
        raise StoreUnavailableError(f"the session secrets cannot be had ({type(error).__name__})") from None


def _checked(secret: object) -> bytes:
    if type(secret) is not bytes or len(secret) < LEAST_BYTES:
        raise StoreUnavailableError(f"a session secret is at least {LEAST_BYTES} bytes, and what was answered is not")
    return secret

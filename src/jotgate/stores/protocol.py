"""What lower layers need of higher ones, by shape."""

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

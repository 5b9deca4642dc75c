"""Who may object to a session going on: the rules of the store, the epoch, and the status of the subject."""

from __future__ import annotations

from collections.abc import Callable

from ..issuing.issuer import Issuer
from ..keys.feed import told
from ..stores.rules import latest
from .families import Families
from .family import Family


class Objections:
    """Asks everybody who may object. Changes nothing.

    Args:
        families: Where the rules are.
        issuer: Counts epochs.
        subject_status: The caller's; anything but True objects. None: nobody is asked.
    """

    __slots__ = ("_families", "_issuer", "_subject_status")

    def __init__(self, families: Families, issuer: Issuer, subject_status: Callable[[str], bool] | None) -> None:
        self._families = families
        self._issuer = issuer
        self._subject_status = subject_status

    def floor(self, subject: str) -> int:
        """Return the Unix second below which nothing of a subject counts, 0 if there is none.

        Raises:
            StoreUnavailableError: ``store_unavailable``.
        """
        return latest(self._families.rules(subject, None)[0])

    def against(self, session: str, family: Family) -> tuple[str | None, int]:
        """Return why a session that is not over must not go on (None: it may), and the `floor` of its subject.

        Raises:
            StoreUnavailableError: ``store_unavailable``: somebody cannot be asked.
        """
        about_subject, about_session = self._families.rules(family.subject, session)
        floor = latest(about_subject)
        if about_session:
            return "session_revoked", floor
        if family.started < floor:
            return "subject_revoked", floor
        if family.epoch < self._issuer._epoch_now():
            return "old_epoch", floor
        return None if self.has_status(family.subject) else "subject_disabled", floor

    def has_status(self, subject: str) -> bool:
        """Return whether a subject may have sessions.

        Raises:
            StoreUnavailableError: ``store_unavailable``: the caller's function does not say.
        """
        ask = self._subject_status
        return ask is None or told(lambda: ask(subject), "subject_status failed ({}): try again") is True

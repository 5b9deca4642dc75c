"""What a session manager tells its operator: events, counters, a log line where somebody may be attacking."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

from .family import REPLAYS, Family

Kind = Literal["started", "rotated", "benign_reuse", "replay", "refused", "ended"]

_EXPIRED: Final = ("expired", "idle_expired")


class SessionEvent(NamedTuple):
    """Something that happened to a session."""

    kind: Kind
    """``replay``: somebody presented a refresh token that he should not have, and the session is over. ``refused``: a
    refresh token did not count. ``ended``: by log-out, or because a check refused it."""
    cause: str | None
    """Why, where there is a reason: that of ``RefreshError.cause``, or what ``end`` was told."""
    session: str | None
    """Its id; None where no genuine token named one."""
    subject: str | None
    client_id: str | None

    def __repr__(self) -> str:
        return f"SessionEvent(kind={self.kind!r}, cause={self.cause!r}, session={self.session!r})"


class Events:
    """Counts what happens, and passes it on.

    Args:
        listener: Called with each `SessionEvent`, by the thread it happens in; what it raises is logged and goes no
            further.
    """

    __slots__ = ("_counts", "_listener", "_lock")

    def __init__(self, listener: Callable[[SessionEvent], object] | None) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}

    def tell(self, kind: Kind, session: str | None, family: Family | None, cause: str | None = None) -> None:
        """Say that something happened."""
        with self._lock:
            for name in (kind, f"{kind} {cause}"):
                self._counts[name] = self._counts.get(name, 0) + 1
        if kind == "replay":
            _log(
                "a refresh token was presented that should not exist any more (%s): session %s is over", cause, session
            )
        if self._listener is None:
            return
        about = (None, None) if family is None else (family.subject, family.client_id)
        try:
            self._listener(SessionEvent(kind, cause, session, *about))
        except Exception as error:
            _log("on_event failed (%s)", type(error).__name__)

    def stats(self) -> dict[str, Any]:
        """Return how often each thing happened."""
        with self._lock:
            counts = dict(self._counts)
        expired = sum(counts.get(f"refused {cause}", 0) for cause in _EXPIRED)
        return {
            **{kind: counts.get(kind, 0) for kind in ("started", "rotated", "benign_reuse", "ended")},
            "replay": {cause: counts.get(f"replay {cause}", 0) for cause in REPLAYS},
            "expired": expired,
            "refused": counts.get("refused", 0) - expired,
        }

    def forked(self) -> None:
        """Let go of a lock that a parent held when it forked this process."""
        self._lock = threading.Lock()


def _log(message: str, *arguments: object) -> None:
    import logging

    logging.getLogger("jotgate.sessions").warning(message, *arguments)

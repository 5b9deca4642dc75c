"""State that lives and dies with the process: for tests, and for services of one process that accept to forget."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice

from .._clock import monotonic_ns_now, now
from .protocol import Changes, Finding, Position, Snapshot
from .rules import NEVER, Rule, RuleKey, joined

_PORTION = 1000


class MemoryStore:
    """A ``Store`` in memory.

    Args:
        history: How many changes are kept for those who follow; who falls behind by more reads everything again.
    """

    __slots__ = ("_changed", "_first", "_groups", "_history", "_log", "_records", "_rules")

    timeout = 1.0

    def __init__(self, history: int = 100_000) -> None:
        self._changed = threading.Condition()
        self._history = history
        self._log: list[Rule] = []
        self._first = 0  # how many changes were left out of the log
        self._rules: dict[RuleKey, Rule] = {}
        self._records: dict[str, tuple[bytes, int]] = {}
        self._groups: dict[str, dict[str, int]] = {}

    def write(self, rules: Sequence[Rule]) -> None:
        with self._changed:
            self._write(rules)

    def _write(self, rules: Sequence[Rule]) -> None:
        for rule in rules:
            known = self._rules.get(rule.key)
            grown = joined(known, rule)
            if grown != known:
                self._rules[rule.key] = grown
                self._log.append(grown)
        if len(self._log) > 2 * self._history:
            dropped = len(self._log) - self._history
            del self._log[:dropped]
            self._first += dropped
            self._forget_old()
        self._changed.notify_all()

    def _forget_old(self) -> None:
        moment = now()
        for key in [key for key, rule in self._rules.items() if rule.until <= moment]:
            del self._rules[key]

    def advance_epoch(self, issuer: str) -> int:
        with self._changed:
            known = self._rules.get(RuleKey("epoch", issuer, ""))
            epoch = 1 if known is None else known.value + 1
            self._write([Rule("epoch", issuer, "", epoch, NEVER)])
            return epoch

    def rules(self, keys: Sequence[RuleKey]) -> list[Rule | None]:
        with self._changed:
            return [self._rules.get(key) for key in keys]

    def snapshot(self) -> Snapshot:
        with self._changed:
            return Snapshot(self._position(), _portions(list(self._rules.values())))

    def changes(self, since: Position, wait: float) -> Changes | None:
        deadline = monotonic_ns_now() + int(wait * 1e9)
        with self._changed:
            at = int(since.place)
            while at == self._first + len(self._log) and monotonic_ns_now() < deadline:
                self._changed.wait((deadline - monotonic_ns_now()) / 1e9)
            if not self._first <= at <= self._first + len(self._log) or since.mark != self._mark:
                return None
            return Changes(self._position(), tuple(self._log[at - self._first :]))

    @property
    def _mark(self) -> str:
        return f"{id(self):x}"

    def _position(self) -> Position:
        return Position(str(self._first + len(self._log)), self._mark)

    def read(self, name: str) -> bytes | None:
        with self._changed:
            return self._read(name)

    def _read(self, name: str) -> bytes | None:
        value, until = self._records.get(name, (None, 0))
        return value if until > now() else None

    def swap(self, name: str, old: bytes | None, new: bytes, until: int) -> bool:
        with self._changed:
            if self._read(name) != old:
                return False
            self._records[name] = new, until
            return True

    def join(self, group: str, member: str, until: int) -> None:
        with self._changed:
            members = self._groups.setdefault(group, {})
            members[member] = max(until, members.get(member, 0))

    def leave(self, group: str, member: str) -> None:
        with self._changed:
            self._groups.get(group, {}).pop(member, None)

    def members(self, group: str) -> list[str]:
        moment = now()
        with self._changed:
            return [member for member, until in self._groups.get(group, {}).items() if until > moment]

    def now(self) -> float:
        return now()

    def check(self) -> list[Finding]:
        return [Finding("not_durable", False, "what is kept in memory ends with the process: use it for tests")]

    def close(self) -> None:
        pass


def _portions(rules: list[Rule]) -> Iterator[list[Rule]]:
    left = iter(rules)
    while portion := list(islice(left, _PORTION)):
        yield portion


class MemoryEpochs:
    """An ``EpochCounter`` in memory.

    Args:
        first: The epoch to begin with.
    """

    __slots__ = ("_epoch", "_lock")

    def __init__(self, first: int = 0) -> None:
        self._epoch = first
        self._lock = threading.Lock()

    def current(self) -> int:
        """Return the epoch that new tokens carry and verifiers demand."""
        return self._epoch

    def advance(self) -> int:
        """Begin the next epoch and return it."""
        with self._lock:
            self._epoch += 1
            return self._epoch

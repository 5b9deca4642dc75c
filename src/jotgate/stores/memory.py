"""State that lives and dies with the process: for tests, and for services of one process that accept to forget."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import islice

from .._clock import now
from ..errors import PolicyError
from ..keys.feed import survive_forks
from .encoding import check_rules, check_time, new_mark
from .protocol import Changes, Finding, Position, Snapshot
from .rules import NEVER, Rule, RuleKey, joined

_PORTION = 1000


class MemoryStore:
    """A ``Store`` in memory. A forked child has a copy, which goes its own way.

    Args:
        history: How many changes are kept for those who follow; who falls behind by more reads everything again.

    Raises:
        PolicyError: ``invalid_policy``: an option out of range.
    """

    __slots__ = (
        "__weakref__",
        "_changed",
        "_first",
        "_groups",
        "_history",
        "_kept",
        "_log",
        "_mark",
        "_records",
        "_rules",
        "_writes",
    )

    timeout = 1.0

    def __init__(self, history: int = 100_000) -> None:
        if history < 1:
            raise PolicyError("history must be at least 1")
        self._changed = threading.Condition(threading.Lock())
        self._history = history
        self._log: list[Rule] = []
        self._first = 0  # how many changes were left out of the log
        self._mark = new_mark()
        self._rules: dict[RuleKey, Rule] = {}
        self._records: dict[str, tuple[bytes, int]] = {}
        self._groups: dict[str, dict[str, int]] = {}
        self._writes = self._kept = 0  # since what has run out was removed, and what was kept then
        survive_forks(self)

    def _forked(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._mark = new_mark()

    def write(self, rules: Sequence[Rule]) -> None:
        check_rules(rules)
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
        self._sweep(len(rules))
        self._changed.notify_all()

    def _sweep(self, writes: int) -> None:
        """Remove what has run out, once as much was written as was kept the last time."""
        self._writes += writes
        if self._writes < _PORTION + self._kept:
            return
        moment = now()
        self._rules = {key: rule for key, rule in self._rules.items() if rule.until > moment}
        self._records = {name: record for name, record in self._records.items() if record[1] > moment}
        alive = {
            group: {member: until for member, until in members.items() if until > moment}
            for group, members in self._groups.items()
        }
        self._groups = {group: members for group, members in alive.items() if members}
        self._writes = 0
        self._kept = len(self._rules) + len(self._records) + sum(map(len, self._groups.values()))

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
        try:
            at = int(since.place)
        except ValueError:
            return None
        with self._changed:
            if wait > 0:
                self._changed.wait_for(lambda: since != self._position(), wait)
            if since.mark != self._mark or not self._first <= at <= self._first + len(self._log):
                return None
            return Changes(self._position(), tuple(self._log[at - self._first :]))

    def _position(self) -> Position:
        return Position(str(self._first + len(self._log)), self._mark)

    def read(self, name: str) -> bytes | None:
        with self._changed:
            return self._read(name)

    def _read(self, name: str) -> bytes | None:
        value, until = self._records.get(name, (None, 0))
        return value if until > now() else None

    def swap(self, name: str, old: bytes | None, new: bytes, until: int) -> bool:
        check_time(until)
        with self._changed:
            if self._read(name) != old:
                return False
            self._records[name] = new, until
            self._sweep(1)
            return True

    def join(self, group: str, member: str, until: int) -> None:
        check_time(until)
        with self._changed:
            members = self._groups.setdefault(group, {})
            members[member] = max(until, members.get(member, 0))
            self._sweep(1)

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

"""The store."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from ..._clock import monotonic_ns_now, now
from ...errors import PolicyError, StoreUnavailableError
from ...keys.feed import survive_forks
from ..encoding import check_rules, check_time, key_bytes, key_of, name_bytes, name_of, new_mark
from ..protocol import Changes, Finding, Position, Snapshot
from ..rules import NEVER, Rule, RuleKey
from . import scripts
from .health import admit, findings
from .links import Command, Links
from .target import target_of

_PORTION = 1000
_SWEEP = 100  # how many rules that have run out go with each write, besides as many as it brings
_BEAT_SECONDS = 1.0
_BEAT_LASTS_SECONDS = 86_400
_WAIT_SHARE = 0.8  # of the timeout, so that the server's word that replicas are silent may still come in time
_TICK_SECONDS = 0.2  # by which it may be late: a server looks at such things ten times a second
_Arguments = tuple[bytes | str | int, ...]

_PLACE = re.compile(r"(\d{1,20})-(\d{1,20})\Z", re.ASCII)


class RedisStore:
    """A ``Store`` in Redis 6.2 or later, or Valkey: for services of more than one machine.

    Every call ends within about `timeout`, however the servers fail: an answer that does not come in time raises, and
    nothing is tried again. Connecting takes as long at most (for each address that a host name stands for; the
    resolver's own time is not bounded), and asking Sentinels or the nodes of a cluster who the primary is, half of it.
    An answer that has begun may take longer, as long as no pause in it is that long.

    A server is looked at whenever a connection to it is made, and refused if it could lose what it was given: if it
    evicts, always; if it keeps no append-only file, or if it could fail over to a replica that has not acknowledged
    (Sentinel, Cluster), unless `allow_data_loss`.

    Args:
        server: ``redis://host:port/db``, ``rediss://`` (TLS), ``unix:///path``,
            ``redis+sentinel://host:port,host:port/service?db=0`` (with ``sentinel_username`` and ``sentinel_password``
            in the query if Sentinels want them), ``redis+cluster://host:port,host:port``; or a synchronous client of
            redis-py or valkey-py, of which the settings are taken, but for its timeouts and retries.
        namespace: Before every key.
        timeout: Seconds.
        replicas: How many must acknowledge each write; also asked about once a second by those who follow, and
            whenever rules are asked for, so that a primary which has been cut off is not believed.
        allow_data_loss: Accept what would be refused otherwise. What is lost is noticed: those who follow write it
            back, and sessions whose state is lost end.
        history: How many writes are kept for those who follow; who falls behind by more reads everything again.

    Raises:
        PolicyError: ``invalid_policy``: an option out of range, a URL that is not understood, no redis-py. When first
            used: a server that must not be.
    """

    __slots__ = (
        "__weakref__",
        "_acknowledged",
        "_history",
        "_keys",
        "_links",
        "_namespace",
        "_replicas",
        "_timeout",
    )

    def __init__(
        self,
        server: object,
        *,
        namespace: str = "jotgate",
        timeout: float = 0.25,
        replicas: int = 0,
        allow_data_loss: bool = False,
        history: int = 100_000,
    ) -> None:
        if not namespace or "{" in namespace or "}" in namespace:
            raise PolicyError("namespace must not be empty and must not have braces")
        if not 0.01 <= timeout <= 60:
            raise PolicyError("timeout must be from 0.01 to 60 seconds")
        if replicas < 0 or history < 1:
            raise PolicyError("replicas must be at least 0, and history at least 1")
        target = target_of(server)
        self._namespace = name_bytes(namespace)
        # One slot of a cluster for all rules, so that a script reaches all of it.
        self._keys = _Keys(b"{%b}:" % self._namespace)
        self._timeout = timeout
        self._replicas = replicas
        self._history = history
        self._acknowledged = (0, 0)  # when replicas last did, of which trust in who the primary is
        self._links = Links(target, timeout, lambda info: admit(info, target.mode, replicas, allow_data_loss))
        survive_forks(self)

    def _forked(self) -> None:
        self._links.forked()

    @property
    def timeout(self) -> float:
        """Seconds after which a call gives up."""
        return self._timeout

    def write(self, rules: Sequence[Rule]) -> None:
        check_rules(rules)
        if rules:
            numbers = [part for rule in rules for part in (key_bytes(rule.key), rule.value, rule.until)]
            keys = self._keys
            self._change(
                scripts.WRITE,
                (keys.until, keys.values, keys.log),
                (self._history, new_mark(), _SWEEP + len(rules), *numbers),
            )

    def advance_epoch(self, issuer: str) -> int:
        keys = self._keys
        key = key_bytes(RuleKey("epoch", issuer, ""))
        arguments = (self._history, new_mark(), key, NEVER)
        return int(self._change(scripts.ADVANCE_EPOCH, (keys.until, keys.values, keys.log), arguments))

    def rules(self, keys: Sequence[RuleKey]) -> list[Rule | None]:
        wanted = tuple(map(key_bytes, keys))
        found = self._believe(scripts.RULES, (self._keys.until, self._keys.values), wanted, must=True)
        times = zip(keys, found[::2], found[1::2], strict=True)
        return [Rule(*key, int(value), int(until)) if until else None for key, until, value in times]

    def snapshot(self) -> Snapshot:
        keys = self._keys
        (place, mark), run_id = self._run(scripts.POSITION, (keys.until, keys.log), (new_mark(),), believe=True)
        return Snapshot(Position(place.decode(), mark.decode()), self._portions(run_id))

    def _portions(self, run_id: str) -> Iterator[Sequence[Rule]]:
        # What is there from the first portion to the last is met, as long as it is one server: to another one, also to
        # the same after a restart, the cursor says nothing.
        cursor = b"0"
        while True:
            keys = self._keys.until, self._keys.values
            (cursor, *found), _ = self._run(scripts.PORTION, keys, (cursor, _PORTION), run_id=run_id)
            if found:
                times = zip(found[::3], found[1::3], found[2::3], strict=True)
                yield [Rule(*key_of(key), int(value), int(until)) for key, until, value in times]
            if cursor == b"0":
                return

    def changes(self, since: Position, wait: float) -> Changes | None:
        found = self._since(since)
        while found is not None and not found.rules and wait > 0:
            # Only to be woken: what is there is read in one step with the look whether the position still is.
            block = min(wait, _BEAT_SECONDS)
            command: Command = (
                "XREAD",
                *("BLOCK", max(1, round(block * 1000)), "COUNT", 1, "STREAMS", self._keys.log, since.place),
            )
            self._links.exchange(self._keys.log, [command], patience=block)
            wait -= block
            found = self._since(since)
        return found

    def _since(self, position: Position) -> Changes | None:
        rules: list[Rule] = []
        while True:
            if not _is_place(position.place):
                return None
            arguments = (position.place, name_bytes(position.mark), _PORTION)
            entries = self._believe(scripts.CHANGES, (self._keys.until, self._keys.log), arguments)
            if entries is None:
                return None
            for place, fields in entries:
                position = Position(place.decode(), fields[1].decode())
                rules += _unpacked(fields[3] if len(fields) > 3 else b"")
            if len(entries) < _PORTION:
                return Changes(position, tuple(rules))

    def read(self, name: str) -> bytes | None:
        key = self._record(name)
        # A plain GET would be answered by a replica, too.
        ((value,), _) = self._links.exchange(key, [("GETEX", key)])
        found: bytes | None = value
        return found

    def swap(self, name: str, old: bytes | None, new: bytes, until: int) -> bool:
        check_time(until)
        there = (0, b"") if old is None else (1, old)
        return bool(self._change(scripts.SWAP, (self._record(name),), (*there, new, until)))

    def join(self, group: str, member: str, until: int) -> None:
        check_time(until)
        self._change(scripts.JOIN_GROUP, (self._group(group),), (name_bytes(member), until))

    def leave(self, group: str, member: str) -> None:
        key = self._group(group)
        self._links.exchange(key, [("ZREM", key, name_bytes(member))])

    def members(self, group: str) -> list[str]:
        found, _ = self._run(scripts.MEMBERS, (self._group(group),), ())
        return [name_of(member) for member in found]

    def now(self) -> float:
        ((time,), _) = self._links.exchange(self._keys.log, [("TIME",)])
        return _seconds(time)

    def check(self) -> list[Finding]:
        """Look at the server, also one that would be refused."""
        keys = self._keys
        try:
            before = now()
            info, time, *answers = self._links.look(
                keys.log,
                [
                    ("INFO",),
                    ("TIME",),
                    ("CONFIG", "GET", "appendfsync"),
                    ("ZCARD", keys.until),
                    ("XLEN", keys.log),
                ],
                patience=0,
            )
            after = now()
            # apart from the others: waiting for replicas must not pass for a difference of clocks
            wrote, acknowledged = self._links.look(keys.log, [self._beat(), self._wait()], patience=_TICK_SECONDS)
        except StoreUnavailableError as error:
            return [Finding("reachable", False, f"{error}: look at the server, its address and what is between")]
        if not isinstance(info, bytes) or isinstance(time, Exception):
            return [
                Finding("reachable", False, "the server does not answer INFO or TIME: allow the store's user to ask")
            ]
        setting, rules, log = (None if isinstance(each, Exception) else each for each in answers)
        # A list, or a dictionary in the newer protocol.
        *_, appendfsync = setting.values() if isinstance(setting, dict) else setting or [None]
        appendfsync = appendfsync.decode() if appendfsync else None
        apart = _seconds(time) - (before + after) / 2
        replicas = (0 if isinstance(acknowledged, Exception) else acknowledged or 0, self._replicas)
        found = findings(info, appendfsync, apart, rules or 0, log or 0, replicas)
        if isinstance(wrote, Exception):
            message = f"the server takes no writes ({type(wrote).__name__}): it is a replica, full, or forbids it"
            found.insert(1, Finding("writable", False, message))
        return found

    def close(self) -> None:
        """Close the connections that no call uses now. The store can still be used, and makes new ones."""
        self._links.close()

    def _record(self, name: str) -> bytes:
        return b"%b:record:%b" % (self._namespace, name_bytes(name))

    def _group(self, name: str) -> bytes:
        return b"%b:group:%b" % (self._namespace, name_bytes(name))

    def _beat(self) -> Command:
        return _eval(scripts.BEAT, (self._keys.beat,), (_BEAT_LASTS_SECONDS,))

    def _wait(self) -> Command:
        return ("WAIT", self._replicas, max(1, int(self._timeout * _WAIT_SHARE * 1000)))

    def _change(self, script: str, keys: tuple[bytes, ...], arguments: _Arguments) -> Any:
        """Run a script that writes, and see to it that enough replicas have what it wrote."""
        answer, _ = self._run(script, keys, arguments, acknowledged=True)
        return answer

    def _believe(self, script: str, keys: tuple[bytes, ...], arguments: _Arguments, must: bool = False) -> Any:
        """Run a script that reads rules, on a primary whose replicas have acknowledged something lately."""
        moment, trust = self._acknowledged
        known = not must and trust == self._links.trust and monotonic_ns_now() - moment < _BEAT_SECONDS * 1e9
        answer, _ = self._run(script, keys, arguments, believe=not known)
        if known and trust != self._links.trust:  # asked of another server than the one that is known
            answer, _ = self._run(script, keys, arguments, believe=True)
        return answer

    def _run(
        self,
        script: str,
        keys: tuple[bytes, ...],
        arguments: _Arguments,
        *,
        acknowledged: bool = False,
        believe: bool = False,
        run_id: str | None = None,
    ) -> tuple[Any, str]:
        """Run a script, and return its answer and the server's run id.

        Args:
            script: What to run.
            keys: Its keys.
            arguments: Its arguments.
            acknowledged: Replicas must acknowledge what it wrote.
            believe: Replicas must acknowledge something first.
            run_id: Only on this server.

        Raises:
            StoreUnavailableError: ``store_unavailable``: no, no answer, or no acknowledgement.
        """
        begun, trust = monotonic_ns_now(), self._links.trust
        call = _eval(script, keys, arguments)
        if not self._replicas or not (acknowledged or believe):
            (answer,), server = self._links.exchange(keys[0], [call], run_id=run_id)
            return answer, server
        commands = [self._beat(), self._wait(), call] if believe else [call, self._wait()]
        answers, server = self._links.exchange(keys[0], commands, run_id=run_id)
        if answers[1] < self._replicas:
            self._links.lose_trust()
            raise StoreUnavailableError("fewer replicas than asked for have acknowledged in time")
        self._acknowledged = begun, trust
        return answers[2 if believe else 0], server


class _Keys:
    """The keys of the rules."""

    __slots__ = ("beat", "log", "until", "values")

    def __init__(self, prefix: bytes) -> None:
        self.until = prefix + b"until"
        self.values = prefix + b"values"
        self.log = prefix + b"log"
        self.beat = prefix + b"beat"


def _eval(script: str, keys: tuple[bytes, ...], arguments: _Arguments) -> Command:
    return ("EVAL", script, len(keys), *keys, *arguments)


def _seconds(time: Sequence[bytes]) -> float:
    """Return what TIME has answered."""
    seconds, microseconds = map(int, time)
    return seconds + microseconds / 1e6


def _is_place(text: str) -> bool:
    match = _PLACE.match(text)
    return match is not None and max(map(int, match.groups())) < 2**64


def _unpacked(data: bytes) -> Iterator[Rule]:
    at = 0
    while at < len(data):
        value, until, length = struct.unpack_from(">ddI", data, at)
        at += 20
        yield Rule(*key_of(data[at : at + length]), int(value), int(until))
        at += length

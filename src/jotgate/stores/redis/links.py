"""Connections to the servers of a Redis store: whom to ask, how long, and what is a server that cannot be asked.

redis-py makes connections and speaks the protocol. What it would do by itself is done here: it tries again after
pauses, asks one Sentinel after another with a full timeout each, and reads the slots of a cluster when it is
constructed. A store that must answer within its timeout, or say that it cannot, needs none of that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

from ..._clock import monotonic_ns_now
from ...errors import StoreUnavailableError
from .target import Address, Maker, Target

Command = tuple[bytes | str | int, ...]

_Found = TypeVar("_Found")

_IDLE = 64
# What redis-py calls answers after which a connection can still be used: the server has said no to one command.
_ANSWER: Final = "ResponseError"
_BUSY: Final = "BUSY"  # with a script of somebody: no word on whether the store may be used
_GUIDE_SHARE = 2  # of the timeout, half is for asking Sentinels or nodes where the primary is
_LEAST_SECONDS = 0.001


class Link(NamedTuple):
    """A connection that nobody else uses now."""

    connection: Any
    address: Address | None
    run_id: str
    """The server names itself anew whenever it starts."""


class Links:
    """Lends connections to whoever takes the writes for a key.

    Args:
        target: What to connect to.
        timeout: Seconds.
        admit: Looks at what INFO says of a server before it is used, and returns its run id.
    """

    __slots__ = ("_admit", "_idle", "_lock", "_moved", "_nodes", "_primary", "_slots", "_target", "_timeout", "trust")

    def __init__(self, target: Target, timeout: float, admit: Callable[[bytes], str]) -> None:
        self._target = target
        self._timeout = timeout
        self._admit = admit
        self._lock = threading.Lock()
        self._idle: list[Link] = []
        self.trust = 0
        """Another number whenever the primary may be another server."""
        self._nodes = list(target.nodes)  # in the order in which to ask them
        self._forget()

    def _forget(self) -> None:
        self.trust += 1
        self._primary: Address | None = None
        self._slots: list[tuple[int, int, Address]] = []
        self._moved: dict[int, Address] = {}

    def exchange(
        self, key: bytes, commands: Sequence[Command], *, patience: float = 0, run_id: str | None = None
    ) -> tuple[list[Any], str]:
        """Send commands over one connection to the primary for a key, and return the answers and the primary's run id.

        Args:
            key: One of those that the commands are about; all are of one slot.
            commands: Sent at once.
            patience: Seconds for which the server may keep silent, besides the timeout.
            run_id: Only to the server that so names itself.

        Returns:
            An answer each.

        Raises:
            StoreUnavailableError: ``store_unavailable``: anything that redis-py raises, and any other "no".
            PolicyError: ``invalid_policy``: as `admit`.
        """
        deadline = _deadline(self._timeout + patience)
        asking: Address | None = None
        for last in (False, True):
            link = self._take(self._address(key) if asking is None else asking)
            if run_id is not None and link.run_id != run_id:
                self._put_back(link)
                raise StoreUnavailableError("the store is another server than a moment ago")
            # ASKING is said before each command: it counts for one.
            sent = commands if asking is None else [part for command in commands for part in (("ASKING",), command)]
            answers = self._talk(link, sent, deadline)[len(sent) // len(commands) - 1 :: len(sent) // len(commands)]
            error = next((answer for answer in answers if isinstance(answer, Exception)), None)
            kind = type(error).__name__
            if error is None:
                self._put_back(link)
                return answers, link.run_id
            if last or kind not in ("MovedError", "AskError"):
                _drop(link)
                self.lose_trust()
                raise StoreUnavailableError(f"the store refused ({_reason(error)})")
            # Nothing was done: the server says who would do it. An ASK counts for this time, a MOVED from now on.
            self._put_back(link)
            there = _place(error, link)
            if kind == "AskError":
                asking = there
            else:
                with self._lock:
                    self._slots = []
                    self._moved[self._target.key_slot(key)] = there
        raise AssertionError  # the second time returns or raises

    def look(self, key: bytes, commands: Sequence[Command], patience: float) -> list[Any]:
        """Send commands to the primary for a key whatever it is like; errors are among the answers.

        Args:
            key: As in `exchange`.
            commands: As in `exchange`.
            patience: As in `exchange`.

        Raises:
            StoreUnavailableError: ``store_unavailable``: it cannot be reached.
        """
        address = self._address(key)
        link = self._connect(address, lambda info: "")
        answers = self._talk(link, commands, _deadline(self._timeout + patience))
        _drop(link)
        return answers

    def lose_trust(self) -> None:
        """Ask anew who the primary is, and connect anew."""
        with self._lock:
            self._forget()
        self.close()

    def close(self) -> None:
        """Close the connections that nobody uses now."""
        with self._lock:
            idle, self._idle = self._idle, []
        for link in idle:
            _drop(link)

    def forked(self) -> None:
        """In a child: the connections are the parent's. redis-py closes them here without a word to the server."""
        self._lock = threading.Lock()
        self._idle = []

    def _take(self, address: Address | None) -> Link:
        while True:
            with self._lock:
                found: Link | None = next((link for link in reversed(self._idle) if link.address == address), None)
                if found is not None:
                    self._idle.remove(found)
            if found is None:
                return self._connect(address, self._admit)
            with suppress(Exception):
                if not found.connection.can_read(0):
                    return found
            _drop(found)  # closed by the server, or with an answer that nobody has waited for

    def _put_back(self, link: Link) -> None:
        with self._lock:
            keep = len(self._idle) < _IDLE
            if keep:
                self._idle.append(link)
        if not keep:
            _drop(link)

    def _connect(self, address: Address | None, admit: Callable[[bytes], str]) -> Link:
        if self._target.mode == "sentinel":
            # Asked for each connection, as whoever was named before may be the primary no more.
            command = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._target.service)
            address = self._ask_around(self._target.guide, command, _primary)
            if address != self._primary:
                self.lose_trust()
                self._primary = address
        link = Link(self._target.server(address, self._timeout), address, "")
        try:
            link.connection.connect()
        except Exception as error:
            _drop(link)
            self.lose_trust()
            raise StoreUnavailableError(f"the store cannot be reached ({_reason(error)})") from None
        except BaseException:
            _drop(link)
            raise
        (info,) = self._talk(link, [("INFO",)], _deadline(self._timeout))
        if isinstance(info, Exception) and _reason(info) == _BUSY:
            _drop(link)
            raise StoreUnavailableError(f"the store refused ({_BUSY})")
        try:
            return link._replace(run_id=admit(info if isinstance(info, bytes) else b""))
        except BaseException:
            _drop(link)
            raise

    def _talk(self, link: Link, commands: Sequence[Command], deadline: int) -> list[Any]:
        try:
            return _talk(link.connection, commands, deadline)
        except Exception as error:
            _drop(link)
            self.lose_trust()
            raise StoreUnavailableError(f"the store did not answer ({_reason(error)})") from None
        except BaseException:  # interrupted: the next answer would be taken for that of another command
            _drop(link)
            raise

    def _address(self, key: bytes) -> Address | None:
        if self._target.mode != "cluster":
            return self._primary
        slot: int = self._target.key_slot(key)
        moved = self._moved.get(slot)
        if moved is not None:
            return moved
        slots = self._slots
        if not slots:
            slots = self._ask_around(self._target.server, ("CLUSTER", "SLOTS"), _slots)
            with self._lock:
                self._slots, self._moved = slots, {}
                known = dict.fromkeys(address for _, _, address in slots)
                self._nodes = [*known, *(node for node in self._target.nodes if node not in known)]
        for first, last, address in slots:
            if first <= slot <= last:
                return address
        self.lose_trust()
        raise StoreUnavailableError("no node of the cluster serves the slot")

    def _ask_around(self, maker: Maker, command: Command, read: Callable[[Any, Address], _Found | None]) -> _Found:
        """Ask one node after another, the one that has answered last first, until one has an answer."""
        with self._lock:
            nodes = list(self._nodes)
        share = self._timeout / _GUIDE_SHARE
        patience = share / min(len(nodes), 4)
        end = _deadline(share)
        for node in nodes:
            connection = maker(node, patience)
            found: _Found | None = None
            try:
                connection.connect()
                (answer,) = _talk(connection, [command], _deadline(patience))
                found = None if isinstance(answer, Exception) else read(answer, node)
            except Exception:  # noqa: S110 - the next one may know
                pass
            finally:
                with suppress(Exception):
                    connection.disconnect()
            with self._lock, suppress(ValueError):
                self._nodes.remove(node)
                self._nodes.insert(0 if found is not None else len(self._nodes), node)
            if found is not None:
                return found
            if monotonic_ns_now() >= end:
                break
        raise StoreUnavailableError("no node says who the primary is")


def _deadline(seconds: float) -> int:
    return monotonic_ns_now() + int(seconds * 1e9)


def _talk(connection: Any, commands: Sequence[Command], deadline: int) -> list[Any]:
    connection.send_packed_command(connection.pack_commands(commands))
    answers = []
    for _ in commands:
        if not connection.can_read(max((deadline - monotonic_ns_now()) / 1e9, _LEAST_SECONDS)):
            raise TimeoutError
        try:
            answers.append(connection.read_response(disable_decoding=True))
        except Exception as error:
            if _ANSWER not in {each.__name__ for each in type(error).__mro__}:
                raise
            answers.append(error)
    return answers


def _drop(link: Link) -> None:
    with suppress(Exception):
        link.connection.disconnect()


def _reason(error: Exception) -> str:
    """Return of an error what is never a value: the server's word for it, or the class."""
    word = str(error).partition(" ")[0]
    return word if word.isalpha() and word.isupper() else type(error).__name__


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _place(error: Any, link: Link) -> Address:
    host = error.host or (link.address[0] if link.address else "")
    return str(host), int(error.port)


def _primary(answer: Any, _: Address) -> Address | None:
    return (_text(answer[0]), int(answer[1])) if answer else None


def _slots(answer: Any, asked: Address) -> list[tuple[int, int, Address]] | None:
    """Return who serves which slots. A node without a name is the one that was asked, as Redis 7 says it."""
    return [
        (int(first), int(last), (_text(primary[0]) or asked[0], int(primary[1]))) for first, last, primary, *_ in answer
    ] or None

"""One fetch under way, those who wait for it, and the keeper who sees to it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from .._clock import monotonic_ns_now
from .document import Answer, Question, obtain
from .feed import guarded
from .fetch import fetch_failed
from .freshness import KeyEvent

if TYPE_CHECKING:
    import asyncio
    import weakref


Told = TypeVar("Told")

MOST_LEFT_ALONE = 4
"""Fetches past their deadline that may still hang, before no more are begun."""


class Flight:
    """One fetch. It lands once: when its answer has been taken over, or given up."""

    __slots__ = ("_landed", "_lock", "_loops", "ok", "waiting")

    def __init__(self) -> None:
        self.ok = False
        self.waiting = 0
        """How many requests wait. Changed under the lock of whoever owns the flight."""
        self._landed = threading.Event()
        self._lock = threading.Lock()
        self._loops: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    def land(self, ok: bool) -> None:
        """Let everybody go on who waits. The first landing counts."""
        with self._lock:
            if self._landed.is_set():
                return
            self.ok = ok
            self._landed.set()
            loops, self._loops = self._loops, {}
        for future, loop in loops.items():
            try:
                loop.call_soon_threadsafe(_settle, future)
            except RuntimeError:  # that loop is closed: nobody waits there any more
                continue

    def wait(self, seconds: float) -> bool | None:
        """Wait for the landing: True if it brought keys, None if it did not or takes longer."""
        return True if self._landed.wait(seconds) and self.ok else None

    async def wait_async(self, seconds: float) -> bool | None:
        """As `wait`, in an event loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._landed.is_set():
                return self.ok or None
            self._loops[future] = loop
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            with self._lock:
                self._loops.pop(future, None)
        return self.ok or None


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Kept(Protocol):
    """What a keeper keeps."""

    _question: Question

    def _next_flight(self, keeper: threading.Thread) -> Flight | float | None: ...
    def _land(self, flight: Flight, began: int, answer: Answer | Exception) -> None: ...


def keep(this: weakref.ref[Kept], bell: threading.Event) -> None:
    """Have keys fetched when they are due, until the key set is gone or another keeper is at work."""
    left_alone: list[threading.Thread] = []
    while True:
        keys = this()
        task = None if keys is None else keys._next_flight(threading.current_thread())
        if keys is None or task is None:
            return
        if isinstance(task, Flight):
            began, question = monotonic_ns_now(), keys._question
            del keys  # a key set that nobody holds any more does not live on for a fetch
            answer = carry_out(question, left_alone)
            keys = this()
            if keys is not None:
                guarded(keys._land, task, began, answer)  # whatever happens there: who keeps on keeps keys fresh
                task.land(False)
            del keys
        else:
            del keys
            bell.wait(task)
            bell.clear()


def carry_out(question: Question, left_alone: list[threading.Thread]) -> Answer | Exception:
    """Fetch on a thread of its own, and wait for it until the deadline."""
    left_alone[:] = [thread for thread in left_alone if thread.is_alive()]
    if len(left_alone) >= MOST_LEFT_ALONE:
        return fetch_failed(f"{MOST_LEFT_ALONE} earlier fetches have not ended: does the given fetch hang?")
    came: list[Answer | Exception] = []
    done = threading.Event()

    def run() -> None:
        try:
            came.append(obtain(question))
        except Exception as error:
            came.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=run, name="jotgate-fetch", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return fetch_failed("no thread could be started for the fetch")
    if not done.wait(question.timeout) or not came:
        left_alone.append(thread)
        return fetch_failed(f"no answer within the timeout of {question.timeout:g} s")
    return came[0]


async def in_a_thread(ask: Callable[[], Told]) -> Told:
    """Ask what may take long, without holding up the event loop."""
    import asyncio

    return await asyncio.to_thread(ask)


def in_event_loop() -> bool:
    """Whether this thread runs one, so that it must not wait."""
    asyncio = sys.modules.get("asyncio")  # who has not loaded it runs no loop
    return asyncio is not None and asyncio._get_running_loop() is not None


def announce(event: KeyEvent, where: str | None, on_event: Callable[[KeyEvent], object] | None) -> None:
    """Log a fetch that failed, and tell the user's callable."""
    if event.kind == "failed":
        import logging

        logging.getLogger("jotgate.keys").warning("the keys of %s (%s): %s", where, event.state, event.detail)
    if on_event is not None:
        guarded(on_event, event)

"""The threads that help with batches: one bounded pool a process."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol


class Job(Protocol):
    """What the pool's threads work on."""

    def _work(self) -> None:
        """Work until nothing is left."""

    def _stop(self) -> None:
        """Make every ``_work`` end soon."""


class _Task:
    """One thread's part in a job. Whoever locks the gate first decides: a worker runs it, or the job gave up on it."""

    __slots__ = ("done", "gate", "job")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.gate = threading.Lock()
        self.done = threading.Lock()
        self.done.acquire()


class Crew:
    """The tasks of one job."""

    __slots__ = ("_tasks",)

    def __init__(self, tasks: list[_Task]) -> None:
        self._tasks = tasks

    def join(self, stop: object) -> None:
        """Wait until no thread works on the job; tasks that none has begun are withdrawn.

        An interrupt stops the job and is raised when the last thread has left it: they use the caller's memory.

        Args:
            stop: Called without arguments when the wait is interrupted.
        """
        interrupt: BaseException | None = None
        for task in self._tasks:
            if task.gate.acquire(blocking=False):
                continue
            while True:
                try:
                    task.done.acquire()
                    break
                except BaseException as error:
                    interrupt = error
                    assert callable(stop)
                    stop()
        if interrupt is not None:
            raise interrupt


class Pool:
    """Threads that are started when they are first needed and kept, at most as many as there are cores to use, or as
    a caller named."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._running: set[_Task] = set()
        self._lock = threading.Lock()

    def start(self, job: Job, count: int) -> Crew:
        """Let up to `count` threads work on a job."""
        with self._lock:
            while len(self._threads) < count:
                thread = threading.Thread(target=self._serve, name=f"jotgate-{len(self._threads)}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no more threads here, or the interpreter is ending: the caller works alone
                    break
                self._threads.append(thread)
        tasks = [_Task(job) for _ in range(min(count, len(self._threads)))]
        for task in tasks:
            self._queue.put(task)
        return Crew(tasks)

    def _serve(self) -> None:
        while (task := self._queue.get()) is not None:
            if not task.gate.acquire(blocking=False):
                continue
            self._running.add(task)
            try:
                task.job._work()
            finally:
                self._running.discard(task)
                task.done.release()

    def close(self) -> None:
        """Stop what is running and wait for the threads to end."""
        for task in list(self._running):
            task.job._stop()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()


POOL = Pool()


def _after_fork() -> None:
    # the parent's threads are not here
    global POOL
    POOL = Pool()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(lambda: POOL.close())


def usable_cores() -> int:
    """Return how many processors this process may keep busy: its affinity, within the quota of its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota()
    return max(1, cores if quota is None else min(cores, round(quota + 0.49)))


def _cgroup_quota() -> float | None:
    """Return the processors that Linux control groups allow, of version 2 or 1; None for no limit."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        groups = dict(line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines())
        root = Path("/sys/fs/cgroup")
        limits = []
        group = Path(groups[""].lstrip("/")) if "" in groups else None
        while group is not None:
            with contextlib.suppress(OSError, ValueError):
                quota, period = (root / group / "cpu.max").read_text().split()
                limits.append(int(quota) / int(period))
            group = group.parent if group.parts else None
        for name in ("cpu", "cpu,cpuacct"):
            with contextlib.suppress(OSError, ValueError):
                quota = (root / name / "cpu.cfs_quota_us").read_text()
                if int(quota) > 0:
                    limits.append(int(quota) / int((root / name / "cpu.cfs_period_us").read_text()))
        return min(limits, default=None)
    return None

"""The threads that help with batches: one bounded pool a process."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

GROUPS_OF_THIS_PROCESS = Path("/proc/self/cgroup")
CONTROL_GROUPS = Path("/sys/fs/cgroup")


class Job(Protocol):
    """What the pool's threads work on."""

    def _help(self) -> None:
        """Work until nothing is left or nobody waits for it any more."""

    def _stop(self) -> None:
        """Make every thread that works on it leave soon."""


class Pool:
    """Threads that are started when they are first needed and kept: as many as one job ever wanted."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._at_work: dict[int, Job] = {}  # by thread
        self._hiring = threading.RLock()  # a signal handler or a finalizer may come here from within
        self._closed = False

    def lend(self, job: Job, count: int) -> None:
        """Let up to `count` threads help with a job, as they become free.

        No more jobs wait than there are threads: one that waits in vain keeps its texts alive until a thread sees it.
        """
        with self._hiring:
            while len(self._threads) < count and not self._closed:
                thread = threading.Thread(target=self._serve, name=f"jotgate-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                try:
                    thread.start()
                except RuntimeError:  # no more threads here, or the interpreter is ending: the caller works alone
                    self._threads.remove(thread)
                    break
        for _ in range(min(count, len(self._threads) - self._queue.qsize())):
            self._queue.put(job)

    def _serve(self) -> None:
        me = threading.get_ident()
        while (job := self._queue.get()) is not None:
            self._at_work[me] = job
            try:
                job._help()
            finally:
                del self._at_work[me], job

    def close(self) -> None:
        """Stop what is running and wait for the threads to end. No thread is started afterwards."""
        with self._hiring:
            self._closed = True
            threads, self._threads = self._threads, []
        for _ in threads:
            self._queue.put(None)
        for thread in threads:
            while thread.is_alive():
                for job in list(self._at_work.values()):
                    job._stop()
                thread.join(0.01)


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
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def _cgroup_quota() -> float | None:
    """Return the processors that Linux control groups allow, of version 2 or 1; None for no limit."""
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        groups = dict(line.split(":", 2)[1:] for line in GROUPS_OF_THIS_PROCESS.read_text().splitlines())
        limits = []
        group = Path(groups[""].lstrip("/")) if "" in groups else None
        while group is not None:
            with contextlib.suppress(OSError, ValueError):
                quota, period = (CONTROL_GROUPS / group / "cpu.max").read_text().split()
                limits.append(int(quota) / int(period))
            group = group.parent if group.parts else None
        for name in ("cpu", "cpu,cpuacct"):
            with contextlib.suppress(OSError, ValueError):
                quota = (CONTROL_GROUPS / name / "cpu.cfs_quota_us").read_text()
                if int(quota) > 0:
                    limits.append(int(quota) / int((CONTROL_GROUPS / name / "cpu.cfs_period_us").read_text()))
        return min(limits, default=None)
    return None

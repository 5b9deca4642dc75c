"""Watch a process for leaks, and threads for failures. Scripts of this directory each run in a process of their own."""

import ctypes
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from support import outcome

_STATM = Path("/proc/self/statm")


def give_back() -> None:
    """Have the allocator give free memory back to the system, where it can: what it keeps for later is nobody's."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def resident_bytes() -> int:
    """Return the resident memory of this process, 0 where the system does not tell."""
    if not _STATM.exists():
        return 0
    return int(_STATM.read_text().split()[1]) * 4096


def assert_steady(
    name: str, run: Callable[[], object], rounds: int, *, blocks: int = 60, kibibytes: int = 1024
) -> None:
    """Assert that `rounds` calls leave neither Python blocks nor resident memory behind.

    The first tenth of the rounds fills free lists, memos and caches and is not counted. A leak of one object
    a round would leave `rounds` blocks; what a process gathers by itself is a few dozen.
    """
    for _ in range(max(50, rounds // 10)):
        run()
    for attempt in range(3):
        gc.collect()
        before, memory = sys.getallocatedblocks(), resident_bytes()
        for _ in range(rounds):
            run()
        gc.collect()
        grown, swollen = sys.getallocatedblocks() - before, (resident_bytes() - memory) // 1024
        if grown <= blocks and swollen <= kibibytes:
            print(f"{name}: {grown} blocks, {swollen} KiB in {rounds} rounds")
            return
        # Once is an allocator's arena; three times is a leak.
        print(f"{name}: attempt {attempt}: {grown} blocks, {swollen} KiB in {rounds} rounds")
    raise SystemExit(f"{name} leaks")


def code_of(run: Callable[[], object]) -> str | None:
    """Run and return the code of the refusal, or None."""
    error = outcome(run)
    return None if error is None else error.code


def in_child(work: Callable[[], object]) -> int:
    """Run in a forked child; return its number. It ends with 0, or with 1 where the work raised."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def ends_cleanly(script: str, *arguments: object) -> None:
    """Run a script in an interpreter of its own; it must end within 30 s, with code 0 and without a word."""
    command = [sys.executable, "-X", "faulthandler", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert not done.stderr, done.stderr[-2000:]


failures: list[str] = []


def guarded(work: Callable[[], object]) -> threading.Thread:
    """Return a thread, not started, whose exception ends up in `failures`."""

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(repr(error))

    return threading.Thread(target=run)


def run_all(workers: list[threading.Thread]) -> None:
    """Start threads, wait for them, and end the process if one failed."""
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise SystemExit("\n".join(failures[:10]))


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    patience = threading.Event()
    for _ in range(20_000):
        if condition():
            return
        patience.wait(0.002)
    raise SystemExit("it takes too long")

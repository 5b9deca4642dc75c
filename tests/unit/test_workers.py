"""The pool and the number of threads it is worth having."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jotgate import workers
from jotgate.workers import Pool, usable_cores

SECONDS = 10


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool()
    yield made
    made.close()


class Job:
    """Counts who helps; each helper stays until it is let go or stopped."""

    def __init__(self) -> None:
        self.helped = threading.Semaphore(0)
        self.go = threading.Event()
        self.names: list[str] = []

    def _help(self) -> None:
        self.names.append(threading.current_thread().name)
        self.helped.release()
        assert self.go.wait(SECONDS)

    def _stop(self) -> None:
        self.go.set()

    def has_helpers(self, count: int) -> bool:
        return all(self.helped.acquire(timeout=SECONDS) for _ in range(count))


def test_threads_are_started_when_needed_and_kept(pool: Pool) -> None:
    assert pool._threads == []
    first, second = Job(), Job()
    pool.lend(first, 2)
    assert first.has_helpers(2)
    assert sorted(first.names) == ["jotgate-0", "jotgate-1"]
    first.go.set()
    pool.lend(second, 1)
    assert second.has_helpers(1)
    assert len(pool._threads) == 2
    assert all(thread.daemon for thread in pool._threads)
    second.go.set()


def test_a_busy_pool_lends_later_and_lets_no_more_wait_than_it_has_threads(pool: Pool) -> None:
    first, others = Job(), [Job() for _ in range(10)]
    pool.lend(first, 2)
    assert first.has_helpers(2)
    for other in others:
        pool.lend(other, 1)
        other.go.set()
    assert pool._queue.qsize() == 2
    assert [other.names for other in others] == [[]] * 10
    first.go.set()
    assert all(other.has_helpers(1) for other in others[:2])
    assert [len(other.names) for other in others[2:]] == [0] * 8


def test_many_callers_never_exceed_what_one_of_them_wanted(pool: Pool) -> None:
    jobs = [Job() for _ in range(8)]
    callers = [threading.Thread(target=pool.lend, args=(job, 3)) for job in jobs]
    for job in jobs:
        job.go.set()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(pool._threads) == 3


def test_a_pool_without_threads_lends_none(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_more)
    pool.lend(Job(), 3)
    assert pool._threads == []
    assert pool._queue.qsize() == 0


def test_lending_may_lend() -> None:
    """A finalizer or a signal handler runs at any moment, within the pool's own code too."""
    pool = Pool()
    with pool._hiring:
        pool.lend(job := Job(), 1)
    assert job.has_helpers(1)
    pool.close()


def test_close_stops_what_runs_and_waits_for_it() -> None:
    pool, job = Pool(), Job()
    pool.lend(job, 2)
    assert job.has_helpers(2)
    threads = list(pool._threads)
    pool.close()
    assert job.go.is_set()
    assert not any(thread.is_alive() for thread in threads)
    pool.lend(Job(), 2)
    assert pool._threads == []
    assert pool._queue.qsize() == 0
    pool.close()


def test_close_passes_over_a_thread_that_never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: threading.Thread) -> None:
        raise KeyboardInterrupt

    pool = Pool()
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.lend(Job(), 1)
    pool.close()


def test_a_job_that_breaks_is_forgotten_with_its_thread(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda report: seen.set())

    class Broken(Job):
        def _help(self) -> None:
            raise ZeroDivisionError

    pool.lend(Broken(), 1)
    assert seen.wait(SECONDS)
    pool._threads[0].join(SECONDS)
    assert pool._at_work == {}


def test_no_thread_is_started_by_an_import() -> None:
    code = "import jotgate.workers, jotgate.batch, threading; assert threading.active_count() == 1"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


# -- how many


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Return a function that counts usable cores under an affinity and some files of the control group."""

    def count(affinity: int = 8, own: str | None = None, **files: str) -> int:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(affinity)), raising=False)
        monkeypatch.setattr(workers, "GROUPS_OF_THIS_PROCESS", tmp_path / "self")
        monkeypatch.setattr(workers, "CONTROL_GROUPS", tmp_path / "groups")
        if own is not None:
            (tmp_path / "self").write_text(own)
        for name, text in files.items():
            path = tmp_path / "groups" / name.replace("__", "/").replace("0", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return usable_cores()

    return count


V1 = "4:cpu,cpuacct:/\n1:name=systemd:/\n"


def test_without_control_groups_affinity_counts(cores: Callable[..., int]) -> None:
    assert cores(3) == 3


def test_without_affinity_the_machine_counts(cores: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    cores(3)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert usable_cores() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("1000 100000", 1), ("900000 100000", 8),
     ("max 100000", 8), ("", 8), ("junk", 8), ("1 2 3", 8), ("-1 100000", 1)],
)  # fmt: skip
def test_version_2_limits(cores: Callable[..., int], quota: str, expected: int) -> None:
    assert cores(own="0::/pod/me\n", pod__me__cpu0max=quota) == expected


def test_version_2_the_tightest_group_above_counts(cores: Callable[..., int]) -> None:
    quotas = {"pod__me__cpu0max": "max 100000", "pod__cpu0max": "300000 100000", "cpu0max": "400000 100000"}
    assert cores(own="0::/pod/me\n", **quotas) == 3


def test_version_2_at_the_root(cores: Callable[..., int]) -> None:
    assert cores(own="0::/\n", cpu0max="400000 100000") == 4


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_version_1_limits(cores: Callable[..., int], folder: str) -> None:
    files = {f"{folder}__cpu0cfs_quota_us": "250000", f"{folder}__cpu0cfs_period_us": "100000"}
    assert cores(own=V1, **files) == 3


@pytest.mark.parametrize(("quota", "period"), [("-1", "100000"), ("junk", "100000"), ("", ""), ("100000", "0")])
def test_version_1_without_a_limit(cores: Callable[..., int], quota: str, period: str) -> None:
    assert cores(own=V1, cpu__cpu0cfs_quota_us=quota, cpu__cpu0cfs_period_us=period) == 8


@pytest.mark.parametrize("own", ["", "junk", "0::/../../etc\n", "0::/no/such/group\n"])
def test_control_groups_that_cannot_be_read(cores: Callable[..., int], own: str) -> None:
    assert cores(own=own) == 8

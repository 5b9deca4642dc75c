"""Maintenance on a thread: it begins at once, goes on after a failure, and ends when it is told to."""

import logging
import threading

import pytest
from support import error_of, rejects

from jotgate import KeyRing, errors
from jotgate.keys.maintenance import Maintenance

pytestmark = pytest.mark.usefixtures("clock")
LONG = 3600.0


def test_a_ring_is_maintained_at_once_and_until_it_is_closed(tmp_path, clock):
    with KeyRing(tmp_path / "ring", create=True) as ring:
        old, changed = ring.signer().kid, threading.Event()

        class Watcher:
            def told(self):
                if ring._snapshot.state.active.kid != old:
                    changed.set()

        watcher = Watcher()
        ring._watch(watcher.told)
        clock.advance(86400)
        ring.start_maintaining(0.005, rotate_every=86400)
        assert changed.wait(10)
        assert ring.signer().kid != old
        (thread,) = [each for each in threading.enumerate() if each.name == "jotgate-key-ring"]
        assert thread.daemon
    assert not thread.is_alive()
    ring.close()
    assert ring.signer().kid != old


def test_what_fails_is_told_and_tried_again(caplog):
    told, done = [], threading.Event()

    def work():
        if len(told) < 2:
            raise errors.StoreUnavailableError("the disk is gone")
        done.set()

    with Maintenance(work, 0.001, told.append):
        assert done.wait(10)
    assert [error.code for error in told] == ["store_unavailable"] * 2

    logged = threading.Event()

    def fail():
        logged.set()
        raise errors.StoreUnavailableError("the disk is gone")

    with caplog.at_level(logging.WARNING, "jotgate.keys"), Maintenance(fail, LONG, None) as running:
        assert logged.wait(10)
        running.close()
    assert "the disk is gone" in caplog.text


def test_a_callback_that_fails_ends_nothing(caplog):
    calls, done = [], threading.Event()

    def work():
        calls.append(1)
        if len(calls) < 3:
            raise errors.StoreUnavailableError("the disk is gone")
        done.set()

    def on_error(error):
        raise ValueError("hunter2")

    with caplog.at_level(logging.WARNING, "jotgate.keys"), Maintenance(work, 0.001, on_error):
        assert done.wait(10)
    assert caplog.text.count("the disk is gone") == caplog.text.count("on_error itself failed (ValueError)") == 2
    assert "hunter2" not in caplog.text


def test_it_can_be_closed_from_within():
    closed = threading.Event()
    running = None
    ready = threading.Event()

    def work():
        ready.wait(10)
        running.close()
        closed.set()

    running = Maintenance(work, LONG, None)
    ready.set()
    assert closed.wait(10)
    running.close()


@pytest.mark.parametrize("interval", [0, -1, True, "1", float("nan"), 1e300])
def test_intervals(tmp_path, interval):
    ring = KeyRing(tmp_path / "ring", create=True)
    rejects("invalid_policy", lambda: ring.start_maintaining(interval))
    assert error_of(lambda: ring.start_maintaining(interval)).code == "invalid_policy"

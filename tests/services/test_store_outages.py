"""What verifiers do while their store is stopped, paused, flushed, replaced or cut off: four processes with hot caches,
real servers, and for each token the moments at which it was accepted.

``gone`` is taken back before anything happens, ``late`` when it is over, ``honest`` never.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from services.redis_servers import Cluster, SentinelSet, Server, binaries, names, until
from services.watch import Watch, token
from support import ISSUER

from jotgate import Revocations
from jotgate.errors import StoreUnavailableError
from jotgate.stores import open_store
from jotgate.stores.rules import RuleKey

MAX_LAG = 2.0
QUESTION = 0.5  # seconds that a mirror waits at the store for news
SLACK = 1.0  # seconds that two busy cores may be late by
TIMEOUT = 0.25  # of a RedisStore

pytestmark = pytest.mark.skipif(not names(), reason="there are no wheels of a server for this system")


def tokens(*more: str) -> dict[str, str]:
    return {name: token(name) for name in ("honest", "gone", "late", *more)}


def in_an_hour() -> int:
    return int(time.time()) + 3600


def take_back(url: str, options: dict, name: str) -> float:
    """Take a token back, and return the moment at which that was done."""
    store = open_store(url, **options)
    Revocations(store, issuer=ISSUER).revoke(name, in_an_hour())
    moment = time.monotonic()
    store.close()
    return moment


def has_rule(url: str, options: dict, name: str) -> bool:
    store = open_store(url, **options)
    try:
        return store.rules([RuleKey("jti", ISSUER, name)]) != [None]
    except StoreUnavailableError:
        return False
    finally:
        store.close()


def see(watch: Watch, url: str, options: dict) -> float:
    """Have every process see that ``gone`` was taken back; return when that was done."""
    watch.wait_for("honest", "accepted")
    watch.wait_for("gone", "accepted")
    moment = take_back(url, options, "gone")
    watch.wait_for("gone", "revoked")
    return moment


def recover(watch: Watch, url: str, options: dict) -> None:
    """Nothing needs to be restarted: they go on, and learn what is new."""
    watch.wait_for("honest", "accepted")
    take_back(url, options, "late")
    watch.wait_for("late", "revoked")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "server", binaries()[names()[-1]]) as started:
        yield started


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Server]:
    """A server that writes nothing to the disk."""
    with Server(tmp_path / "server", binaries()[names()[0]], appendonly="no") as started:
        yield started


# -- it does not answer


def paused(server: Server) -> None:
    server.pause()


def killed(server: Server) -> None:
    server.kill()


@pytest.mark.parametrize("stop", [paused, killed])
def test_refuse(server: Server, stop: Callable[[Server], None]) -> None:
    with Watch(server.url, {}, tokens("asked"), fresh=("asked",), max_lag=MAX_LAG) as watch:
        taken = see(watch, server.url, {})
        watch.wait_for("asked", "accepted")
        stop(server)
        stopped = time.monotonic()
        watch.wait_for("asked", "store_unavailable")
        watch.wait_for("honest", "store_unavailable")
        for moment in watch.when("honest", "store_unavailable", stopped):
            assert MAX_LAG - QUESTION - 0.1 <= moment - stopped <= MAX_LAG + SLACK
        refusing = time.monotonic()
        time.sleep(1.2)
        resumed = time.monotonic()
        server.bring_back()
        recover(watch, server.url, {})
    assert watch.last_accepted("gone")[1] <= taken + SLACK
    silent = range(int(refusing) + 1, int(resumed))
    assert len(silent) >= 1 or int(resumed) == int(refusing) + 1
    for second in silent:
        assert watch.in_second("honest", second) == {"store_unavailable"}
        assert watch.in_second("gone", second) == {"revoked"}, "what is known is known"
    assert watch.longest() < TIMEOUT + SLACK
    assert watch.longest(fresh=True) < 2 * TIMEOUT + SLACK
    assert {report["stats"]["written_back"] for report in watch.reports.values()} == {0}, "nothing was lost"


@pytest.mark.parametrize(
    ("options", "ends"),
    [({"on_stale": "accept_until_exp"}, None), ({"on_stale": "accept_for", "accept_for": 1.5}, 1.5)],
)
def test_accept_for_longer(tmp_path: Path, options: dict, ends: float | None) -> None:
    with Server(tmp_path / "server", binaries()[names()[0]]) as server:
        with Watch(server.url, {}, tokens(), max_lag=MAX_LAG, **options) as watch:
            taken = see(watch, server.url, {})
            with server.paused():
                stopped = time.monotonic()
                if ends is None:
                    time.sleep(MAX_LAG + 1.5)
                    assert watch.verdicts("honest") == ["accepted"] * 4
                else:
                    watch.wait_for("honest", "store_unavailable")
                    for moment in watch.when("honest", "store_unavailable", stopped):
                        assert MAX_LAG + ends - QUESTION - 0.1 <= moment - stopped <= MAX_LAG + ends + SLACK
                assert watch.verdicts("gone") == ["revoked"] * 4
            recover(watch, server.url, {})
        assert watch.last_accepted("gone")[1] <= taken + SLACK
        assert watch.longest() < TIMEOUT + SLACK
        # a process that begins while the store is down knows nothing, whatever it may do later
        with server.paused(), Watch(server.url, {}, tokens(), processes=1, max_lag=MAX_LAG, **options) as late:
            late.wait_for("honest", "store_unavailable")
            late.wait_for("gone", "store_unavailable")
        assert late.last_accepted("honest") == (0.0, 0.0)


# -- it forgets


def flushed(server: Server) -> None:
    server.flush()


def restarted_empty(server: Server) -> None:
    server.restart(keep_data=False)


@pytest.mark.parametrize("forget", [flushed, restarted_empty])
def test_nothing_is_forgotten(forgetful: Server, forget: Callable[[Server], None]) -> None:
    options = {"allow_data_loss": True}
    with Watch(forgetful.url, options, tokens(), max_lag=MAX_LAG) as watch:
        taken = see(watch, forgetful.url, options)
        forget(forgetful)
        until(lambda: has_rule(forgetful.url, options, "gone"), what="writing back")
        with Watch(forgetful.url, options, tokens(), processes=1, max_lag=MAX_LAG) as newcomer:
            newcomer.wait_for("gone", "revoked")
            newcomer.wait_for("honest", "accepted")
        assert newcomer.last_accepted("gone") == (0.0, 0.0)
        recover(watch, forgetful.url, options)
    assert watch.last_accepted("gone")[1] <= taken + SLACK
    assert sum(report["stats"]["written_back"] for report in watch.reports.values()) >= 1


def test_an_sqlite_file_that_is_deleted_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "revoked.db"
    url = f"sqlite:{path}"
    with Watch(url, {}, tokens("asked"), fresh=("asked",), max_lag=MAX_LAG) as watch:
        taken = see(watch, url, {})
        for each in tmp_path.glob("revoked.db*"):
            each.unlink()
        until(lambda: has_rule(url, {}, "gone"), what="writing back")
        recover(watch, url, {})
    assert watch.last_accepted("gone")[1] <= taken + SLACK


def test_an_sqlite_file_that_cannot_be_opened_is_a_store_that_is_down(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    url = f"sqlite:{folder / 'revoked.db'}"
    with Watch(url, {}, tokens(), max_lag=MAX_LAG) as watch:
        taken = see(watch, url, {})
        away = tmp_path / "away"
        os.rename(folder, away)
        stopped = time.monotonic()
        watch.wait_for("honest", "store_unavailable")
        for moment in watch.when("honest", "store_unavailable", stopped):
            assert MAX_LAG - QUESTION - 0.1 <= moment - stopped <= MAX_LAG + SLACK
        os.rename(away, folder)
        recover(watch, url, {})
    assert watch.last_accepted("gone")[1] <= taken + SLACK
    assert watch.longest() < TIMEOUT + SLACK


# -- it fails over


def test_a_failover_that_loses_what_was_taken_back(tmp_path: Path) -> None:
    with SentinelSet(tmp_path, binaries()["valkey8"]) as group:
        options = {"allow_data_loss": True, "timeout": 0.5}
        safe = {"replicas": 1, "timeout": 0.5}
        with Watch(group.url, options, tokens(), max_lag=MAX_LAG) as watch:
            watch.wait_for("gone", "accepted")
            old = group.primary
            group.cut_off()
            with pytest.raises(StoreUnavailableError) as caught:
                take_back(group.url, safe, "unsure")
            assert caught.value.code == "store_unavailable", "no replica has it"
            taken = see(watch, group.url, options)
            old.kill()
            for replica in group.servers:
                if replica is not old:
                    replica.resume()
            group.failover(old)
            until(lambda: has_rule(group.url, options, "gone"), what="writing back")
            recover(watch, group.url, options)
        assert watch.last_accepted("gone")[1] <= taken + SLACK
        assert sum(report["stats"]["written_back"] for report in watch.reports.values()) >= 1
        assert watch.longest() < 2 * options["timeout"] + SLACK


def test_a_primary_that_is_cut_off_from_its_replicas_is_not_believed(tmp_path: Path) -> None:
    with SentinelSet(tmp_path, binaries()["valkey8"]) as group:
        options = {"replicas": 1, "timeout": 0.5}
        with Watch(group.url, options, tokens(), max_lag=MAX_LAG) as watch:
            taken = see(watch, group.url, options)
            for replica in group.replicas:
                replica.pause()
            stopped = time.monotonic()
            watch.wait_for("honest", "store_unavailable")
            assert max(watch.when("honest", "store_unavailable", stopped)) - stopped <= MAX_LAG + 1 + QUESTION + SLACK
            for replica in group.servers:
                replica.resume()
            recover(watch, group.url, options)
        assert watch.last_accepted("gone")[1] <= taken + SLACK


def test_a_node_of_a_cluster_fails_over(tmp_path: Path) -> None:
    with Cluster(tmp_path, binaries()["valkey8"], replicas=True) as cluster:
        options = {"replicas": 1, "timeout": 0.5}
        with Watch(cluster.url, options, tokens(), max_lag=MAX_LAG) as watch:
            taken = see(watch, cluster.url, options)
            cluster.primary_of("{jotgate}:x").kill()
            stopped = time.monotonic()
            # its only replica has taken over: nobody acknowledges any more, so it is not believed
            watch.wait_for("honest", "store_unavailable")
            assert max(watch.when("honest", "store_unavailable", stopped)) - stopped <= MAX_LAG + 1 + QUESTION + SLACK
            for node in cluster.nodes:
                node.bring_back()
            recover(watch, cluster.url, options)
        assert watch.last_accepted("gone")[1] <= taken + SLACK


# -- how soon it is seen


def test_eight_processes_see_it_within_a_tenth_of_a_second(server: Server) -> None:
    names = [f"t{number}" for number in range(20)]
    asked = [f"f{number}" for number in range(20)]
    took = []
    with Watch(
        server.url, {}, {name: token(name) for name in (*names, *asked)}, fresh=tuple(asked), processes=8
    ) as watch:
        for name in (*names, *asked):
            watch.wait_for(name, "accepted")
        taken = {name: take_back(server.url, {}, name) for name in asked}
        for name in names:
            taken[name] = take_back(server.url, {}, name)
            watch.wait_for(name, "revoked")
            took += [moment - taken[name] for moment in watch.when(name, "revoked", 0)]
        for name in asked:
            watch.wait_for(name, "revoked")
    print(f"seen after {statistics.median(took) * 1e3:.1f} ms (median), {max(took) * 1e3:.1f} ms (longest)")
    assert statistics.median(took) <= 0.1
    for name in asked:
        assert watch.last_accepted(name)[0] <= taken[name], "no call that began after it was taken back"

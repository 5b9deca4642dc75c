"""Redis and Valkey stopped, paused, flushed, restarted, full, failed over: nothing is forgotten unnoticed, no call is
late, and what cannot be answered is ``store_unavailable``.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import pytest
import redis
import valkey
from services.certificates import Authority
from services.redis_servers import Cluster, SentinelSet, Server, binaries, has_wheel, names, until
from store_contract import ISSUER, LATER, everything, jti, refused, some, unavailable

from jotgate.errors import StoreUnavailableError
from jotgate.stores import open_store
from jotgate.stores.protocol import Position
from jotgate.stores.redis import RedisStore
from jotgate.stores.rules import NEVER, Rule, RuleKey

pytestmark = pytest.mark.skipif(not has_wheel(), reason="PyPI has Valkey for Linux on x86-64")

TIMEOUT = 0.25
LATE = 0.1  # what a busy machine may add
numbers = itertools.count()

CALLS: dict[str, Callable[[RedisStore, Any], Any]] = {
    "write": lambda store, position: store.write([jti(f"written {next(numbers)}")]),
    "advance_epoch": lambda store, position: store.advance_epoch(ISSUER),
    "rules": lambda store, position: store.rules([jti("a").key]),
    "snapshot": lambda store, position: everything(store),
    "changes": lambda store, position: store.changes(position, 0),
    "changes, waiting": lambda store, position: store.changes(position, 0.2),
    "read": lambda store, position: store.read("a"),
    "swap": lambda store, position: store.swap("a", None, b"x", LATER),
    "join": lambda store, position: store.join("g", "a", LATER),
    "leave": lambda store, position: store.leave("g", "a"),
    "members": lambda store, position: store.members("g"),
    "now": lambda store, position: store.now(),
}


def patiently(call: Callable[[], Any], seconds: float = 15) -> Any:
    """Call until the store is available, and return what it returns."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call()
        except StoreUnavailableError:
            assert time.monotonic() < end, "it does not recover"
            time.sleep(0.02)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds + LATE


@pytest.fixture(scope="module", params=names())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server"), binaries()[request.param], appendfsync="always") as started:
        yield started


@pytest.fixture
def store(server: Server) -> Iterator[RedisStore]:
    opened = RedisStore(server.url, namespace=f"test{next(numbers)}", timeout=TIMEOUT)
    yield opened
    opened.close()


# One server


@pytest.mark.parametrize("call", CALLS)
def test_of_a_server_that_is_not_there_every_call_says_so(tmp_path: Path, call: str) -> None:
    store = RedisStore(f"unix://{tmp_path}/none", timeout=TIMEOUT)
    with within(TIMEOUT):
        message = unavailable(lambda: CALLS[call](store, Position("1-1", "mark")))
    assert str(tmp_path) not in message


def test_a_paused_server_holds_nobody_up(server: Server, store: RedisStore) -> None:
    """With a connection that there was before, and with one that must be made first."""
    store.write([jti("a")])
    position, _ = store.snapshot()
    with server.paused():
        for name, call in CALLS.items():
            bound = TIMEOUT + (0.2 if name == "changes, waiting" else 0)
            with within(bound):
                unavailable(lambda call=call: call(store, position))
    for call in CALLS.values():
        patiently(lambda call=call: call(store, position))
    for name, call in CALLS.items():
        call(store, position)  # so that there is a connection
        with server.paused(), within(TIMEOUT + (0.2 if name == "changes, waiting" else 0)):
            unavailable(lambda call=call: call(store, position))
        patiently(store.now)
    assert store.rules([jti("a").key]) == [jti("a")]


def test_a_server_that_is_paused_while_someone_waits_is_noticed(server: Server, store: RedisStore) -> None:
    position, _ = store.snapshot()
    with ThreadPoolExecutor(1) as pool, within(0.6 + TIMEOUT):
        waiting = pool.submit(store.changes, position, 0.6)
        time.sleep(0.1)
        with server.paused():
            unavailable(waiting.result)


def test_after_a_restart_calls_go_on_and_nothing_is_lost(server: Server, store: RedisStore) -> None:
    store.write([jti("a")])
    store.swap("record", None, b"x", LATER)
    position, _ = store.snapshot()
    server.kill()
    with within(TIMEOUT):
        unavailable(lambda: store.write([jti("b")]))
    server.start()
    assert store.read("record") == b"x"
    assert some(store.changes(position, 0)).rules == ()
    store.write([jti("b")])
    assert some(store.changes(position, 0)).rules == (jti("b"),)


def test_a_connection_that_the_server_has_closed_is_not_used(server: Server, store: RedisStore) -> None:
    store.write([jti("a")])
    for _ in range(3):
        server.run("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert store.rules([jti("a").key]) == [jti("a")]


def test_a_flush_is_noticed(server: Server, store: RedisStore) -> None:
    store.write([jti("a")])
    position, _ = store.snapshot()
    server.flush()
    assert store.changes(position, 0) is None
    store.write([jti("b")])
    assert store.changes(position, 0) is None
    position, rules = everything(store)
    assert set(rules.values()) == {jti("b")}
    server.flush()
    begun, rules = everything(store)
    assert rules == {}
    assert store.changes(position, 0) is None
    assert some(store.changes(begun, 0)).rules == ()


def test_a_flush_is_noticed_by_who_waits(server: Server, store: RedisStore) -> None:
    position, _ = store.snapshot()
    with ThreadPoolExecutor(1) as pool, within(1.1 + TIMEOUT):
        waiting = pool.submit(store.changes, position, 5)
        time.sleep(0.1)
        server.flush()
        assert waiting.result() is None


def test_a_restart_that_loses_everything_is_noticed(tmp_path: Path, server: Server) -> None:
    with Server(tmp_path, server.binary, appendonly="no") as forgetful:
        store = RedisStore(forgetful.url, allow_data_loss=True)
        store.write([jti("a")])
        position, _ = store.snapshot()
        forgetful.restart()
        assert store.changes(position, 0) is None
        assert everything(store)[1] == {}


def test_a_restart_that_loses_the_last_writes_is_noticed(tmp_path: Path, server: Server) -> None:
    """Of a snapshot of the server's own, what came before is there and what came after is not."""
    with Server(tmp_path, server.binary, appendonly="no") as forgetful:
        store = RedisStore(forgetful.url, allow_data_loss=True)
        store.write([jti("kept")])
        early, _ = store.snapshot()
        forgetful.run("SAVE")
        store.write([jti("lost")])
        late, _ = store.snapshot()
        forgetful.restart()
        assert store.changes(late, 0) is None
        assert some(store.changes(early, 0)).rules == ()
        store.write([jti("new")])
        assert store.changes(late, 0) is None
        assert some(store.changes(early, 0)).rules == (jti("new"),)
        assert set(everything(store)[1].values()) == {jti("kept"), jti("new")}


def test_a_kill_loses_nothing_that_was_written(server: Server, store: RedisStore) -> None:
    written = []

    def write() -> None:
        with suppress(StoreUnavailableError):
            for number in itertools.count():
                store.write([jti(str(number))])
                written.append(jti(str(number)))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        until(lambda: len(written) > 50)
        server.kill()
        writing.result()
    server.start()
    assert store.rules([rule.key for rule in written]) == written


def test_a_snapshot_does_not_go_on_at_another_server(server: Server, store: RedisStore) -> None:
    for start in range(0, 5_000, 1_000):
        store.write([jti(str(number)) for number in range(start, start + 1_000)])
    _, portions = store.snapshot()
    assert next(portions)
    server.restart()
    assert "another server" in unavailable(lambda: list(portions))
    assert len(everything(store)[1]) == 5_000


def test_a_full_server_still_answers(server: Server, store: RedisStore) -> None:
    store.write([jti("a")])
    assert store.swap("a", None, b"x", LATER)
    store.join("g", "m", LATER)
    position, _ = store.snapshot()
    server.run("CONFIG", "SET", "maxmemory", "1")
    try:
        for write in (CALLS["write"], CALLS["advance_epoch"]):
            unavailable(lambda write=write: write(store, position))
        unavailable(lambda: store.swap("new", None, b"x", LATER))
        assert store.rules([jti("a").key]) == [jti("a")]
        assert everything(store)[1] == {jti("a").key: jti("a")}
        assert some(store.changes(position, 0.05)).rules == ()
        assert store.read("a") == b"x"
        assert store.members("g") == ["m"]
        store.leave("g", "m")
    finally:
        server.run("CONFIG", "SET", "maxmemory", "0")
    store.write([jti("b")])
    assert some(store.changes(position, 0)).rules == (jti("b"),)


def test_a_call_that_is_interrupted_takes_its_connection_along(server: Server, store: RedisStore) -> None:
    """Or the next call would take the answer to this one for its own."""
    position, _ = store.snapshot()
    before = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        for _ in range(3):
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            with pytest.raises(KeyboardInterrupt):
                store.changes(position, 5)
            assert store.members("g") == []
            assert store.read("a") is None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


FORK = """
import os, sys, threading, warnings
from jotgate.stores.protocol import Position
from jotgate.stores.redis import RedisStore
from jotgate.stores.rules import Rule
warnings.simplefilter("ignore", DeprecationWarning)
store = RedisStore(sys.argv[1], namespace="fork", timeout=5)
rule = lambda name: Rule("jti", "i", name, 0, 4_000_000_000)
start, _ = store.snapshot()
done, failed = threading.Event(), []
def work(name):
    try:
        for number in range(100):
            store.write([rule(f"{name} {number}")])
            assert store.rules([rule(f"{name} {number}").key]) == [rule(f"{name} {number}")]
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=work, args=(f"thread {number}",)) for number in range(3)]
for thread in threads: thread.start()
children = []
for number in range(4):
    child = os.fork()
    if not child:
        work(f"child {number}")
        os._exit(bool(failed))
    children.append(child)
for child in children: assert os.waitpid(child, 0)[1] == 0
for thread in threads: thread.join()
assert not failed, failed
names = {told.name for told in store.changes(start, 0).rules}
assert len(names) == 700, len(names)
"""


def test_a_fork_takes_no_connection_along(server: Server) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", FORK, server.url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# Servers that must not be used


@pytest.mark.parametrize(
    ("settings", "word", "code"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "noeviction", "evicts"),
        ({"maxmemory_policy": "volatile-ttl", "maxmemory": "100mb"}, "noeviction", "evicts"),
        ({"appendonly": "no"}, "allow_data_loss", "not_durable"),
    ],
)
def test_a_server_that_would_lose_what_it_has_is_refused(
    tmp_path: Path, settings: dict[str, str], word: str, code: str
) -> None:
    with Server(tmp_path, binaries()["valkey9"], **settings) as server:
        store = RedisStore(server.url)
        assert word in refused(lambda: store.write([jti("a")]))
        assert word in refused(lambda: store.read("a"))
        assert server.run("DBSIZE") == 0
        assert {finding.code: finding.ok for finding in store.check()}[code] is False
        accepting = RedisStore(server.url, allow_data_loss=True)
        if code == "evicts":
            assert word in refused(lambda: accepting.read("a"))
        else:
            accepting.write([jti("a")])


def test_a_server_that_begins_to_evict_is_refused_at_the_next_connection(server: Server, store: RedisStore) -> None:
    store.write([jti("a")])
    server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        store.close()
        refused(lambda: store.read("a"))
    finally:
        server.run("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert store.rules([jti("a").key]) == [jti("a")]


def test_check_says_what_is_so(server: Server) -> None:
    store = RedisStore(server.url, namespace="checked", replicas=1)
    unavailable(lambda: store.write([jti("a")]))
    found = {finding.code: finding for finding in store.check()}
    assert {code: finding.ok for code, finding in found.items()} == {
        "reachable": True,
        "evicts": True,
        "not_durable": True,
        "replicas": False,
        "clock": True,
        "rules": True,
        "log": True,
    }
    assert "always" in found["not_durable"].message
    assert found["rules"].message == "1 rules"
    server.run("CONFIG", "SET", "appendfsync", "no")
    try:
        assert {finding.code: finding.ok for finding in store.check()}["not_durable"] is False
    finally:
        server.run("CONFIG", "SET", "appendfsync", "always")
    with server.paused():
        (finding,) = store.check()
        assert (finding.code, finding.ok) == ("reachable", False)


def test_a_server_that_runs_a_long_script_is_unavailable_and_not_misconfigured(tmp_path: Path) -> None:
    server = Server(tmp_path, binaries()["valkey8"], lua_time_limit=20)
    store = RedisStore(server.url, timeout=TIMEOUT)
    connected = RedisStore(server.url, timeout=TIMEOUT)
    connected.write([jti("a")])
    with ThreadPoolExecutor(1) as pool:
        try:
            script = pool.submit(keep_busy, server)
            until(lambda: "BUSY" in str(script_error(server)), what="a busy server")
            for call in CALLS.values():
                for each in (store, connected):
                    assert "BUSY" in unavailable(lambda call=call, each=each: call(each, Position("1-1", "m")))
            server.run("SCRIPT", "KILL")
            script.result(10)
            assert store.rules([jti("a").key]) == [jti("a")]
        finally:
            server.kill()


def keep_busy(server: Server) -> None:
    with suppress(redis.RedisError):
        server.run("EVAL", "while true do end", 0)


def script_error(server: Server) -> Exception | None:
    try:
        server.run("GET", "a")
    except redis.RedisError as error:
        return error
    return None


def test_passwords_users_and_what_they_may_not(tmp_path: Path) -> None:
    with Server(tmp_path, binaries()["valkey8"], requirepass="pa/ss w:rd") as server:
        at = f"127.0.0.1:{server.port}"
        store = RedisStore(f"redis://:pa%2Fss%20w%3Ard@{at}")
        store.write([jti("a")])
        wrong = RedisStore(f"redis://:hunter2@{at}")
        message = unavailable(lambda: wrong.read("a"))
        assert "hunter2" not in message
        assert "hunter2" not in repr(wrong)
        assert "hunter2" not in repr(wrong._links._target.server)
        assert "AuthenticationError" in message
        server.run("ACL", "SETUSER", "jot", "on", ">secret", "~*", "+@all", "-@dangerous")
        assert "+info" in refused(lambda: RedisStore(f"redis://jot:secret@{at}").read("a"))
        # What a store needs, and no more.
        needs = "+@scripting +@sortedset +@hash +@stream +@string +@keyspace +@connection +info +time +wait -@dangerous"
        server.run("ACL", "SETUSER", "jot", "resetkeys", "~{jotgate}:*", "~jotgate:*", *needs.split(), "+info")
        store = RedisStore(f"redis://jot:secret@{at}")
        position, _ = store.snapshot()
        for call in CALLS.values():
            call(store, position)
        assert all(finding.ok for finding in store.check())
        server.run("ACL", "SETUSER", "jot", "-evalsha", "-eval")
        unavailable(lambda: store.write([jti("b")]))


# Replicas and failover


@pytest.fixture(scope="module")
def sentinels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelSet]:
    with SentinelSet(tmp_path_factory.mktemp("sentinels"), binaries()["valkey8"]) as started:
        yield started


@pytest.fixture
def settled(sentinels: SentinelSet) -> SentinelSet:
    sentinels.settle()
    sentinels.primary.flush()
    return sentinels


def test_a_write_that_a_failover_loses_is_noticed(settled: SentinelSet) -> None:
    careless = RedisStore(settled.url, allow_data_loss=True, timeout=1)
    careful = RedisStore(settled.url, replicas=1, timeout=1)
    careful.write([jti("kept")])
    careful.swap("record", None, b"kept", LATER)
    early, _ = careful.snapshot()
    primary, replicas = settled.primary, settled.replicas
    settled.cut_off()
    careless.write([jti("lost")])
    late, _ = careless.snapshot()
    for call in (
        lambda: careful.write([jti("not acknowledged")]),
        lambda: careful.advance_epoch(ISSUER),
        lambda: careful.swap("record", b"kept", b"lost", LATER),
        lambda: careful.join("g", "m", LATER),
        lambda: careful.rules([jti("lost").key]),
        careful.snapshot,
    ):
        with within(1):
            assert "replicas" in unavailable(call)
    primary.kill()
    for replica in replicas:
        replica.resume()
    settled.failover(primary)
    assert patiently(lambda: careless.changes(late, 0)) is None
    assert patiently(lambda: careful.changes(early, 0)).rules == ()
    assert careful.read("record") == b"kept"
    careful.write([jti("new")])
    assert careless.changes(late, 0) is None
    assert some(careful.changes(early, 0)).rules == (jti("new"),)
    assert set(everything(careful)[1].values()) == {jti("kept"), jti("new")}


def test_a_primary_that_has_been_cut_off_is_not_followed(settled: SentinelSet) -> None:
    """It says that there is nothing new, which is not for it to say."""
    store = RedisStore(settled.url, replicas=1)
    position, _ = store.snapshot()
    replicas = settled.replicas
    for replica in replicas:
        replica.pause()
    try:
        with within(1 + 0.25 + 0.25):
            unavailable(lambda: [store.changes(position, 0.1) for _ in range(20)])
    finally:
        for replica in replicas:
            replica.resume()
    assert patiently(lambda: store.changes(position, 0)).rules == ()


def test_a_primary_that_wakes_up_too_late_is_not_believed(settled: SentinelSet) -> None:
    """It was paused, another has taken over and was told something; a connection to the old one is still there."""
    store, elsewhere = (RedisStore(settled.url, replicas=1, timeout=1) for _ in range(2))
    store.write([jti("before")])
    position, _ = store.snapshot()
    old = settled.primary
    with old.paused():
        settled.failover(old)
        patiently(lambda: elsewhere.write([jti("meanwhile")]))
        patiently(lambda: elsewhere.swap("record", None, b"x", LATER))
    for _ in range(5):
        assert patiently(lambda: store.rules([jti("meanwhile").key])) == [jti("meanwhile")]
        assert some(patiently(lambda: store.changes(position, 0))).rules == (jti("meanwhile"),)
        assert not patiently(lambda: store.swap("record", None, b"y", LATER))


def test_a_replica_is_not_taken_for_the_primary(settled: SentinelSet) -> None:
    """Also not by calls that only read: they would be answered by what was so a moment ago."""
    RedisStore(settled.url, replicas=1, timeout=1).write([jti("a")])
    store = RedisStore(settled.replicas[0].url)
    for name, call in CALLS.items():
        if name != "now":
            unavailable(lambda call=call: call(store, Position("1-1", "mark")))


def test_no_call_is_late_while_sentinels_or_servers_are_paused(settled: SentinelSet) -> None:
    store = RedisStore(settled.url, replicas=1, timeout=TIMEOUT)
    position, _ = store.snapshot()
    half = TIMEOUT / 2  # of asking Sentinels
    one, other, _ = settled.sentinels
    for paused, call in (
        (settled.sentinels, "write"),
        (settled.sentinels, "read"),
        ([settled.primary], "write"),  # only one: the Sentinels would choose another primary
        ([one, settled.primary], "changes"),
        (settled.everyone, "snapshot"),
    ):
        store.close()
        for server in paused:
            server.pause()
        try:
            with within(half if other in paused else half + TIMEOUT):
                unavailable(lambda call=call: CALLS[call](store, position))
        finally:
            for server in paused:
                server.resume()
        patiently(store.now)
    store.close()
    with one.paused(), within(half + TIMEOUT):
        CALLS["write"](store, position)  # another Sentinel answers


def test_sentinel_without_replicas_that_acknowledge_is_refused(settled: SentinelSet) -> None:
    store = RedisStore(settled.url)
    assert "replicas=" in refused(lambda: store.read("a"))
    RedisStore(settled.url, allow_data_loss=True).write([jti("a")])


def test_a_service_that_sentinels_do_not_know_is_unavailable(settled: SentinelSet) -> None:
    url = settled.url.replace(f"/{settled.service}", "/other")
    unavailable(lambda: RedisStore(url, replicas=1).read("a"))


# Cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), binaries()["valkey8"], replicas=True) as started:
        yield started


def test_a_cluster_must_be_named_as_one(cluster: Cluster) -> None:
    assert "redis+cluster://" in refused(lambda: RedisStore(cluster.nodes[0].url).read("a"))
    assert "replicas=" in refused(lambda: RedisStore(cluster.url).read("a"))


def test_a_slot_that_moves_is_followed(cluster: Cluster) -> None:
    """While it moves, and when it has."""
    store = RedisStore(cluster.url, namespace="moving", replicas=1, timeout=2)
    store.write([jti("a"), Rule("sub", ISSUER, "s", 5, LATER)])
    position, rules = everything(store)
    source = cluster.primary_of("{moving}:log")
    target = next(node for node in cluster.primaries if node is not source)
    slot = source.run("CLUSTER", "KEYSLOT", "{moving}:log")
    ids = {node.port: node.run("CLUSTER", "MYID").decode() for node in (source, target)}
    target.run("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
    source.run("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
    keys = source.run("CLUSTER", "GETKEYSINSLOT", slot, 10)
    assert len(keys) == 4
    source.run("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    assert store.rules(list(rules)) == list(rules.values())  # ASK
    store.write([jti("b")])
    for node in (target, source, *cluster.primaries):
        node.run("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
    assert some(store.changes(position, 0)).rules == (jti("b"),)  # MOVED
    store.write([jti("c")])
    assert some(store.changes(position, 0)).rules == (jti("b"), jti("c"))
    assert some(RedisStore(cluster.url, namespace="moving", replicas=1).changes(position, 0)).rules[-1] == jti("c")


def test_a_node_of_a_cluster_fails_over(cluster: Cluster) -> None:
    store = RedisStore(cluster.url, namespace="failing", replicas=1, timeout=TIMEOUT)
    store.write([jti("a")])
    position, _ = store.snapshot()
    primary = cluster.primary_of("{failing}:log")
    primary.kill()
    with within(TIMEOUT * 1.5):
        unavailable(lambda: store.write([jti("b")]))
    new = until(lambda: (found := cluster.primary_of("{failing}:log")) is not primary and found)
    assert new is not primary
    # The new one has no replica: what it is given would be lost with it.
    assert "replicas" in unavailable(lambda: until_it_answers(store))
    primary.start()
    patiently(lambda: store.write([jti("b")]))
    assert some(patiently(lambda: store.changes(position, 0))).rules == (jti("b"),)
    assert patiently(lambda: store.rules([jti("a").key])) == [jti("a")]


def until_it_answers(store: RedisStore) -> None:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            return store.write([jti("b")])
        except StoreUnavailableError as error:
            if "replicas" in str(error):
                raise
    return None


# Clients that were made elsewhere


def of_sentinel(server: Server, cluster: Cluster, sentinels: SentinelSet) -> Any:
    from redis.sentinel import Sentinel

    where = [("127.0.0.1", sentinel.port) for sentinel in sentinels.sentinels]
    return Sentinel(where).master_for(sentinels.service)


CLIENTS: dict[str, Callable[[Server, Cluster, SentinelSet], Any]] = {
    "redis": lambda server, *_: redis.Redis(port=server.port),
    "redis, decoding": lambda server, *_: redis.Redis(port=server.port, decode_responses=True),
    "redis, protocol 3": lambda server, *_: redis.Redis(port=server.port, protocol=3),
    "valkey": lambda server, *_: valkey.Valkey(port=server.port),
    "redis cluster": lambda _, cluster, __: redis.RedisCluster("127.0.0.1", cluster.nodes[0].port),
    "valkey cluster": lambda _, cluster, __: valkey.ValkeyCluster("127.0.0.1", cluster.nodes[0].port),
    "sentinel": of_sentinel,
}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_settings_of_a_client_are_taken(server: Server, cluster: Cluster, settled: SentinelSet, name: str) -> None:
    client = CLIENTS[name](server, cluster, settled)
    store = RedisStore(client, namespace=f"client{next(numbers)}", timeout=2, allow_data_loss=True)
    position, _ = store.snapshot()
    for call in CALLS.values():
        call(store, position)
    store.write([Rule("sub", ISSUER, "\ud800", 7, LATER)])
    assert store.rules([RuleKey("sub", ISSUER, "\ud800"), RuleKey("epoch", ISSUER, "")]) == [
        Rule("sub", ISSUER, "\ud800", 7, LATER),
        Rule("epoch", ISSUER, "", 1, NEVER),
    ]
    assert all(finding.ok for finding in store.check())
    client.close()


def test_a_client_waits_no_longer_than_the_store(server: Server) -> None:
    client = redis.Redis(port=server.port)  # by its own settings it tries for seconds
    store = RedisStore(client, namespace="patient", timeout=TIMEOUT)
    with server.paused():
        for _ in range(2):
            with within(TIMEOUT):
                unavailable(lambda: store.read("a"))
    client.close()


# TLS


class TLSFront:
    """Takes TLS connections and hands on what is said to a server without TLS: the wheels' servers have none."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        self._context = context
        self._behind = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _accept(self) -> None:
        with ThreadPoolExecutor(16) as pool, suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                pool.submit(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with (
            suppress(OSError),
            connection,
            self._context.wrap_socket(connection, server_side=True) as front,
            socket.create_connection(("127.0.0.1", self._behind), 5) as behind,
        ):
            while asked := front.recv(1 << 16):
                behind.sendall(asked)
                front.sendall(behind.recv(1 << 16))  # what is asked here is answered in one piece


def test_tls(tmp_path: Path, server: Server) -> None:
    authority = Authority(tmp_path)
    (tmp_path / "ca.pem").write_text(authority.pem())
    trusting = f"?ssl_ca_certs={tmp_path}/ca.pem"
    with TLSFront(authority.serving("127.0.0.1"), server.port) as front:
        store = open_store(f"rediss://127.0.0.1:{front.port}/0{trusting}", namespace="tls", timeout=2)
        store.write([jti("a")])
        assert store.rules([jti("a").key]) == [jti("a")]
        store.close()
        for url in (
            f"rediss://127.0.0.1:{front.port}",  # an authority that nobody knows
            f"rediss://localhost:{front.port}/{trusting}",  # another name
            f"redis://127.0.0.1:{front.port}",  # no TLS
            f"rediss://127.0.0.1:{server.port}/{trusting}",  # no TLS at the other end
        ):
            unavailable(lambda url=url: open_store(url, namespace="tls").read("a"))


def test_check_says_that_a_replica_takes_no_writes(server: Server, tmp_path: Path) -> None:
    with Server(tmp_path / "replica", server.binary, replicaof=("127.0.0.1", server.port)) as replica:
        until(lambda: SentinelSet._replicas_of(server) == 1, what="replication")
        found = {finding.code: finding for finding in RedisStore(replica.url).check()}
        assert not found["writable"].ok
        assert "ReadOnlyError" in found["writable"].message
        assert "writable" not in {finding.code for finding in RedisStore(server.url).check()}
        apart = {finding.code: finding.ok for finding in RedisStore(server.url, replicas=2, timeout=2).check()}
        assert (apart["replicas"], apart["clock"]) == (False, True), "waiting is no difference of clocks"

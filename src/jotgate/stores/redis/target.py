"""Where a Redis store's servers are and how to connect to them, from a URL or from a client that was set up already."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, Literal, NamedTuple

from ...errors import PolicyError

Address = tuple[str, int]
Mode = Literal["single", "sentinel", "cluster"]

_PORTS: Final[dict[Mode, int]] = {"single": 6379, "sentinel": 26379, "cluster": 6379}
_MODES: Final[dict[str, Mode]] = {"": "single", "sentinel": "sentinel", "cluster": "cluster"}
_TRANSPORTS: Final = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}

URL_ADVICE: Final = (
    "the URL of a Redis store is redis://host:port/db, rediss:// with TLS, unix:///path,"
    " redis+sentinel://host:port,host:port/service?db=0 or redis+cluster://host:port,host:port; user and password, if"
    " any, are percent-encoded before an @"
)


class Maker(NamedTuple):
    """Makes connections of one kind, which are not connected yet. Its options hold passwords: nobody prints them."""

    connection_class: Any
    options: dict[str, Any]

    def __repr__(self) -> str:
        return "Maker()"

    def __call__(self, address: Address | None, timeout: float) -> Any:
        """Return a connection to an address, or to that of the options, which neither waits longer nor tries again."""
        where = {} if address is None else {"host": address[0], "port": address[1]}
        times = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        return self.connection_class(**{**self.options, **where, **times})


class Target:
    """What to connect to.

    Attributes:
        mode: Of the servers.
        nodes: Sentinels, or nodes of a cluster, to ask first.
        service: What Sentinel calls the primary.
        server: Makes connections to servers.
        guide: Makes connections to Sentinels.
        key_slot: The slot of a key, in a cluster.
    """

    __slots__ = ("guide", "key_slot", "mode", "nodes", "server", "service")

    def __init__(
        self, mode: Mode, server: Maker, nodes: tuple[Address, ...] = (), service: str = "", guide: Maker | None = None
    ) -> None:
        self.mode = mode
        self.nodes = nodes
        self.service = service
        self.server = server
        self.guide = guide or server
        self.key_slot: Any = _library(server.connection_class, "crc").key_slot


def target_of(server: object) -> Target:
    """Return what a URL or a client of redis-py or valkey-py is about, without connecting.

    Raises:
        PolicyError: ``invalid_policy``: redis-py is not installed, or the URL or client is not understood.
    """
    return _from_url(server) if isinstance(server, str) else _from_client(server)


def _from_url(url: str) -> Target:
    from urllib.parse import parse_qs, urlencode, urlsplit

    try:
        connection = import_module("redis.connection")
    except ImportError:
        raise PolicyError("a Redis store needs redis-py: pip install 'jotgate[redis]'") from None
    try:
        parts = urlsplit(url)
        transport, _, kind = parts.scheme.partition("+")
        scheme, mode = _TRANSPORTS[transport], _MODES[kind]
        if scheme == "unix" and mode != "single":
            raise KeyError
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        guide_options = {
            name.removeprefix("sentinel_"): query.pop(name)
            for name in ("sentinel_username", "sentinel_password")
            if mode == "sentinel" and name in query
        }
        user, at, hosts = parts.netloc.rpartition("@")
        path = parts.path if mode == "single" else ""
        service = parts.path.strip("/") if mode == "sentinel" else ""
        first = hosts if mode == "single" else "host"
        rest = f"?{urlencode(query)}" if query else ""
        options = connection.parse_url(f"{scheme}://{user}{at}{first}{path}{rest}")
        nodes = () if mode == "single" else tuple(_address(host, _PORTS[mode]) for host in hosts.split(","))
    except (KeyError, ValueError):
        raise PolicyError(URL_ADVICE) from None
    wrong = {"single": False, "sentinel": not service, "cluster": bool(parts.path.strip("/")) or "db" in query}
    if wrong[mode]:
        raise PolicyError(f"{URL_ADVICE}; a cluster has no databases, and Sentinel must be asked for a service")
    connection_class = options.pop("connection_class", connection.Connection)
    if scheme == "rediss":
        if str(options.get("ssl_cert_reqs", "required")) not in ("required", "CERT_REQUIRED"):
            raise PolicyError("the certificate of a server must be checked: name its issuer by ?ssl_ca_certs=")
        options["ssl_check_hostname"] = True
    # RESP2: in RESP3 redis-py listens to notices by which a server makes it wait longer.
    options |= {"protocol": 2, "retry": _no_retry(connection_class)}
    guide_options |= {name: value for name, value in options.items() if name[:4] == "ssl_"}
    maker = Maker(connection_class, options)
    guide = Maker(connection_class, {**guide_options, "protocol": 2, "retry": _no_retry(connection_class)})
    _try(maker)
    return Target(mode, maker, nodes, service, guide)


def _address(host: str, port: int) -> Address:
    from urllib.parse import urlsplit

    parts = urlsplit(f"//{host}")
    if not parts.hostname or parts.path or parts.query:
        raise ValueError
    return parts.hostname, parts.port or port


def _from_client(client: Any) -> Target:
    of_node = getattr(client, "get_redis_connection", None) or getattr(client, "get_valkey_connection", None)
    cluster = of_node is not None
    try:
        nodes = tuple((node.host, int(node.port)) for node in client.get_nodes()) if cluster else ()
        pool = (of_node(client.get_nodes()[0]) if of_node else client).connection_pool
        options = {name: value for name, value in pool.connection_kwargs.items() if not cluster or name not in _PLACE}
        maker = Maker(pool.connection_class, {**options, "retry": _no_retry(pool.connection_class)})
        target = Target("cluster" if cluster else "single", maker, nodes)
    except (AttributeError, ImportError, IndexError, StopIteration):
        raise PolicyError("a Redis store needs a URL, or a synchronous client of redis-py or valkey-py") from None
    _try(maker)
    return target


_PLACE = ("host", "port")


def _try(maker: Maker) -> None:
    if any(".asyncio" in each.__module__ for each in maker.connection_class.__mro__):
        raise PolicyError("a Redis store needs a synchronous client")
    try:
        maker(None, 1)
    except Exception:  # of what it is about, redis-py may tell the value
        raise PolicyError("the URL or client of a Redis store has an option that redis-py does not accept") from None


def _library(connection_class: Any, module: str) -> Any:
    """Return a module of the library that a class of connections is of: redis-py or valkey-py."""
    names = (each.__module__.partition(".")[0] for each in connection_class.__mro__)
    return import_module(f"{next(name for name in names if name in ('redis', 'valkey'))}.{module}")


def _no_retry(connection_class: Any) -> Any:
    return _library(connection_class, "retry").Retry(_library(connection_class, "backoff").NoBackoff(), 0)

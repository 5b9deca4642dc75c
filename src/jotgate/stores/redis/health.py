"""Whether a server may keep what must not be lost, by what INFO says: managed services do not allow CONFIG."""

from __future__ import annotations

from ...errors import PolicyError
from ..protocol import Finding
from .target import Mode

_OLDEST = (6, 2)
_APART_SECONDS = 1.0


class Facts:
    """What INFO says."""

    __slots__ = ("_facts",)

    def __init__(self, info: bytes) -> None:
        pairs = (line.partition(":") for line in info.decode("utf-8", "replace").splitlines() if line[:1] != "#")
        self._facts = {name: value for name, _, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._facts.get(name, "")

    @property
    def server(self) -> str:
        """Name and version."""
        if self["valkey_version"]:
            return f"Valkey {self['valkey_version']}"
        return f"Redis {self['redis_version']}"

    @property
    def evicts(self) -> bool:
        """Whether it would throw away what it was given; also one without a limit, which gets one while it runs."""
        return self["maxmemory_policy"] != "noeviction"

    @property
    def durable(self) -> bool:
        """Whether it writes to a disk what it was given."""
        return self["aof_enabled"] == "1"


EVICTS = (
    "the server does not have maxmemory-policy noeviction: when it is full it throws away rules and sessions, and what"
    " was revoked is accepted again; set it, or use another server"
)
NOT_DURABLE = (
    "the server has no append-only file (appendonly yes): what it was given is gone when it restarts; set it, or accept"
    " that by allow_data_loss=True"
)
_NOT_ACKNOWLEDGED = (
    "with Sentinel or Cluster a failover loses what no replica has: say by replicas= how many must acknowledge each"
    " write, or accept that by allow_data_loss=True"
)


def admit(info: bytes, mode: Mode, replicas: int, allow_data_loss: bool) -> str:
    """Return the run id of a server that may be used.

    Raises:
        PolicyError: ``invalid_policy``: it may not, and why.
    """
    facts = Facts(info)
    if not facts["redis_version"]:
        raise PolicyError("the server does not answer INFO: the store's user needs +info")
    if tuple(int(part) for part in facts["redis_version"].split(".")[:2]) < _OLDEST:
        raise PolicyError("a Redis store needs Redis 6.2 or later, or Valkey")
    if (facts["cluster_enabled"] == "1") != (mode == "cluster"):
        raise PolicyError("a Redis Cluster is named by redis+cluster://, and nothing else is")
    if facts.evicts:
        raise PolicyError(EVICTS)
    if not allow_data_loss:
        if not facts.durable:
            raise PolicyError(NOT_DURABLE)
        if mode != "single" and not replicas:
            raise PolicyError(_NOT_ACKNOWLEDGED)
    return facts["run_id"]


def findings(
    info: bytes, appendfsync: str | None, apart_seconds: float, rules: int, log: int, acknowledged: tuple[int, int]
) -> list[Finding]:
    """Return what an operator should know of a server.

    Args:
        info: What INFO says.
        appendfsync: That setting; None where the server does not tell.
        apart_seconds: The server's clock minus ours.
        rules: How many there are.
        log: How many writes are kept for those who follow.
        acknowledged: How many replicas have acknowledged a write, and how many must.
    """
    facts = Facts(info)
    have, need = acknowledged
    return [
        Finding("reachable", True, f"{facts.server} answers"),
        Finding("evicts", not facts.evicts, EVICTS if facts.evicts else "the server evicts nothing"),
        _durable(facts, appendfsync),
        Finding("replicas", have >= need, f"{have} replicas have acknowledged a write, {need} must"),
        Finding(
            "clock",
            abs(apart_seconds) <= _APART_SECONDS,
            f"the clocks of the server and of this machine are {abs(apart_seconds):.1f} s apart, at most 1 is fine",
        ),
        Finding("rules", True, f"{rules} rules"),
        Finding("log", True, f"{log} writes are kept for those who follow"),
    ]


def _durable(facts: Facts, appendfsync: str | None) -> Finding:
    if not facts.durable:
        return Finding("not_durable", False, NOT_DURABLE)
    if facts["aof_last_write_status"] == "err":
        return Finding("not_durable", False, "the server cannot write its append-only file: look at its log and disk")
    said = {
        "always": (True, "each write is on the server's disk when it returns (appendfsync always)"),
        "everysec": (True, "a server that dies loses up to two seconds of writes (appendfsync everysec)"),
        "no": (False, "a server that loses power loses what its system had not yet written (appendfsync no)"),
    }
    unknown = (True, "the server has an append-only file, and does not tell its appendfsync")
    return Finding("not_durable", *said.get(appendfsync or "", unknown))

"""What the processes of the soak agree on. Times are seconds; moments are of the machine's monotonic clock."""

from __future__ import annotations

from typing import Any

from support import AUDIENCE, ISSUER

from jotgate import Policy

PROCESSES = ("preforked", "plain", "async", "batch")
CLIENTS = 16
"""Threads of each process that present tokens."""

LIFETIME, COOLDOWN, MAX_STALE, TIMEOUT = 1, 0.25, 2, 0.5
REMOTE: dict[str, Any] = {
    "lifetime": LIFETIME,
    "cache_control": (0.75, LIFETIME),
    "cooldown": COOLDOWN,
    "max_stale": MAX_STALE,
    "timeout": TIMEOUT,
    "allow_http": True,
}
LAG = 0.3
"""How old a document may be that the endpoint serves as the current one, as behind a cache of its own."""

LINES = ("ES256", "EdDSA", "ES256", "EdDSA")
"""The issuer has a ring for each, and each rotates after as many seconds as there are rings: one rotation a second."""
LEEWAY = 1
TOKEN_LIFETIME = 1.5
RING: dict[str, Any] = {
    # a verifier that last heard of the endpoint before a key was published is DEAD before that key signs
    "publish_ahead": LIFETIME + MAX_STALE + LAG + 0.2,
    "token_lifetime": TOKEN_LIFETIME,
    "leeway": LEEWAY,
    "cache_time": 0,
    "allow_short_times": True,
}

GOOD_AFTER = 0.8
"""An endpoint that has not answered a process well for so long does: outside the blackout nobody is to be DEAD."""
BLACKOUT = 4.5
"""For so long it answers nobody well: longer than what was fetched counts."""

HOSTILE_EVERY, HOSTILE_FOR = 4.0, 1.3
"""Unknown kids come in waves: they have keys fetched, and between the waves keys are to age."""
HONEST_ONLY = 4
"""Clients of each process that take no part in the waves."""


def policy() -> Policy:
    """Return what every verifier demands."""
    return Policy(algorithms=sorted(set(LINES)), issuer=ISSUER, audience=AUDIENCE, leeway=LEEWAY)


def is_hostile(process: str, moment: float) -> bool:
    """Whether a wave of unknown kids comes now; each process has its own."""
    return (moment + PROCESSES.index(process)) % HOSTILE_EVERY < HOSTILE_FOR

"""Keys in motion: an issuer rotates its keys under load, then one of them is stolen.

The issuer keeps a key ring and publishes it over HTTP on the loopback address. One verifier fetches the keys as a
service elsewhere would, another reads the ring, as the issuer's own process would; both remember what they verified.
Hours are made into fractions of a second, and nothing else is different.
"""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from timeit import default_timer
from typing import TYPE_CHECKING, Any, NamedTuple

from jotgate import Issuer, KeyRing, Policy, RemoteKeySet, Verifier, _clock, jws
from jotgate.cli.demo.population import ACCEPTED, AUDIENCE, ISSUER
from jotgate.cli.demo.publisher import published
from jotgate.errors import JotgateError

if TYPE_CHECKING:
    from collections.abc import Callable

    from jotgate.stores.protocol import Signer

_ROTATIONS = 3
_CLIENTS = 4
_REMEMBERED = 2_000
_TOKEN_SECONDS = 600
_FRESH_SECONDS = 0.3
_STEP_SECONDS = 0.01


class Life(NamedTuple):
    """What became of a ring's tokens."""

    rotations: int
    honest: Counter[str]
    """Verdicts on honest tokens while keys rotated."""
    fetches: int
    hits: int
    remembered: int
    """Outstanding tokens in a hot cache when a key was stolen."""
    near: Counter[str]
    """Verdicts on them right after ``compromise`` returned, by the verifier that reads the ring."""
    far: Counter[str]
    """And by the one that fetches the keys, after its next fetch."""
    forged: Counter[str]
    """Verdicts on what the thief signed, of any epoch, by both."""
    after: Counter[str]
    """Verdicts on tokens that were issued after the compromise."""
    compromise_ms: float
    """From the call of ``compromise`` to its return."""
    far_ms: float
    """From there until the verifier elsewhere refused."""

    @property
    def ok(self) -> bool:
        """Whether no honest token was refused, and none was accepted that must not be."""
        refused = (self.near, self.far, self.forged)
        return (
            set(self.honest) == set(self.after) == {ACCEPTED}
            and all(verdicts.total() and not verdicts[ACCEPTED] for verdicts in refused)
            and self.hits > 0
        )

    @property
    def verdicts(self) -> int:
        """How many there were."""
        return sum(each.total() for each in (self.honest, self.near, self.far, self.forged, self.after))

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return self._asdict() | {"ok": self.ok}


def live(say: Callable[[str, str], None]) -> Life:
    """Let a ring rotate under load, then compromise a key.

    Args:
        say: Called with a step and what was done.
    """
    policy = Policy(algorithms=["ES256"], issuer=ISSUER, audience=AUDIENCE)
    with (
        tempfile.TemporaryDirectory() as directory,
        KeyRing(
            f"{directory}/ring",
            create=True,
            publish_ahead=2 * _FRESH_SECONDS,
            cache_time=_FRESH_SECONDS,
            token_lifetime=_TOKEN_SECONDS,
            leeway=0,
            allow_short_times=True,
        ) as ring,
        published(ring) as url,
        RemoteKeySet(
            url,
            allow_http=True,
            lifetime=_FRESH_SECONDS,
            cache_control=(_FRESH_SECONDS, _FRESH_SECONDS),
            cooldown=_FRESH_SECONDS / 4,
        ) as keys,
        Verifier(keys, policy) as far,
        Verifier(ring, policy) as near,
    ):
        far.warm()
        issuer = Issuer(ISSUER, ring, policy=policy)
        honest = _rotate(ring, issuer, far)
        hits = far.stats()["hits"]
        fetches = keys.stats()["fetched"] + keys.stats()["unchanged"]
        say(
            "rotated",
            f"{_ROTATIONS} times under {_CLIENTS} threads: {honest.total():,} verdicts, {hits:,} from the cache, "
            f"{fetches} fetches, {honest.total() - honest[ACCEPTED]} honest tokens refused",
        )
        return _compromise(say, ring, issuer, far, near, (_ROTATIONS, honest, fetches, hits))


def _rotate(ring: KeyRing, issuer: Issuer, verifier: Verifier) -> Counter[str]:
    verdicts: Counter[str] = Counter()
    done = threading.Event()
    lock = threading.Lock()

    def client() -> None:
        mine: Counter[str] = Counter()
        known: list[str] = []
        while not done.is_set():
            known = [_issue(issuer), *known[:20]]
            for text in known:
                mine[_verdict(verifier, text)] += 1
        with lock:
            verdicts.update(mine)

    clients = [threading.Thread(target=client) for _ in range(_CLIENTS)]
    for thread in clients:
        thread.start()
    try:
        for _ in range(_ROTATIONS):
            # a little more than it takes, and then it may fail
            done.wait(max(0.0, (ring.may_rotate_at or 0) - _clock.now()) + _STEP_SECONDS)
            ring.rotate()
    finally:
        done.set()
        for thread in clients:
            thread.join()
    return verdicts


def _compromise(
    say: Callable[[str, str], None],
    ring: KeyRing,
    issuer: Issuer,
    far: Verifier,
    near: Verifier,
    rotation: tuple[int, Counter[str], int, int],
) -> Life:
    outstanding = [_issue(issuer) for _ in range(_REMEMBERED)]
    for verifier in (far, near):
        for text in outstanding * 2:
            verifier.verify(text)
    stolen = ring.signer()
    loot = [_forge(stolen, epoch) for epoch in range(ring.epoch, ring.epoch + 20)]
    started = default_timer()
    report = ring.compromise(stolen.kid or "")
    returned = default_timer()
    near_verdicts = Counter(_verdict(near, text) for text in outstanding)
    while _verdict(far, outstanding[0]) == ACCEPTED and default_timer() - returned < 10 * _FRESH_SECONDS:
        threading.Event().wait(_STEP_SECONDS)
    refused = default_timer()
    life = Life(
        *rotation,
        remembered=len(outstanding),
        near=near_verdicts,
        far=Counter(_verdict(far, text) for text in outstanding),
        forged=Counter(_verdict(verifier, text) for verifier in (far, near) for text in loot),
        after=Counter(_verdict(verifier, _issue(issuer)) for verifier in (far, near) for _ in range(50)),
        compromise_ms=(returned - started) * 1e3,
        far_ms=(refused - returned) * 1e3,
    )
    say(
        "stolen",
        f"epoch {report.epoch} began in {life.compromise_ms:.1f} ms; of {life.remembered:,} outstanding tokens "
        f"{life.near[ACCEPTED]} are accepted by the issuer's verifier, {life.far[ACCEPTED]} by the other "
        f"{life.far_ms:.0f} ms later, {life.forged[ACCEPTED]} of {life.forged.total()} forged ones by either",
    )
    return life


def _issue(issuer: Issuer) -> str:
    return issuer.issue("user-1", AUDIENCE, lifetime=_TOKEN_SECONDS)


def _forge(key: Signer, epoch: int) -> str:
    now = int(_clock.now())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "admin", "iat": now, "exp": now + _TOKEN_SECONDS}
    return jws.sign(claims | {"epoch": epoch}, key)


def _verdict(verifier: Verifier, text: str) -> str:
    try:
        verifier.verify(text)
    except JotgateError as error:
        return error.code
    return ACCEPTED

"""A key is stolen while four processes verify: what the thief forges counts nowhere, though the JWKS still has the key.

The processes fetch the JWKS once and keep it; it never changes, as behind a CDN that nobody purges.
"""

import json
import statistics
import time
from itertools import product

import pytest
from services.redis_servers import names, store_url
from services.watch import Watch
from services.wire import Server, answer
from support import AUDIENCE, ISSUER, rejects

from jotgate import Issuer, KeyRing, jws
from jotgate.incident import compromise
from jotgate.revocation.revocations import Revocations
from jotgate.sessions.manager import SessionManager
from jotgate.sessions.secrets import FixedSecrets
from jotgate.stores import open_store

PROCESSES = 4
CEILING = 2.0
"""Seconds until every process has heard; it is some hundredths, where the machine has nothing else to do."""
HUGE = 10**12
EPOCHS = (None, 0, 1, 2, HUGE)
ISSUED = (-3600, 0, 1, 10**6)


def forged(thief, name, now, *, epoch, after, **claims):
    """Sign what a thief likes."""
    members = {"iss": ISSUER, "aud": AUDIENCE, "sub": "admin", "iat": now + after, "exp": now + 3600 + max(0, after)}
    return jws.sign(members | ({} if epoch is None else {"epoch": epoch}) | claims, thief)


def forgeries(thief, prefix, now):
    """Return one token for each epoch and date, with an id of its own or none."""
    return {
        f"{prefix} {epoch} {after} {jti}": forged(thief, prefix, now, epoch=epoch, after=after, **jti)
        for epoch, after, jti in product(EPOCHS, ISSUED, ({}, {"jti": prefix}))
    }


@pytest.fixture(params=["sqlite", *names()])
def url(request, tmp_path):
    with store_url(request.param, tmp_path) as url:
        yield url


def test_a_stolen_key_counts_nowhere(url, tmp_path):
    revocations = Revocations(open_store(url), issuer=ISSUER)
    ring = KeyRing(
        tmp_path / "ring",
        create=True,
        algorithm="ES256",
        publish_ahead=0,
        cache_time=0,
        allow_short_times=True,
        epochs=revocations.epochs,
    )
    issuer = Issuer(ISSUER, ring, revocations=revocations)
    sessions = SessionManager(open_store(url), issuer, secrets=FixedSecrets({1: b"s" * 32}))
    other_key = issuer.issue("user-1", AUDIENCE, lifetime=900)
    ring.rotate()
    thief = ring.signer()
    session = sessions.start("user-2", AUDIENCE)
    published = json.dumps(ring.jwks()).encode()  # with its epoch, which will be behind
    now = int(time.time())
    before = {
        "honest": issuer.issue("user-1", AUDIENCE, lifetime=900),
        "honest, by the key before": other_key,
        "honest, of a session": session.access,
        "forged": forged(thief, "x", now, epoch=0, after=-5),
        "forged, without an epoch": forged(thief, "x", now, epoch=None, after=-3600, jti="x"),
    }
    ahead = forgeries(thief, "ahead", now)

    with Server(lambda _: [answer(published, cache_control="max-age=3600")]) as server:
        with Watch(url, {}, before, processes=PROCESSES, url=server.url()) as watch:
            for name in before:
                watch.wait_for(name, "accepted")
            time.sleep(0.3)  # they are remembered by then, and verified from memory
            began = time.monotonic()
            report = compromise(str(thief.kid), ring=ring, revocations=revocations)
            returned = time.monotonic()
            assert report.complete
            for name in before:
                watch.wait_for(name, "revoked", CEILING)
            heard = [at for name in before for at in watch.when(name, "revoked", began)]
            took = [max(0.0, at - returned) for at in heard]

            # What a thief makes later, with everything known that can be known.
            fresh = forgeries(thief, "later", int(time.time()))
            watch.add(ahead | fresh)
            new = {
                "new": issuer.issue("user-1", AUDIENCE, lifetime=900),
                "new session": sessions.start("u", AUDIENCE).access,
            }
            watch.add(new)
            watch.wait_for_any([*ahead, *fresh])
            for name in new:
                watch.wait_for(name, "accepted")
            refused = rejects("invalid_grant", lambda: sessions.refresh(session.refresh))
            assert refused.cause == "old_epoch"
            going_on = sessions.refresh(sessions.start("user-3", AUDIENCE).refresh)
            watch.add({"refreshed": going_on.access})
            watch.wait_for("refreshed", "accepted")
        assert len({request.target for request in server.requests}) == 1

    for name in (*ahead, *fresh):
        assert watch.last_accepted(name) == (0.0, 0.0), name
        if " -3600 " in name or " 0 {" in name:
            assert set(watch.verdicts(name)) == {"revoked"}, name
    for name in before:
        assert watch.last_accepted(name)[1] <= returned + CEILING, name
    assert str(thief.kid) in published.decode()
    assert max(took) < CEILING
    print(
        f"compromise {(returned - began) * 1e3:.1f} ms; {PROCESSES} processes refused {len(before)} tokens "
        f"{statistics.median(took) * 1e3:.1f} ms (median) and {max(took) * 1e3:.1f} ms (longest) after it returned, "
        f"{(statistics.median(heard) - began) * 1e3:.1f} ms (median) after it was called; "
        f"{len(ahead) + len(fresh)} forgeries refused by all"
    )

"""Sessions on real servers: races for one refresh token, and servers that end between any two steps."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from services.redis_servers import Cluster, SentinelSet, Server, binaries, names
from services.session_race import race, race_without_grace
from session_world import OPERATIONS, forged, manager, started, verified
from support import ISSUER, SUBJECT, error_of, policy, signing_key

from jotgate import KeySet, Revocations, Verifier
from jotgate.errors import RefreshError, StoreUnavailableError
from jotgate.stores.redis import RedisStore

pytestmark = pytest.mark.skipif(not names(), reason="there are no wheels of a server for this system")

PATIENT = 10.0  # 64 clients on two busy cores are slow, and not a failure


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="module", params=["single", "sentinel", "cluster"])
def store(request: pytest.FixtureRequest, directory: Path) -> Iterator[RedisStore]:
    place = directory / request.param
    world: Any
    if request.param == "single":
        world, options = Server(place, binaries()[names()[-1]]), {}
    elif request.param == "sentinel":
        world, options = SentinelSet(place, binaries()["valkey8"]), {"replicas": 1}
    else:
        world, options = Cluster(place, binaries()["valkey8"]), {"allow_data_loss": True}
    made = RedisStore(world.url, timeout=PATIENT, **options)
    yield made
    made.close()
    world.kill()


def test_one_successor_of_each_token(store: RedisStore) -> None:
    race(store, 15)


def test_one_winner_and_the_end_of_the_session_without_grace(store: RedisStore) -> None:
    race_without_grace(store, 3)


def test_a_session_that_ended_is_over_everywhere(store: RedisStore) -> None:
    sessions = manager(store)
    keys = KeySet([signing_key("Ed25519").public()])
    with Verifier(keys, policy("EdDSA"), revocations=Revocations(store, on_stale="refuse")) as elsewhere:
        elsewhere.warm()
        tokens, other = started(sessions), started(sessions)
        elsewhere.verify(tokens.access)
        sessions.end(tokens.session)
        assert error_of(lambda: elsewhere.verify(tokens.access, fresh=True)).code == "revoked"
        assert isinstance(error_of(lambda: sessions.refresh(tokens.refresh)), RefreshError)
        elsewhere.verify(other.access, fresh=True)
        assert [info.session for info in sessions.sessions(SUBJECT) if info.session == other.session]
        sessions.end_all(SUBJECT)
        assert error_of(lambda: elsewhere.verify(other.access, fresh=True)).code == "revoked"
        assert sessions.sessions(SUBJECT) == []


class Ending:
    """A store whose server ends, and comes back, before or after a chosen call."""

    def __init__(self, store: RedisStore, restart: Callable[[], None]) -> None:
        self.store, self.restart = store, restart
        self.calls = 0
        self.at: int | None = None
        self.after = False

    def arm(self, at: int | None, *, after: bool = False) -> None:
        self.calls, self.at, self.after = 0, at, after

    def __getattr__(self, name: str) -> Any:
        if name not in OPERATIONS:
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            now = self.calls == self.at
            self.calls += 1
            if now and not self.after:
                self.restart()
            answer = getattr(self.store, name)(*arguments)
            if now and self.after:
                self.restart()
            return answer

        return call

    timeout = PATIENT


@pytest.fixture(scope="module")
def kept(directory: Path) -> Iterator[Server]:
    server = Server(directory / "kept", binaries()[names()[0]])
    yield server
    server.kill()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", range(5))
def test_a_restart_between_any_two_steps(kept: Server, at: int, after: bool) -> None:
    """Whatever the client was told: its token works once more, with one successor, and then never again."""
    store = Ending(RedisStore(kept.url), kept.restart)
    sessions = manager(store)
    first = started(sessions)
    second = sessions.refresh(first.refresh)
    store.arm(at, after=after)
    with suppress(StoreUnavailableError):
        sessions.refresh(second.refresh)
    store.arm(None)
    third = sessions.refresh(second.refresh)
    assert third.refresh == forged(first.session, 2)
    assert verified(third.access)["sid"] == first.session
    refused = error_of(lambda: sessions.refresh(first.refresh))
    assert isinstance(refused, RefreshError)
    assert refused.cause == "stale_lineage"
    assert isinstance(error_of(lambda: sessions.refresh(third.refresh)), RefreshError), "the session is over"


def test_a_server_that_went_back_in_time(tmp_path: Path) -> None:
    """It comes back with what it had before two refreshes: who has which token is not known, so nobody goes on."""
    server = Server(tmp_path / "server", binaries()[names()[0]], appendonly="no", save="")
    try:
        sessions = manager(RedisStore(server.url, allow_data_loss=True))
        first, lost = started(sessions), started(sessions)
        server.run("SAVE")
        unsaved = started(sessions)
        newer = sessions.refresh(sessions.refresh(first.refresh).refresh)
        server.restart()
        refused = error_of(lambda: sessions.refresh(newer.refresh))
        assert isinstance(refused, RefreshError)
        assert (refused.code, refused.cause) == ("invalid_grant", "state_lost")
        assert isinstance(error_of(lambda: sessions.refresh(first.refresh)), RefreshError)
        unknown = error_of(lambda: sessions.refresh(unsaved.refresh))
        assert isinstance(unknown, RefreshError)
        assert unknown.cause == "unknown_session"
        assert sessions.refresh(lost.refresh), "nothing of this one was lost"
    finally:
        server.kill()


def test_a_failover_in_the_middle(directory: Path) -> None:
    """With an acknowledged write nothing is lost: clients are told to try again, and then go on."""
    group = SentinelSet(directory / "failing", binaries()["valkey8"])
    try:
        sessions = manager(RedisStore(group.url, replicas=1, timeout=0.5))
        first = started(sessions)
        second = sessions.refresh(first.refresh)
        old = group.primary
        old.kill()
        with pytest.raises(StoreUnavailableError):
            sessions.refresh(second.refresh)
        group.failover(old)
        third = None
        for _ in range(200):
            try:
                third = sessions.refresh(second.refresh)
                break
            except StoreUnavailableError:
                continue
        assert third is not None
        assert third.refresh == forged(first.session, 2)
        assert isinstance(error_of(lambda: sessions.refresh(first.refresh)), RefreshError)
        assert verified(third.access).issuer == ISSUER
    finally:
        group.kill()

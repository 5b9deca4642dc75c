"""Sessions on Redis and Valkey: raced for, and while clients, servers and whole primaries die."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from services.redis_servers import Server, binaries, names, serving
from services.session_race import CLIENTS, PATIENCE, race, race_without_grace
from session_world import Stumbling, at_once, forged, manager, refreshed_twice, sid_rule, started
from support import error_of, outcome, policy, rejects, verification_key

from jotgate import Revocations, SessionManager, Verifier
from jotgate.errors import RevokedTokenError, StoreUnavailableError
from jotgate.sessions.answers import Tokens
from jotgate.stores import open_store

pytestmark = pytest.mark.skipif(not names(), reason="no server of Redis or Valkey for this machine")
WORLDS = [*names()[:1], "sentinel", "cluster"]
TESTS = Path(__file__).parents[1]


class World(NamedTuple):
    """Servers that several tests share, and what opens a store on them."""

    servers: Any
    open: Callable[..., Any]


@contextmanager
def world_of(kind: str, directory: Path) -> Iterator[World]:
    with serving(kind, directory) as (servers, options), ExitStack() as stack:
        yield World(
            servers,
            lambda timeout=PATIENCE: stack.enter_context(closing(open_store(servers.url, timeout=timeout, **options))),
        )


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_of(request.param, tmp_path_factory.mktemp("servers")) as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one test's own, which has on its disk what it has answered for.

    By ``everysec`` it loses what the second before it was killed has brought: sessions, which fail closed then.
    """
    with Server(tmp_path / "server", binaries()[names()[0]], appendfsync="always") as made:
        yield made


def cause_of(sessions: SessionManager, token: str) -> str | None:
    return rejects("invalid_grant", lambda: sessions.refresh(token)).cause  # type: ignore[attr-defined, no-any-return]


# -- on every kind of server


def test_one_successor_of_each_token(world: World) -> None:
    race(world.open, 8)


def test_one_winner_and_the_end_of_the_session_without_grace(world: World) -> None:
    race_without_grace(world.open, 4)


def test_a_session_and_what_is_taken_back(world: World) -> None:
    """From log-in to the end, in three ways, with managers and verifiers that share nothing but the servers."""
    subject = "somebody else than those who race"
    here, there = manager(world.open()), manager(world.open())
    revocations = Revocations(world.open(), on_stale="refuse")
    accepts = policy("Ed25519")
    with Verifier(
        verification_key("Ed25519"), accepts, revocations=Revocations(world.open(), on_stale="refuse")
    ) as verifier:
        ways: dict[str, Callable[[Tokens], object]] = {
            "ended": lambda tokens: there.end(tokens.session),
            "session_revoked": lambda tokens: revocations.revoke_session(tokens.session),
            "subject_revoked": lambda _: revocations.revoke_subject(subject),
        }
        for cause, take_back in ways.items():
            tokens = here.start(subject, accepts.audience, client_id="app")
            after = there.refresh(tokens.refresh)
            assert after.refresh == forged(tokens.session, 1)
            assert [info.session for info in here.sessions(subject)] == [tokens.session]
            assert verifier.verify(after.access, fresh=True)["sid"] == tokens.session
            take_back(tokens)
            for access in (tokens.access, after.access):
                error = error_of(lambda access=access: verifier.verify(access, fresh=True))
                assert (type(error), error.code) == (RevokedTokenError, "revoked")
            if cause == "session_revoked":
                assert there.describe(after.refresh) is None
                cause = "ended"  # by the word of `describe`
            assert cause_of(here, after.refresh) == cause
            assert sid_rule(world.open(), tokens.session) is not None
        assert here.end_all(subject) == 0
        assert here.sessions(subject) == []


# -- one that dies


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_client_process_is_killed_between_any_two_steps(server: Server) -> None:
    done = subprocess.run(
        [sys.executable, str(TESTS / "isolated" / "session_kill.py"), server.url],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]), "KILLS": "18"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.startswith("18 kills: ")


class Restarting(Stumbling):
    """A store whose server is killed and comes back at a chosen call, which notices nothing of it."""

    def __init__(self, store: Any, server: Server) -> None:
        super().__init__(store)
        self.server = server
        self.restart_at: int | None = None

    def __getattr__(self, name: str) -> Any:
        call = super().__getattr__(name)

        def asked(*arguments: Any) -> Any:
            if len(self.calls) == self.restart_at:
                self.server.restart()
            return call(*arguments)

        return asked if callable(call) else call


# What is done while the server restarts: a refresh by an honest client, and a replay of a token that is used up.
ACTS: dict[str, int] = {"refresh": 2, "replay": 0}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("moment", ["between", "before", "after"])
def test_the_server_restarts_between_any_two_steps(act: str, moment: str, server: Server) -> None:
    """It was killed, and has its append-only file. The call at that moment: is not concerned; fails, not done; fails,
    done."""
    with closing(open_store(server.url, timeout=5)) as real:
        store = Restarting(real, server)
        sessions = manager(store)

        def dies() -> BaseException:
            server.restart()
            return StoreUnavailableError("the server has gone")

        store.failure = dies
        tokens = refreshed_twice(sessions)
        store.arm(None)
        outcome(lambda: sessions.refresh(tokens[ACTS[act]].refresh))
        steps = len(store.calls)
        assert steps >= 3
        for step in range(steps):
            first, second, third = refreshed_twice(sessions)
            presented = (first, second, third)[ACTS[act]].refresh
            store.arm(None if moment == "between" else step, after=moment == "after")
            store.restart_at = step if moment == "between" else None
            results = at_once([partial(sessions.refresh, presented)])
            assert store.calls[step:], "the moment came"
            store.arm(None)
            store.restart_at = None
            if act == "replay":
                assert cause_of(sessions, first.refresh) in ("ended", "stale_lineage"), results
            else:
                again = sessions.refresh(presented)
                assert again.refresh == forged(first.session, 3), "the one successor there is"
                assert {type(result) for result in results} <= {Tokens, StoreUnavailableError}
                assert {result.refresh for result in results if isinstance(result, Tokens)} <= {again.refresh}
                assert sessions.refresh(again.refresh).refresh == forged(first.session, 4)
                assert cause_of(sessions, first.refresh) == "stale_lineage"
            for each in (first, second, third):
                assert cause_of(sessions, each.refresh) == "ended"
            assert sid_rule(store, first.session) is not None


def test_a_primary_dies_in_the_middle_of_a_race(tmp_path: Path) -> None:
    """Honest clients are told to try again, do, and all go on with the same successors as if nothing had happened."""
    with world_of("sentinel", tmp_path) as world:
        # A failover takes some seconds, in which an answer may be lost.
        sessions = [manager(world.open(2), grace=300) for _ in range(4)]
        first = started(sessions[0])
        failures: list[str] = []
        rounds, after = 6, 3
        meet = threading.Barrier(CLIENTS)
        old = world.servers.primary

        def client(number: int) -> list[str]:
            token, seen = first.refresh, []
            for each in range(1, rounds + 1):
                meet.wait(60)
                if (number, each) == (0, after):
                    old.kill()
                while True:
                    try:
                        token = sessions[number % 4].refresh(token).refresh
                        break
                    except StoreUnavailableError as error:
                        failures.append(error.code)
                        threading.Event().wait(0.02)
                seen.append(token)
            return seen

        results = at_once([partial(client, number) for number in range(CLIENTS)])
        expected = [forged(first.session, number) for number in range(1, rounds + 1)]
        assert [result for result in results if result != expected] == [], "no fork, and nobody left behind"
        assert world.servers.primary is not old
        assert set(failures) == {"store_unavailable"}
        assert sum(each.stats()["rotated"] for each in sessions) >= rounds - 1
        assert not any(sum(each.stats()["replay"].values()) + each.stats()["refused"] for each in sessions)
        assert cause_of(sessions[1], first.refresh) == "stale_lineage"
        assert cause_of(sessions[2], expected[-1]) == "ended"
        assert sid_rule(world.open(), first.session) is not None


# -- one that forgets


def test_state_that_is_gone(tmp_path: Path) -> None:
    """A server without a file, which the operator allows to lose what it has: it forgets a rotation, then everything.

    What it has forgotten nobody can tell, but that it has forgotten is noticed, and fails closed.
    """
    with Server(tmp_path / "server", binaries()[names()[0]], appendonly="no") as server:
        logging.getLogger("jotgate.sessions").addHandler(logging.NullHandler())
        with closing(open_store(server.url, timeout=5)) as strict:
            rejects("invalid_policy", lambda: started(manager(strict)))
        with closing(open_store(server.url, timeout=5, allow_data_loss=True)) as store:
            sessions = manager(store)
            first, untouched = started(sessions), started(sessions)
            server.run("SAVE")
            unsaved = started(sessions)
            second = sessions.refresh(first.refresh)
            assert second.refresh == forged(first.session, 1)
            server.restart()
            assert sessions.describe(second.refresh) is None
            assert cause_of(sessions, second.refresh) == "state_lost"
            assert cause_of(sessions, first.refresh) == "ended"
            assert sid_rule(store, first.session) is not None
            assert cause_of(sessions, unsaved.refresh) == "unknown_session"
            untouched = sessions.refresh(untouched.refresh)  # nothing of this one was lost
            server.restart(keep_data=False)
            assert sessions.describe(untouched.refresh) is None
            assert cause_of(sessions, untouched.refresh) == "unknown_session"
            assert sessions.refresh(started(sessions).refresh), "a log-in goes on"

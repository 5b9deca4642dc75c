"""SIGKILL in the middle of a refresh: an honest client goes on, a replay ends the session.

A child refreshes a session again and again and writes each token down before it presents it. It is killed at any
moment. Then the last token it presented is tried again: it gets the one successor there is. Then an old one is
replayed. On SQLite, or on the store whose URL is given.
"""

import logging
import os
import random
import signal
import sys
import tempfile
import time
import traceback
import warnings

from session_world import forged, manager, sid_rule, started

from jotgate.errors import RefreshError
from jotgate.stores import open_store

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

logging.getLogger("jotgate").addHandler(logging.NullHandler())  # replays are meant to be logged, not here

KILLS = int(os.environ.get("KILLS", "40"))
WAYS = ("refresh", "end", "replay")


def causes_of(sessions, token: str) -> str | None:
    try:
        sessions.refresh(token)
    except RefreshError as error:
        return error.cause
    return None


def child(url: str, session: str, token: str, way: str, pipe: int) -> None:
    """Use a session until killed, and tell each token before it is presented."""
    store = open_store(url, timeout=5)
    sessions = manager(store)
    os.write(pipe, f"{token}\n".encode())
    if way == "refresh":
        while True:
            token = sessions.refresh(token).refresh
            os.write(pipe, f"{token}\n".encode())
    second = sessions.refresh(token)
    os.write(pipe, f"{second.refresh}\n".encode())
    third = sessions.refresh(second.refresh)
    os.write(pipe, f"{third.refresh}\n".encode())
    if way == "end":
        sessions.end(session)
    else:
        assert causes_of(sessions, token) == "stale_lineage"


def killed_after(seconds: float, url: str, session: str, token: str, way: str) -> list[str]:
    """Return the tokens that a child had presented, or was about to present, when it was killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        try:
            child(url, session, token, way, writer)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as lines:
        presented = [lines.readline().strip()]  # it has begun
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        presented += [line.strip() for line in lines if line.endswith("\n")]
    status = os.waitpid(pid, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return presented


with tempfile.TemporaryDirectory() as directory:
    url = sys.argv[1] if sys.argv[1:] else f"sqlite:{directory}/sessions.db"
    chance = random.Random(20261124)
    gone_on = ended = 0
    for number in range(KILLS):
        way = WAYS[number % 3]
        store = open_store(url, timeout=5)
        sessions = manager(store)
        subject = f"user-{number}"  # each its own: whoever began anew after `end_all` would wait for the next second
        first = started(sessions, subject)
        store.close()
        presented = killed_after(chance.uniform(0, 0.02), url, first.session, first.refresh, way)
        store = open_store(url, timeout=5)
        sessions = manager(store)
        assert [forged(first.session, counter) for counter in range(len(presented))] == presented
        over = causes_of(sessions, presented[-1])
        if way == "refresh":
            # the client saw no answer, tries again and goes on
            assert over is None, over
            last = sessions.refresh(presented[-1])
            assert last.refresh == forged(first.session, len(presented))
            last = sessions.refresh(sessions.refresh(last.refresh).refresh)
            gone_on += 1
            assert causes_of(sessions, presented[-1]) == "stale_lineage"
            assert causes_of(sessions, last.refresh) == "ended"
        else:
            ended += over == "ended"
            assert over in (None, "ended"), over
            if over is None:
                sessions.end(first.session)
            # half ended or not, it is over and verifiers are told
            assert causes_of(sessions, presented[-1]) == "ended"
        assert sid_rule(store, first.session) is not None
        assert sessions.end_all(subject) == 0
        assert sessions.sessions(subject) == []
        store.close()
    assert gone_on
    print(f"{KILLS} kills: {gone_on} sessions went on, {ended} were found over")

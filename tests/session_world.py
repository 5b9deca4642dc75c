"""What tests of sessions share: a manager on any store, and stores that fail, die or count at a chosen call."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from support import AUDIENCE, ISSUER, SUBJECT, signing_key, verifier

from jotgate import Issuer, SessionManager, VerifiedToken
from jotgate.errors import StoreUnavailableError
from jotgate.sessions import refresh_token
from jotgate.sessions.answers import Tokens
from jotgate.sessions.secrets import FixedSecrets
from jotgate.stores.memory import MemoryEpochs, MemoryStore
from jotgate.stores.rules import Rule, RuleKey

SECRET = bytes(range(100, 132))
OLD_SECRET = bytes(range(50, 82))
SESSION = "AAECAwQFBgcICQoLDA0ODw"


def issuer(epochs: MemoryEpochs | None = None) -> Issuer:
    # EdDSA: the cheapest key to sign with that everybody can verify
    return Issuer(ISSUER, signing_key("Ed25519"), epochs=epochs)


def manager(store: Any = None, *, of: Issuer | None = None, **options: Any) -> SessionManager:
    settings: dict[str, Any] = {"secrets": FixedSecrets({1: SECRET})}
    return SessionManager(MemoryStore() if store is None else store, of or issuer(), **(settings | options))


def started(sessions: SessionManager, subject: str = SUBJECT, **options: Any) -> Tokens:
    return sessions.start(subject, AUDIENCE, **options)


def refreshed_twice(sessions: SessionManager) -> list[Tokens]:
    """Return the tokens of a new session: too old by now, the previous ones, the current ones."""
    first = started(sessions)
    second = sessions.refresh(first.refresh)
    return [first, second, sessions.refresh(second.refresh)]


def forged(session: str, counter: int, *, version: int = 1, secret: bytes = SECRET) -> str:
    """Return a token as the library makes it: for counters that it has not given out."""
    return refresh_token.made(version, secret, session, counter)


@functools.cache
def _access_verifier() -> Any:
    return verifier("Ed25519")


def verified(access: str) -> VerifiedToken:
    return _access_verifier().verify(access)


def sid_rule(store: Any, session: str) -> Rule | None:
    return store.rules([RuleKey("sid", ISSUER, session)])[0]


OPERATIONS = ("write", "advance_epoch", "rules", "snapshot", "read", "swap", "join", "leave", "members", "now")


class Stumbling:
    """A store that fails at chosen calls: before it has done anything, or when it has done all of it.

    With `fail_at` None it counts the calls, whose names are in `calls`.
    """

    timeout = 1.0

    def __init__(self, store: Any) -> None:
        self.store = store
        self.fail_at: int | None = None
        self.after = False
        self.failure: Callable[[], BaseException] = lambda: StoreUnavailableError("the store fails here")
        self.calls: list[str] = []

    def arm(self, fail_at: int | None, *, after: bool = False) -> None:
        self.fail_at, self.after = fail_at, after
        self.calls.clear()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if name not in OPERATIONS:
            return method

        def call(*arguments: Any) -> Any:
            number = len(self.calls)
            self.calls.append(name)
            if number != self.fail_at:
                return method(*arguments)
            if self.after:
                method(*arguments)
            raise self.failure()

        return call


class Down:
    """A store that does not answer."""

    timeout = 1.0

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any) -> Any:
            raise StoreUnavailableError("the store does not answer")

        return call


class Untouched:
    """A store that must not be asked."""

    timeout = 1.0

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any) -> Any:
            raise AssertionError(f"the store was asked to {name}")

        return call


def at_once(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run functions in a thread each, all let go at one moment, and return what they returned or raised."""
    gate = threading.Barrier(len(work))
    results: list[Any] = [None] * len(work)

    def run(number: int, function: Callable[[], Any]) -> None:
        gate.wait()
        try:
            results[number] = function()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(work)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

"""A publisher of keys without a network: a `fetch` callable whose answers a test scripts, and that counts and gates."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from support import signing_key

from jotgate import KeySet, RemoteKeySet, SigningKey, _clock
from jotgate.keys.feed import KeyFeed, Supply

URL = "https://auth.example.com/jwks.json"
SECOND = 1_000_000_000


def document(*keys: SigningKey, **members: Any) -> bytes:
    return json.dumps({"keys": [key.public_jwk() for key in keys], **members}).encode()


class Publisher:
    """Answers like an endpoint. It is called on a thread of the key set's own."""

    def __init__(self, *keys: SigningKey, **members: Any) -> None:
        self.body = document(*keys, **members)
        self.headers: dict[str, str] = {}
        self.status = 200
        self.error: BaseException | None = None
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def publish(self, *keys: SigningKey, **members: Any) -> None:
        self.body = document(*keys, **members)

    def __call__(self, url: str, headers: Mapping[str, str], timeout: float) -> tuple[int, Mapping[str, str], bytes]:
        self.calls.append((url, dict(headers)))
        status, answered, body, error = self.status, dict(self.headers), self.body, self.error
        self.entered.release()
        self.gate.wait(20)
        if error is not None:
            raise error
        return status, answered, body

    def keys(self, **options: Any) -> RemoteKeySet:
        return RemoteKeySet(URL, fetch=self, **options)


A, B, C = (signing_key("ES256", kid=kid) for kid in ("a", "b", "c"))
"""One key under three names: what differs is the kid."""


class Monotonic:
    """The monotonic clock, stopped; what waits for it in the background is not woken."""

    def __init__(self) -> None:
        self._ns = 10_000 * SECOND
        _clock.set_monotonic_clock_for_tests(self._ns)

    def forward(self, seconds: float) -> None:
        self._ns += int(seconds * SECOND)
        _clock.set_monotonic_clock_for_tests(self._ns)


@contextmanager
def stopped_monotonic() -> Iterator[Monotonic]:
    try:
        yield Monotonic()
    finally:
        _clock.set_monotonic_clock_for_tests(None)


class Scripted:
    """Of a feed in the test's hand: it notes what it is asked in `asked`, and gives the next of its `answers`."""

    __slots__ = ()
    asked: list[str]
    answers: list[Any]

    def _answer(self, want: str) -> Any:
        self.asked.append(want)
        answer = self.answers.pop(0) if self.answers else False
        if callable(answer):
            answer = answer()
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Hand(Scripted, KeyFeed):
    """A feed of keys in the test's hand."""

    def __init__(self, *keys, usable_until=None, epoch=None):
        super().__init__()
        self.supply = Supply(KeySet([key.public() for key in keys]) if keys else None, usable_until, epoch)
        self.asked = []
        self.answers = []

    def _supply(self):
        return self.supply

    def _renew(self, want):
        return self._answer(want)

    async def _renew_async(self, want):
        return self._renew(want)

    def stats(self):
        return {"asked": len(self.asked)}

    def warm(self):
        self.asked.append("warm")

    async def warm_async(self):
        self.asked.append("warm_async")

    def give(self, *keys, usable_until=None, epoch=None):
        self.supply = Supply(KeySet([key.public() for key in keys]), usable_until, epoch)
        self._tell()
        return True

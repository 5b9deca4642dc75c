"""Those who present tokens, and what they hold each answer against."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import json
import random
import time
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jotgate import Verifier
from jotgate.errors import JotgateError
from jotgate.keys.freshness import KeyState

from .plan import HONEST_ONLY, LAG, is_hostile

ACCEPTED = "accepted"
WITHOUT_KEYS = (KeyState.EMPTY, KeyState.DEAD)
NO_KEYS = "key_fetch_failed"
MARGIN = 0.25
"""An honest client does not present a token that ends within so many seconds."""
ALLOWED = {
    "tampered": {"bad_signature", "unknown_key", NO_KEYS},
    "expired": {"expired", "unknown_key", NO_KEYS},
    "removed": {ACCEPTED, "unknown_key", NO_KEYS},
    "rollback": {"unknown_key", "revoked", NO_KEYS},
    "unknown": {"unknown_key", NO_KEYS},
}
"""What may come of each sort of token that is not honest; ``removed`` is looked at more closely."""
MOST_OFFENCES = 20
waits: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("waits", default=None)
"""What the call under way waits for: a key set notes it here."""


class Token(NamedTuple):
    """A token that the issuer signed."""

    text: str
    kid: str
    until: float


class News:
    """What the issuer has told so far."""

    def __init__(self, path: Path) -> None:
        self._file = path.open()
        self._rest = ""
        self.fresh: deque[Token] = deque(maxlen=400)
        self.known: deque[Token] = deque(maxlen=400)
        """Accepted once: the next time they are remembered."""
        self.expired: deque[Token] = deque(maxlen=20)
        self.long: dict[str, list[Token]] = {}
        self.rollback: list[Token] = []
        self.leaves: dict[str, float] = {}
        self.left: dict[str, float] = {}
        self.stop = False

    def read(self) -> None:
        """Read on."""
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, news: dict[str, Any]) -> None:
        if "leaves" in news:
            self.leaves[news["leaves"]] = news["at"]
        elif "left" in news:
            self.left[news["left"]] = news["at"]
        elif "stop" in news:
            self.stop = True
        else:
            token = Token(news["token"], news["kid"], news["until"] or float("inf"))
            if news["sort"] == "long":
                self.long.setdefault(token.kid, []).append(token)
            if news["sort"] in ("short", "long"):
                self.fresh.append(token)
            else:
                getattr(self, news["sort"]).append(token)

    def good_until(self, token: Token) -> float:
        """Until when a token is honest."""
        return min(token.until, self.leaves.get(token.kid, float("inf")))


class Presented(NamedTuple):
    """One token on its way."""

    sort: str
    text: str
    token: Token | None = None
    hot: bool = False


class Call(NamedTuple):
    """What was the case around a call."""

    began: float
    ended: float
    before: KeyState
    after: KeyState
    waited: list[str]
    vouched: float
    """Keys that had been removed at this moment, the key set can have heard of when the call began."""

    @property
    def usable(self) -> bool:
        """Whether there were keys that counted, all the time."""
        return self.before not in WITHOUT_KEYS and self.after not in WITHOUT_KEYS


class Tally:
    """What one client has seen."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self.offences: list[str] = []
        self.held, self.all = array("d"), array("d")
        """Seconds of the calls with honest tokens alone while there were usable keys; of all calls."""
        self.without_keys = self.hot_without_keys = 0


class Client:
    """One who presents tokens in turns, until the news say stop.

    Args:
        process: The process, with ``name``, ``news``, ``keys``, ``verifier``, ``vouched`` and ``jumped_at``.
        number: Of the client.
        size: How many honest tokens it presents at once.
    """

    def __init__(self, process: Any, number: int, size: int = 1) -> None:
        self.process = process
        self.news: News = process.news
        self.hostile = number >= HONEST_ONLY
        self.size = size
        self.tally = Tally()
        self.random = random.Random(f"{process.name} {number}")

    # -- what to present

    def turn(self) -> list[Presented]:
        """Return what to present next."""
        if self.hostile and is_hostile(self.process.name, time.monotonic()):
            return self._hostile()
        dice = self.random.random()
        if dice < 0.85:
            return [each for each in (self._honest() for _ in range(self.size)) if each is not None]
        if dice < 0.95:
            return self._tampered()
        return [Presented("expired", each.text) for each in _some(self.random, self.news.expired)]

    def _honest(self) -> Presented | None:
        now = time.monotonic()
        if self.random.random() < 0.7:
            for token in _some(self.random, self.news.known, 4):
                if now < self.news.good_until(token) - MARGIN:
                    return Presented("honest", token.text, token, hot=True)
        while True:
            try:
                token = self.news.fresh.popleft()
            except IndexError:
                return None
            if now < self.news.good_until(token) - MARGIN:
                return Presented("honest", token.text, token)

    def _tampered(self) -> list[Presented]:
        found = self._honest()
        if found is None or found.token is None:
            return []
        at = self.random.randrange(found.text.rindex(".") + 1, len(found.text) - 4)
        other = "A" if found.text[at] != "A" else "B"
        return [found, Presented("tampered", found.text[:at] + other + found.text[at + 1 :], found.token)]

    def _hostile(self) -> list[Presented]:
        dice = self.random.random()
        if dice < 0.2:
            gone = [kid for kid in tuple(self.news.left) if kid in self.news.long]
            tokens = [token for kid in gone[-4:] for token in self.news.long[kid][-2:]]
            return [Presented("removed", token.text, token) for token in tokens]
        if dice < 0.25:
            return [Presented("rollback", token.text, token) for token in self.news.rollback]
        return [Presented("unknown", self._unknown()) for _ in range(25)]

    def _unknown(self) -> str:
        header = json.dumps({"alg": "ES256", "typ": "JWT", "kid": self.random.randbytes(16).hex()})
        return f"{base64.urlsafe_b64encode(header.encode()).rstrip(b'=').decode()}.e30.{'A' * 86}"

    # -- how to present it

    def run(self) -> None:
        """Present one token after the other."""
        while not self.news.stop:
            for each in self.turn():
                self._present([each])
            time.sleep(self.random.uniform(0.01, 0.03))

    def run_batches(self) -> None:
        """Present all tokens of a turn at once."""
        while not self.news.stop:
            turn = self.turn()
            if turn:
                self._present(turn)
            time.sleep(self.random.uniform(0.02, 0.06))

    async def run_async(self) -> None:
        """Present one token after the other, in an event loop."""
        while not self.news.stop:
            for each in self.turn():
                noted, vouched = self._begin()
                before, began = self.process.keys.state, time.monotonic()
                code = await _code_async(self.process.verifier, each.text)
                call = Call(began, time.monotonic(), before, self.process.keys.state, noted, vouched)
                self._note([each], [code], call)
            await asyncio.sleep(self.random.uniform(0.01, 0.03))

    def _begin(self) -> tuple[list[str], float]:
        noted: list[str] = []
        waits.set(noted)
        return noted, self.process.vouched

    def _present(self, turn: list[Presented]) -> None:
        noted, vouched = self._begin()
        before, began = self.process.keys.state, time.monotonic()
        if self.size == 1:
            codes: Sequence[str] = [_code(self.process.verifier, turn[0].text)]
        else:
            codes = self.process.verifier.verify_batch([each.text for each in turn]).code
        call = Call(began, time.monotonic(), before, self.process.keys.state, noted, vouched)
        self._note(turn, codes, call)

    # -- what to say of the answers

    def _note(self, turn: list[Presented], codes: Sequence[str], call: Call) -> None:
        took = call.ended - call.began
        self.tally.all.append(took)
        if call.usable and all(each.sort == "honest" for each in turn):
            self.tally.held.append(took)
            if call.waited:
                self._offence("waited for a fetch while usable keys were held", turn[0], "", call)
        for each, code in zip(turn, codes, strict=True):
            self.tally.answers[each.sort, code] += 1
            wrong = self._wrong(each, code, call)
            if wrong:
                self._offence(wrong, each, code, call)

    def _wrong(self, each: Presented, code: str, call: Call) -> str | None:
        if each.sort == "honest":
            return self._wrong_honest(each, code, call)
        if code not in ALLOWED[each.sort]:
            return "an answer that must not be"
        if each.sort == "removed" and code == ACCEPTED:
            assert each.token is not None
            if call.vouched > self.news.left[each.token.kid] + LAG:
                return "accepted after its key was removed and the keys refreshed"
        return None

    def _wrong_honest(self, each: Presented, code: str, call: Call) -> str | None:
        assert each.token is not None
        if code == ACCEPTED:
            self.news.known.append(each.token)
            dead = call.before is KeyState.DEAD and call.after is KeyState.DEAD
            return "accepted while the keys were dead" if dead else None
        if code == NO_KEYS and (not call.usable or call.began <= self.process.jumped_at <= call.ended):
            self.tally.without_keys += 1
            self.tally.hot_without_keys += each.hot and call.before is KeyState.DEAD
            return None
        late = call.ended > self.news.good_until(each.token)
        return None if late and call.ended - call.began > MARGIN else "refused an honest token"

    def _offence(self, what: str, each: Presented, code: str, call: Call) -> None:
        if len(self.tally.offences) < MOST_OFFENCES:
            kid = None if each.token is None else each.token.kid
            self.tally.offences.append(
                f"{call.began:.3f} {self.process.name}: {what}: {each.sort} {code} kid={kid} "
                f"{call.before}->{call.after} waited={call.waited} {call.ended - call.began:.3f} s"
            )


def _some(chooser: random.Random, tokens: deque[Token], count: int = 1) -> list[Token]:
    try:
        return chooser.choices(tokens, k=count) if tokens else []
    except IndexError:  # another thread took one
        return []


def _code(verifier: Verifier, text: str) -> str:
    try:
        verifier.verify(text)
    except JotgateError as error:
        return str(error.code)
    return ACCEPTED


async def _code_async(verifier: Verifier, text: str) -> str:
    try:
        await verifier.verify_async(text)
    except JotgateError as error:
        return str(error.code)
    return ACCEPTED

"""The issuing side: key rings that rotate once a second, tokens under their keys, and an endpoint with faults."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from services.wire import ANSWERS, Action, Request, answer, chunked, redirect
from support import AUDIENCE, ISSUER, SUBJECT

from jotgate import KeyRing, jws
from jotgate.stores.memory import MemoryEpochs

from .plan import BLACKOUT, COOLDOWN, GOOD_AFTER, LAG, LINES, RING, TOKEN_LIFETIME

ISSUE_EVERY = 0.1
LONG = 3600.0
HARMLESS = {"ok", "ok_chunked", "ok_without_length", "ok_in_two_pieces", "not_modified"}
FAULTS = [name for name in ANSWERS if name not in HARMLESS] + ["redirect", "rollback"]
CACHE_CONTROL = ({}, {"cache_control": "max-age=1"}, {"cache_control": "max-age=86400"}, {"cache_control": "no-cache"})


class Document(NamedTuple):
    """What was published from a moment on."""

    since: float
    body: bytes
    etag: str


class Line:
    """One ring, and when it rotates next."""

    def __init__(self, path: Path, algorithm: str, epochs: MemoryEpochs) -> None:
        self.ring = KeyRing(path, create=True, algorithm=algorithm, epochs=epochs, **RING)
        self.due = 0.0


class Issuer:
    """Rotates, publishes, issues, and writes what there is to know to a file that the verifiers' processes read.

    Args:
        directory: Where the rings and the file are.
        endpoint: Gets each document.
    """

    def __init__(self, directory: Path, endpoint: Endpoint) -> None:
        self._epochs = MemoryEpochs()
        self._lines = [Line(directory / f"ring-{at}", name, self._epochs) for at, name in enumerate(LINES)]
        self._endpoint = endpoint
        self._news = (directory / "news").open("w", buffering=1)
        self._published: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="issuer")
        self.failure: BaseException | None = None
        self.rotations = self.issued = self.removed = 0
        self._begin()

    def _begin(self) -> None:
        """Have a past: a key that was compromised, and a document of that time."""
        lost = self._lines[0].ring.signer()
        endpoint = self._endpoint
        endpoint.older = self._document()
        self._lines[0].ring.compromise(str(lost.kid))
        self._publish()
        for epoch in (0, 1):
            self._tell(token=self._sign(lost, LONG, epoch=epoch), sort="rollback", kid=lost.kid, until=None)
        now = time.monotonic()
        for place, line in enumerate(self._lines):
            line.due = now + RING["publish_ahead"] + 0.1 + place

    def start(self) -> None:
        """Begin to rotate and to issue."""
        self._thread.start()

    def stop(self) -> None:
        """End it, and tell the verifiers' processes to end."""
        self._stop.set()
        self._thread.join()
        self._tell(stop=True)
        self._news.close()

    def _run(self) -> None:
        try:
            while not self._stop.wait(ISSUE_EVERY / 2):
                self._rotate()
                self._publish()
                self._issue()
                self._stop.wait(ISSUE_EVERY / 2)
        except BaseException as error:
            self.failure = error

    def _rotate(self) -> None:
        now = time.monotonic()
        for line in self._lines:
            if now >= line.due:
                retires = str(line.ring.signer().kid)
                line.ring.rotate()
                line.due = max(line.due + len(self._lines), now + RING["publish_ahead"])
                self.rotations += 1
                gone_at = next(key.gone_at for key in line.ring.keys if key.kid == retires)
                assert gone_at is not None
                self._tell(leaves=retires, at=now + gone_at - time.time())
                line.ring.prune()

    def _document(self) -> bytes:
        keys = [key for line in self._lines for key in line.ring.jwks()["keys"]]
        return json.dumps({"keys": keys, "jotgate_epoch": self._epochs.current()}).encode()

    def _publish(self) -> None:
        body = self._document()
        if self._endpoint.publish(body):
            kids = {key["kid"] for key in json.loads(body)["keys"]}
            for kid in self._published - kids:
                self.removed += 1
                self._tell(left=kid, at=time.monotonic())
            self._published = kids

    def _issue(self) -> None:
        for line in self._lines:
            key = line.ring.signer()
            sort, lifetime = random.choice((("short", TOKEN_LIFETIME),) * 8 + (("long", LONG), ("expired", -10.0)))
            until = time.monotonic() + lifetime
            self._tell(token=self._sign(key, lifetime), sort=sort, kid=key.kid, until=until)
            self.issued += 1

    def _sign(self, key: Any, lifetime: float, **changes: Any) -> str:
        now = time.time()
        claims = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "exp": now + lifetime}
        return jws.sign(claims | {"epoch": self._epochs.current(), "jti": random.randbytes(8).hex()} | changes, key)

    def _tell(self, **members: Any) -> None:
        self._news.write(json.dumps(members) + "\n")


class Endpoint:
    """The script of a `wire.Server`: the document of the moment, or a fault; each process has its own luck.

    Args:
        seed: Of the faults.
        log: Where each answer is written.
    """

    def __init__(self, seed: int, log: Any) -> None:
        self.older = b""
        """A document from before a compromise."""
        self.asked: dict[str, list[float]] = {}
        """When each process asked."""
        self.answered: Counter[str] = Counter()
        self.blackout = (float("inf"), float("inf"))
        self._documents: deque[Document] = deque(maxlen=50)
        self._random = random.Random(seed)
        self._log = log
        self._lock = threading.Lock()
        self._good_at: dict[str, float] = {}

    @property
    def served(self) -> set[str]:
        """The processes that have had a good answer."""
        return set(self._good_at)

    def publish(self, body: bytes) -> bool:
        """Serve a document from now on; False: it is the one that is served already."""
        if self._documents and self._documents[-1].body == body:
            return False
        self._documents.append(Document(time.monotonic(), body, f'"{len(body)}-{time.monotonic_ns()}"'))
        return True

    def black_out(self, start: float) -> None:
        """Let nobody have anything good for a while."""
        self.blackout = (start, start + BLACKOUT)

    def __call__(self, request: Request) -> Iterable[Action]:
        now, process = time.monotonic(), request.headers["x-process"]
        with self._lock:
            self.asked.setdefault(process, []).append(now)
            name, actions = self._choose(process, now, request)
            self.answered[name] += 1
        self._log(now, process, f"asked the endpoint: {name}")
        return actions

    def _choose(self, process: str, now: float, request: Request) -> tuple[str, Iterable[Action]]:
        good_at = self._good_at.get(process)
        dark = self.blackout[0] <= now < self.blackout[1]
        if good_at is None and len(self.asked[process]) == 1:
            return "error_503", ANSWERS["error_503"](b"")  # EMPTY is to last for a moment
        well = good_at is None or now - good_at > GOOD_AFTER or self._random.random() < 0.4
        if well and not dark:
            self._good_at[process] = now
            return self._well(now, request)
        name = self._random.choice(FAULTS)
        if name == "redirect":
            return name, redirect("302 Found", "/elsewhere.json")
        if name == "rollback":
            return name, [answer(self.older)]
        return name, ANSWERS[name](self._documents[-1].body)

    def _well(self, now: float, request: Request) -> tuple[str, Iterable[Action]]:
        way = self._random.choice(("", "", "slow", "lagging", "chunked", "as html", "without a length"))
        document = self._documents[-1]
        if way == "lagging":
            document = next((each for each in reversed(self._documents) if each.since <= now - LAG), document)
        headers = self._random.choice(CACHE_CONTROL)
        if request.headers.get("if-none-match") == document.etag:
            return "304", [answer(status="304 Not Modified", etag=document.etag, **headers)]
        whole = answer(document.body, etag=document.etag, **headers)
        if way == "slow":
            return "200 slow", [COOLDOWN + 0.1, whole]
        if way == "chunked":
            return "200 chunked", [chunked(document.body[:99], document.body[99:])]
        if way == "as html":
            return "200 as html", [answer(document.body, content_type="text/html", etag=document.etag)]
        if way == "without a length":
            return "200 without a length", [b"HTTP/1.1 200 OK\r\n\r\n" + document.body]
        return f"200 {way}".strip(), [whole]

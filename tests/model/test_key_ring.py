"""A ring over months, by two processes, against what its issuer promises.

At every moment every honest token that has not expired verifies with any JWKS document that a cache may still hold, but
for what a compromise takes back; and a key that was compromised is in no document fetched since.
"""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support import MovingClock, outcome

from jotgate import KeyRing, KeySet, _clock, errors, jws

ALGORITHMS = ["ES256", "EdDSA"]
PUBLISH_AHEAD, LIFETIME, LEEWAY, CACHE = 7200, 900, 60, 3600
STEPS = [0.3, 0.5, 1, 60, 900, 1800, 3600, 7200, 86400]
NOTICED = 0.5
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where waiting for the disk takes no time


class Token(NamedTuple):
    text: str
    kid: str
    epoch: int
    expires_at: float


class Document(NamedTuple):
    fetched_at: float
    keys: KeySet
    kids: frozenset[str]


class RingMachine(RuleBasedStateMachine):
    @initialize(algorithm=st.sampled_from(ALGORITHMS))
    def found(self, algorithm: str) -> None:
        self.clock = MovingClock()
        self.directory = Path(tempfile.mkdtemp(prefix="jotgate-ring-", dir=MEMORY))
        times = {"publish_ahead": PUBLISH_AHEAD, "token_lifetime": LIFETIME, "leeway": LEEWAY, "cache_time": CACHE}
        first = KeyRing(self.directory / "ring", create=True, algorithm=algorithm, **times)
        self.rings = [first, KeyRing(self.directory / "ring")]
        self.tokens: list[Token] = []
        self.documents: list[Document] = []
        self.lost: dict[str, float] = {}
        self.epoch = 0
        self.hurried: dict[str, float] = {}
        self.fetch(0)

    def teardown(self) -> None:
        _clock.set_wall_clock_for_tests(None)
        _clock.set_monotonic_clock_for_tests(None)
        if hasattr(self, "directory"):
            shutil.rmtree(self.directory)

    which = st.integers(0, 1)

    @rule(seconds=st.sampled_from(STEPS))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(which=which, lifetime=st.sampled_from([1, 60, LIFETIME]))
    def issue(self, which: int, lifetime: int) -> None:
        ring = self.rings[which]
        signer, epoch = ring.signer(), ring.epoch
        expires_at = self.clock.now + lifetime
        text = jws.sign({"exp": expires_at, "epoch": epoch}, signer)
        self.tokens.append(Token(text, str(signer.kid), epoch, expires_at))

    @rule(which=which)
    def fetch(self, which: int) -> None:
        document = self.rings[which].jwks()
        for key in document["keys"]:
            assert not {"d", "p", "q", "k", "priv"} & key.keys()
        kids = frozenset(key["kid"] for key in document["keys"])
        late = {kid for kid in kids & self.lost.keys() if self.clock.now >= self.lost[kid] + NOTICED}
        assert not late, "a distrusted key is published again"
        self.documents.append(Document(self.clock.now, KeySet.from_jwks(document), kids))

    @rule(which=which)
    def rotate(self, which: int) -> None:
        ring = self.rings[which]
        waiting = next((key for key in KeyRing(self.directory / "ring").keys if key.state == "next"), None)
        assert waiting is not None
        error = outcome(ring.rotate)
        if self.clock.now < waiting.published_at + PUBLISH_AHEAD:
            assert type(error) is errors.PolicyError
            assert error.code == "invalid_policy"
        else:
            assert error is None
            assert ring.signer().kid == waiting.kid

    @rule(which=which, algorithm=st.sampled_from([None, *ALGORITHMS]))
    def stage(self, which: int, algorithm: str | None) -> None:
        self.rings[which].stage(algorithm)

    @rule(which=which, number=st.integers(0, 9))
    def compromise(self, which: int, number: int) -> None:
        ring = self.rings[which]
        self.clock.advance(NOTICED)
        records = ring.keys
        lost = records[number % len(records)]
        before = ring.signer().kid
        report = ring.compromise(lost.kid)
        self.epoch += 1
        assert report.epoch == ring.epoch == self.epoch
        assert ring.signer().kid == report.active_kid
        assert (report.active_kid != before) == (lost.kid == before)
        self.lost[lost.kid] = self.clock.now
        if report.active_kid != before:
            made = next(key.published_at for key in ring.keys if key.kid == report.active_kid)
            self.hurried[report.active_kid] = made
        self.fetch(which)

    @precondition(lambda self: self.lost)
    @rule(which=which)
    def compromise_again(self, which: int) -> None:
        assert self.rings[which].compromise(next(iter(self.lost))).kid in self.lost
        assert self.rings[which].epoch == self.epoch

    @rule(which=which, rotate_every=st.sampled_from([None, 3600, 86400]))
    def maintain(self, which: int, rotate_every: int | None) -> None:
        ring = self.rings[which]
        ring.maintain(rotate_every=rotate_every)
        assert ring.maintain(rotate_every=rotate_every) == (None, None, (), None)

    @rule(which=which)
    def prune(self, which: int) -> None:
        ring = self.rings[which]
        ring.prune()
        assert all(record.state != "gone" for record in ring.keys)

    @rule(which=which)
    def open_again(self, which: int) -> None:
        self.rings[which] = KeyRing(self.directory / "ring")

    @invariant()
    def honest_tokens_verify(self) -> None:
        if not hasattr(self, "clock"):
            return
        now = self.clock.now
        self.documents = [each for each in self.documents if now < each.fetched_at + CACHE]
        self.tokens = [each for each in self.tokens if now < each.expires_at + LEEWAY and each.epoch == self.epoch]
        for token in self.tokens:
            for document in self.documents:
                if document.fetched_at <= self.hurried.get(token.kid, 0) + NOTICED:
                    continue  # its key had to sign before every cache could have it
                assert token.kid in document.kids
        for token in self.tokens[-2:]:
            for document in self.documents[-2:]:
                if token.kid in document.kids:
                    jws.verify(token.text, document.keys, algorithms=ALGORITHMS)

    @invariant()
    def the_manifest_is_sound(self) -> None:
        if not hasattr(self, "clock"):
            return
        ring = KeyRing(self.directory / "ring")
        states = [record.state for record in ring.keys]
        assert states.count("active") == states.count("next") == 1
        assert ring.epoch == self.epoch
        assert not {record.kid for record in ring.keys} & self.lost.keys()
        assert {each.kid for each in ring.distrusted} == self.lost.keys()
        on_disk = {path.stem for path in (self.directory / "ring").glob("*.pem")}
        assert on_disk >= {record.kid for record in ring.keys if record.state in ("active", "next")}
        assert not on_disk & self.lost.keys()


RingMachine.TestCase.settings = settings(max_examples=settings.default.max_examples // 4, stateful_step_count=40)
TestKeyRing = RingMachine.TestCase


def test_the_machine_would_notice_a_key_that_goes_too_early(monkeypatch) -> None:
    """The same promise, with a ring that forgets to wait for what was signed."""
    monkeypatch.setattr("jotgate.keys.lifecycle.NOTICE_SECONDS", -CACHE - LIFETIME - LEEWAY)
    machine = RingMachine()
    try:
        machine.found("EdDSA")
        machine.wait(PUBLISH_AHEAD)
        machine.issue(0, LIFETIME)
        machine.rotate(0)
        machine.fetch(0)
        try:
            machine.honest_tokens_verify()
        except AssertionError:
            return
        raise RuntimeError("nothing was noticed")
    finally:
        machine.teardown()

"""A key got out: every step, whatever fails, and whatever kills the process on the way."""

import json

import pytest
from support import AUDIENCE, ISSUER, NOW, policy, rejects, signing_key

from jotgate import KeyRing, KeySet, Verifier, errors, jws
from jotgate.incident import IncidentReport, compromise
from jotgate.keys.ring_store import RingStore
from jotgate.keys.signers import FileKeys
from jotgate.revocation.revocations import Revocations
from jotgate.stores.memory import MemoryStore
from jotgate.stores.rules import RuleKey

pytestmark = pytest.mark.usefixtures("frozen_clock")

ALL = ("distrust", "drop", "destroy", "epoch", "sessions")
POINTS = (
    (MemoryStore, "write"),
    (MemoryStore, "advance_epoch"),
    (RingStore, "commit"),
    (FileKeys, "create"),
    (FileKeys, "destroy"),
)
"""Where a compromise writes anything."""


class Killed(BaseException):
    """What no step may survive, as no process survives a SIGKILL."""


class Place:
    """A ring that has its epochs counted in a store, as each process opens it anew."""

    def __init__(self, path, *, in_store=True):
        self.path = path
        self.in_store = in_store
        self.store = MemoryStore()
        self.open(create=True)
        self.kid = self.ring.signer().kid
        self.thumbprint = self.ring.keys[0].thumbprint

    def open(self, **options):
        self.revocations = Revocations(self.store, issuer=ISSUER)
        epochs = self.revocations.epochs if self.in_store else None
        self.ring = KeyRing(self.path, check_keys=False, epochs=epochs, **options)

    def compromise(self):
        return compromise(self.kid, ring=self.ring, revocations=self.revocations)

    @property
    def is_distrusted(self):
        return self.store.rules([RuleKey("key", "", self.thumbprint)]) != [None]

    @property
    def epoch(self):
        (rule,) = self.store.rules([RuleKey("epoch", ISSUER, "")])
        return 0 if rule is None else rule.value

    def is_over(self):
        """Assert that nothing of the key is left."""
        self.open()
        assert self.is_distrusted
        assert self.kid not in [key.kid for key in self.ring.keys]
        assert not (self.path / f"{self.kid}.pem").exists()
        assert self.ring.undestroyed == ()
        assert [(each.kid, each.epoch is not None) for each in self.ring.distrusted] == [(self.kid, True)]
        assert self.ring.signer().kid != self.kid
        assert self.ring.epoch >= 1
        assert self.epoch == (self.ring.epoch if self.in_store else 0)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "ring")


def states(report: IncidentReport):
    return {step.name: step.state for step in report.steps}


def advice(report: IncidentReport):
    return {step.name: step.advice for step in report.steps}


def test_all_of_it_in_one_call(place):
    report = place.compromise()
    assert report.complete
    assert tuple(states(report)) == ALL
    assert set(states(report).values()) == {"done"}
    assert (report.thumbprint, report.dropped.kid, report.dropped.epoch) == (place.thumbprint, place.kid, 1)
    assert set(advice(report).values()) == {""}
    place.is_over()


def test_the_store_hears_of_it_first(place, monkeypatch):
    order = []
    for owner, name in POINTS:
        monkeypatch.setattr(owner, name, noted(getattr(owner, name), name, order))
    place.compromise()
    assert (order[0], order[-2], order[-1]) == ("write", "advance_epoch", "commit")
    assert order.index("commit") < order.index("destroy") < order.index("advance_epoch")


def noted(real, name, order):
    def call(*arguments):
        order.append(name)
        return real(*arguments)

    return call


def test_again_it_does_nothing_more(place):
    first = place.compromise()
    again = place.compromise()
    assert (again.complete, again.dropped) == (True, first.dropped)
    assert (place.epoch, len(place.ring.distrusted)) == (1, 1)
    place.is_over()


def test_a_key_that_was_dropped_without_a_store_is_distrusted_later(place):
    before = compromise(place.kid, ring=place.ring, revocations=None)
    assert (before.complete, states(before)["distrust"], place.is_distrusted) == (True, "left_out", False)
    assert place.compromise().complete
    place.is_over()


class Trap:
    """Raise at the nth writing call, before or after its work."""

    def __init__(self, number, error, *, after):
        self.left, self.error, self.after, self.sprung = number, error, after, ""

    def __enter__(self):
        self.patch = pytest.MonkeyPatch()
        for owner, name in POINTS:
            self.patch.setattr(owner, name, self.armed(getattr(owner, name), name))
        return self

    def __exit__(self, *_):
        self.patch.undo()

    def armed(self, real, name):
        def call(*arguments):
            self.left -= 1
            if self.left:
                return real(*arguments)
            self.sprung = name
            if self.after:
                real(*arguments)
            raise self.error

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("in_store", [True, False], ids=["store", "ring"])
def test_killed_between_any_two_steps_and_called_again(tmp_path, in_store, after):
    sprung = []
    for number in range(1, 100):
        place = Place(tmp_path / str(number), in_store=in_store)
        with Trap(number, Killed(), after=after) as trap:
            if not trap_killed(place):
                break
        sprung.append(trap.sprung)
        place.open()
        assert place.compromise().complete
        place.is_over()
    begins = ["advance_epoch", "commit"] if in_store else []
    assert sprung == ["write", "create", "commit", "destroy", "commit", *begins]


def trap_killed(place):
    try:
        place.compromise()
    except Killed:
        return True
    return False


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "error",
    [errors.StoreUnavailableError("it does not answer"), OSError(28, "hunter2"), ZeroDivisionError("hunter2")],
    ids=lambda error: type(error).__name__,
)
def test_whatever_fails_the_rest_is_tried_and_called_again_it_is_complete(tmp_path, error, after):
    incomplete = 0
    for number in range(1, 100):
        place = Place(tmp_path / str(number))
        with Trap(number, error, after=after) as trap:
            report = place.compromise()
        if not trap.sprung:
            break
        assert "hunter2" not in str(report)
        said = states(report)
        # A report never says that something is done which is not.
        place.open()
        assert place.is_distrusted or said["distrust"] == "failed"
        has_key = place.kid in [key.kid for key in place.ring.keys]
        assert has_key == (said["drop"] == "failed")
        assert not (place.path / f"{place.kid}.pem").exists() or said["destroy"] == "failed"
        assert place.epoch or said["epoch"] == said["sessions"] == "failed"
        # One failure keeps no other step from being done.
        if trap.sprung == "write":
            assert said == dict.fromkeys(ALL, "done") | {"distrust": "failed"}
        if trap.sprung == "advance_epoch":
            assert said == dict.fromkeys(ALL, "done") | {"epoch": "failed", "sessions": "failed"}
        incomplete += not report.complete
        assert place.compromise().complete
        place.is_over()
    assert incomplete >= 4


def test_a_store_that_cannot_be_reached_keeps_no_key_in_the_ring(place, monkeypatch):
    def fail(*_):
        raise errors.StoreUnavailableError("the store does not answer")

    with monkeypatch.context() as patch:
        for name in ("write", "advance_epoch", "rules", "snapshot"):
            patch.setattr(MemoryStore, name, fail)
        report = place.compromise()
        assert not report.complete
        assert states(report) == {
            "distrust": "failed",
            "drop": "done",
            "destroy": "done",
            "epoch": "failed",
            "sessions": "failed",
        }
        assert "has NOT advanced" in str(report)
        assert "do it again" in advice(report)["distrust"]
        # The same from the hands of an operator, who opens the ring without the counter that is out of reach.
        bare = KeyRing(place.path, check_keys=False)
        again = compromise(place.kid, ring=bare, revocations=place.revocations)
        assert states(again) == states(report)
    assert place.kid not in [key.kid for key in bare.keys]
    place.open()
    assert place.compromise().complete
    place.is_over()


def test_a_ring_that_counts_by_itself_leaves_the_epoch_of_the_store(tmp_path):
    place = Place(tmp_path / "ring", in_store=False)
    report = place.compromise()
    assert report.complete
    epoch = next(step for step in report.steps if step.name == "epoch")
    assert "jotgate_epoch" in epoch.message
    assert "epochs=revocations.epochs" in epoch.advice
    place.is_over()
    alone = compromise(place.ring.signer().kid, ring=place.ring, revocations=None)
    assert (alone.complete, advice(alone)["epoch"], alone.dropped.epoch) == (True, "", 2)
    assert "verifiers elsewhere believe the key" in str(alone)


def test_a_key_that_is_not_ours(place):
    theirs = signing_key("ES256", "theirs").public().thumbprint()
    report = compromise(ring=None, revocations=place.revocations, thumbprint=theirs)
    assert (report.complete, states(report), report.dropped) == (True, {"distrust": "done"}, None)
    assert place.store.rules([RuleKey("key", "", theirs)]) != [None]
    assert report.as_dict().keys() == {"complete", "thumbprint", "steps"}


def test_a_stranger_changes_nothing(place):
    rejects("invalid_policy", lambda: compromise("nobody", ring=place.ring, revocations=place.revocations))
    assert (list(place.store.snapshot().rules), place.ring.distrusted) == ([], ())


@pytest.mark.parametrize(
    "given", [{}, {"kid": "x"}, {"thumbprint": "x", "revocations": None}, {"kid": "x", "thumbprint": "x"}]
)
def test_what_is_not_one_key(place, given):
    options = {"ring": None, "revocations": place.revocations} | given
    rejects("invalid_policy", lambda: compromise(options.pop("kid", None), **options))


def test_a_ring_is_not_given_a_thumbprint(place):
    for kid in (None, place.kid):
        rejects(
            "invalid_policy",
            lambda kid=kid: compromise(kid, ring=place.ring, revocations=place.revocations, thumbprint="x"),
        )


def test_a_damaged_ring_says_so_before_anything_is_done(place):
    (place.path / "ring.json").write_bytes(b"{")
    rejects("invalid_key", place.compromise)
    assert not place.is_distrusted


def test_no_waiting_key_could_be_made(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileKeys, "create", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        report = place.compromise()
    assert report.complete
    assert "no key waits" in str(report)
    assert "maintain()" in advice(report)["drop"]
    place.ring.maintain()
    assert advice(place.compromise())["drop"] == ""


def test_it_is_told_as_json_and_as_lines(place):
    report = place.compromise()
    told = json.loads(json.dumps(report.as_dict()))
    assert (told["complete"], told["kid"], told["thumbprint"], told["epoch"]) == (True, place.kid, place.thumbprint, 1)
    assert [step["name"] for step in told["steps"]] == list(ALL)
    assert (told["residual_seconds"], told["active_was_published_long_enough"]) == (3602, False)
    assert len(report.lines()) == len(ALL)
    assert str(report).startswith("done  distrust  every verifier on the store refuses")
    failed = report._replace(steps=(report.steps[0]._replace(state="failed", advice="do it again"), *report.steps[1:]))
    assert failed.lines()[1].strip() == "to do: do it again"
    assert not failed.complete


def test_verifiers_in_this_process_refuse_at_once_although_their_keys_list_it(place):
    """The key comes from elsewhere, is remembered, and stays where it is."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600, "epoch": 0}
    followed = Revocations(place.store, issuer=ISSUER, on_stale="refuse")
    listed = KeySet.from_jwks({"keys": place.ring.jwks()["keys"]})
    verifier = Verifier(listed, policy("ES256"), revocations=followed)
    thief = place.ring.signer()
    texts = [jws.sign(claims | {"jti": jti}, thief) for jti in "ab"]
    with followed:
        for text in texts * 2:
            assert verifier.verify(text)
        compromise(place.kid, ring=place.ring, revocations=followed)
        forged = [jws.sign(claims | {"epoch": epoch, "iat": NOW}, thief) for epoch in (0, 1, 2, 10**9)]
        for text in texts + forged:
            rejects("revoked", lambda text=text: verifier.verify(text))
        assert verifier.verify(jws.sign(claims | {"epoch": 1}, place.ring.signer()))

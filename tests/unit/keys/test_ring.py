"""KeyRing: states, timing rules, compromise, the feed, the signer."""

import asyncio
import gc

import pytest
from support import CLASS_OF_CODE, b64u, claims, error_of, policy, refuses, rejects, secret_key, signing_key

from jotgate import KeyRing, KeySet, SigningKey, Verifier, errors, jws
from jotgate.keys import ring_feed, ring_store
from jotgate.keys.lifecycle import NOTICE_SECONDS
from jotgate.keys.ring import Compromise, KeyRecord
from jotgate.stores.memory import MemoryEpochs

DAY = 86400
RETENTION = 900 + 60 + 3600

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ring"


@pytest.fixture
def ring(path):
    return KeyRing(path, create=True)


def states(ring):
    return {record.kid: record.state for record in ring.keys}


def only(ring, state):
    (record,) = [record for record in ring.keys if record.state == state]
    return record


def published(ring):
    return [key["kid"] for key in ring.jwks()["keys"]]


def verifies(ring, signer=None):
    text = jws.sign({"sub": "x"}, ring.signer() if signer is None else signer)
    return jws.verify(text, KeySet.from_jwks(ring.jwks()), algorithms=["ES256", "RS256", "EdDSA"]).kid


def test_a_new_ring_signs_at_once_and_publishes_the_key_after(ring, clock):
    active, waiting = only(ring, "active"), only(ring, "next")
    assert published(ring) == [active.kid, waiting.kid]
    assert ring.signer().kid == active.kid == active.thumbprint
    assert active == KeyRecord(active.kid, "ES256", "active", *[clock.now] * 3, None, None, active.thumbprint)
    assert waiting.active_from is None
    assert ring.epoch == 0
    assert ring.may_rotate_at == clock.now + DAY
    assert verifies(ring) == active.kid


def test_a_key_signs_only_after_it_was_published_long_enough(ring, clock):
    waiting = only(ring, "next")
    clock.advance(DAY - 0.5)
    error = rejects("invalid_policy", ring.rotate)
    assert "in 1 s" in str(error)
    assert "compromise(kid)" in str(error)
    assert states(ring)[waiting.kid] == "next"
    clock.advance(0.5)
    now_active = ring.rotate()
    assert (now_active.kid, now_active.state, now_active.active_from) == (waiting.kid, "active", clock.now)
    assert ring.signer().kid == waiting.kid
    rejects("invalid_policy", ring.rotate)


def test_a_retiring_key_stays_until_nothing_it_signed_can_be_valid(ring, clock):
    old = ring.signer()
    clock.advance(DAY)
    ring.rotate()
    retiring = only(ring, "retiring")
    assert retiring.gone_at == clock.now + NOTICE_SECONDS + RETENTION
    assert verifies(ring, old) == old.kid
    clock.advance(NOTICE_SECONDS + RETENTION - 0.001)
    assert old.kid in published(ring)
    clock.advance(0.001)
    assert old.kid not in published(ring)
    assert states(ring)[old.kid] == "gone"
    assert ring.prune() == (old.kid,)
    assert old.kid not in states(ring)
    assert ring.prune() == ()


def test_private_keys_go_as_soon_as_no_process_can_sign_with_them(ring, path, clock):
    old = ring.signer().kid
    clock.advance(DAY)
    ring.rotate()
    clock.advance(NOTICE_SECONDS - 0.001)
    ring.prune()
    assert (path / f"{old}.pem").exists()
    clock.advance(0.001)
    ring.prune()
    assert not (path / f"{old}.pem").exists()
    assert ring.undestroyed == ()
    assert old in published(ring)


def test_stage_changes_the_algorithm_and_the_wait_begins_anew(path, clock):
    ring = KeyRing(path, create=True, algorithm="RS256")
    first, waiting = ring.signer(), only(ring, "next")
    clock.advance(DAY)
    staged = ring.stage("ES256")
    assert (staged.alg, staged.state, staged.published_at) == ("ES256", "next", clock.now)
    assert waiting.kid not in states(ring)
    assert not (path / f"{waiting.kid}.pem").exists()
    rejects("invalid_policy", ring.rotate)
    clock.advance(DAY)
    assert ring.rotate().alg == "ES256"
    assert only(ring, "next").alg == "ES256"
    assert verifies(ring) == staged.kid
    assert verifies(ring, first) == first.kid
    assert ring.settings.algorithm == "ES256"


def test_stage_takes_a_key_that_was_made_elsewhere(ring, path, clock):
    key = SigningKey.from_cryptography(secret_key("RS256"), alg="RS256", kid="https://old.example/key 1")
    assert ring.stage(key=key).kid == key.kid
    clock.advance(DAY)
    assert ring.rotate().kid == key.kid
    assert verifies(KeyRing(path)) == key.kid
    rejects("invalid_policy", lambda: ring.stage(key=key))
    rejects("invalid_policy", lambda: ring.stage("ES256", key=signing_key("ES256", "k")))
    rejects("invalid_policy", lambda: ring.stage(key=key.public()))
    rejects("invalid_key", lambda: ring.stage(key=signing_key("ES256")))
    rejects("invalid_policy", lambda: ring.stage(key=signing_key("HS256", "s")))


def test_a_new_ring_adopts_the_key_that_signs_already(path):
    key = signing_key("RS256", "2019")
    ring = KeyRing(path, create=True, adopt=key)
    assert (ring.signer().kid, only(ring, "next").alg, ring.settings.algorithm) == ("2019", "RS256", "RS256")
    other = KeyRing(path.with_name("other"), create=True, adopt=key, algorithm="ES256")
    assert (other.signer().alg, only(other, "next").alg, other.settings.algorithm) == ("RS256", "ES256", "ES256")
    assert verifies(ring) == "2019"
    ring.compromise("2019")
    assert KeyRing(path, create=True, adopt=key).signer().kid == ring.signer().kid != "2019"  # it has its own by now
    rejects("invalid_policy", lambda: KeyRing(path, adopt=key))
    rejects("invalid_policy", lambda: KeyRing(path.parent / "b", create=True, adopt=key.public()))


@pytest.mark.parametrize("state", ["active", "next", "retiring", "gone"])
def test_compromise_drops_a_key_in_any_state(ring, path, clock, state):
    clock.advance(DAY)
    ring.rotate()
    clock.advance(RETENTION + NOTICE_SECONDS if state == "gone" else 1)
    before = only(ring, "active"), only(ring, "next")
    lost = only(ring, state)
    report = ring.compromise(lost.kid)
    assert isinstance(report, Compromise)
    assert (report.kid, report.thumbprint, report.was, report.at) == (lost.kid, lost.thumbprint, state, clock.now)
    assert (report.epoch, ring.epoch) == (1, 1)
    assert lost.kid not in published(ring)
    assert lost.kid not in states(ring)
    assert not (path / f"{lost.kid}.pem").exists()
    assert report.residual_seconds == pytest.approx(3600 + NOTICE_SECONDS)
    active, waiting = before
    assert report.active_kid == ring.signer().kid == (waiting if state == "active" else active).kid
    assert report.next_kid == only(ring, "next").kid
    assert (report.next_kid == waiting.kid) == (state in ("retiring", "gone"))
    assert verifies(ring) == report.active_kid
    assert ring.distrusted == (report,)


def test_compromise_says_whether_caches_know_the_new_key(ring, clock):
    report = ring.compromise(ring.signer().kid)
    assert not report.active_was_published_long_enough
    assert report.refused_until == clock.now + 3600 + NOTICE_SECONDS
    clock.advance(2 * 3600)
    report = ring.compromise(ring.signer().kid)
    assert report.active_was_published_long_enough
    assert report.refused_until is None
    assert report.epoch == 2


def test_compromise_twice_is_once(ring):
    kid = ring.signer().kid
    report = ring.compromise(kid)
    assert ring.compromise(kid) == report
    assert ring.epoch == 1


def test_compromise_of_a_stranger_names_the_keys_there_are(ring):
    error = rejects("invalid_policy", lambda: ring.compromise("nobody"))
    assert ring.signer().kid in str(error)
    assert ring.epoch == 0


def test_a_distrusted_key_never_comes_back(path, clock):
    key = signing_key("ES256", "mine")
    ring = KeyRing(path, create=True, adopt=key)
    ring.compromise("mine")
    again = SigningKey.from_cryptography(secret_key("ES256"), alg="ES256", kid="other")
    for comeback in (key, again):
        assert "never comes back" in str(rejects("invalid_policy", lambda key=comeback: ring.stage(key=key)))
    reused = SigningKey.from_cryptography(secret_key("ES256", 1), alg="ES256", kid="mine")
    assert "one key for ever" in str(rejects("invalid_policy", lambda: ring.stage(key=reused)))
    clock.advance(10 * DAY)
    ring.prune()
    rejects("invalid_policy", lambda: KeyRing(path).stage(key=again))


def test_one_key_under_two_kids_is_refused(path):
    """Dropping one of them would leave the other."""
    ring = KeyRing(path, create=True, adopt=signing_key("RS256", "one"), algorithm="ES256")
    for alg in ("RS256", "PS256"):
        again = signing_key(alg, "two")
        assert "already" in str(rejects("invalid_policy", lambda key=again: ring.stage(key=key)))
    ring.compromise("one")
    assert KeyRing(path).signer().alg == "ES256"


def test_compromise_goes_before_all_else(ring, path, monkeypatch):
    """A waiting key that cannot sign, and a disk that takes no new one, keep no compromised key in the ring."""
    active, waiting = ring.signer().kid, only(ring, "next").kid
    (path / f"{waiting}.pem").write_bytes(b"damaged")
    report = ring.compromise(active)
    assert report.active_kid not in (active, waiting)
    assert verifies(ring) == report.active_kid
    ring.stage()
    active, waiting = ring.signer().kid, only(ring, "next").kid

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jotgate.keys.signers.create_private", fail)
    report = ring.compromise(active)
    assert (report.active_kid, report.next_kid) == (waiting, None)
    assert verifies(ring) == waiting
    rejects("invalid_policy", ring.rotate)
    assert ring.may_rotate_at is None
    monkeypatch.undo()
    assert ring.maintain().made_next == only(ring, "next").kid


def test_watchers_learn_of_a_change_that_the_disk_took_and_then_failed(ring, monkeypatch):
    watcher = Watcher(ring)
    kid = ring.signer().kid
    commit = ring_store.RingStore.commit

    def failing(self, state):
        commit(self, state)
        raise errors.StoreUnavailableError("cannot write the manifest of the key ring: Input/output error")

    monkeypatch.setattr(ring_store.RingStore, "commit", failing)
    assert error_of(lambda: ring.compromise(kid)).code == "store_unavailable"
    monkeypatch.undo()
    assert kid not in {key.kid for key in watcher.supplies[-1].keys}
    assert ring.compromise(kid).epoch == ring.epoch == 1


def test_maintain_is_idempotent_and_rotates_when_due(ring, clock):
    assert ring.maintain(rotate_every=2 * DAY) == (None, None, (), None)
    old, waiting = ring.signer().kid, only(ring, "next").kid
    clock.advance(2 * DAY - 1)
    assert ring.maintain(rotate_every=2 * DAY).rotated_to is None
    clock.advance(1)
    assert ring.maintain().rotated_to is None
    assert ring.maintain(rotate_every=2 * DAY).rotated_to == waiting
    assert ring.maintain(rotate_every=2 * DAY) == (None, None, (), None)
    clock.advance(RETENTION + NOTICE_SECONDS)
    assert ring.maintain(rotate_every=2 * DAY).removed == (old,)
    for wrong in (0, -1, "1", True, float("nan")):
        rejects("invalid_policy", lambda wrong=wrong: ring.maintain(rotate_every=wrong))


def test_rotation_waits_for_a_waiting_key_that_is_staged_late(ring, clock):
    clock.advance(2 * DAY)
    ring.stage()
    assert ring.maintain(rotate_every=DAY).rotated_to is None
    clock.advance(DAY)
    assert ring.maintain(rotate_every=DAY).rotated_to is not None


def test_settings_are_kept_and_never_silently_ignored(path):
    KeyRing(path, create=True, token_lifetime=600, cache_time=1800, publish_ahead=7200, leeway=30)
    settings = KeyRing(path).settings
    assert settings == ("ES256", 7200, 600, 30, 1800, False)
    KeyRing(path, create=True, token_lifetime=600)
    for name, value in (("token_lifetime", 900), ("algorithm", "RS256"), ("leeway", 0), ("allow_short_times", True)):
        error = rejects("invalid_policy", lambda name=name, value=value: KeyRing(path, **{name: value}))
        assert name in str(error)
        assert repr(value) in str(error)
        assert repr(getattr(settings, name)) in str(error)


def test_reconfigure_still_waits_for_what_was_signed_before(ring, path, clock):
    clock.advance(DAY)
    assert ring.reconfigure(token_lifetime=60, cache_time=600).token_lifetime == 60
    assert KeyRing(path, token_lifetime=60).settings.cache_time == 600
    ring.rotate()
    assert only(ring, "retiring").gone_at == clock.now + NOTICE_SECONDS + RETENTION
    clock.advance(DAY)
    ring.rotate()
    assert min(record.gone_at for record in ring.keys if record.state == "retiring") == clock.now + 2 + 60 + 60 + 600
    with pytest.raises(TypeError):
        ring.reconfigure(algorithm="RS256")
    rejects("invalid_policy", lambda: ring.reconfigure(publish_ahead=1))


@pytest.mark.parametrize(
    "settings",
    [
        {"algorithm": "HS256"},
        {"algorithm": "none"},
        {"algorithm": 7},
        {"publish_ahead": 3599, "cache_time": 60},
        {"publish_ahead": 3600, "cache_time": 3601},
        {"publish_ahead": float("nan")},
        {"publish_ahead": True},
        {"publish_ahead": "1d"},
        {"token_lifetime": 0},
        {"token_lifetime": 1e12},
        {"leeway": -1},
        {"cache_time": float("inf")},
        {"cache_time": 10**400},
        {"allow_short_times": 1},
        {"publish_ahead": 1, "cache_time": 2, "allow_short_times": True},
        {"passphrase": ""},
        {"passphrase": 1},
        {"passphrase": "a", "wrap": object()},
    ],
)
def test_what_a_ring_is_not_made_with(path, settings):
    rejects("invalid_policy", lambda: KeyRing(path, create=True, **settings))
    assert not path.exists()


def test_short_times_are_for_those_who_say_so(path, clock):
    ring = KeyRing(
        path,
        create=True,
        publish_ahead=0.4,
        cache_time=0.25,
        token_lifetime=0.5,
        leeway=0,
        allow_short_times=True,
    )
    clock.advance(0.4)
    ring.rotate()
    assert only(ring, "retiring").gone_at == pytest.approx(clock.now + NOTICE_SECONDS + 0.75)


def test_there_must_be_a_ring_or_the_wish_for_one(path):
    told = str(rejects("invalid_policy", lambda: KeyRing(path)))
    assert told == f"there is no key ring in {path}; create=True makes one"
    rejects("invalid_policy", lambda: KeyRing(""))
    rejects("invalid_policy", lambda: KeyRing(7))
    told = str(rejects("invalid_policy", lambda: KeyRing(path / "deeper", create=True)))
    assert str(path / "deeper") in told
    assert told.endswith("make the parent directory first")


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES384", "ES256K", "EdDSA", "Ed25519", "Ed448", "ML-DSA-44"])
def test_every_kind_of_key_pair(path, algorithm, clock):
    ring = KeyRing(path, create=True, algorithm=algorithm)
    assert ring.signer().alg == algorithm
    text = jws.sign(b"x", ring.signer())
    assert jws.verify(text, KeyRing(path)._supply().keys, algorithms=[algorithm]).payload == b"x"
    clock.advance(DAY)
    assert ring.rotate().alg == algorithm


def test_another_ring_object_notices_within_half_a_second(ring, path, clock):
    other = KeyRing(path)
    assert other.signer().kid == ring.signer().kid
    report = ring.compromise(ring.signer().kid)
    assert other.signer().kid == report.kid
    clock.advance(0.5)
    assert other.signer().kid == report.active_kid
    assert (other.epoch, published(other)) == (1, published(ring))


class Watcher:
    def __init__(self, ring):
        self.ring, self.supplies = ring, []
        ring._watch(self.told)

    def told(self):
        self.supplies.append(self.ring._supply())


def test_the_feed_supplies_what_is_published_on_a_lease_of_a_second(ring, clock):
    supply = ring._supply()
    assert {key.kid for key in supply.keys} == set(published(ring))
    assert supply.usable_until == clock.monotonic_ns + 1_000_000_000
    assert supply.epoch == 0
    watcher = Watcher(ring)
    clock.advance(0.9)
    assert not ring._renew("newer")
    clock.advance(1.1)
    assert ring._renew("usable")
    assert ring._supply().usable_until == clock.monotonic_ns + 1_000_000_000
    clock.advance(0.2)
    assert ring._renew("usable")
    assert len(watcher.supplies) == 3, "who asks has not heard"
    assert ring._supply().keys is supply.keys


def test_watchers_are_told_at_once_what_this_process_changed(ring, clock):
    watcher = Watcher(ring)
    kid = ring.signer().kid
    report = ring.compromise(kid)
    (supply,) = watcher.supplies
    assert (supply.epoch, {key.kid for key in supply.keys}) == (1, {report.active_kid, report.next_kid})
    del watcher
    gc.collect()
    ring.stage()


def test_a_key_that_stays_is_the_same_object(ring):
    key_set = ring._supply().keys
    ring.epochs.advance()
    assert ring._supply().keys is key_set
    before = {key.kid: key for key in key_set}
    ring.stage()
    after = {key.kid: key for key in ring._supply().keys}
    (kept,) = before.keys() & after.keys()
    assert before[kept] is after[kept]


def test_newer_is_true_only_if_something_changed(ring, path, clock):
    other = KeyRing(path)
    assert not other._renew("newer")
    assert asyncio.run(other._renew_async("newer")) is False
    ring.epochs.advance()
    assert other._renew("newer")
    assert other._supply().epoch == 1
    assert not other._renew("newer")
    clock.advance(DAY)
    ring.rotate()
    assert other._renew("newer")
    clock.advance(RETENTION + NOTICE_SECONDS)
    assert other._renew("newer")
    assert len(other._supply().keys) == 2


@pytest.mark.parametrize("damage", ["removed", "emptied", "opened to others"])
def test_a_ring_that_cannot_be_read_is_not_trusted(ring, path, clock, damage):
    manifest = path / "ring.json"
    content = manifest.read_bytes()
    watcher = Watcher(ring)
    if damage == "removed":
        manifest.unlink()
    elif damage == "emptied":
        manifest.write_bytes(b"")
    else:
        manifest.write_bytes(content + b"\n")
        manifest.chmod(0o644)
    code = "store_unavailable" if damage == "removed" else "invalid_key"
    assert not ring._renew("usable")
    assert ring._supply().usable_until < clock.monotonic_ns
    assert len(watcher.supplies) == 1
    for ask in (ring.signer, ring.jwks, lambda: ring.epoch, lambda: ring.keys, ring.rotate):
        error = error_of(ask)
        assert (error.code, type(error)) == (code, CLASS_OF_CODE[code])
    manifest.unlink(missing_ok=True)
    manifest.write_bytes(content)
    manifest.chmod(0o600)
    assert ring._renew("usable")
    assert ring._supply().usable_until > clock.monotonic_ns
    assert verifies(ring)


def test_no_answer_is_not_the_answer_that_there_is_nothing_newer(ring, path):
    (path / "ring.json").unlink()
    assert ring._renew("newer") is None
    assert ring._renew("usable") is None
    assert error_of(ring.warm).code == "key_fetch_failed"
    assert ring.stats()["state"] == "dead"


def epoch_token(ring, clock, **changes):
    return jws.sign(claims(epoch=ring.epoch, exp=int(clock.now) + 900, iat=int(clock.now), **changes), ring.signer())


def test_a_verifier_fed_by_a_ring_through_rotation_and_compromise(ring, clock):
    verifier = Verifier(ring, policy("ES256"))
    first = epoch_token(ring, clock)
    for _ in range(3):
        assert verifier.verify(first).kid == ring.signer().kid
    assert verifier.stats()["hits"] == 2
    clock.advance(DAY)
    ring.rotate()
    ours, old = epoch_token(ring, clock), ring.keys[0].kid
    assert verifier.verify(ours)["epoch"] == 0
    report = ring.compromise(old)
    refuses(verifier, ours, "revoked")  # signed by a good key, cached, and of the epoch before
    theirs = jws.sign(claims(epoch=1, exp=int(clock.now) + 900), ring.signer())
    assert verifier.verify(theirs).kid == report.active_kid
    lost = ring.signer().kid
    ring.compromise(lost)
    refuses(verifier, theirs, "unknown_key")
    assert verifier.verify(epoch_token(ring, clock))["epoch"] == 2


def test_a_verifier_in_another_process_learns_of_a_compromise_within_a_second(ring, path, clock):
    other = KeyRing(path)
    verifier = Verifier(other, policy("ES256"))
    text = epoch_token(ring, clock)
    assert verifier.verify(text)
    ring.compromise(ring.signer().kid)
    new = epoch_token(ring, clock)
    assert verifier.verify(new)["epoch"] == 1  # its epoch is ahead: the verifier looks at once
    refuses(verifier, text, "unknown_key")
    ring.epochs.advance()
    clock.advance(1)
    refuses(verifier, new, "revoked")


def test_a_verifier_whose_ring_cannot_be_read_cannot_decide(ring, path, clock):
    verifier = Verifier(ring, policy("ES256"))
    text = epoch_token(ring, clock)
    assert verifier.verify(text)
    manifest = (path / "ring.json").read_bytes()
    (path / "ring.json").unlink()
    assert verifier.verify(text)  # on the lease
    clock.advance(1)
    refuses(verifier, text, "key_fetch_failed")
    refuses(verifier, epoch_token_of(text), "key_fetch_failed")
    (path / "ring.json").write_bytes(manifest)
    (path / "ring.json").chmod(0o600)
    assert verifier.verify(text)


def epoch_token_of(text):
    """Another text of the same kind, which is not in the cache."""
    return text[:-8] + "AAAAAAAA"


class Counter(MemoryEpochs):
    fails = False

    def current(self):
        if self.fails:
            raise OSError("secret address")
        return super().current()

    def advance(self):
        self.current()
        return super().advance()


def test_epochs_counted_elsewhere(path, clock):
    epochs = Counter(41)
    ring = KeyRing(path, create=True, epochs=epochs)
    assert ring.epochs is epochs
    assert ring._supply().epoch == ring.epoch == 41
    epochs.advance()
    clock.advance(0.5)
    assert ring.epoch == 42
    report = ring.compromise(ring.signer().kid)
    assert report.epoch == ring.epoch == ring._supply().epoch == epochs.current() == 43
    without = KeyRing(path)
    for ask in (lambda: without.epoch, without._supply, without.epochs.advance, without.jwks):
        rejects("invalid_policy", ask)
    assert [key.kid for key in without.keys] == [key.kid for key in ring.keys]
    rejects(
        "invalid_policy", lambda: KeyRing(path.parent / "b", create=True) and KeyRing(path.parent / "b", epochs=epochs)
    )


def test_a_compromise_is_finished_when_the_counter_is_back(path, clock):
    epochs = Counter()
    ring = KeyRing(path, create=True, epochs=epochs)
    kid = ring.signer().kid
    Counter.fails = True
    try:
        error = error_of(lambda: ring.compromise(kid))
        assert (error.code, type(error)) == ("store_unavailable", errors.StoreUnavailableError)
        assert "secret" not in str(error)
        assert not ring._renew("usable")
    finally:
        Counter.fails = False
    assert kid not in published(ring)
    report = KeyRing(path).compromise(kid)
    assert report.epoch is None
    assert ring.maintain().epoch == 1
    assert ring.compromise(kid).epoch == 1
    assert ring.maintain().epoch is None


def test_a_counter_that_counts_no_epochs(path):
    class Strange(MemoryEpochs):
        def current(self):
            return "1"

    rejects("invalid_policy", lambda: KeyRing(path, create=True, epochs=Strange()))


def test_public_members_only(ring):
    for key in ring.jwks()["keys"]:
        assert set(key) == {"crv", "kty", "x", "y", "kid", "alg", "use"}


def test_no_repr_shows_a_key(path):
    ring = KeyRing(path, create=True, passphrase="hunter2hunter2")
    private = ring.signer().to_jwk(private=True)["d"]
    for thing in (ring, ring._keeper, ring.keys, ring.settings, ring._snapshot, ring.signer(), ring.epochs):
        for spelling in (private, "hunter2", b64u(b"hunter2hunter2")):
            assert spelling not in repr(thing) + str(thing)


def test_a_signer_is_asked_for_again_when_its_file_went_meanwhile(ring, path, monkeypatch, clock):
    other = KeyRing(path, check_keys=False)
    report = ring.compromise(ring.signer().kid)
    assert other.signer().kid == report.active_kid  # its own look was before the compromise


def test_a_look_twice_a_second_and_no_more(ring, clock, monkeypatch):
    looks = []
    mark = ring_store.RingStore.mark
    monkeypatch.setattr(ring_store.RingStore, "mark", lambda self: looks.append(1) or mark(self))
    for _ in range(100):
        assert ring.signer().kid
        assert ring.jwks()
        assert ring.epoch == 0
    assert not looks
    for count in range(1, 4):
        clock.advance(0.5)
        for _ in range(100):
            ring.signer()
        assert len(looks) == count


def test_look_and_lease_are_what_the_documentation_says():
    assert (ring_feed._LOOK_NS, ring_feed._LEASE_NS) == (500_000_000, 1_000_000_000)

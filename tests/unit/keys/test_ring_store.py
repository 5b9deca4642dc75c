"""The ring's directory: modes, links, damage, foreign files, leftovers, locks; nothing private in an error."""

import json
import os
import shutil
import stat
import threading
import traceback

import pytest
from support import error_of, rejects

from jotgate import Issuer, KeyRing, Policy, SigningKey, Verifier, errors
from jotgate.keys import files, manifest, ring_store
from jotgate.keys import ring as ring_module
from jotgate.keys.ring_store import RingStore

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ring"


@pytest.fixture
def ring(path):
    return KeyRing(path, create=True)


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def key_file(ring, path):
    return path / f"{ring.signer().kid}.pem"


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_modes_under_any_umask(path, umask):
    before = os.umask(umask & 0o077)
    try:
        ring = KeyRing(path, create=True)
        ring.stage()
    finally:
        os.umask(before)
    assert mode(path) == 0o700
    assert {name.name for name in path.iterdir()} == {
        "ring.json",
        "lock",
        *(f"{record.kid}.pem" for record in ring.keys),
    }
    assert {mode(each) for each in path.iterdir()} == {0o600}


@pytest.mark.parametrize("bits", [0o710, 0o701, 0o750, 0o755, 0o777])
def test_a_directory_open_to_others_is_refused(ring, path, bits):
    path.chmod(bits)
    told = str(rejects("invalid_key", lambda: KeyRing(path)))
    assert told == f"the directory {path} is open to other users (mode {bits:04o}): chmod 700 {path}"
    rejects("invalid_key", ring.stage)
    empty = path.parent / "empty"
    empty.mkdir(bits)
    empty.chmod(bits)
    assert f"chmod 700 {empty}" in str(rejects("invalid_key", lambda: KeyRing(empty, create=True)))


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o644, 0o610])
@pytest.mark.parametrize("name", ["manifest", "key"])
def test_a_file_open_to_others_is_refused(ring, path, bits, name):
    file = path / "ring.json" if name == "manifest" else key_file(ring, path)
    file.chmod(bits)
    told = str(rejects("invalid_key", lambda: KeyRing(path)))
    assert f"(mode {bits:04o}): chmod 600 {file.name}" in told
    assert ("can sign" in told) is (name == "key")


@pytest.mark.parametrize("name", ["manifest", "key"])
@pytest.mark.parametrize("kind", ["link", "directory", "pipe", "missing", "large"])
def test_what_is_no_file_of_ours_is_refused(ring, path, name, kind):
    file = path / "ring.json" if name == "manifest" else key_file(ring, path)
    aside = path.parent / "aside"
    shutil.move(file, aside)
    if kind == "link":
        file.symlink_to(aside)
    elif kind == "directory":
        file.mkdir(0o700)
    elif kind == "pipe":
        os.mkfifo(file, 0o600)
    elif kind == "large":
        file.write_bytes(bytes(5 << 20))
        file.chmod(0o600)
    missing = "invalid_policy" if name == "manifest" else "store_unavailable"
    error = error_of(lambda: KeyRing(path))
    assert error.code == (missing if kind == "missing" else "invalid_key")
    if kind == "link":
        assert "symbolic link" in str(error)


def test_a_directory_of_somebody_else_is_refused(ring, path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "run as that user" in str(rejects("invalid_key", lambda: KeyRing(path)))


def test_a_lock_that_is_a_link_is_refused(ring, path):
    (path / "lock").unlink()
    (path / "lock").symlink_to(path / "elsewhere")
    assert error_of(ring.stage).code == "store_unavailable"
    assert not (path / "elsewhere").exists()


def test_every_flipped_bit_and_every_cut_of_a_manifest_shows(ring, path):
    file = path / "ring.json"
    text = file.read_bytes()
    whole = manifest.parse(text)
    assert manifest.dump(whole) == text
    for index in range(0, len(text), 3):
        for flip in (0x01, 0x20):
            damaged = text[:index] + bytes([text[index] ^ flip]) + text[index + 1 :]
            try:
                assert manifest.parse(damaged) == whole, index  # white space, or a name that JSON spells two ways
            except errors.InvalidKeyError:
                continue
    for end in range(0, len(text) - 3, 7):
        rejects("invalid_key", lambda end=end: manifest.parse(text[:end]))
    file.write_bytes(text[:-40])
    rejects("invalid_key", lambda: KeyRing(path))
    rejects("invalid_key", ring.rotate)


def test_a_manifest_that_contradicts_itself_is_refused(ring):
    state = ring._snapshot.state
    active, waiting = state.active, state.waiting
    distrusted = ring.compromise(active.kid)
    for wrong in (
        state._replace(keys=(active, active)),
        state._replace(keys=(active, waiting, waiting._replace(kid="other"))),
        state._replace(keys=(waiting,)),
        state._replace(keys=(active, waiting._replace(thumbprint=active.thumbprint))),
        state._replace(keys=(active._replace(jwk=active.jwk | {"d": "AAAA"}), waiting)),
        state._replace(keys=(active._replace(jwk={}), waiting)),
        state._replace(keys=(active._replace(alg="RS256"), waiting)),
        state._replace(keys=(active, waiting), distrusted=(distrusted,)),
        state._replace(settings=state.settings._replace(publish_ahead=1)),
        state._replace(epoch="1"),
        state._replace(epoch=True),
        state._replace(keys=(active, waiting._replace(active_from="soon"))),
    ):
        rejects("invalid_key", lambda wrong=wrong: manifest.parse(manifest.dump(wrong)))
    newer = manifest.dump(state).replace(b'"jotgate_key_ring": 1', b'"jotgate_key_ring": 2')
    assert "another version" in str(rejects("invalid_key", lambda: manifest.parse(newer)))


def test_a_key_file_that_is_not_the_key_of_the_manifest_is_refused(ring, path):
    file = key_file(ring, path)
    secret = file.read_bytes()
    for content in (SigningKey.generate("ES256").to_pem(), SigningKey.generate("RS256").to_pem(), b"", b"junk"):
        file.write_bytes(content)
        error = rejects("invalid_key", lambda: KeyRing(path))
        assert ring.signer().kid in str(error)
        assert secret[40:80].decode() not in str(error)
    file.write_bytes(secret)
    waiting = next(record.kid for record in ring.keys if record.state == "next")
    (path / f"{waiting}.pem").write_bytes(b"junk")
    files_before = sorted(path.iterdir())
    ring.reconfigure(publish_ahead=3600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring_store.RingStore, "commit", lambda *_: pytest.fail("nothing may be committed"))
        patch.setattr("jotgate.keys.lifecycle.waiting_to_rotate", lambda state, _: state.waiting)
        rejects("invalid_key", ring.rotate)
    assert sorted(path.iterdir()) == files_before
    assert KeyRing(path, check_keys=False).stage().state == "next"


def test_a_ring_with_a_lost_key_can_be_repaired(ring, path):
    file = key_file(ring, path)
    file.unlink()
    assert error_of(lambda: KeyRing(path)).code == "store_unavailable"
    broken = KeyRing(path, check_keys=False)
    assert error_of(broken.signer).code == "store_unavailable"
    report = broken.compromise(broken.keys[0].kid)
    assert KeyRing(path).signer().kid == report.active_kid


def test_problems_of_private_keys(ring, path):
    active, waiting = (record.kid for record in ring.keys)
    assert ring.problems() == {}
    (path / f"{active}.pem").chmod(0o644)
    (path / f"{waiting}.pem").unlink()
    broken = KeyRing(path, check_keys=False)
    problems = broken.problems()
    assert problems.keys() == {active, waiting}
    assert "mode 0644" in problems[active]
    assert "No such file" in problems[waiting]
    broken.stage()
    assert broken.problems().keys() == {active}
    (path / f"{active}.pem").chmod(0o600)
    assert broken.problems() == {}
    (path / f"{active}.pem").write_bytes(SigningKey.generate("ES256").to_pem())
    assert "not the key that the manifest" in broken.problems()[active]


def test_problems_as_far_as_they_are_seen_without_what_keys_are_kept_by(path):
    class Keeper(dict):
        def create(self, algorithm):
            key = SigningKey.generate(algorithm)
            self[key.kid] = key
            return key

        def load(self, kid, algorithm):
            return self[kid]

        def destroy(self, kid):
            self.pop(kid, None)

    sealed = KeyRing(path, create=True, passphrase="hunter2")
    kid = sealed.signer().kid
    (path / f"{kid}.pem").write_bytes(b"junk")
    assert KeyRing(path).problems() == {}
    assert KeyRing(path, passphrase="hunter2", check_keys=False).problems().keys() == {kid}
    (path / f"{kid}.pem").unlink()
    assert KeyRing(path).problems().keys() == {kid}
    elsewhere = path.with_name("elsewhere")
    ring = KeyRing(elsewhere, create=True, private_keys=Keeper())
    assert ring.problems() == KeyRing(elsewhere).problems() == {}


def test_a_private_key_that_went_meanwhile_is_no_problem(ring, path, monkeypatch):
    """Another process compromised it between the manifest and its file."""
    other, kid = KeyRing(path), ring.signer().kid
    look_at = ring_module.look_at

    def late(keys, key):
        if key.kid == kid:
            other.compromise(kid)
        look_at(keys, key)

    monkeypatch.setattr(ring_module, "look_at", late)
    assert ring.problems() == {}


def test_what_a_killed_writer_left_goes_with_the_next_one(ring, path):
    orphans = [path / f"{'a' * 43}.pem", path / f"kid.{'0' * 64}.pem"]
    for orphan in orphans:
        files.create_private(orphan, b"x")
    (path / ".ring.json.tmp").write_bytes(b"half")
    foreign = ["README", "tls.pem", "2026-11.pem", "kid.pem", f"{'a' * 43}.pem.bak", f"{'a' * 44}.pem"]
    for name in foreign:
        (path / name).write_bytes(b"of somebody")
    ring.prune()
    assert not any(orphan.exists() for orphan in orphans)
    ring.stage()
    assert not (path / ".ring.json.tmp").exists()
    assert all((path / name).exists() for name in foreign)


@pytest.mark.parametrize("kid", ["2026-11", "../../x", "a" * 44, "ключ"])
def test_a_key_made_elsewhere_that_a_killed_writer_left_can_be_taken_in(ring, path, kid, monkeypatch):
    """Whatever its kid, its file is of our shape: a second try is not in its way."""
    key = SigningKey.generate("ES256", kid=kid)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RingStore, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            ring.stage(key=key)
    ring.stage(key=key)
    assert KeyRing(path).keys[-1].kid == kid
    assert len(list(path.glob("*.pem"))) == 2


def test_a_leftover_that_cannot_be_removed(ring, path):
    (path / f"{'a' * 43}.pem").mkdir()
    assert error_of(ring.stage).code == "store_unavailable"
    assert ring.signer()


def test_the_mark_of_a_founder_goes_with_the_first_writer(ring, path):
    """With it, keys whose manifest is lost would look like those of a founder that was killed."""
    for act in (ring.stage, lambda: RingStore(path).founding().__enter__()):
        files.create_private(path / "founding", b"")
        act()
        assert not (path / "founding").exists()


def test_keys_without_a_manifest_are_not_thrown_away(ring, path):
    (path / "ring.json").unlink()
    keys = sorted(path.glob("*.pem"))
    assert "backup" in str(rejects("invalid_key", lambda: KeyRing(path, create=True)))
    assert sorted(path.glob("*.pem")) == keys


def test_a_restored_manifest_is_not_believed_by_whoever_read_a_newer_one(ring, path, clock):
    """It would give a compromised key, and every token of it, back to running verifiers."""
    backup = shutil.copytree(path, path.parent / "backup")
    verifier = Verifier(ring, Policy(issuer="i", audience="a", algorithms=["ES256"]))
    stolen = Issuer("i", ring).issue("s", "a")
    assert verifier.verify(stolen)
    newer = (path / "ring.json").read_bytes()
    lost = ring.signer().kid
    ring.compromise(lost)
    newest = (path / "ring.json").read_bytes()
    assert error_of(lambda: verifier.verify(stolen)).code in ("revoked", "unknown_key")
    for each in backup.iterdir():
        shutil.copy(each, path)
    put_back(path, newer)
    for seconds in (2, 60):
        clock.advance(seconds)
        for act in (ring.jwks, ring.signer, lambda: ring.epoch):
            assert "restart" in str(rejects("invalid_key", act))
        assert type(error_of(lambda: verifier.verify(stolen))) is errors.KeyFetchError
        assert ring.stats()["state"] == "dead"
    # the newer one counts again at once
    put_back(path, newest)
    clock.advance(1)
    assert lost not in [key["kid"] for key in ring.jwks()["keys"]]
    assert error_of(lambda: verifier.verify(stolen)).code in ("revoked", "unknown_key")
    # and who means it restarts
    put_back(path, newer)
    assert KeyRing(path).signer().kid == lost


def test_a_key_that_was_compromised_does_not_come_back_by_any_number(ring, path, clock):
    state = ring._snapshot.state
    lost = ring.signer().kid
    ring.compromise(lost)
    held = ring._snapshot.state
    for wrong in (
        state._replace(sequence=held.sequence + 5),  # the epoch shows it
        state._replace(sequence=held.sequence + 5, epoch=held.epoch),  # the key does
        held._replace(sequence=held.sequence - 1),
        held._replace(sequence=held.sequence + 1, epoch=held.epoch - 1),
    ):
        put_back(path, manifest.dump(wrong))
        clock.advance(1)
        assert "older" in str(rejects("invalid_key", ring.jwks))
    clock.advance(1)
    put_back(path, manifest.dump(held))  # another file, and the same state
    assert ring.signer().kid == held.active.kid


def put_back(path, text):
    (path / "ring.json").unlink()
    files.create_private(path / "ring.json", text)


def test_an_empty_private_directory_becomes_a_ring(path):
    path.mkdir(0o700)
    assert KeyRing(path, create=True).signer().alg == "ES256"
    (path.parent / "file").write_bytes(b"")
    rejects("invalid_key", lambda: KeyRing(path.parent / "file", create=True))


def test_passphrase(path, clock):
    ring = KeyRing(path, create=True, passphrase="hunter2")
    text = key_file(ring, path).read_bytes()
    assert b"ENCRYPTED PRIVATE KEY" in text
    assert KeyRing(path, passphrase=b"hunter2").signer().kid == ring.signer().kid
    for wrong in ("hunter3", "x"):
        error = rejects("invalid_key", lambda wrong=wrong: KeyRing(path, passphrase=wrong))
        assert "hunter" not in str(error)
        mistyped = KeyRing(path, passphrase=wrong, check_keys=False)
        for write in (mistyped.stage, mistyped.prune):
            rejects("invalid_key", write)
        rejects("invalid_key", lambda mistyped=mistyped: mistyped.compromise(ring.signer().kid))
    told = str(rejects("invalid_policy", lambda: KeyRing(path, wrap=Wrap())))
    assert told == "the ring was made with passphrase: give that, and leave wrap out"
    plain = path.with_name("not-encrypted")
    KeyRing(plain, create=True)
    told = str(rejects("invalid_policy", lambda: KeyRing(plain, passphrase="hunter2")))
    assert told == "the ring is not encrypted: leave passphrase out"
    without = KeyRing(path)
    assert without.jwks() == ring.jwks()
    for ask in (without.signer, without.stage):
        assert "passphrase" in str(rejects("invalid_policy", ask))
    clock.advance(86400)
    rejects("invalid_policy", without.rotate)
    assert ring.rotate().state == "active"
    KeyRing(path.parent / "plain", create=True)
    rejects("invalid_policy", lambda: KeyRing(path.parent / "plain", passphrase="hunter2"))


def test_a_key_can_be_dropped_without_the_passphrase(path):
    ring = KeyRing(path, create=True, passphrase="hunter2")
    kid = ring.signer().kid
    report = KeyRing(path).compromise(kid)
    assert report.next_kid is None
    assert not (path / f"{kid}.pem").exists()
    assert KeyRing(path, passphrase="hunter2").maintain().made_next is not None


class Wrap:
    def __init__(self, key=0x5A):
        self.key = key

    def wrap(self, data):
        return b"w" + bytes(byte ^ self.key for byte in data)

    def unwrap(self, data):
        plain = bytes(byte ^ self.key for byte in data[1:])
        if not plain.startswith(b"-----BEGIN"):
            raise ValueError(plain)
        return plain


def test_wrapping(path):
    ring = KeyRing(path, create=True, wrap=Wrap())
    text = key_file(ring, path).read_bytes()
    assert text.startswith(b"jotgate-wrapped-key-1\n")
    assert b"PRIVATE" not in text
    assert KeyRing(path, wrap=Wrap()).signer().kid == ring.signer().kid
    rejects("invalid_key", lambda: KeyRing(path, wrap=Wrap(1)))
    key_file(ring, path).write_bytes(SigningKey.generate("ES256").to_pem())
    rejects("invalid_key", lambda: KeyRing(path, wrap=Wrap()))
    key_file(ring, path).write_bytes(text[:-9] + b"*\n")
    rejects("invalid_key", lambda: KeyRing(path, wrap=Wrap()))


class NoWrap(Wrap):
    def __init__(self, answer):
        self.answer = answer

    def wrap(self, data):
        if self.answer == "raise":
            raise RuntimeError(data)
        return data if self.answer == "same" else self.answer


@pytest.mark.parametrize("answer", ["same", "raise", b"", None])
def test_what_does_not_wrap_is_refused(path, answer):
    error = rejects("invalid_key", lambda: KeyRing(path, create=True, wrap=NoWrap(answer)))
    assert "BEGIN" not in str(error)
    assert not list(path.glob("*.pem"))


def test_no_error_and_no_log_holds_a_secret(path, clock, monkeypatch, caplog):
    passphrase = "Canary-passphrase-41c9"
    ring = KeyRing(path, create=True, passphrase=passphrase)
    private = ring.signer().to_jwk(private=True)["d"]
    sealed = key_file(ring, path).read_bytes()
    attempts = [
        lambda: KeyRing(path, passphrase=passphrase + "x"),
        lambda: KeyRing(path, passphrase=passphrase, wrap=Wrap()),
        lambda: KeyRing(path, passphrase=passphrase, token_lifetime=1),
        lambda: KeyRing(path).signer(),
        ring.rotate,
        lambda: ring.compromise(private),
        lambda: ring.stage(private),
        lambda: ring.stage(key=private),
        lambda: ring.reconfigure(leeway=private),
    ]
    shown = []

    def attempt():
        for act in attempts:
            try:
                act()
            except errors.JotgateError as error:
                shown.extend([str(error), repr(error), "".join(traceback.format_exception(error))])

    attempt()
    plain = SigningKey.generate("ES256")
    for content in (plain.to_pem(), sealed[:-60], sealed.replace(b"M", b"N"), json.dumps(plain.to_jwk(private=True))):
        for state in ("next", "active"):
            file = path / f"{next(record.kid for record in ring.keys if record.state == state)}.pem"
            data = file.read_bytes()
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
            clock.advance(86400)
            attempt()
            if file.exists():  # an attempt may have rotated, and destroyed what had retired
                file.write_bytes(data)
    ring.start_maintaining(3600, rotate_every=1).close()
    shown.append(caplog.text)
    assert len(shown) > 60
    secrets = [
        passphrase,
        private,
        plain.to_jwk(private=True)["d"],
        sealed[60:100].decode(),
        plain.to_pem()[40:80].decode(),
    ]
    for text in shown:
        for secret in secrets:
            assert secret not in text


def test_writers_wait_for_each_other(ring, path, monkeypatch):
    monkeypatch.setattr(files, "_LOCK_TRIES", 3)
    store = RingStore(path)
    with store.writing():
        error = error_of(ring.stage)
        assert error.code == "store_unavailable"
        assert "another process" in str(error)
        error = error_of(lambda: store.writing().__enter__())
        assert "another thread" in str(error)
    assert ring.stage().state == "next"


def test_threads_take_turns(ring):
    threads = [threading.Thread(target=lambda: [ring.epochs.advance() for _ in range(5)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ring.epoch == 20


def test_a_disk_that_is_full_changes_nothing(ring, path, monkeypatch):
    before = (path / "ring.json").read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    error = error_of(ring.stage)
    assert (error.code, type(error)) == ("store_unavailable", errors.StoreUnavailableError)
    assert "No space left" in str(error)
    assert str(path) not in str(error)
    monkeypatch.undo()
    assert (path / "ring.json").read_bytes() == before
    ring.prune()
    assert {each.suffix for each in path.iterdir()} <= {".json", ".pem", "", ".tmp"}
    assert len(list(path.glob("*.pem"))) == 2


def test_where_there_are_no_posix_locks(monkeypatch, path):
    monkeypatch.setattr(os, "name", "nt")
    with pytest.raises(errors.PolicyError, match="POSIX") as caught:
        RingStore("ring")
    assert caught.value.code == "invalid_policy"


def test_what_goes_into_a_file_is_made_when_it_is_its_turn(tmp_path):
    file = tmp_path / "jwks.json"
    at, order, go, entered = [b"old"], [], threading.Event(), threading.Event()

    def first():
        entered.set()
        assert go.wait(10)
        order.append("first")
        return b"old"

    def second():
        order.append("second")
        return at[0]

    writers = [threading.Thread(target=files.replace_file, args=(file, make, 0o644)) for make in (first, second)]
    writers[0].start()
    assert entered.wait(10)
    writers[1].start()
    at[0] = b"new"
    go.set()
    for writer in writers:
        writer.join(10)
    assert (order, file.read_bytes()) == (["first", "second"], b"new")

    def fail():
        raise errors.InvalidKeyError("no keys")

    rejects("invalid_key", lambda: files.replace_file(file, fail, 0o644))
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_is_replaced_whole(tmp_path):
    file = tmp_path / "jwks.json"
    files.replace_file(file, b"one", 0o644)
    dated = []
    for content in (b"one", b"uno", b"una"):
        files.replace_file(file, content, 0o644)
        dated.append(int(file.stat().st_mtime))
    assert dated == sorted(set(dated)), "a web server tells files apart by the second"
    (tmp_path / ".jwks.json.tmp").write_bytes(b"longer than what comes next")
    files.replace_file(file, b"two", 0o640)
    assert (file.read_bytes(), mode(file)) == (b"two", 0o640)
    assert list(tmp_path.iterdir()) == [file]
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    (tmp_path / ".link.tmp").symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        files.replace_file(tmp_path / "link", b"x", 0o644)
    file.unlink()
    file.symlink_to(target)
    files.replace_file(file, b"three", 0o644)
    assert (file.read_bytes(), target.read_bytes(), file.is_symlink()) == (b"three", b"precious", False)

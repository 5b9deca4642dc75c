"""Server secrets: private files, one writer at a time, noticed by whoever runs, gone when nobody needs them."""

import copy
import json
import os
import pickle
import stat
from pathlib import Path

import pytest
from session_world import SECRET
from support import MovingClock, error_of, rejects

from jotgate.errors import InvalidKeyError, PolicyError, StoreUnavailableError
from jotgate.keys.files import WriterLock
from jotgate.sessions.secrets import FixedSecrets, SessionSecrets
from jotgate.sessions.vouching import Vouching
from jotgate.stores.taking_back import LONGEST_SESSION, MARGIN

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sessions"


def test_the_first_secret_is_made_once(path: Path) -> None:
    first = SessionSecrets(path, create=True)
    version, secret = first.current()
    assert (version, len(secret)) == (1, 32)
    assert SessionSecrets(path, create=True).current() == (1, secret)
    assert SessionSecrets(path).secret(1) == secret
    assert SessionSecrets(str(path)).versions() == [1]
    assert SessionSecrets(path.parent / "other", create=True).current()[1] != secret


def test_nobody_else_reads_them(path: Path) -> None:
    old = os.umask(0)
    try:
        secrets = SessionSecrets(path, create=True)
        secrets.rotate()
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.iterdir()} == {
        "secrets.json": 0o600,
        "lock": 0o600,
    }


@pytest.mark.parametrize(("what", "mode"), [(".", 0o755), ("secrets.json", 0o640), ("secrets.json", 0o604)])
def test_what_others_could_read_is_refused(path: Path, what: str, mode: int) -> None:
    SessionSecrets(path, create=True)
    (path / what).chmod(mode)
    assert "chmod" in str(rejects("invalid_key", lambda: SessionSecrets(path)))


def test_a_file_that_is_opened_to_others_later_is_refused_from_then_on(path: Path, clock: MovingClock) -> None:
    secrets = SessionSecrets(path, create=True)
    (path / "secrets.json").chmod(0o644)
    clock.advance(0.5)
    for _ in range(2):
        rejects("invalid_key", secrets.current)
    (path / "secrets.json").chmod(0o600)
    assert secrets.current()[0] == 1


def test_a_link_is_refused(path: Path, tmp_path: Path) -> None:
    SessionSecrets(path, create=True)
    (path / "secrets.json").rename(tmp_path / "elsewhere")
    (path / "secrets.json").symlink_to(tmp_path / "elsewhere")
    rejects("invalid_key", lambda: SessionSecrets(path))


def test_there_must_be_secrets(path: Path, tmp_path: Path) -> None:
    assert "create=True" in str(rejects("invalid_policy", lambda: SessionSecrets(path)))
    rejects("invalid_policy", lambda: SessionSecrets(tmp_path))
    rejects("invalid_policy", lambda: SessionSecrets(""))
    rejects("invalid_policy", lambda: SessionSecrets(None))  # type: ignore[arg-type]
    rejects("invalid_policy", lambda: SessionSecrets(tmp_path / "no" / "parent", create=True))


def test_a_rotation_keeps_what_vouched_before(path: Path) -> None:
    secrets = SessionSecrets(path, create=True)
    first = secrets.current()
    assert secrets.rotate() == 2
    second = secrets.current()
    assert second[0] == 2
    assert second[1] != first[1]
    assert secrets.secret(1) == first[1]
    assert secrets.secret(3) is None
    assert secrets.secret(0) is None
    assert secrets.versions() == [1, 2]


def test_other_processes_notice_within_a_second(path: Path, clock: MovingClock) -> None:
    here, there = SessionSecrets(path, create=True), SessionSecrets(path)
    here.rotate()
    assert there.current()[0] == 1, "it has just looked"
    clock.advance(0.6)
    assert there.current() == here.current()


def test_a_version_never_seen_is_looked_for_at_once(path: Path) -> None:
    here, there = SessionSecrets(path, create=True), SessionSecrets(path)
    here.rotate()
    assert there.secret(2) == here.current()[1]
    assert there.secret(3) is None


def test_a_secret_begins_when_it_was_told_to(path: Path, clock: MovingClock) -> None:
    secrets = SessionSecrets(path, create=True)
    secrets.rotate(after=600)
    assert secrets.current()[0] == 1
    assert secrets.secret(2) is not None, "somebody whose clock is ahead may use it"
    clock.advance(599)
    assert secrets.current()[0] == 1
    clock.advance(1)
    assert secrets.current()[0] == 2


def test_a_secret_that_waits_is_not_overtaken(path: Path, clock: MovingClock) -> None:
    secrets = SessionSecrets(path, create=True)
    secrets.rotate(after=600)
    secrets.rotate()
    assert secrets.current()[0] == 1
    clock.advance(600)
    assert secrets.current()[0] == 3


def test_a_secret_goes_when_no_session_can_need_it(path: Path, clock: MovingClock) -> None:
    secrets = SessionSecrets(path, create=True)
    secrets.rotate()
    clock.advance(LONGEST_SESSION + MARGIN - 1)
    secrets.rotate()
    assert secrets.versions() == [1, 2, 3]
    clock.advance(1)
    secrets.rotate()
    assert secrets.versions() == [2, 3, 4]


def test_replacing_leaves_nothing_that_vouched_before(path: Path) -> None:
    secrets = SessionSecrets(path, create=True)
    secrets.rotate()
    old = secrets.secret(2)
    assert secrets.replace() == 3
    assert secrets.versions() == [3]
    assert secrets.secret(2) is None
    assert secrets.current()[1] != old


@pytest.mark.parametrize("after", [-1, 7 * 86_400 + 1, True, "1", float("nan"), float("inf"), None])
def test_after_has_bounds(path: Path, after: object) -> None:
    secrets = SessionSecrets(path, create=True)
    rejects("invalid_policy", lambda: secrets.rotate(after=after))  # type: ignore[arg-type]
    assert secrets.versions() == [1]


def test_a_directory_that_is_gone_vouches_for_nothing(path: Path, clock: MovingClock) -> None:
    secrets = SessionSecrets(path, create=True)
    version, secret = secrets.current()
    (path / "secrets.json").rename(path / "away")
    clock.advance(1)
    for _ in range(2):
        error = error_of(secrets.current)
        assert (type(error), error.code) == (StoreUnavailableError, "store_unavailable")
        assert str(path) not in str(error)
    (path / "away").rename(path / "secrets.json")
    assert secrets.current() == (version, secret)


def damaged(text: str) -> list[str]:
    document = json.loads(text)
    entry = document["secrets"][0]

    def with_entry(**members: object) -> str:
        return json.dumps(document | {"secrets": [entry | members]})

    return [
        "", "{", "[]", "null", text[:-5], json.dumps(document | {"jotgate_session_secrets": 2}),
        json.dumps(document | {"secrets": []}), json.dumps(document | {"secrets": [entry, entry]}),
        json.dumps(document | {"more": 1}), json.dumps(document | {"secrets": 7}), with_entry(version=0),
        with_entry(version="1"), with_entry(version=True), with_entry(secret="AAAA"), with_entry(secret=7),
        with_entry(secret=entry["secret"] + "="), with_entry(**{"from": None}), with_entry(more=1),
        text.replace('"version":1', '"version":1,"version":1'),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(19))
def test_a_damaged_file_is_refused_and_shows_nothing(path: Path, number: int, clock: MovingClock) -> None:
    running = SessionSecrets(path, create=True)
    secret = json.loads((path / "secrets.json").read_text())["secrets"][0]["secret"]
    (path / "secrets.json").write_text(damaged((path / "secrets.json").read_text())[number])
    error = rejects("invalid_key", lambda: SessionSecrets(path))
    assert secret not in f"{error}{error.args}"
    clock.advance(1)
    with pytest.raises(InvalidKeyError):
        running.current()
    with pytest.raises(InvalidKeyError):
        running.rotate()
    # On the request path nothing is anybody's mistake.
    assert type(error_of(Vouching(running).current)) is StoreUnavailableError


def test_one_writer_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = SessionSecrets(path, create=True)
    monkeypatch.setattr("jotgate.keys.files._LOCK_TRIES", 2)
    with WriterLock(path / "lock"):
        error = error_of(secrets.rotate)
    assert type(error) is StoreUnavailableError
    assert "the file of session secrets" in str(error)
    assert secrets.rotate() == 2


def test_secrets_are_not_shown_or_copied(path: Path) -> None:
    for secrets in (SessionSecrets(path, create=True), FixedSecrets({1: SECRET})):
        assert repr(secrets) in ("SessionSecrets()", "FixedSecrets()")
        for copying in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                copying(secrets)
    held = SessionSecrets(path)
    assert json.loads((path / "secrets.json").read_text())["secrets"][0]["secret"] not in repr(held._read_last)


def test_fixed_secrets() -> None:
    other = bytes(range(64))
    secrets = FixedSecrets({3: SECRET, 7: other})
    assert secrets.current() == (7, other)
    assert secrets.secret(3) == SECRET
    assert secrets.secret(4) is None


@pytest.mark.parametrize(
    "secrets", [None, {}, SECRET, [SECRET], {0: SECRET}, {True: SECRET}, {"1": SECRET}, {2**31: SECRET}]
)
def test_fixed_secrets_have_versions(secrets: object) -> None:
    rejects("invalid_policy", lambda: FixedSecrets(secrets))  # type: ignore[arg-type]


@pytest.mark.parametrize("secret", [b"", SECRET[:31], SECRET.hex(), bytearray(SECRET), None])
def test_fixed_secrets_are_secrets(secret: object) -> None:
    rejects("invalid_key", lambda: FixedSecrets({1: secret}))  # type: ignore[dict-item]


class Broken:
    def __init__(self, answer: object) -> None:
        self.answer = answer

    def current(self) -> tuple[int, bytes]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return 1, self.answer  # type: ignore[return-value]

    def secret(self, version: int) -> bytes | None:
        return self.current()[1]


@pytest.mark.parametrize(
    "answer", [RuntimeError("S3cret"), InvalidKeyError("damaged"), StoreUnavailableError("down"), b"short", "x" * 32, 7]
)
def test_a_source_that_fails_is_unavailable(answer: object) -> None:
    source = Vouching(Broken(answer))
    for ask in (source.current, lambda: source.secret(1)):
        error = error_of(ask)
        assert (type(error), error.code) == (StoreUnavailableError, "store_unavailable")
        assert "S3cret" not in str(error)
        assert error.__cause__ is None


def test_a_source_may_know_nothing() -> None:
    assert Vouching(FixedSecrets({1: SECRET})).secret(2) is None
    assert Vouching(FixedSecrets({1: SECRET})).current() == (1, SECRET)


def test_a_mistake_of_the_operator_stays_one() -> None:
    assert type(error_of(Vouching(Broken(PolicyError("x"))).current)) is PolicyError


def test_a_disk_that_is_full_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = SessionSecrets(path, create=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jotgate.sessions.secrets.replace_file", full)
    error = error_of(secrets.rotate)
    assert (type(error), str(error)) == (
        StoreUnavailableError,
        "cannot write the file of session secrets: No space left on device",
    )
    assert secrets.versions() == [1]


def test_versions_end_somewhere(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = SessionSecrets(path, create=True)
    monkeypatch.setattr("jotgate.sessions.secrets.MOST", 1)
    rejects("invalid_policy", secrets.rotate)
    assert secrets.versions() == [1]

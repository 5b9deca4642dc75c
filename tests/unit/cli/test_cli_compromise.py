"""`jotgate compromise`: a key that got out, from the command line, with a store that several processes have."""

import pytest
from support import ISSUER, NOW, clock_at, signing_key

from jotgate import KeyRing
from jotgate.revocation.revocations import Revocations
from jotgate.stores import open_store
from jotgate.stores.sqlite import SqliteStore

STEPS = ("distrust", "drop", "destroy", "epoch", "sessions")


@pytest.fixture
def ring(tmp_path, url):
    """Make a ring that has its epochs counted in the store, and return its path."""
    KeyRing(tmp_path / "ring", create=True, epochs=Revocations(open_store(url), issuer=ISSUER).epochs)
    return tmp_path / "ring"


@pytest.fixture
def kid(ring):
    return KeyRing(ring).keys[0].kid


def states(ran):
    return {step["name"]: step["state"] for step in ran.json()["steps"]}


def test_all_of_it_is_done_and_told(run, url, ring, kid, rule):
    thumbprint = KeyRing(ring).keys[0].thumbprint
    ran = run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--issuer", ISSUER)
    assert (ran.code, ran.err) == (0, "")
    steps = [line.split()[:2] for line in ran.out.splitlines()[:7] if not line.startswith(" ")]
    assert steps[:5] == [["done", step] for step in STEPS]
    for told in ("signs", "epoch 1 has begun", "what is out of reach", "for 1 h, until 2023-11-14 23:13:22Z"):
        assert told in ran.out
    assert rule("key", thumbprint)
    assert rule("epoch", "", ISSUER).value == 1
    assert kid not in [key.kid for key in KeyRing(ring).keys]
    assert not (ring / f"{kid}.pem").exists()
    again = run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--issuer", ISSUER, "--json")
    assert again.code == 0
    told = again.json()
    assert (told["complete"], told["kid"], told["thumbprint"], told["epoch"]) == (True, kid, thumbprint, 1)
    assert states(again) == dict.fromkeys(STEPS, "done")


def test_both_spellings_are_one_command(run, url, ring, kid, tmp_path, rule):
    run("keys", "compromise", ring, kid, "--store", url, "--issuer", ISSUER)
    one = run("keys", "compromise", ring, kid, "--store", url, "--issuer", ISSUER)
    other = run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--issuer", ISSUER)
    assert (one.code, one.out) == (other.code, other.out)
    assert rule("epoch", "", ISSUER).value == 1


def test_the_store_may_be_named_by_the_environment(run, url, ring, kid, monkeypatch, rule):
    monkeypatch.setenv("JOTGATE_STORE", url)
    ran = run("compromise", "--ring", ring, "--kid", kid, "--any-issuer", "--json")
    assert (ran.code, states(ran)["distrust"]) == (0, "done")
    assert rule("epoch", "").value == 1
    assert Revocations(open_store(url), issuer=ISSUER).epochs.current() == 1


def test_without_a_store(run, tmp_path):
    KeyRing(tmp_path / "own", create=True)
    kid = KeyRing(tmp_path / "own").keys[0].kid
    ran = run("compromise", "--ring", tmp_path / "own", "--kid", kid)
    assert ran.code == 0
    assert "left out  distrust  no store was given: verifiers elsewhere believe the key" in ran.out
    assert "epoch 1 has begun in the ring" in ran.out


def test_a_ring_that_counts_by_itself_leaves_the_epochs_of_the_store(run, url, tmp_path, rule):
    KeyRing(tmp_path / "own", create=True)
    kid = KeyRing(tmp_path / "own").keys[0].kid
    ran = run("compromise", "--ring", tmp_path / "own", "--kid", kid, "--store", url)
    assert ran.code == 0
    assert "to do: to end them everywhere at once, have a ring count its epochs in the store" in ran.out
    assert rule("epoch", "") is None


def test_a_store_that_does_not_answer_keeps_no_key_in_the_ring(run, url, ring, kid, monkeypatch, no_answer):
    with monkeypatch.context() as patch:
        for name in ("write", "advance_epoch", "rules", "snapshot"):
            patch.setattr(SqliteStore, name, no_answer)
        ran = run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--issuer", ISSUER)
        assert ran.code == 3
        assert "failed    distrust  the store does not answer" in ran.out
        assert "has NOT advanced" in ran.out
        assert ran.out.endswith("not complete: run it again, what is done stays done\n")
        ran = run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--any-issuer", "--json")
        assert (ran.code, ran.json()["complete"]) == (3, False)
    assert kid not in [key.kid for key in KeyRing(ring).keys]
    ran = run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--issuer", ISSUER, "--json")
    assert (ran.code, states(ran)) == (0, dict.fromkeys(STEPS, "done"))


def test_a_passphrase(run, url, tmp_path, monkeypatch):
    monkeypatch.setenv("JOTGATE_TEST_PASSWORD", "hunter2hunter2")
    KeyRing(tmp_path / "sealed", create=True, passphrase="hunter2hunter2")
    for number in range(2):
        kid = KeyRing(tmp_path / "sealed", check_keys=False).keys[0].kid
        ran = run("compromise", "--ring", tmp_path / "sealed", "--kid", kid, "--password-env", "JOTGATE_TEST_PASSWORD")
        assert (ran.code, "waits" in ran.out, f"epoch {number + 1} has begun" in ran.out) == (0, True, True)
    kid = KeyRing(tmp_path / "sealed", check_keys=False).keys[0].kid
    ran = run("compromise", "--ring", tmp_path / "sealed", "--kid", kid, "--store", url)
    assert ran.code == 0
    assert "to do: jotgate keys rotate DIR --if-due 90 --password-env NAME makes a key that waits" in ran.out


def test_a_key_that_is_in_no_ring(run, url, rule):
    theirs = signing_key("ES256", "theirs").public().thumbprint()
    ran = run("compromise", "--thumbprint", theirs, "--store", url)
    assert (ran.code, ran.out.count("\n")) == (0, 1)
    assert ran.out.startswith("done      distrust")
    assert rule("key", theirs)
    assert run("compromise", "--thumbprint", theirs, "--store", url, "--json").json() == {
        "complete": True,
        "thumbprint": theirs,
        "steps": [{"name": "distrust", "state": "done", "message": ran.out[20:-1], "advice": ""}],
    }


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "name the key"),
        (["--kid", "KID"], "name the key"),
        (["--ring", "RING"], "name the key"),
        (["--ring", "RING", "--kid", "nobody", "--store", "URL"], "no such key"),
        (["--ring", "RING", "--kid", "KID", "--thumbprint", "T"], "in no ring"),
        (["--ring", "RING", "--kid", "KID", "--store", "sqlite:/nowhere.db"], "no store in the file"),
        (["--ring", "RING", "--kid", "KID", "--store", "mysql://hunter"], "a store is named by"),
        (["--ring", "RING", "--kid", "KID", "--store", "redis://:hunter2@localhost/0"], "JOTGATE_STORE"),
        (["--ring", "RING", "--kid", "KID", "--store", "URL", "--issuer", ""], "--issuer is empty"),
        (["--ring", "none", "--kid", "KID"], "no key ring"),
        (["--ring", "RING", "--kid", "KID", "--store", "URL"], "say whose epoch the store counts: --issuer ISS"),
        (["--ring", "RING", "--kid", "KID", "--store", "URL", "--issuer", "i", "--any-issuer"], "not allowed with"),
        (["--thumbprint", "hunter", "--store", "URL"], "43 characters"),
        (["--thumbprint", "T"], "no store given"),
    ],
)
def test_what_is_not_understood_changes_nothing(run, url, ring, kid, argv, told, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JOTGATE_STORE", raising=False)
    words = {"RING": str(ring), "KID": kid, "URL": url, "T": KeyRing(ring).keys[0].thumbprint}
    ran = run("compromise", *(words.get(word, word) for word in argv))
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert "hunter" not in ran.err
    assert kid in [key.kid for key in KeyRing(ring).keys]
    assert not (tmp_path / "none").exists()


def test_usage_as_json(run):
    ran = run("compromise", "--json")
    assert ran.code == 2
    assert (ran.json()["ok"], ran.json()["code"]) == (False, "usage")


def test_on_a_terminal_states_have_colours(run, url, ring, kid, terminal):
    out = run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--issuer", ISSUER).out
    assert "\x1b[32mdone" in out


def test_a_key_that_retires(run, url, ring, kid):
    with clock_at(NOW + 86400):
        KeyRing(ring).rotate()
        ran = run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--issuer", ISSUER)
    assert "(retiring) is out of the ring" in ran.out


def test_a_kid_may_begin_with_a_dash(run, url, tmp_path):
    for number, argv in enumerate(
        (["compromise", "--ring", "RING", "--kid", "-h"], ["keys", "compromise", "RING", "--", "-h"])
    ):
        ring = tmp_path / f"ring{number}"
        KeyRing(ring, create=True, adopt=signing_key("ES256", "-h1"))
        ran = run(*(str(ring) if word == "RING" else word + "1" if word == "-h" else word for word in argv))
        assert (ran.code, "the ES256 key '-h1'" in ran.out) == (0, True)
    ran = run("compromise", "--ring", tmp_path, "--kid", "--json")
    assert (ran.code, "--kid" in ran.err) == (2, True)


def test_the_jwks_of_a_ring_that_is_counted_in_the_store(run, url, ring, kid, monkeypatch, tmp_path, no_answer):
    run("compromise", "--ring", ring, "--kid", kid, "--store", url, "--issuer", ISSUER)
    for options in ((), ("--store", url)):
        assert run("keys", "jwks", ring, *options).code == 2
    ran = run("keys", "jwks", ring, "--json", "--store", url, "--issuer", ISSUER)
    assert (ran.code, ran.json()["jotgate_epoch"]) == (0, 1)
    assert kid not in [key["kid"] for key in ran.json()["keys"]]
    assert run("keys", "jwks", ring, "--store", url, "--issuer", ISSUER, "--out", tmp_path / "jwks.json").code == 0

    monkeypatch.setattr(SqliteStore, "rules", no_answer)
    ran = run("keys", "jwks", ring, "--store", url, "--issuer", ISSUER)
    assert (ran.code, ran.out) == (3, "")
    assert "does not answer" in ran.err

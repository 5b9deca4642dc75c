"""`jotgate keys`: a ring made, shown, rotated, compromised and published from the command line."""

import json
import stat

import pytest
import support
from support import NOW, clock_at

from jotgate import KeyRing, KeySet, SigningKey

DAY = 86400
MAINTAINS = "jotgate keys rotate DIR --if-due 90"


@pytest.fixture
def ring(run, tmp_path):
    """Make a ring and return its path."""
    assert run("keys", "init", tmp_path / "ring").code == 0
    return tmp_path / "ring"


def kids(run, ring):
    return {key["state"]: key["kid"] for key in run("keys", "list", ring, "--json").json()["keys"]}


def test_init_makes_a_private_ring_and_shows_it(run, tmp_path):
    ran = run("keys", "init", tmp_path / "ring", "--alg", "EdDSA", "--cache-time", "30m", "--publish-ahead", "2h")
    assert (ran.code, ran.err) == (0, "")
    heading, active, waiting, epoch = ran.out.splitlines()
    assert heading.split() == ["kid", "alg", "state", "made", "what", "next"]
    assert " active " in active
    assert "may not sign before 2023-11-15 00:13:20Z (in 2 h)" in waiting
    assert epoch == "epoch 0"
    settings = KeyRing(tmp_path / "ring").settings
    assert (settings.algorithm, settings.cache_time, settings.publish_ahead) == ("EdDSA", 1800, 7200)
    assert stat.S_IMODE((tmp_path / "ring").stat().st_mode) == 0o700


def test_init_never_touches_a_ring_that_is_there(run, ring):
    before = kids(run, ring)
    ran = run("keys", "init", ring)
    assert ran.code == 2
    assert "already" in ran.err
    assert kids(run, ring) == before


def test_init_goes_on_with_a_key_that_signs_already(run, tmp_path, file):
    key = SigningKey.generate("RS256", kid="2019")
    path = file(json.dumps(key.to_jwk(private=True)), "key.jwk")
    assert run("keys", "init", tmp_path / "ring", "--alg", "RS256", "--key", path).code == 0
    assert KeyRing(tmp_path / "ring").signer().kid == "2019"
    assert run("keys", "init", tmp_path / "as-the-key", "--key", path).code == 0
    shown = run("keys", "list", tmp_path / "as-the-key", "--json").json()
    assert [each["alg"] for each in shown["keys"]] == ["RS256", "RS256"]
    unnamed = {name: value for name, value in key.to_jwk(private=True).items() if name != "alg"}
    ran = run("keys", "init", tmp_path / "open", "--key", file(json.dumps(unnamed), "open.jwk"))
    assert ran.code == 2
    assert "say the one with --alg" in ran.err
    assert not (tmp_path / "open").exists()
    curve = SigningKey.generate("ES384", kid="c").to_jwk(private=True)
    del curve["alg"]
    assert run("keys", "init", tmp_path / "curve", "--key", file(json.dumps(curve), "curve.jwk")).code == 0
    assert KeyRing(tmp_path / "curve").settings.algorithm == "ES384"
    wrong = file(json.dumps(key.to_jwk()), "public.jwk")
    ran = run("keys", "init", tmp_path / "other", "--alg", "RS256", "--key", wrong)
    assert ran.code == 2
    assert "--key" in ran.err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--alg", "HS256"], "no public half"),
        (["--alg", "none"], "no such algorithm"),
        (["--publish-ahead", "10m", "--cache-time", "5m"], "publish-ahead"),
        (["--publish-ahead", "1h", "--cache-time", "2h"], "publish-ahead"),
        (["--publish-ahead", "soon"], "write a duration"),
        (["--password-env", "JOTGATE_NOT_SET"], "not set"),
    ],
)
def test_what_a_ring_is_not_made_with(run, tmp_path, options, told):
    ran = run("keys", "init", tmp_path / "ring", *options)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "ring").exists()


@pytest.mark.parametrize("action", ["init", "stage"])
def test_algorithms_are_those_that_a_ring_takes(run, ring, action):
    assert "HS256" not in run("keys", action, "--help").out
    where = ring if action == "stage" else ring.parent / "other"
    for name, told in (("HS256", "no public half; choose from"), ("XYZ", "choose from"), ("es256", "mean ES256?")):
        ran = run("keys", action, where, "--alg", name)
        assert ran.code == 2
        assert told in ran.err
        assert "HS" not in ran.err


def test_list_looks_at_the_private_keys(run, ring):
    before = kids(run, ring)
    assert run("keys", "list", ring, "--json").json()["problems"] == {}
    (ring / f"{before['active']}.pem").chmod(0o644)
    ran = run("keys", "list", ring)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "active" in ran.out
    assert f"(mode 0644): chmod 600 {before['active']}.pem" in ran.err
    assert f"jotgate keys compromise DIR {before['active']}" in ran.err
    (ring / f"{before['active']}.pem").chmod(0o600)
    (ring / f"{before['next']}.pem").unlink()
    ran = run("keys", "list", ring)
    assert ran.code == 1
    assert "jotgate keys stage DIR" in ran.err
    ran = run("keys", "list", ring, "--json")
    assert ran.code == 1
    assert ran.json()["problems"].keys() == {before["next"]}


def test_list_in_json_has_what_may_happen_when(run, ring):
    shown = run("keys", "list", ring, "--json").json()
    assert [key["state"] for key in shown["keys"]] == ["active", "next"]
    assert shown["may_rotate_at"] == NOW + DAY
    assert (shown["epoch"], shown["distrusted"], shown["undestroyed"]) == (0, [], [])
    assert shown["settings"]["cache_time"] == 3600


def test_rotate_only_when_the_key_was_published_long_enough(run, ring):
    before = kids(run, ring)
    ran = run("keys", "rotate", ring)
    assert (ran.code, ran.out) == (1, "")
    assert "the waiting key may not sign before 2023-11-15 22:13:20Z (in 1 d)" in ran.err
    assert "takes back every token" in ran.err
    ran = run("keys", "rotate", ring, "--json")
    assert (ran.code, ran.err) == (1, "")
    refusal = ran.json()
    assert refusal.pop("reason").startswith("too early: ")
    assert refusal == {"ok": False, "done": False, "code": "too_early", "may_rotate_at": NOW + DAY}
    assert kids(run, ring) == before
    with clock_at(NOW + DAY):
        ran = run("keys", "rotate", ring)
        assert ran.code == 0
        assert ran.out.startswith("rotated\n")
        after = kids(run, ring)
        assert (after["active"], after["retiring"]) == (before["next"], before["active"])
        assert "gone in 1 h 16 min" in run("keys", "list", ring).out
        assert run("keys", "rotate", ring, "--json").code == 1


def test_who_comes_second_is_told_from_when_on(run, tmp_path):
    """Two rotate at once: however short the times are, the second is never told that the key may sign now."""
    ring = KeyRing(
        tmp_path / "ring", create=True, publish_ahead=0.5, cache_time=0.5, token_lifetime=1, allow_short_times=True
    )
    with clock_at(NOW + 1):
        ring.rotate()
        ran = run("keys", "rotate", tmp_path / "ring")
        assert ran.code == 1
        assert "may not sign before 2023-11-14 22:13:22Z (in 1 s)" in ran.err
    with clock_at(NOW + 2):
        assert " may sign\n" in run("keys", "list", tmp_path / "ring").out


def test_rotate_without_a_waiting_key(run, ring, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("jotgate.keys.signers.create_private", fail)
        ran = run("keys", "compromise", ring, kids(run, ring)["active"])
    assert (ran.code, "no key waits" in ran.out) == (0, True)
    assert f"to do: {MAINTAINS} makes a key that waits" in ran.out
    ran = run("keys", "rotate", ring)
    assert ran.code == 2
    assert MAINTAINS in ran.err
    ran = run("keys", "rotate", ring, "--if-due", 90)
    assert ran.out.startswith(f"not due; nothing to rotate; made the waiting key {kids(run, ring)['next']}\n")


def test_rotate_if_due_is_for_cron(run, ring):
    before = kids(run, ring)
    ran = run("keys", "rotate", ring, "--if-due", 90)
    assert ran.code == 0
    assert ran.out.startswith("not due")
    assert run("keys", "rotate", ring, "--if-due", 90, "--json").json()["done"] is False
    with clock_at(NOW + 90 * DAY):
        shown = run("keys", "rotate", ring, "--if-due", 90, "--json").json()
        assert (shown["done"], shown["rotated_to"]) == (True, before["next"])
        assert (shown["made_next"], shown["removed"]) == (None, [])
        assert kids(run, ring)["active"] == before["next"]
        assert run("keys", "rotate", ring, "--if-due", 90).out.startswith("not due")
    with clock_at(NOW + 91 * DAY):
        told = run("keys", "rotate", ring, "--if-due", 90).out.splitlines()[0]
        assert told == f"not due; nothing to rotate; removed {before['active']}"
    assert run("keys", "rotate", ring, "--if-due", 0).code == 2
    assert run("keys", "rotate", ring, "--if-due", "soon").code == 2


def test_stage_changes_the_algorithm(run, ring):
    assert run("keys", "stage", ring, "--alg", "RS256").out.startswith("staged\n")
    shown = run("keys", "list", ring, "--json").json()
    assert [key["alg"] for key in shown["keys"]] == ["ES256", "RS256"]
    assert run("keys", "stage", ring, "--alg", "HS256").code == 2


def test_compromise_says_what_it_did_and_what_is_left_to_do(run, ring):
    before = kids(run, ring)
    ran = run("keys", "compromise", ring, before["active"])
    assert (ran.code, ran.err) == (0, "")
    for told in (
        f"the ES256 key '{before['active']}' (active) is out of the ring for ever\n",
        f"'{before['next']}' signs",
        "dropped at 2023-11-14 22:13:20Z",
        "left out  distrust  no store was given",
        "epoch 1 has begun",
        "may hold the key for 1 h, until 2023-11-14 23:13:22Z",
        "may not have the new key yet",
        "holds it for its lifetime and max_stale",
        "what to do next",
        "fetch the JWKS again",
    ):
        assert told in ran.out
    assert kids(run, ring)["active"] == before["next"]
    assert f"distrusted: {before['active']}" in run("keys", "list", ring).out
    again = run("keys", "compromise", ring, before["active"], "--json").json()
    assert (again["kid"], again["epoch"], again["residual_seconds"]) == (before["active"], 1, 3602)
    assert (again["at"], again["active_was_published_long_enough"]) == (NOW, False)
    with clock_at(NOW + DAY):
        ran = run("keys", "compromise", ring, kids(run, ring)["active"])
        assert "published long enough" in ran.out
    ran = run("keys", "compromise", ring, "nobody")
    assert (ran.code, ran.out) == (2, "")
    assert "nobody" not in ran.err


def test_prune(run, ring):
    with clock_at(NOW + DAY):
        run("keys", "rotate", ring)
    with clock_at(NOW + 2 * DAY):
        assert "prune removes it" in run("keys", "list", ring).out
        gone = kids(run, ring)["gone"]
        assert run("keys", "prune", ring).out.startswith(f"removed {gone}\n")
        assert run("keys", "prune", ring).out.startswith("removed nothing\n")
        assert "retiring" not in kids(run, ring)
        assert run("keys", "prune", ring, "--json").json()["done"] is False


def test_jwks_is_written_whole_and_public(run, ring, tmp_path):
    out = tmp_path / "jwks.json"
    out.write_text('{"keys":[]}')
    ran = run("keys", "jwks", ring, "--out", out)
    assert (ran.code, ran.out, ran.err) == (0, "wrote 2 public keys\n", "")
    assert stat.S_IMODE(out.stat().st_mode) == 0o644
    document = json.loads(out.read_text())
    assert document == run("keys", "jwks", ring).json() == KeyRing(ring).jwks() | {"jotgate_epoch": 0}
    assert run("keys", "jwks", ring, "--json").out.count("\n") == 1
    assert len(KeySet.from_jwks(document)) == 2
    assert '"d"' not in out.read_text()
    ran = run("keys", "jwks", ring, "--out", tmp_path / "none" / "jwks.json")
    assert ran.code == 2
    assert "cannot write" in ran.err


def test_jwks_destroys_nothing(run, ring, tmp_path):
    ring_files = {path: path.read_bytes() for path in ring.iterdir()}
    for name in ("ring.json", "lock", "jwks.json", next(iter(ring.glob("*.pem"))).name):
        ran = run("keys", "jwks", ring, "--out", ring / name)
        assert ran.code == 2
        assert "directory of a key ring" in ran.err
    assert {path: path.read_bytes() for path in ring.iterdir()} == ring_files
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    ran = run("keys", "jwks", ring, "--out", notes)
    assert ran.code == 2
    assert "not a JWK set" in ran.err
    assert notes.read_text() == "mine"


def test_a_passphrase_comes_from_the_environment(run, tmp_path, monkeypatch):
    monkeypatch.setenv("JOTGATE_TEST_PASSWORD", "hunter2hunter2")
    ring, option = tmp_path / "ring", ["--password-env", "JOTGATE_TEST_PASSWORD"]
    assert run("keys", "init", ring, *option).code == 0
    assert all(b"ENCRYPTED" in path.read_bytes() for path in ring.glob("*.pem"))
    assert run("keys", "list", ring).code == 0
    assert run("keys", "jwks", ring).code == 0
    ran = run("keys", "stage", ring)
    assert ran.code == 2
    assert "--password-env" in ran.err
    assert run("keys", "stage", ring, *option).code == 0
    monkeypatch.setenv("JOTGATE_TEST_PASSWORD", "mistyped")
    ran = run("keys", "stage", ring, *option)
    assert ran.code == 2
    assert "mistyped" not in ran.err
    active = kids(run, ring)["active"]
    ran = run("keys", "compromise", ring, active)
    assert ran.code == 0
    assert f"to do: {MAINTAINS} --password-env NAME makes a key that waits" in ran.out
    ran = run("keys", "compromise", ring, kids(run, ring)["active"])
    assert (ran.code, ran.out) == (2, "")
    assert "no key waits in its place, so one must be made, and the private keys are encrypted: name" in ran.err
    assert "--password-env" in ran.err
    assert run("keys", "rotate", ring).code == run("keys", "rotate", ring, "--if-due", 30).code == 2
    monkeypatch.setenv("JOTGATE_TEST_PASSWORD", "hunter2hunter2")
    assert run("keys", "rotate", ring, "--if-due", 30, *option).code == 0
    assert "next" in kids(run, ring)


def test_a_passphrase_is_named_only_where_it_is_needed(run, tmp_path, monkeypatch):
    monkeypatch.setenv("JOTGATE_TEST_PASSWORD", "hunter2hunter2")
    option = ["--password-env", "JOTGATE_TEST_PASSWORD"]
    assert run("keys", "init", tmp_path / "plain").code == 0
    ran = run("keys", "list", tmp_path / "plain", *option)
    assert (ran.code, ran.out) == (2, "")
    assert "the ring is not encrypted: leave --password-env out" in ran.err
    ring = tmp_path / "ring"
    assert run("keys", "init", ring, *option).code == 0
    with clock_at(NOW + 89 * DAY):
        assert run("keys", "rotate", ring, "--if-due", 90).code == 0
    with clock_at(NOW + 90 * DAY):
        ran = run("keys", "rotate", ring, "--if-due", 90)
        assert ran.code == 2
        assert "--password-env" in ran.err
        assert run("keys", "rotate", ring, "--if-due", 90, *option).out.startswith("rotated\n")
        active = kids(run, ring)["active"]
        (ring / f"{active}.pem").write_bytes(b"junk")
        assert run("keys", "list", ring).code == 0  # it is there, and nobody else's
        ran = run("keys", "list", ring, *option)
        assert ran.code == 1
        assert f"jotgate keys compromise DIR {active} --password-env NAME" in ran.err


def test_a_directory_that_cannot_be_made(run, tmp_path):
    ran = run("keys", "init", tmp_path / "none" / "ring")
    assert ran.code == 2
    assert f"{tmp_path / 'none' / 'ring'}: No such file or directory; make the parent directory first" in ran.err
    (tmp_path / "open").mkdir(0o755)
    (tmp_path / "open").chmod(0o755)
    ran = run("keys", "init", tmp_path / "open")
    assert ran.code == 2
    assert f"chmod 700 {tmp_path / 'open'}" in ran.err


def test_a_ring_whose_keys_and_epochs_are_elsewhere(run, tmp_path):
    from jotgate.stores.memory import MemoryEpochs

    class Keeper(dict):
        def create(self, algorithm):
            key = SigningKey.generate(algorithm)
            self[key.kid] = key
            return key

        def load(self, kid, algorithm):
            return self[kid]

        def destroy(self, kid):
            self.pop(kid, None)

    ring = tmp_path / "ring"
    KeyRing(ring, create=True, private_keys=Keeper(), epochs=MemoryEpochs())
    assert "epoch counted elsewhere" in run("keys", "list", ring).out
    for options in ((), ("--out", tmp_path / "jwks.json")):
        ran = run("keys", "jwks", ring, *options)
        assert (ran.code, ran.out) == (2, "")
        assert "publish from the issuer's own process" in ran.err
    assert not (tmp_path / "jwks.json").exists()
    with clock_at(NOW + DAY):
        ran = run("keys", "rotate", ring)
    assert ran.code == 2
    assert "only the issuer itself" in ran.err
    ran = run("keys", "compromise", ring, kids(run, ring)["active"])
    assert ran.code == 3
    assert "failed    destroy   the private key could not be destroyed" in ran.out
    assert "has NOT advanced" in ran.out
    assert "not complete: run it again" in ran.out
    assert "still to be destroyed" in run("keys", "list", ring).out


@pytest.mark.parametrize("action", ["list", "rotate", "stage", "prune", "jwks", "compromise"])
def test_where_there_is_no_ring(run, tmp_path, action):
    extra = ["KID"] if action == "compromise" else []
    ran = run("keys", action, tmp_path, *extra)
    assert (ran.code, ran.out) == (2, "")
    assert "no key ring" in ran.err


def test_a_ring_that_cannot_be_used(run, ring):
    manifest = ring / "ring.json"
    text = manifest.read_bytes()
    manifest.write_bytes(text[:-30])
    ran = run("keys", "list", ring)
    assert ran.code == 2
    assert "damaged" in ran.err
    manifest.write_bytes(text)
    ring.chmod(0o755)
    ran = run("keys", "list", ring)
    assert ran.code == 2
    assert f"chmod 700 {ring}" in ran.err
    ring.chmod(0o700)
    (ring / "lock").unlink()
    (ring / "lock").mkdir()
    ran = run("keys", "stage", ring)
    assert ran.code == 3
    assert "lock" in ran.err


@pytest.mark.parametrize(
    "argv",
    [["keys"], ["keys", "destroy", "ring"], ["keys", "list"], ["keys", "list", "a", "b"], ["keys", "jwks", "--x"]],
)
def test_usage_errors_are_one_line(run, argv):
    ran = run(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("jotgate keys: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("action", ["init", "list", "rotate", "stage", "compromise", "prune", "jwks"])
def test_help_of_each_action(run, action):
    ran = run("keys", action, "--help")
    assert ran.code == 0
    assert f"usage: jotgate keys {action}" in ran.out


MARKERS = [
    "Hunter2/hunter2+HUNTER2/c0rrect==",
    support.compact(support.header("HS256"), {"sub": "hunter"}),
    "hunterhunter",
    "it's\"hunter\n(x)",
]


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize(
    "argv",
    [
        ["list", "{}"],
        ["init", "{}/x"],
        ["init", "RING", "--alg", "{}"],
        ["init", "RING", "--password-env", "{}"],
        ["init", "RING", "--key", "{}"],
        ["init", "RING", "--cache-time", "{}"],
        ["rotate", "RING", "--if-due", "{}"],
        ["rotate", "RING", "--password={}"],
        ["rotate", "RING", "--{}"],
        ["{}", "RING"],
        ["compromise", "RING", "{}"],
        ["jwks", "RING", "--out", "{}/x"],
        ["jwks", "RING", "{}"],
    ],
)
def test_no_error_repeats_a_secret(run, ring, argv, marker):
    where = ring.parent / "other" if argv[0] == "init" else ring
    ran = run("keys", *(str(where) if word == "RING" else word.format(marker) for word in argv))
    assert ran.code == 2
    assert ran.out == ""
    assert "unter" not in ran.err
    assert "HUNTER" not in ran.err
    assert marker[:12] not in ran.err
    assert ran.err.count("\n") == 1

"""A key ring whose private keys never leave an HSM: SoftHSM, through PKCS#11."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass
from services.pkcs11_keys import PKCS11Keys
from support import AUDIENCE, ISSUER, NOW, claims, policy, refuses, rejects
from support import clock as clock

from jotgate import Issuer, KeyRing, KeySet, Verifier, jws
from jotgate.keys.lifecycle import NOTICE_SECONDS

MODULES = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
]
PIN, SO_PIN = "271828", "314159"
DAY = 86400


def module() -> str:
    for attempt in range(2):
        found = [path for path in MODULES if Path(path).exists()]
        if found and shutil.which("softhsm2-util"):
            return found[0]
        if attempt == 0 and os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "softhsm2"]):
                subprocess.run(command, env=environment, check=False, capture_output=True, timeout=300)
    pytest.fail("this test needs SoftHSM: apt-get install softhsm2 (or brew install softhsm)")


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    library = module()
    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir()
    config = home / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {home}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(config))
        init = ["softhsm2-util", "--init-token", "--free", "--label", "ring", "--pin", PIN, "--so-pin", SO_PIN]
        subprocess.run(init, check=True, capture_output=True, timeout=60)
        yield pkcs11.lib(library).get_token(token_label="ring")


@pytest.fixture
def keys(token):
    keys = PKCS11Keys(token, PIN)
    yield keys
    keys.close()


def issued(ring, **changes):
    return jws.sign(claims(epoch=ring.epoch, **changes), ring.signer())


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_an_issuer_signs_in_an_hsm(tmp_path, keys, clock, algorithm):
    ring = KeyRing(tmp_path / "ring", create=True, algorithm=algorithm, private_keys=keys)
    issuer = Issuer(ISSUER, ring, policy=policy(algorithm))
    verifier = Verifier(ring, policy(algorithm))
    before = issuer.issue("user-1", AUDIENCE)
    clock.advance(DAY)
    assert ring.rotate().alg == algorithm
    after = issuer.issue("user-1", AUDIENCE)
    assert verifier.verify(after).kid == ring.signer().kid
    refuses(verifier, before, "expired")
    ring.epochs.advance()
    refuses(verifier, after, "revoked")


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256", "PS256"])
def test_a_ring_in_an_hsm_signs_rotates_and_destroys(tmp_path, keys, token, clock, algorithm):
    ring = KeyRing(tmp_path / "ring", create=True, algorithm=algorithm, private_keys=keys)
    old = ring.signer().kid
    verifier = Verifier(KeySet.from_jwks(ring.jwks()), policy(algorithm))
    first = issued(ring, exp=NOW + 10 * DAY)
    assert verifier.verify(first).kid == old
    refuses(verifier, first[:-6] + "AAAAAA", "bad_signature")
    clock.advance(DAY)
    ring.rotate()
    second = issued(ring, exp=NOW + 10 * DAY)
    assert verifier.verify(second).kid == ring.signer().kid != old  # by the document of a day ago
    verifier.replace_keys(KeySet.from_jwks(ring.jwks()))
    assert verifier.verify(first)["iss"] == ISSUER
    assert verifier.verify(second)["aud"] == AUDIENCE
    clock.advance(NOTICE_SECONDS)
    ring.prune()
    rejects("store_unavailable", lambda: keys.load(old, algorithm))
    assert not list((tmp_path / "ring").glob("*.pem"))
    report = ring.compromise(ring.signer().kid)
    rejects("store_unavailable", lambda: keys.load(report.kid, algorithm))
    third = issued(ring, exp=NOW + 10 * DAY)
    verifier.replace_keys(KeySet.from_jwks(ring.jwks()))
    assert verifier.verify(third).kid == report.active_kid
    refuses(verifier, second, "unknown_key")


ANOTHER_PROCESS = """
import sys
import pkcs11
from services.pkcs11_keys import PKCS11Keys
from jotgate import KeyRing
module, pin, path = sys.argv[1:]
keys = PKCS11Keys(pkcs11.lib(module).get_token(token_label="ring"), pin)
signer = KeyRing(path, private_keys=keys).signer()
print(signer.kid, signer.sign(b"from another process").hex())
"""


def test_another_process_signs_with_the_same_key(tmp_path, keys):
    ring = KeyRing(tmp_path / "ring", create=True, private_keys=keys)
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS, module(), PIN, str(tmp_path / "ring")],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    kid, signature = done.stdout.split()
    assert kid == ring.signer().kid
    (public,) = [key for key in KeySet.from_jwks(ring.jwks()) if key.kid == kid]
    assert public._handle.verify(b"from another process", bytes.fromhex(signature))


@pytest.mark.parametrize(("algorithm", "secret"), [("ES256", Attribute.VALUE), ("RS256", Attribute.PRIVATE_EXPONENT)])
def test_the_private_key_cannot_be_taken_out(tmp_path, keys, algorithm, secret):
    ring = KeyRing(tmp_path / "ring", create=True, algorithm=algorithm, private_keys=keys)
    private = keys.find(ObjectClass.PRIVATE_KEY, ring.signer().kid)
    assert private[Attribute.SENSITIVE]
    assert not private[Attribute.EXTRACTABLE]
    assert private[Attribute.NEVER_EXTRACTABLE]
    with pytest.raises(pkcs11.exceptions.AttributeSensitive):
        private[secret]
    wrapper = keys._session.generate_key(pkcs11.KeyType.AES, 256, store=False)
    with pytest.raises(pkcs11.PKCS11Error):
        wrapper.wrap_key(private)
    for file in (tmp_path / "ring").iterdir():
        assert b"PRIVATE" not in file.read_bytes()


def test_an_algorithm_that_the_token_does_not_have(tmp_path, keys):
    ring = KeyRing(tmp_path / "ring", create=True, private_keys=keys)
    rejects("invalid_policy", lambda: ring.stage("EdDSA"))
    assert ring.settings.algorithm == "ES256"

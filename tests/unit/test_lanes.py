"""Lanes on the machine's libcrypto: for every input the verdict of `cryptography`."""

import ctypes
import functools
import hashlib
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from support import (
    ALGORITHMS,
    ECDSA,
    EDDSA,
    HMAC,
    ML_DSA,
    ORDERS,
    RSA,
    SIGNATURE_BYTES,
    lane_material,
    secret_key,
    served_algorithms,
    sign,
    token,
    verification_key,
    verifier,
)

from jotgate import VerificationKey, _lanes
from jotgate._key import ALGORITHM_NUMBERS
from jotgate.keys import lanes, selftest

WYCHEPROOF = json.loads(
    (Path(__file__).parents[1] / "vectors" / "wycheproof" / "ecdsa_secp256r1_sha256_p1363_test.json").read_text()
)
DATA = b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c2VyLTQ3MTEifQ"

needs_a_library = pytest.mark.skipif(lanes.library() is None, reason=str(lanes.reason()))
SERVED = served_algorithms()


def spki(key: Any) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@functools.cache
def lane(alg: str, which: int = 0) -> Any:
    made = lanes.signature_lane(alg, lane_material(alg, which))
    assert made is not None, alg
    return made


def agree(alg: str, data: bytes, signature: bytes, which: int = 0) -> bool:
    """Return the verdict of both backends, which is one."""
    ours = lane(alg, which).verify(data, signature)
    assert ours is verification_key(alg, which=which)._handle.verify(data, signature)
    return ours


def raw(alg: str, r: int, s: int) -> bytes:
    half = SIGNATURE_BYTES[alg] // 2
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")


@pytest.mark.usefixtures("frozen_clock")
def test_what_no_lane_serves_has_none_and_stays_with_cryptography() -> None:
    for alg in {*ALGORITHMS} - {*SERVED}:
        assert lanes.signature_lane(alg, lane_material(alg)) is None
        assert verifier(alg).stats()["backend"][alg] == "cryptography"
        assert verifier(alg).verify(token(alg)).alg


@pytest.mark.parametrize("alg", SERVED)
class TestEveryAlgorithm:
    def test_accepts_a_signature(self, alg: str) -> None:
        assert lane(alg).signature_bytes == SIGNATURE_BYTES[alg]
        assert lane(alg).algorithm == ALGORITHM_NUMBERS[alg]
        for data in (DATA, b"", b"\0", bytes(1_000_000)):
            assert agree(alg, data, sign(alg, data))

    def test_refuses_every_flipped_bit(self, alg: str) -> None:
        signature = sign(alg, DATA)
        # all of the short ones; of the long ones bits all over, the first and the last byte among them
        step = 1 if len(signature) <= 132 else len(signature) * 8 // 97
        for bit in [*range(0, len(signature) * 8, step), len(signature) * 8 - 1]:
            flipped = bytearray(signature)
            flipped[bit // 8] ^= 1 << bit % 8
            assert not agree(alg, DATA, bytes(flipped)), bit
        assert agree(alg, DATA, signature)

    def test_refuses_other_data_and_another_key(self, alg: str) -> None:
        signature = sign(alg, DATA)
        for data in (b"", DATA[:-1], DATA + b"\0", bytes(1_000_000)):
            assert not agree(alg, data, signature)
        assert not agree(alg, DATA, signature, which=1)
        assert agree(alg, DATA, sign(alg, DATA, secret_key(alg, 1)), which=1)

    def test_the_length_is_exact(self, alg: str) -> None:
        signature = sign(alg, DATA)
        for wrong in (b"", signature[:-1], signature + b"\0", b"\0" + signature, signature * 2, bytes(100_000)):
            assert not agree(alg, DATA, wrong)

    def test_refuses_patterns(self, alg: str) -> None:
        for byte in (b"\0", b"\xff", b"\x7f", b"\x80", b"\x01"):
            assert not agree(alg, DATA, byte * SIGNATURE_BYTES[alg])

    def test_the_key_of_another_algorithm_is_refused(self, alg: str) -> None:
        lane(alg)
        for other in {*ALGORITHMS} - {*RSA} - {*HMAC} - {alg}:
            with pytest.raises(ValueError, match=r"SubjectPublicKeyInfo|not the lane"):
                _lanes.PublicKeyLane(ALGORITHM_NUMBERS[alg], lane_material(other))

    def test_garbage_is_no_key(self, alg: str) -> None:
        lane(alg)
        if alg in HMAC:  # any bytes are a secret
            return
        der = lane_material(alg)
        number = ALGORITHM_NUMBERS[alg]
        prefix = der[: len(der) - 20]
        for wrong in (b"", b"\x30", b"\x30\x84", bytes(200), b"\xff" * 300, prefix, der + b"\0", der[1:], der[:40]):
            with pytest.raises((ValueError, LookupError)):
                _lanes.prepare(number, wrong)
        for position in range(0, 60, 3):
            changed = bytearray(der)
            changed[position % len(der)] ^= 0x41
            try:
                made = _lanes.prepare(number, bytes(changed))
            except (ValueError, LookupError):
                continue
            assert not made.verify(DATA, sign(alg, DATA)[: made.signature_bytes])
        with pytest.raises(TypeError):
            _lanes.prepare(number, bytearray(der))  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            _lanes.prepare(number, None)  # type: ignore[arg-type]

    def test_the_error_queue_stays_as_it_was(self, alg: str) -> None:
        """Another user of the same libcrypto in this thread must not take our errors for its own, nor miss its own."""
        crypto = ctypes.CDLL(lanes.library()[0])  # type: ignore[index]
        made, signature = lane(alg), sign(alg, DATA)
        crypto.ERR_clear_error()
        for own_errors in range(3):
            for _ in range(own_errors):
                assert not crypto.d2i_PUBKEY(None, ctypes.byref(ctypes.c_char_p(b"\x30\x00")), 2)
            before = crypto.ERR_peek_error(), crypto.ERR_peek_last_error()
            assert bool(before[0]) is bool(own_errors)
            for _ in range(40):  # more than the queue holds
                assert not made.verify(DATA, b"\xff" * SIGNATURE_BYTES[alg])
                assert not made.verify(DATA, bytes(SIGNATURE_BYTES[alg]))
                assert made.verify(DATA, signature)
            with pytest.raises((ValueError, LookupError)):
                _lanes.PublicKeyLane(ALGORITHM_NUMBERS[alg], lane_material("ES256")[:-1])
            if alg not in HMAC:
                with pytest.raises(LookupError):
                    _lanes.prepare(ALGORITHM_NUMBERS[alg], lane_material(alg)[:-1])
            assert (crypto.ERR_peek_error(), crypto.ERR_peek_last_error()) == before
        crypto.ERR_clear_error()
        assert agree(alg, DATA, signature)


@needs_a_library
@pytest.mark.parametrize("alg", HMAC)
@pytest.mark.parametrize("size", [0, 1, 31, 32, 63, 64, 65, 127, 128, 129, 200, 5000])
def test_secrets_of_every_length(alg: str, size: int) -> None:
    secret = bytes(range(1, 256)) * 20
    made = _lanes.prepare(ALGORITHM_NUMBERS[alg], secret[:size])
    for data in (DATA, b""):
        assert made.verify(data, sign(alg, data, secret[:size]))
        assert not made.verify(data, sign(alg, data, secret[: size + 1]))
    assert made.verify(DATA, sign(alg, DATA, secret[:size])), "the state is that after the key again"


@needs_a_library
@pytest.mark.parametrize("alg", ECDSA)
def test_the_edges_of_r_and_s(alg: str) -> None:
    order = ORDERS[alg]
    signature = sign(alg, DATA)
    half = len(signature) // 2
    r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
    assert agree(alg, DATA, raw(alg, r, order - s)), "RFC 7518 asks for no low s"
    edges = [0, 1, order - 1, order, order + 1, 2 ** (8 * half) - 1, 2 ** (8 * half - 1)]
    for edge in edges:
        assert not agree(alg, DATA, raw(alg, edge, s))
        assert not agree(alg, DATA, raw(alg, r, edge))
        for other in edges:
            assert not agree(alg, DATA, raw(alg, edge, other))
    for one, other in ((r + order, s), (r, s + order)):
        if max(one, other) < 2 ** (8 * half):
            assert not agree(alg, DATA, raw(alg, one, other))


@needs_a_library
@pytest.mark.parametrize("alg", ECDSA)
def test_a_sum_at_infinity_is_a_bad_signature(alg: str) -> None:
    """u1 G + u2 Q = 0 makes libcrypto answer with an error, not with 0: still the token's fault."""
    order, key = ORDERS[alg], secret_key(alg)
    digest = hashlib.new(f"sha{alg[2:5]}", DATA).digest()
    e = int.from_bytes(digest, "big") >> max(0, len(digest) * 8 - order.bit_length())
    r = -e * pow(key.private_numbers().private_value, -1, order) % order
    for s in (1, 2, order - 1):
        assert not agree(alg, DATA, raw(alg, r, s))


@needs_a_library
@pytest.mark.parametrize("alg", RSA)
def test_numbers_beyond_the_modulus(alg: str) -> None:
    modulus = secret_key(alg).public_key().public_numbers().n
    signature = int.from_bytes(sign(alg, DATA), "big")
    for wrong in (0, 1, modulus - 1, modulus, modulus + 1, modulus - signature):
        assert not agree(alg, DATA, wrong.to_bytes(256, "big"))
    if signature + modulus < 2**2048:
        assert not agree(alg, DATA, (signature + modulus).to_bytes(256, "big"))


@needs_a_library
def test_a_pss_salt_has_the_length_of_the_hash() -> None:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = hashes.SHA256()
    for size in (0, 20, 31, 32, 33, 48, 64):
        signature = secret_key("PS256").sign(DATA, padding.PSS(padding.MGF1(digest), size), digest)
        assert agree("PS256", DATA, signature) is (size == 32)
    other_mask = padding.PSS(padding.MGF1(hashes.SHA1()), 32)
    assert not agree("PS256", DATA, secret_key("PS256").sign(DATA, other_mask, digest))


@needs_a_library
@pytest.mark.parametrize("alg", RSA)
def test_rsa_algorithms_do_not_take_each_others_signatures(alg: str) -> None:
    for other in RSA:
        assert agree(alg, DATA, sign(other, DATA)) is (other == alg)


@needs_a_library
@pytest.mark.parametrize("bits", [2048, 2056, 3072, 4096])
def test_rsa_keys_of_other_sizes(bits: int) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, bits)
    for alg in ("RS256", "PS512"):
        made = _lanes.prepare(ALGORITHM_NUMBERS[alg], spki(key.public_key()))
        assert made.signature_bytes == bits // 8
        assert made.verify(DATA, sign(alg, DATA, key))
        assert not made.verify(DATA, sign(alg, DATA))


@needs_a_library
@pytest.mark.parametrize("alg", EDDSA)
def test_eddsa_s_is_reduced(alg: str) -> None:
    """RFC 8032 section 5.1.7: S + L would verify too, and is refused."""
    group_order = (
        2**252 + 27742317777372353535851937790883648493
        if alg == "Ed25519"
        else 2**446 - 13818066809895115352007386748515426880336692474882178609894547503885
    )
    signature = sign(alg, DATA)
    half = len(signature) // 2
    s = int.from_bytes(signature[half:], "little")
    assert not agree(alg, DATA, signature[:half] + (s + group_order).to_bytes(half, "little"))


@needs_a_library
def test_wycheproof() -> None:
    for group in WYCHEPROOF["testGroups"]:
        key = load_pem_public_key(group["publicKeyPem"].encode())
        made = lanes.signature_lane("ES256", spki(key))
        handle = VerificationKey.from_pem(group["publicKeyPem"], alg="ES256")._handle
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            verdict = made.verify(message, signature)  # type: ignore[union-attr]
            assert verdict is (case["result"] == "valid") is handle.verify(message, signature), case["tcId"]


def test_what_is_served() -> None:
    served = lanes.served()
    assert list(served) == list(ALGORITHM_NUMBERS)
    if lanes.library() is None:
        assert not any(served.values())
        return
    version = lanes.library()[1]  # type: ignore[index]
    everywhere = HMAC + RSA + ECDSA + ("Ed25519",)
    assert [name for name in everywhere if not served[name]] == []
    assert served["Ed448"] is version.startswith("OpenSSL")
    if version.startswith(("OpenSSL 3.0", "OpenSSL 3.1", "OpenSSL 3.2", "OpenSSL 3.3", "OpenSSL 3.4")):
        assert not any(served[name] for name in ML_DSA)


@needs_a_library
def test_the_library_is_that_of_hashlib() -> None:
    if os.environ.get("JOTGATE_LIBCRYPTO"):
        pytest.skip("another one is named")
    path, version = lanes.library()  # type: ignore[misc]
    assert version == ssl.OPENSSL_VERSION
    assert os.path.isabs(path)
    assert lanes.reason() is None


@pytest.mark.parametrize("failing", ["accepts a flipped bit", "accepts another key", "refuses all", "breaks"])
def test_an_algorithm_that_fails_its_self_test_is_not_served(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    known = selftest.known_answer("ES256")

    class Broken:
        def __init__(self, _: int, key: bytes) -> None:
            self.key = key

        def verify(self, _: bytes, signature: bytes) -> bool:
            if failing == "breaks":
                raise RuntimeError
            right = self.key == known.key and signature == known.signature
            if failing == "accepts a flipped bit":
                return self.key == known.key and len(signature) == len(known.signature)
            return {"accepts another key": signature == known.signature, "refuses all": False}.get(failing, right)

    monkeypatch.setattr(lanes._lanes, "prepare", Broken)
    lanes.serves.cache_clear()
    try:
        assert not lanes.serves("ES256")
        assert lanes.signature_lane("ES256", known.key) is None
    finally:
        lanes.serves.cache_clear()


def test_a_lane_class_is_not_made_past_the_checks() -> None:
    for make, wrong in (
        (_lanes.MACLane, 3),
        (_lanes.MACLane, -1),
        (_lanes.PublicKeyLane, 0),
        (_lanes.PublicKeyLane, 99),
        (_lanes.prepare, 18),
        (_lanes.prepare, -1),
    ):
        with pytest.raises((ValueError, LookupError)):
            make(wrong, b"x" * 64)


def child(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


ASK = """
from jotgate.errors import PolicyError
from jotgate.keys import lanes
for ask in (lanes.library, lanes.reason, lanes.served, lambda: lanes.signature_lane("HS256", bytes(32))):
    try:
        print(ask())
    except PolicyError as error:
        assert error.code == "invalid_policy"
        print("refused:", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no lanes there")
class TestNamingALibrary:
    def refused(self, path: str) -> str:
        done = child(ASK, JOTGATE_LIBCRYPTO=path)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert len(lines) == 4
        assert all(line.startswith("refused: JOTGATE_LIBCRYPTO") for line in lines), lines
        return lines[0]

    def test_a_relative_path(self) -> None:
        assert "absolute path" in self.refused("libcrypto.so.3")
        assert "absolute path" in self.refused("./libcrypto.so.3")

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        assert "cannot be used" in self.refused(str(tmp_path / "libcrypto.so.3"))

    def test_a_file_that_is_no_library(self, tmp_path: Path) -> None:
        path = tmp_path / "libcrypto.so.3"
        path.write_bytes(b"\x7fELF" + bytes(100))
        assert "cannot be used" in self.refused(str(path))

    def test_a_library_that_is_no_libcrypto(self) -> None:
        import _json

        assert "not a libcrypto" in self.refused(_json.__file__)

    @needs_a_library
    def test_a_library_that_only_depends_on_one(self) -> None:
        import _ssl

        assert "not a libcrypto" in self.refused(_ssl.__file__)

    @needs_a_library
    def test_a_good_path(self) -> None:
        path, version = lanes.library()  # type: ignore[misc]
        done = child(ASK, JOTGATE_LIBCRYPTO=os.path.realpath(path))
        assert repr((os.path.realpath(path), version)) in done.stdout, done.stdout + done.stderr
        assert "MACLane" in done.stdout

    @pytest.mark.parametrize("version", ["OpenSSL 1.1.1w  11 Sep 2023", "LibreSSL 4.0.0", "BoringSSL", "OpenSSL 5.0.0"])
    def test_a_library_of_another_family(self, version: str, tmp_path: Path) -> None:
        found = self.refused(self.compiled(tmp_path, f'const char *OpenSSL_version(int i) {{ return "{version}"; }}'))
        assert version in found

    def test_a_library_without_the_symbols(self, tmp_path: Path) -> None:
        code = 'const char *OpenSSL_version(int i) { return "OpenSSL 3.9.9"; }'
        assert "has no OPENSSL_init_crypto" in self.refused(self.compiled(tmp_path, code))

    def compiled(self, directory: Path, code: str) -> str:
        """Compile a library, or skip where there is no compiler."""
        source, made = directory / "other.c", directory / "other.so"
        source.write_text(code)
        try:
            subprocess.run(["cc", "-shared", "-fPIC", "-o", str(made), str(source)], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("no C compiler")
        return str(made)


# A libcrypto that answers as the environment tells it, with what no real one answers at will.
FAKE = """
#include <stdlib.h>
#include <string.h>
static int told(const char *name, int usual) { return getenv(name) ? atoi(getenv(name)) : usual; }
static unsigned queue[8], queued;
static char object[64];
const char *OpenSSL_version(int which) { return "OpenSSL 3.9.9 fake"; }
int OPENSSL_init_crypto(unsigned long long options, const void *settings) { return 1; }
unsigned ERR_peek_error(void) { return queued ? queue[0] : 0; }
unsigned ERR_peek_last_error(void) { return queued ? queue[queued - 1] : 0; }
unsigned ERR_get_error(void) {
    unsigned first = ERR_peek_error();
    if (queued) memmove(queue, queue + 1, --queued * sizeof *queue);
    return first;
}
int ERR_set_mark(void) { return 1; }
int ERR_pop_to_mark(void) { queued = 0; return 1; }
void *EVP_MD_fetch(void *library, const char *name, const char *query) { return told("fetch", 1) ? object : NULL; }
void *d2i_PUBKEY(void **out, const unsigned char **at, long size) {
    *at += size;
    return told("d2i", 1) ? object : NULL;
}
int EVP_PKEY_get_size(const void *key) { return 256; }
void EVP_PKEY_free(void *key) {}
int EVP_PKEY_CTX_set_rsa_padding(void *context, int padding) { return told("padding", 1); }
int EVP_PKEY_CTX_set_rsa_pss_saltlen(void *context, int size) { return told("salt", 1); }
static int made;
void *EVP_MD_CTX_new(void) { return ++made > 1 && told("no_context", 0) ? NULL : object; }
void EVP_MD_CTX_free(void *context) {}
int EVP_MD_CTX_copy_ex(void *out, const void *context) { return told("copy", 1); }
int EVP_DigestVerifyInit(void *c, void **scheme, const void *md, void *engine, void *key) { return told("init", 1); }
int EVP_DigestVerify(void *c, const unsigned char *s, size_t n, const unsigned char *d, size_t m) {
    queue[queued++] = 0x1000002;
    if (told("short_of_memory", 0)) queue[queued++] = (3u << 23) | 0xC0100;
    queue[queued++] = 0x2000003;
    return told("verify", 1);
}
void *HMAC_CTX_new(void) { return ++made > 1 && told("no_context", 0) ? NULL : object; }
void HMAC_CTX_free(void *context) {}
int HMAC_CTX_copy(void *out, void *context) { return told("copy", 1); }
int HMAC_Init_ex(void *c, const void *key, size_t n, const void *md, void *engine) {
    return key ? told("init", 1) : told("reset", 1);
}
int HMAC_Update(void *c, const unsigned char *data, size_t n) { return told("update", 1); }
int HMAC_Final(void *c, unsigned char *out, unsigned *n) {
    memset(out, 7, 32);
    *n = told("size", 32);
    return told("final", 1);
}
"""
ASK_FAKE = """
import sys
from jotgate import _lanes
made = _lanes.prepare(int(sys.argv[1]), bytes.fromhex(sys.argv[2]))
for _ in range(3):
    try:
        print(made.verify(b"data", b"\\7" * made.signature_bytes))
    except RuntimeError:
        print("undecided")
"""


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> str:
    return TestNamingALibrary().compiled(tmp_path_factory.mktemp("fake"), FAKE)


@pytest.mark.skipif(sys.platform == "win32", reason="no lanes there")
@pytest.mark.parametrize(
    ("alg", "told", "answer"),
    [
        ("HS256", {}, "True"),
        *[("HS256", {name: value}, "undecided") for name in ("reset", "update", "final") for value in ("0", "-1", "2")],
        ("HS256", {"no_context": "1"}, "undecided"),
        ("HS256", {"copy": "0"}, "undecided"),
        ("HS256", {"size": "31"}, "undecided"),
        ("HS256", {"init": "0"}, "LookupError"),
        ("HS256", {"fetch": "0"}, "LookupError"),
        *[
            (alg, told, answer)
            for alg in ("RS256", "ES256", "Ed25519")
            for told, answer in [
                ({}, "True"),
                *[({"verify": value}, "False") for value in ("0", "-1", "-2", "2", "256")],
                ({"verify": "0", "short_of_memory": "1"}, "undecided"),
                ({"verify": "-1", "short_of_memory": "1"}, "undecided"),
                ({"no_context": "1"}, "undecided"),
                ({"copy": "0"}, "undecided"),
                ({"init": "0"}, "LookupError"),
                ({"init": "-2"}, "LookupError"),
                ({"d2i": "0"}, "LookupError"),
            ]
        ],
        ("RS256", {"fetch": "0"}, "LookupError"),
        ("RS256", {"padding": "0"}, "LookupError"),
        ("PS256", {"padding": "-2"}, "LookupError"),
        ("PS256", {"salt": "0"}, "LookupError"),
    ],
)
def test_only_1_is_acceptance(fake: str, alg: str, told: dict[str, str], answer: str) -> None:
    arguments = [str(ALGORITHM_NUMBERS[alg]), lane_material(alg).hex()]
    done = child(ASK_FAKE, *arguments, JOTGATE_LIBCRYPTO=fake, **told)
    assert done.stdout.split() == [answer] * 3 or (answer == "LookupError" and answer in done.stderr), done


def test_an_interpreter_without_hashlib_has_no_lanes() -> None:
    finder = "import sys\nclass Nothing:\n  def find_spec(self, name, path, target=None):\n"
    refuse = "    if name == '_hashlib': raise ImportError\nsys.meta_path.insert(0, Nothing())\n"
    code = f"{finder}{refuse}sys.modules.pop('_hashlib', None)\n{ASK}"
    done = child(code, JOTGATE_LIBCRYPTO="")
    assert done.stdout.splitlines()[:2] == ["None", "the interpreter has no _hashlib"], done.stdout + done.stderr


def test_a_hashlib_built_into_the_interpreter_has_no_lanes() -> None:
    code = "import sys, types; sys.modules['_hashlib'] = types.ModuleType('_hashlib')\n" + ASK
    done = child(code, JOTGATE_LIBCRYPTO="")
    assert "built in" in done.stdout.splitlines()[1], done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no lanes there")
def test_a_hashlib_with_openssl_inside_has_no_lanes(tmp_path: Path) -> None:
    """As in the interpreters that link OpenSSL statically: the symbol lies in the module itself."""
    made = TestNamingALibrary().compiled(tmp_path, 'const char *OpenSSL_version(int i) { return "OpenSSL 3.5.0"; }')
    fake = f"import ctypes, sys, types; kept = ctypes.CDLL({made!r}); fake = types.ModuleType('_hashlib')\n"
    code = f"{fake}fake.__file__ = {made!r}; sys.modules['_hashlib'] = fake\n{ASK}"
    done = child(code, JOTGATE_LIBCRYPTO="")
    assert "linked into itself" in done.stdout.splitlines()[1], done.stdout + done.stderr

"""Make tokens with nothing but the standard library and `cryptography`.

The tests must be able to write any token, the wrong ones above all, and must not trust the code under test to
do it: nothing here calls `jotgate` to encode or to sign.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jotgate import KeySet, Policy, SigningKey, VerificationKey, Verifier, _clock, errors, jws
from jotgate.keys import lanes

NOW = 1_700_000_000
ISSUER = "https://auth.example.com"
AUDIENCE = "https://billing.example.com"
SUBJECT = "user-4711"

HMAC = ("HS256", "HS384", "HS512")
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ECDSA = ("ES256", "ES384", "ES512", "ES256K")
EDDSA = ("Ed25519", "Ed448")
ML_DSA = ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")
ALGORITHMS = HMAC + RSA + ECDSA + EDDSA + ML_DSA
PUBLIC_ALGORITHMS = RSA + ECDSA + EDDSA + ML_DSA

SIGNATURE_BYTES = {
    **dict(zip(HMAC, (32, 48, 64), strict=True)),
    **dict.fromkeys(RSA, 256),
    **dict(zip(ECDSA, (64, 96, 132, 64), strict=True)),
    **dict(zip(EDDSA, (64, 114), strict=True)),
    **dict(zip(ML_DSA, (2420, 3309, 4627), strict=True)),
}

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
    "ES256K": ec.SECP256K1(),
}
# The order of each curve's base point (SEC 2): the bound of r and s.
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
    ),
    "ES512": int("01" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
    "ES256K": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}

CLASS_OF_CODE: dict[str, type[errors.JotgateError]] = {
    "malformed": errors.MalformedTokenError,
    "too_large": errors.MalformedTokenError,
    "unsupported_critical_header": errors.MalformedTokenError,
    "algorithm_not_allowed": errors.AlgorithmNotAllowedError,
    "unknown_key": errors.UnknownKeyError,
    "bad_signature": errors.InvalidSignatureError,
    "revoked": errors.RevokedTokenError,
    "inactive": errors.InactiveTokenError,
    "missing_claim": errors.MissingClaimError,
    "invalid_claim": errors.InvalidClaimError,
    "wrong_type": errors.InvalidClaimError,
    "wrong_subject": errors.InvalidClaimError,
    "wrong_authorized_party": errors.InvalidClaimError,
    "too_old": errors.InvalidClaimError,
    "lifetime_too_long": errors.InvalidClaimError,
    "expired": errors.ExpiredTokenError,
    "not_yet_valid": errors.NotYetValidError,
    "wrong_issuer": errors.WrongIssuerError,
    "wrong_audience": errors.WrongAudienceError,
    "invalid_grant": errors.RefreshError,
    "invalid_scope": errors.RefreshError,
    "invalid_target": errors.RefreshError,
    "wrong_origin": errors.RequestRefusedError,
    "wrong_content_type": errors.RequestRefusedError,
    "method_not_allowed": errors.MethodNotAllowedError,
    "key_fetch_failed": errors.KeyFetchError,
    "store_unavailable": errors.StoreUnavailableError,
    "introspection_failed": errors.IntrospectionError,
    "undecided": errors.UndecidedError,
    "invalid_key": errors.InvalidKeyError,
    "invalid_policy": errors.PolicyError,
}

# In `claims(name=ABSENT)` and `refuses(..., claim=...)`: "leave it out", "do not compare".
ABSENT = object()
_UNCHECKED = object()


def b64u(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64u(text: str) -> bytes:
    """Decode canonical base64url."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def dumps(value: Any) -> bytes:
    """Write compact JSON; bytes pass through, so that a test can write JSON no encoder would."""
    if isinstance(value, bytes):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def canonical(alg: str) -> str:
    """Name the key an `alg` value of a header asks for by default: `EdDSA` means the Ed25519 key."""
    return "Ed25519" if alg == "EdDSA" else alg


@functools.cache
def secret_key(alg: str, which: int = 0) -> Any:
    """Return the private key (or HMAC secret) number `which` of an algorithm, made once a process."""
    alg = canonical(alg)
    seed = hashlib.sha512(f"jotgate test key {alg} {which}".encode()).digest()
    if alg in HMAC:
        return seed
    if alg in RSA:
        # One key pair serves all six: what an RSA key may be used for is what the tests are about.
        return _rsa_key(which)
    if alg in ECDSA:
        return ec.derive_private_key(int.from_bytes(seed, "big") % ORDERS[alg], CURVES[alg])
    if alg == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed[:32])
    if alg == "Ed448":
        return ed448.Ed448PrivateKey.from_private_bytes(seed[:57])
    return getattr(mldsa, f"MLDSA{alg[-2:]}PrivateKey").from_seed_bytes(seed[:32])


@functools.cache
def _rsa_key(which: int, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def sign(alg: str, data: bytes, key: Any = None) -> bytes:
    """Sign as RFC 7518, 8037 and 9964 say: raw JWS signature bytes."""
    alg = canonical(alg)
    key = secret_key(alg) if key is None else key
    if alg in HMAC:
        return hmac.digest(key, data, f"sha{alg[2:]}")
    if alg in ECDSA:
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(HASHES[alg[2:5]]())))
        size = SIGNATURE_BYTES[alg] // 2
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    if alg in RSA:
        digest = HASHES[alg[2:]]()
        if alg.startswith("RS"):
            return key.sign(data, padding.PKCS1v15(), digest)
        return key.sign(data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    return key.sign(data)


def verification_key(alg: str, *, kid: str | None = None, which: int = 0) -> VerificationKey:
    """Return the library's key object for the public half (or the secret) of `secret_key(alg, which)`."""
    key = secret_key(alg, which)
    if alg in HMAC:
        return VerificationKey.from_secret(key, alg=alg, kid=kid)
    return VerificationKey.from_cryptography(key.public_key(), alg=alg, kid=kid)


def claims(**changes: Any) -> dict[str, Any]:
    """Return claims the default policy accepts at NOW, with changes; a value of ABSENT drops the claim."""
    base = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW}
    return {name: value for name, value in (base | changes).items() if value is not ABSENT}


def header(alg: str, **members: Any) -> dict[str, Any]:
    """Return a header for `alg`; a member of ABSENT is dropped, `alg` included."""
    return {name: value for name, value in ({"alg": alg} | members).items() if value is not ABSENT}


def compact(head: Any, payload: Any = None, *, alg: str = "HS256", key: Any = None) -> str:
    """Sign a header and a payload (JSON values or raw bytes) with an algorithm, whatever the header says.

    The payload is `claims()` if none is given.
    """
    return resign(f"{b64u(dumps(head))}.{b64u(dumps(claims() if payload is None else payload))}", alg, key)


def signing_key(alg: str, kid: str | None = None, *, which: int = 0) -> SigningKey:
    """Return the signing key number `which` of an algorithm."""
    load = SigningKey.from_secret if alg.startswith("HS") else SigningKey.from_cryptography
    return load(secret_key(alg, which), alg=alg, kid=kid)


def token(alg: str = "HS256", *, key: Any = None, **changes: Any) -> str:
    """Sign a token that the default policy accepts, with changes to its claims."""
    return compact(header(alg), claims(**changes), alg=alg, key=key)


def raw_claim(name: str, raw: str, **changes: Any) -> str:
    """Sign a token one of whose claims is raw JSON text."""
    payload = dumps(claims(**{name: ABSENT}, **changes))[:-1] + f',"{name}":{raw}}}'.encode()
    return compact(header("HS256"), payload)


def resign(signing_input: str, alg: str = "HS256", key: Any = None) -> str:
    """Sign the two segments as they stand, canonical or not."""
    return f"{signing_input}.{b64u(sign(alg, signing_input.encode(), key))}"


def policy(*algorithms: str, **options: Any) -> Policy:
    """Return the default test policy for these algorithms (HS256 if none is named)."""
    settings: dict[str, Any] = {
        "algorithms": list(algorithms or ("HS256",)),
        "issuer": ISSUER,
        "audience": AUDIENCE,
    }
    return Policy(**(settings | options))


def verifier(*algorithms: str, kid: str | None = None, **options: Any) -> Verifier:
    """Return a verifier of the default policy with one key an algorithm; options are the policy's or the verifier's."""
    names = algorithms or ("HS256",)
    keys = [verification_key(name, kid=kid) for name in names]
    own = {name: options.pop(name) for name in ("cache", "revocations", "backend") if name in options}
    return Verifier(keys[0] if len(keys) == 1 else KeySet(keys), policy(*names, **options), **own)


class JWSDoor:
    """The signature layer with the call shape of a verifier."""

    def __init__(self, keys: Any, algorithms: list[str]) -> None:
        self._keys, self._algorithms = keys, algorithms

    def verify(self, text: Any) -> Any:
        return jws.verify(text, self._keys, algorithms=self._algorithms)


def doors(*algorithms: str) -> dict[str, Any]:
    """Return every way in: one issuer, several issuers, the signature layer."""
    names = algorithms or ("HS256",)
    keys = [verification_key(name) for name in names]
    key_or_set = keys[0] if len(keys) == 1 else KeySet(keys)
    return {
        "verifier": Verifier(key_or_set, policy(*names)),
        "issuers": Verifier({ISSUER: (key_or_set, policy(*names))}),
        "jws": JWSDoor(key_or_set, list(names)),
    }


def error_of(run: Callable[[], object]) -> errors.JotgateError:
    """Run and return the error of ours that it raises."""
    with pytest.raises(errors.JotgateError) as caught:
        run()
    return caught.value


def outcome(run: Callable[[], object]) -> errors.JotgateError | None:
    """Run and return the error of ours that it raises, or None. Foreign errors go through."""
    try:
        run()
    except errors.JotgateError as error:
        return error
    return None


def refuses(door: Any, text: Any, code: str, claim: object = _UNCHECKED) -> errors.JotgateError:
    """Assert that `door.verify(text)` raises the class and the code of a refusal, and the claim if given."""
    error = error_of(lambda: door.verify(text))
    assert error.code == code, f"{error.code} ({error}) instead of {code}"
    assert type(error) is CLASS_OF_CODE[code]
    if claim is not _UNCHECKED:
        assert error.claim == claim
    return error


def with_claims(raw_members: bytes) -> bytes:
    """Return a payload that the default policy accepts, with these raw members at its end."""
    return dumps(claims())[:-1] + b"," + raw_members + b"}"


def with_header(raw_members: bytes) -> bytes:
    """Return a header with these raw members at its end."""
    return b'{"alg":"HS256",' + raw_members + b"}"


def refuses_both(raw_members: bytes, code: str = "malformed") -> None:
    """Assert that the members make a header and a payload unacceptable, at every door that reads them."""
    for way_in in doors("HS256").values():
        refuses(way_in, compact(with_header(raw_members)), code)
    for name in ("verifier", "issuers"):
        refuses(doors("HS256")[name], compact(header("HS256"), with_claims(raw_members)), code)


def accepts_both(raw_members: bytes) -> None:
    """Assert that the members make neither a header nor a payload unacceptable."""
    assert verifier().verify(compact(with_header(raw_members)))
    assert verifier().verify(compact(header("HS256"), with_claims(raw_members)))


def rejects(code: str, run: Callable[[], object]) -> errors.JotgateError:
    """Assert that a construction raises the class and the code of a mistake in a key or a policy."""
    error = error_of(run)
    assert error.code == code, f"{error.code} ({error}) instead of {code}"
    assert type(error) is CLASS_OF_CODE[code]
    return error


@contextmanager
def clock_at(seconds: int, nanoseconds: int = 0) -> Iterator[None]:
    """Freeze the library's wall clock at a Unix time."""
    _clock.set_wall_clock_for_tests(seconds * 1_000_000_000 + nanoseconds)
    try:
        yield
    finally:
        _clock.set_wall_clock_for_tests(None)


class MovingClock:
    """Both clocks of the library, which stand still between steps."""

    def __init__(self) -> None:
        self.wall_ns, self.monotonic_ns = NOW * 1_000_000_000, 1_000_000_000_000
        self.advance(0)

    @property
    def now(self) -> float:
        return self.wall_ns / 1e9

    def advance(self, seconds: float) -> None:
        self.wall_ns += round(seconds * 1e9)
        self.monotonic_ns += round(seconds * 1e9)
        _clock.set_wall_clock_for_tests(self.wall_ns)
        _clock.set_monotonic_clock_for_tests(self.monotonic_ns)


@contextmanager
def moving_clock() -> Iterator[MovingClock]:
    """Take both clocks of the library over, from NOW on."""
    try:
        yield MovingClock()
    finally:
        _clock.set_wall_clock_for_tests(None)
        _clock.set_monotonic_clock_for_tests(None)


@pytest.fixture
def clock() -> Iterator[MovingClock]:
    """Take both clocks of the library over, from NOW on."""
    with moving_clock() as moving:
        yield moving


@pytest.fixture
def frozen_clock() -> Iterator[None]:
    """Freeze the library's wall clock at NOW."""
    with clock_at(NOW):
        yield


def lane_material(alg: str, which: int = 0) -> bytes:
    """Return what a signature lane is prepared from: the secret, or the public key as DER."""
    key = secret_key(alg, which)
    if alg in HMAC:
        return key
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def served_algorithms() -> list[str]:
    """Return the algorithms that signature lanes serve on this machine; runs the self-tests of all."""
    return [alg for alg in ALGORITHMS if lanes.serves(alg)]

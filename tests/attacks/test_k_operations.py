"""Group K, the part without a server: what errors, reprs and logs show, and where secrets come from."""

import copy
import inspect
import logging
import os
import stat
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    NOW,
    b64u,
    claims,
    compact,
    doors,
    dumps,
    error_of,
    header,
    outcome,
    policy,
    resign,
    secret_key,
    token,
    unb64u,
    verification_key,
    verifier,
)

from jotgate import Issuer, KeyRing, KeySet, SigningKey, VerificationKey, Verifier, jws, unverified
from jotgate.errors import JotgateError, TokenError

pytestmark = pytest.mark.usefixtures("frozen_clock")

CANARY = "Canary-7f3a9c51d2"
SECRET = b"Secret-canary-6b1e9d40c8a7f25e3d914b7a60c8e2f5"


def hostile_tokens() -> dict[str, Any]:
    """Return a token for each refusal, with the canary wherever text of the token can stand."""
    mark = {"x": CANARY, "sub": CANARY, "jti": CANARY}
    head = header("HS256", x=CANARY)
    changes: dict[str, dict[str, Any]] = {
        "exp": {"exp": NOW - 1}, "exp type": {"exp": CANARY}, "exp range": {"exp": 1e30},
        "exp missing": {"exp": ABSENT},
        "nbf": {"nbf": NOW + 9}, "iat": {"iat": NOW + 9}, "iss": {"iss": CANARY},
        "iss type": {"iss": [CANARY]},
        "aud": {"aud": CANARY}, "aud list": {"aud": [CANARY]}, "aud type": {"aud": {CANARY: CANARY}},
        "aud missing": {"aud": ABSENT}, "sub type": {"sub": [CANARY]}, "jti type": {"jti": {CANARY: 1}},
        "azp type": {"azp": [CANARY]},
    }  # fmt: skip
    tokens: dict[str, Any] = {name: compact(head, claims(**(mark | change))) for name, change in changes.items()}
    tokens |= {
        "signature": compact(head, claims(**mark), alg="HS256", key=b"x" * 32),
        "alg": compact(header(CANARY), claims(**mark)),
        "crit": compact(header("HS256", crit=[CANARY]), claims(**mark)),
        "kid": compact(header("HS256", kid=CANARY), key=b"x" * 32),
        "kid type": compact(header("HS256", kid=[CANARY]), claims(**mark)),
        "typ type": compact(header("HS256", typ=[CANARY]), claims(**mark)),
        "b64": compact(header("HS256", b64=CANARY), claims(**mark)),
        "duplicate": compact(b'{"alg":"HS256","%s":1,"%s":2}' % ((CANARY.encode(),) * 2), claims(**mark),
        alg="HS256"),
        "header json": compact(b'{"alg":"HS256","x":"%s"' % CANARY.encode(), claims(**mark)),
        "payload json": compact(head, b'{"x":"%s"' % CANARY.encode()),
        "payload utf-8": compact(head, b'{"x":"%s\xff"}' % CANARY.encode()),
        "payload number": compact(head, b'{"%s":1e999}' % CANARY.encode()),
        "payload base64": resign(b64u(dumps(header("HS256"))) + "." + b64u(CANARY.encode()) + "A"),
        "text": CANARY, "text bytes": CANARY.encode(), "too large": CANARY * 2000, "object": [CANARY],
        "dots": f"{CANARY}." * 9,
        "not ascii": CANARY + "é", "surrogate": CANARY + "\ud800",
    }  # fmt: skip
    return tokens


def spellings(value: bytes) -> set[str]:
    """Return how bytes could show: as text, as hex, as base64url at each of the three alignments."""
    encoded = {b64u(b"\0" * shift + value)[4:-4] for shift in range(3)}
    return {value.decode(), value.hex(), *encoded}


def assert_clean(shown: str, *, secrets: tuple[bytes, ...] = (CANARY.encode(), SECRET)) -> None:
    for secret in secrets:
        for spelling in spellings(secret):
            assert spelling not in shown


def everything_shown_by(error: BaseException) -> str:
    """Return all that a log or a crash report could show of an error."""
    parts = [
        str(error),
        repr(error),
        repr(error.args),
        repr(vars(error)) if hasattr(error, "__dict__") else "",
    ]
    parts += traceback.TracebackException.from_exception(error, capture_locals=False).format()
    for name in dir(error):
        if not name.startswith("__"):
            value = getattr(error, name)
            parts.append(repr(value() if name == "www_authenticate" else value))
    return "\n".join(part for part in parts if "CANARY" not in part or "hostile" not in part)


@pytest.mark.parametrize("kind", sorted(hostile_tokens()))
def test_k8_no_refusal_shows_the_token(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    text = hostile_tokens()[kind]
    ways_in: list[Callable[[Any], Any]] = [way_in.verify for way_in in doors("HS256").values()]
    ways_in += [unverified.peek, verifier(kid="k").verify, verifier(typ="at+jwt", subject="x").verify]
    refusals = [error for way_in in ways_in if (error := outcome(lambda way_in=way_in: way_in(text)))]
    assert len(refusals) >= 2
    for error in refusals:
        assert isinstance(error, TokenError)
        # No foreign exception hangs on it: its message could hold what ours leaves out.
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__
        assert_clean(everything_shown_by(error))
        if isinstance(text, str) and text.count(".") == 2:
            for segment in text.split("."):
                assert not segment or segment[:12] not in str(error)
    assert_clean(caplog.text)


def test_k8_every_code_is_exercised() -> None:
    codes = {
        error.code
        for text in hostile_tokens().values()
        for way_in in (verifier(), verifier(kid="k"))
        if (error := error_of(lambda text=text, way_in=way_in: way_in.verify(text)))
    }
    assert codes >= {
        "malformed", "too_large", "unsupported_critical_header", "algorithm_not_allowed", "unknown_key",
        "bad_signature", "missing_claim", "invalid_claim", "wrong_type", "expired", "not_yet_valid",
        "wrong_issuer",
        "wrong_audience",
    }  # fmt: skip


@pytest.mark.parametrize(
    "claims",
    [
        {"email": CANARY},
        {"x": f"{CANARY}@example.com"},
        {f"{CANARY}@example.com": 1},
        {"azp": [CANARY]},
        {"x": {CANARY}},
        {"x": [CANARY] * 2000},
        {"jti": CANARY},
        {"y": CANARY * 200},
    ],
    ids=range(8),
)
def test_k8_no_refusal_to_issue_shows_a_claim(claims: dict[str, Any]) -> None:
    issuer = Issuer("issuer", SigningKey.from_secret(SECRET, alg="HS256"))
    error = error_of(lambda: issuer.issue("subject", "audience", claims))
    shown = "".join(traceback.format_exception_only(error)) + repr(error) + repr(error.args) + repr(error.__cause__)
    assert CANARY not in shown
    assert error.__suppress_context__ or error.__context__ is None


def test_k8_no_repr_shows_secrets_or_claims() -> None:
    key = VerificationKey.from_secret(SECRET, alg="HS256", kid="k")
    signing = SigningKey.from_secret(SECRET, alg="HS256", kid="k")
    keys = KeySet([key])
    way_in = Verifier(keys, policy("HS256"))
    text = compact(header("HS256", kid="k"), claims(sub=CANARY, jti=CANARY, scope=[CANARY]), alg="HS256", key=SECRET)
    verified = way_in.verify(text)
    payload = jws.verify(text, keys, algorithms=["HS256"])
    for thing in (
        key,
        signing,
        keys,
        way_in,
        verified,
        payload,
        way_in.stats(),
        signing.public(),
        unverified.peek(text),
    ):
        assert_clean(f"{thing!r} {thing}")
    assert verified.subject == CANARY
    assert signing.sign(b"x") == SigningKey.from_secret(SECRET, alg="HS256").sign(b"x")


def private_parts(alg: str) -> tuple[bytes, ...]:
    key = secret_key(alg)
    if alg == "RS256":
        numbers = key.private_numbers()
        return (numbers.d.to_bytes(256, "big")[8:40], numbers.p.to_bytes(128, "big")[8:40])
    if alg == "ES256":
        return (key.private_numbers().private_value.to_bytes(32, "big"),)
    return (key.private_bytes_raw(),)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA", "Ed448"])
def test_k8_no_repr_shows_a_private_key(alg: str) -> None:
    key = SigningKey.from_cryptography(secret_key(alg), alg=alg, kid="k")
    public = key.public()
    shown = f"{key!r} {key} {public!r} {key.to_jwk()} {public.to_jwk()} {KeySet([public]).to_jwks()}"
    for part in private_parts(alg):
        assert part.hex() not in shown
        assert b64u(part)[4:-4] not in shown


def wrong_keys() -> list[Callable[[], Any]]:
    pem = secret_key("RS256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secret = SECRET.decode()
    jwk = {"kty": "oct", "k": b64u(SECRET), "alg": "HS256"}
    return [
        lambda: VerificationKey.from_secret(SECRET, alg="RS256"),
        lambda: VerificationKey.from_secret(SECRET, alg="HS512"),
        lambda: VerificationKey.from_secret(secret, alg="HS256"),  # type: ignore[arg-type]
        lambda: VerificationKey.from_secret(SECRET, alg="HS256", kid=""),
        lambda: VerificationKey.from_secret(SECRET[:20], alg="HS256"),
        lambda: VerificationKey.from_jwk(jwk | {"alg": "HS512"}),
        lambda: VerificationKey.from_jwk(jwk | {"k": secret + "!"}),
        lambda: VerificationKey.from_jwk(jwk | {"use": "enc"}),
        lambda: VerificationKey.from_jwk(jwk | {"kty": "RSA"}),
        lambda: VerificationKey.from_pem(pem, alg="RS256"),
        lambda: VerificationKey.from_pem(pem[:-60], alg="RS256"),
        lambda: VerificationKey.from_pem(SECRET, alg="RS256"),
        lambda: SigningKey.from_pem(pem[:900] + pem[960:], alg="RS256"),
        lambda: SigningKey.from_pem(SECRET, alg="RS256"),
        lambda: SigningKey.from_pem(pem, alg="ES256"),
        lambda: SigningKey.from_secret(SECRET[:20], alg="HS256"),
        lambda: KeySet.from_jwks({"keys": [jwk, jwk | {"k": b64u(SECRET[:-1]), "kid": None}]}),
        lambda: KeySet.from_jwks('{"keys":[{"kty":"oct","alg":"HS256","k":"' + b64u(SECRET) + '"}'),
    ]


@pytest.mark.parametrize("number", range(len(wrong_keys())))
def test_k8_no_key_error_shows_the_key(number: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = error_of(wrong_keys()[number])
    assert error.code == "invalid_key"
    shown = f"{error} {error!r} {error.args} {caplog.text}"
    context = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    shown += repr(context)
    assert_clean(shown, secrets=(SECRET[:20],))
    assert not any(line and line in shown for line in PEM_BODY)
    assert len(str(error)) < 500


PEM_BODY = (
    secret_key("RS256").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().splitlines()[1:-1]
)


def test_k8_a_secret_does_not_travel_by_copy_or_pickle() -> None:
    import pickle

    for key in (
        VerificationKey.from_secret(SECRET, alg="HS256"),
        SigningKey.from_secret(SECRET, alg="HS256"),
    ):
        with pytest.raises(TypeError):
            pickle.dumps(key)
        for copied in (copy.copy, copy.deepcopy):
            try:
                assert copied(key) is key
            except TypeError:
                continue


def test_k9_the_outside_learns_nothing_about_the_reason() -> None:
    answers = {
        (error.http_status, error.www_authenticate())
        for text in hostile_tokens().values()
        if (error := error_of(lambda text=text: verifier().verify(text)))
    }
    assert answers == {(401, 'Bearer error="invalid_token"')}


def test_k10_no_default_secret() -> None:
    for loader in (VerificationKey.from_secret, SigningKey.from_secret):
        assert inspect.signature(loader).parameters["secret"].default is inspect.Parameter.empty
        assert inspect.signature(loader).parameters["alg"].default is inspect.Parameter.empty
    for alg in ("HS256", "HS384", "HS512"):
        made = {SigningKey.generate(alg).to_jwk(private=True)["k"] for _ in range(20)}
        assert len(made) == 20
        assert {len(unb64u(secret)) for secret in made} == {int(alg[2:]) // 8}
    with pytest.raises((TypeError, JotgateError)):
        Verifier(None, policy("HS256"))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Verifier()  # type: ignore[call-arg]
    assert verification_key("HS256").alg == "HS256"
    assert token()
    assert AUDIENCE != ISSUER


def test_k10_the_keys_of_a_ring_are_its_own(tmp_path: Path) -> None:
    rings = [KeyRing(tmp_path / name, create=True) for name in "ab"]
    assert len({record.thumbprint for ring in rings for record in ring.keys}) == 4
    with pytest.raises(JotgateError):
        KeyRing(tmp_path / "c", create=True, passphrase="")


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_k12_files_with_keys_are_for_their_owner_only(tmp_path: Path, passphrase: str | None) -> None:
    """Written 0600 in a directory 0700 under any umask, and refused once others could have read them."""
    path = tmp_path / "ring"
    before = os.umask(0)
    try:
        ring = KeyRing(path, create=True, passphrase=passphrase)
        ring.stage()
        ring.compromise(ring.signer().kid or "")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    files = list(path.iterdir())
    assert len([file for file in files if file.suffix == ".pem"]) == 2
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    for file in [path, path / "ring.json", path / f"{ring.signer().kid}.pem"]:
        mode = stat.S_IMODE(file.stat().st_mode)
        for wider in (0o040, 0o004, 0o020, 0o002):
            file.chmod(mode | wider)
            assert error_of(lambda: KeyRing(path, passphrase=passphrase)).code == "invalid_key"
        file.chmod(mode)
    assert KeyRing(path, passphrase=passphrase).signer().kid == ring.signer().kid

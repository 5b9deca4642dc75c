"""What a type checker knows about the public face. Checked by `mypy --strict`, never run."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, assert_type

import msgspec
import pydantic

import jotgate
from jotgate import (
    ANY,
    Issuer,
    KeyRing,
    KeySet,
    Policy,
    SessionManager,
    SigningKey,
    VerificationKey,
    VerifiedToken,
    Verifier,
    errors,
    jws,
    unverified,
)
from jotgate.introspection.client import IntrospectionClient
from jotgate.introspection.token import IntrospectedToken
from jotgate.sessions.answers import SessionInfo, Tokens
from jotgate.sessions.cookies import RefreshCookie
from jotgate.sessions.endpoint import Answer, SessionEndpoint
from jotgate.sessions.events import SessionEvent
from jotgate.sessions.origin import RequestGuard
from jotgate.sessions.secrets import FixedSecrets, SessionSecrets
from jotgate.stores.memory import MemoryStore
from jotgate.stores.sqlite import SqliteStore
from jotgate.token import Claims, Token, VerifiedPayload
from jotgate.unverified import UnverifiedToken


class Struct(msgspec.Struct):
    sub: str


class Model(pydantic.BaseModel):
    sub: str


@dataclass
class Data:
    sub: str


def policies() -> None:
    assert_type(Policy(algorithms=["ES256"], issuer="i", audience="a"), Policy)
    Policy(
        algorithms={"ES256"},
        issuer=ANY,
        audience=("a", "b"),
        leeway=0.5,
        max_age=60,
        require=["exp"],
        crit=("x",),
    )
    Policy(algorithms=["ES256"], issuer="i")  # type: ignore[call-arg]
    Policy(["ES256"], "i", "a")  # type: ignore[call-arg]
    Policy(algorithms=["ES256"], issuer=None, audience="a")  # type: ignore[arg-type]
    Policy(algorithms=["ES256"], issuer=lambda issuer: True, audience="a")  # type: ignore[arg-type]
    Policy(algorithms=["ES256"], issuer="i", audience="a", leeway="10")  # type: ignore[arg-type]
    policy = Policy(algorithms=["ES256"], issuer="i", audience="a")
    assert_type(policy.algorithms, tuple[str, ...])
    assert_type(policy.max_token_bytes, int)
    assert_type(policy.allow_padding, bool)


def keys(pem: bytes, secret: bytes, document: str) -> None:
    assert_type(VerificationKey.from_pem(pem, alg="RS256"), VerificationKey)
    assert_type(VerificationKey.from_pem("text", alg="RS256", kid="k"), VerificationKey)
    assert_type(VerificationKey.from_der(pem, alg="RS256"), VerificationKey)
    assert_type(VerificationKey.from_jwk({"kty": "OKP"}), VerificationKey)
    assert_type(VerificationKey.from_secret(secret, alg="HS256"), VerificationKey)
    VerificationKey.from_secret("text", alg="HS256")  # type: ignore[arg-type]
    VerificationKey.from_secret(secret)  # type: ignore[call-arg]
    VerificationKey.from_pem(pem)  # type: ignore[call-arg]
    key = VerificationKey.from_pem(pem, alg="RS256")
    assert_type(key.alg, str)
    assert_type(key.kid, str | None)
    assert_type(key.thumbprint(), str)
    signing = SigningKey.generate("ES256")
    assert_type(signing.public(), VerificationKey)
    assert_type(signing.sign(b"data"), bytes)
    assert_type(KeySet([key]), KeySet)
    assert_type(KeySet.from_jwks(document), KeySet)
    KeySet.from_jwks(document.encode())
    KeySet.from_jwks({"keys": []})
    for one in KeySet([key]):
        assert_type(one, VerificationKey)
    assert_type(len(KeySet([key])), int)


async def verifying(key: VerificationKey, policy: Policy) -> None:
    verifier = Verifier(key, policy)
    assert_type(verifier.verify("text"), VerifiedToken)
    assert_type(verifier.verify(b"text", fresh=False), VerifiedToken)
    assert_type(await verifier.verify_async("text"), VerifiedToken)
    verifier.verify(None)  # type: ignore[arg-type]
    verifier.verify(bytearray())  # type: ignore[arg-type]
    verifier.verify(unverified.peek("text"))  # type: ignore[arg-type]
    Verifier(KeySet([key]), policy, backend="cryptography")
    Verifier({"issuer": (key, policy), "other": (KeySet([key]), policy)})
    Verifier("secret", policy)  # type: ignore[arg-type]
    Verifier(b"secret", policy)  # type: ignore[arg-type]
    assert_type(verifier.ready, bool)
    verifier.replace_keys(KeySet([key]))
    with verifier as entered:
        assert_type(entered, Verifier)


def reading(token: VerifiedToken) -> None:
    assert_type(token.claims, Claims)
    assert_type(token.header, Claims)
    mapping: Mapping[str, Any] = token.claims
    names: Iterator[str] = iter(mapping)
    next(names)
    assert_type(token.to_dict(), dict[str, Any])
    assert_type(token.payload, bytes)
    assert_type(token.subject, str | None)
    assert_type(token.issuer, str | None)
    assert_type(token.audience, tuple[str, ...])
    assert_type(token.expires_at, int | float | None)
    assert_type(token.issued_at, int | float | None)
    assert_type(token.token_id, str | None)
    assert_type(token.kid, str | None)
    assert_type(token.alg, str)
    assert_type(token["scope"], Any)
    assert_type(token.into(Struct), Struct)
    assert_type(token.into(Model), Model)
    assert_type(token.into(Data), Data)
    token.subject = "admin"  # type: ignore[misc]
    token["sub"] = "admin"  # type: ignore[index]
    token.claims["sub"] = "admin"  # type: ignore[index]


def signatures(key: VerificationKey, signing: SigningKey) -> None:
    payload = jws.verify("text", key, algorithms=["ES256"])
    assert_type(payload, VerifiedPayload)
    assert_type(payload.payload, bytes)
    jws.verify("text", key)  # type: ignore[call-arg]
    print(payload.claims)  # type: ignore[attr-defined]
    assert_type(jws.sign(b"payload", signing), str)
    assert_type(jws.sign({"sub": "x"}, signing, header={"typ": "at+jwt"}), str)
    jws.sign(b"payload", key)  # type: ignore[arg-type]
    needs_a_verified_token(payload)  # type: ignore[arg-type]
    seen = unverified.peek("text")
    assert_type(seen, UnverifiedToken)
    assert_type(seen.claims, dict[str, Any] | None)
    needs_a_verified_token(seen)  # type: ignore[arg-type]


def needs_a_verified_token(token: VerifiedToken) -> None: ...


def failing(error: errors.JotgateError) -> None:
    assert_type(error.code, str)
    assert_type(error.claim, str | None)
    assert_type(error.http_status, int)
    assert_type(error.www_authenticate(), str)
    assert_type(jotgate.errors.PolicyError("text").code, str)


def rings() -> None:
    ring = KeyRing("ring", create=True, algorithm="ES256", token_lifetime=600, passphrase=b"x")
    assert_type(ring.epoch, int)
    assert_type(ring.jwks(), dict[str, Any])
    assert_type(ring.signer().sign(b""), bytes)
    assert_type(ring.rotate().kid, str)
    assert_type(ring.compromise("kid").epoch, int | None)
    assert_type(ring.maintain(rotate_every=1.0).removed, tuple[str, ...])
    with ring as same:
        assert_type(same, KeyRing)
    Verifier(ring, Policy(algorithms=["ES256"], issuer="i", audience="a"))
    KeyRing("ring", token_lifetime="600")  # type: ignore[arg-type]
    KeyRing("ring", secret="x")  # type: ignore[call-arg]


class Kms:
    """A signer of somebody else's."""

    @property
    def alg(self) -> str:
        return "ES256"

    @property
    def kid(self) -> str | None:
        return "k"

    def sign(self, data: bytes) -> bytes:
        return data

    def public_jwk(self) -> Mapping[str, str]:
        return {}


def issuers(signing: SigningKey, ring: KeyRing, policy: Policy, public: VerificationKey) -> None:
    for issuer in (
        Issuer("i", signing),
        Issuer("i", ring, policy=policy, typ="at+jwt", guard="warn", readable=("email",)),
        Issuer("i", Kms()),
    ):
        assert_type(issuer.issue("s", "a"), str)
        issuer.issue("s", ["a", "b"], {"x": 1}, 60, client_id="c", not_before=True)
        issuer.issue("s", None)  # type: ignore[arg-type]
    Issuer("i", public)  # type: ignore[arg-type]
    Issuer("i", signing, guard="no")  # type: ignore[arg-type]
    assert_type(jws.sign({}, Kms()), str)


def whoever_found_it_out(token: Token) -> str | None:
    assert_type(token.claims, Claims)
    assert_type(token.audience, tuple[str, ...])
    assert_type(token.into(Data), Data)
    return token.subject


async def by_either(verifier: Verifier, client: IntrospectionClient) -> None:
    whoever_found_it_out(verifier.verify("x"))
    whoever_found_it_out(client.introspect("x"))
    assert_type(await client.introspect_async(b"x", fresh=True), IntrospectedToken)
    IntrospectedToken().subject = "x"  # type: ignore[misc]


def sessions(issuer: Issuer) -> None:
    def told(event: SessionEvent) -> None:
        assert_type(event.session, str | None)

    manager = SessionManager(SqliteStore("x"), issuer, secrets=SessionSecrets("y", create=True), on_event=told)
    SessionManager(MemoryStore(), issuer, secrets=FixedSecrets({1: b"x"}), subject_status=lambda subject: True, grace=0)
    SessionManager(MemoryStore(), issuer)  # type: ignore[call-arg]
    SessionManager(MemoryStore(), issuer, secrets=b"x")  # type: ignore[arg-type]
    SessionManager(object(), issuer, secrets=FixedSecrets({1: b"x"}))  # type: ignore[arg-type]
    tokens = manager.start("s", ["a"], {"x": 1}, client_id="c", scope="a b")
    assert_type(tokens, Tokens)
    assert_type(manager.refresh(tokens.refresh, audience="a", scope="b"), Tokens)
    assert_type(manager.end(tokens.session), bool)
    assert_type(manager.log_out(tokens.refresh), bool)
    assert_type(manager.end_all("s"), int)
    assert_type(manager.sessions("s"), list[SessionInfo])
    assert_type(manager.identify(tokens.refresh), SessionInfo)
    assert_type(manager.stats(), dict[str, Any])
    cookie = RefreshCookie(host_only=False, path="/auth")
    assert_type(cookie.read(None), str | None)
    routes = SessionEndpoint(manager, cookie, RequestGuard(["https://app.example.com"]))
    assert_type(routes.refresh("POST", [("Cookie", "x")]), Answer)
    assert_type(routes.log_out("POST", {"Cookie": "x"}), Answer)
    assert_type(errors.RefreshError("x").cause, str | None)

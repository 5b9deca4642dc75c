"""An introspected token: what it reads like, and that nobody else makes or alters one."""

import copy
import pickle
from dataclasses import dataclass

import msgspec
import pytest
from introspecting import INACTIVE, Endpoint, access_token, active, issuers_verifier
from support import AUDIENCE, ISSUER, NOW, SUBJECT, error_of

from jotgate import VerifiedToken
from jotgate.introspection.token import IntrospectedToken
from jotgate.token import Claims

pytestmark = pytest.mark.usefixtures("frozen_clock")

ANSWER = active(iss=ISSUER, aud=[AUDIENCE, "x"], iat=NOW, jti="j1", cnf={"jkt": "t"}, scope="read")


def introspected(body: bytes = ANSWER) -> IntrospectedToken:
    return Endpoint(body).client().introspect("t")


@dataclass
class Data:
    sub: str
    scope: str


class Struct(msgspec.Struct):
    sub: str
    jti: str


def test_what_it_reads_like():
    token = introspected()
    assert (token.issuer, token.subject, token.audience) == (ISSUER, SUBJECT, (AUDIENCE, "x"))
    assert (token.expires_at, token.issued_at, token.token_id) == (NOW + 300, NOW, "j1")
    assert token["cnf"]["jkt"] == token.get("cnf")["jkt"] == "t"
    assert (token.get("none"), token.get("none", 7), "scope" in token, "none" in token) == (None, 7, True, False)
    assert isinstance(token.claims, Claims)
    assert token.to_dict()["aud"] == [AUDIENCE, "x"]
    assert token.into(Data) == Data(SUBJECT, "read")
    assert token.into(Struct) == Struct(SUBJECT, "j1")
    assert error_of(lambda: introspected(b'{"active":true}').into(Data)).code == "missing_claim"


def test_what_is_absent():
    token = introspected(b'{"active":true}')
    assert (token.issuer, token.subject, token.audience) == (None, None, ())
    assert (token.expires_at, token.issued_at, token.token_id) == (None, None, None)
    assert introspected(b'{"active":true,"aud":"a"}').audience == ("a",)


def test_it_has_the_read_attributes_of_a_verified_token():
    verified = issuers_verifier().verify(access_token())
    names = {name for name in dir(VerifiedToken) if not name.startswith("_")}
    assert {name for name in dir(IntrospectedToken) if not name.startswith("_")} == names - {
        "payload", "header", "kid", "alg",
    }  # fmt: skip
    for name in ("subject", "issuer", "audience", "expires_at", "issued_at", "token_id"):
        answer = introspected(active(**verified.to_dict()))
        assert getattr(answer, name) == getattr(verified, name), name


def test_nobody_makes_or_alters_one():
    token = introspected()
    for make in (
        IntrospectedToken,
        lambda: IntrospectedToken(ANSWER),
        lambda: IntrospectedToken.__new__(IntrospectedToken),
    ):
        with pytest.raises(TypeError):
            make()
    with pytest.raises(TypeError):
        type("Mine", (IntrospectedToken,), {})
    for change in (
        lambda: setattr(token, "subject", "x"), lambda: setattr(token, "_claims", {}), lambda: delattr(token, "_body"),
        lambda: setattr(token, "new", 1),
    ):  # fmt: skip
        with pytest.raises(AttributeError):
            change()
    for refuse in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            refuse(token)
    with pytest.raises(TypeError):
        token.claims["sub"] = "x"  # type: ignore[index]
    token.to_dict()["cnf"]["jkt"] = "changed"
    assert token["cnf"]["jkt"] == "t"
    assert not isinstance(token, VerifiedToken)


def test_its_repr_shows_nothing():
    token = introspected()
    assert repr(token) == "<IntrospectedToken with 9 members>"
    assert SUBJECT not in f"{token!r} {token} {token.claims!r}"


def test_an_inactive_answer_makes_none():
    assert error_of(lambda: introspected(INACTIVE)).code == "inactive"
    assert error_of(lambda: introspected(INACTIVE[:-1] + b',"sub":"x","exp":1}')).code == "inactive"

"""Building claims and models leaks nothing."""

from dataclasses import dataclass

import msgspec
import pydantic
from measure import assert_steady, code_of
from support import ABSENT, NOW, JWSDoor, claims, clock_at, compact, header, token, verification_key, verifier

from jotgate import Issuer, SigningKey, jws, unverified


class Struct(msgspec.Struct):
    sub: str
    exp: int


class Model(pydantic.BaseModel):
    sub: str
    exp: int


@dataclass
class Data:
    sub: str
    exp: int


NESTED = {"list": [1, [2, {"deep": [3]}], "x"], "object": {"a": {"b": [True, None]}}, "é": "\n\u20ac"}

with clock_at(NOW):
    way_in, text = verifier(), token(jti="id", aud=["https://billing.example.com", "x\n"], **NESTED)
    verified = way_in.verify(text)

    def read_everything() -> None:
        made = way_in.verify(text)
        assert made.claims["list"]
        assert made.claims == made.to_dict()
        assert list(made.claims.items())
        assert made.get("nothing") is None
        for name in (
            "subject",
            "issuer",
            "audience",
            "expires_at",
            "issued_at",
            "token_id",
            "header",
            "alg",
            "payload",
        ):
            assert getattr(made, name)
        assert repr(made) + repr(made.claims)

    assert_steady("read everything", read_everything, 10_000)
    assert_steady(
        "read everything of one token",
        lambda: (verified.claims, verified.to_dict(), verified.audience),
        20_000,
    )
    for model in (Struct, Model, Data):
        assert_steady(f"into {model.__name__}", lambda model=model: way_in.verify(text).into(model), 5_000)
        wrong = way_in.verify(token(sub=ABSENT))
        assert_steady(
            f"not into {model.__name__}",
            lambda model=model, wrong=wrong: code_of(lambda: wrong.into(model)),
            3_000,
        )
    layer = JWSDoor(verification_key("HS256"), ["HS256"])
    assert_steady("jws.verify", lambda: layer.verify(text).header, 5_000)
    assert_steady("peek", lambda: unverified.peek(text).claims, 10_000)
    key = SigningKey.from_secret(b"s" * 32, alg="HS256")
    assert_steady("jws.sign", lambda: jws.sign(NESTED, key), 10_000)
    issuer = Issuer("i", key)
    assert_steady("issue", lambda: issuer.issue("s", "a", NESTED), 5_000)
    for refused in ({"azp": 1}, {"a": {"email": "x"}}, {"x": 2**64}, {"exp": 1}):
        assert_steady("not issue", lambda refused=refused: code_of(lambda: issuer.issue("s", "a", refused)), 3_000)
    escaped = compact(header("HS256", kid="\n\u00e9"), claims(sub='\n"\\'))
    assert_steady("escapes", lambda: (way_in.verify(escaped).subject, way_in.verify(escaped).kid), 20_000)

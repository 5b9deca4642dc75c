"""Group E: JSON, and the other serializations."""

import json
from typing import Any

import pytest
from support import (
    ISSUER,
    NOW,
    accepts_both,
    b64u,
    claims,
    compact,
    doors,
    dumps,
    header,
    policy,
    refuses,
    refuses_both,
    rejects,
    token,
    verifier,
    with_claims,
    with_header,
)

from jotgate import KeySet, errors

pytestmark = pytest.mark.usefixtures("frozen_clock")

DOORS = ["verifier", "issuers", "jws"]


@pytest.mark.parametrize("door", DOORS)
def test_e1_polyglots_of_two_serializations(door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload, signature = token().split(".")
    evil = b64u(dumps(claims(sub="admin")))
    for text in (
        json.dumps({f"{head}.{evil}.{signature}": "", "protected": head, "payload": payload, "signature": signature}),
        f'{{"  {head}.{evil}.":"","protected":"{head}","payload":"{payload}","signature":"{signature}"}}',
        f'{head}.{payload}.{signature}{{"x":1}}',
        f'{head}.{evil},"payload":"{payload}.{signature}',
    ):
        refuses(way_in, text, "malformed")


@pytest.mark.parametrize("door", DOORS)
def test_e1_the_alphabet_is_checked_before_anything_else(door: str) -> None:
    way_in = doors("HS256")[door]
    unsigned = f"{b64u(dumps({'alg': 'none'}))}.{b64u(dumps(claims()))}."
    refuses(way_in, unsigned, "algorithm_not_allowed")
    for byte in '!"{}[],:;=+/ \n':
        refuses(way_in, unsigned + byte, "malformed")


def test_e1_the_claims_are_those_of_the_verified_bytes() -> None:
    text = token(sub="alice", extra=[1, {"a": "b"}])
    verified = verifier().verify(text)
    assert b64u(verified.payload) == text.split(".")[1]
    assert verified.to_dict() == json.loads(verified.payload)
    assert dict(verified.header) == {"alg": "HS256"}


@pytest.mark.parametrize("door", DOORS)
def test_e2_json_serialization_with_the_dots_of_a_compact_token(door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload, signature = token().split(".")
    flattened = {"protected": head, "payload": payload, "signature": signature}
    for dots in range(6):
        text = json.dumps(flattened | {"note": "." * dots})
        assert text.count(".") == dots
        refuses(way_in, text, "malformed")
        refuses(way_in, text.encode(), "malformed")


@pytest.mark.parametrize("door", DOORS)
def test_e3_several_signatures(door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload, signature = token().split(".")
    good, bad = {"protected": head, "signature": signature}, {"protected": head, "signature": "AA"}
    for signatures in ([], [good], [bad, good], [good, bad], None, {}, "x"):
        refuses(way_in, json.dumps({"payload": payload, "signatures": signatures}), "malformed")


@pytest.mark.parametrize("door", DOORS)
def test_e4_absent_parts(door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload, signature = token().split(".")
    whole = {"protected": head, "payload": payload, "signature": signature}
    for name in whole:
        for value in (None, 0, "", [], {}):
            refuses(way_in, json.dumps(whole | {name: value}), "malformed")
        refuses(way_in, json.dumps({key: value for key, value in whole.items() if key != name}), "malformed")
    for text in ("..", f".{payload}.{signature}", f"..{signature}", f".{payload}."):
        refuses(way_in, text, "malformed")
    for raw in (b"", b"null", b"0", b'""', b"[]", b'["alg"]', b'"HS256"', b"true", b'{"alg":"HS256"', b"\0"):
        refuses(way_in, compact(raw), "malformed")
    refuses(way_in, compact(b"{}"), "algorithm_not_allowed")


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b'"x"',
        b"null",
        b"true",
        b"false",
        b"0",
        b"1.5",
        b"",
        b" ",
        b'[{"sub":"admin"}]',
        b'"{}"',
        b"{",
        b"x",
        b"\xff",
    ],
)
def test_e5_a_payload_that_is_no_json_object(raw: bytes) -> None:
    text = compact(header("HS256"), raw)
    refuses(verifier(), text, "malformed")
    refuses(verifier(require=("iss",), issuer=ISSUER), text, "malformed")
    with pytest.raises(errors.TokenError) as caught:
        doors("HS256")["issuers"].verify(text)
    assert caught.value.code in ("malformed", "wrong_issuer")
    # The signature layer hands out bytes and says nothing about claims.
    assert doors("HS256")["jws"].verify(text).payload == raw


def nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    """Return a member whose value makes the whole document `depth` levels deep, the outer object included."""
    return b'"a":' + opening * (depth - 1) + closing * (depth - 1)


ARRAYS, OBJECTS = (b"[", b"]"), (b'{"a":', b"}")


@pytest.mark.parametrize("kind", [ARRAYS, OBJECTS], ids=["arrays", "objects"])
def test_e6_depth_is_limited(kind: tuple[bytes, bytes]) -> None:
    def value(depth: int) -> bytes:
        member = nested(depth, *kind)
        return member if kind is ARRAYS else b'"a":' + kind[0] * (depth - 2) + b"{}" + kind[1] * (depth - 2)

    for depth in (2, 3, 10, 31, 32):
        accepts_both(value(depth))
    for depth in (33, 34, 100, 1000, 1500):
        refuses_both(value(depth))


@pytest.mark.parametrize("kind", [ARRAYS, OBJECTS], ids=["arrays", "objects"])
@pytest.mark.parametrize("depth", [10_000, 1_000_000])
def test_e6_very_deep(kind: tuple[bytes, bytes], depth: int) -> None:
    way_in = verifier(max_token_bytes=20_000_000)
    closed, unclosed = nested(depth, *kind), nested(depth, kind[0], b"")
    for member in (closed, unclosed):
        refuses(way_in, compact(with_header(member)), "malformed")
        refuses(way_in, compact(header("HS256"), with_claims(member)), "malformed")
        rejects("invalid_key", lambda member=member: KeySet.from_jwks(b'{"keys":[],' + member + b"}"))


DUPLICATES = [
    b'"alg":"HS256"', b'"alg":"none"', rb'"\u0061lg":"HS256"', rb'"\u0061\u006c\u0067":"none"',
    b'"x":1,"x":1',
    b'"x":1,"y":2,"x":3', rb'"x":1,"\u0078":2', rb'"\u0078":1,"x":2', b'"x":{"a":1,"a":2}',
    b'"x":[{"a":1,"a":1}]',
    b'"x":{"y":{"z":[[{"a":1,"b":2,"a":3}]]}}', b'"":1,"":2', rb'"\/":1,"/":2', rb'"\n":1,"\u000a":2',
    '"é":1,"\\u00e9":2'.encode(), '"😀":1,"\\ud83d\\ude00":2'.encode(), rb'"\"":1,"\u0022":2',
    rb'"\\":1,"\u005c":2',
    b'"crit":["x"],"crit":["x"]', b'"kid":"a","kid":"a"', b'"typ":"JWT","typ":"JWT"',
]  # fmt: skip


@pytest.mark.parametrize("members", DUPLICATES)
def test_e7_duplicate_members_of_a_header(members: bytes) -> None:
    for way_in in doors("HS256").values():
        refuses(way_in, compact(with_header(members)), "malformed")


@pytest.mark.parametrize(
    "members",
    [*(members for members in DUPLICATES if b'"alg"' not in members and b"u0061" not in members),
     b'"exp":1999999999', b'"exp":1', rb'"\u0065xp":1999999999', rb'"e\u0078p":1',
     b'"iss":"https://auth.example.com"',
     b'"aud":"x"', rb'"\u0061ud":[]', b'"sub":"admin"', b'"nbf":1,"nbf":1', b'"jti":"a","jti":"b"'],
)  # fmt: skip
def test_e7_duplicate_claims(members: bytes) -> None:
    for name in ("verifier", "issuers"):
        with pytest.raises(errors.TokenError) as caught:
            doors("HS256")[name].verify(compact(header("HS256"), with_claims(members)))
        assert caught.value.code == "malformed"


def test_e7_the_same_name_at_different_levels_is_no_duplicate() -> None:
    accepts_both(b'"x":{"x":{"x":1},"alg":1,"exp":1},"y":[{"x":1},{"x":1}]')
    accepts_both(b'"X":1,"x":1,"x ":1,"x\\u0000":1,"":1')


def test_e7_a_name_that_ends_in_nul_is_another_name() -> None:
    for name in ("exp", "nbf", "iat", "iss", "aud", "sub", "jti", "azp", "alg", "kid", "typ", "crit", "b64"):
        for escaped in (rf'"{name}\u0000":[]', rf'"\u0000{name}":[]', rf'"{name}\u0000\u0000\u0000\u0000\u0000":[]'):
            accepts_both(escaped.encode())
    required = verifier(require=("exp", "iss", "aud", "jti"))
    refuses(required, compact(header("HS256"), with_claims(rb'"jti\u0000":"x"')), "missing_claim", "jti")


def test_e7_duplicate_members_in_a_jwks() -> None:
    key = b'{"kty":"oct","alg":"HS256","k":"%s"}' % b64u(b"s" * 32).encode()
    assert len(KeySet.from_jwks(b'{"keys":[' + key + b"]}")) == 1
    for document in (
        b'{"keys":[],"keys":[' + key + b"]}",
        b'{"keys":[' + key + rb'],"\u006beys":[]}',
        b'{"keys":[' + key[:-1] + b',"k":"AAAA"}]}',
        b'{"keys":[' + key[:-1] + rb',"\u006b":"AAAA"}]}',
        b'{"keys":[' + key[:-1] + b',"x":{"a":1,"a":1}}]}',
    ):
        rejects("invalid_key", lambda document=document: KeySet.from_jwks(document))


ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_e8_another_encoding(encoding: str) -> None:
    head, payload = json.dumps({"alg": "HS256"}).encode(encoding), json.dumps(claims()).encode(encoding)
    for way_in in doors("HS256").values():
        refuses(way_in, compact(head), "malformed")
    refuses(verifier(), compact(header("HS256"), payload), "malformed")
    refuses(doors("HS256")["issuers"], compact(header("HS256"), payload), "malformed")
    document = json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "k": b64u(b"s" * 32)}]})
    assert len(KeySet.from_jwks(document.encode("utf-8"))) == 1
    rejects("invalid_key", lambda: KeySet.from_jwks(document.encode(encoding)))
    rejects("invalid_key", lambda: KeySet.from_jwks("\ufeff" + document))


INVALID_UTF8 = [
    b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\xfe",
    b"\xc3",
    b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3(", b"\xed\xa0\xbd\xed\xb8\x80",
]  # fmt: skip


@pytest.mark.parametrize("sequence", INVALID_UTF8, ids=bytes.hex)
def test_e8_invalid_utf8(sequence: bytes) -> None:
    refuses_both(b'"x":"' + sequence + b'"')
    refuses_both(b'"' + sequence + b'":1')
    refuses_both(
        b'"x":{"y":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' + sequence + b'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}'
    )


LONE = [rb"\ud800", rb"\udbff", rb"\udc00", rb"\udfff", rb"\ud800x", rb"\ud800\ud800", rb"\udc00\ud800",
        rb"\ud83d\ude0", rb"\ud83d\u0041", rb"\ud83d\\ude00", rb"\ud83d\n", rb"\uD83D",
        rb"x\uDE00x"]  # fmt: skip


@pytest.mark.parametrize("escape", LONE, ids=bytes.decode)
def test_e9_a_lone_surrogate(escape: bytes) -> None:
    refuses_both(b'"x":"' + escape + b'"')
    refuses_both(b'"' + escape + b'":1')
    refuses_both(b'"x":{"y":["' + escape + b'"]}')


def test_e9_a_pair_is_one_character() -> None:
    text = compact(header("HS256"), with_claims(rb'"x":"\ud83d\ude00","y":"\uD83D\uDE00"'))
    assert verifier().verify(text)["x"] == "😀" == verifier().verify(text)["y"]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"+1", b"01", b"1.", b".5", b"1e",
b"0x10", b"1_0",
                                    b"1e400", b"-1e400", b"1e309", b"--1", b"-", b"inf", b"nan",
                                    "١".encode()])  # fmt: skip
def test_e10_a_number_that_is_none(number: bytes) -> None:
    refuses_both(b'"x":' + number)
    for name in (b"exp", b"nbf", b"iat"):
        payload = dumps(claims(exp=NOW + 9)).replace(b'"exp":1700000009', b'"%s":%s' % (name, number))
        if name != b"exp":
            payload = with_claims(b'"%s":%s' % (name, number)).replace(b'"iat":1700000000,', b"")
        refuses(verifier(), compact(header("HS256"), payload), "malformed")


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [True, False, None, "1999999999", "", [], [1999999999], {}])
def test_e10_a_date_that_is_no_number(name: str, value: Any) -> None:
    refuses(verifier(), token(**{name: value}), "wrong_type", name)


@pytest.mark.parametrize("option", ["leeway", "max_age", "max_lifetime", "max_token_bytes"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1, -0.5, "1", b"1", [], True, 10**400])
def test_e10_an_option_that_is_no_sane_number(option: str, value: Any) -> None:
    rejects("invalid_policy", lambda: policy("HS256", **{option: value}))


def test_e10_leeway_is_bounded() -> None:
    assert policy("HS256", leeway=600).leeway == 600
    for leeway in (601, 600.5, 1e9, None):
        rejects("invalid_policy", lambda leeway=leeway: policy("HS256", leeway=leeway))


def test_e11_large_integers() -> None:
    for inside in (2**63 - 1, 2**63, 2**64 - 1, -(2**63), 0):
        accepts_both(b'"x":%d' % inside)
    for outside in (2**64, -(2**63) - 1, 10**20, 10**25, -(10**25), 10**308):
        refuses_both(b'"x":%d' % outside)


@pytest.mark.parametrize("digits", [4301, 5000, 1_000_000])
def test_e11_integers_of_many_digits(digits: int) -> None:
    way_in = verifier(max_token_bytes=3_000_000)
    for number in (
        b"9" * digits,
        b"-" + b"1" * digits,
        b"1" + b"0" * digits + b"e5",
        b"0." + b"1" * digits + b"e999999",
    ):
        for name in (b"x", b"nbf"):
            text = compact(header("HS256"), with_claims(b'"%s":%s' % (name, number)))
            refuses(way_in, text, "malformed")
        refuses(way_in, compact(with_header(b'"x":' + number)), "malformed")
    # Many digits after the point are a finite double, so a valid number.
    assert way_in.verify(compact(header("HS256"), with_claims(b'"x":0.' + b"1" * digits)))

"""Group C: `crit`, `b64` and detached payloads."""

import inspect
import json
import tracemalloc
from typing import Any

import pytest
from support import (
    AUDIENCE,
    ISSUER,
    b64u,
    claims,
    compact,
    doors,
    dumps,
    header,
    policy,
    refuses,
    rejects,
    resign,
    sign,
    token,
    verification_key,
    verifier,
)

from jotgate import Policy, Verifier, jws

pytestmark = pytest.mark.usefixtures("frozen_clock")

REGISTERED = ["alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit"]
WRONG_CRIT: list[Any] = [
    ["unknown"], ["exp"], [], None, "x", "", 1, True, False, {}, {"x": 1}, [1], [None], [["x"]], [""],
    ["x", "x"], ["x", "unknown"], ["absent"], ["b64"], ["X"], ["x "], *([name] for name in REGISTERED),
    ["x"] * 1000,
]  # fmt: skip


@pytest.mark.parametrize("crit", WRONG_CRIT, ids=lambda crit: json.dumps(crit)[:40])
@pytest.mark.parametrize("door", ["verifier", "issuers", "jws"])
def test_c1_crit_that_is_not_understood(crit: Any, door: str) -> None:
    head = header("HS256", crit=crit, x=1, unknown=1, kid="k", typ="JWT")
    refuses(doors("HS256")[door], compact(head), "unsupported_critical_header")


@pytest.mark.parametrize("crit", WRONG_CRIT, ids=lambda crit: json.dumps(crit)[:40])
def test_c1_a_listed_extension_makes_nothing_else_acceptable(crit: Any) -> None:
    head = header("HS256", crit=crit, x=1, unknown=1, kid="k", typ="JWT")
    refuses(verifier(crit=("x",)), compact(head), "unsupported_critical_header")


def test_c1_a_listed_extension_is_accepted() -> None:
    both = verifier(crit=("x", "https://example.com/ext"))
    for names in (["x"], ["https://example.com/ext"], ["https://example.com/ext", "x"]):
        head = header("HS256", crit=names, **dict.fromkeys(names))
        assert both.verify(compact(head)).header["crit"] == tuple(names)
    escaped = rb'{"alg":"HS256","\u0063rit":["\u0078"],"x":1}'
    assert both.verify(compact(escaped))
    refuses(verifier(), compact(escaped), "unsupported_critical_header")
    refuses(both, compact(header("HS256", crit=["x"])), "unsupported_critical_header")


@pytest.mark.parametrize("crit", ["x", [1], [""], [None], None, 1, *([name] for name in (*REGISTERED, "b64"))])
def test_c1_a_policy_cannot_understand_what_is_not_an_extension(crit: Any) -> None:
    rejects("invalid_policy", lambda: Policy(algorithms=["HS256"], issuer=ISSUER, audience=AUDIENCE, crit=crit))


def test_c1_crit_is_looked_at_after_alg_and_before_everything_else() -> None:
    refuses(verifier(), compact(header("none", crit=["x"])), "algorithm_not_allowed")
    head = header("HS256", crit=["x"], typ=1, kid=1, b64=False)
    refuses(verifier(kid="k", typ="at+jwt"), compact(head), "unsupported_critical_header")


@pytest.mark.parametrize("door", ["verifier", "issuers", "jws"])
def test_c2_crit_in_an_unprotected_header(door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload, signature = token().split(".")
    for crit in (["x"], ["b64"], []):
        flattened = {
            "protected": head,
            "header": {"crit": crit, "x": 1},
            "payload": payload,
            "signature": signature,
        }
        refuses(way_in, json.dumps(flattened), "malformed")
    # A claim of that name, or a member of another one, is no header parameter.
    assert way_in.verify(token(crit=["x"]))
    assert way_in.verify(compact(header("HS256", header={"crit": ["x"]})))


@pytest.mark.parametrize("value", [False, True, None, 0, "false", [], {}])
@pytest.mark.parametrize("door", ["verifier", "issuers", "jws"])
def test_c3_b64_without_crit(value: Any, door: str) -> None:
    way_in = doors("HS256")[door]
    refuses(way_in, compact(header("HS256", b64=value)), "malformed")
    refuses(
        way_in,
        compact(header("HS256", b64=value, crit=["b64"])),
        "unsupported_critical_header",
    )
    escaped = b'{"alg":"HS256","b\\u00364":%s}' % json.dumps(value).encode()
    refuses(way_in, compact(escaped), "malformed")


def test_c3_an_unencoded_payload() -> None:
    head = b64u(dumps(header("HS256", b64=False, crit=["b64"])))
    signature = b64u(sign("HS256", f"{head}.{json.dumps(claims())}".encode()))
    refuses(verifier(), f"{head}.{json.dumps(claims())}.{signature}", "malformed")
    plain = b64u(dumps(header("HS256", b64=False, crit=["b64"]))) + ".plain"
    for name, way_in in doors("HS256").items():
        code = "malformed" if name == "issuers" else "unsupported_critical_header"
        refuses(way_in, resign(plain), code)


def test_c4_a_large_payload_behind_b64_false_is_not_decoded() -> None:
    way_in = verifier(max_token_bytes=16_000_000)
    head = b64u(dumps(header("HS256", b64=False, crit=["b64"])))
    text = f"{head}.{b64u(b'x' * 7_500_000)}.AA"
    tracemalloc.start()
    try:
        refuses(way_in, text, "unsupported_critical_header")
        refuses(way_in, f"{b64u(dumps(header('HS256', b64=False)))}.{b64u(b'x' * 7_500_000)}.AA", "malformed")
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        refuses(way_in, text, "unsupported_critical_header")
        assert tracemalloc.get_traced_memory()[1] - before < 100_000
    finally:
        tracemalloc.stop()


def test_c5_a_detached_payload_is_not_a_thing() -> None:
    assert "payload" not in inspect.signature(jws.verify).parameters
    head, payload, signature = token().split(".")
    for name, way_in in doors("HS256").items():
        refuses(way_in, f"{head}..{signature}", "malformed" if name == "issuers" else "bad_signature")
    with pytest.raises(TypeError):
        jws.verify(  # type: ignore[call-arg]
            f"{head}.{payload}.{signature}", verification_key("HS256"), algorithms=["HS256"], payload=b"{}"
        )


@pytest.mark.parametrize(
    "head",
    [{"alg": "HS256"}, {"alg": "none"}, {"alg": "HS256", "b64": False}, {"alg": "HS256", "b64": False,
    "crit": ["b64"]},
     {"alg": "HS256", "crit": ["x"]}, {}, {"alg": "HS256", "kid": "unknown"}, {"alg": "HS256", "zip": "DEF"}],
)  # fmt: skip
def test_c6_the_size_limit_holds_on_every_path(head: dict[str, Any]) -> None:
    text = compact(head, claims(filler="x" * 13_000))
    assert len(text) > 16_384
    key, rules = verification_key("HS256", kid="k"), policy("HS256")
    for way_in in (Verifier(key, rules), Verifier({ISSUER: (key, rules)}), doors("HS256")["jws"]):
        refuses(way_in, text, "too_large")
        refuses(way_in, text.encode(), "too_large")


def test_c6_the_size_limit_is_exact() -> None:
    text = token()
    assert verifier(max_token_bytes=len(text)).verify(text)
    refuses(verifier(max_token_bytes=len(text) - 1), text, "too_large")

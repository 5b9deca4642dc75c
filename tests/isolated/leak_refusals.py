"""No refusal leaks: each code, at each door."""

from measure import assert_steady, code_of
from support import (
    ABSENT,
    ISSUER,
    NOW,
    JWSDoor,
    clock_at,
    compact,
    header,
    policy,
    resign,
    token,
    verification_key,
    verifier,
)

from jotgate import KeySet, Verifier, unverified

head = header("HS256")
b64_segment = token().split(".")[0]
REFUSED = {
    "malformed": [
        None, 1, "", "x", "a.b.c", "é" * 50, "é" * 20_000, b"\xff" * 50, token() + "=", token() + ".x", compact(b"{"),
        compact(b"[]"),
        compact(b'{"alg":"HS256","alg":1}'), compact(head, b"{"), compact(head, b'{"a":1,"a":2}'),
        compact(head, b'{"a":1e999}'),
        compact(head, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"), compact(head, b'{"a":"\\ud800"}'),
        compact(head, b'{"a":"\xff"}'),
        compact(head, b"{" + b",".join(b'"%d":1' % n for n in range(300)) + b',"7":1}'),
        compact(header("HS256", kid=1)),
        compact(header("HS256", typ=1)), compact(header("HS256", b64=True)), resign(f"{b64_segment}.A"),
        resign(f"{b64_segment}.AB"),
    ],
    "too_large": ["x" * 20_000, b"x" * 20_000],
    "unsupported_critical_header": [compact(header("HS256", crit=["x"], x=1)), compact(header("HS256",
    crit=[]))],
    "algorithm_not_allowed": [compact(header("none")), compact({}), compact(header("RS256"))],
    "unknown_key": [compact(header("HS256", kid="other")), compact(header("HS256", kid="\u00e9\n"))],
    "bad_signature": [token(key=b"x" * 32), token()[:-44] + "." , token() + "A" * 4],
    "missing_claim": [token(exp=ABSENT), token(iss=ABSENT), token(aud=ABSENT)],
    "wrong_type": [token(exp="1"), token(aud=[1]), token(sub=[]), token(jti={})],
    "invalid_claim": [token(exp=1e30), token(iat=NOW + 9)],
    "expired": [token(exp=NOW - 1)],
    "not_yet_valid": [token(nbf=NOW + 1)],
    "wrong_issuer": [token(iss="x"), token(iss="\n")],
    "wrong_audience": [token(aud="x"), token(aud=["x"] * 50)],
}  # fmt: skip

with clock_at(NOW):
    way_in = Verifier(
        KeySet([verification_key("HS256", kid="k"), verification_key("HS256", kid="l", which=1)]), policy()
    )
    lone = verifier()
    several = Verifier({ISSUER: (verification_key("HS256"), policy())})
    layer = JWSDoor(verification_key("HS256"), ["HS256"])
    for code, texts in REFUSED.items():
        for text in texts:
            chosen = way_in if code == "unknown_key" else lone
            assert code_of(lambda chosen=chosen, text=text: chosen.verify(text)) == code, (code, text)
        doors = [way_in] if code == "unknown_key" else [lone, several, layer]
        for door in doors:
            for text in texts:
                # The error's own traceback and args must go too, so they are read.
                assert_steady(
                    f"refuse {code} {str(text)[:12]!r}",
                    lambda door=door, text=text: code_of(lambda: door.verify(text)),
                    1_500,
                )
    for text in ("", "x", token(), compact(b"{"), compact(head, b"{"), None):
        assert_steady("peek", lambda text=text: code_of(lambda: unverified.peek(text)), 2_000)
    for call in (lambda: lone.verify(), lambda: lone.verify(1, 2), lambda: lone.verify("x", unknown=1)):

        def wrong_call(call=call) -> None:
            try:
                call()
            except TypeError:
                return

        assert_steady("a wrong call", wrong_call, 3_000)
    assert_steady("fresh without a store", lambda: code_of(lambda: lone.verify(token, fresh=True)), 3_000)

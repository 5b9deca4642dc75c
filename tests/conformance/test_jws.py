"""RFC 7515, 7797 and the parsing half of RFC 8725: one test a MUST."""

import json
from typing import Any

import pytest
from support import (
    ABSENT,
    ALGORITHMS,
    ECDSA,
    RSA,
    JWSDoor,
    b64u,
    claims,
    compact,
    doors,
    dumps,
    error_of,
    header,
    policy,
    refuses,
    rejects,
    resign,
    secret_key,
    sign,
    token,
    verification_key,
    verifier,
)

from jotgate import KeySet, SigningKey, VerificationKey, Verifier, jws
from jotgate.errors import JotgateError

pytestmark = pytest.mark.usefixtures("frozen_clock")


def all_refuse(text: Any, code: str, *algorithms: str) -> None:
    for way_in in doors(*algorithms or ("HS256",)).values():
        refuses(way_in, text, code)


def test_rfc7515_5_2_1_exactly_two_dots() -> None:
    head, payload, signature = token().split(".")
    for wrong in (
        head,
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}.",
        f"{head}.{payload}.{signature}.{signature}",
    ):
        all_refuse(wrong, "malformed")


def test_rfc7516_5_2_1_a_jwe_is_not_a_jws() -> None:
    all_refuse(f"{b64u(dumps({'alg': 'dir', 'enc': 'A128GCM'}))}..AAAA.AAAA.AAAA", "malformed")


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r", "\x0b", "\x0c"])
def test_rfc7515_5_2_2_no_white_space_in_any_segment(space: str) -> None:
    text = token()
    for at in (0, 3, text.index("."), text.index(".") + 1, text.rindex("."), text.rindex(".") + 5, len(text)):
        all_refuse(text[:at] + space + text[at:], "malformed")


def test_rfc7519_7_2_no_line_breaks_in_a_jwt() -> None:
    text = token()
    wrapped = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    all_refuse(wrapped, "malformed")
    all_refuse(wrapped.replace("\n", "\r\n"), "malformed")


def test_rfc8725bis_3_14_only_token_characters() -> None:
    head, payload, signature = token().split(".")
    for char in "~+/=!*'(),;:@&$?#[]%{}\"\\^`|<> ":
        all_refuse(f"{head}{char}.{payload}.{signature}", "malformed")
        all_refuse(f"{head}.{payload}.{signature}{char}", "malformed")


def test_rfc7515_5_2_3_header_is_utf8() -> None:
    for head in (
        b'{"alg":"HS256","x":"\xff"}',
        json.dumps({"alg": "HS256"}).encode("utf-16"),
        b'\xef\xbb\xbf{"alg":"HS256"}',
    ):
        all_refuse(compact(head), "malformed")


def test_rfc8725_3_7_header_is_completely_valid_json() -> None:
    for head in (
        b"{'alg':'HS256'}",
        b'{"alg":"HS256",}',
        b'{alg:"HS256"}',
        b'{"alg":"HS256"}//',
        b'{"alg" "HS256"}',
        b"[]",
        b"",
    ):
        all_refuse(compact(head), "malformed")


def test_rfc7515_10_12_malformed_json_is_refused_whole() -> None:
    for tail in (b"}", b"x", b"{}", b"\0", b",", b'"'):
        all_refuse(compact(dumps(header("HS256")) + tail), "malformed")
        refuses(verifier(), compact(header("HS256"), dumps(claims()) + tail), "malformed")


def test_rfc7515_4_header_names_are_unique() -> None:
    for head in (
        b'{"alg":"HS256","alg":"HS256"}',
        b'{"alg":"none","alg":"HS256"}',
        b'{"alg":"HS256","x":1,"x":1}',
    ):
        all_refuse(compact(head), "malformed")


def test_rfc7519_4_claim_names_are_unique() -> None:
    for member in (b'"sub":"x"', b'"exp":1', b'"aud":[]', b'"\\u0069ss":"x"'):
        refuses(verifier(), compact(header("HS256"), dumps(claims())[:-1] + b"," + member + b"}"), "malformed")


def test_rfc7515_5_3_names_are_compared_after_unescaping() -> None:
    escaped = compact(rb'{"\u0061\u006c\u0067":"\u0048\u0053\u0032\u0035\u0036"}', rb'{"\u0069ss":1}')
    refuses(verifier(), escaped, "missing_claim", "exp")
    payload = dumps(claims()).replace(b'"iss"', rb'"\u0069\u0073s"').replace(b'"aud"', rb'"a\u0075d"')
    assert verifier().verify(compact(header("HS256"), payload)).to_dict() == claims()
    for typ in (rb"at\u002bjwt", rb"application\/at+jwt", rb"\u0041T+JWT", b"at+jwt"):
        text = compact(b'{"alg":"HS256","typ":"%s"}' % typ)
        assert verifier(typ="at+jwt").verify(text), typ


def test_rfc7515_10_13_comparison_is_case_sensitive() -> None:
    for head in ({"ALG": "HS256"}, {"alg": "hs256"}, {"Alg": "HS256"}):
        all_refuse(compact(head), "algorithm_not_allowed")
    for name in ("iss", "aud", "exp"):
        value = claims()[name]
        refuses(verifier(), token(**{name: ABSENT, name.upper(): value}), "missing_claim", name)


def test_rfc7515_4_1_1_alg_is_present() -> None:
    all_refuse(compact({"typ": "JWT"}), "algorithm_not_allowed")


def test_rfc7515_5_2_8_alg_is_true_of_the_operation() -> None:
    keys = [verification_key(alg) for alg in ("RS256", "RS512", "PS256")]
    way_in = Verifier(KeySet(keys), policy("RS256", "RS512", "PS256"))
    for said in ("RS256", "RS512", "PS256"):
        for done in ("RS256", "RS512", "PS256"):
            text = compact(header(said), alg=done)
            if said == done:
                assert way_in.verify(text).alg == said
            else:
                refuses(way_in, text, "bad_signature")


@pytest.mark.parametrize("allowed", ALGORITHMS)
def test_rfc8725_3_1_the_application_restricts_algorithms(allowed: str) -> None:
    for alg in ("HS256", "RS256", "ES256", "Ed25519"):
        if alg != allowed:
            all_refuse(token(alg), "algorithm_not_allowed", allowed)
    with pytest.raises(TypeError):
        jws.verify(token(allowed), verification_key(allowed))  # type: ignore[call-arg]


def test_rfc8725bis_3_1_alg_is_consistent_with_the_key_found_by_kid() -> None:
    keys = KeySet([verification_key("RS256", kid="r"), verification_key("ES256", kid="e")])
    for way_in in (Verifier(keys, policy("RS256", "ES256")), JWSDoor(keys, ["RS256", "ES256"])):
        assert way_in.verify(compact(header("ES256", kid="e"), alg="ES256")).kid == "e"
        refuses(way_in, compact(header("ES256", kid="r"), alg="ES256"), "unknown_key")
        refuses(way_in, compact(header("RS256", kid="e"), alg="RS256"), "unknown_key")


@pytest.mark.parametrize("alg", RSA)
def test_rfc8725_3_1_one_key_one_algorithm(alg: str) -> None:
    """One RSA key pair could do six algorithms; a key object does the one it was made for."""
    key = VerificationKey.from_cryptography(secret_key(alg).public_key(), alg=alg)
    way_in = Verifier(KeySet([key, verification_key("ES256")]), policy(*RSA, "ES256"))
    for other in RSA:
        if other == alg:
            assert way_in.verify(token(other)).alg == alg
        else:
            refuses(way_in, token(other), "unknown_key")


def test_rfc8725_3_2_an_unacceptable_algorithm_is_refused() -> None:
    for name in ("HS1", "RS1", "MD5", "none", "RSA1_5", "A128KW", "dir"):
        all_refuse(compact(header(name)), "algorithm_not_allowed")
        rejects("invalid_policy", lambda name=name: policy(name))


def test_rfc7518_3_6_none_is_not_accepted() -> None:
    for name in ("none", "None", "NONE", "nOnE"):
        text = compact(header(name)).rpartition(".")[0] + "."
        all_refuse(text, "algorithm_not_allowed")
        rejects("invalid_policy", lambda name=name: policy(name))
        rejects("invalid_key", lambda name=name: VerificationKey.from_secret(b"s" * 64, alg=name))


def test_rfc7515_4_1_11_unknown_critical_header() -> None:
    for names in (["x"], ["exp"], ["x", "y"], ["b64"], ["https://example.com/ext"]):
        all_refuse(compact(header("HS256", crit=names, **dict.fromkeys(names, 1))), "unsupported_critical_header")


def test_rfc7515_4_1_11_malformed_critical_header() -> None:
    way_in = verifier(crit=("x",))
    assert way_in.verify(compact(header("HS256", crit=["x"], x=1)))
    for crit in ([], ["x", "x"], ["alg"], ["kid"], ["absent"], None, "x", {}, [1]):
        refuses(way_in, compact(header("HS256", crit=crit, x=1, kid="k")), "unsupported_critical_header")


def test_rfc7515_4_1_11_crit_only_in_the_protected_header() -> None:
    head, payload, signature = token().split(".")
    all_refuse(
        json.dumps({"protected": head, "header": {"crit": ["x"]}, "payload": payload, "signature": signature}),
        "malformed",
    )


@pytest.mark.parametrize("crit", [[], ["alg"], ["kid"], ["absent"], ["x", "x"], "x", None, [1]])
def test_rfc7515_4_1_11_no_useless_crit_is_written(crit: Any) -> None:
    with pytest.raises((JotgateError, ValueError, TypeError)):
        jws.sign({}, SigningKey.from_secret(b"s" * 32, alg="HS256"), header={"crit": crit, "x": 1})


def test_rfc7797_7_no_unencoded_payload_in_a_jwt() -> None:
    for value in (True, False):
        refuses(verifier(), compact(header("HS256", b64=value)), "malformed")
    head = b64u(dumps(header("HS256", b64=False, crit=["b64"])))
    refuses(verifier(), resign(f"{head}.{b64u(dumps(claims()))}"), "unsupported_critical_header")


def test_rfc7797_6_b64_elsewhere_is_not_understood() -> None:
    way_in = doors("HS256")["jws"]
    for value in (True, False):
        refuses(way_in, compact(header("HS256", b64=value), b"payload"), "malformed")
        refuses(way_in, compact(header("HS256", b64=value, crit=["b64"]), b"x"), "unsupported_critical_header")
    head = b64u(dumps(header("HS256", b64=False, crit=["b64"])))
    refuses(way_in, f"{head}.$.02.{b64u(sign('HS256', f'{head}.$.02'.encode()))}", "malformed")


def test_rfc7515_7_2_1_json_serialization_is_refused_whole() -> None:
    head, payload, signature = token().split(".")
    for members in (
        {"protected": head, "signature": signature},
        {"protected": head, "header": {"alg": "HS256"}, "signature": signature},
        {"header": {"alg": "HS256"}, "signature": signature},
        {"signatures": [{"protected": head, "signature": signature}]},
    ):
        all_refuse(json.dumps({"payload": payload} | members), "malformed")


def test_rfc7515_5_2_10_the_validated_signature_is_reported() -> None:
    keys = KeySet([verification_key("ES256", kid="a"), verification_key("RS256", kid="b")])
    for kid, alg in (("a", "ES256"), ("b", "RS256")):
        text = compact(header(alg, kid=kid), alg=alg)
        for way_in in (Verifier(keys, policy("ES256", "RS256")), JWSDoor(keys, ["ES256", "RS256"])):
            verified = way_in.verify(text)
            assert (verified.kid, verified.alg) == (kid, alg)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_rfc8725_3_3_every_cryptographic_operation_is_validated(alg: str) -> None:
    text = token(alg)
    head, payload, signature = text.split(".")
    way_in = verifier(alg)
    assert way_in.verify(text).alg == alg
    for changed in (
        f"{head}.{b64u(dumps(claims(sub='admin')))}.{signature}",
        f"{b64u(dumps(header(alg, x=1)))}.{payload}.{signature}",
    ):
        refuses(way_in, changed, "bad_signature")
    for at in range(0, len(signature) - 1, max(1, len(signature) // 24)):
        other = "A" if signature[at] != "A" else "B"
        refuses(way_in, f"{head}.{payload}.{signature[:at]}{other}{signature[at + 1 :]}", "bad_signature")


def test_rfc8725bis_3_3_jws_and_jwe_are_told_apart() -> None:
    for alg in ("RSA-OAEP", "ECDH-ES", "dir", "A256KW", "RS256"):
        head = b64u(dumps({"alg": alg, "enc": "A256GCM"}))
        all_refuse(f"{head}.AAAA.AAAA.AAAA.AAAA", "malformed", "RS256")


def test_rfc7515_4_1_4_kid_is_a_case_sensitive_string() -> None:
    way_in = verifier(kid="Key")
    assert way_in.verify(compact(header("HS256", kid="Key"))).kid == "Key"
    for other in ("key", "KEY", "Key "):
        refuses(way_in, compact(header("HS256", kid=other)), "unknown_key")
    for wrong in (1, None, ["Key"], {"kid": "Key"}, True):
        refuses(way_in, compact(header("HS256", kid=wrong)), "malformed")


def test_rfc8725_3_10_kid_is_hostile_input() -> None:
    for kid in ("../../dev/null", "' OR 1=1", "x" * 256, "\0", "%s"):
        refuses(verifier(kid="k"), compact(header("HS256", kid=kid)), "unknown_key")
    refuses(verifier(kid="k"), compact(header("HS256", kid="x" * 257)), "malformed")


def test_rfc8725_3_10_jku_and_x5u_are_not_followed() -> None:
    for member in ("jku", "x5u"):
        for url in ("http://127.0.0.1:9/", "file:///etc/passwd", "https://example.com/jwks.json"):
            assert verifier().verify(compact(header("HS256", **{member: url})))
            refuses(verifier(), compact(header("HS256", **{member: url}), key=b"x" * 32), "bad_signature")


def test_rfc7515_4_1_9_typ_without_a_slash_means_application() -> None:
    for expected in ("at+jwt", "application/at+jwt"):
        for given in ("at+jwt", "application/at+jwt", "AT+JWT", "Application/At+Jwt"):
            assert verifier(typ=expected).verify(compact(header("HS256", typ=given)))
    for given in ("text/at+jwt", "application/jwt", "a/at+jwt"):
        refuses(verifier(typ="at+jwt"), compact(header("HS256", typ=given)), "invalid_claim", "typ")


def test_rfc8725_3_12_kinds_of_jwt_exclude_each_other() -> None:
    kinds = {"at+jwt": verifier(typ="at+jwt"), "logout+jwt": verifier(typ="logout+jwt")}
    for expected, way_in in kinds.items():
        for kind in kinds:
            text = compact(header("HS256", typ=kind))
            if kind == expected:
                assert way_in.verify(text)
            else:
                refuses(way_in, text, "invalid_claim", "typ")


def test_rfc7519_5_3_replicated_claims_in_the_header_decide_nothing() -> None:
    """RFC 7519 lets the application compare them; we read claims from the payload alone."""
    text = compact(header("HS256", iss="https://evil.example.com", sub="admin", exp=1), claims())
    assert verifier().verify(text).to_dict() == claims()
    refuses(verifier(), compact(header("HS256", **claims()), {}), "missing_claim", "exp")


def test_the_curve_table_is_whole() -> None:
    assert len(ECDSA) == 4
    assert error_of(lambda: verifier().verify("")).code == "malformed"

"""Group H: claims."""

import re
from typing import Any

import pytest
from support import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    NOW,
    SUBJECT,
    b64u,
    claims,
    compact,
    header,
    policy,
    raw_claim,
    refuses,
    rejects,
    secret_key,
    token,
    verification_key,
    verifier,
)

from jotgate import ANY, KeySet, Policy, Verifier

pytestmark = pytest.mark.usefixtures("frozen_clock")

JSON_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    1.5,
    -1,
    "",
    "x",
    "1999999999",
    [],
    [1],
    ["x"],
    {},
    {"x": 1},
]
NOT_STRINGS = [value for value in JSON_VALUES if not isinstance(value, str)]
NOT_NUMBERS = [value for value in JSON_VALUES if isinstance(value, bool) or not isinstance(value, int | float)]


@pytest.mark.parametrize(
    "issuer",
    ["", ISSUER[:-1], ISSUER[1:], ISSUER + "x", ISSUER + "/", "x" + ISSUER, ISSUER.upper(), ISSUER + " ",
    " " + ISSUER,
     ISSUER + "\0", "auth.example.com", "https://", ISSUER.replace("https", "http"), ISSUER.replace("a", "а"),
     ISSUER + "," + ISSUER, ISSUER + "%00", "https://AUTH.example.com", "https://auth.example.com:443", "*",
     "." * 24],
)  # fmt: skip
def test_h1_the_issuer_is_compared_whole(issuer: str) -> None:
    refuses(verifier(), token(iss=issuer), "wrong_issuer", "iss")
    refuses(verifier(issuer=[ISSUER, "https://two.example.com"]), token(iss=issuer), "wrong_issuer", "iss")
    refuses(Verifier({ISSUER: (verification_key("HS256"), policy())}), token(iss=issuer), "wrong_issuer", "iss")


def test_h1_one_of_several_issuers() -> None:
    several = verifier(issuer={ISSUER, "https://two.example.com"})
    assert several.verify(token()).issuer == ISSUER
    assert several.verify(token(iss="https://two.example.com")).issuer == "https://two.example.com"
    assert verifier().verify(raw_claim("iss", r'"https:\/\/auth\u002eexample.com"')).issuer == ISSUER


@pytest.mark.parametrize(
    "audience",
    ["", AUDIENCE[:-1], AUDIENCE[1:], AUDIENCE + "/", AUDIENCE + " ", AUDIENCE.upper(), "billing.example.com",
     f"{AUDIENCE} https://x", f"{AUDIENCE},x", [], [""], ["x"], [AUDIENCE[:-1]], [AUDIENCE + "/"], ["x", "y",
     "z"],
     [AUDIENCE.upper()], list(AUDIENCE), ["*"], ["x"] * 100],
)  # fmt: skip
def test_h2_an_audience_that_is_not_ours(audience: Any) -> None:
    refuses(verifier(), token(aud=audience), "wrong_audience", "aud")
    refuses(verifier(audience=[AUDIENCE, "bb"]), token(aud=audience), "wrong_audience", "aud")


@pytest.mark.parametrize(
    "audience",
    [None, True, False, 0, 1, 1.5, {}, {AUDIENCE: 1}, {"0": AUDIENCE}, [1], [None], [True], [[AUDIENCE]],
    [{}],
     [{"x": AUDIENCE}], [AUDIENCE, 1], [1, AUDIENCE], [AUDIENCE, None], [AUDIENCE, [AUDIENCE]], [AUDIENCE,
     {}]],
)  # fmt: skip
def test_h2_an_audience_of_the_wrong_type(audience: Any) -> None:
    refuses(verifier(), token(aud=audience), "wrong_type", "aud")
    refuses(verifier(audience=ANY), token(aud=audience), "wrong_type", "aud")
    refuses(verifier(audience=ANY, require=("exp",)), token(aud=audience), "wrong_type", "aud")


def test_h2_an_audience_missing_or_ours() -> None:
    refuses(verifier(), token(aud=ABSENT), "missing_claim", "aud")
    for audience in (
        AUDIENCE,
        [AUDIENCE],
        ["x", AUDIENCE],
        [AUDIENCE, "x"],
        [AUDIENCE, AUDIENCE],
        ["", AUDIENCE, ""],
    ):
        expected = (audience,) if isinstance(audience, str) else tuple(audience)
        assert verifier().verify(token(aud=audience)).audience == expected
    for spaced in (f'[ "x" , "{AUDIENCE}" ]', f'[\n"{AUDIENCE}"\t]', r'["https:\/\/billing.example.com"]'):
        assert verifier().verify(raw_claim("aud", spaced))
    assert verifier().verify(token(aud=["x"] * 500 + [AUDIENCE]))
    assert verifier(audience=[AUDIENCE, "b"]).verify(token(aud="b")).audience == ("b",)


def test_h2_a_missing_audience_is_no_empty_one() -> None:
    for wrong in ("", [], [""]):
        rejects("invalid_policy", lambda wrong=wrong: Policy(algorithms=["HS256"], issuer=ISSUER, audience=wrong))


@pytest.mark.parametrize("issuer", [*NOT_STRINGS, [ISSUER], {"iss": ISSUER}, [ISSUER, ISSUER]])
def test_h3_an_issuer_that_is_no_string(issuer: Any) -> None:
    refuses(verifier(), token(iss=issuer), "wrong_type", "iss")
    refuses(verifier(issuer=ANY), token(iss=issuer), "wrong_type", "iss")
    refuses(verifier(issuer=ANY, require=("exp",)), token(iss=issuer), "wrong_type", "iss")
    refuses(Verifier({ISSUER: (verification_key("HS256"), policy())}), token(iss=issuer), "wrong_issuer", "iss")


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_h4_a_date_that_cannot_be_read_is_not_absent(name: str, value: Any) -> None:
    for require in (("exp", "iss", "aud"), ("iss", "aud"), ("exp", "iss", "aud", "nbf", "iat")):
        text = token(**({"nbf": NOW} | {name: value}))
        refuses(verifier(require=require), text, "wrong_type", name)


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_h4_absent_only_where_the_policy_lets_it(name: str) -> None:
    refuses(verifier(require=("exp", "iss", "aud", name)), token(**{name: ABSENT}), "missing_claim", name)
    assert verifier(require=("iss", "aud")).verify(token(**{name: ABSENT}))


@pytest.mark.parametrize("value", ["1999999999", "0", "", " 1999999999", "1e10", "never", "2033-05-18T03:33:19Z"])
def test_h5_a_date_as_a_string(value: str) -> None:
    for name in ("exp", "nbf", "iat"):
        refuses(verifier(), token(**{name: value}), "wrong_type", name)


def test_h6_a_policy_decides_about_the_audience() -> None:
    with pytest.raises(TypeError):
        Policy(algorithms=["HS256"], issuer=ISSUER)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Policy(algorithms=["HS256"], audience=AUDIENCE)  # type: ignore[call-arg]
    for nothing in (None, "", [], (), 0, False):
        rejects(
            "invalid_policy",
            lambda nothing=nothing: Policy(algorithms=["HS256"], issuer=ISSUER, audience=nothing),
        )
        rejects(
            "invalid_policy",
            lambda nothing=nothing: Policy(algorithms=["HS256"], issuer=nothing, audience=AUDIENCE),
        )
    spelled_out = verifier(audience=ANY)
    assert spelled_out.verify(token(aud="anybody")).audience == ("anybody",)
    refuses(spelled_out, token(aud=ABSENT), "missing_claim", "aud")
    assert verifier(audience=ANY, require=("exp",)).verify(token(aud=ABSENT)).audience == ()


def test_h6_what_is_configured_is_mandatory_whatever_require_says() -> None:
    way_in = verifier(require=("exp",), subject=SUBJECT, authorized_party="app", typ="at+jwt")
    good = compact(header("HS256", typ="at+jwt"), claims(azp="app"))
    assert way_in.verify(good).subject == SUBJECT
    for name in ("iss", "aud", "sub", "azp"):
        text = compact(header("HS256", typ="at+jwt"), claims(**({"azp": "app"} | {name: ABSENT})), alg="HS256")
        refuses(way_in, text, "missing_claim", name)
    refuses(way_in, token(azp="app"), "missing_claim", "typ")


def test_h7_exp_is_required_by_default() -> None:
    refuses(verifier(), token(exp=ABSENT), "missing_claim", "exp")
    refuses(verifier(require=("exp", "iss", "aud", "iat")), token(iat=ABSENT), "missing_claim", "iat")
    assert verifier(require=("iss", "aud")).verify(token(exp=ABSENT)).expires_at is None


def test_h8_the_signature_hides_everything_behind_it() -> None:
    for changes in (
        {"exp": NOW - 1},
        {"iss": "x"},
        {"aud": "x"},
        {"exp": "x"},
        {"nbf": NOW + 99},
        {"exp": ABSENT},
    ):
        text = compact(header("HS256"), claims(**changes), alg="HS256", key=b"x" * 32)
        refuses(verifier(), text, "bad_signature")
        if "iss" not in changes:
            refuses(Verifier({ISSUER: (verification_key("HS256"), policy())}), text, "bad_signature")
    for payload in (b"", b"x", b"[]", b'{"exp":1', b"{}", b'{"exp":1,"exp":2}'):
        refuses(verifier(), compact(header("HS256"), payload, alg="HS256", key=b"x" * 32), "bad_signature")
    head, _, _ = token().split(".")
    refuses(verifier(), f"{head}.AB.{b64u(bytes(32))}", "bad_signature")


TYPES = ["JWT", "at+jwt", "secevent+jwt", "logout+jwt", "dpop+jwt", "id+jwt", "x"]


@pytest.mark.parametrize("expected", TYPES)
@pytest.mark.parametrize("given", TYPES)
def test_h11_one_kind_of_token_is_not_another(expected: str, given: str) -> None:
    way_in = verifier(typ=expected)
    for written in (given, f"application/{given}", given.upper(), given.lower(), f"APPLICATION/{given}"):
        text = compact(header("HS256", typ=written))
        if given == expected:
            assert way_in.verify(text)
        else:
            refuses(way_in, text, "invalid_claim", "typ")


def test_h11_typ_must_be_there_and_whole() -> None:
    way_in = verifier(typ="at+jwt")
    refuses(way_in, token(), "missing_claim", "typ")
    for near in ("", "at", "at+jw", "at+jwtx", " at+jwt", "at+jwt ", "application/", "application/x/at+jwt",
    "text/at+jwt",
                 "application/application/at+jwt", "at+jwt;charset=x", "at jwt", "at+jwt\0", "AT+JWT,JWT",
                 "ａt+jwt"):  # fmt: skip
        refuses(way_in, compact(header("HS256", typ=near)), "invalid_claim", "typ")
    for wrong in (None, 1, True, [], ["at+jwt"], {}):
        refuses(way_in, compact(header("HS256", typ=wrong)), "malformed")
        refuses(verifier(), compact(header("HS256", typ=wrong)), "malformed")
    # A claim of that name is not the header parameter.
    refuses(way_in, token(typ="at+jwt"), "missing_claim", "typ")
    assert verifier(typ="application/at+jwt").verify(compact(header("HS256", typ="at+jwt")))


@pytest.mark.parametrize("option", ["issuer", "audience", "subject", "authorized_party", "typ"])
def test_h12_no_pattern_and_no_callable_in_a_policy(option: str) -> None:
    for matcher in (
        re.compile(".*"),
        lambda value: True,
        [re.compile(".*")],
        [lambda value: True],
        object(),
        b"x",
        1,
    ):
        rejects("invalid_policy", lambda matcher=matcher: policy("HS256", **{option: matcher}))


def test_h12_a_configured_value_is_literal() -> None:
    refuses(verifier(issuer="https://.*"), token(), "wrong_issuer", "iss")
    refuses(verifier(audience="*"), token(), "wrong_audience", "aud")
    assert verifier(audience=".*").verify(token(aud=".*"))
    assert verifier(issuer=["(a+)+$"]).verify(token(iss="(a+)+$"))


@pytest.mark.parametrize("name", ["jti", "sub", "iss", "azp"])
@pytest.mark.parametrize("value", [*NOT_STRINGS, ["x", SUBJECT], {SUBJECT: 1}])
def test_h13_an_identifier_is_a_string(name: str, value: Any) -> None:
    ways_in = [verifier(), verifier(require=("exp", "iss", "aud", name))]
    if name == "sub":
        ways_in.append(verifier(subject=SUBJECT))
    if name == "azp":
        ways_in.append(verifier(authorized_party="x"))
    for way_in in ways_in:
        refuses(way_in, token(**{name: value}), "wrong_type", name)


def test_h13_subject_and_authorized_party_are_compared_whole() -> None:
    for near in ("", SUBJECT[:-1], SUBJECT + "x", SUBJECT.upper(), " " + SUBJECT):
        refuses(verifier(subject=SUBJECT), token(sub=near), "wrong_subject", "sub")
        refuses(verifier(authorized_party=SUBJECT), token(azp=near), "wrong_authorized_party", "azp")
    assert verifier(subject=SUBJECT).verify(token()).subject == SUBJECT
    assert verifier(authorized_party="app").verify(token(azp="app"))["azp"] == "app"


def test_h14_the_token_of_one_issuer_with_the_keys_of_another() -> None:
    other = "https://other.example.com"
    way_in = Verifier({
        ISSUER: (KeySet([verification_key("ES256", kid="a")]), policy("ES256")),
        other: (KeySet([verification_key("ES256", kid="b", which=1)]), policy("ES256", issuer=other)),
    })  # fmt: skip
    keys = {"a": secret_key("ES256", 0), "b": secret_key("ES256", 1)}
    homes = {"a": ISSUER, "b": other}
    for kid, key in keys.items():
        for issuer in homes.values():
            text = compact(header("ES256", kid=kid), claims(iss=issuer), alg="ES256", key=key)
            if issuer == homes[kid]:
                assert way_in.verify(text).issuer == issuer
            else:
                refuses(way_in, text, "unknown_key")

"""RFC 7519, 9068 and the claims half of RFC 8725: one test a MUST."""

import json

import pytest
from support import (
    ABSENT,
    AUDIENCE,
    ISSUER,
    NOW,
    SUBJECT,
    claims,
    clock_at,
    compact,
    error_of,
    header,
    policy,
    refuses,
    rejects,
    secret_key,
    signing_key,
    token,
    unb64u,
    verification_key,
    verifier,
)

from jotgate import Issuer, Policy, Verifier
from jotgate.errors import PolicyError

pytestmark = pytest.mark.usefixtures("frozen_clock")


def test_rfc7519_4_1_4_exp() -> None:
    refuses(verifier(), token(exp=NOW), "expired", "exp")
    refuses(verifier(), token(exp=NOW - 1), "expired", "exp")
    assert verifier().verify(token(exp=NOW + 1)).expires_at == NOW + 1
    assert verifier(leeway=60).verify(token(exp=NOW - 59))
    refuses(verifier(leeway=60), token(exp=NOW - 60), "expired", "exp")
    for wrong in (str(NOW + 300), True, [], None):
        refuses(verifier(), token(exp=wrong), "wrong_type", "exp")
    # "No more than a few minutes" of leeway.
    rejects("invalid_policy", lambda: policy(leeway=601))


def test_rfc7519_4_1_5_nbf() -> None:
    assert verifier().verify(token(nbf=NOW))
    refuses(verifier(), token(nbf=NOW + 1), "not_yet_valid", "nbf")
    assert verifier(leeway=60).verify(token(nbf=NOW + 60))
    refuses(verifier(leeway=60), token(nbf=NOW + 61), "not_yet_valid", "nbf")
    for wrong in (str(NOW), True, [], None):
        refuses(verifier(), token(nbf=wrong), "wrong_type", "nbf")


def test_rfc7519_4_1_6_iat() -> None:
    for right in (NOW, NOW - 10**6, 0, NOW - 0.5):
        assert verifier().verify(token(iat=right)).issued_at == right
    for wrong in (str(NOW), True, [], None, {}):
        refuses(verifier(), token(iat=wrong), "wrong_type", "iat")
    refuses(verifier(), token(iat=NOW + 1), "invalid_claim", "iat")


def test_rfc7519_4_1_3_aud() -> None:
    for right in (AUDIENCE, [AUDIENCE], ["x", AUDIENCE]):
        assert verifier().verify(token(aud=right))
    for wrong in ("x", ["x"], [], AUDIENCE.upper(), AUDIENCE + "/"):
        refuses(verifier(), token(aud=wrong), "wrong_audience", "aud")
    for wrong in (1, None, {}, [1], [[AUDIENCE]]):
        refuses(verifier(), token(aud=wrong), "wrong_type", "aud")


def test_rfc8725_3_9_aud_is_required() -> None:
    refuses(verifier(), token(aud=ABSENT), "missing_claim", "aud")
    refuses(verifier(require=("exp",)), token(aud=ABSENT), "missing_claim", "aud")
    with pytest.raises(TypeError):
        Policy(algorithms=["HS256"], issuer=ISSUER)  # type: ignore[call-arg]


def test_rfc8725_3_8_keys_belong_to_the_issuer() -> None:
    other = "https://other.example.com"
    way_in = Verifier({
        ISSUER: (verification_key("ES256"), policy("ES256")),
        other: (verification_key("ES256", which=1), policy("ES256", issuer=other)),
    })  # fmt: skip
    assert way_in.verify(token("ES256")).issuer == ISSUER
    assert way_in.verify(token("ES256", iss=other, key=secret_key("ES256", 1))).issuer == other
    refuses(way_in, token("ES256", iss=other), "bad_signature")
    refuses(way_in, token("ES256", key=secret_key("ES256", 1)), "bad_signature")
    refuses(way_in, token("ES256", iss="https://third.example.com"), "wrong_issuer", "iss")


def test_rfc8725_3_8_subject_is_checked_when_configured() -> None:
    assert verifier(subject=SUBJECT).verify(token()).subject == SUBJECT
    refuses(verifier(subject=SUBJECT), token(sub="other"), "wrong_subject", "sub")
    refuses(verifier(subject=SUBJECT), token(sub=ABSENT), "missing_claim", "sub")
    for wrong in (1, None, [SUBJECT]):
        refuses(verifier(), token(sub=wrong), "wrong_type", "sub")


def access_token_verifier() -> Verifier:
    required = ("exp", "iss", "aud", "sub", "client_id", "iat", "jti")
    return Verifier(verification_key("ES256", kid="k"), policy("ES256", typ="at+jwt", require=required))


def access_token(typ: object = "at+jwt", alg: str = "ES256", **changes: object) -> str:
    extra = {"client_id": "app", "jti": "1", "scope": "read"}
    return compact(header(alg, typ=typ, kid="k"), claims(**(extra | changes)), alg="ES256")


def test_rfc9068_4_typ_of_an_access_token() -> None:
    way_in = access_token_verifier()
    for typ in ("at+jwt", "application/at+jwt", "AT+JWT"):
        assert way_in.verify(access_token(typ))["client_id"] == "app"
    for typ in ("JWT", "jwt", "id+jwt", "", "at"):
        refuses(way_in, access_token(typ), "invalid_claim", "typ")
    refuses(way_in, access_token(ABSENT), "missing_claim", "typ")
    for name in ("exp", "iss", "aud", "sub", "client_id", "iat", "jti"):
        refuses(way_in, access_token(**{name: ABSENT}), "missing_claim", name)


def issued(count: int = 1, **options: object) -> list[tuple[dict[str, object], dict[str, object]]]:
    """Return header and claims of access tokens that are issued by the profile."""
    issuer = Issuer(ISSUER, signing_key("ES256", kid="k"), typ="at+jwt")
    texts = [issuer.issue(SUBJECT, AUDIENCE, client_id="app", **options) for _ in range(count)]
    for text in texts:
        assert access_token_verifier().verify(text)
    return [tuple(json.loads(unb64u(part)) for part in text.split(".")[:2]) for text in texts]


def test_rfc7519_4_1_7_jti_is_unique() -> None:
    ids = [claims["jti"] for _, claims in issued(500)]
    assert len(set(ids)) == 500
    for each in ids:
        assert len(unb64u(each)) == 16  # 128 bits
    # ... of which none is always the same
    numbers = [int.from_bytes(unb64u(each)) for each in ids]
    for bit in range(128):
        assert 0 < sum(number >> bit & 1 for number in numbers) < 500


def test_rfc9068_2_1_typ_of_an_issued_access_token() -> None:
    ((head, _),) = issued()
    assert head == {"alg": "ES256", "kid": "k", "typ": "at+jwt"}


def test_rfc9068_2_2_claims_of_an_issued_access_token() -> None:
    ((_, claims),) = issued()
    assert claims.keys() >= {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
    issuer = Issuer(ISSUER, signing_key("ES256", kid="k"), typ="at+jwt")
    error = error_of(lambda: issuer.issue(SUBJECT, AUDIENCE))
    assert (type(error), error.code, error.claim) == (PolicyError, "missing_claim", "client_id")


def test_rfc9068_4_issuer_is_exact() -> None:
    for issuer in (ISSUER + "/", ISSUER.upper(), ISSUER[:-1], "http" + ISSUER[5:]):
        refuses(access_token_verifier(), access_token(iss=issuer), "wrong_issuer", "iss")


def test_rfc9068_4_audience_is_the_resource_server() -> None:
    for audience in ("https://other.example.com", ["x", "y"], []):
        refuses(access_token_verifier(), access_token(aud=audience), "wrong_audience", "aud")
    assert access_token_verifier().verify(access_token(aud=["x", AUDIENCE]))


def test_rfc9068_4_only_keys_of_the_authorization_server() -> None:
    forged = compact(
        header("ES256", typ="at+jwt", kid="k"),
        claims(client_id="app", jti="1"),
        alg="ES256",
        key=secret_key("ES256", 1),
    )
    refuses(access_token_verifier(), forged, "bad_signature")


def test_rfc9068_4_none_is_refused() -> None:
    text = access_token(alg="none").rpartition(".")[0] + "."
    refuses(access_token_verifier(), text, "algorithm_not_allowed")


def test_rfc9068_4_failures_are_answered_with_invalid_token() -> None:
    with clock_at(NOW + 10_000):
        late = error_of(lambda: access_token_verifier().verify(access_token()))
    for error in (
        late,
        error_of(lambda: access_token_verifier().verify("x")),
        error_of(lambda: access_token_verifier().verify(None)),
    ):
        assert error.http_status == 401
        assert error.www_authenticate() == 'Bearer error="invalid_token"'

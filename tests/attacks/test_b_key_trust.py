"""Group B, the part about trust: what a token says about keys chooses no key."""

import socket
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support import (
    ABSENT,
    ISSUER,
    JWSDoor,
    b64u,
    claims,
    compact,
    header,
    policy,
    refuses,
    secret_key,
    token,
    verification_key,
    verifier,
)

from jotgate import KeySet, Verifier

pytestmark = pytest.mark.usefixtures("frozen_clock")

OTHER_ISSUER = "https://other.example.com"


def jwk_of(key: ec.EllipticCurvePrivateKey, **members: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    point = {"x": b64u(numbers.x.to_bytes(32, "big")), "y": b64u(numbers.y.to_bytes(32, "big"))}
    return {"kty": "EC", "crv": "P-256"} | point | members


def offers_of(key: ec.EllipticCurvePrivateKey) -> list[dict[str, Any]]:
    """Return header members by which a token offers its own key."""
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return [
        {"jwk": jwk_of(key, alg="ES256")},
        {"jku": "http://127.0.0.1:9/jwks.json"},
        {"x5u": "https://127.0.0.1:9/cert.pem"},
        {"x5c": [b64u(spki)]},
        {"x5t": b64u(b"\0" * 20), "x5t#S256": b64u(b"\0" * 32)},
        {"jwk": jwk_of(key), "jku": "file:///etc/passwd", "x5u": "data:,x", "x5c": ["AA=="]},
        {"jwk": None, "jku": 1, "x5u": [], "x5c": {}},
    ]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a token made us open a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("kid", [ABSENT, "k", "attacker"])
def test_b13_a_key_offered_by_the_token_is_not_trusted(kid: object) -> None:
    attacker = secret_key("ES256", 1)
    code = "unknown_key" if kid == "attacker" else "bad_signature"
    for offer in offers_of(attacker):
        forged = compact(header("ES256", kid=kid, **offer), claims(), alg="ES256", key=attacker)
        refuses(verifier("ES256", kid="k"), forged, code)
        refuses(JWSDoor(verification_key("ES256", kid="k"), ["ES256"]), forged, code)


def test_b13_an_offered_key_is_ignored_in_a_genuine_token() -> None:
    for key in (secret_key("ES256"), secret_key("ES256", 1)):
        for offer in offers_of(key):
            genuine = compact(header("ES256", kid="k", **offer), claims(), alg="ES256")
            assert verifier("ES256", kid="k").verify(genuine).kid == "k"


@pytest.mark.parametrize("kid", [0, 1, 1.5, True, False, None, [], ["k"], {}, {"kid": "k"}, "", "k" * 257, "é" * 129])
def test_b14_kid_must_be_a_string_of_reasonable_length(kid: Any) -> None:
    text = compact(header("HS256", kid=kid))
    for own in (None, "k"):
        refuses(verifier(kid=own), text, "malformed")


@pytest.mark.parametrize("kid", ["k", "k" * 256, "é" * 128, "😀" * 64, "\0", "a b", "../../etc/passwd"])
def test_b14_kid_is_an_exact_name(kid: str) -> None:
    way_in = verifier(kid=kid)
    assert way_in.verify(compact(header("HS256", kid=kid))).kid == kid
    for near in (
        kid[:-1] + "x",
        kid[:-1] + "\0",
        kid.upper() + "x",
        kid[1:] + "y",
        kid + "x",
        kid + "\0",
        " " + kid,
    ):
        if near and len(near.encode()) <= 256 and near != kid:
            refuses(way_in, compact(header("HS256", kid=near)), "unknown_key")


def test_b14_the_length_is_that_of_the_value() -> None:
    escaped = rb"\u0041" * 256
    assert verifier(kid="A" * 256).verify(compact(b'{"alg":"HS256","kid":"%s"}' % escaped)).kid == "A" * 256
    refuses(verifier(), compact(b'{"alg":"HS256","kid":"%s\\u0041"}' % escaped), "malformed")
    # 86 characters of three bytes each, in six ASCII bytes each.
    refuses(verifier(), compact(b'{"alg":"HS256","kid":"%s"}' % (rb"\u20ac" * 86)), "malformed")


def test_b14_kid_is_compared_after_unescaping() -> None:
    assert verifier(kid="k1").verify(compact(rb'{"alg":"HS256","\u006bid":"\u006b1"}'))
    refuses(
        verifier(kid=r"\u006b1"),
        compact(rb'{"alg":"HS256","kid":"\u006b1"}'),
        "unknown_key",
    )


@pytest.mark.parametrize(
    "kid",
    ["/dev/null", "../../../../dev/null", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:9/k",
    "' OR '1'='1",
     "k'; DROP TABLE keys--", "x' UNION SELECT 'AAAA", "$(id)", "`id`", "|id", "{0.__class__}", "%s%n%x",
     "${jndi:ldap://x}",
     "K", "k ", " k", "k\0", "k\n", "*", ".*", "%", "_", "__class__", "keys", "None", "null", "0"],
)  # fmt: skip
def test_b14_a_hostile_kid_finds_nothing(kid: str) -> None:
    text = compact(header("HS256", kid=kid))
    error = refuses(verifier(kid="k"), text, "unknown_key")
    assert kid not in str(error) or len(kid) < 3
    # Signed with what an injected kid would have made the key in other libraries.
    for secret in (b"", b"\0", b"AAAA", kid.encode()):
        refuses(
            verifier(kid="k"),
            compact(header("HS256", kid=kid), claims(), alg="HS256", key=secret),
            "unknown_key",
        )


@pytest.mark.parametrize(
    "issuer",
    ["http://127.0.0.1:9", ISSUER + "/", ISSUER + "/..", ISSUER + "#", ISSUER + "?", ISSUER.upper(),
    "https://auth.example.com@evil",
     ISSUER + "/../../evil", ISSUER[:-1], "https://evil.example.com", "", "file:///etc/passwd",
     ISSUER + "\0", " " + ISSUER],
)  # fmt: skip
def test_b15_the_issuer_is_looked_up_by_exact_match_only(issuer: str) -> None:
    way_in = Verifier({ISSUER: (verification_key("HS256"), policy("HS256"))})
    refuses(way_in, token(iss=issuer), "wrong_issuer")


def two_issuers(order: tuple[str, ...]) -> Verifier:
    numbers = {ISSUER: 0, OTHER_ISSUER: 1}
    return Verifier({
        issuer: (verification_key("ES256", kid="same", which=numbers[issuer]), policy("ES256", issuer=issuer))
        for issuer in order
    })  # fmt: skip


@pytest.mark.parametrize("order", [(ISSUER, OTHER_ISSUER), (OTHER_ISSUER, ISSUER)])
def test_b18_one_kid_under_two_issuers(order: tuple[str, ...]) -> None:
    way_in = two_issuers(order)
    head = header("ES256", kid="same")
    for _ in range(2):  # the second round meets whatever the first left in memory
        for number, issuer in enumerate((ISSUER, OTHER_ISSUER)):
            own = compact(head, claims(iss=issuer), alg="ES256", key=secret_key("ES256", number))
            assert way_in.verify(own).issuer == issuer
            crossed = compact(head, claims(iss=issuer), alg="ES256", key=secret_key("ES256", 1 - number))
            refuses(way_in, crossed, "bad_signature")


def test_b18_an_issuer_uses_only_its_own_algorithms() -> None:
    way_in = Verifier({
        ISSUER: (verification_key("ES256"), policy("ES256")),
        OTHER_ISSUER: (verification_key("HS256"), policy("HS256", issuer=OTHER_ISSUER)),
    })  # fmt: skip
    assert way_in.verify(token("ES256")).alg == "ES256"
    assert way_in.verify(token("HS256", iss=OTHER_ISSUER)).alg == "HS256"
    refuses(way_in, token("HS256"), "algorithm_not_allowed")
    refuses(way_in, token("ES256", iss=OTHER_ISSUER), "algorithm_not_allowed")


def test_b20_keys_are_bound_to_their_issuer() -> None:
    alone = verifier("ES256")
    several = two_issuers((ISSUER, OTHER_ISSUER))
    head = header("ES256", kid="same")
    refuses(alone, token("ES256", iss=ABSENT), "missing_claim", "iss")
    refuses(alone, token("ES256", iss=OTHER_ISSUER), "wrong_issuer", "iss")
    for issuer in (ABSENT, "https://unknown.example.com", "", None, 1, [ISSUER], {"iss": ISSUER}):
        refuses(several, compact(head, claims(iss=issuer), alg="ES256"), "wrong_issuer", "iss")
    assert len(KeySet([verification_key("ES256", kid="same")])) == 1


def test_b20_a_header_member_does_not_name_the_issuer() -> None:
    head = header("ES256", kid="same", iss=ISSUER, signer="arn:aws:elasticloadbalancing:x")
    refuses(
        two_issuers((ISSUER, OTHER_ISSUER)),
        compact(head, claims(iss=ABSENT), alg="ES256"),
        "wrong_issuer",
        "iss",
    )

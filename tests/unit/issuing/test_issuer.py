"""Issued tokens: what is in them, and that nothing is issued that a verifier of the policy would refuse."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import (
    ALGORITHMS,
    AUDIENCE,
    ISSUER,
    NOW,
    SUBJECT,
    MovingClock,
    b64u,
    clock_at,
    error_of,
    outcome,
    policy,
    rejects,
    signing_key,
    unb64u,
    verification_key,
)

from jotgate import ANY, Issuer, KeyRing, KeySet, Policy, Verifier, jws
from jotgate.errors import InvalidKeyError, PolicyError, StoreUnavailableError, UndecidedError
from jotgate.stores.memory import MemoryEpochs

pytestmark = pytest.mark.usefixtures("frozen_clock")


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head, payload, _ = token.split(".")
    return json.loads(unb64u(head)), json.loads(unb64u(payload))


def refuses_to_issue(code: str, claim: str | None, run: Any) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        run()
    assert caught.value.code == code, str(caught.value)
    assert caught.value.claim == claim
    assert isinstance(caught.value, ValueError)
    return caught.value


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_what_is_in_a_token(alg: str) -> None:
    issuer = Issuer(ISSUER, signing_key(alg, kid="k"), policy=policy(alg))
    token = issuer.issue(SUBJECT, AUDIENCE, {"scope": "read", "nested": {"a": [1, None]}})
    head, claims = parts(token)
    assert head == {"alg": "EdDSA" if alg.startswith("Ed") else alg, "kid": "k", "typ": "JWT"}
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", claims.pop("jti"))
    assert claims == {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": AUDIENCE,
        "iat": NOW,
        "exp": NOW + 600,
        "epoch": 0,
        "scope": "read",
        "nested": {"a": [1, None]},
    }
    verified = Verifier(verification_key(alg, kid="k"), policy(alg, max_lifetime=900, require=["epoch", "jti"])).verify(
        token
    )
    assert (verified.subject, verified.audience) == (SUBJECT, (AUDIENCE,))


def test_options_of_a_token() -> None:
    issuer = Issuer(ISSUER, signing_key("HS256"))
    assert issuer.issuer == ISSUER
    claims = parts(issuer.issue("s", ["a", "b"], lifetime=900, client_id="c", not_before=True))[1]
    assert claims | {"jti": ""} == {
        "iss": ISSUER,
        "sub": "s",
        "aud": ["a", "b"],
        "iat": NOW,
        "exp": NOW + 900,
        "nbf": NOW - 5,
        "jti": "",
        "epoch": 0,
        "client_id": "c",
    }
    assert parts(issuer.issue("s", ("a",)))[1]["aud"] == ["a"]
    with clock_at(NOW, 999_999_999):
        assert parts(issuer.issue("s", "a"))[1]["iat"] == NOW
    assert repr(issuer) == f"Issuer({ISSUER!r}, typ='JWT')"


def test_the_policy_of_the_verifiers_decides() -> None:
    key = signing_key("HS256")

    def issuer(**options: Any) -> Issuer:
        return Issuer(ISSUER, key, policy=policy(**options))

    issue = issuer().issue
    refuses_to_issue("wrong_audience", "aud", lambda: issue(SUBJECT, "other"))
    refuses_to_issue("lifetime_too_long", "exp", lambda: issue(SUBJECT, AUDIENCE, lifetime=901))
    assert issue(SUBJECT, AUDIENCE, lifetime=900)
    assert issuer(max_lifetime=3600).issue(SUBJECT, AUDIENCE, lifetime=3600)
    refuses_to_issue("lifetime_too_long", "exp", lambda: issuer(max_lifetime=60).issue(SUBJECT, AUDIENCE, lifetime=61))
    refuses_to_issue("wrong_subject", "sub", lambda: issuer(subject="x").issue(SUBJECT, AUDIENCE))
    refuses_to_issue("missing_claim", "scope", lambda: issuer(require=["scope"]).issue(SUBJECT, AUDIENCE))
    assert issuer(require=["scope"]).issue(SUBJECT, AUDIENCE, {"scope": ""})
    refuses_to_issue("missing_claim", "nbf", lambda: issuer(require=["nbf"]).issue(SUBJECT, AUDIENCE))
    assert issuer(require=["nbf"]).issue(SUBJECT, AUDIENCE, not_before=True)
    azp = issuer(authorized_party="web").issue
    refuses_to_issue("missing_claim", "azp", lambda: azp(SUBJECT, AUDIENCE))
    refuses_to_issue("wrong_authorized_party", "azp", lambda: azp(SUBJECT, AUDIENCE, {"azp": "x"}))
    refuses_to_issue("wrong_type", "azp", lambda: issue(SUBJECT, AUDIENCE, {"azp": ["web"]}))
    refuses_to_issue("too_large", None, lambda: issue(SUBJECT, AUDIENCE, {"x": ["y" * 1000] * 17}))
    refuses_to_issue(
        "invalid_claim", "exp", lambda: issuer(max_lifetime=10**11).issue(SUBJECT, AUDIENCE, lifetime=10**12)
    )
    refuses_to_issue("lifetime_too_long", "exp", lambda: issue(SUBJECT, AUDIENCE, lifetime=10**5000))


def test_a_lifetime_that_is_too_long_is_told_with_both_numbers(tmp_path: Path) -> None:
    key = signing_key("HS256")
    for issuer in (Issuer(ISSUER, key), Issuer(ISSUER, key, policy=policy())):
        error = refuses_to_issue("lifetime_too_long", "exp", lambda i=issuer: i.issue(SUBJECT, AUDIENCE, lifetime=3600))
        assert "lifetime is 3600 s, and 900 s is the limit" in str(error)
        assert "max_lifetime=3600" in str(error)
    ring = KeyRing(tmp_path / "ring", create=True)
    long = Issuer(ISSUER, ring, policy=policy("ES256", max_lifetime=3600))
    error = refuses_to_issue("lifetime_too_long", "exp", lambda: long.issue(SUBJECT, AUDIENCE, lifetime=3600))
    assert "lifetime is 3600 s" in str(error)
    assert "up to 900 s: reconfigure(token_lifetime=3600)" in str(error)
    ring.reconfigure(token_lifetime=3600)
    assert long.issue(SUBJECT, AUDIENCE, lifetime=3600)


@pytest.mark.parametrize(
    ("max_lifetime", "token_lifetime", "lives"),
    [(None, 900, 600), (3600, 7200, 600), (60, 900, 60), (3600, 300.5, 300), (60, 30, 30), (3600, 1, 1)],
)
def test_a_lifetime_that_is_not_given_is_what_policy_and_ring_allow(
    tmp_path: Path, max_lifetime: int | None, token_lifetime: float, lives: int
) -> None:
    ring = KeyRing(tmp_path / "ring", create=True, token_lifetime=token_lifetime)
    allowed = policy("ES256", max_lifetime=max_lifetime)
    claims = parts(Issuer(ISSUER, ring, policy=allowed).issue(SUBJECT, AUDIENCE))[1]
    assert claims["exp"] - claims["iat"] == lives


def test_the_size_limit_is_the_verifier_s() -> None:
    key = signing_key("HS256")
    size = len(Issuer(ISSUER, key).issue(SUBJECT, AUDIENCE))
    assert Issuer(ISSUER, key, policy=policy(max_token_bytes=size)).issue(SUBJECT, AUDIENCE)
    tight = Issuer(ISSUER, key, policy=policy(max_token_bytes=size - 1))
    refuses_to_issue("too_large", None, lambda: tight.issue(SUBJECT, AUDIENCE))
    refuses_to_issue("too_large", None, lambda: Issuer(ISSUER, key, policy=policy(max_token_bytes=50)))
    # what is far too large is not read first: neither by the guard nor by the signer
    huge = {"email": "zoe@example.com", "list": ["x" * 1000] * 100}
    refuses_to_issue("too_large", None, lambda: Issuer(ISSUER, key).issue(SUBJECT, AUDIENCE, huge))


def test_a_policy_that_refuses_every_token_is_told_at_construction() -> None:
    key = signing_key("ES256", kid="k")
    refuses_to_issue("wrong_issuer", "iss", lambda: Issuer("x", key, policy=policy("ES256")))
    refuses_to_issue("algorithm_not_allowed", None, lambda: Issuer(ISSUER, key, policy=policy("RS256")))
    refuses_to_issue("invalid_claim", "typ", lambda: Issuer(ISSUER, key, policy=policy("ES256", typ="at+jwt")))
    assert Issuer(ISSUER, key, policy=policy("ES256", typ="at+jwt"), typ="application/AT+JWT")
    assert Issuer(ISSUER, key, policy=policy("ES256", issuer=ANY, subject="only-this-one", require=["x"], max_age=1))
    for wrong in ("", None, 7, b"i", "\ud800"):
        with pytest.raises(PolicyError) as caught:
            Issuer(wrong, key)  # type: ignore[arg-type]
        assert caught.value.code in ("invalid_policy", "malformed")
    for typ in ("", None, 7):
        rejects("invalid_policy", lambda typ=typ: Issuer(ISSUER, key, typ=typ))
    for wrong in ({}, "x", verification_key("ES256")):
        rejects("invalid_policy", lambda wrong=wrong: Issuer(ISSUER, key, policy=wrong))
        rejects("invalid_policy", lambda wrong=wrong: Issuer(ISSUER, wrong))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "epoch", "client_id"])
def test_what_the_issuer_writes_is_not_given(name: str) -> None:
    issuer = Issuer(ISSUER, signing_key("HS256"))
    error = refuses_to_issue("invalid_policy", name, lambda: issuer.issue("s", "a", {name: "value-of-it"}))
    assert "value-of-it" not in str(error)


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "claims",
    [
        {"x": 2**64},
        {"x": -(2**63) - 1},
        {"x": float("nan")},
        {"x": [{"y": float("inf")}]},
        {"x": "\ud800"},
        {1: 2},
        {"x": object()},
        {"x": b"bytes"},
        {"x": datetime.now(UTC)},
        {"x": {1, 2}},
        {"x": _deep(32)},
        {"x": _deep(2000)},
    ],
    ids=range(12),
)
def test_claims_that_no_verifier_reads(claims: Any) -> None:
    issuer = Issuer(ISSUER, signing_key("HS256"))
    refuses_to_issue("malformed", None, lambda: issuer.issue("s", "a", claims))


def test_claims_at_the_limits() -> None:
    claims = {"x": [2**64 - 1, -(2**63), 1.7976931348623157e308], "y": _deep(31), "": 1, "z": "é\0\u2028"}
    issuer = Issuer(ISSUER, signing_key("HS256"))
    token = issuer.issue("s", "a", claims)
    verified = Verifier(verification_key("HS256"), Policy(algorithms=["HS256"], issuer=ISSUER, audience="a")).verify(
        token
    )
    assert verified.to_dict().items() >= claims.items()


@pytest.mark.parametrize("wrong", ["x", [("a", 1)], 7, b"{}"])
def test_claims_are_a_mapping(wrong: Any) -> None:
    refuses_to_issue("invalid_policy", None, lambda: Issuer(ISSUER, signing_key("HS256")).issue("s", "a", wrong))


@pytest.mark.parametrize("wrong", ["", [], (), [""], ["a", None], None, 7, b"a", {"a": 1}, ["a", ["b"]]])
def test_audiences_that_are_none(wrong: Any) -> None:
    refuses_to_issue("invalid_policy", None, lambda: Issuer(ISSUER, signing_key("HS256")).issue("s", wrong))


@pytest.mark.parametrize("wrong", ["", None, 7, ["s"]])
def test_subjects_and_clients_that_are_none(wrong: Any) -> None:
    issuer = Issuer(ISSUER, signing_key("HS256"))
    refuses_to_issue("invalid_policy", None, lambda: issuer.issue(wrong, "a"))
    if wrong is not None:
        refuses_to_issue("invalid_policy", None, lambda: issuer.issue("s", "a", client_id=wrong))


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, 600.0, "600"])
def test_lifetimes_that_are_none(wrong: Any) -> None:
    refuses_to_issue(
        "invalid_policy", None, lambda: Issuer(ISSUER, signing_key("HS256")).issue("s", "a", lifetime=wrong)
    )


def test_access_tokens_by_rfc9068() -> None:
    issuer = Issuer(ISSUER, signing_key("ES256", kid="k"), typ="at+jwt")
    refuses_to_issue("missing_claim", "client_id", lambda: issuer.issue(SUBJECT, AUDIENCE))
    token = issuer.issue(SUBJECT, AUDIENCE, {"scope": "read"}, client_id="web")
    assert parts(token)[0]["typ"] == "at+jwt"
    verifier = Verifier(
        verification_key("ES256", kid="k"), policy("ES256", typ="at+jwt", require=["client_id", "jti", "iat"])
    )
    assert verifier.verify(token)["client_id"] == "web"


# -- epochs and key rings --------------------------------------------------------------------------------------------


def test_epochs_of_a_counter() -> None:
    epochs = MemoryEpochs(3)
    issuer = Issuer(ISSUER, signing_key("HS256"), epochs=epochs)
    assert parts(issuer.issue("s", "a"))[1]["epoch"] == 3
    epochs.advance()
    assert parts(issuer.issue("s", "a"))[1]["epoch"] == 4
    for wrong in (-1, 10**16):
        epochs = MemoryEpochs(wrong)
        rejects("store_unavailable", lambda epochs=epochs: Issuer(ISSUER, signing_key("HS256"), epochs=epochs))
    rejects("invalid_policy", lambda: Issuer(ISSUER, signing_key("HS256"), epochs=MemoryEpochs("1")))  # type: ignore[arg-type]


def test_a_counter_that_fails() -> None:
    class Broken:
        def current(self) -> int:
            raise OSError("no")

        def advance(self) -> int:
            raise OSError("no")

    with pytest.raises(StoreUnavailableError) as caught:
        Issuer(ISSUER, signing_key("HS256"), epochs=Broken())
    assert caught.value.code == "store_unavailable"


def test_a_key_ring_signs_rotates_and_takes_back(tmp_path: Path, clock: MovingClock) -> None:
    ring = KeyRing(tmp_path / "ring", create=True, token_lifetime=300)
    issuer = Issuer(ISSUER, ring, policy=policy("ES256"))
    verifier = Verifier(ring, policy("ES256", leeway=60))
    refuses_to_issue("lifetime_too_long", "exp", lambda: issuer.issue(SUBJECT, AUDIENCE, lifetime=301))
    first = issuer.issue(SUBJECT, AUDIENCE, lifetime=300)
    assert parts(first)[0]["kid"] == ring.signer().kid
    assert verifier.verify(first)["epoch"] == 0

    clock.advance(86_400)
    old = issuer.issue(SUBJECT, AUDIENCE, lifetime=300)
    ring.rotate()
    new = issuer.issue(SUBJECT, AUDIENCE, lifetime=300)
    assert parts(old)[0]["kid"] != parts(new)[0]["kid"]
    assert verifier.verify(old)
    assert verifier.verify(new)

    ring.compromise(parts(new)[0]["kid"])
    for text in (old, new):
        assert error_of(lambda text=text: verifier.verify(text)).code in ("revoked", "unknown_key")
    after = issuer.issue(SUBJECT, AUDIENCE, lifetime=300)
    assert parts(after)[1]["epoch"] == 1
    assert verifier.verify(after)


def test_a_key_ring_whose_algorithm_changes_is_held_to_the_policy(
    tmp_path: Path, clock: MovingClock, caplog: pytest.LogCaptureFixture
) -> None:
    ring = KeyRing(tmp_path / "ring", create=True)
    issuer = Issuer(ISSUER, ring, policy=policy("ES256"))
    both = Issuer(ISSUER, ring, policy=policy("ES256", "ES384"))
    assert issuer.issue(SUBJECT, AUDIENCE)
    ring.stage("ES384")
    assert both.issue(SUBJECT, AUDIENCE)
    assert not caplog.records
    clock.advance(86_400)
    for _ in range(3):
        assert issuer.issue(SUBJECT, AUDIENCE)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("jotgate.issuing", "WARNING")
    assert "next key signs with ES384, which the policy does not allow" in record.getMessage()
    error = refuses_to_issue("algorithm_not_allowed", None, lambda: Issuer(ISSUER, ring, policy=policy("ES256")))
    assert "ES384" in str(error)
    ring.rotate()
    refuses_to_issue("algorithm_not_allowed", None, lambda: issuer.issue(SUBJECT, AUDIENCE))
    assert Issuer(ISSUER, ring, policy=policy("ES256", "ES384")).issue(SUBJECT, AUDIENCE)


def test_a_key_ring_counts_its_epochs_itself(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path / "ring", create=True)
    rejects("invalid_policy", lambda: Issuer(ISSUER, ring, epochs=MemoryEpochs()))


class Ring:
    """Keys that change at each look, as far as one can see."""

    def __init__(self, epochs: list[int]) -> None:
        self.epochs = epochs
        self.keys = [signing_key("HS256", kid=f"k{number}") for number in range(9)]

    @property
    def epoch(self) -> int:
        return self.epochs.pop(0) if len(self.epochs) > 1 else self.epochs[0]

    def signer(self) -> Any:
        return self.keys[self.epochs[0]]


def test_key_and_epoch_belong_together() -> None:
    """A compromise between the two looks: the token has the new key and the new epoch, or the old ones."""
    ring = Ring([0])
    issuer = Issuer(ISSUER, ring)
    ring.epochs = [0, 1, 1, 1]
    head, claims = parts(issuer.issue("s", "a"))
    assert (head["kid"], claims["epoch"]) == ("k1", 1)
    ring.epochs = list(range(100))
    ring.keys *= 20
    with pytest.raises(StoreUnavailableError) as caught:
        issuer.issue("s", "a")
    assert caught.value.code == "store_unavailable"


# -- signers that are elsewhere --------------------------------------------------------------------------------------


class Kms:
    """A signer that is no SigningKey, with a fault or none."""

    def __init__(self, alg: str, fault: Any = None) -> None:
        self.key = signing_key(alg, kid="kms")
        self.alg, self.kid, self.fault, self.asked = self.key.alg, self.key.kid, fault, 0

    def sign(self, data: bytes) -> Any:
        self.asked += 1
        signature = self.key.sign(data)
        return self.fault(signature) if self.fault else signature

    def public_jwk(self) -> dict[str, str]:
        return self.key.public_jwk()


@pytest.mark.parametrize("alg", [name for name in ALGORITHMS if not name.startswith("HS")])
def test_a_signer_elsewhere(alg: str) -> None:
    kms = Kms(alg)
    issuer = Issuer(ISSUER, kms, policy=policy(alg))
    tokens = [issuer.issue(SUBJECT, AUDIENCE) for _ in range(3)]
    verifier = Verifier(KeySet([kms.key.public()]), policy(alg))
    assert len({verifier.verify(token).token_id for token in tokens}) == 3
    assert kms.asked == 4  # once before its first token
    assert jws.verify(jws.sign({"a": 1}, kms), kms.key.public(), algorithms=[alg]).kid == "kms"


def _der(signature: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))


@pytest.mark.parametrize(
    ("alg", "fault"),
    [
        ("ES256", _der),
        ("ES384", _der),
        ("ES256", lambda signature: signature[1:]),
        ("ES256", lambda signature: signature + b"\0"),
        ("ES256", lambda _: b""),
        ("ES256", lambda signature: b64u(signature)),
        ("ES256", lambda _: None),
        ("RS256", lambda signature: signature[1:]),
        ("PS256", lambda signature: b"\0" + signature),
        ("Ed25519", lambda signature: signature + signature[:50]),
    ],
)
def test_a_signature_of_another_length_does_not_leave(alg: str, fault: Any) -> None:
    kms = Kms(alg, fault)
    for run in (lambda: Issuer(ISSUER, kms), lambda: jws.sign({"a": 1}, kms)):
        error = rejects("invalid_key", run)
        assert "R || S" in str(error)
    kms.fault = None
    issuer = Issuer(ISSUER, kms)
    kms.fault = fault
    rejects("invalid_key", lambda: issuer.issue("s", "a"))


def test_a_signature_of_another_key_does_not_leave() -> None:
    kms = Kms("ES256", lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]))
    rejects("invalid_key", lambda: Issuer(ISSUER, kms))
    kms = Kms("ES256")
    kms.kid = "other"
    rejects("invalid_key", lambda: Issuer(ISSUER, kms))


def test_what_a_signer_raises() -> None:
    def fails(_: bytes) -> bytes:
        raise ConnectionError("the KMS is away")

    for run in (lambda: Issuer(ISSUER, Kms("ES256", fails)), lambda: jws.sign({}, Kms("ES256", fails))):
        error = error_of(run)
        assert type(error) is UndecidedError
        assert error.code == "undecided"
        assert "away" not in str(error)
        assert isinstance(error.__cause__, ConnectionError)

    def refuses(_: bytes) -> bytes:
        raise InvalidKeyError("not this one")

    assert str(rejects("invalid_key", lambda: jws.sign({}, Kms("ES256", refuses)))) == "not this one"


@pytest.mark.parametrize("member", ["alg", "kid"])
@pytest.mark.parametrize("value", ["none", "", 7, b"ES256", [], object()])
def test_signers_that_do_not_say_what_they_are(member: str, value: Any) -> None:
    kms = Kms("ES256")
    setattr(kms, member, value)
    if member == "kid" and isinstance(value, str):
        rejects("invalid_key", lambda: Issuer(ISSUER, kms))
    else:
        rejects("invalid_key", lambda: jws.sign({}, kms))


# -- one mechanism ---------------------------------------------------------------------------------------------------

CLAIMS = st.dictionaries(
    st.sampled_from(["azp", "scope", "roles", "x", "exp ", "Iss"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=10,
    ),
    max_size=4,
)


@given(
    claims=CLAIMS,
    audience=st.sampled_from([AUDIENCE, "other", [AUDIENCE, "b"], ["b"]]),
    lifetime=st.integers(1, 1000),
    options=st.fixed_dictionaries(
        {},
        optional={
            "require": st.lists(st.sampled_from(["scope", "azp", "nbf", "x", "jti", "epoch"]), max_size=2),
            "max_lifetime": st.sampled_from([1, 60, 900]),
            "authorized_party": st.just("web"),
            "subject": st.sampled_from([SUBJECT, "x"]),
            "leeway": st.just(10),
            "max_age": st.sampled_from([1, 60]),
        },
    ),
    not_before=st.booleans(),
)
def test_what_is_issued_is_accepted(
    claims: dict[str, Any], audience: Any, lifetime: int, options: dict[str, Any], not_before: bool
) -> None:
    with clock_at(NOW, 123_456_789):
        strict = policy(**options)
        issuer = Issuer(ISSUER, signing_key("HS256"), policy=strict, guard="off")
        verifier = Verifier(verification_key("HS256"), strict)
        issued = []
        error = outcome(lambda: issued.append(issuer.issue(SUBJECT, audience, claims, lifetime, not_before=not_before)))
        if error is None:
            assert verifier.verify(issued[0]).subject == SUBJECT
        else:
            assert type(error) is PolicyError
            assert error.code not in ("invalid_policy", "readable_claim", "undecided")

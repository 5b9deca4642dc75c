"""Verifier: construction, both kinds of text, replacing keys, statistics."""

import asyncio
import inspect
from typing import Any

import pytest
from support import (
    ALGORITHMS,
    ISSUER,
    NOW,
    claims,
    compact,
    error_of,
    header,
    policy,
    refuses,
    rejects,
    secret_key,
    token,
    verification_key,
    verifier,
)

from jotgate import ANY, KeySet, Policy, VerifiedToken, Verifier
from jotgate.errors import InvalidKeyError, PolicyError

pytestmark = pytest.mark.usefixtures("frozen_clock")

OTHER = "https://other.example.com"


@pytest.mark.parametrize("alg", [*ALGORITHMS, "EdDSA"])
def test_every_algorithm(alg: str) -> None:
    text = token(alg)
    way_in = verifier(alg)
    verified = way_in.verify(text)
    assert isinstance(verified, VerifiedToken)
    assert verified.alg == alg
    assert verified.to_dict() == claims()
    assert way_in.verify(text.encode()).to_dict() == claims()
    for other in ("HS256", "ES256"):
        if other != alg:
            refuses(way_in, token(other), "algorithm_not_allowed")


def test_keys_may_be_a_key_a_set_or_a_mapping() -> None:
    key = verification_key("ES256")
    for keys in (key, KeySet([key])):
        assert Verifier(keys, policy("ES256")).verify(token("ES256"))
    assert Verifier({ISSUER: (key, policy("ES256"))}).verify(token("ES256"))
    assert Verifier({ISSUER: (KeySet([key]), policy("ES256"))}).verify(token("ES256"))


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {ISSUER: None},
        {ISSUER: ()},
        {ISSUER: "x"},
        {"": "ok"},
        {1: "ok"},
        {None: "ok"},
        {ISSUER: "key"},
        {ISSUER: "three"},
    ],
)
def test_a_mapping_must_be_whole(mapping: dict[Any, Any]) -> None:
    key, rules = verification_key("ES256"), policy("ES256", issuer=ANY, require=("exp",))
    values = {"ok": (key, rules), "key": (key, None), "three": (key, rules, 1)}
    built = {name: values.get(value, value) if isinstance(value, str) else value for name, value in mapping.items()}
    with pytest.raises((PolicyError, InvalidKeyError)):
        Verifier(built)


def test_a_mapping_takes_no_second_policy() -> None:
    rejects(
        "invalid_policy",
        lambda: Verifier({ISSUER: (verification_key("ES256"), policy("ES256"))}, policy("ES256")),
    )
    rejects("invalid_policy", lambda: Verifier(verification_key("ES256")))


def test_a_policy_of_another_issuer_under_an_issuer_never_accepts() -> None:
    rules = Policy(algorithms=["ES256"], issuer=OTHER, audience=ANY)
    try:
        way_in = Verifier({ISSUER: (verification_key("ES256"), rules)})
    except PolicyError:
        return
    for issuer in (ISSUER, OTHER):
        refuses(way_in, token("ES256", iss=issuer), "wrong_issuer", "iss")


def test_each_issuer_keeps_its_own_limits() -> None:
    """The loosest limit of all issuers lets a text in; the one of its own issuer decides."""
    key = verification_key("HS256")
    loose = policy("HS256", issuer=OTHER, allow_padding=True, max_token_bytes=50_000)
    way_in = Verifier({ISSUER: (key, policy("HS256", max_token_bytes=400)), OTHER: (key, loose)})
    assert way_in.verify(token()).issuer == ISSUER
    refuses(way_in, token(x="y" * 400), "too_large")
    assert way_in.verify(token(iss=OTHER, x="y" * 10_000)).issuer == OTHER
    refuses(way_in, token(iss=OTHER, x="y" * 50_000), "too_large")
    for issuer in (ISSUER, OTHER):
        padded = token(iss=issuer) + "="
        if issuer == OTHER:
            assert way_in.verify(padded).issuer == OTHER
        else:
            refuses(way_in, padded, "malformed")


def test_a_mapping_is_copied() -> None:
    mapping = {ISSUER: (verification_key("ES256"), policy("ES256"))}
    way_in = Verifier(mapping)
    mapping[OTHER] = (verification_key("ES256"), policy("ES256", issuer=OTHER))
    refuses(way_in, token("ES256", iss=OTHER), "wrong_issuer", "iss")
    mapping.clear()
    assert way_in.verify(token("ES256"))


@pytest.mark.parametrize("backend", ["", "openssl", None, 1, "AUTO", b"auto"])
def test_an_unknown_backend(backend: Any) -> None:
    rejects("invalid_policy", lambda: Verifier(verification_key("ES256"), policy("ES256"), backend=backend))


@pytest.mark.parametrize("backend", ["auto", "cryptography"])
def test_a_known_backend(backend: Any) -> None:
    assert Verifier(verification_key("ES256"), policy("ES256"), backend=backend).verify(token("ES256"))


def test_replace_keys_takes_effect_at_once() -> None:
    old, new = (verification_key("ES256", kid=f"k{number}", which=number) for number in (0, 1))
    texts = [
        compact(header("ES256", kid=f"k{number}"), alg="ES256", key=secret_key("ES256", number)) for number in (0, 1)
    ]
    way_in = Verifier(KeySet([old]), policy("ES256"))
    for _ in range(3):
        assert way_in.verify(texts[0])
        refuses(way_in, texts[1], "unknown_key")
    way_in.replace_keys(KeySet([old, new]))
    assert way_in.verify(texts[0])
    assert way_in.verify(texts[1])
    way_in.replace_keys(KeySet([new]))
    # The header of the first is in memory still; its key is not.
    refuses(way_in, texts[0], "unknown_key")
    assert way_in.verify(texts[1])
    way_in.replace_keys(KeySet([verification_key("ES256", kid="k1", which=2)]))
    refuses(way_in, texts[1], "bad_signature")


@pytest.mark.parametrize("keys", [None, "", b"", [], {}, 1, object()])
def test_replace_keys_keeps_the_old_ones_when_the_new_ones_are_none(keys: Any) -> None:
    way_in = verifier("ES256")
    with pytest.raises((PolicyError, InvalidKeyError)):
        way_in.replace_keys(keys)
    assert way_in.verify(token("ES256"))


def test_a_header_seen_before_is_bound_to_its_text() -> None:
    """The memo holds the header's exact text: near ones go the long way, with the same verdict."""
    way_in = verifier("HS256", kid="k")
    head = header("HS256", kid="k")
    assert way_in.verify(compact(head))
    assert way_in.verify(compact(head, claims(sub="another"))).subject == "another"
    refuses(way_in, compact(header("HS256", kid="x")), "unknown_key")
    refuses(way_in, compact(header("HS256", kid="k", crit=["x"])), "unsupported_critical_header")
    refuses(way_in, compact(head, key=b"x" * 32), "bad_signature")
    refuses(way_in, compact(head, claims(exp=NOW - 1)), "expired", "exp")
    assert way_in.verify(compact(head))


def test_a_header_is_remembered_only_with_a_valid_signature() -> None:
    way_in = verifier("HS256")
    unsigned = compact(header("HS256", x=1), key=b"y" * 32)
    for _ in range(3):
        refuses(way_in, unsigned, "bad_signature")
    for number in range(300):
        assert way_in.verify(compact(header("HS256", x=number)))
    refuses(way_in, unsigned, "bad_signature")


def test_two_verifiers_share_nothing() -> None:
    strict, lax = verifier("HS256", typ="at+jwt"), verifier("HS256")
    text = token()
    for _ in range(2):
        assert lax.verify(text)
        refuses(strict, text, "missing_claim", "typ")
    other_key = Verifier(verification_key("HS256", which=1), policy("HS256"))
    refuses(other_key, text, "bad_signature")


def test_verify_async_gives_the_same_verdicts() -> None:
    way_in = verifier("ES256")
    assert asyncio.run(way_in.verify_async(token("ES256"))).to_dict() == claims()
    assert error_of(lambda: asyncio.run(way_in.verify_async("x"))).code == "malformed"
    assert error_of(lambda: asyncio.run(way_in.verify_async(None))).code == "malformed"  # type: ignore[arg-type]
    assert inspect.iscoroutinefunction(way_in.verify_async)


def test_fresh_needs_revocations() -> None:
    way_in = verifier("HS256")
    assert way_in.verify(token(), fresh=False)
    rejects("invalid_policy", lambda: way_in.verify(token(), fresh=True))
    rejects("invalid_policy", lambda: asyncio.run(way_in.verify_async(token(), fresh=True)))


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ((), {}),
        (("a", "b"), {}),
        (("a",), {"text": "b"}),
        (("a",), {"unknown": 1}),
        ((), {"fresh": False}),
        (("a", False), {}),
    ],
)
def test_a_wrong_call_is_a_type_error(args: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        verifier("HS256").verify(*args, **options)


def test_text_may_be_named() -> None:
    assert verifier("HS256").verify(text=token(), fresh=False)


def test_statistics_count_verdicts_by_code() -> None:
    way_in = verifier("HS256")
    for _ in range(3):
        way_in.verify(token())
    for text in ("x", "x", token(exp=NOW - 1), compact(header("HS256"), key=b"x" * 32)):
        error_of(lambda text=text: way_in.verify(text))
    verdicts = way_in.stats()["verdicts"]
    assert verdicts["accepted"] == 3
    assert verdicts["malformed"] == 2
    assert verdicts["expired"] == 1
    assert verdicts["bad_signature"] == 1
    assert verdicts["wrong_audience"] == 0
    assert verifier("HS256").stats()["verdicts"]["accepted"] == 0


def test_life_cycle() -> None:
    with verifier("HS256") as way_in:
        assert way_in.ready is True
        assert way_in.warm() is None
        assert way_in.verify(token())
    way_in.close()
    way_in.close()


def test_verify_is_native() -> None:
    """No Python frame stands between the caller and the engine."""
    assert not inspect.isfunction(Verifier.verify)
    assert "verify" not in vars(Verifier)
    assert (Verifier.verify.__doc__ or "").startswith("Check everything")


def test_a_verifier_that_was_never_initialised_refuses() -> None:
    hollow = Verifier.__new__(Verifier)
    assert error_of(lambda: hollow.verify(token())).code == "undecided"
    assert error_of(lambda: hollow.verify("x")).code == "undecided"

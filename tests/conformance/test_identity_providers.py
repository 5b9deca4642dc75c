"""Tokens and JWKS documents as identity providers make them, each with the policy that accepts it.

What every provider's directory holds is told in `tests/vectors/SOURCES.md`.
"""

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import reference
from reference import jwk as reference_jwk
from support import CLASS_OF_CODE, b64u, clock_at, error_of, unb64u

from jotgate import ANY, KeySet, Policy, Verifier
from jotgate.errors import TokenError

DIRECTORY = Path(__file__).parents[1] / "vectors" / "idp"
PROVIDERS = ("apple", "auth0", "cognito", "entra", "google", "keycloak", "okta")


@dataclass(frozen=True)
class Example:
    """One token of one provider, and how it is to be read."""

    provider: str
    name: str
    text: str
    document: str
    options: dict[str, Any]
    now: int
    expect: dict[str, Any]

    def policy(self, **changes: Any) -> Policy:
        options = self.options | changes
        return Policy(**{k: ANY if v == "ANY" else v for k, v in options.items()})

    def verifier(self, **changes: Any) -> Verifier:
        return Verifier(KeySet.from_jwks(self.document), self.policy(**changes))

    @property
    def claims(self) -> dict[str, Any]:
        return json.loads(unb64u(self.text.split(".")[1]))


def load() -> list[Example]:
    found = []
    for provider in PROVIDERS:
        directory = DIRECTORY / provider
        for name, entry in json.loads((directory / "policy.json").read_text()).items():
            found.append(
                Example(
                    provider,
                    name,
                    (directory / f"{name}.jwt").read_text().strip(),
                    (directory / entry["jwks"]).read_text(),
                    entry["policy"],
                    entry["now"],
                    entry["expect"],
                )
            )
    return found


EXAMPLES = [pytest.param(example, id=f"{example.provider}-{example.name}") for example in load()]
EVERY = pytest.mark.parametrize("example", EXAMPLES)


def refused(verifier: Verifier, text: str | bytes, codes: set[str]) -> str:
    """Assert a refusal whose class belongs to its code, and return the code."""
    error = error_of(lambda: verifier.verify(text))
    assert isinstance(error, TokenError)
    assert type(error) is CLASS_OF_CODE[error.code]
    assert error.code in codes, f"{error.code} is not one of {codes}"
    return error.code


def header_faults(example: Example) -> set[str]:
    """Return what a broken text may be told as: nothing about claims, but for a `typ` that is demanded."""
    faults = {"malformed", "algorithm_not_allowed", "unknown_key", "bad_signature"}
    return faults | {"missing_claim", "invalid_claim"} if "typ" in example.options else faults


@EVERY
def test_accepted_as_written(example: Example) -> None:
    with clock_at(example.now):
        token = example.verifier().verify(example.text)
    assert token.to_dict() == example.claims
    assert token.subject == example.expect["subject"]
    assert token.issuer == example.claims["iss"]
    assert token.expires_at == example.claims["exp"]
    assert token.header == json.loads(unb64u(example.text.split(".")[0]))
    for name, value in example.expect["claims"].items():
        assert token.to_dict()[name] == value


@EVERY
def test_the_oracle_accepts_it_too(example: Example) -> None:
    [alg] = example.options["algorithms"]
    keys = [
        reference_jwk.load(jwk, alg)
        for jwk in json.loads(example.document)["keys"]
        if jwk.get("use") == "sig" and jwk.get("alg", alg) == alg
    ]
    assert reference.verify(example.text, keys, example.policy(), example.now * 10**9) == example.claims


@EVERY
def test_the_whole_file_of_keys_is_used_or_skipped(example: Example) -> None:
    """An encryption key beside the signing keys is skipped (RFC 7517 section 4.2); no other key is lost."""
    jwks = json.loads(example.document)["keys"]
    signing = {jwk["kid"] for jwk in jwks if jwk["use"] == "sig"}
    keys = KeySet.from_jwks(example.document, algorithms=example.options["algorithms"])
    assert {key.kid for key in keys} == signing
    assert len(keys.skipped) == len(jwks) - len(signing)


@EVERY
def test_other_issuer_refused(example: Example) -> None:
    with clock_at(example.now):
        for issuer in ("https://issuer.example", example.claims["iss"] + "/x", example.claims["iss"][:-1]):
            refused(example.verifier(issuer=issuer), example.text, {"wrong_issuer"})


@EVERY
def test_other_audience_refused(example: Example) -> None:
    require = sorted({*example.options.get("require", ()), "exp", "iss", "aud"})
    verifier = example.verifier(audience="https://other.example", require=require)
    with clock_at(example.now):
        refused(verifier, example.text, {"wrong_audience" if "aud" in example.claims else "missing_claim"})


@EVERY
def test_expired_and_not_yet_valid_refused(example: Example) -> None:
    verifier = example.verifier()
    with clock_at(example.claims["exp"] - 1, 999_999_999):
        verifier.verify(example.text)
    with clock_at(example.claims["exp"]):
        refused(verifier, example.text, {"expired"})
    early = "not_yet_valid" if "nbf" in example.claims else "invalid_claim"
    with clock_at(example.claims["iat"] - 1, 999_999_999):
        refused(verifier, example.text, {early})
    with clock_at(example.claims["iat"]):
        verifier.verify(example.text)


@EVERY
def test_other_algorithm_refused(example: Example) -> None:
    other = "RS384" if example.options["algorithms"] == ["RS256"] else "ES384"
    document = json.loads(example.document)
    keys = KeySet.from_jwks(document, algorithms=example.options["algorithms"])
    verifier = Verifier(keys, example.policy(algorithms=[other]))
    with clock_at(example.now):
        refused(verifier, example.text, {"algorithm_not_allowed"})


@EVERY
def test_keys_of_every_other_provider_refuse_it(example: Example) -> None:
    with clock_at(example.now):
        for other in load():
            if other.document == example.document or other.options["algorithms"] != example.options["algorithms"]:
                continue
            verifier = Verifier(KeySet.from_jwks(other.document), example.policy())
            refused(verifier, example.text, {"unknown_key"})


@EVERY
def test_every_bit_of_the_signature_counts(example: Example) -> None:
    verifier = example.verifier()
    signed, _, signature = example.text.rpartition(".")
    octets = unb64u(signature)
    with clock_at(example.now):
        verifier.verify(example.text)
        for bit in range(len(octets) * 8):
            flipped = bytearray(octets)
            flipped[bit // 8] ^= 1 << bit % 8
            refused(verifier, f"{signed}.{b64u(bytes(flipped))}", {"bad_signature"})


@EVERY
@pytest.mark.parametrize("part", [0, 1], ids=["header", "payload"])
def test_every_byte_of_header_and_payload_counts(example: Example, part: int) -> None:
    """Flip the lowest bit of each octet, and one other, in what the segment stands for."""
    verifier = example.verifier()
    codes = {"bad_signature"} if part else header_faults(example)
    parts = example.text.split(".")
    octets = unb64u(parts[part])
    dice = random.Random(f"{example.provider} {example.name} {part}")
    with clock_at(example.now):
        for position in range(len(octets)):
            for bit in (0, dice.randrange(1, 8)):
                flipped = bytearray(octets)
                flipped[position] ^= 1 << bit
                changed = [*parts]
                changed[part] = b64u(bytes(flipped))
                refused(verifier, ".".join(changed), codes)


@EVERY
def test_every_character_of_the_text_counts(example: Example) -> None:
    """Flip the lowest bit of each character, and one other, in the text itself."""
    verifier = example.verifier()
    codes = header_faults(example)
    dice = random.Random(f"{example.provider} {example.name}")
    text = example.text.encode()
    with clock_at(example.now):
        for position in range(len(text)):
            for bit in (0, dice.randrange(1, 8)):
                flipped = bytearray(text)
                flipped[position] ^= 1 << bit
                refused(verifier, bytes(flipped), codes)


@EVERY
def test_every_cut_is_refused(example: Example) -> None:
    verifier = example.verifier()
    codes = header_faults(example)
    with clock_at(example.now):
        for length in range(len(example.text)):
            refused(verifier, example.text[:length], codes)

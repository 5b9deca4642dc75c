"""The examples of RFC 7515, 7519, 7520, 7797 and 8037, through the engine and through the oracle."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import reference
from reference import jwk as reference_jwk
from support import CLASS_OF_CODE, b64u, clock_at, error_of, unb64u

from jotgate import ANY, Policy, SigningKey, VerificationKey, Verifier, jws

VECTORS = Path(__file__).parents[1] / "vectors"
COOKBOOK = VECTORS / "jose-cookbook"
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi"}

Vector = dict[str, Any]


def rfc(number: str) -> list[Any]:
    vectors = json.loads((VECTORS / "rfc" / f"{number}.json").read_text())["vectors"]
    return [pytest.param(vector, id=f"{number}-{vector['section']}") for vector in vectors]


def cookbook(name: str) -> Vector:
    return json.loads((COOKBOOK / name).read_text())


def each(*names: str) -> list[Any]:
    return [pytest.param(cookbook(name), id=name) for name in names]


def public_key(jwk: Vector, alg: str) -> VerificationKey:
    return VerificationKey.from_jwk({k: v for k, v in jwk.items() if k not in PRIVATE_MEMBERS}, alg=alg)


def signature_layer(alg: str) -> Any:
    """Return the policy that the oracle needs to do what `jws.verify` does."""
    return SimpleNamespace(algorithms=[alg], typ=None, crit=(), max_token_bytes=16384, allow_padding=False)


def refused(text: str, jwk: Vector, alg: str, code: str) -> None:
    """Assert that engine and oracle refuse with the class and the code."""
    error = error_of(lambda: jws.verify(text, public_key(jwk, alg), algorithms=[alg]))
    assert (type(error), error.code) == (CLASS_OF_CODE[code], code)
    keys = [reference_jwk.load(jwk, alg)]
    assert reference.verify_signature(text, keys, signature_layer(alg)) == (code, None)


def accepted(text: str, jwk: Vector, alg: str, payload: bytes) -> None:
    """Assert that engine and oracle accept and return the payload, and refuse it changed."""
    verified = jws.verify(text, public_key(jwk, alg), algorithms=[alg])
    assert verified.payload == payload
    assert verified.header == json.loads(unb64u(text.split(".")[0]))
    keys = [reference_jwk.load(jwk, alg)]
    assert reference.verify_signature(text, keys, signature_layer(alg)) == payload
    protected, _, signature = text.split(".")
    refused(f"{protected}.{b64u(payload + b' ')}.{signature}", jwk, alg, "bad_signature")


@pytest.mark.parametrize("vector", [*rfc("rfc7515"), *rfc("rfc7797")])
def test_jws_examples(vector: Vector) -> None:
    text = vector.get("compact") or json.dumps(vector["json"])
    if vector["accepted"]:
        accepted(text, vector["jwk"], vector["alg"], vector["payload"].encode())
        assert unb64u(text.split(".")[0]) == vector["header"].encode()
    else:
        refused(text, vector["jwk"], vector["alg"], vector["code"])


@pytest.mark.parametrize("vector", rfc("rfc7519"))
def test_jwt_examples(vector: Vector) -> None:
    policy = Policy(algorithms=[vector["alg"]], issuer=vector["issuer"], audience=ANY, require=("exp", "iss"))
    verifier = Verifier(public_key(vector["jwk"], vector["alg"]), policy)
    if not vector["accepted"]:
        error = error_of(lambda: verifier.verify(vector["compact"]))
        assert (type(error), error.code) == (CLASS_OF_CODE[vector["code"]], vector["code"])
        return
    with clock_at(vector["expires_at"] - 1):
        token = verifier.verify(vector["compact"])
        assert token.to_dict() == token.claims == vector["claims"]
        assert token.expires_at == vector["expires_at"]
    with clock_at(vector["expires_at"]):
        assert error_of(lambda: verifier.verify(vector["compact"])).code == "expired"


ATTACHED = each(
    "jws/4_1.rsa_v15_signature.json",
    "jws/4_2.rsa-pss_signature.json",
    "jws/4_3.ecdsa_signature.json",
    "jws/4_4.hmac-sha2_integrity_protection.json",
    "curve25519/jws.json",
)


@pytest.mark.parametrize("vector", ATTACHED)
def test_cookbook_compact(vector: Vector) -> None:
    given, output = vector["input"], vector["output"]
    accepted(output["compact"], given["key"], given["alg"], given["payload"].encode())
    for form in ("json", "json_flat"):
        refused(json.dumps(output[form]), given["key"], given["alg"], "malformed")


@pytest.mark.parametrize("vector", ATTACHED)
def test_cookbook_signatures_are_reproduced(vector: Vector) -> None:
    given, signing = vector["input"], vector["signing"]
    key = SigningKey.from_jwk(given["key"], alg=given["alg"])
    signature = key.sign(signing["sig-input"].encode())
    if vector.get("reproducible"):
        assert b64u(signature) == signing["sig"]
    accepted(f"{signing['sig-input']}.{b64u(signature)}", given["key"], given["alg"], given["payload"].encode())


def test_cookbook_detached_content_is_not_a_token() -> None:
    """RFC 7520 section 4.5: without its payload the signature is over something else."""
    vector = cookbook("jws/4_5.signature_with_detached_content.json")
    given, output = vector["input"], vector["output"]
    refused(output["compact"], given["key"], given["alg"], "bad_signature")
    protected, _, signature = output["compact"].split(".")
    attached = f"{protected}.{b64u(given['payload'].encode())}.{signature}"
    accepted(attached, given["key"], given["alg"], given["payload"].encode())
    for form in ("json", "json_flat"):
        refused(json.dumps(output[form]), given["key"], given["alg"], "malformed")


def test_cookbook_protected_fields_without_kid() -> None:
    """RFC 7520 section 4.6: the unprotected `kid` has no place in a compact token, and the rest verifies."""
    vector = cookbook("jws/4_6.protecting_specific_header_fields.json")
    given, flat = vector["input"], vector["output"]["json_flat"]
    compact = f"{flat['protected']}.{flat['payload']}.{flat['signature']}"
    accepted(compact, given["key"], given["alg"], given["payload"].encode())
    for form in ("json", "json_flat"):
        refused(json.dumps(vector["output"][form]), given["key"], given["alg"], "malformed")


def test_cookbook_nothing_protected_has_no_compact_form() -> None:
    """RFC 7520 section 4.7: an algorithm named outside the protected header is no algorithm."""
    vector = cookbook("jws/4_7.protecting_content_only.json")
    given, flat = vector["input"], vector["output"]["json_flat"]
    refused(f".{flat['payload']}.{flat['signature']}", given["key"], given["alg"], "malformed")
    for form in ("json", "json_flat"):
        refused(json.dumps(vector["output"][form]), given["key"], given["alg"], "malformed")


def test_cookbook_multiple_signatures() -> None:
    """RFC 7520 section 4.8: JSON only; the two signatures with a protected `alg` verify as compact tokens."""
    vector = cookbook("jws/4_8.multiple_signatures.json")
    general = vector["output"]["json"]
    payload = vector["input"]["payload"].encode()
    for jwk, alg, entry in zip(vector["input"]["key"], vector["input"]["alg"], general["signatures"], strict=True):
        refused(json.dumps(general), jwk, alg, "malformed")
        compact = f"{entry.get('protected', '')}.{general['payload']}.{entry['signature']}"
        if "protected" in entry:
            accepted(compact, jwk, alg, payload)
        else:
            refused(compact, jwk, alg, "malformed")


@pytest.mark.parametrize(
    "vector",
    each("rfc7797/4.2.hmac-sha2_b64_false.json", "rfc7797/hmac-sha2_b64_false.json"),
)
def test_unencoded_payload_is_refused_in_every_form(vector: Vector) -> None:
    """RFC 7797 section 7: a JWT must not use `b64`; its payload is never read unencoded."""
    given, output = vector["input"], vector["output"]
    flat = output["json_flat"]
    # The file of section 4.2 leaves `crit` out of the header text, which section 6 forbids.
    code = "unsupported_critical_header" if "crit" in json.loads(unb64u(flat["protected"])) else "malformed"
    for middle in ("", b64u(flat["payload"].encode())):
        refused(f"{flat['protected']}.{middle}.{flat['signature']}", given["key"], given["alg"], code)
    refused(f"{flat['protected']}.{flat['payload']}.{flat['signature']}", given["key"], given["alg"], "malformed")
    for form in ("json", "json_flat"):
        refused(json.dumps(output[form]), given["key"], given["alg"], "malformed")


def test_okp_thumbprint() -> None:
    """RFC 8037 appendix A.3."""
    vector = cookbook("curve25519/jws.json")
    key = public_key(vector["input"]["key"], "EdDSA")
    assert key.thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

"""Wycheproof's IEEE P1363 signatures for P-256 and SHA-256, which is ES256 (RFC 7518 section 3.4).

The messages are arbitrary octets, not JWS signing inputs, so they go in below the token: at the prepared key.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from reference import keys as reference_keys
from reference.refusal import Refused

from jotgate import VerificationKey

FILE = Path(__file__).parents[1] / "vectors" / "wycheproof" / "ecdsa_secp256r1_sha256_p1363_test.json"
DOCUMENT = json.loads(FILE.read_text())
CASES = [
    pytest.param(group["publicKeyPem"], case, id=f"{case['tcId']}-{case['comment'].replace(' ', '_')}")
    for group in DOCUMENT["testGroups"]
    for case in group["tests"]
]


def test_every_vector_of_the_file_is_run() -> None:
    assert len(CASES) == DOCUMENT["numberOfTests"] == 262
    assert {case.values[1]["result"] for case in CASES} == {"valid", "invalid"}


@pytest.mark.parametrize(("pem", "case"), CASES)
def test_p1363_signature(pem: str, case: dict[str, Any]) -> None:
    key = VerificationKey.from_pem(pem, alg="ES256")
    message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
    assert key._handle.verify(message, signature) is (case["result"] == "valid")


@pytest.mark.parametrize(("pem", "case"), CASES)
def test_the_oracle_agrees(pem: str, case: dict[str, Any]) -> None:
    key = reference_keys.Key(None, "ES256", load_pem_public_key(pem.encode()))
    message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
    if case["result"] == "valid":
        reference_keys.check_signature(key, message, signature)
    else:
        with pytest.raises(Refused):
            reference_keys.check_signature(key, message, signature)

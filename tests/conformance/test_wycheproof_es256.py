"""Wycheproof's IEEE P1363 signatures for P-256 and SHA-256, which is ES256 (RFC 7518 section 3.4).

The messages are arbitrary octets, not JWS signing inputs, so they go in below the token: at the prepared key.
"""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from reference import keys as reference_keys
from reference.refusal import Refused

from jotgate import VerificationKey, _points
from jotgate._ecdsa import PointTable
from jotgate._table_lane import TableLane
from jotgate.keys import lanes, tables

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


@functools.lru_cache(maxsize=4)
def lane_with_table(pem: str) -> tuple[PointTable, TableLane]:
    material = load_pem_public_key(pem.encode()).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    lane = lanes.signature_lane("ES256", material)
    assert isinstance(lane, TableLane)
    tables.KEEPER.build(lane)
    assert lane.table is not None
    return lane.table, lane


@pytest.mark.skipif(_points.missing() is not None, reason=f"the library has no {_points.missing()}")
@pytest.mark.parametrize(("pem", "case"), CASES)
def test_a_table_agrees(pem: str, case: dict[str, Any]) -> None:
    """The table by itself, the lane that has it, and the library's own verification in that lane."""
    message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
    table, lane = lane_with_table(pem)
    verdicts = [
        table.verify_digest(hashlib.sha256(message).digest(), signature),
        lane.verify(message, signature),
        lane.plain.verify(message, signature),
    ]
    assert verdicts == [case["result"] == "valid"] * 3

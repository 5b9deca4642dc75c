"""keys/algorithms.py: the table and the names."""

from __future__ import annotations

from typing import Any

import pytest
from support import ALGORITHMS as EXPECTED
from support import SIGNATURE_BYTES, rejects

from jotgate._key import ALGORITHM_NUMBERS
from jotgate.keys.algorithms import (
    ALGORITHMS,
    algorithm_mask,
    algorithms_of_key,
    expand,
    header_name,
    resolve_algorithms,
)


def test_the_table_has_every_algorithm_under_its_canonical_name() -> None:
    assert tuple(ALGORITHMS) == EXPECTED
    assert all(row.name == name for name, row in ALGORITHMS.items())


def test_the_native_numbers_name_the_same_algorithms() -> None:
    assert set(ALGORITHM_NUMBERS) == set(ALGORITHMS)
    assert sorted(ALGORITHM_NUMBERS.values()) == list(range(len(ALGORITHMS)))


def test_signature_sizes_are_those_of_the_specifications() -> None:
    fixed = {name: row.signature_bytes for name, row in ALGORITHMS.items() if row.kty != "RSA"}
    assert fixed == {name: size for name, size in SIGNATURE_BYTES.items() if name in fixed}
    assert all(row.signature_bytes == 0 for row in ALGORITHMS.values() if row.kty == "RSA")


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ALGORITHMS["none"] = ALGORITHMS["HS256"]


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        (["ES256"], ("ES256",)),
        (("RS256", "ES256", "RS256"), ("RS256", "ES256")),
        (["EdDSA"], ("Ed25519", "Ed448")),
        (["Ed448", "EdDSA"], ("Ed448", "Ed25519")),
        (["Ed25519"], ("Ed25519",)),
        ({"PS512"}, ("PS512",)),
        (iter(["HS256"]), ("HS256",)),
    ],
)
def test_an_allow_list_becomes_canonical_names_in_order(given: Any, resolved: tuple[str, ...]) -> None:
    assert resolve_algorithms(given) == resolved


@pytest.mark.parametrize(
    "given",
    [
        "ES256",
        b"ES256",
        None,
        5,
        [],
        (),
        set(),
        ["none"],
        ["None"],
        ["NONE"],
        ["ES256", "nOnE"],
        [""],
        ["es256"],
        ["ES256 "],
        ["ES256\0"],
        ["ES224"],
        ["EDDSA"],
        ["A256GCM"],
        [None],
        [b"ES256"],
        [["ES256"]],
        [True],
    ],
    ids=repr,
)
def test_anything_else_is_no_allow_list(given: Any) -> None:
    rejects("invalid_policy", lambda: resolve_algorithms(given))


def test_a_single_name_is_answered_with_advice() -> None:
    assert "list" in str(rejects("invalid_policy", lambda: resolve_algorithms("ES256")))


def test_a_long_unknown_name_is_not_repeated() -> None:
    error = rejects("invalid_policy", lambda: resolve_algorithms(["c2VjcmV0IGtleSBpbiB0aGUgd3JvbmcgcGxhY2U"]))
    assert "c2Vj" not in str(error)
    assert "'ES224'" in str(rejects("invalid_policy", lambda: resolve_algorithms(["ES224"])))


@pytest.mark.parametrize("name", [None, "none", b"RS256", ["RS256"], "", "RSA", 256])
def test_a_key_is_not_given_another_algorithm(name: object) -> None:
    assert expand(name) == ()
    rejects("invalid_key", lambda: algorithms_of_key(name))


def test_the_mask_has_the_bit_of_each_native_number() -> None:
    assert algorithm_mask([]) == 0
    assert algorithm_mask(["HS256", "ES256"]) == 1 << ALGORITHM_NUMBERS["HS256"] | 1 << ALGORITHM_NUMBERS["ES256"]
    assert algorithm_mask(ALGORITHMS) == (1 << len(ALGORITHMS)) - 1


def test_edwards_keys_are_issued_under_the_older_name() -> None:
    assert header_name("Ed25519") == header_name("Ed448") == "EdDSA"
    assert header_name("RS256") == "RS256"

"""The lane of an ES256 key, with a table and without: one verdict, by one call each and in batches."""

from typing import Any

import pytest
from support import (
    ISSUER,
    NOW,
    b64u,
    compact,
    header,
    lane_material,
    outcome,
    policy,
    secret_key,
    sign,
    token,
    unb64u,
    verification_key,
)

from jotgate import KeySet, Verifier, _points
from jotgate._ecdsa import PointTable
from jotgate._lanes import PublicKeyLane
from jotgate._table_lane import TableLane
from jotgate.keys import lanes, tables

pytestmark = [
    pytest.mark.skipif(_points.missing() is not None, reason=f"the library has no {_points.missing()}"),
    pytest.mark.usefixtures("frozen_clock"),
]
DATA = b"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ1c2VyLTQ3MTEifQ"


class Ear:
    """A keeper that only listens."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def busy(self, lane: TableLane) -> None:
        self.heard.append("busy")

    def disagreed(self, lane: TableLane) -> None:
        self.heard.append("disagreed")


def made(which: int = 0, keeper: Any = None) -> TableLane:
    lane = lanes.signature_lane("ES256", lane_material("ES256", which))
    assert isinstance(lane, TableLane)
    return TableLane(lane.plain, lane.material, keeper or Ear())


def with_table(verifier: Verifier) -> Verifier:
    """Give every ES256 key of a verifier its table."""
    for key in KEYS:
        lane = key._handle.in_lane(lambda material: None)
        if isinstance(lane, TableLane) and lane.table is None:
            tables.KEEPER.build(lane)
            assert lane.table is not None
    return verifier


KEYS = [verification_key("ES256", kid="a"), verification_key("ES256", kid="b", which=1)]
OTHERS = [verification_key("EdDSA", kid="e"), verification_key("RS256", kid="h")]
ALGORITHMS = ("ES256", "EdDSA", "RS256")


def test_it_says_what_it_is_of() -> None:
    lane = made()
    assert (lane.algorithm, lane.signature_bytes) == (lane.plain.algorithm, 64)
    assert type(lane.plain) is PublicKeyLane
    assert lane.table is None


def test_a_key_is_busy_after_1024_acceptances_and_each_1024_more() -> None:
    ear = Ear()
    lane = made(keeper=ear)
    signature = sign("ES256", DATA)
    for _ in range(1200):
        assert not lane.verify(DATA, bytes(64))
    for _ in range(1023):
        assert lane.verify(DATA, signature)
    assert not ear.heard, "nothing that was refused makes a key busy"
    assert lane.verify(DATA, signature)
    assert ear.heard == ["busy"]
    for _ in range(1024):
        assert lane.verify(DATA, signature)
    assert ear.heard == ["busy"] * 2


def test_the_verdict_is_the_same_with_a_table() -> None:
    ear = Ear()
    lane = made(keeper=ear)
    lane.adopt(PointTable(lane.material))
    signature = sign("ES256", DATA)
    for _ in range(5000):
        assert lane.verify(DATA, signature)
    assert not lane.verify(DATA, sign("ES256", DATA, secret_key("ES256", 1)))
    for data in (b"", DATA[:-1], DATA + b"\0", bytes(1_000_000)):
        assert not lane.verify(data, signature)
        assert lane.verify(data, sign("ES256", data))
    for wrong in (b"", signature[:-1], signature + b"\0", bytes(64), b"\xff" * 64):
        assert not lane.verify(DATA, wrong)
    for bit in range(512):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not lane.verify(DATA, bytes(flipped)), bit
    assert not ear.heard


def test_a_table_stays() -> None:
    lane = made()
    table = PointTable(lane.material)
    lane.adopt(table)
    with pytest.raises(ValueError, match="has a table"):
        lane.adopt(table)
    with pytest.raises(TypeError):
        lane.adopt(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        TableLane(None, b"", Ear())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        TableLane(lane.plain, None, Ear())  # type: ignore[arg-type]


def batch_of_everything() -> list[str]:
    """Return tokens of all keys, good ones and such with something wrong in the signature."""
    texts = []
    for n in range(150):
        kid, which = (("a", 0), ("b", 1))[n % 2]
        good = compact(header("ES256", kid=kid), {**claims(), "n": n}, alg="ES256", key=secret_key("ES256", which))
        signing_input, _, signature = good.rpartition(".")
        raw = bytearray(unb64u(signature))
        raw[n % 64] ^= 1 << n % 8
        texts += [
            good,
            f"{signing_input}.{b64u(bytes(raw))}",
            f"{signing_input}.{b64u(bytes(raw[:32]) + bytes(32))}",
            f"{signing_input}.{b64u(bytes(raw[:-1]))}",
            f"{signing_input}.{signature[:-1]}*",
            compact(header("ES256", kid=kid), {**claims(), "n": n}, alg="ES256", key=secret_key("ES256", 1 - which)),
            compact(header("EdDSA", kid="e"), {**claims(), "n": n}, alg="EdDSA"),
            compact(header("RS256", kid="h"), {**claims(), "n": n}, alg="RS256"),
            good[-87:],
            good[-86:],
        ]
    return texts


def claims() -> dict[str, Any]:
    return {"iss": ISSUER, "aud": "https://billing.example.com", "exp": NOW + 300}


def verdicts(verifier: Verifier, texts: list[str], threads: int) -> list[str]:
    return list(verifier.verify_batch(texts, threads=threads).code)


@pytest.mark.parametrize("by_issuer", [False, True])
def test_batches_say_what_single_calls_say(by_issuer: bool) -> None:
    keys, rules = KeySet([*KEYS, *OTHERS]), policy(*ALGORITHMS)
    served = with_table(Verifier({ISSUER: (keys, rules)}) if by_issuer else Verifier(keys, rules, cache=None))
    reference = Verifier(keys, rules, cache=None, backend="cryptography")
    texts = batch_of_everything()
    expected = verdicts(reference, texts, 1)
    assert expected.count("accepted") == 450  # of ES256, of EdDSA, of RS256
    for threads in (1, 3):
        assert verdicts(served, texts, threads) == expected
    errors = [outcome(lambda: served.verify(text)) for text in texts]  # noqa: B023 - called at once
    assert ["accepted" if error is None else error.code for error in errors] == expected
    assert served.stats()["tables"]["disagreements"] == 0


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 63, 64, 65, 129, 700])
def test_batches_of_every_size_are_inverted_whole(count: int) -> None:
    served = with_table(Verifier(KEYS[0], policy("ES256"), cache=None))
    texts = [token("ES256", jti=str(n)) for n in range(min(count, 70))]
    texts += [f"{text.rpartition('.')[0]}.{b64u(bytes([n]) * 64)}" for text in texts for n in range(9)]
    batch = served.verify_batch(texts[:count], threads=1)
    assert [code == "accepted" for code in batch.code] == [n < 70 for n in range(count)]


def test_a_verifier_without_tables_has_none_beside_one_with_them() -> None:
    keys = KeySet(KEYS)
    with_table(Verifier(keys, policy("ES256")))
    plain = Verifier(keys, policy("ES256"), cache=None, tables=False)
    assert plain.stats()["tables"]["reason"] == "this verifier uses none"
    text = compact(header("ES256", kid="a"), alg="ES256")
    assert plain.verify(text).kid == "a"
    assert plain.verify_batch([text] * 3).accepted == 3

"""Group J: what a refusal may cost. Ratios within one run, and counts; never seconds."""

import json
import math
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from support import (
    ISSUER,
    b64u,
    claims,
    compact,
    doors,
    dumps,
    error_of,
    header,
    policy,
    refuses,
    rejects,
    resign,
    token,
    verification_key,
    verifier,
)

from jotgate import KeySet, VerificationKey, Verifier, jws, unverified
from jotgate.errors import InvalidKeyError

pytestmark = pytest.mark.usefixtures("frozen_clock")

WIDE_OPEN = 64_000_000


def fastest(run: Callable[[], object], rounds: int = 5) -> int:
    best = math.inf
    for _ in range(rounds):
        started = time.perf_counter_ns()
        run()
        best = min(best, time.perf_counter_ns() - started)
    return int(best)


def grows_linearly(cost_of: Callable[[int], Callable[[], object]], small: int, factor: int = 8) -> None:
    """Assert that `factor` times the size costs less than 3 * `factor` as much, far below the square."""
    ratios = []
    for _ in range(3):
        one, many = fastest(cost_of(small)), fastest(cost_of(small * factor))
        ratios.append(many / one)
        if ratios[-1] < 3 * factor:
            return
    raise AssertionError(f"{factor} times the size cost {ratios} times as much")


def refusal(way_in: Any, text: Any) -> Callable[[], object]:
    return lambda: error_of(lambda: way_in.verify(text))


def test_j1_ten_million_dots() -> None:
    dots = "." * 10_000_000
    refuses(verifier(), dots, "too_large")
    way_in = verifier(max_token_bytes=WIDE_OPEN)
    for text in (dots, dots.encode(), "a." * 5_000_000, ".a" * 5_000_000):
        refuses(way_in, text, "malformed")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        error_of(lambda: way_in.verify(dots))
        assert tracemalloc.get_traced_memory()[1] - before < 50_000
    finally:
        tracemalloc.stop()
    grows_linearly(lambda size: refusal(way_in, "." * size), 1_000_000)


@pytest.mark.parametrize(
    "shape",
    ["a", "A.", "a.b", "..", "é", "=", '{"a":', "h.p.s"],
)
def test_j1_work_on_junk_is_linear(shape: str) -> None:
    way_in = verifier(max_token_bytes=WIDE_OPEN, allow_padding=True)
    grows_linearly(lambda size: refusal(way_in, shape * (size // len(shape))), 200_000)


PAYLOADS: dict[str, Callable[[int], bytes]] = {
    "long string": lambda size: b'{"x":"' + b"a" * size + b'"}',
    "escapes": lambda size: b'{"x":"' + rb"\u0061" * (size // 6) + b'"}',
    "long name": lambda size: b'{"' + b"a" * size + b'":1}',
    "long names that differ late": lambda size: b'{"%s":1,"%s":1}' % (b"a" * (size // 2), b"a" * (size // 2) + b"b"),
    "array": lambda size: b'{"x":[' + b"1," * (size // 2) + b"1]}",
    "members": lambda size: b"{" + b",".join(b'"%06d":1' % number for number in range(size // 11)) + b"}",
    "escaped members": lambda size: (
        b"{" + b",".join(rb'"\u0061%06d":1' % number for number in range(size // 17)) + b"}"
    ),
    "objects": lambda size: b'{"x":[' + b'{"a":1},' * (size // 8) + b"{}]}",
    "white space": lambda size: b"{" + b" " * size + b"}",
    "digits": lambda size: b'{"x":0.' + b"1" * size + b"}",
    "integer": lambda size: b'{"x":' + b"1" * size + b"}",
    "exponent": lambda size: b'{"x":1e' + b"1" * size + b"}",
    "audiences": lambda size: b'{"aud":[' + b'"x",' * (size // 4) + b'"y"]}',
    "depth": lambda size: b'{"x":' + b"[" * size,
    "UTF-8": lambda size: b'{"x":"' + "é".encode() * (size // 2) + b'"}',
}


@pytest.mark.parametrize("shape", PAYLOADS)
def test_j1_work_on_a_signed_document_is_linear(shape: str) -> None:
    way_in = verifier(max_token_bytes=WIDE_OPEN)

    def cost_of(size: int) -> Callable[[], object]:
        text = compact(header("HS256"), PAYLOADS[shape](size))
        return refusal(way_in, text)

    grows_linearly(cost_of, 60_000)


@pytest.mark.parametrize("shape", PAYLOADS)
def test_j2_memory_for_a_large_header_is_bounded(shape: str) -> None:
    """Native buffers do not show here: `isolated/memory.py` watches the whole process."""
    way_in = verifier(max_token_bytes=WIDE_OPEN)
    size = 1_000_000
    text = resign(f"{b64u(PAYLOADS[shape](size))}.{b64u(dumps(claims()))}")
    error_of(lambda: way_in.verify(text))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        error_of(lambda: way_in.verify(text))
        assert tracemalloc.get_traced_memory()[1] - before < 2 * size
    finally:
        tracemalloc.stop()


def test_j2_the_limit_comes_before_any_copy() -> None:
    text = token() + "A" * 50_000_000
    tracemalloc.start()
    try:
        for way_in in doors("HS256").values():
            for wrong in (text, text.encode()):
                before = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                refuses(way_in, wrong, "too_large")
                assert tracemalloc.get_traced_memory()[1] - before < 50_000
    finally:
        tracemalloc.stop()
    small = "x" * 20_000
    # Refusing by length does not look at the text: 2500 times the length, about the same duration.
    assert fastest(refusal(verifier(), text), 20) < 20 * fastest(refusal(verifier(), small), 20) + 20_000


class CountingKey:
    """Stands for a public key of `cryptography` and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def verify(self, *_: object) -> None:
        from cryptography.exceptions import InvalidSignature

        self.asked += 1
        raise InvalidSignature


def test_j6_one_token_one_key() -> None:
    """However many keys a set has, a token costs one signature at most."""
    from jotgate._key import ALGORITHM_NUMBERS, KeyHandle, KeyTable

    counters = [CountingKey() for _ in range(200)]
    handles = [
        KeyHandle(ALGORITHM_NUMBERS["Ed25519"], f"k{number}", (counter,), 64) for number, counter in enumerate(counters)
    ]
    assert KeyTable(handles)
    keys = KeySet([verification_key("ES256", kid=f"k{number}", which=number) for number in range(60)])
    way_in = Verifier(keys, policy("ES256"))
    refuses(way_in, token("ES256"), "unknown_key")
    refuses(way_in, compact(header("ES256", kid="k60"), claims(), alg="ES256"), "unknown_key")
    one_key = verifier("ES256")
    wrong = compact(header("ES256", kid="k1"), claims(), alg="ES256")
    refuses(way_in, wrong, "bad_signature")
    assert (
        fastest(refusal(way_in, wrong), 9) < 4 * fastest(refusal(one_key, token("ES256")[:-6] + "AAAAAA"), 9) + 50_000
    )


CANARY = "CANARYcanary0123456789"


def test_j7_an_error_does_not_carry_the_token() -> None:
    big = compact(header("HS256", x=CANARY), claims(x=CANARY * 1000))
    for way_in in doors("HS256").values():
        error = refuses(way_in, big, "too_large")
        assert len(str(error)) <= 200
        assert len(repr(error)) <= 200
        for part in (str(error), repr(error), *map(str, error.args)):
            assert CANARY not in part
            assert b64u(CANARY.encode())[4:16] not in part
    for text in (CANARY, CANARY * 10_000, f"{CANARY}.{CANARY}.{CANARY}", f"{CANARY}.{CANARY}", CANARY + "é"):
        for error in (
            error_of(lambda text=text: verifier().verify(text)),
            error_of(lambda text=text: unverified.peek(text)),
        ):
            assert len(str(error)) <= 200
            assert CANARY not in str(error) + repr(error)


def test_j8_many_names_and_names_chosen_to_collide() -> None:
    way_in = verifier(max_token_bytes=WIDE_OPEN)
    shapes: list[Callable[[int], list[str]]] = [
        lambda count: [format(number, "08x") for number in range(count)],
        lambda count: [format(number, "016x")[::-1] for number in range(count)],
        lambda count: ["a" * 8 + format(number * 65_536, "016x") for number in range(count)],
        lambda count: [f"{number:b}".replace("0", "Aa").replace("1", "BB").zfill(40) for number in range(count)],
        lambda count: ["\0" * (number % 300) + str(number) for number in range(count)],
    ]
    for names_of in shapes:

        def cost_of(count: int, names_of: Callable[[int], list[str]] = names_of) -> Callable[[], object]:
            names = names_of(count)
            assert len(set(names)) == count
            text = compact(header("HS256"), dumps(dict.fromkeys(names, 1)))
            return refusal(way_in, text)

        grows_linearly(cost_of, 2_000)


def test_j9_a_million_members() -> None:
    way_in = verifier(max_token_bytes=WIDE_OPEN)
    members = b",".join(b'"%d":0' % number for number in range(1_000_000))
    good = compact(header("HS256"), dumps(claims())[:-1] + b"," + members + b"}")
    assert way_in.verify(good).subject
    twice = compact(header("HS256"), dumps(claims())[:-1] + b"," + members + b',"7":1}')
    refuses(way_in, twice, "malformed")


def test_j9_many_keys_of_one_name() -> None:
    def document(count: int, kid_of: Callable[[int], str]) -> dict[str, Any]:
        secret = b64u(b"s" * 32)
        return {"keys": [{"kty": "oct", "alg": "HS256", "k": secret, "kid": kid_of(number)} for number in range(count)]}

    merged = KeySet.from_jwks(document(5_000, lambda number: "same"))
    assert len(merged) == 1
    many = KeySet.from_jwks(document(5_000, str))
    assert len(many) == 5_000
    way_in = Verifier(many, policy("HS256"))
    refuses(way_in, token("HS256"), "unknown_key")
    grows_linearly(lambda count: lambda: KeySet.from_jwks(document(count, str)), 400)


def test_j9_huge_strings_in_keys() -> None:
    huge = "x" * 5_000_000
    rejects("invalid_key", lambda: VerificationKey.from_secret(b"s" * 32, alg="HS256", kid=huge))
    rejects("invalid_key", lambda: VerificationKey.from_secret(b"s" * 32, alg=huge))
    rejects(
        "invalid_key",
        lambda: VerificationKey.from_jwk({"kty": "RSA", "n": huge, "e": "AQAB", "alg": "RS256"}),
    )
    rejects(
        "invalid_key",
        lambda: VerificationKey.from_jwk({"kty": "RSA", "n": "AQAB", "e": huge, "alg": "RS256"}),
    )
    rejects(
        "invalid_key",
        lambda: VerificationKey.from_jwk({"kty": "EC", "crv": "P-256", "x": huge, "y": huge, "alg": "ES256"}),
    )
    rejects("invalid_key", lambda: VerificationKey.from_pem(huge, alg="RS256"))
    for document in (
        huge,
        json.dumps({"keys": huge}),
        json.dumps({"keys": [huge]}),
        json.dumps({"keys": [{"kty": huge}]}),
    ):
        with pytest.raises(InvalidKeyError):
            KeySet.from_jwks(document)
    refuses(verifier(), huge, "too_large")
    assert error_of(lambda: jws.verify(huge, verification_key("HS256"), algorithms=["HS256"])).code == "too_large"
    assert ISSUER

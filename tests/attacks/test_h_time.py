"""Group H, the part about time: ranges, boundaries, and a clock that moves."""

import pytest
from support import ABSENT, NOW, clock_at, raw_claim, refuses, token, verifier

pytestmark = pytest.mark.usefixtures("frozen_clock")


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "raw",
    [
        "1e30",
        "-1",
        "-0.5",
        "-1e-320",
        "253402300800",
        "253402300799.5",
        "1e300",
        str(2**63),
        str(2**64 - 1),
        "1.7e308",
        "-1e300",
    ],
)
def test_h15_a_date_outside_the_calendar(name: str, raw: str) -> None:
    for way_in in (verifier(), verifier(require=("iss", "aud")), verifier(leeway=600)):
        refuses(way_in, raw_claim(name, raw), "invalid_claim", name)


def test_h15_dates_at_the_edge_of_the_calendar() -> None:
    for raw in ("253402300799", "253402300799.0", "2.53402300799e11"):
        assert verifier().verify(raw_claim("exp", raw)).expires_at == 253402300799
        refuses(verifier(), raw_claim("nbf", raw), "not_yet_valid", "nbf")
    for raw in ("0", "0.0", "-0", "-0.0", "1e-320", "0e5", "0.5"):
        refuses(verifier(), raw_claim("exp", raw), "expired", "exp")
        assert verifier().verify(raw_claim("nbf", raw))
        assert verifier().verify(raw_claim("iat", raw))
    for raw in (str(2**64), "1e400", str(-(2**63) - 1)):
        refuses(verifier(), raw_claim("exp", raw), "malformed")


def test_h15_issued_in_the_future() -> None:
    assert verifier().verify(token(iat=NOW)).issued_at == NOW
    refuses(verifier(), token(iat=NOW + 1), "invalid_claim", "iat")
    refuses(verifier(), token(iat=NOW + 0.001), "invalid_claim", "iat")
    assert verifier(leeway=10).verify(token(iat=NOW + 10))
    refuses(verifier(leeway=10), token(iat=NOW + 11), "invalid_claim", "iat")


def test_h15_lifetime_and_age() -> None:
    limited = verifier(max_lifetime=300)
    assert limited.verify(token(iat=NOW, exp=NOW + 300))
    refuses(limited, token(iat=NOW, exp=NOW + 301), "lifetime_too_long")
    refuses(verifier(max_lifetime=300, leeway=60), token(iat=NOW, exp=NOW + 301), "lifetime_too_long")
    refuses(limited, token(iat=ABSENT), "missing_claim", "iat")
    refuses(verifier(max_lifetime=300, require=("iss", "aud")), token(exp=ABSENT), "missing_claim", "exp")
    aged = verifier(max_age=100)
    assert aged.verify(token(iat=NOW - 100))
    refuses(aged, token(iat=NOW - 101), "too_old")
    assert verifier(max_age=100, leeway=5).verify(token(iat=NOW - 105))
    refuses(verifier(max_age=100, leeway=5), token(iat=NOW - 106), "too_old")
    refuses(aged, token(iat=ABSENT), "missing_claim", "iat")


def test_h16_the_second_of_expiry_is_expired() -> None:
    text = token(exp=NOW + 100, iat=ABSENT)
    for leeway in (0, 1, 30, 600):
        way_in, last = verifier(leeway=leeway), NOW + 100 + leeway
        for seconds, nanoseconds in ((last - 1, 0), (last - 1, 999_999_999)):
            with clock_at(seconds, nanoseconds):
                assert way_in.verify(text)
        for seconds, nanoseconds in ((last, 0), (last, 1), (last + 1, 0), (last + 10**9, 0)):
            with clock_at(seconds, nanoseconds):
                refuses(way_in, text, "expired", "exp")


def test_h16_the_second_of_not_before_is_valid() -> None:
    text = token(nbf=NOW + 100, exp=NOW + 9999, iat=ABSENT)
    for leeway in (0, 1, 30, 600):
        way_in, first = verifier(leeway=leeway), NOW + 100 - leeway
        for seconds, nanoseconds in ((first - 1, 0), (first - 1, 999_999_999)):
            with clock_at(seconds, nanoseconds):
                refuses(way_in, text, "not_yet_valid", "nbf")
        for seconds, nanoseconds in ((first, 0), (first, 1), (first + 1, 0)):
            with clock_at(seconds, nanoseconds):
                assert way_in.verify(text)


@pytest.mark.parametrize(("raw", "nanoseconds"), [("1700000000.5", 500_000_000), ("1700000000.25",
250_000_000),
                                                  ("1.7000000005e9", 500_000_000), ("17000000005e-1",
                                                  500_000_000)])  # fmt: skip
def test_h16_fractions_of_a_second_are_compared_exactly(raw: str, nanoseconds: int) -> None:
    expiring = raw_claim("exp", raw, iat=ABSENT)
    beginning = raw_claim("nbf", raw, iat=ABSENT)
    with clock_at(NOW, nanoseconds - 1):
        assert verifier().verify(expiring)
        refuses(verifier(), beginning, "not_yet_valid", "nbf")
    for late in (nanoseconds, nanoseconds + 1):
        with clock_at(NOW, late):
            refuses(verifier(), expiring, "expired", "exp")
            assert verifier().verify(beginning)


def test_h17_a_clock_that_steps_back() -> None:
    way_in, text = verifier(), token(exp=NOW + 100, nbf=NOW - 100, iat=ABSENT)
    for seconds, code in (
        (NOW, None), (NOW + 100, "expired"), (NOW - 3600, "not_yet_valid"), (NOW + 99, None), (NOW + 101,
        "expired"),
        (NOW - 101, "not_yet_valid"), (NOW - 100, None), (0, "not_yet_valid"), (NOW, None), (4 * 10**9,
        "expired"),
    ):  # fmt: skip
        with clock_at(seconds):
            if code is None:
                assert way_in.verify(text)
            else:
                refuses(way_in, text, code)

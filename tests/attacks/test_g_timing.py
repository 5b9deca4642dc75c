"""Group G, the part about time: constant-time comparison, and what a verification may cost.

Durations are compared with durations of the same run, never with seconds.
"""

import math
import operator
import random
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import ALGORITHMS, SIGNATURE_BYTES, b64u, error_of, token, verifier

from jotgate import _codec

pytestmark = pytest.mark.usefixtures("frozen_clock")

EXT = Path(__file__).parents[2] / "ext" / "jotgate"


def fastest(run: Callable[[], object], rounds: int = 15) -> int:
    """Return the shortest of several durations, in nanoseconds: the one with the least disturbance."""
    best = math.inf
    for _ in range(rounds):
        started = time.perf_counter_ns()
        run()
        best = min(best, time.perf_counter_ns() - started)
    return int(best)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_g8_the_worst_signature_costs_what_a_good_one_costs(alg: str) -> None:
    way_in, text = verifier(alg, cache=None), token(alg)
    good = fastest(lambda: way_in.verify(text))
    exact = SIGNATURE_BYTES[alg]
    for filler in (b"\x01", b"\x7f", b"\xff", b"\0" * (exact - 1) + b"\x01"):
        wrong = f"{text.rpartition('.')[0]}.{b64u((filler * exact)[:exact])}"
        cost = fastest(lambda wrong=wrong: error_of(lambda: way_in.verify(wrong)))
        # Raising costs some microseconds of its own, more than an HMAC does.
        assert cost < 4 * good + 100_000


def test_g10_the_place_of_the_difference_does_not_show_in_the_duration() -> None:
    size = 1 << 16
    base = bytes(size)
    first, last = b"\1" + bytes(size - 1), bytes(size - 1) + b"\1"
    assert not _codec.constant_time_equal(base, first)
    assert not _codec.constant_time_equal(base, last)
    assert _codec.constant_time_equal(base, bytes(size))
    early, late = (fastest(lambda other=other: _codec.constant_time_equal(base, other), 200) for other in (first, last))
    # A comparison that stops at the first difference would be a thousand times faster on one of the two.
    assert 0.5 < early / late < 2


def welch_t(one: list[int], other: list[int]) -> float:
    """Return Welch's t of two samples, the slowest tenth left out as dudect does."""
    limit = sorted(one + other)[int(0.9 * (len(one) + len(other)))]
    kept = [[value for value in sample if value <= limit] for sample in (one, other)]
    means = [statistics.fmean(sample) for sample in kept]
    spread = sum(statistics.pvariance(sample) / len(sample) for sample in kept)
    return (means[0] - means[1]) / math.sqrt(spread) if spread else 0.0


def t_of(compare: Callable[[bytes, bytes], bool], seed: int) -> float:
    """Compare with a difference in the first and in the last byte; return how far apart the durations are.

    4 KiB, because at the 32 bytes of a MAC even an early exit is lost in the clock's noise. Both classes get
    fresh copies, and swap places every thousand calls: an address or a list of its own would look like one.
    """
    chooser, clock = random.Random(seed), time.perf_counter_ns
    base = bytes(4096)
    first, last = b"\1" + base[1:], base[1:] + b"\1"
    totals: tuple[list[int], list[int]] = ([], [])
    for block in range(20):
        swapped = block & 1
        others = [bytearray(other) for other in ((last, first) if swapped else (first, last))]
        samples: tuple[list[int], list[int]] = ([], [])
        for _ in range(1000):
            which = chooser.getrandbits(1)
            other = bytes(others[which])
            started = clock()
            compare(base, other)
            samples[which].append(clock() - started)
        totals[0].extend(samples[swapped])
        totals[1].extend(samples[1 - swapped])
    return abs(welch_t(*totals))


def test_g10_dudect_against_a_comparison_that_stops_early() -> None:
    scores = []
    for seed in range(4):
        ours, early = t_of(_codec.constant_time_equal, seed), t_of(operator.eq, seed)
        scores.append((ours, early))
        if early > 50 and ours < early / 10:
            return
    raise AssertionError(f"no better than a comparison that stops early: |t| = {scores}")


def native_function(name: str) -> str:
    """Return the source of a native function."""
    source = "\n".join(path.read_text("utf-8") for path in sorted(EXT.glob("*.pyx")))
    match = re.search(rf"^cdef [^\n]*\b{name}\([\s\S]*?(?=^\S)", source, re.MULTILINE)
    assert match, f"no native function {name}"
    return match[0]


def test_g10_the_comparison_has_no_early_exit() -> None:
    body = native_function("constant_time_same")
    code = "\n".join(line for line in body.splitlines() if not line.strip().startswith(("#", '"')))
    assert "volatile" in code
    assert code.count("return") == 1
    assert code.rstrip().splitlines()[-1].strip().startswith("return")
    for exit_early in ("if ", "break", "continue", "memcmp", " and ", " or "):
        assert exit_early not in code


def test_g10_the_mac_is_compared_by_nothing_else() -> None:
    users = [path.name for path in EXT.glob("*.pyx") if "constant_time_same(" in path.read_text("utf-8")]
    assert len(users) >= 2, "the HMAC path does not use the constant-time comparison"

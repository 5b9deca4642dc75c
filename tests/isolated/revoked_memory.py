"""A million rules: what they take, what one more costs, and that all of it is given back."""

import subprocess
import sys
import time

from measure import give_back, resident_bytes
from support import NOW, clock_at, refuses, token, verifier

from jotgate import _clock
from jotgate._revoked import RevocationIndex

COUNT = 1_000_000
PORTION = 1_000
LIMITS = {22: 64_000_000, 36: 80_000_000}  # bytes, by the size of an id


def filled(size: int) -> RevocationIndex:
    index = RevocationIndex()
    for start in range(0, COUNT, PORTION):
        index.merge([("jti", "", f"{number:0{size}x}", 0, NOW + 1_000) for number in range(start, start + PORTION)])
    return index


def check(size: int, limit: int) -> None:
    warm = RevocationIndex()
    warm.merge([("jti", "", "a", 0, NOW)])
    give_back()
    before = resident_bytes()
    index = filled(size)
    taken = resident_bytes() - before
    assert len(index) == COUNT
    if before:
        assert taken < limit, (size, taken)
        assert 0.8 * taken < index.nbytes < 1.2 * taken, (size, taken, index.nbytes)
    way_in = verifier(revocations=index)
    refuses(way_in, token(jti=f"{COUNT - 1:0{size}x}"), "revoked")
    assert way_in.verify(token(jti=f"{COUNT:0{size}x}"))
    worst = 0.0
    for number in range(COUNT, COUNT + 20_000):  # enough for each shard to be written anew
        began = time.perf_counter()
        index.revoke(f"{number:0{size}x}", NOW + 1_000)
        worst = max(worst, time.perf_counter() - began)
    assert worst < 0.25, worst  # a millisecond on a quiet machine; all shards at once would take 60
    print(f"{size}: {taken / 1e6:.1f} MB, {index.nbytes / 1e6:.1f} by its own account, worst {worst * 1e3:.2f} ms")
    _clock.set_wall_clock_for_tests((NOW + 10_000) * 1_000_000_000)
    for _ in range(64):
        index.sweep()
    assert len(index) == 0
    assert index.nbytes < 100_000, index.nbytes
    if before:
        give_back()
        assert resident_bytes() - before < 0.3 * limit, resident_bytes() - before


# Each size in a process of its own: what the allocator keeps of one is in the way of the next.
if sys.argv[1:]:
    with clock_at(NOW):
        check(int(sys.argv[1]), LIMITS[int(sys.argv[1])])
else:
    for each in LIMITS:
        subprocess.run([sys.executable, __file__, str(each)], check=True)

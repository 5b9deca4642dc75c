"""What a cache says it holds is what the process grew by: text, payload, token, claims, header, tables.

Measured as resident memory over many tokens. The tolerance is for what an allocator keeps between its blocks, and for
header mappings, which are counted as if they were built. `unit/test_cache.py` holds claims to a narrower one.
"""

import gc
import os
import sys

from measure import resident_bytes
from support import NOW, b64u, claims, clock_at, dumps, resign, verifier

from jotgate import TokenCache

if not resident_bytes() or not hasattr(os, "fork"):
    sys.exit(0)

COUNT = 8_000
LEAST, MOST = 0.7, 1.6


SHAPES = {
    "300 bytes": lambda n: {},
    "700 bytes": lambda n: {"x": "y" * 330},
    "3000 bytes": lambda n: {"x": "y" * 2000},
    "numbers": lambda n: {"x": [n + 0.5 + i for i in range(30)], "y": [2**40 + i + n for i in range(20)]},
    "small strings": lambda n: {"roles": [f"role-{n}-{i}" for i in range(25)]},
    "text beyond ASCII": lambda n: {"name": "é" * 100, "other": "\u20ac" * 40, "more": "\U0001f511" * 20},
    "nested": lambda n: {"a": [{"b": {"c": [{"d": n}, {"d": 1}]}}, {"e": {}}], "f": {"g": [[], [[]]]}},
    "names of its own": lambda n: {f"claim-{n:06}-{i:02}-{'n' * 20}": i for i in range(20)},
    "many members": lambda n: {"x": {f"k{i}": i for i in range(60)}},
    "a header of its own": lambda n: {},
}


def text(shape: str, number: int) -> str:
    head = b'{"alg":"HS256","nonce":"%040d"}' % number if shape == "a header of its own" else b'{"alg":"HS256"}'
    return resign(f"{b64u(head)}.{b64u(dumps(claims(jti=f'{number:08}', **SHAPES[shape](number))))}")


def ratio(shape: str, *, read: bool) -> float:
    warm = verifier(cache=TokenCache(max_bytes=1 << 20))
    for number in range(3_000):
        warm.verify(text(shape, number + 10**6)).claims if read else warm.verify(text(shape, number + 10**6))
    del warm
    way_in = verifier(cache=TokenCache(max_bytes=1 << 30))
    gc.collect()
    before = resident_bytes()
    for number in range(COUNT):
        made = way_in.verify(text(shape, number))
        if read:
            assert made.claims["jti"]
            if number % 5 == 0:
                assert made.header["alg"]
    del made
    gc.collect()
    grown = resident_bytes() - before
    stats = way_in.stats()
    assert stats["cache_entries"] >= 0.99 * COUNT  # full buckets push a few out
    print(f"{shape}, claims {'read' if read else 'not read'}: says {stats['cache_bytes'] / COUNT:.0f}, "
          f"grew by {grown / COUNT:.0f} a token")  # fmt: skip
    return stats["cache_bytes"] / grown


def in_a_process_of_its_own(shape: str, read: bool) -> float:
    """So that no memory which an earlier cache has given back is used again."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(ratio(shape, read=read)).encode())
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(writing)
    with open(reading) as answer:
        found = float(answer.read())
    os.waitpid(child, 0)
    return found


with clock_at(NOW):
    found = {
        (shape, read): round(in_a_process_of_its_own(shape, read), 2) for shape in SHAPES for read in (False, True)
    }
    if wrong := {each: ratio for each, ratio in found.items() if not LEAST <= ratio <= MOST}:
        raise SystemExit(f"not within {LEAST} to {MOST}: {wrong}")

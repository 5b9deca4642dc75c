"""What a batch takes while nobody looks at its results: 32 bytes a text, and its own references to them."""

import gc
import tracemalloc

from measure import resident_bytes
from support import NOW, b64u, claims, clock_at, dumps, header, resign, verifier

COUNT = 100_000
MEBIBYTE = 1 << 20


def texts_of() -> list[str]:
    head = b64u(dumps(header("HS256")))
    return [
        resign(f"{head}.{b64u(dumps(claims(jti=f'{number:08}', scope='x' * (120 + number % 200))))}")
        for number in range(COUNT)
    ]


with clock_at(NOW):
    way_in = verifier(cache=None)
    texts = texts_of()
    sizes = sorted(map(len, texts))
    assert sizes[0] >= 350
    assert sizes[-1] <= 700
    way_in.verify_batch(texts[:1000], threads=2)
    gc.collect()
    for threads in (1, 2):
        before = resident_bytes()
        batch = way_in.verify_batch(texts, threads=threads)
        resident = resident_bytes() - before
        assert batch.accepted == COUNT
        # the native part is not Python's to trace: 32 bytes a text
        del batch
        gc.collect()
        tracemalloc.start()
        batch = way_in.verify_batch(texts, threads=threads)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        own = 32 * COUNT
        print(f"{threads} threads, {COUNT} texts: resident {resident / 1e6:.1f} MB more; traced {held / 1e6:.1f} MB, "
              f"at most {peak / 1e6:.1f} MB, beside {own / 1e6:.1f} MB of its own")  # fmt: skip
        assert resident <= 8_000_000, resident
        assert peak + own <= 8_000_000, (held, peak)
        assert batch[COUNT - 1]["jti"] == f"{COUNT - 1:08}"
        del batch
        gc.collect()

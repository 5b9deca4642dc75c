"""Hostile tokens of all classes and sizes do not make the process grow; a large one costs its own size."""

import random

from measure import code_of, resident_bytes
from support import NOW, b64u, claims, clock_at, compact, dumps, header, resign, token, verifier

MEBIBYTE = 1 << 20
chooser = random.Random(7)
alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.="


def hostile() -> list[object]:
    junk = ["".join(chooser.choices(alphabet, k=chooser.choice((1, 10, 100, 1000, 16_384)))) for _ in range(60)]
    members = dumps({f"{chooser.random()}": chooser.random() for _ in range(400)})
    deep = [compact(header("HS256"), b'{"a":' + b"[" * depth) for depth in (1, 10, 31, 100, 5000)]
    wide = [compact(members), compact(header("HS256"), members), compact(header("HS256", x="y" * 9000))]
    changed = [
        compact(header("HS256", kid=f"{chooser.random()}"), claims(exp=NOW - chooser.randrange(99))) for _ in range(60)
    ]
    forged = [token(key=b"%032d" % number, x=chooser.random()) for number in range(60)]
    return [*junk, *deep, *wide, *changed, *forged, b"\xff" * 16_384, "é" * 16_384, "." * 16_384, None]


with clock_at(NOW):
    way_in = verifier()
    batch = hostile()
    for text in batch * 20:
        code_of(lambda text=text: way_in.verify(text))
    steady = resident_bytes()
    for _ in range(8):
        batch = hostile()
        for text in batch * 60:
            code_of(lambda text=text: way_in.verify(text))
    grown = resident_bytes() - steady
    print(f"{len(batch) * 480} hostile tokens: {grown >> 10} KiB")
    assert grown < 8 * MEBIBYTE

    # Peak, not growth: what a refusal holds while it works, for a token of 24 MB.
    open_door = verifier(max_token_bytes=64 * MEBIBYTE)
    size = 18_000_000
    for payload in (b'{"x":"' + b"a" * size + b'"}', b"a" * size):
        text = resign(f"{b64u(payload)}.{b64u(dumps(claims()))}").encode()
        import resource

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert code_of(lambda text=text: open_door.verify(text))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"a header of {size} bytes: peak {peak} KiB more")
        assert peak * 1024 < 2 * len(text) + 4 * MEBIBYTE

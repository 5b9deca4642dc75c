"""What a cached token keeps resident: the growth of this process, which does nothing else.

usage: memory.py kept|read     kept: tokens verified; read: their claims read as well. Prints KiB a token as JSON.
"""

import gc
import json
import sys
import time
from pathlib import Path

# Just above where the tables have doubled, where they weigh most for each token.
TOKENS = 16_500
WARM = 50


def main() -> None:
    """Fill a cache and print what that took."""
    import ours
    from judging import resident_bytes
    from tokens import LONGER_PAYLOAD_BYTES, Signer, claims_set

    from jotgate import TokenCache

    if not Path("/proc/self/statm").exists():
        print("null")
        return
    signer = Signer("HS256")
    now = int(time.time())

    # Made before anything is measured: signing leaves holes in the heap that would count as ours.
    texts = [signer.sign(claims_set(now, LONGER_PAYLOAD_BYTES)).text for _ in range(WARM + TOKENS)]
    cache = TokenCache(max_bytes=1 << 30)
    verify = ours.verifier("HS256", signer.key, cache=cache).verify

    def fill(blobs: list[bytes]) -> None:
        for blob in blobs:
            token = verify(str(blob, "ascii"))
            if sys.argv[1] == "read" and token.claims["exp"] != token.expires_at:
                raise SystemExit("wrong claims")

    fill(texts[:WARM])
    gc.collect()
    resident, accounted = resident_bytes(), cache.stats()["bytes"]
    fill(texts[WARM:])
    gc.collect()
    kept = len(cache) - WARM  # a few were left out for want of room in their bucket
    assert kept > 0.99 * TOKENS
    grown = {"resident": resident_bytes() - resident, "accounted": cache.stats()["bytes"] - accounted}
    print(json.dumps({name: size / kept / 1024 for name, size in grown.items()}))


if __name__ == "__main__":
    main()

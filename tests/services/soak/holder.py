"""Another process with a hot cache: verifies what it is told to, by keys that it fetches.

usage: python -m tests.services.soak.holder URL ALGORITHM TOKENS

For each line of its input, ``verify`` or ``refresh``, it does so and writes what came of it as a line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from services.soak.hot import codes_of, counted
from support import policy

from jotgate import RemoteKeySet, Verifier


def main() -> int:
    """Obey until the input ends."""
    url, algorithm, tokens = sys.argv[1:]
    keys = RemoteKeySet(url, allow_http=True)
    verifier = Verifier(keys, policy(algorithm))
    texts = Path(tokens).read_text().splitlines()
    for line in sys.stdin:
        began = time.perf_counter()
        answer: dict[str, Any] = {}
        if line.strip() == "refresh":
            keys.refresh()
        else:
            hits = verifier.stats()["hits"]
            answer = counted(codes_of(verifier, texts)) | {"hits": verifier.stats()["hits"] - hits}
        print(json.dumps(answer | {"took": time.perf_counter() - began}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

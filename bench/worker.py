"""One library in a process of its own: answers `bind`, `time`, `slices` and `batch` requests, a JSON object a line,
until stdin closes. bench/fast_jwt/worker.js speaks the same, but for batches.

usage: worker.py MODULE [DIRECTORY]     MODULE is an adapter; DIRECTORY goes in front of sys.path
"""

import gc
import importlib
import json
import sys
import warnings
from collections.abc import Callable
from typing import Any

# Before any library is imported: several warn on import or on each call, and printing is not verifying.
warnings.showwarning = lambda *_args, **_kwargs: None
sys.path[1:1] = sys.argv[2:]

import primitive  # noqa: E402
from timing import call_each, time_slices  # noqa: E402
from tokens import Corpus, tile  # noqa: E402


class Bench:
    """The adapter under test, bound to one algorithm after another."""

    def __init__(self, module: str) -> None:
        self.adapter: Any = importlib.import_module(module)
        self.bound: dict[str, tuple[Any, Corpus]] = {}

    def bind(self, corpus: Corpus) -> dict[str, Any]:
        """Build key and policy, then check every answer: each token's claims, and that no twin gets
        through."""
        try:
            call = self.adapter.bind(corpus.alg, corpus.key)
        except LookupError:
            return {"supported": False}
        self.bound[corpus.alg] = call, corpus
        if hasattr(self.adapter, "prime"):
            self.adapter.prime(corpus)
        faults = []
        if self.adapter is primitive:
            twins = {"tampered": _flip(corpus)}
            for item in self._items(corpus, len(corpus.signed)):
                call(item)
        else:
            refused = corpus.twins if getattr(self.adapter, "REFUSES", True) else {}
            twins = {name: str(text, "ascii") for name, text in refused.items()}
            for text, token in zip(corpus.fresh(len(corpus.signed)), corpus.signed, strict=True):
                if self.adapter.claims(call(text)) != token.claims:
                    faults.append("wrong claims")
                    break
        for name, twin in twins.items():
            try:
                call(twin)
            except Exception:
                continue
            faults.append(f"accepts {name}")
        return {"supported": True, "faults": faults, "version": self.adapter.VERSION}

    def time(self, alg: str, count: int) -> dict[str, Any]:
        """Time `count` calls on strings made just before, and give the nanoseconds for one."""
        return {"ns": self._undisturbed(call_each, alg, count) / count}

    def slices(self, alg: str, count: int) -> dict[str, Any]:
        """Time `count` calls in short slices, and give the nanoseconds of each: a round of a sweep."""
        return {"ns": self._undisturbed(time_slices, alg, count)}

    def batch(self, alg: str, count: int) -> dict[str, Any]:
        """Time one batch, where the adapter has such; the nanoseconds of all of it, as one slice."""
        return {"ns": self._undisturbed(self.adapter.time_batch, alg, count)}

    def _undisturbed(self, measure: Callable[[Any, list[Any]], Any], alg: str, count: int) -> Any:
        call, corpus = self.bound[alg]
        items = self._items(corpus, count)
        gc.collect()
        gc.disable()
        taken = measure(call, items)
        gc.enable()
        return taken

    def _items(self, corpus: Corpus, count: int) -> list[Any]:
        if self.adapter is not primitive:
            return corpus.fresh(count)
        return tile([primitive.parts(corpus.alg, t.signing_input, t.signature) for t in corpus.signed], count)


def _flip(corpus: Corpus) -> primitive.Parts:
    token = corpus.signed[0]
    return primitive.parts(corpus.alg, token.signing_input, bytes([token.signature[0] ^ 1]) + token.signature[1:])


def main() -> None:
    """Serve requests."""
    bench = Bench(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "bind":
            answer = bench.bind(Corpus.from_json(request["corpus"]))
        else:
            measure = {"time": bench.time, "slices": bench.slices, "batch": bench.batch}[request["op"]]
            answer = measure(request["alg"], request["count"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

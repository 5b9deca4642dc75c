"""The floor of a look-up: `dict.get` with equal keys, which checks nothing.

A server's string is new each time, so it is hashed and compared in full each time.
"""

import platform
from collections.abc import Callable
from typing import Any

from tokens import Corpus

VERSION = platform.python_version()
claims = dict
REFUSES = False
_known: dict[str, dict[str, Any]] = {}


def prime(corpus: Corpus) -> None:
    """Fill the dict, which is what has been verified before."""
    _known.clear()
    _known.update((str(token.text, "ascii"), token.claims) for token in corpus.signed)


def bind(_alg: str, _key: bytes) -> Callable[[str], Any]:
    """Return the method itself."""
    return _known.get

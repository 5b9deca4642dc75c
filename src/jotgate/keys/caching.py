"""How long an answer says that it may be kept."""

from __future__ import annotations

import re
from collections.abc import Mapping

_DIRECTIVE = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]*))?')
_LONGEST_SECONDS = 1 << 31


def parse_cache_control(headers: Mapping[str, str]) -> int | None:
    """Return the seconds for which an answer may be used from now on without asking again.

    Args:
        headers: Names in lower case.

    Returns:
        ``max-age`` less ``Age``, never below 0; 0 for ``no-store``, ``no-cache`` and a ``max-age`` that is not a
        number; the least of several; None where nothing is said. ``s-maxage`` is for shared caches, and ``Expires`` is
        not looked at.

    Spec: RFC 9111 sections 1.2.2, 4.2.1, 4.2.3 and 5.2.2.
    """
    lifetime: int | None = None
    for match in _DIRECTIVE.finditer(headers.get("cache-control", "")):
        name, value = match[1].lower(), match[2]
        if name == "no-store" or (name == "no-cache" and value is None):
            return 0
        if name == "max-age":
            seconds = _seconds((value or "").strip('"'))
            lifetime = min(seconds or 0, lifetime if lifetime is not None else _LONGEST_SECONDS)
    if lifetime is None:
        return None
    return max(0, lifetime - (_seconds(headers.get("age", "").partition(",")[0].strip()) or 0))


def _seconds(text: str) -> int | None:
    return min(int(text[:12]), _LONGEST_SECONDS) if re.fullmatch("[0-9]+", text) else None

"""Verifying opens no file, no socket and no process, and compiles nothing, whatever the token says."""

import sys

from measure import code_of
from support import ISSUER, NOW, claims, clock_at, compact, header, policy, token, verification_key, verifier

from jotgate import Verifier

EVENTS = (
    "open",
    "socket.",
    "os.",
    "subprocess.",
    "exec",
    "compile",
    "import",
    "urllib.",
    "ctypes.",
    "pickle.",
    "shutil.",
    "sqlite3.",
)
watching = False
caught: list[str] = []


def watch(event: str, arguments: tuple[object, ...]) -> None:
    if watching and event.startswith(EVENTS):
        caught.append(f"{event} {arguments!r}")


sys.addaudithook(watch)
HOSTILE = [
    "/etc/passwd",
    "../../dev/null",
    "file:///etc/passwd",
    "http://127.0.0.1:9/x",
    "' OR 1=1",
    "$(id)",
    "__import__('os')",
]

with clock_at(NOW):
    ways_in = [verifier(), verifier(kid="k"), Verifier({ISSUER: (verification_key("HS256"), policy())})]
    texts = [token(), "", "x", compact(header("none"))]
    for value in HOSTILE:
        texts += [
            compact(header("HS256", **{name: value}))
            for name in ("kid", "jku", "x5u", "jwk", "x5c", "typ", "cty", "zip")
        ]
        texts.append(compact(header(value)))
        texts += [token(**{name: value}) for name in ("iss", "sub", "jti", "aud", "azp", "x")]
        texts.append(compact(header("HS256", kid=value, jku=value), claims(iss=value), key=value.encode() * 9))
    for way_in in ways_in:
        for text in texts:
            code_of(lambda text=text, way_in=way_in: way_in.verify(text))
    watching = True
    for way_in in ways_in:
        for text in texts:
            code_of(lambda text=text, way_in=way_in: way_in.verify(text))
    watching = False
assert not caught, caught

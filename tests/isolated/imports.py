"""`import jotgate` loads little, and the first verification loads nothing more than it needs."""

import contextlib
import sys

FORBIDDEN = (
    "http", "asyncio", "concurrent.futures", "dataclasses", "logging", "ssl", "sqlite3", "orjson", "redis",
    "socket", "urllib",
    "email", "inspect", "starlette", "fastapi", "django", "flask", "aiohttp", "httpx", "requests", "grpc",
    "pydantic", "msgspec",
    "multiprocessing", "subprocess", "unittest", "json", "tempfile", "decimal", "datetime",
)  # fmt: skip


def loaded() -> set[str]:
    return {name for name in FORBIDDEN if name in sys.modules}


before = loaded()
import jotgate  # noqa: E402

assert loaded() == before, f"`import jotgate` loads {loaded() - before}"
for name in (
    "Verifier",
    "Policy",
    "ANY",
    "VerifiedToken",
    "VerificationKey",
    "SigningKey",
    "KeySet",
    "errors",
    "jws",
    "unverified",
):
    getattr(jotgate, name)
assert loaded() == before, f"the public names load {loaded() - before}"

key = jotgate.VerificationKey.from_secret(bytes(range(64)), alg="HS256")
policy = jotgate.Policy(algorithms=["HS256"], issuer="i", audience="a")
verifier = jotgate.Verifier(key, policy)
with contextlib.suppress(jotgate.errors.MalformedTokenError):
    verifier.verify("a.b.c")
print("loaded by a verifier of a secret:", sorted(loaded() - before))
assert "dataclasses" not in loaded() - before
assert not loaded() & {"http", "asyncio", "concurrent.futures", "logging", "ssl", "sqlite3", "orjson", "redis"} - before

"""A key is compromised while 20,000 tokens are remembered: not one of them counts on the next call, anywhere."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from services.soak.hot import codes_of, counted
from services.wire import Server, answer
from support import AUDIENCE, ISSUER, policy

from jotgate import KeyRing, Verifier, jws

ROOT = Path(__file__).parents[2]
ALGORITHM = "EdDSA"
COUNT = 20_000
REMEMBERED = 0.99
"""A bucket of the cache may be full."""


def sign(ring: KeyRing, count: int) -> list[str]:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 600, "epoch": ring.epoch}
    key: Any = ring.signer()
    return [jws.sign(claims | {"jti": str(number)}, key) for number in range(count)]


def document(ring: KeyRing) -> bytes:
    return json.dumps(ring.jwks() | {"jotgate_epoch": ring.epoch}).encode()


class Holder:
    """The other process."""

    def __init__(self, url: str, tokens: Path) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), *sys.path]))
        command = [sys.executable, "-m", "tests.services.soak.holder", url, ALGORITHM, str(tokens)]
        self._process = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def does(self, what: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def end(self) -> None:
        try:
            self._process.communicate(timeout=10)
        finally:
            self._process.kill()


def test_a_compromise_refuses_every_remembered_token_on_the_next_call(tmp_path: Path) -> None:
    ring = KeyRing(
        tmp_path / "ring", create=True, algorithm=ALGORITHM, publish_ahead=0, cache_time=0, allow_short_times=True
    )
    retiring = sign(ring, COUNT // 2)
    ring.rotate()
    lost = str(ring.signer().kid)
    texts = [*retiring, *sign(ring, COUNT // 2)]
    published = document(ring)
    verifier = Verifier(ring, policy(ALGORITHM))
    assert counted(codes_of(verifier, texts)) == {"accepted": COUNT}
    hits = verifier.stats()["hits"]
    assert counted(codes_of(verifier, texts)) == {"accepted": COUNT}
    assert verifier.stats()["hits"] - hits > COUNT * REMEMBERED
    tokens = tmp_path / "tokens"
    tokens.write_text("\n".join(texts))

    with Server(lambda _: [answer(published)]) as server:
        other = Holder(server.url(), tokens)
        try:
            assert other.does("verify")["accepted"] == COUNT
            again = other.does("verify")
            assert again["accepted"] == COUNT
            assert again["hits"] > COUNT * REMEMBERED

            began = time.perf_counter()
            ring.compromise(lost)
            compromised = time.perf_counter()
            # the key of the first half is still published: its tokens are of an epoch that has ended
            here = codes_of(verifier, texts)
            ended = time.perf_counter()
            assert here[: COUNT // 2] == ["revoked"] * (COUNT // 2)
            assert here[COUNT // 2 :] == ["unknown_key"] * (COUNT // 2)
            assert verifier.verify_batch(texts).counts == {"revoked": COUNT // 2, "unknown_key": COUNT // 2}

            published = document(ring)
            refreshed = other.does("refresh")
            there = other.does("verify")
            assert there == counted(here) | {"hits": 0, "took": there["took"]}
        finally:
            other.end()
    print(
        f"compromise {(compromised - began) * 1e3:.1f} ms; {COUNT} remembered tokens refused in "
        f"{ended - compromised:.2f} s; elsewhere: refresh {refreshed['took'] * 1e3:.1f} ms, {there['took']:.2f} s"
    )
    (new,) = sign(ring, 1)
    assert verifier.verify(new).kid == ring.signer().kid

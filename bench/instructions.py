"""Instructions the engine takes for one verification, counted by callgrind.

Counts do not jitter, so a small regression shows that no clock on a shared machine could. Start-up cancels
out: the same child runs with few and with many calls, and only the difference counts. The prepared HMAC is
counted the same way and taken off, since it is the primitive's and not ours. A hit has no primitive: its count is what
the calling loop takes too.

usage: instructions.py                      counts, and prints
       instructions.py CALLS HMACS HITS     is what runs below callgrind
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CALLS = 2000
KEY = bytes(range(32))
# One fixed token, since length and shape decide the count; exp is the last second written with ten digits.
CLAIMS = (
    b'{"iss":"https://auth.example.com","sub":"23cf68463b8ac75c14cae28e","aud":"https://api.example.com",'
    b'"exp":9999999999,"nbf":1700000000,"iat":1700000000,"jti":"2c7004e23687b98339dd1b57db99e0bf",'
    b'"scope":"orders:read orders:write invoices:readxxxxxxxxxxxxxx"}'
)


class Counted(NamedTuple):
    """Instructions for one of each: cold verification, prepared HMAC, verification of a known token."""

    verify: int
    hmac: int
    hit: int


def child(calls: int, hmacs: int, hits: int) -> None:
    """Run `calls` verifications and `hmacs` bare HMACs over the same token, and `hits` of one of 700 characters."""
    import ours
    import ours_hit
    from cryptography.hazmat.primitives import hashes, hmac
    from tokens import LONGER_PAYLOAD_BYTES, PAYLOAD_BYTES, b64url

    assert len(CLAIMS) == PAYLOAD_BYTES
    longer = CLAIMS[:-2].ljust(LONGER_PAYLOAD_BYTES - 2, b"x") + CLAIMS[-2:]
    context = hmac.HMAC(KEY, hashes.SHA256())
    copy = context.copy

    def signing_input(claims: bytes) -> bytes:
        return b64url(b'{"alg":"HS256","typ":"JWT"}') + b"." + b64url(claims)

    def signed(data: bytes) -> str:
        mac = copy()
        mac.update(data)
        return (data + b"." + b64url(mac.finalize())).decode()

    data = signing_input(CLAIMS)
    text, known = signed(data), signed(signing_input(longer))
    assert len(known) == 700
    verify, recall = ours.verifier("HS256", KEY, cache=None, backend="cryptography").verify, ours_hit.bind("HS256", KEY)
    for call, token in ((verify, text), (recall, known)):
        assert call(token).subject == "23cf68463b8ac75c14cae28e"
    for _ in range(calls):
        verify(text)
    for _ in range(hmacs):
        mac = copy()
        mac.update(data)
        mac.finalize()
    for _ in range(hits):
        recall(known)


def count() -> Counted | str:
    """Return the counts, or the reason why nothing can be counted."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    few = [100, 100, 100]
    try:
        base = _total(*few)
        more = (_total(*few[:i], 100 + CALLS, *few[i + 1 :]) for i in range(len(few)))
        return Counted(*((total - base) // CALLS for total in more))
    except RuntimeError as failure:
        return str(failure)


def _total(*counts: int) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={Path(scratch, 'out')}"]
        command += [sys.executable, __file__, *map(str, counts)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "0"}, check=False
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"callgrind failed with exit code {done.returncode}")
    return int(found[1])


if __name__ == "__main__":
    if len(sys.argv) == 4:
        child(*map(int, sys.argv[1:]))
    else:
        result = count()
        if isinstance(result, str):
            sys.exit(result)
        engine = result.verify - result.hmac
        print(f"verify {result.verify}, prepared HMAC {result.hmac}, engine {engine}; hit {result.hit}")

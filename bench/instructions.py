"""Instructions the engine takes for one verification, counted by callgrind.

Counts do not jitter, so a small regression shows that no clock on a shared machine could. Start-up cancels
out: the same child runs with few and with many calls, and only the difference counts. The prepared HMAC is
counted the same way and taken off, since it is the primitive's and not ours.

usage: instructions.py            counts, and prints
       instructions.py CALLS HMACS   is what runs below callgrind
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CALLS = 2000
KEY = bytes(range(32))
# One fixed token, since length and shape decide the count; exp is the last second written with ten digits.
CLAIMS = (
    b'{"iss":"https://auth.example.com","sub":"23cf68463b8ac75c14cae28e","aud":"https://api.example.com",'
    b'"exp":9999999999,"nbf":1700000000,"iat":1700000000,"jti":"2c7004e23687b98339dd1b57db99e0bf",'
    b'"scope":"orders:read orders:write invoices:readxxxxxxxxxxxxxx"}'
)


def child(calls: int, hmacs: int) -> None:
    """Run `calls` verifications and `hmacs` bare HMACs over the same token."""
    import ours
    from cryptography.hazmat.primitives import hashes, hmac
    from tokens import PAYLOAD_BYTES, b64url

    assert len(CLAIMS) == PAYLOAD_BYTES
    data = b64url(b'{"alg":"HS256","typ":"JWT"}') + b"." + b64url(CLAIMS)
    context = hmac.HMAC(KEY, hashes.SHA256())
    mac = context.copy()
    mac.update(data)
    text = (data + b"." + b64url(mac.finalize())).decode()
    verify = ours.bind("HS256", KEY)
    assert verify(text).subject == "23cf68463b8ac75c14cae28e"
    copy = context.copy
    for _ in range(calls):
        verify(text)
    for _ in range(hmacs):
        mac = copy()
        mac.update(data)
        mac.finalize()


def count() -> tuple[int, int] | str:
    """Return instructions for (one verification, one prepared HMAC), or the reason why they cannot be
    counted."""
    if shutil.which("valgrind") is None:
        return "valgrind is not installed"
    try:
        base, more_calls, more_hmacs = (_total(*run) for run in ((100, 100), (100 + CALLS, 100), (100, 100 + CALLS)))
    except RuntimeError as failure:
        return str(failure)
    return (more_calls - base) // CALLS, (more_hmacs - base) // CALLS


def _total(calls: int, hmacs: int) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={Path(scratch, 'out')}"]
        command += [sys.executable, __file__, str(calls), str(hmacs)]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"PYTHONHASHSEED": "0"}, check=False
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"callgrind failed with exit code {done.returncode}")
    return int(found[1])


if __name__ == "__main__":
    if len(sys.argv) == 3:
        child(int(sys.argv[1]), int(sys.argv[2]))
    else:
        result = count()
        if isinstance(result, str):
            sys.exit(result)
        print(f"verify {result[0]}, prepared HMAC {result[1]}, engine {result[0] - result[1]}")

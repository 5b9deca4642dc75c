"""Where the pinned rivals live: one directory a requirements file and interpreter, below build/, made on
first use."""

import hashlib
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
REQUIREMENTS = {"main": BENCH / "requirements.txt", "pyjwt-2.13": BENCH / "requirements-pyjwt-2.13.txt"}


def directory(name: str = "main") -> Path:
    """Return the directory to put on `sys.path` for the rivals of one requirements file, installing it if
    need be.

    Nothing is installed into the running environment: `--target` keeps rivals out of it and `--no-deps` makes
    them use its `cryptography` and `orjson`, the same that Jotgate uses.
    """
    requirements = REQUIREMENTS[name]
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    target = ROOT / "build" / "bench" / f"{sys.implementation.cache_tag}-{name}-{digest}"
    done = target / ".complete"
    if not done.exists():
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--upgrade", "--target", target, "-r", requirements], check=True)
        done.touch()
    return target


if __name__ == "__main__":
    for each in REQUIREMENTS:
        print(directory(each))

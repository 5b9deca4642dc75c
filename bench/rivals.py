"""Where the pinned rivals live: one directory a requirements file and interpreter, below build/, made on
first use; and one for the rival on Node."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
BUILD = ROOT / "build" / "bench"
FAST_JWT = BENCH / "fast_jwt"
REQUIREMENTS = {"main": BENCH / "requirements.txt", "pyjwt-2.13": BENCH / "requirements-pyjwt-2.13.txt"}


def directory(name: str = "main", python: str | Path = sys.executable) -> Path:
    """Return the directory to put on `sys.path` of an interpreter for the rivals of one requirements file, installing
    it if need be.

    Nothing is installed into the running environment: `--target` keeps rivals out of it and `--no-deps` makes
    them use its `cryptography` and `orjson`, the same that Jotgate uses.
    """
    requirements = REQUIREMENTS[name]
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    show_tag = [python, "-c", "import sys; print(sys.implementation.cache_tag)"]
    tag = subprocess.run(show_tag, check=True, capture_output=True, text=True).stdout.strip()
    target = BUILD / f"{tag}-{name}-{digest}"
    done = target / ".complete"
    if not done.exists():
        pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--upgrade", "--target", target, "-r", requirements], check=True)
        done.touch()
    return target


def node_directory() -> Path | str:
    """Return the directory whose `node_modules` has fast-jwt, installing it if need be; or the reason why there is
    none."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    lock = FAST_JWT / "package-lock.json"
    target = BUILD / f"fast-jwt-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    done = target / ".complete"
    if not done.exists():
        target.mkdir(parents=True, exist_ok=True)
        for file in (FAST_JWT / "package.json", lock):
            shutil.copy(file, target)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        try:
            subprocess.run(command, cwd=target, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as failure:
            return f"npm could not install fast-jwt: {failure}"
        done.touch()
    return target


if __name__ == "__main__":
    for each in REQUIREMENTS:
        print(directory(each))

"""Jotgate against the others: cold verification of one fresh token, policy equal, every answer checked. Then HS256
tokens that were seen before, beside what the closest others take, who verify again or have a cache as well.

Each library sits in its own process. All of them take turns in every round, in an order that moves on by one
each time, while the rest wait: what the machine does meanwhile hits all alike.

usage: run.py [--python X.Y] [--rounds N] [--only NAME,NAME]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import rivals
from remote import Worker
from rivals import BENCH, ROOT
from tokens import ALGORITHMS, make_corpus

RESULTS = BENCH / "results"
ROUND_NS = 4_000_000
# name in the tables -> (adapter module, directory of rivals or None for what this interpreter has installed)
LIBRARIES: dict[str, tuple[str, str | None]] = {
    "cryptography": ("primitive", None),
    "Jotgate": ("ours", None),
    "Jotgate + claims": ("ours_claims", None),
    "ryjwt": ("others.ryjwt", "main"),
    "oxyjwt": ("others.oxyjwt", "main"),
    "PyJWT 2.13": ("others.pyjwt", "pyjwt-2.13"),
    "PyJWT 2.15": ("others.pyjwt", "main"),
    "joserfc": ("others.joserfc", "main"),
    "Authlib": ("others.authlib", "main"),
    "python-jose": ("others.python_jose", "main"),
}
# What remembers tokens, and beside it the fastest of those that verify again, and the one that most programs use.
REMEMBERING: dict[str, tuple[str, str | None]] = {
    "dict.get": ("dict_get", None),
    "Jotgate": ("ours_hit", None),
    "Jotgate + claims": ("ours_hit_claims", None),
}
VERIFYING_AGAIN = ("ryjwt", "oxyjwt", "PyJWT 2.13")
KNOWN_TOKENS = 500


def compare_known(cold: dict[str, Worker], rounds: int) -> dict[str, dict[str, Any]]:
    """Bind, check and time on tokens seen before: checking the answers has shown each of them once."""
    started = {name: Worker.python(*spec) for name, spec in REMEMBERING.items()}
    directory = rivals.node_directory()
    if isinstance(directory, str):
        print(f"\nwithout fast-jwt: {directory}")
    else:
        started["fast-jwt, cached"] = Worker.fast_jwt(directory, "cached")
        started["fast-jwt"] = Worker.fast_jwt(directory, "uncached")
    again = {name: cold[name] for name in VERIFYING_AGAIN if name in cold}
    rows = compare(started | again, "HS256", rounds, KNOWN_TOKENS)
    for worker in started.values():
        worker.close()
    return rows


def compare(workers: dict[str, Worker], alg: str, rounds: int, tokens: int = 64) -> dict[str, dict[str, Any]]:
    """Bind, check and time all libraries on one algorithm's tokens."""
    corpus = make_corpus(alg, tokens)
    rows: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    for name, worker in workers.items():
        answer = worker.bind(corpus)
        if not answer["supported"]:
            continue
        rows[name] = {"version": answer["version"], "faults": answer["faults"], "rounds": []}
        smallest = len(corpus.signed)
        estimate = min(worker.ask(op="time", alg=alg, count=smallest)["ns"] for _ in range(3))
        counts[name] = max(smallest, min(32 * smallest, int(ROUND_NS / estimate) // smallest * smallest))
    order = list(rows)
    for turn in range(rounds):
        shift = turn % len(order)
        for name in order[shift:] + order[:shift]:
            rows[name]["rounds"].append(workers[name].ask(op="time", alg=alg, count=counts[name])["ns"])
    for row in rows.values():
        taken = row.pop("rounds")
        row["best_us"] = round(min(taken) / 1000, 3)
        row["median_us"] = round(median(taken) / 1000, 3)
    return rows


def show(alg: str, rows: dict[str, dict[str, Any]]) -> None:
    """Print one algorithm's rows; x is the multiple of *Jotgate + claims*."""
    ours = rows.get("Jotgate + claims", next(iter(rows.values())))
    print(f"\n{alg:<18}{'best us':>10}{'median us':>11}{'x best':>9}{'x median':>10}")
    for name, row in rows.items():
        best, middle = row["best_us"], row["median_us"]
        marks = f"   WRONG ANSWERS: {', '.join(row['faults'])}" if row["faults"] else ""
        ratios = f"{best / ours['best_us']:>9.2f}{middle / ours['median_us']:>10.2f}"
        print(f"{name:<18}{best:>10.2f}{middle:>11.2f}{ratios}{marks}")


def machine() -> dict[str, str]:
    """Say what the numbers were taken on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    return {
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def under(version: str, arguments: list[str]) -> int:
    """Run this script again under another Python, in an environment of its own."""
    python = environment(version)
    if python is None:
        print(f"no Python {version} on this machine: its comparison is skipped")
        return 0
    return subprocess.run([python, BENCH / "run.py", *arguments], check=False).returncode


def environment(version: str) -> Path | None:
    """Return the interpreter of a virtual environment with Jotgate built for that Python; None where there is no such
    Python.

    It gets the versions of `cryptography` and `orjson` that this interpreter has, whatever is newest.
    """
    found = find_python(version)
    if found is None:
        return None
    home = ROOT / f".venv-bench-{version}"
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([found, "-m", "venv", home], check=True)
    pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, *(f"{name}=={metadata.version(name)}" for name in ("cryptography", "orjson"))], check=True)
    # Always built anew: the tree changes without a new version number.
    subprocess.run([*pip, "--force-reinstall", "--no-deps", ROOT], check=True)
    return python


def find_python(version: str) -> str | None:
    """Find an interpreter by version: a name on PATH that really starts, or one of pyenv's."""
    candidates = [f"python{version}"]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += sorted((str(path) for path in pyenv.glob(f"{version}.*/bin/python")), reverse=True)
    for candidate in candidates:
        try:
            subprocess.run([candidate, "-c", ""], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


def main() -> int:
    """Run the comparison and write its results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", metavar="X.Y", help="run under this Python, in its own .venv-bench-X.Y")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--only", help="comma-separated library names; writes no results")
    options = parser.parse_args()
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if options.python and options.python != running:
        return under(options.python, ["--rounds", str(options.rounds)])

    chosen = LIBRARIES
    if options.only:
        chosen = {name: LIBRARIES[name] for name in options.only.split(",")}
    if sys.version_info < (3, 12):
        chosen = {name: spec for name, spec in chosen.items() if name != "ryjwt"}
    workers = {name: Worker.python(*spec) for name, spec in chosen.items()}
    rows = {}
    for alg in ALGORITHMS:
        rows[alg] = compare(workers, alg, options.rounds)
        show(alg, rows[alg])
    known = {} if options.only else compare_known(workers, options.rounds)
    if known:
        show("HS256, seen before", known)
    for worker in workers.values():
        worker.close()
    if not options.only:
        RESULTS.mkdir(exist_ok=True)
        document = {"machine": machine(), "rounds": options.rounds, "rows": rows, "known": known}
        (RESULTS / f"others-{running}.json").write_text(json.dumps(document, indent=1) + "\n")
    tables = [*rows.values(), known]
    wrong = [name for table in tables for name, row in table.items() if "Jotgate" in name and row["faults"]]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

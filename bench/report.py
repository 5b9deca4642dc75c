"""Write the README's bench section and its plots from the files in bench/results/. Nothing else writes them.

usage: report.py [--record FILE]
  --record FILE   first append one line to bench/results/ours.jsonl, from a pytest-benchmark JSON file of the
  suite here
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rivals import BENCH, ROOT

from jotgate.cli.bench.plot import bars

RESULTS = BENCH / "results"
PLOTS = BENCH / "plots"
HISTORY = RESULTS / "ours.jsonl"
README = ROOT / "README.md"
MARKERS = re.compile(r"(<!-- bench:start -->\n).*(<!-- bench:end -->)", re.DOTALL)
INTRODUCTION = """\
One cold verification of one fresh token on one thread: 8 claims in a 254-byte payload, key object built once,
issuer, audience and expiry checked, claims returned. Each library ran in its own process, all taking turns in
every round; each row's claims were compared, and its reject twins (tampered, wrong audience, wrong issuer,
expired) had to be refused. Times are those of the fastest round: the machine is shared, and noise only adds.
The other libraries return a dict, so the multiples are of the row in which we have built our claims and read
one as well. Compare within one table: the tables are runs of their own."""
KNOWN_INTRODUCTION = """\
A token seen before, HS256: 500 tokens in turn, each time in a new string, whose hash nobody knows yet. A hit of
ours compares every byte and checks time, keys and revocation again; `dict.get` checks nothing. Libraries without
a cache verify again; fast-jwt (on Node) is shown both ways."""
OURS, YARDSTICK, FLOOR, LOOK_UP = "Jotgate", "Jotgate + claims", "cryptography", "dict.get"


def load() -> list[dict[str, Any]]:
    """Return the comparisons, oldest Python first."""
    files = sorted(RESULTS.glob("others-*.json"), key=lambda path: int(path.stem.rpartition(".")[2]))
    if not files:
        sys.exit("no results yet: run bench/run.py first")
    return [json.loads(path.read_text()) for path in files]


def libraries(document: dict[str, Any]) -> dict[str, str]:
    """Return library -> version, in table order."""
    return {name: row["version"] for rows in document["rows"].values() for name, row in rows.items()}


def table(document: dict[str, Any]) -> str:
    """Return one comparison as a Markdown table, and what stands under it."""
    rows = document["rows"]
    lines = [
        "| us, and multiple of *verify and read* | " + " | ".join(rows) + " |",
        "|---|" + "---:|" * len(rows),
    ]
    faults = []
    for name, version in libraries(document).items():
        cells = []
        for alg, found in rows.items():
            row = found.get(name)
            if row is None:
                cells.append("-")
                continue
            taken = row["best_us"]
            mark = "&dagger;" if row["faults"] else ""
            faults += [f"{name} {alg}: {fault}" for fault in row["faults"]]
            ratio = taken / found[YARDSTICK]["best_us"]
            cells.append(f"{figure(taken)} ({ratio:.2f}x){mark}" if name != YARDSTICK else f"**{figure(taken)}**{mark}")
        lines.append(f"| {label(name, version)} | " + " | ".join(cells) + " |")
    return "\n".join(lines + footnote(faults))


def footnote(faults: list[str]) -> list[str]:
    """Return the line under a table that says which rows gave a wrong answer, if any did."""
    return [f"\n&dagger; gave a wrong answer: {'; '.join(faults)}."] if faults else []


def label(name: str, version: str) -> str:
    """Return the first cell of a row."""
    if name == FLOOR:
        return f"floor: bare `cryptography` {version}, signature alone"
    if name == YARDSTICK:
        return "**Jotgate, verify and read `claims`**"
    if name == OURS:
        return f"**Jotgate {version}, verify**"
    return f"{name.partition(' ')[0]} {version}"


def known_table(document: dict[str, Any]) -> str:
    """Return the comparison on tokens seen before as a Markdown table."""
    rows = document["known"]
    unit = rows[OURS]["best_us"]
    lines = ["| seen before | us | multiple of *hit* |", "|---|---:|---:|"]
    for name, row in rows.items():
        title = known_label(name, row["version"])
        bold = "**" if name == OURS else ""
        mark = "&dagger;" if row["faults"] else ""
        taken = f"{row['best_us']:.3f}" if row["best_us"] < 1 else figure(row["best_us"])
        lines.append(f"| {title} | {bold}{taken}{bold}{mark} | {row['best_us'] / unit:.2f}x |")
    faults = [f"{name}: {fault}" for name, row in rows.items() for fault in row["faults"]]
    return "\n".join(lines + footnote(faults))


def known_label(name: str, version: str) -> str:
    """Return the first cell of a row of the table on tokens seen before."""
    if name == LOOK_UP:
        return f"floor: `dict.get` of CPython {version}"
    if name == YARDSTICK:
        return "**Jotgate, hit, and read `claims`**"
    if name == OURS:
        return f"**Jotgate {version}, hit**"
    library, _, cached = name.partition(", ")
    return f"{library.partition(' ')[0]} {version}{', hit in its cache' if cached else ''}"


def figure(value: float) -> str:
    """Round to what the measurement can carry."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def section(documents: list[dict[str, Any]]) -> str:
    """Return everything between the README's markers."""
    newest = documents[-1]
    machine = newest["machine"]
    parts = [INTRODUCTION, ""]
    for document in documents:
        version = document["machine"]["python"]
        plot = PLOTS / f"others-{version.rpartition('.')[0]}.svg"
        run = f"{document['machine']['date']}, fastest of {document['rounds']} rounds"
        parts += [f"**CPython {version}** ({run})", "", table(document), ""]
        plot.write_text(drawing(document))
        if document is newest:
            relative = plot.relative_to(ROOT).as_posix()
            parts += [f"![Time for one verification, by library and algorithm]({relative})", ""]
    if newest.get("known"):
        plot = PLOTS / f"known-{newest['machine']['python'].rpartition('.')[0]}.svg"
        plot.write_text(known_drawing(newest))
        relative = plot.relative_to(ROOT).as_posix()
        parts += [KNOWN_INTRODUCTION, "", f"**CPython {newest['machine']['python']}**", "", known_table(newest), ""]
        parts += [f"![Time for a token seen before, by library]({relative})", ""]
    parts.append(f"On {machine['cpu']}, {machine['system']}. `make bench` repeats it; the limits: `bench/gates.py`.")
    return "\n".join(parts) + "\n"


def drawing(document: dict[str, Any]) -> str:
    """Return one comparison as an SVG plot."""
    panels = {}
    for alg, found in document["rows"].items():
        panels[alg] = [(name, found[name]["best_us"] if name in found else None) for name in libraries(document)]
    machine = document["machine"]
    title = f"Cold verification of one token, microseconds (log scale) - CPython {machine['python']}"
    return bars(title, f"{machine['cpu']}, {machine['date']}", panels, {OURS, YARDSTICK}, {FLOOR})


def known_drawing(document: dict[str, Any]) -> str:
    """Return the comparison on tokens seen before as an SVG plot."""
    machine = document["machine"]
    panel = [(name, row["best_us"]) for name, row in document["known"].items()]
    title = f"One HS256 token seen before, microseconds (log scale) - CPython {machine['python']}"
    subtitle = f"{machine['cpu']}, {machine['date']}"
    return bars(title, subtitle, {"verify": panel}, {OURS, YARDSTICK}, {LOOK_UP})


def record(source: Path) -> None:
    """Append one run of our own suite to its history: the fastest round, in microseconds a call."""
    raw = json.loads(source.read_text())
    rows = {
        test["name"].removeprefix("test_"): round(test["stats"]["min"] / test["extra_info"].get("calls", 1) * 1e6, 3)
        for test in raw["benchmarks"]
    }
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    line = {
        "date": raw["datetime"][:10],
        "commit": commit.stdout.strip() or None,
        "python": raw["machine_info"]["python_version"],
        "cpu": raw["machine_info"]["cpu"].get("brand_raw"),
        "us": rows,
    }
    with HISTORY.open("a") as history:
        history.write(json.dumps(line) + "\n")


def main() -> None:
    """Write plots and README section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.record:
        record(options.record)
    PLOTS.mkdir(exist_ok=True)
    text = section(load())
    readme = README.read_text() if README.exists() else ""
    if MARKERS.search(readme) is None:
        sys.exit("README.md has no <!-- bench:start --> and <!-- bench:end --> markers")
    README.write_text(MARKERS.sub(lambda found: found[1] + text + found[2], readme))


if __name__ == "__main__":
    main()

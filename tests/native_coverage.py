"""Line coverage of ext/ from gcov's data: python tests/native_coverage.py BUILD_DIR LEAST_PERCENT

gcov counts lines of the generated C. Cython writes, before each statement, a comment with the source line it comes
from; so each counted C line belongs to the source line named last before it in its function.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ORIGIN = re.compile(r'\s*/\* "(?:.*/)?([^/"]+\.p(?:yx|xd))":(\d+)$')

Line = tuple[str, int]


def origins(generated: Path) -> dict[int, Line]:
    """Return the source line of each line of a generated C file; boilerplate has none."""
    found: dict[int, Line] = {}
    current: Line | None = None
    for number, text in enumerate(generated.read_text("utf-8").splitlines(), 1):
        named = ORIGIN.match(text)
        if named:
            current = (named[1], int(named[2]))
        elif text == "}":
            current = None
        if current is not None:
            found[number] = current
    return found


def reports(build: Path) -> Iterator[tuple[Path, list[dict[str, int]]]]:
    """Yield each file that gcov knows, with its lines."""
    for data in sorted(build.rglob("*.gcda")):
        relative = data.relative_to(build)
        done = subprocess.run(
            ["gcov", "--json-format", "--stdout", relative], cwd=build, capture_output=True, text=True, check=True
        )
        for report in filter(None, done.stdout.splitlines()):
            for source in json.loads(report)["files"]:
                yield build / source["file"], source["lines"]


def line_counts(build: Path) -> dict[str, dict[int, int]]:
    """Return how often each line of each native source ran."""
    counts: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for path, lines in reports(build):
        if path.suffix == ".h" and path.parent.name == "jotgate":
            for line in lines:
                counts[path.name][line["line_number"]] += line["count"]
        elif path.suffix == ".c" and path.parent.name == "jotgate":
            origin = origins(path)
            for line in lines:
                if line["line_number"] in origin:
                    name, number = origin[line["line_number"]]
                    counts[name][number] += line["count"]
    return counts


def main(build: str, least: str) -> int:
    counts = line_counts(Path(build))
    total = ran = 0
    for name, lines in sorted(counts.items()):
        missing = [str(number) for number, count in sorted(lines.items()) if not count]
        total += len(lines)
        ran += len(lines) - len(missing)
        percent = 100 * (len(lines) - len(missing)) / len(lines)
        print(f"{name:22} {len(lines):5} lines  {percent:6.1f} %  {' '.join(missing)}")
    percent = 100 * ran / total if total else 0
    print(f"{'ext/':22} {total:5} lines  {percent:6.1f} %")
    return 0 if percent >= float(least) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

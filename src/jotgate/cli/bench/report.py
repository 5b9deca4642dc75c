"""What a run has shown: tables and a few plain sentences for people, one JSON object for programs."""

from __future__ import annotations

import platform
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jotgate.cli.bench import ours
from jotgate.cli.bench.plot import Bars, bars
from jotgate.cli.bench.summary import summary, three_figures, us
from jotgate.cli.terminal import printable
from jotgate.workers import usable_cores

if TYPE_CHECKING:
    from jotgate.cli.bench.measure import Figure, Findings, Section
    from jotgate.cli.terminal import Screen

_COLUMNS = 100
_SMALL = 0.1
_LABELS = {
    ours.VERIFY: "Jotgate: verify",
    ours.READ: "Jotgate: verify, read claims",
    ours.HIT: "Jotgate: verify",
    ours.HIT_READ: "Jotgate: verify, read claims",
    ours.DICT: "a dict.get of the same strings",
}
_TERMS = (
    "us a token: the fastest round, and the median round. x: how many times as long as Jotgate's verify and read "
    "claims of a new token. New tokens and batches go past the cache; known tokens were put into it. All rows of an "
    "algorithm took turns, on strings made just before each round; issuer, audience and expiry are checked, by every "
    "library; answers were checked before. Compare rows of one algorithm in one run, nothing else. Not measured: "
    "network, frameworks, fetching keys, threads that contend for the GIL."
)


def write(screen: Screen, findings: Findings) -> None:
    """Write the tables, what the numbers mean, and what was found."""
    for name, value in _facts(findings):
        lines = textwrap.wrap(value, _COLUMNS - 11)
        for number, line in enumerate(lines):
            screen.line(f"{screen.style((name if number == 0 else '').ljust(10), 'bold')} {line}")
    for section in findings.sections:
        screen.line()
        signed = f"tokens of {section.token_bytes:,} bytes, signatures checked by {section.backend}"
        screen.line(f"{screen.style(section.algorithm, 'bold')}: {signed}, {section.rounds:,} rounds")
        _write_section(screen, section)
    screen.line()
    _paragraph(screen, _TERMS, "dim")
    screen.line()
    for wrong in findings.wrong:
        told = f"wrong answers: {wrong.library}, {wrong.algorithm}: {', '.join(wrong.faults)}; not timed"
        _paragraph(screen, told, "red")
    for sentence in summary(findings):
        _paragraph(screen, sentence, "green")


def as_json(findings: Findings) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {
        "ok": not findings.wrong,
        "seconds": round(findings.seconds, 2),
        "machine": {
            "cpu": _cpu(),
            "usable_cores": usable_cores(),
            "system": platform.system(),
            "architecture": platform.machine(),
        },
        "versions": _versions() | {peer.name: peer.version for peer in findings.peers},
        "libcrypto": findings.libcrypto,
        "terms": _TERMS,
        "rows": [_row(section, figure) for section in findings.sections for figure in section.figures],
        "wrong": [wrong._asdict() for wrong in findings.wrong],
        "unsupported": {each.algorithm: each.unsupported for each in findings.sections if each.unsupported},
        "unavailable": findings.unavailable,
        "failed": findings.failed,
        "summary": summary(findings),
    }


def plot(findings: Findings) -> str | None:
    """Draw the times for one new token, one panel an algorithm; None if there are none."""
    panels: dict[str, Bars] = {}
    for section in findings.sections:
        panel: list[tuple[str, float | None]] = [
            (label, figure.best)
            for label, figure in (("Jotgate", section.ours(ours.VERIFY)), ("Jotgate + claims", section.ours(ours.READ)))
            if figure is not None
        ]
        panel += [(f"{each.library} {each.version}", each.best) for each in section.peers]
        panel += [(name, None) for name in section.unsupported]
        if any(value is not None for _, value in panel):
            panels[section.algorithm] = panel
    if not panels:
        return None
    python = f"{platform.python_implementation()} {platform.python_version()}"
    subtitle = f"{_cpu()}, {python}; us a token, fastest round"
    return bars("Verifying one new token", subtitle, panels, {"Jotgate", "Jotgate + claims"}, set())


def _facts(findings: Findings) -> list[tuple[str, str]]:
    versions = _versions()
    library = findings.libcrypto
    found = f"{library['version']}, {library['path']}" if library else f"not used ({findings.reason or 'not found'})"
    peers = ", ".join(f"{peer.name} {peer.version}" for peer in findings.peers)
    facts = [
        ("machine", f"{_cpu()}, {usable_cores()} usable cores, {platform.system()} {platform.machine()}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("libcrypto", printable(found)),
        ("beside", peers or "no other JWT library (none was found here, or --no-peers was given)"),
        ("time", f"{findings.seconds:.1f} s"),
    ]
    if findings.unavailable:
        named = f"{', '.join(findings.unavailable)} (an older cryptography or OpenSSL)"
        facts.append(("not here", named))
    if findings.failed:
        facts.append(("broken off", f"{', '.join(findings.failed)}: the process ended"))
    return facts


def _write_section(screen: Screen, section: Section) -> None:
    known = [(what, section.ours(what)) for what in (ours.HIT, ours.HIT_READ, ours.DICT)]
    blocks: list[tuple[str, list[tuple[str, Figure | None]]]] = [
        (
            "new token",
            [
                *((_LABELS[what], section.ours(what)) for what in (ours.VERIFY, ours.READ)),
                *((f"{each.library} {each.version}", each) for each in section.peers),
            ],
        ),
        ("known token", [(_hit_label(row, what), row) for what, row in known]),
        ("batch", [(f"Jotgate: {_threads(count)}", each) for count, each in section.batches]),
    ]
    rows: list[tuple[str, ...]] = [("", "", "us", "median", "x", "tokens/s")]
    for block, lines in blocks:
        first = block
        for label, figure in lines:
            if figure is not None:
                rows.append((first, label, *_cells(section, figure)))
                first = ""
    for line in screen.table(rows, numbers=4):
        screen.line(f"  {line}")
    if section.unsupported:
        _paragraph(screen, f"  without {section.algorithm}: {', '.join(section.unsupported)}")


def _hit_label(figure: Figure | None, what: str) -> str:
    """Say, too, how many look-ups were hits, where not all of them were."""
    if figure is None or figure.hits is None or figure.hits == 1:
        return _LABELS[what]
    return f"{_LABELS[what]} ({figure.hits:.1%} hits)"


def _cells(section: Section, figure: Figure) -> tuple[str, str, str, str]:
    ratio = _ratio(section, figure)
    return (
        us(figure.best),
        us(figure.median),
        "" if ratio is None else f"{ratio:.2f}" if ratio >= _SMALL else f"{ratio:.2g}",
        three_figures(1e6 / figure.best),
    )


def _row(section: Section, figure: Figure) -> dict[str, Any]:
    ratio = _ratio(section, figure)
    what, _, threads = figure.what.partition(" ")
    return {
        "algorithm": section.algorithm,
        "backend": section.backend,
        "token_bytes": section.token_bytes,
        "library": figure.library if what != ours.DICT else "dict.get",
        "version": figure.version if what != ours.DICT else None,
        "what": what,
        "threads": int(threads or 1),
        "rounds": section.rounds,
        "best_us": round(figure.best, 4),
        "median_us": round(figure.median, 4),
        "hits": figure.hits,
        "ratio": None if ratio is None else round(ratio, 4),
    }


def _ratio(section: Section, figure: Figure) -> float | None:
    base = section.ours(ours.READ)
    return figure.best / base.best if base is not None else None


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _paragraph(screen: Screen, text: str, style: str = "") -> None:
    for line in textwrap.wrap(text, _COLUMNS, subsequent_indent="  ", break_on_hyphens=False):
        screen.line(screen.style(line, style) if style else line)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    python = platform.python_version()
    return {"Jotgate": version("jotgate"), platform.python_implementation(): python} | {
        name: version(name) for name in ("cryptography", "orjson")
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return printable(line.partition(":")[2].strip())
    return platform.processor() or platform.machine()

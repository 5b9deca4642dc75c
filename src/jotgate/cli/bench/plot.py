"""A horizontal bar chart on a logarithmic scale, as plain SVG: one panel an algorithm, one bar a library."""

from collections.abc import Mapping, Sequence, Set
from html import escape
from math import ceil, floor, log10

WIDTH, LABELS, VALUES = 860, 150, 64
BAR, GAP, PANEL_GAP, TOP, BOTTOM = 16, 4, 34, 62, 26
OURS, FLOOR, OTHERS = "#c2410c", "#9ca3af", "#3b82a6"
STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}"
    "text{font-size:12px;fill:#1f2937}"
    ".title{font-size:15px;font-weight:600}.small{font-size:11px;fill:#6b7280}.panel{font-weight:600}"
    ".grid{stroke:#e5e7eb;stroke-width:1}"
)
Bars = Sequence[tuple[str, float | None]]


def bars(title: str, subtitle: str, panels: Mapping[str, Bars], ours: Set[str], floors: Set[str]) -> str:
    """Draw `panels`: name -> (label, value), where a value of None is drawn as "not supported"."""
    values = [value for rows in panels.values() for _, value in rows if value is not None]
    ticks = _ticks(min(values), max(values))
    # Bars of a log chart have no natural zero: they start at the tick below the smallest value.
    scale = (WIDTH - LABELS - VALUES) / log10(ticks[-1] / ticks[0])
    height = TOP + BOTTOM + sum(PANEL_GAP + len(rows) * (BAR + GAP) for rows in panels.values())
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(16, 26, title, "title"),
        _text(16, 45, f"{subtitle}; shorter is better", "small"),
    ]
    for tick in ticks:
        x = LABELS + log10(tick / ticks[0]) * scale
        out.append(f'<path class="grid" d="M{x:.1f} {TOP}V{height - BOTTOM}"/>')
        out.append(_text(x, height - 9, f"{tick:g}", "small", "middle"))
    y = TOP
    for name, rows in panels.items():
        y += PANEL_GAP - 10
        out.append(_text(16, y, name, "panel"))
        y += 10
        for label, value in rows:
            base = y + BAR - 4
            out.append(_text(LABELS - 8, base, label, "", "end"))
            if value is None:
                out.append(_text(LABELS + 6, base, "not supported", "small"))
            else:
                colour = OURS if label in ours else FLOOR if label in floors else OTHERS
                width = max(1.0, log10(value / ticks[0]) * scale)
                shape = f'<rect x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2" fill="{colour}"/>'
                out += [shape, _text(LABELS + width + 6, base, f"{value:.3g}")]
            y += BAR + GAP
    return "\n".join([*out, "</svg>"]) + "\n"


def _ticks(smallest: float, largest: float) -> list[float]:
    """Return 1, 2, 5, 10, 20 and so on: from the last below `smallest` to the first above `largest`."""
    powers = range(floor(log10(smallest)), ceil(log10(largest)) + 1)
    steps = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    first = max(i for i, step in enumerate(steps) if step < smallest or i == 0)
    last = min(i for i, step in enumerate(steps) if step > largest or i == len(steps) - 1)
    return steps[first : last + 1]


def _text(x: float, y: float, content: str, css: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{css}" text-anchor="{anchor}">{escape(content)}</text>'

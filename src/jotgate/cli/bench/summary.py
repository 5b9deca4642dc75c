"""What a run has found, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jotgate.cli.bench import ours

if TYPE_CHECKING:
    from jotgate.cli.bench.measure import Figure, Findings, Section

_NOISY, _FEW_ROUNDS = 1.15, 10
_MOST_NAMED = 4


def summary(findings: Findings) -> list[str]:
    """Say in plain words what was found."""
    sections = [each for each in findings.sections if each.ours(ours.READ) is not None]
    if not sections:
        return ["Jotgate answered wrongly, so nothing is known about its speed."]
    sentences = [
        sentence
        for sentence in (_noise(sections), _new(sections), _against_peers(sections), _batch(sections))
        if sentence
    ]
    return [*sentences, _known(sections)]


def _noise(sections: list[Section]) -> str:
    told = []
    worst = max(_of(each, ours.READ).median / _of(each, ours.READ).best for each in sections)
    if worst >= _NOISY:
        told.append(f"The machine was busy: median rounds took up to {worst:.1f} times as long as the fastest.")
    if any(each.rounds < _FEW_ROUNDS for each in sections):
        told.append("The time allowed few rounds: give it more --seconds before you rely on a number.")
    return " ".join(told)


def _new(sections: list[Section]) -> str:
    costs = [(best := _of(each, ours.READ).best, f"{us(best)} us ({each.algorithm})") for each in sections]
    return f"A new token, verified and its claims read, costs {_span(costs)}."


def _against_peers(sections: list[Section]) -> str:
    told = []
    for section in sections:
        if section.peers:
            ratio = section.peers[0].best / _of(section, ours.READ).best
            told.append((ratio, f"{ratio:.2f} times ({section.algorithm}, {section.peers[0].library})"))
    return f"Of the other libraries here the fastest takes {_span(told)} as long as that." if told else ""


def _batch(sections: list[Section]) -> str:
    told = []
    threads = 1
    for section in sections:
        (_, one), *_, (threads, most) = [*section.batches, *section.batches]
        told.append((one.best / most.best, f"{one.best / most.best:.2f} times ({section.algorithm})"))
    return f"A batch on {threads} threads goes at {_span(told)} the rate of one thread." if threads > 1 else ""


def _known(sections: list[Section]) -> str:
    """Compare hits, of the algorithm for which they gain least."""
    section = min(sections, key=lambda each: _of(each, ours.READ).best / _of(each, ours.HIT_READ).best)
    hit = _of(section, ours.HIT_READ)
    known = "" if hit.hits in (None, 1.0) else f" ({hit.hits:.1%} of look-ups were hits)"
    lookup = hit.best / _of(section, ours.DICT).best
    told = (
        f"A known token costs {us(hit.best)} us, its claims read{known}: {lookup:.2f} times a dict.get of the same "
        f"text, {three_figures(_of(section, ours.READ).best / hit.best)}x less than a new token"
    )
    if section.peers:
        fastest = section.peers[0]
        gain = three_figures(fastest.best / hit.best)
        told += f" and {gain}x less than {fastest.library}, the fastest other one here"
    others = "; the other algorithms gain more" if len(sections) > 1 else ""
    return f"{told} ({section.algorithm}{others})."


def _span(told: list[tuple[float, str]]) -> str:
    """List what was found for each algorithm, or where there are many the least and the most."""
    if len(told) > _MOST_NAMED:
        return f"from {min(told)[1]} to {max(told)[1]}"
    return ", ".join(text for _, text in told)


def _of(section: Section, what: str) -> Figure:
    """Return a row of Jotgate's in a section that has them all."""
    figure = section.ours(what)
    assert figure is not None
    return figure


def us(value: float) -> str:
    """Write microseconds with as many digits as mean something."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def three_figures(value: float) -> str:
    """Keep three figures: more are not known."""
    return f"{value:.1f}" if value < 100 else f"{int(float(f'{value:.3g}')):,}"

"""The run itself: issue, publish, verify, compare."""

from __future__ import annotations

from collections import Counter
from random import Random
from timeit import default_timer
from typing import TYPE_CHECKING, Any, NamedTuple

from jotgate import KeySet, Policy, Verifier, _clock
from jotgate.cli.demo.hostile import hostile
from jotgate.cli.demo.population import (
    ACCEPTED,
    ALGORITHMS_SHOWN,
    AUDIENCE,
    HONEST,
    ISSUER,
    SECRET_ALGORITHM,
    honest,
    make_keys,
)
from jotgate.cli.demo.publisher import published
from jotgate.cli.demo.rotation import Life, live
from jotgate.errors import JotgateError
from jotgate.keys.fetch import fetch

if TYPE_CHECKING:
    from jotgate import SigningKey
    from jotgate.cli.demo.population import Trial
    from jotgate.cli.terminal import Screen

# Honest tokens that stand among the hostile ones; the others are timed by themselves, algorithm by algorithm.
_MIXED_SHARE = 0.25
_FETCH_SECONDS = 10


class Throughput(NamedTuple):
    """How fast the honest tokens of one algorithm were verified."""

    alg: str
    tokens: int
    seconds: float

    @property
    def us_per_token(self) -> float:
        """Microseconds a token."""
        return self.seconds / self.tokens * 1e6

    @property
    def per_second(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds


class Judged(NamedTuple):
    """A trial and the verdict it got."""

    trial: Trial
    got: str

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the one it must be."""
        return self.got == self.trial.expected


class Outcome(NamedTuple):
    """All that a run has shown."""

    judged: list[Judged]
    throughput: list[Throughput]
    unavailable: list[str]
    life: Life

    @property
    def mismatches(self) -> list[Judged]:
        """The trials with an unexpected verdict."""
        return [one for one in self.judged if not one.as_expected]

    @property
    def ok(self) -> bool:
        """Whether every verdict was the expected one, those on tokens whose keys were in motion too."""
        return not self.mismatches and self.life.ok

    def codes(self) -> list[tuple[str, int, int]]:
        """Return (code, times expected, times got), acceptance first."""
        expected = Counter(one.trial.expected for one in self.judged)
        got = Counter(one.got for one in self.judged)
        names = sorted(expected.keys() | got.keys(), key=lambda code: (code != ACCEPTED, code))
        return [(code, expected[code], got[code]) for code in names]

    def kinds(self) -> list[tuple[str, str, int, Counter[str]]]:
        """Return (kind, expected code, tokens, verdicts) of each hostile kind."""
        kinds: dict[str, tuple[str, Counter[str]]] = {}
        for trial, got in self.judged:
            if trial.kind != HONEST:
                kinds.setdefault(trial.kind, (trial.expected, Counter()))[1][got] += 1
        return [(kind, expected, verdicts.total(), verdicts) for kind, (expected, verdicts) in kinds.items()]

    def as_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "ok": self.ok,
            "honest_tokens": sum(one.trial.kind == HONEST for one in self.judged),
            "hostile_tokens": sum(one.trial.kind != HONEST for one in self.judged),
            "mismatches": len(self.mismatches),
            "verdicts": [{"code": code, "expected": want, "got": got} for code, want, got in self.codes()],
            "hostile": [
                {"kind": kind, "expected": expected, "tokens": count, "got": dict(verdicts)}
                for kind, expected, count, verdicts in self.kinds()
            ],
            "throughput_terms": "cold, one thread, signature included",
            "versions": versions(),
            "throughput": [
                {
                    "alg": row.alg,
                    "tokens": row.tokens,
                    "us_per_token": round(row.us_per_token, 2),
                    "tokens_per_second": round(row.per_second),
                }
                for row in self.throughput
            ],
            "unavailable": self.unavailable,
            "keys_in_motion": self.life.as_json(),
        }


def versions() -> str:
    """Name what the throughput depends on besides the machine."""
    import platform

    import cryptography

    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{python}, cryptography {cryptography.__version__}"


def hold(tokens: int, seed: int, *, progress: Screen | None) -> Outcome:
    """Run the demonstration.

    Args:
        tokens: Honest tokens to issue.
        seed: What the tokens are drawn from (keys are random in every run).
        progress: Where to say what is being done; None for silence.
    """
    random = Random(seed)  # noqa: S311 - reproducible test data, no secrets
    now = int(_clock.now())

    def say(step: str, text: str) -> None:
        if progress is not None:
            progress.line(f"{progress.style(step.ljust(10), 'bold')} {text}")
            progress.flush()

    started = default_timer()
    keys = make_keys()
    say("keys", f"{', '.join(keys)}: made in {_seconds(started)}")

    verifiers, published_as = _verifiers(keys)
    say("published", published_as)

    started = default_timer()
    population = honest(keys, tokens, now, random)
    sizes = sorted(len(trial.text) for trial in population)
    say(
        "issued",
        f"{tokens:,} honest tokens, {sizes[0]:,} to {sizes[-1]:,} bytes (median {sizes[len(sizes) // 2]:,}), "
        f"in {_seconds(started)}",
    )

    started = default_timer()
    forgeries = hostile(keys, now, random)
    kinds = len({trial.kind for trial in forgeries})
    say("forged", f"{len(forgeries):,} hostile tokens of {kinds} kinds, in {_seconds(started)}")

    random.shuffle(population)
    mixed_count = int(len(population) * _MIXED_SHARE)
    mixed = [*forgeries, *population[:mixed_count]]
    order = list(range(len(mixed)))
    random.shuffle(order)
    verdicts = {index: _verdict(verifiers[mixed[index].lane], mixed[index]) for index in order}
    judged = [Judged(trial, verdicts[index]) for index, trial in enumerate(mixed)]
    throughput = []
    for lane in keys:
        trials = [trial for trial in population[mixed_count:] if trial.lane == lane]
        if trials:
            row, verdicts_of_lane = _timed(verifiers[lane], lane, trials)
            throughput.append(row)
            judged += verdicts_of_lane
    return Outcome(judged, throughput, [name for name in ALGORITHMS_SHOWN if name not in keys], live(say))


def _verifiers(keys: dict[str, SigningKey]) -> tuple[dict[str, Verifier], str]:
    """Build one verifier for the shared secret and one for all public keys, which it gets over HTTP."""
    public = {name: key for name, key in keys.items() if name != SECRET_ALGORITHM}
    with published(list(public.values())) as url:
        started = default_timer()
        fetched = fetch(url, {}, _FETCH_SECONDS, allow_http=True).body
        seconds = default_timer() - started
    remote = Verifier(KeySet.from_jwks(fetched), _policy(list(public)))
    lanes = dict.fromkeys(public, remote)
    lanes[SECRET_ALGORITHM] = Verifier(keys[SECRET_ALGORITHM].public(), _policy([SECRET_ALGORITHM]))
    size = f"{len(fetched):,} bytes"
    return lanes, f"{len(public)} public keys at {url} ({size}), fetched back in {seconds * 1e3:.1f} ms"


def _policy(algorithms: list[str]) -> Policy:
    return Policy(algorithms=algorithms, issuer=ISSUER, audience=AUDIENCE)


def _verdict(verifier: Verifier, trial: Trial) -> str:
    """Verify one token; an accepted one must also say what its issuer wrote."""
    try:
        token = verifier.verify(trial.text)
    except Exception as error:
        return _code(error)
    return _checked(token, trial)


def _code(error: Exception) -> str:
    """Name a refusal by its code; whatever else leaves verify() is a wrong verdict."""
    return error.code if isinstance(error, JotgateError) else f"raised {type(error).__name__}"


def _checked(token: Any, trial: Trial) -> str:
    same = trial.claims is None or token.to_dict() == trial.claims
    return ACCEPTED if same else "accepted with other claims"


def _timed(verifier: Verifier, lane: str, trials: list[Trial]) -> tuple[Throughput, list[Judged]]:
    """Verify tokens never seen before, one after another, and compare the answers afterwards."""
    answers: list[Any] = []
    verify, answer = verifier.verify, answers.append
    started = default_timer()
    for trial in trials:
        try:
            answer(verify(trial.text))
        except Exception as error:
            answer(error)
    seconds = default_timer() - started
    judged = [
        Judged(trial, _code(one) if isinstance(one, Exception) else _checked(one, trial))
        for trial, one in zip(trials, answers, strict=True)
    ]
    return Throughput(lane, len(trials), seconds), judged


def _seconds(started: float) -> str:
    return f"{default_timer() - started:.2f} s"

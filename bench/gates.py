"""The speed and size limits that a change must not break. Prints a table; exits with 1 if a limit is
exceeded.

A limit is never a number of seconds. Where one was set in microseconds it is expressed in units of a prepared
`cryptography` HMAC over the same token, timed in the same sweep, by what that HMAC takes on the machines that
this project is developed on. Microseconds are printed for the reader and decide nothing.

usage: gates.py [--ci] [--json FILE]
  --ci   a million hostile tokens instead of ten
"""

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cache_gates
import instructions
import lane_gates
import ours
import ours_claims
import ours_hit
import primitive
import rivals
import table_gates
from judging import (
    ATTEMPTS,
    COUNT,
    MEBIBYTE,
    Gate,
    check_answers,
    microseconds,
    prepared_hmac,
    resident_bytes,
    settle,
)
from timing import Row, bare_raise, refuse_each
from tokens import hostile, make_corpus

from jotgate.errors import JotgateError

# What the engine takes today on top of the HMAC, and a tenth more. Lower it when the engine gets faster.
ENGINE_INSTRUCTIONS = 7_100
HIT_INSTRUCTIONS = 980


def reference(alg: str, key: bytes) -> Callable[[str], Any]:
    """Return `verify` without a cache and with `cryptography` for the signature: what is left over is the engine."""
    return ours.verifier(alg, key, cache=None, backend="cryptography").verify


def engine_and_rival() -> list[Gate]:
    """Cold HS256: what the engine adds to the HMAC, and the whole against the closest rival that 3.11 can
    run."""
    corpus = make_corpus("HS256")
    sys.path.append(str(rivals.directory()))
    from others import oxyjwt

    fresh = partial(corpus.fresh, COUNT)
    calls = {
        "verify": (reference("HS256", corpus.key), ours.claims),
        "read": (ours_claims.bind("HS256", corpus.key), ours_claims.claims),
        "oxyjwt": (oxyjwt.bind("HS256", corpus.key), oxyjwt.claims),
    }
    for call, claims in calls.values():
        check_answers(call, claims, corpus)
    rows = {name: Row(call, fresh) for name, (call, _) in calls.items()} | {"hmac": prepared_hmac(corpus)}

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}
        engine = best["verify"] - best["hmac"]
        against = f"against {best['oxyjwt']:.2f} us"
        return [
            Gate(
                "engine without the primitive (cold HS256 - HMAC)",
                engine / best["hmac"],
                microseconds(1.5),
                "HMAC",
                f"{best['verify']:.2f} - {best['hmac']:.2f} = {engine:.2f} us",
            ),
            Gate(
                "cold HS256 / oxyjwt",
                best["verify"] / best["oxyjwt"],
                0.4,
                "x",
                f"{best['verify']:.2f} us {against}",
            ),
            Gate(
                "  and claims read",
                best["read"] / best["oxyjwt"],
                None,
                "x",
                f"{best['read']:.2f} us {against}",
            ),
        ]

    return settle(rows, judge)


def over_the_primitive(alg: str) -> list[Gate]:
    """Cold verification with a public key: what we add to the bare `cryptography` call."""
    corpus = make_corpus(alg)
    unit = make_corpus("HS256", 8)
    verify = reference(alg, corpus.key)
    check_answers(verify, ours.claims, corpus)
    bare = primitive.bind(alg, corpus.key)
    parts = [primitive.parts(alg, token.signing_input, token.signature) for token in corpus.signed]
    for item in parts:
        bare(item)
    count = len(parts)
    rows = {
        "verify": Row(verify, partial(corpus.fresh, count)),
        "bare": Row(bare, lambda: parts),
        "hmac": prepared_hmac(unit, count),
    }

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}
        extra = best["verify"] - best["bare"]
        detail = f"{best['verify']:.2f} - {best['bare']:.2f} = {extra:.2f} us"
        return [Gate(f"cold {alg} - bare primitive", extra / best["hmac"], microseconds(2), "HMAC", detail)]

    return settle(rows, judge)


def refusals() -> list[Gate]:
    """Refusing junk, against raising and catching a bare exception; and a megabyte of token."""
    corpus = make_corpus("HS256")
    verify = ours_hit.bind("HS256", corpus.key)
    good = corpus.signed[0].text.decode()
    junk = {
        "no dots": lambda i: f"{i:08x}" + good.replace(".", "A"),
        "a bad character": lambda i: f"{good[:-9]}{i:08x}*",
        "one dot": lambda i: f"{i:08x}.{good[:200].replace('.', 'A')}",
        "empty": lambda i: "",
    }

    def refuse(_text: str) -> None:
        raise Exception

    def fresh(make: Callable[[int], str]) -> list[str]:
        return [make(i) for i in range(COUNT)]

    rows = {name: Row(verify, partial(fresh, make), refuse_each) for name, make in junk.items()}
    for name, row in rows.items():
        for text in row.fresh()[:2]:
            must_refuse(verify, text, name)
    megabyte = "A" * (MEBIBYTE - 1)
    must_refuse(verify, megabyte, "1 MiB")
    rows["called"] = Row(refuse, partial(fresh, junk["no dots"]), refuse_each)
    rows["inline"] = Row(refuse, partial(fresh, junk["no dots"]), bare_raise)
    rows["1 MiB"] = Row(verify, lambda: ["." * (i % 2) + megabyte for i in range(16)], refuse_each)
    # Where the policy admits such a token, it is read to its last character, which is the wrong one.
    header, _, signature = good.split(".")
    last = f"{header}.{megabyte}.{signature[:-1]}*"
    roomy = ours.verifier("HS256", corpus.key, max_token_bytes=2 * MEBIBYTE).verify
    must_refuse(roomy, last, "1 MiB, admitted")
    rows["1 MiB, admitted"] = Row(roomy, lambda: [last] * 8, refuse_each)
    rows["hmac"] = prepared_hmac(corpus)

    def judge() -> list[Gate]:
        best = {name: row.best for name, row in rows.items()}
        gates = []
        for name in junk:
            detail = f"{best[name]:.3f} us; x {best[name] / best['inline']:.2f} of a raise without a call"
            gates.append(Gate(f"refusing junk: {name} / raise", best[name] / best["called"], 1.3, "x", detail))
        for name in ("1 MiB", "1 MiB, admitted"):
            measured = best[name] / best["hmac"]
            gates.append(Gate(f"refusing {name}", measured, microseconds(100), "HMAC", f"{best[name]:.2f} us"))
        return gates

    return settle(rows, judge)


def must_refuse(verify: Callable[[str], Any], text: str, name: str) -> None:
    """Check that what a refusal row times is a refusal."""
    try:
        verify(text)
    except JotgateError:
        return
    raise SystemExit(f"accepted junk: {name}")


def memory_under_attack(count: int) -> list[Gate]:
    """Growth of the resident set while hostile tokens, no two alike, are refused."""
    if not Path("/proc/self/statm").exists():
        print("no /proc here: the memory gate is skipped")
        return []
    corpus = make_corpus("HS256", 2)
    verify = ours_hit.bind("HS256", corpus.key)
    verify(corpus.fresh(1)[0])

    def flood(start: int, stop: int) -> int:
        refused = 0
        for text in hostile(corpus, start, stop - start):
            try:
                verify(text)
            except JotgateError:
                refused += 1
        return refused

    warm = 20_000
    flood(0, warm)
    gc.collect()
    before = resident_bytes()
    start = time.perf_counter()
    if flood(warm, warm + count) != count:
        raise SystemExit("a hostile token was accepted")
    took = time.perf_counter() - start
    grown = max(0, resident_bytes() - before) / MEBIBYTE
    detail = f"{took / count * 1e6:.2f} us each, made and refused"
    return [Gate(f"growth under {count:,} hostile tokens", grown, 32, "MiB", detail)]


def import_time(turns: int = 25) -> list[Gate]:
    """Importing Jotgate against importing cryptography's RSA and EC modules, each net of interpreter start.

    `import jotgate` alone loads next to nothing, so what a verifying program must import is held to the same
    limit.
    """
    statements = {
        "start": "pass",
        "import jotgate": "import jotgate",
        "  and Verifier, Policy, KeySet": "from jotgate import KeySet, Policy, Verifier",
        "theirs": "from cryptography.hazmat.primitives.asymmetric import ec, rsa",
    }
    commands = {name: [sys.executable, "-I", "-c", code] for name, code in statements.items()}
    best = dict.fromkeys(statements, float("inf"))

    def judge() -> list[Gate]:
        net = {name: taken - best["start"] for name, taken in best.items()}
        return [
            Gate(
                f"{name} / cryptography rsa, ec",
                net[name] / net["theirs"],
                limit,
                "x",
                f"{net[name] * 1e3:.1f} ms against {net['theirs'] * 1e3:.1f} ms",
            )
            for name, limit in (("import jotgate", 1.5), ("  and Verifier, Policy, KeySet", None))
        ]

    for _ in range(ATTEMPTS):
        for _ in range(turns):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, check=True)
                best[name] = min(best[name], time.perf_counter() - began)
        gates = judge()
        if all(gate.passed for gate in gates):
            break
    return gates


def engine_instructions() -> list[Gate]:
    """The engine's instructions for one verification, without the HMAC's; and all of them for a known token."""
    counted = instructions.count()
    if isinstance(counted, str):
        print(f"instructions are not counted: {counted}")
        return []
    detail = f"{counted.verify} - {counted.hmac}"
    engine = counted.verify - counted.hmac
    return [
        Gate("engine instructions a verification", engine, ENGINE_INSTRUCTIONS, "", detail),
        Gate("instructions a hit", counted.hit, HIT_INSTRUCTIONS, "", "the loop's own included"),
    ]


def main() -> int:
    """Measure all gates and print the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ci", action="store_true", help="a million hostile tokens instead of ten")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON too")
    options = parser.parse_args()
    tokens = 1_000_000 if options.ci else 10_000_000
    gates: list[Gate] = []
    print(f"{'gate':<54}{'measured':>10}{'limit':>9}        ")
    for measure in (
        engine_and_rival,
        *(partial(over_the_primitive, alg) for alg in ("RS256", "ES256", "EdDSA")),
        refusals,
        *cache_gates.ALL,
        *lane_gates.ALL,
        *table_gates.ALL,
        partial(memory_under_attack, tokens),
        import_time,
        engine_instructions,
    ):
        for gate in measure():
            gates.append(gate)
            verdict = "-" if gate.limit is None or gate.measured is None else "ok" if gate.passed else "OVER"
            limit = "" if gate.limit is None else f"{gate.limit:.2f}"
            measured = "not here" if gate.measured is None else f"{gate.measured:.2f}"
            print(
                f"{gate.name:<54}{measured:>10}{limit:>9} {gate.unit:<5}{verdict:<5} {gate.detail}",
                flush=True,
            )
    if options.json:
        rows = [gate._asdict() | {"passed": gate.passed} for gate in gates]
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    over = [gate.name.strip() for gate in gates if not gate.passed]
    print(f"{len(gates) - len(over)} passed, {len(over)} failed" + (f": {'; '.join(over)}" if over else ""))
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())

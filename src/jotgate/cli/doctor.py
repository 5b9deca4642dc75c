"""``jotgate doctor``: examine the address that an issuer publishes its keys at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jotgate.cli import EXIT_OK, EXIT_REFUSED, EXIT_UNDECIDED
from jotgate.cli.keysource import add_algorithms, add_options, algorithms_from, failures_as_json, tls_from
from jotgate.cli.terminal import Screen, printable
from jotgate.cli.wording import for_the_command_line

if TYPE_CHECKING:
    import argparse

    from jotgate.audit.endpoints import Examination, Visit

_DESCRIPTION = """\
Fetch a JWK set, or ask an issuer for it (discovery), and say how a verifier fares with it: answer, caching,
TLS, clock, every key, and what to do where something is wrong.

A few GET requests are sent and no token; no redirect is followed and no proxy used, as by a verifier."""

_EPILOG = """\
exit codes
  0  fine, or with warnings    1  found to be wrong    2  usage    3  nobody answered, or not in time

examples
  jotgate doctor https://auth.example.com
  jotgate doctor https://auth.example.com/.well-known/jwks.json --alg ES256,RS256
  jotgate doctor --json https://auth.example.com | jq .findings"""

_EXITS = {"fine": EXIT_OK, "broken": EXIT_REFUSED, "unreachable": EXIT_UNDECIDED}
_STYLES = {"fine": "green", "broken": "red", "unreachable": "yellow"}
_NO_KEYS = "a verifier that starts now is not ready, and answers key_fetch_failed (503)"
# What an error means for tokens, the worst first; None stands for any other.
_MEANINGS: tuple[tuple[frozenset[str] | None, str], ...] = (
    (frozenset({"private_key_published", "secret_published"}), "unsafe: whoever reads this set can forge tokens"),
    (
        frozenset({"no_usable_key", "not_a_key_set", "too_many_keys", "too_large", "epoch"}),
        f"no keys that can be used: {_NO_KEYS}",
    ),
    (frozenset({"status", "redirect", "discovery", "not_usable", "untrusted_certificate"}), f"no keys: {_NO_KEYS}"),
    (frozenset({"clock"}), "clocks differ: tokens are refused that are good"),
    (None, "in part: tokens may be refused that are good"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate doctor``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("address", metavar="URL|ISSUER", help="where a JWK set is, or an issuer as its tokens name it")
    add_algorithms(parser)
    parser.add_argument("--json", action="store_true", help="write one JSON object")
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Examine one address."""
    from jotgate.audit.endpoints import examine

    with failures_as_json(arguments.json):
        examination = examine(
            arguments.address,
            algorithms=algorithms_from(arguments),
            timeout=arguments.timeout,
            tls=tls_from(arguments),
            allow_http=arguments.allow_http,
        )
    screen = Screen()
    if arguments.json:
        screen.json_line(_as_json(examination))
    else:
        _show(screen, examination)
    return _EXITS[examination.verdict]


def _as_json(examination: Examination) -> dict[str, Any]:
    from jotgate.cli.keyreport import finding_as_json, key_as_json

    keys = examination.keys
    return {
        "ok": examination.verdict == "fine",
        "verdict": examination.verdict,
        "message": _meaning(examination),
        "issuer": examination.issuer,
        "jwks_url": examination.jwks_url,
        "requests": [_visit_as_json(visit) for visit in examination.visits],
        "lifetime_seconds": examination.lifetime,
        "refresh_after_seconds": examination.refresh_after,
        "revalidates": examination.revalidates,
        "epoch": None if keys is None else keys.epoch,
        "keys": None if keys is None else [key_as_json(key) for key in keys.keys],
        "findings": [finding_as_json(finding) for finding in examination.findings],
    }


def _visit_as_json(visit: Visit) -> dict[str, Any]:
    return {
        "url": visit.url,
        "role": visit.role,
        "status": visit.status,
        "failure": for_the_command_line(visit.failure) or None,
        "milliseconds": round(visit.seconds * 1e3),
        "size_bytes": None if visit.answer is None else len(visit.answer.body),
        "content_type": visit.header("content-type"),
        "cache_control": visit.header("cache-control"),
        "age": visit.header("age"),
        "etag": visit.header("etag"),
        "tls": None if visit.tls is None else visit.tls._asdict(),
        "clock_difference_seconds": None if visit.clock is None else round(visit.clock, 1),
    }


def _show(screen: Screen, examination: Examination) -> None:
    from jotgate.cli.keyreport import count, epoch, show_findings, show_keys, tally

    for visit in examination.visits:
        _row(screen, visit.role, f"{printable(visit.url)}  {_answered(visit)}")
    seen = next((visit for visit in examination.visits if visit.role == "jwks"), examination.visits[-1])
    if seen.tls is not None:
        _row(screen, "TLS", _certificate(seen))
    if seen.clock is not None:
        _row(screen, "clock", f"{seen.clock:+,.0f} s against this machine's" if seen.clock else "as here")
    if examination.lifetime is not None:
        _row(screen, "caching", _caching(examination))
    if examination.keys is not None:
        if (told := epoch(examination.keys)) is not None:
            _row(screen, "epoch", told)
        _row(screen, "keys", count(examination.keys))
        screen.line()
        show_keys(screen, examination.keys)
    if examination.findings:
        screen.line()
        show_findings(screen, examination.findings)
    screen.line()
    verdict = screen.style(_meaning(examination), _STYLES[examination.verdict])
    screen.line(f"{verdict}; found: {tally(examination.findings)}")


def _meaning(examination: Examination) -> str:
    """Say in one line what was found out about tokens."""
    if examination.verdict == "fine":
        return "fine: tokens can be verified by these keys"
    if examination.verdict == "unreachable":
        late = any(visit.trouble == "timeout" for visit in examination.visits)
        return f"{'no answer in time' if late else 'could not be reached'}: nothing is known about the keys"
    errors = {finding.code for finding in examination.findings if finding.severity == "error"}
    return next(told for codes, told in _MEANINGS if codes is None or codes & errors)


def _row(screen: Screen, name: str, text: str) -> None:
    screen.line(f"{screen.style(name.ljust(9), 'dim')}  {text}")


def _answered(visit: Visit) -> str:
    from jotgate.cli.keyreport import cut

    milliseconds = f"{visit.seconds * 1e3:,.0f} ms"
    if visit.answer is None:
        return f"no answer, {milliseconds}"
    told = [str(visit.status), milliseconds]
    if visit.answer.body:
        told += [f"{len(visit.answer.body):,} bytes", cut(visit.header("content-type") or "no Content-Type")]
    return ", ".join(told)


def _certificate(visit: Visit) -> str:
    from jotgate._clock import now
    from jotgate.cli.moments import from_now, utc

    assert visit.tls is not None
    ends = visit.tls.expires_at
    return f"{visit.tls.version}, the certificate ends {from_now(ends, now())}, {utc(ends)}"


def _caching(examination: Examination) -> str:
    told = f"kept for {examination.lifetime} s, fetched anew in the background after {examination.refresh_after} s"
    if examination.revalidates is None:
        return f"{told}; no ETag"
    return f"{told}; ETag {'answered by 304' if examination.revalidates else 'not honoured'}"

"""Verdicts in words: what was decided, why, what to do, and whether the signature was valid.

Of a token's own values only its times, and the names of its key and algorithm, are shown; issuers and
audiences come from the configuration, with whether the token's match. ``inspect`` shows the rest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jotgate.cli.lenient import read
from jotgate.cli.moments import from_now, how_long, in_milliseconds, is_number, utc
from jotgate.cli.terminal import printable
from jotgate.cli.verdicts import INVALID, UNKNOWN, VALID
from jotgate.policy import ANY, AnyValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jotgate.cli.terminal import Screen
    from jotgate.cli.verdicts import Judge, Verdict
    from jotgate.policy import Policy

_SIGNATURE_STYLES = {VALID: "green", INVALID: "red", UNKNOWN: "yellow"}
_MOST_KEYS_SHOWN = 12
# Beyond this a difference between two clocks is no longer the likely reason.
_PLAUSIBLE_SKEW_SECONDS = 600
_HINTS = {
    "too_large": "a token of this size is unusual; --max-token-bytes raises the limit",
    "unsupported_critical_header": "the issuer uses an extension that must be understood; Jotgate knows none",
    "algorithm_not_allowed": "if the issuer really signs so, allow it with --alg and give the key for it",
    "unknown_key": "the issuer may have rotated its keys: fetch its JWKS again",
    "wrong_audience": "the token is for another service: ask the issuer for one for this audience",
    "wrong_subject": "the token is about somebody else than --subject",
    "wrong_authorized_party": "the token was issued to another client than --authorized-party",
    "wrong_type": "the issuer writes this claim in a form that RFC 7519 does not allow; see jotgate inspect",
    "too_old": "get a new token, or raise --max-age",
    "lifetime_too_long": "have the issuer make shorter-lived tokens, or raise --max-lifetime",
}


def hints(judge: Judge, verdict: Verdict) -> list[str]:
    """Say what may be behind a refusal and what to do about it, with no text of the token."""
    from jotgate._clock import now as wall_clock

    if verdict.ok:
        return []
    hint = _hint(judge.policy, verdict, wall_clock())
    return [*_faults_of_form(verdict), *([hint] if hint else [])]


def one_line(verdict: Verdict, *, claims: bool) -> str:
    """Write a verdict on one line, for pipes and files."""
    if verdict.ok:
        line = f"accepted: {verdict.alg}" + (f" kid={_quoted(verdict.kid)}" if verdict.kid else "")
        return f"{line} {_json(verdict.claims)}" if claims else line
    head = "undecided" if verdict.undecided else "refused"
    about = f" ({printable(verdict.claim)})" if verdict.claim else ""
    return f"{head}: {verdict.code}{about}, signature {verdict.signature}: {verdict.message}"


def write(screen: Screen, judge: Judge, verdict: Verdict, *, place: str, claims: bool) -> None:
    """Write a verdict in the long form, for people.

    Args:
        screen: Where to write.
        judge: Who gave the verdict; its policy and the names of its keys are shown.
        verdict: What to write.
        place: Where the token came from, in words, or an empty string.
        claims: Whether to show the claims of an accepted token.
    """
    from jotgate._clock import now as wall_clock

    now = wall_clock()
    where = f"  ({place})" if place else ""
    if verdict.ok:
        screen.line(screen.style("accepted", "green") + where)
        rows = _accepted_rows(screen, judge, verdict, now)
    else:
        head = "undecided" if verdict.undecided else "refused"
        about = f": {printable(verdict.claim)}" if verdict.claim else ""
        screen.line(f"{screen.style(head, 'red')}: {verdict.message}  [{verdict.code}{about}]{where}")
        rows = _refused_rows(screen, judge, verdict, now)
    for name, text in rows:
        screen.line(f"  {name.ljust(9)} {text}")
    if claims and verdict.ok:
        for line in json.dumps(verdict.claims, ensure_ascii=False, indent=2).splitlines():
            screen.line(f"  {printable(line)}")


def _accepted_rows(screen: Screen, judge: Judge, verdict: Verdict, now: float) -> Iterator[tuple[str, str]]:
    yield "key", _key(screen, verdict)
    yield from _times(verdict, ("exp",), judge.policy, now)
    yield from _expectations(judge.policy, verdict)


def _refused_rows(screen: Screen, judge: Judge, verdict: Verdict, now: float) -> Iterator[tuple[str, str]]:
    code = verdict.code or ""
    yield "key", _key(screen, verdict)
    for fault in _faults_of_form(verdict):
        yield "why", fault
    if code == "algorithm_not_allowed":
        yield "allowed", ", ".join(judge.policy.algorithms)
    if code == "unknown_key":
        yield from _known_keys(judge, verdict)
    if verdict.claim == "typ" and judge.policy.typ is not None:
        yield "typ", f"expected {_listed(judge.policy.typ)}"
    if verdict.signature == VALID:
        yield from _times(verdict, _times_about(verdict), judge.policy, now)
        yield from _expectations(judge.policy, verdict)
    hint = _hint(judge.policy, verdict, now)
    if hint:
        yield "hint", hint


def _key(screen: Screen, verdict: Verdict) -> str:
    names = [f"kid={_quoted(verdict.kid)}" if verdict.kid is not None else "no kid"]
    if verdict.alg is not None:
        names.append(printable(verdict.alg))
    if verdict.kid is None and verdict.alg is None:
        names = ["unknown"]
    signature = screen.style(verdict.signature, _SIGNATURE_STYLES[verdict.signature])
    text = f"{'  '.join(names)}   signature: {signature}"
    return text + (", so nothing else in it means anything" if verdict.signature == INVALID else "")


def _times_about(verdict: Verdict) -> tuple[str, ...]:
    """Name the times that explain a refusal: the claim it is about, and in any case the end."""
    if verdict.code == "lifetime_too_long":
        return ("iat", "exp")
    return (verdict.claim, "exp") if verdict.claim in ("nbf", "iat") else ("exp",)


def _times(verdict: Verdict, names: tuple[str, ...], policy: Policy, now: float) -> Iterator[tuple[str, str]]:
    for name in names:
        value = (verdict.claims or {}).get(name)
        if is_number(value):
            leeway = f"; leeway {how_long(policy.leeway)}" if policy.leeway else ""
            yield name, f"{utc(value)}   ({from_now(value, now)}{leeway})"


def _expectations(policy: Policy, verdict: Verdict) -> Iterator[tuple[str, str]]:
    """Name the configured issuer and audience, and say whether the token's match."""
    claims = verdict.claims or {}
    for name, claim, expected in (("issuer", "iss", policy.issuer), ("audience", "aud", policy.audience)):
        if isinstance(expected, AnyValue):
            continue
        wanted = {expected} if isinstance(expected, str) else set(expected)
        found = claims.get(claim)
        held = set(filter(lambda entry: isinstance(entry, str), found if isinstance(found, list) else [found]))
        if held & wanted:
            remark = "matched"
        elif found is None:
            remark = "the token names none"
        elif {_loose(entry) for entry in held} & {_loose(entry) for entry in wanted}:
            remark = "the token's differs only in case or in a trailing slash"
        else:
            remark = "the token's is another"
        yield name, f"{_listed(expected)} ({remark})"


def _listed(names: str | tuple[str, ...]) -> str:
    return ", ".join(printable(name) for name in ((names,) if isinstance(names, str) else names))


def _loose(name: str) -> str:
    return name.strip().rstrip("/").casefold()


def _known_keys(judge: Judge, verdict: Verdict) -> Iterator[tuple[str, str]]:
    keys = list(judge.keys)
    shown = [f"{_quoted(key.kid) if key.kid is not None else '(no kid)'} {key.alg}" for key in keys[:_MOST_KEYS_SHOWN]]
    more = len(keys) - len(shown)
    yield "we have", ", ".join(shown) + (f" and {more} more" if more else "")
    if any(key.kid == verdict.kid for key in keys) and verdict.kid is not None:
        yield "", "this kid is among them, with another algorithm"
    elif verdict.kid is None:
        yield "", "the token names no kid, so exactly one key of its algorithm would be needed"
    for kid, reason in judge.keys.skipped[:_MOST_KEYS_SHOWN]:
        yield "skipped", f"{_quoted(kid) if kid is not None else '(no kid)'}: {printable(reason)}"


def _faults_of_form(verdict: Verdict) -> list[str]:
    """Say where the text is broken, as far as a lenient reader can tell."""
    if verdict.code not in ("malformed", "algorithm_not_allowed"):
        return []
    text = verdict.text
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return [f"{finding.where}: {finding.message}" for finding in read(text).findings]


def _hint(policy: Policy, verdict: Verdict, now: float) -> str:
    code, claims = verdict.code or "", verdict.claims or {}
    if code in ("expired", "not_yet_valid", "invalid_claim") and verdict.claim in ("exp", "nbf", "iat"):
        moment = claims.get(verdict.claim)
        if in_milliseconds(moment, now):
            return f"{verdict.claim} seems to be in milliseconds; the times of a token are seconds since 1970"
        near = is_number(moment) and abs(moment - now) <= _PLAUSIBLE_SKEW_SECONDS
        return "compare the clocks of this host and the issuer; --leeway allows for a difference" if near else ""
    if verdict.claim == "typ":
        return "another kind of token, e.g. an ID token where an access token belongs; or drop --typ"
    if code == "bad_signature":
        text = "the token was changed or cut off, or another key signed it: compare the issuer's keys of today"
        if (verdict.alg or "").startswith("HS"):
            text += "; of a secret, compare every byte (base64 form, line break at the end)"
        return text
    if code == "wrong_issuer":
        return "issuers are compared exactly, slash for slash; jotgate inspect shows the token's"
    if code == "missing_claim":
        droppable = verdict.claim == "exp" or (
            (verdict.claim == "iss" and policy.issuer is ANY) or (verdict.claim == "aud" and policy.audience is ANY)
        )
        also = f", or allow its absence with --optional {verdict.claim}" if droppable else ""
        return f"the issuer has to put it into its tokens{also}"
    return _HINTS.get(code, "")


def _quoted(text: str | None) -> str:
    return printable(json.dumps(text, ensure_ascii=False))


def _json(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

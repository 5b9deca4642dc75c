"""Where keys are published, looked at as a verifier looks at it: discovery, answer, caching, TLS, clock, keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .._clock import monotonic_ns_now, now
from ..errors import InvalidKeyError, KeyFetchError, PolicyError
from ..keys.algorithms import resolve_algorithms
from ..keys.caching import parse_cache_control
from ..keys.discovery import metadata_urls, parse_object, read_metadata
from ..keys.fetch import Fetched, check_url, fetch
from ..keys.freshness import REFRESH_AT
from .findings import ERROR, NOTE, WARNING, Finding, Severity, gravest_first, has_errors
from .keylint import lint
from .keysets import SetView, view

if TYPE_CHECKING:
    import ssl

Verdict = Literal["fine", "broken", "unreachable"]
Trouble = Literal["", "unreachable", "timeout", "untrusted_certificate", "not_usable"]
"""Why there is no answer: no connection, none in time, a certificate that is not trusted, or one that is not HTTP."""
Role = Literal["discovery", "jwks"]

# What a RemoteKeySet does unless told otherwise; a test holds them to it.
DEFAULT_LIFETIME_SECONDS = 300
MIN_LIFETIME_SECONDS, MAX_LIFETIME_SECONDS = 60, 3600
TIMEOUT_SECONDS = 3.0

_OK, _NOT_MODIFIED, _NOT_FOUND = 200, 304, 404
_DAY = 86400
_SLOW_SECONDS = 1.0
_CERTIFICATE_DAYS = 14
_LONG_LIFETIME_SECONDS = 7 * _DAY
_CLOCK_NOTICED, _CLOCK_WRONG = 2.0, 60.0
_JSON_TYPES = ("application/jwk-set+json", "application/json")
_STATUS_ADVICE = {
    401: "publish it without authentication: keys are public",
    403: "publish it without authentication, and let the verifiers' addresses through the firewall",
    404: "check the path: jwks_uri of the discovery document has it",
    429: "the limit is too low for the verifiers: they ask a few times an hour each",
}
# By OpenSSL's X509_V_ERR_*, where another CA would not help.
_CERTIFICATE_ADVICE = {
    9: "set the clocks right, or have it issued anew",
    10: "have it renewed",
    62: "have it issued for this host, or use the name that it has",
    64: "have it issued for this address, or use the name that it has",
}
_TROUBLE_ADVICE: dict[Trouble, str] = {
    "unreachable": "check address, port and firewall, from where the verifiers run",
    "timeout": "find out what is slow or drops packets: verifiers give up after 3 s; --timeout waits longer here",
    "untrusted_certificate": "have it put right, or name its CA by --ca FILE",
}


class TLS(NamedTuple):
    """What was negotiated and shown."""

    version: str
    expires_at: int
    """Unix time at which the server's certificate ends."""


class Visit(NamedTuple):
    """One request, and what came of it."""

    url: str
    role: Role
    answer: Fetched | None
    failure: str
    """Why there is no answer; empty where there is one."""
    trouble: Trouble
    """The kind of failure; empty where there is none."""
    advice: str
    """What to do about the failure; empty where there is nothing."""
    reached: bool
    """Whether a connection stood."""
    seconds: float
    tls: TLS | None
    clock: float | None
    """Seconds by which the server's clock is ahead of this machine's, by its ``Date``; None where it says none."""

    @property
    def status(self) -> int | None:
        """The status of the answer."""
        return None if self.answer is None else self.answer.status

    def header(self, name: str) -> str | None:
        """Return a header of the answer."""
        return None if self.answer is None else self.answer.headers.get(name)


class Examination(NamedTuple):
    """All that was seen, and what follows."""

    issuer: str | None
    """The issuer, where the address is one."""
    jwks_url: str | None
    """Where the keys are; None where it could not be found out."""
    visits: tuple[Visit, ...]
    keys: SetView | None
    lifetime: int | None
    """Seconds for which a verifier keeps the set before it counts as old."""
    revalidates: bool | None
    """Whether an ``ETag`` sent back is answered by 304; None where there is none."""
    findings: tuple[Finding, ...]

    @property
    def refresh_after(self) -> int | None:
        """Seconds after which a verifier fetches the set anew, in the background."""
        return None if self.lifetime is None else int(self.lifetime * REFRESH_AT)

    @property
    def verdict(self) -> Verdict:
        """``broken`` where tokens cannot be verified by it, ``unreachable`` where nobody answered, or not in time."""
        if self.keys is None and any(visit.trouble in ("unreachable", "timeout") for visit in self.visits):
            return "unreachable"
        return "broken" if has_errors(self.findings) else "fine"


def examine(
    url: str,
    *,
    algorithms: Iterable[str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
    tls: ssl.SSLContext | None = None,
    allow_http: bool = False,
) -> Examination:
    """Look at the address of a JWK set, or of an issuer, by a few GET requests.

    The address is that of a set if it answers with a JSON object that has ``keys``; else that of an issuer if it has
    a discovery document; else, of a set that does not answer.

    Args:
        url: As `check_url` takes it.
        algorithms: What the verifiers' policy allows; None leaves open what the keys leave open.
        timeout: Seconds for each request; a verifier waits 3.
        tls: As for `fetch`.
        allow_http: As for `fetch`.

    Raises:
        PolicyError: ``invalid_policy``: the URL or the algorithms.
    """
    check_url(url, allow_http=allow_http)
    allowed = None if algorithms is None else resolve_algorithms(algorithms)
    look = _Looker(timeout, tls, allow_http)
    first = look(url, "jwks")
    if "keys" in _members(first.answer) or not first.reached or first.trouble == "untrusted_certificate" or "?" in url:
        return _examine_set(look, first, None, [first], [], allowed)
    asked = _ask_issuer(look, url, allow_http)
    if not _members(asked[-1].answer).keys() & {"issuer", "jwks_uri"}:
        message = "it is no issuer either: there is no discovery document"
        advice = "if it is meant to be one, publish /.well-known/openid-configuration below it"
        if asked[-1].answer is None:
            message, advice = "whether it is an issuer is not known: no answer there either", ""
        neither = Finding(NOTE, "no_discovery", "discovery", message, advice)
        return _examine_set(look, first, None, [first, *asked], [neither], allowed)
    jwks_url, findings = _read_discovery(url, asked[-1], allow_http)
    findings += _of_visit(asked[-1])
    if jwks_url is None:
        return Examination(url, None, tuple(asked), None, None, None, tuple(gravest_first(findings)))
    visit = look(jwks_url, "jwks")
    return _examine_set(look, visit, url, [*asked, visit], findings, allowed)


def _ask_issuer(look: _Looker, issuer: str, allow_http: bool) -> list[Visit]:
    """Fetch the discovery document where a verifier looks for it."""
    openid, oauth = metadata_urls(issuer, allow_http=allow_http)
    visits = [look(openid, "discovery")]
    if visits[0].status == _NOT_FOUND:
        visits.append(look(oauth, "discovery"))
    return visits


class _Looker:
    """Fetches, and notes what a verifier would not."""

    def __init__(self, timeout: float, tls: ssl.SSLContext | None, allow_http: bool) -> None:
        self._timeout = timeout
        self._tls = tls
        self._allow_http = allow_http

    def __call__(self, url: str, role: Role, headers: dict[str, str] | None = None) -> Visit:
        steps: dict[str, Any] = {}

        def watch(step: str, seen: Any) -> None:
            steps[step] = _tls_of(seen) if step == "secured" else seen

        answer, failure, advice = None, "", ""
        trouble: Trouble = ""
        begun = monotonic_ns_now()
        try:
            answer = fetch(url, headers or {}, self._timeout, tls=self._tls, allow_http=self._allow_http, watch=watch)
        except KeyFetchError as error:
            failure, trouble, advice = _failed(str(error), steps.get("failed"), "connected" in steps)
        seconds = (monotonic_ns_now() - begun) / 1e9
        clock = None if answer is None else _clock_of(answer, seconds)
        reached = "connected" in steps
        return Visit(url, role, answer, failure, trouble, advice, reached, seconds, steps.get("secured"), clock)


def _failed(message: str, error: object, reached: bool) -> tuple[str, Trouble, str]:
    """Tell a failure as whoever can change the address or the server needs it."""
    import ssl

    trouble: Trouble = "not_usable" if reached else "unreachable"
    advice: str | None = None
    if isinstance(error, TimeoutError):
        trouble = "timeout"
    elif isinstance(error, ssl.SSLCertVerificationError):
        trouble = "untrusted_certificate"
        message = f"the certificate of the server is not trusted ({error.verify_message.rstrip('.')})"
        advice = _CERTIFICATE_ADVICE.get(error.verify_code)
    return message, trouble, advice or _TROUBLE_ADVICE.get(trouble, "")


def _tls_of(sock: Any) -> TLS:
    import ssl

    return TLS(sock.version(), int(ssl.cert_time_to_seconds(sock.getpeercert()["notAfter"])))


def _clock_of(answer: Fetched, seconds: float) -> float | None:
    """Compare the clocks, to half the time that the answer took and the second that ``Date`` is written in."""
    from email.utils import parsedate_to_datetime

    try:
        then = parsedate_to_datetime(answer.headers["date"]).timestamp()
        # A cache on the way keeps the Date of the origin, and says how old it is.
        then += int(answer.headers.get("age", "0"))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    ahead = round(then + 0.5 - (now() - seconds / 2), 1)
    return 0.0 if abs(ahead) <= 0.5 + seconds / 2 else ahead


def _members(answer: Fetched | None) -> dict[str, Any]:
    """Return the JSON object of an answer; an empty one where there is none."""
    if answer is None or answer.status != _OK:
        return {}
    try:
        return parse_object(answer.body, "it")
    except KeyFetchError:
        return {}


def _read_discovery(issuer: str, visit: Visit, allow_http: bool) -> tuple[str | None, list[Finding]]:
    assert visit.answer is not None
    try:
        jwks_url = read_metadata(issuer, visit.url, visit.answer, allow_http=allow_http)
    except KeyFetchError as error:
        advice = "a verifier stops here: have the document put right, or name the issuer exactly as its tokens do"
        return None, [Finding(ERROR, "discovery", "discovery", str(error), advice)]
    offered = _members(visit.answer).get("id_token_signing_alg_values_supported")
    if isinstance(offered, list) and any(isinstance(name, str) and name.lower() == "none" for name in offered):
        message = "the issuer offers unsigned tokens (alg none)"
        return jwks_url, [
            Finding(WARNING, "alg_none", "discovery", message, "have it turned off; verifiers refuse them")
        ]
    return jwks_url, []


def _examine_set(
    look: _Looker,
    visit: Visit,
    issuer: str | None,
    visits: list[Visit],
    findings: list[Finding],
    allowed: tuple[str, ...] | None,
) -> Examination:
    findings = [*findings, *_of_visit(visit)]
    keys: SetView | None = None
    lifetime: int | None = None
    revalidates: bool | None = None
    if visit.answer is not None and visit.status == _OK:
        keys, more = _read_set(visit.answer, allowed)
        findings += more
        if keys is not None:
            lifetime = _lifetime(parse_cache_control(visit.answer.headers))
            findings += _of_caching(visit.answer)
            again, more = _revalidate(look, visit)
            visits, findings = [*visits, *again], [*findings, *more]
            revalidates = again[0].status == _NOT_MODIFIED if again else None
    return Examination(issuer, visit.url, tuple(visits), keys, lifetime, revalidates, tuple(gravest_first(findings)))


def _read_set(answer: Fetched, allowed: tuple[str, ...] | None) -> tuple[SetView | None, list[Finding]]:
    try:
        keys = view(answer.body, algorithms=allowed)
    except InvalidKeyError as error:
        advice = 'publish {"keys": [...]} and nothing else'
        if "jwks_uri" in _members(answer):
            advice = "this is a discovery document: name the issuer, or what its jwks_uri says"
        elif answer.body.lstrip()[:1] == b"<":
            advice = "this is a web page: check the URL"
        return None, [Finding(ERROR, "not_a_key_set", "body", str(error), advice)]
    return keys, lint(keys, now())


def _of_visit(visit: Visit) -> Iterator[Finding]:
    """Judge status, type, time, TLS and clock of one answer."""
    if visit.answer is None:
        yield Finding(ERROR, visit.trouble, visit.role, visit.failure, visit.advice)
        return
    status = visit.answer.status
    if 300 <= status < 400:
        place = visit.answer.headers.get("location", "")[:200]
        where = f"{visit.role} (to {place!r})" if place else visit.role
        message = f"a redirect ({status}): verifiers do not follow it, it could lead to keys of somebody else"
        yield Finding(
            ERROR, "redirect", where, message, "configure the address that it leads to, if you trust that one"
        )
    elif status != _OK:
        kind = "the server failed; verifiers keep the keys they have and try again" if status >= 500 else ""
        advice = _STATUS_ADVICE.get(status, kind)
        yield Finding(ERROR, "status", visit.role, f"the status is {status}, and must be 200", advice)
    else:
        yield from _of_type(visit)
    if visit.seconds > _SLOW_SECONDS:
        message = f"the answer took {visit.seconds:.1f} s; verifiers give up after 3 s"
        yield Finding(WARNING, "slow", visit.role, message, "serve it from a cache or as a static file")
    if visit.tls is not None:
        days = int((visit.tls.expires_at - now()) // _DAY)
        if days < _CERTIFICATE_DAYS:
            message = f"the certificate of the server ends in {days} days; then no verifier gets keys"
            yield Finding(WARNING, "certificate", visit.role, message, "renew it")
    yield from _of_clock(visit)


def _of_type(visit: Visit) -> Iterator[Finding]:
    named = (visit.header("content-type") or "").partition(";")[0].strip().lower()
    good = _JSON_TYPES if visit.role == "jwks" else _JSON_TYPES[1:]
    if named not in good:
        message = (
            "the Content-Type is not that of JSON; some clients refuse it" if named else "there is no Content-Type"
        )
        yield Finding(WARNING, "content_type", visit.role, message, f"send {good[0]}")


def _of_clock(visit: Visit) -> Iterator[Finding]:
    if visit.clock is None or abs(visit.clock) <= _CLOCK_NOTICED:
        return
    severity: Severity = ERROR if abs(visit.clock) > _CLOCK_WRONG else WARNING
    way, so = ("ahead of", "be refused as not yet valid") if visit.clock > 0 else ("behind", "expire too early")
    message = f"its clock is {abs(visit.clock):,.0f} s {way} this machine's: fresh tokens may {so}"
    yield Finding(
        severity, "clock", visit.role, message, "set both clocks by NTP; a leeway of a few seconds hides a few"
    )


def _lifetime(said: int | None) -> int:
    if said is None:
        return DEFAULT_LIFETIME_SECONDS
    return min(max(said, MIN_LIFETIME_SECONDS), MAX_LIFETIME_SECONDS)


def _of_caching(answer: Fetched) -> Iterator[Finding]:
    said = parse_cache_control(answer.headers)

    def found(severity: Severity, code: str, message: str, advice: str) -> Finding:
        return Finding(severity, code, "Cache-Control", message, advice)

    if said is None:
        message = f"no max-age: verifiers keep the set for {DEFAULT_LIFETIME_SECONDS} s"
        yield found(NOTE, "no_max_age", message, "send Cache-Control: public, max-age=300")
    elif said < MIN_LIFETIME_SECONDS:
        message = f"{said} s: verifiers keep the set for {MIN_LIFETIME_SECONDS} s, others may ask for each token"
        yield found(NOTE, "short_lifetime", message, "send Cache-Control: public, max-age=300")
    elif said > _LONG_LIFETIME_SECONDS:
        message = f"{said:,} s: other verifiers may trust a key that was taken back for as long"
        yield found(WARNING, "long_lifetime", message, f"at most an hour (max-age={MAX_LIFETIME_SECONDS})")
    elif said > MAX_LIFETIME_SECONDS:
        message = f"{said:,} s: verifiers keep the set for {MAX_LIFETIME_SECONDS:,} s"
        yield found(NOTE, "capped_lifetime", message, "")


def _revalidate(look: _Looker, visit: Visit) -> tuple[list[Visit], list[Finding]]:
    """Ask again, for nothing if nothing has changed."""
    etag = visit.header("etag")
    if not etag:
        advice = "send an ETag: an unchanged set then costs a few bytes"
        return [], [Finding(NOTE, "no_etag", "ETag", "there is none: each refresh transfers the whole set", advice)]
    try:
        again = look(visit.url, visit.role, {"If-None-Match": etag})
    except PolicyError:
        return [], [Finding(WARNING, "etag", "ETag", "it cannot be sent back", "send a quoted ASCII string")]
    if again.status == _NOT_MODIFIED:
        return [again], []
    if again.answer is None or again.status != _OK:
        message = "the same request with If-None-Match failed"
        return [again], [Finding(ERROR, "etag", "ETag", message, "answer it by 304, or by 200 with the set")]
    message = "If-None-Match is answered by 200 and the whole set again"
    return [again], [Finding(NOTE, "etag_ignored", "ETag", message, "answer it by 304 while nothing has changed")]

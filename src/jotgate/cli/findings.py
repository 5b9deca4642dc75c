"""What is wrong with, risky in, or worth knowing about a token that could be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jotgate.cli.lenient import NOTE, REFUSED, RISK, Finding
from jotgate.cli.moments import LATEST_NUMERIC_DATE, from_now, how_long, in_milliseconds, is_number
from jotgate.cli.terminal import printable

if TYPE_CHECKING:
    from jotgate.cli.lenient import Reading

TIME_CLAIMS = ("exp", "nbf", "iat")

_DEFAULT_MAX_TOKEN_BYTES = 16384
# nginx and Node take about 8 KiB of one header, some proxies 4 KiB.
_COMFORTABLE_TOKEN_BYTES = 4096
_LONGEST_KID_BYTES = 256
_LONG_LIFETIME_SECONDS = 86400
_STRING_CLAIMS = ("iss", "sub", "jti", "azp")
_KEY_CARRIERS = {
    "jwk": "carries a key of its own",
    "x5c": "carries a certificate of its own",
    "jku": "names an address to fetch keys from",
    "x5u": "names an address to fetch a certificate from",
}
_SECRET_NAMES = re.compile(
    r"pass(?:word|wd|phrase)|secret|private_?key|api_?key|credit_?card|card_?number|ssn|pin", re.IGNORECASE
)


def judge(reading: Reading, now: float) -> list[Finding]:
    """List the findings about form, header, claims and signature of one token, the gravest first.

    Args:
        reading: The token, taken apart.
        now: Unix time to judge the times by.
    """
    findings = [*reading.findings, *_size(reading.size_bytes)]
    if reading.header.members is not None:
        findings += _header(reading.header.members, encrypted=reading.encrypted)
        if not reading.encrypted:
            findings += _signature(reading)
    if reading.payload.members is not None:
        findings += _claims(reading.payload.members, now)
    order = (REFUSED, RISK, NOTE)
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def _size(size_bytes: int) -> list[Finding]:
    if size_bytes > _DEFAULT_MAX_TOKEN_BYTES:
        message = f"{size_bytes:,} bytes; the default limit of a policy is {_DEFAULT_MAX_TOKEN_BYTES:,}"
        return [Finding(RISK, "too_large", "token", message)]
    if size_bytes > _COMFORTABLE_TOKEN_BYTES:
        message = f"{size_bytes:,} bytes; proxies often refuse request headers beyond 4 or 8 KiB"
        return [Finding(NOTE, "large", "token", message)]
    return []


def _header(header: dict[str, Any], *, encrypted: bool) -> list[Finding]:
    found: list[Finding] = []

    def add(severity: str, code: str, message: str) -> None:
        found.append(Finding(severity, code, "header", message))

    _algorithm(header.get("alg"), "alg" in header, encrypted, add)
    if "crit" in header:
        add(REFUSED, "crit", "crit demands extensions; Jotgate refuses those that the policy does not list")
    if "b64" in header:
        add(REFUSED, "b64", "b64 is not allowed in a JWT (RFC 7797 section 7)")
    if "zip" in header and not encrypted:
        add(RISK, "zip", "zip has a meaning in encrypted tokens only")
    for name, what in _KEY_CARRIERS.items():
        if name in header:
            add(
                RISK,
                "embedded_key",
                f"{name} {what}; Jotgate never uses it to choose a key. Whoever does is open to forgery",
            )
    kid = header.get("kid")
    if "kid" in header:
        _kid(kid, add)
    elif not encrypted:
        add(NOTE, "no_kid", "no kid: it can be verified only where one key has its algorithm")
    typ = header.get("typ")
    if "typ" in header and not isinstance(typ, str):
        add(REFUSED, "typ", "typ must be a string")
    if str(header.get("cty", "")).upper() == "JWT":
        add(NOTE, "nested", "cty says that the payload is itself a token (nested JWT)")
    return found


def _algorithm(alg: object, present: bool, encrypted: bool, add: Any) -> None:
    if not present:
        add(REFUSED, "no_alg", "alg is missing")
    elif not isinstance(alg, str):
        add(REFUSED, "alg_type", "alg must be a string")
    elif alg.strip().lower() in ("none", ""):
        add(REFUSED, "alg_none", "alg says that the token is not signed: anyone can have written it")
    elif encrypted:
        if alg == "RSA1_5":
            add(RISK, "weak_algorithm", "RSA1_5 is open to padding oracles; RSA-OAEP takes its place")
    else:
        from jotgate.keys.algorithms import ALGORITHMS, expand

        if expand(alg):
            if alg.startswith("HS"):
                add(
                    NOTE,
                    "shared_secret",
                    f"{alg} is a shared secret: whoever can verify the token can also forge one",
                )
        elif alg.upper() in ALGORITHMS:
            add(REFUSED, "alg_case", f"names of algorithms are compared exactly: write {alg.upper()}")
        else:
            add(REFUSED, "unknown_alg", "alg is not a signature algorithm that Jotgate knows")


def _kid(kid: object, add: Any) -> None:
    if not isinstance(kid, str) or not kid:
        add(REFUSED, "kid", "kid must be a string that is not empty")
        return
    if len(kid.encode("utf-8", "surrogatepass")) > _LONGEST_KID_BYTES:
        add(REFUSED, "kid", f"kid is longer than {_LONGEST_KID_BYTES} bytes")
    if not kid.isprintable():
        add(RISK, "kid_shape", "kid has control or invisible characters")
    if "../" in kid or "..\\" in kid or kid.startswith(("/", "\\\\", "file:")):
        add(
            RISK,
            "kid_shape",
            "kid looks like a file path: an attack on verifiers that read keys by file name",
        )
    elif re.search(r"['\";`$|]|--", kid):
        add(
            RISK,
            "kid_shape",
            "kid has characters of SQL or of a shell: an attack on verifiers that look keys up with it",
        )
    elif re.match(r"https?://", kid):
        add(NOTE, "kid_shape", "kid is an address; Jotgate never fetches it")


def _signature(reading: Reading) -> list[Finding]:
    header = reading.header.members or {}
    data, alg = reading.signature.data, header.get("alg")
    if not data:
        if any(finding.code == "no_signature" for finding in reading.findings):
            return []
        return [Finding(REFUSED, "no_signature", "signature", "the signature is empty")]
    from jotgate.keys.algorithms import ALGORITHMS, expand

    sizes = {ALGORITHMS[name].signature_bytes for name in expand(alg)}
    size = len(data)
    if sizes == {0}:  # RSA: as long as the modulus
        if size < 256:
            message = f"{size} bytes: cut off, or made by an RSA key of less than 2048 bits"
            return [Finding(REFUSED, "signature_size", "signature", message)]
    elif sizes and size not in sizes:
        wanted = " or ".join(str(number) for number in sorted(sizes))
        message = f"{size} bytes where {alg} has {wanted}"
        if str(alg).startswith("ES") and data[:1] == b"\x30":
            message += "; it looks like DER, as OpenSSL writes it, and a token needs R and S side by side"
        return [Finding(REFUSED, "signature_size", "signature", message)]
    return []


def _claims(claims: dict[str, Any], now: float) -> list[Finding]:
    found: list[Finding] = []

    def add(severity: str, code: str, message: str) -> None:
        found.append(Finding(severity, code, "payload", message))

    for name in ("exp", "iss", "aud"):
        if name not in claims:
            add(RISK, f"no_{name}", f"{name} is missing; policies require it unless they say otherwise")
    times: dict[str, float] = {}
    for name in TIME_CLAIMS:
        if name in claims:
            value = _numeric_date(name, claims[name], now, add)
            if value is not None:
                times[name] = value
    _validity(times, now, add)
    for name in _STRING_CLAIMS:
        if name in claims and not isinstance(claims[name], str):
            add(REFUSED, "wrong_type", f"{name} must be a string")
    if "aud" in claims:
        _audience(claims["aud"], add)
    for name in claims:
        if _SECRET_NAMES.fullmatch(name):
            message = "a signed token is readable by everyone who holds it"
            found.append(Finding(RISK, "secret_claim", "payload", message, detail=repr(printable(name))))
    return found


def _numeric_date(name: str, value: object, now: float, add: Any) -> float | None:
    """Return the claim as Unix seconds, or None with a finding that says what it is instead."""
    if isinstance(value, str):
        add(
            REFUSED,
            "wrong_type",
            f"{name} is a string; a time is a number of seconds since 1970, without quotes",
        )
    elif not is_number(value):
        add(REFUSED, "wrong_type", f"{name} must be a number of seconds since 1970")
    elif in_milliseconds(value, now):
        add(
            REFUSED,
            "milliseconds",
            f"{name} seems to be in milliseconds; the times of a token are seconds since 1970",
        )
    elif not 0 <= value <= LATEST_NUMERIC_DATE:
        add(REFUSED, "invalid_claim", f"{name} lies outside the years 1970 to 9999")
    else:
        return float(value)
    return None


def _validity(times: dict[str, float], now: float, add: Any) -> None:
    expires, issued, begins = times.get("exp"), times.get("iat"), times.get("nbf")
    if expires is not None and expires <= now:
        add(REFUSED, "expired", f"expired {from_now(expires, now)}")
    if begins is not None and begins > now:
        add(REFUSED, "not_yet_valid", f"not valid yet: nbf lies {how_long(begins - now)} ahead")
    if issued is not None and issued > now:
        add(REFUSED, "issued_in_future", f"iat lies {how_long(issued - now)} ahead: check the clocks")
    start = issued if issued is not None else begins
    if expires is not None and start is not None:
        if expires <= start:
            add(RISK, "no_lifetime", "exp does not come after iat or nbf")
        elif expires - start > _LONG_LIFETIME_SECONDS:
            message = f"valid for {how_long(expires - start)}: a stolen token stays good that long"
            add(RISK, "long_lifetime", message)


def _audience(audience: object, add: Any) -> None:
    if isinstance(audience, str):
        return
    if not isinstance(audience, list) or not all(isinstance(entry, str) for entry in audience):
        add(REFUSED, "wrong_type", "aud must be a string or an array of strings")
    elif not audience:
        add(RISK, "empty_aud", "aud is an empty array: the token is for nobody")

"""What is wrong with, risky in, or worth knowing about a published JWK set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, cast

from .._codec import b64url_decode
from ..errors import MalformedTokenError
from ..keys.algorithms import expand, header_name
from ..keys.document import EPOCH_MEMBER
from ..keys.metadata import KEY_TYPES
from ..keys.strength import MIN_RSA_BITS, is_roca
from .findings import ERROR, NOTE, WARNING, Finding, Severity, gravest_first
from .keysets import OPEN, SKIPPED, KeyView, SetView

MAX_KEYS = 64
MAX_BYTES = 1 << 20
_USUAL_EXPONENT = 65537
_SLOW_RSA_BITS = 4096
_YEAR = 365.2425 * 86400
_OLD_YEARS = 2
_PRIVATE_OPERATIONS = frozenset({"sign", "decrypt", "unwrapKey"})


def lint(keys: SetView, now: float) -> list[Finding]:
    """Examine a set.

    Args:
        keys: As `keysets.view` reads it.
        now: Unix time, to judge the dates of certificates by.

    Returns:
        The findings, the gravest first.
    """
    findings = [*_of_set(keys), *_of_kids(keys)]
    for key in keys.keys:
        for check in _CHECKS:
            findings += check(key)
        findings += _not_allowed(key, keys.allowed or ())
        findings += _certificates(key, now)
    return gravest_first(findings)


def _of_set(keys: SetView) -> Iterator[Finding]:
    def found(severity: Severity, code: str, message: str, advice: str) -> Finding:
        return Finding(severity, code, "the set", message, advice)

    if not keys.usable:
        message = (
            "no key that a verifier uses: one that fetches the set is not ready, and answers key_fetch_failed "
            "(503) to every token"
        )
        yield found(ERROR, "no_usable_key", message, "publish the public key that tokens are signed with")
    if not keys.epoch_is_sound:
        message = "it is not a whole number in range: verifiers refuse the whole document"
        yield Finding(ERROR, "epoch", EPOCH_MEMBER, message, "publish what jotgate keys jwks writes")
    if len(keys.keys) > MAX_KEYS:
        message = f"{len(keys.keys)} keys; verifiers take at most {MAX_KEYS}"
        yield found(ERROR, "too_many_keys", message, "remove the keys whose tokens have all expired")
    if keys.size_bytes is not None and keys.size_bytes > MAX_BYTES:
        message = f"{keys.size_bytes:,} bytes; verifiers take at most {MAX_BYTES:,}"
        yield found(ERROR, "too_large", message, "remove old keys and certificate chains")
    if len({key.thumbprint for key in keys.usable}) == 1:
        yield found(
            NOTE,
            "no_second_key",
            "one key only: a key that starts to sign before every cache has it is refused there",
            "publish the next key a day before it signs, and keep the last one until its tokens have expired",
        )


def _of_kids(keys: SetView) -> Iterator[Finding]:
    """Judge who shares a kid, and who has none."""
    by_kid: dict[str, list[KeyView]] = defaultdict(list)
    by_thumbprint: dict[str, list[KeyView]] = defaultdict(list)
    for key in keys.keys:
        if key.kid is not None:
            by_kid[key.kid].append(key)
        if key.thumbprint is not None:
            by_thumbprint[key.thumbprint].append(key)
        if key.cause == "conflict" and key.kid is None:
            message = "two keys without kid have one algorithm: neither is used"
            yield Finding(ERROR, "duplicate_kid", key.name, message, "give every key a kid of its own")
        elif key.kid is None and key.members.get("kty") in KEY_TYPES:
            severity = WARNING if len(keys.keys) > 1 else NOTE
            message = "no kid: it serves only while no other key has its algorithm"
            yield Finding(severity, "no_kid", key.name, message, "give it a kid, e.g. its thumbprint")
    for kid, group in by_kid.items():
        if len({key.thumbprint for key in group}) > 1 and len(group) > 1:
            where = f"keys {', '.join(str(key.position) for key in group)} (kid {kid!r})"
            if any(key.cause == "conflict" for key in group):
                message = "different keys have one kid and one algorithm: none of them is used"
                yield Finding(ERROR, "duplicate_kid", where, message, "give every key a kid of its own")
            else:
                message = "different keys have one kid: many verifiers look keys up by kid alone"
                yield Finding(WARNING, "duplicate_kid", where, message, "give every key a kid of its own")
    for group in by_thumbprint.values():
        if len(group) > 1:
            where = f"keys {', '.join(str(key.position) for key in group)}"
            yield Finding(NOTE, "same_key_twice", where, "they are one key", "publish it once, under one kid")


def _left_out(key: KeyView) -> Iterator[Finding]:
    """Say why a key is left out. Whoever shares its kid and algorithm is judged elsewhere."""

    def found(severity: Severity, code: str, message: str, advice: str = "") -> Finding:
        return Finding(severity, code, key.name, message, advice)

    left_out = f"left out: {key.reason}"
    if key.cause == "secret":
        message = "a shared secret (oct): whoever can read the set can forge tokens"
        advice = "stop using it now if the set was ever published, and sign with a private key"
        yield found(ERROR, "secret_published", message, advice)
    elif key.cause == "private":
        message = "private members: whoever can read the set can forge tokens"
        advice = "treat the key as disclosed: replace it now, and publish public members only"
        yield found(ERROR, "private_key_published", message, advice)
    elif key.cause == "kind":
        yield _other_kind(key, found, left_out)
    elif key.cause == "certificate":
        yield found(ERROR, "x5c", left_out, "publish the certificate of this key, or no x5c")
    elif key.cause in ("kid", "key", "algorithm"):
        advice = "publish the key again from its source; jotgate keygen writes sound ones"
        yield _weak_rsa(key) or found(ERROR, "invalid_key", left_out, advice)


def _not_allowed(key: KeyView, allowed: tuple[str, ...]) -> Iterator[Finding]:
    """Say what would bring a key and the allowed algorithms together."""
    if key.cause != "policy":
        return
    fits = [name for name in key.candidates if name in allowed]
    # A secret is never published, so that no key of the set could serve HMAC.
    others = tuple(dict.fromkeys(header_name(name) for name in allowed if not name.startswith("HS")))
    if fits:
        advice = f"name its algorithm in the set, or allow exactly one of {', '.join(fits)}"
    else:
        advice = f"allow {' or '.join(map(header_name, key.candidates))}"
        if others:
            article = "a" if others[0].startswith("P") else "an"
            advice += f", or publish {article} {' or '.join(others)} key"
    yield Finding(WARNING, "not_allowed", key.name, f"left out: {key.reason}", advice)


def _other_kind(key: KeyView, found: Callable[..., Finding], left_out: str) -> Finding:
    """Say what a key is for that is not for signatures of ours, or that cannot tell."""
    kty, use, alg = (key.members.get(name) for name in ("kty", "use", "alg"))
    if isinstance(kty, str) and kty not in KEY_TYPES:
        return found(NOTE, "unknown_kty", "left out: a key type that Jotgate does not verify with")
    if isinstance(use, str) and use != "sig":
        return found(NOTE, "not_for_signatures", "left out: it is not for signatures")
    if isinstance(alg, str) and not expand(alg):
        advice = "names are compared exactly, such as RS256, ES256 or EdDSA"
        return found(
            WARNING, "unknown_alg", "left out: its alg is not a signature algorithm that Jotgate knows", advice
        )
    if "key_ops" in key.members:
        advice = 'a public key that verifies has "key_ops": ["verify"], or "use": "sig" and no key_ops'
        return found(ERROR, "key_ops", left_out, advice)
    return found(ERROR, "invalid_key", left_out, "publish the key again from its source")


def _weak_rsa(key: KeyView) -> Finding | None:
    modulus = _number(key.members.get("n"))
    if key.cause != "key" or key.members.get("kty") != "RSA" or modulus is None:
        return None
    if modulus.bit_length() < MIN_RSA_BITS:
        message = f"an RSA key of {modulus.bit_length()} bits: left out, at least {MIN_RSA_BITS} are needed"
        return Finding(ERROR, "weak_rsa", key.name, message, "replace it, e.g. by an ES256 key")
    if is_roca(modulus):
        message = "the RSA key comes from a broken generator (ROCA, CVE-2017-15361): left out, it can be factored"
        return Finding(ERROR, "roca", key.name, message, "treat it as disclosed and make a new one elsewhere")
    return None


def _number(text: object) -> int | None:
    try:
        return int.from_bytes(b64url_decode(cast("str", text)), "big")
    except (MalformedTokenError, TypeError):
        return None


def _rsa(key: KeyView) -> Iterator[Finding]:
    if key.material is None or key.material.kty != "RSA":
        return
    exponent = _number(key.members.get("e"))
    if exponent is not None and exponent < _USUAL_EXPONENT:
        message = f"the RSA exponent is {exponent}; some verifiers refuse it"
        yield Finding(WARNING, "small_exponent", key.name, message, f"make keys with the usual {_USUAL_EXPONENT}")
    bits = cast(Any, key.material.key).key_size
    if bits > _SLOW_RSA_BITS:
        message = f"{bits} bits: each token costs several times what it costs at {MIN_RSA_BITS}"
        yield Finding(NOTE, "large_rsa", key.name, message, "ES256 is as strong as 3072 bits and far smaller")


def _metadata(key: KeyView) -> Iterator[Finding]:
    if key.outcome == SKIPPED:
        return
    if key.outcome == OPEN:
        message = f"no alg, and {', '.join(key.serves)} would all go with it: each verifier must be told one"
        yield Finding(WARNING, "no_alg", key.name, message, "name its algorithm (alg)")
    elif "alg" not in key.members:
        message = f"no alg: its type leaves {key.serves[0]} only, but many verifiers want it named"
        yield Finding(NOTE, "no_alg", key.name, message, "name its algorithm (alg)")
    if "use" not in key.members and "key_ops" not in key.members:
        advice = 'add "use": "sig"'
        yield Finding(NOTE, "no_use", key.name, "it does not say that it is for signatures", advice)
    alg = key.members.get("alg")
    if alg in ("Ed25519", "Ed448"):
        message = "the algorithm's name of RFC 9864, which many verifiers do not know yet"
        yield Finding(WARNING, "new_algorithm_name", key.name, message, "write EdDSA until all of yours do")
    elif alg == "EdDSA":
        message = f"EdDSA names no curve and is deprecated by RFC 9864; the new name is {key.serves[0]}"
        yield Finding(NOTE, "old_algorithm_name", key.name, message, "keep it as long as a verifier needs it")


def _operations(key: KeyView) -> Iterator[Finding]:
    operations = key.members.get("key_ops")
    if not isinstance(operations, list | tuple) or key.outcome == SKIPPED:
        return
    if _PRIVATE_OPERATIONS.intersection(each for each in operations if isinstance(each, str)):
        message = "key_ops has an operation of the private key"
        yield Finding(WARNING, "private_key_ops", key.name, message, 'a public key has "key_ops": ["verify"]')
    if "use" in key.members:
        message = "use and key_ops should not both be there (RFC 7517 section 4.3)"
        yield Finding(NOTE, "use_and_key_ops", key.name, message, "leave out key_ops")


_CHECKS: tuple[Callable[[KeyView], Iterator[Finding]], ...] = (_left_out, _rsa, _metadata, _operations)


def _certificates(key: KeyView, now: float) -> Iterator[Finding]:
    """Look at the first certificate of ``x5c``: the dates, which Jotgate does not judge, and its thumbprints."""
    certificate = key.certificate
    if certificate is None:
        return
    for code, beyond, message in (
        ("x5c_expired", certificate.ends < now, "its certificate (x5c) has expired"),
        ("x5c_not_yet_valid", certificate.begins > now, "its certificate (x5c) is not valid yet"),
    ):
        if beyond:
            advice = "renew it, or publish no x5c: verifiers that look at the dates refuse the key"
            yield Finding(WARNING, code, key.name, message, advice)
    years = (now - certificate.begins) / _YEAR
    if years > _OLD_YEARS:
        message = f"by its certificate the key is {years:.1f} years old"
        yield Finding(NOTE, "old_key", key.name, message, "rotate: whoever got hold of it once can still sign")
    import hashlib

    # SHA-1 is what RFC 7517 section 4.8 names; nothing is trusted by it.
    digests = {
        "x5t": hashlib.sha1(certificate.der, usedforsecurity=False).digest(),
        "x5t#S256": hashlib.sha256(certificate.der).digest(),
    }
    for member, digest in digests.items():
        if member in key.members and _number(key.members[member]) != int.from_bytes(digest, "big"):
            message = f"{member} is not the thumbprint of its certificate"
            yield Finding(WARNING, "x5t", key.name, message, f"leave out {member}, or compute it of the first x5c")

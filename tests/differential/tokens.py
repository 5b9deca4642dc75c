"""Hypothesis strategies for whole tokens: policy, keys, moment, and a token that nearly satisfies them."""

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st
from reference import Key
from support import HMAC, NOW, b64u, secret_key, sign, verification_key

from jotgate import ANY, KeySet

from . import hostile, members
from .members import AUDIENCES, ISSUERS

Entry = tuple[str | None, str, int]
"""kid, canonical algorithm, number of the key."""
Entries = tuple[Entry, ...]

SYMMETRIC: list[Entries] = [
    ((None, "HS256", 0),),
    (("k1", "HS256", 0),),
    (("k1", "HS256", 0), ("k2", "HS256", 1)),
    ((None, "HS256", 0), ("k1", "HS256", 1)),
    (("k1", "HS256", 0), ("k1", "HS384", 0), (None, "HS512", 0)),
]
ASYMMETRIC: list[Entries] = [
    ((None, "ES256", 0),),
    (("k1", "ES256", 0), ("k2", "ES256", 1)),
    (("k1", "ES256", 0), ("k1", "Ed25519", 0), ("k2", "Ed448", 0)),
    ((None, "Ed25519", 0), (None, "Ed448", 0)),
    ((None, "Ed25519", 0), ("k2", "Ed448", 0)),
    (("k1", "Ed25519", 0), ("k1", "Ed448", 0)),
    (("k1", "Ed25519", 0), ("k2", "Ed25519", 1), (None, "Ed448", 0)),
]


@cache
def native_keys(entries: Entries) -> KeySet:
    return KeySet([verification_key(alg, kid=kid, which=which) for kid, alg, which in entries])


@cache
def reference_keys(entries: Entries) -> list[Key]:
    found = []
    for kid, alg, which in entries:
        private = secret_key(alg, which)
        found.append(Key(kid, alg, private if alg in HMAC else private.public_key()))
    return found


@dataclass(frozen=True)
class Case:
    """What both verifiers are given."""

    text: Any
    entries: Entries
    options: dict[str, Any]
    now_ns: int


@dataclass(frozen=True)
class IssuersCase:
    """The same for several issuers."""

    text: Any
    issuers: dict[str, tuple[Entries, dict[str, Any]]]
    now_ns: int


DEFAULTS = {
    "typ": None,
    "subject": None,
    "authorized_party": None,
    "require": ("exp", "iss", "aud"),
    "leeway": 0,
    "max_age": None,
    "max_lifetime": None,
    "max_token_bytes": 16384,
    "allow_padding": False,
    "crit": (),
}


def plain_policy(options: dict[str, Any]) -> SimpleNamespace:
    """Return the policy as the oracle takes it: the options and the documented defaults."""
    return SimpleNamespace(**(DEFAULTS | options))


OTHER_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "algorithms": st.sampled_from([["RS256"], ["ES256", "HS256"], ["EdDSA", "HS384", "HS256"]]),
    "issuer": st.sampled_from([ISSUERS[1], ISSUERS, [*ISSUERS, "https://c.example"], ANY]),
    "audience": st.sampled_from([AUDIENCES[1], AUDIENCES, ANY]),
    "leeway": st.sampled_from([0.5, 10, 600]),
    "typ": st.sampled_from(["at+jwt", "application/at+jwt", ("JWT", "AT+jwt")]),
    "subject": st.sampled_from(["alice", ("alice", "bob"), "bob"]),
    "authorized_party": st.sampled_from(["web", ["web", "app"]]),
    "max_age": st.sampled_from([1, 4.5, 5, 60]),
    "max_lifetime": st.sampled_from([305, 304.5, 3600]),
    "max_token_bytes": st.sampled_from([200, 400]),
    "allow_padding": st.just(True),
    "crit": st.sampled_from([("ext",), ("ext", "other")]),
    "require": st.lists(st.sampled_from(["exp", "nbf", "iat", "sub", "jti", "azp", "scope", "x"]), unique=True),
}


@st.composite
def policies(draw: st.DrawFn, algorithms: list[str], *fixed: str) -> dict[str, Any]:
    """Draw keyword arguments that `Policy` takes: the least, and up to four others that are not fixed."""
    options: dict[str, Any] = {"algorithms": algorithms, "issuer": ISSUERS[0], "audience": AUDIENCES[0]}
    free = [name for name in OTHER_OPTIONS if name not in fixed]
    for name in draw(st.lists(st.sampled_from(free), max_size=4, unique=True)):
        options[name] = draw(OTHER_OPTIONS[name])
    if "require" in options:
        expected = [name for name, option in (("iss", "issuer"), ("aud", "audience")) if options[option] is not ANY]
        options["require"] = (*expected, *options["require"])
    return options


@st.composite
def wrong_signatures(draw: st.DrawFn, right: bytes) -> bytes:
    """Draw a signature that is cut, longer, changed, or empty."""
    kind = draw(st.sampled_from(["cut", "longer", "flip", "flip", "empty"]))
    if kind == "flip":
        at = draw(st.integers(0, len(right) * 8 - 1))
        return (int.from_bytes(right, "big") ^ 1 << at).to_bytes(len(right), "big")
    return {"cut": right[:-1], "longer": right + b"\0", "empty": b""}[kind]


class Text(str):
    """A subclass could lie about its contents; only `str` itself is read."""

    __slots__ = ()


PARTS = ("header", "payload", "key", "signature", "encoding", "text", "type")
"""What may be odd about a token."""
oddities = st.lists(st.sampled_from(PARTS[:2] * 3 + PARTS), max_size=2).map(frozenset)


@st.composite
def compact_texts(draw: st.DrawFn, entry: Entry, odd: frozenset[str], payload: bytes | None = None) -> Any:
    """Draw a token for a key, right in all but what is odd, and signed over its text as it stands."""
    kid, alg, which = entry
    header = draw(members.headers(kid, alg, "header" in odd))
    if payload is None:
        payload = draw(members.payloads("payload" in odd))
    encode = hostile.encoded if "encoding" in odd else lambda octets: st.just(b64u(octets))
    signing_input = f"{draw(encode(header))}.{draw(encode(payload))}"
    signature = sign(alg, signing_input.encode(), secret_key(alg, which + ("key" in odd)))
    if "signature" in odd:
        signature = draw(wrong_signatures(signature))
    text = f"{signing_input}.{draw(encode(signature))}".encode()
    if "text" in odd:
        around = [text + b".", b"." + text, text + b" ", b"Bearer " + text, b"", b"..", text * 2]
        text = draw(st.one_of(hostile.mutated(text), st.sampled_from(around)))
    if "type" in odd:
        return draw(st.sampled_from([bytearray(text), Text(text.decode("latin-1")), None, [text]]))
    return text if draw(st.booleans()) else text.decode("latin-1")


moments = st.sampled_from([0, 0, 0, 1, 499_999_999, 500_000_000, 999_999_999]).map(lambda ns: NOW * 10**9 + ns)


def allow_list(entries: Entries) -> list[str]:
    return sorted({"EdDSA" if alg.startswith("Ed") else alg for _, alg, _ in entries})


@st.composite
def cases(draw: st.DrawFn, key_sets: list[Entries]) -> Case:
    """Draw a token with keys and a policy that it nearly satisfies."""
    entries = draw(st.sampled_from(key_sets))
    text = draw(compact_texts(draw(st.sampled_from(entries)), draw(oddities)))
    names = allow_list(entries)
    if "EdDSA" in names and not draw(st.integers(0, 2)):
        names[names.index("EdDSA")] = draw(st.sampled_from(["Ed25519", "Ed448"]))
    return Case(text, entries, draw(policies(names)), draw(moments))


@st.composite
def claims_cases(draw: st.DrawFn) -> Case:
    """Draw a token that is right in everything but, perhaps, its claims."""
    entries = SYMMETRIC[0]
    text = draw(compact_texts(entries[0], frozenset(["payload"])))
    options = draw(policies(["HS256"], "algorithms", "max_token_bytes", "allow_padding", "crit", "typ"))
    return Case(text, entries, options, draw(moments))


@st.composite
def issuers_cases(draw: st.DrawFn) -> IssuersCase:
    """Draw a token for a verifier of two issuers."""
    sets = [SYMMETRIC[0], (("k1", "HS256", 1), ("k2", "HS256", 0)), ASYMMETRIC[2]]
    chosen = draw(st.permutations(sets))[:2]
    issuers = {}
    for issuer, entries in zip(ISSUERS, chosen, strict=True):
        options = draw(policies(allow_list(entries), "issuer", "algorithms"))
        issuers[issuer] = (entries, options | {"issuer": issuer})
    claims = members.RIGHT_CLAIMS | {"iss": f'"{draw(st.sampled_from(ISSUERS))}"'.encode()}
    if draw(st.booleans()):
        claims = draw(hostile.changed(claims, members.OTHER_CLAIMS))
    payload = draw(hostile.object_of(claims))
    if not draw(st.integers(0, 9)):
        payload = draw(hostile.mutated(payload))
    entry = draw(st.sampled_from([entry for entries in chosen for entry in entries]))
    return IssuersCase(draw(compact_texts(entry, draw(oddities), payload)), issuers, draw(moments))

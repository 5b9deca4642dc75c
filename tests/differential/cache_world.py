"""Two verifiers that differ in one thing, the cache, and all that can happen to them.

Both have the same keys, policies and revocations, and every change is made to both. Whatever was done before, one text
gets the same verdict and the same token from both; `cache_walk` and `test_cache_machine` choose what is done.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support import (
    AUDIENCE,
    ISSUER,
    NOW,
    ORDERS,
    b64u,
    compact,
    dumps,
    header,
    resign,
    secret_key,
    unb64u,
    verification_key,
)

from jotgate import KeySet, Policy, TokenCache, VerificationKey, Verifier, _clock
from jotgate._revoked import RevocationIndex
from jotgate.errors import InvalidKeyError, JotgateError

OTHER_ISSUER = "https://other.example.com"
SECOND = 1_000_000_000
START = NOW * SECOND

JTIS = 40

Identity = tuple[str | None, str, int]
FAMILIES: dict[str, dict[str, Any]] = {
    # An "e" token that says EdDSA is ambiguous while both curves are there; a kid-less token while two keys are.
    "secret": {
        "algorithms": ["HS256", "HS384"],
        "keys": [(kid, alg, which) for kid in ("a", "b", None) for alg in ("HS256", "HS384") for which in (0, 1)],
        "first": [("a", "HS256", 0), (None, "HS384", 0)],
        "sign": [("HS256", 0)] * 5 + [("HS256", 1), ("HS384", 0), ("HS384", 0)],
        "kids": ("a", "a", "a", "a", "b", None),
    },
    "public": {
        "algorithms": ["ES256", "EdDSA"],
        "keys": [
            *((kid, "ES256", which) for kid in ("a", None) for which in (0, 1)),
            *((kid, alg, 0) for kid in ("a", "e", None) for alg in ("Ed25519", "Ed448")),
        ],
        "first": [("a", "ES256", 0), ("e", "Ed25519", 0)],
        "sign": [("ES256", 0), ("ES256", 0), ("ES256", 1), ("Ed25519", 0), ("Ed25519", 0), ("Ed448", 0)],
        "kids": ("a", "e", "a", "e", None),
    },
}
DATES = {
    "exp": ("", "5", "5.5", "5.0000000001", "2.999999999", "60", "60", "7200", "7200", "-1"),
    "nbf": ("", "", "", "-2", "-2", "0", "0.5", "1.0000000001"),
    "iat": ("", "-1", "-0.5", "-1.0000000009", "-2.5", "0", "0.000000001"),
}
POLICIES: list[dict[str, Any]] = [
    {},
    {"leeway": 2},
    {"leeway": 0.5, "max_age": 4},
    {"max_age": 3, "require": ("iss", "aud")},
    {"max_lifetime": 60, "leeway": 1},
    {"allow_padding": True},
    {"max_token_bytes": 460},
]


def date(offset: str) -> bytes:
    """Write NOW plus an offset in full: a double would round it."""
    whole, dot, fraction = offset.partition(".")
    if offset.startswith("-") and fraction:
        scale = 10 ** len(fraction)
        total = NOW * scale - (abs(int(whole)) * scale + int(fraction))
        return b"%d.%s" % (total // scale, str(total % scale).zfill(len(fraction)).encode())
    return b"%d%s" % (NOW + int(whole), (dot + fraction).encode())


class Text:
    """One signed token and what it says."""

    def __init__(self, chooser: random.Random, family: dict[str, Any], number: int) -> None:
        alg, which = chooser.choice(family["sign"])
        self.issuer = chooser.choice((ISSUER, ISSUER, OTHER_ISSUER))
        members = [b'"iss":"%s","aud":"%s","sub":"s%d"' % (self.issuer.encode(), AUDIENCE.encode(), number)]
        self.dates = {name: chooser.choice(choices) for name, choices in DATES.items()}
        members += [b'"%s":%s' % (name.encode(), date(offset)) for name, offset in self.dates.items() if offset]
        self.jti = chooser.choice((None, *(f"j{n}" for n in range(JTIS))))
        if self.jti is not None:
            written = self.jti.replace("j", r"\u006a") if chooser.random() < 0.3 else self.jti
            members.append(b'"jti":"%s"' % written.encode())
        if chooser.random() < 0.4:
            members.append(b'"x":%s' % dumps(["z" * chooser.randrange(400), {"deep": [1.5, None, 2**60]}]))
        kid = chooser.choice(family["kids"])
        said = "EdDSA" if alg.startswith("Ed") and chooser.random() < 0.7 else alg
        head = header(said) if kid is None else header(said, kid=kid)
        self.text = compact(head, b"{" + b",".join(members) + b"}", alg=alg, key=secret_key(alg, which))
        self.forms: list[Any] = [self.text, self.text.encode(), self.padded(alg, which), self.tampered(chooser)]
        if alg == "ES256":
            self.forms.append(self.twin())

    def padded(self, alg: str, which: int) -> str:
        """The same with padding, which load balancers sign with the rest."""
        parts = [part + "=" * (-len(part) % 4) for part in self.text.split(".")[:2]]
        text = resign(".".join(parts), alg, secret_key(alg, which))
        return text + "=" * (-len(text.rpartition(".")[2]) % 4)

    def tampered(self, chooser: random.Random) -> str:
        at = chooser.randrange(len(self.text))
        return self.text[:at] + ("A" if self.text[at] != "A" else "B") + self.text[at + 1 :]

    def twin(self) -> str:
        """The other signature that ECDSA allows."""
        head, _, signature = self.text.rpartition(".")
        raw = unb64u(signature)
        s = ORDERS["ES256"] - int.from_bytes(raw[32:], "big")
        return f"{head}.{b64u(raw[:32] + s.to_bytes(32, 'big'))}"


class Switch:
    """A caller's own revocation check, by jti; can break."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.answer: Any = None

    def is_revoked(self, token: Any, *, fresh: bool) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return token.token_id in self.revoked if self.answer is None else self.answer


class World:
    """The pair and its surroundings."""

    def __init__(self, seed: int, *, issuers: bool = False, texts: int = 60) -> None:
        self.chooser = chooser = random.Random(seed)
        self.issuers = issuers
        self.family = FAMILIES["public" if chooser.random() < 0.15 else "secret"]
        self.now = START
        self.cache = TokenCache(
            max_bytes=chooser.choice((16 << 10, 24 << 10, 64 << 10, 1 << 20)),
            max_entries=chooser.choice((None, 1, 7, 30)),
            ttl=chooser.choice((None, None, 1, 2.5, 5000)),
        )
        self.index = RevocationIndex() if chooser.random() < 0.5 else None
        self.switch = Switch() if self.index is None and chooser.random() < 0.5 else None
        self.options = dict.fromkeys((ISSUER, OTHER_ISSUER), chooser.choice(POLICIES))
        self.present = dict.fromkeys((ISSUER, OTHER_ISSUER) if issuers else (ISSUER,), self.family["first"])
        self.policies = {issuer: self.policy(issuer) for issuer in self.options}
        both = {"revocations": self.switch if self.index is None else self.index}
        keys = self.keys()
        rest = () if issuers else (self.policies[ISSUER],)
        self.cached = Verifier(keys, *rest, cache=self.cache, **both)
        self.plain = Verifier(keys, *rest, cache=None, **both)
        self.texts = [Text(chooser, self.family, number) for number in range(texts)]
        self.edges = sorted({edge for text in self.texts for edge in self.edges_of(text)})
        self.verdicts: Counter[str] = Counter()

    def policy(self, issuer: str) -> Policy:
        expected = issuer if self.issuers else (ISSUER, OTHER_ISSUER)
        return Policy(
            algorithms=self.family["algorithms"], issuer=expected, audience=AUDIENCE,
            **{"require": ("iss", "aud"), **self.options[issuer]},
        )  # fmt: skip

    def key_set(self, issuer: str) -> KeySet:
        return KeySet([key_of(identity) for identity in self.present[issuer]])

    def keys(self) -> Any:
        if not self.issuers:
            return self.key_set(ISSUER)
        return {issuer: (self.key_set(issuer), self.policies[issuer]) for issuer in self.present}

    @staticmethod
    def edges_of(text: Text) -> Iterator[int]:
        for name, offset in text.dates.items():
            if not offset:
                continue
            at = int(float(offset) * SECOND)
            shifts = (0, 2, 0.5, 1) if name == "exp" else (0, -2, -0.5, -1, 3, 4, 4.5)
            for shift in shifts:
                yield START + at + int(shift * SECOND)

    # -- what can happen

    def verify(self, which: int, form: int = 0, *, fresh: bool = False, read: bool = False) -> None:
        chosen = self.texts[which % len(self.texts)]
        text = chosen.forms[form % len(chosen.forms)]
        fresh = fresh and (self.index is not None or self.switch is not None)
        seen, expected = self.ask(self.cached, text, fresh), self.ask(self.plain, text, fresh)
        self.verdicts[expected[1] if isinstance(expected, tuple) else "accepted"] += 1
        if isinstance(expected, tuple) or isinstance(seen, tuple):
            assert seen == expected, (text, seen, expected)
        else:
            same_token(seen, expected, read)
        self.bounds_hold()

    @staticmethod
    def ask(way_in: Verifier, text: Any, fresh: bool) -> Any:
        try:
            return way_in.verify(text, fresh=True) if fresh else way_in.verify(text)
        except JotgateError as error:
            return type(error), error.code, error.claim

    def move_clock(self, ns: int) -> None:
        self.now = max(ns, 0)
        _clock.set_wall_clock_for_tests(self.now)

    def clock_to_edge(self, which: int, nudge: int) -> None:
        self.move_clock(self.edges[which % len(self.edges)] + nudge)

    def clock_by(self, ns: int) -> None:
        self.move_clock(self.now + ns)

    def present_keys(self, identities: list[Identity], issuer: str = ISSUER) -> None:
        """Replace the keys of an issuer; a set that nobody could build is left out."""
        before = self.present.get(issuer)
        self.present[issuer] = identities
        try:
            self.key_set(issuer)
        except InvalidKeyError:
            if before is None:
                del self.present[issuer]
            else:
                self.present[issuer] = before
            return
        self.replace()

    def replace(self) -> None:
        keys = self.keys()
        self.cached.replace_keys(keys)
        self.plain.replace_keys(keys)

    def change_policy(self, which: int, issuer: str) -> None:
        """With a mapping; one that is equal to the old one but another object counts as the same."""
        if self.issuers:
            self.options[issuer] = POLICIES[which % len(POLICIES)]
            self.policies[issuer] = self.policy(issuer)
            self.replace()

    def remove_issuer(self, issuer: str) -> None:
        if self.issuers and issuer in self.present and len(self.present) > 1:
            del self.present[issuer]
            self.replace()

    def revoke(self, number: int) -> None:
        if self.index is not None:
            self.index.revoke(f"j{number % JTIS}", NOW + 100_000)
        elif self.switch is not None:
            self.switch.revoked ^= {f"j{number % JTIS}"}

    def answer(self, value: Any) -> None:
        if self.switch is not None:
            self.switch.answer = value

    def clear(self) -> None:
        self.cache.clear()
        assert len(self.cache) == 0

    def attack_result(self, which: int) -> None:
        token = self.ask(self.cached, self.texts[which % len(self.texts)].text, False)
        if isinstance(token, tuple):
            return
        before = token.payload
        for change in (
            lambda: token.claims.__setitem__("sub", "admin"),
            lambda: token.claims._members.update(sub="admin"),
            lambda: setattr(token, "subject", "admin"),
            lambda: setattr(token, "payload", b"{}"),
            lambda: token.header.__setitem__("kid", "x"),
        ):
            with pytest.raises((TypeError, AttributeError)):
                change()
        copy = token.to_dict()
        copy["sub"] = "admin"
        copy.setdefault("x", [[], {}])[1]["deep"] = "admin"
        assert token.payload == before
        self.verify(which, read=True)

    def bounds_hold(self) -> None:
        now = self.cache.stats()
        assert 0 <= now["bytes"] <= self.cache.max_bytes
        assert 0 <= now["entries"] == len(self.cache)
        assert self.cache.max_entries is None or now["entries"] <= self.cache.max_entries


def same_token(seen: Any, expected: Any, read: bool) -> None:
    assert seen.payload == expected.payload
    assert (seen.alg, seen.kid, seen.token_id, seen.subject) == (
        expected.alg, expected.kid, expected.token_id, expected.subject
    )  # fmt: skip
    if read:
        assert seen.to_dict() == expected.to_dict()
        assert seen.claims == expected.claims
        assert seen.header.to_dict() == expected.header.to_dict()
        assert (seen.issuer, seen.audience, seen.expires_at, seen.issued_at) == (
            expected.issuer, expected.audience, expected.expires_at, expected.issued_at
        )  # fmt: skip


_KEYS: dict[Identity, VerificationKey] = {}


def key_of(identity: Identity) -> VerificationKey:
    if identity not in _KEYS:
        kid, alg, which = identity
        _KEYS[identity] = verification_key(alg, kid=kid, which=which)
    return _KEYS[identity]


def reset_clock() -> None:
    """Stop the wall clock at the start of every world."""
    _clock.set_wall_clock_for_tests(START)


@contextmanager
def stopped_clock() -> Iterator[None]:
    """Let it run again at the end."""
    reset_clock()
    try:
        yield
    finally:
        _clock.set_wall_clock_for_tests(None)

"""How Jotgate is asked: new tokens, known tokens, batches; and a ``dict`` to hold the known ones against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jotgate import Policy, VerificationKey, Verifier
from jotgate.batch import LEAST_SHARE
from jotgate.cli.bench.worker import Row
from jotgate.cli.bench.workload import AUDIENCE, ISSUER
from jotgate.workers import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from jotgate.cli.bench.workload import Key, Workload

READ, VERIFY, HIT, HIT_READ, DICT = "read", "verify", "hit", "hit_read", "dict"
BATCH = "batch "
"""Followed by the number of threads."""

KNOWN_TOKENS = 500


def thread_counts(cores: int) -> list[int]:
    """Return the numbers of threads to show: 1, 2, 4 and so on, and all cores."""
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})


def verification_key(key: Key) -> VerificationKey:
    """Load the key of a workload."""
    if key.secret is not None:
        return VerificationKey.from_secret(key.secret, alg=key.alg, kid="bench")
    return VerificationKey.from_jwk(key.jwk or {})


def policy(key: Key) -> Policy:
    """Return the policy that every library is held to."""
    return Policy(algorithms=[key.alg], issuer=ISSUER, audience=AUDIENCE)


def rows(work: Workload) -> dict[str, Row]:
    """Build verifiers with and without a cache, and let the cache see what it is to know."""
    key, terms = verification_key(work.key), policy(work.key)
    cold, warm = Verifier(key, terms, cache=None), Verifier(key, terms)
    known = dict(zip(work.texts[:KNOWN_TOKENS], work.claims, strict=False))
    hits = _hits(warm, known)
    # With fewer texts than this for each, a batch would leave threads idle.
    useful = max(1, len(work.texts) // LEAST_SHARE)
    batches = {
        f"{BATCH}{threads}": Row(_batch(cold, threads), _claims, whole=True)
        for threads in thread_counts(min(usable_cores(), useful))
    }
    return {
        VERIFY: Row(cold.verify, _claims),
        READ: Row(_reading(cold), _claims),
        HIT: Row(warm.verify, _claims, most=len(known), hits=hits),
        HIT_READ: Row(_reading(warm), _claims, most=len(known), hits=hits),
        DICT: Row(known.get, _itself, most=len(known)),
        **batches,
    }


def _hits(verifier: Verifier, texts: Collection[str]) -> float:
    """Let a verifier see tokens until its cache has settled, and return the share of them that it then knows.

    It need not know all: a bucket of the cache holds seven, and of tokens that fall into a full one some are forgotten.
    """
    before = 0
    for _ in range(3):
        before = verifier.stats()["hits"]
        for text in texts:
            _ = verifier.verify(text).claims
    return float(verifier.stats()["hits"] - before) / max(1, len(texts))


def _reading(verifier: Verifier) -> Callable[[str], Any]:
    """Return what a caller does who wants the claims: verify, and take one out of them."""
    verify = verifier.verify

    def call(text: str) -> Any:
        token = verify(text)
        token.claims["sub"]
        return token

    return call


def _batch(verifier: Verifier, threads: int) -> Callable[[list[str]], Any]:
    return lambda texts: verifier.verify_batch(texts, threads)


def _claims(token: Any) -> Any:
    return token.to_dict()


def _itself(claims: Any) -> Any:
    return claims

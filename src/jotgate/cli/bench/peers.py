"""The other libraries: which are installed, and how each is asked the same question in its fastest way.

An adapter builds the key object once and returns a callable that checks signature, issuer, audience and expiry, and
raises for a token that fails. It raises, too, if the library does not have the algorithm. Adapters run in workers:
nothing here is imported where the command runs.
"""

from __future__ import annotations

import json
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from jotgate.cli.bench.worker import Row
from jotgate.cli.bench.workload import AUDIENCE, ISSUER

if TYPE_CHECKING:
    from jotgate.cli.bench.workload import Key, Workload

READ = "read"
_REQUIRED = ("exp", "iss", "aud")


class Peer(NamedTuple):
    """A library that may be installed beside Jotgate."""

    name: str
    """As its own project writes it; also the name of the distribution."""
    module: str
    adapter: str
    """``module:function``, which takes a workload and returns rows."""


class Installed(NamedTuple):
    """A library that is."""

    name: str
    version: str
    adapter: str


_HERE = __name__
PEERS = (
    Peer("PyJWT", "jwt", f"{_HERE}:pyjwt"),
    Peer("joserfc", "joserfc", f"{_HERE}:joserfc"),
    Peer("Authlib", "authlib", f"{_HERE}:authlib"),
    Peer("python-jose", "jose", f"{_HERE}:python_jose"),
    Peer("jwcrypto", "jwcrypto", f"{_HERE}:jwcrypto"),
    Peer("oxyjwt", "oxyjwt", f"{_HERE}:oxyjwt"),
    Peer("ryjwt", "ryjwt", f"{_HERE}:ryjwt"),
)


def installed() -> list[Installed]:
    """Return the libraries of ``PEERS`` that this environment has, without importing any."""
    found = []
    for peer in PEERS:
        try:
            version = metadata.version(peer.name)
        except metadata.PackageNotFoundError:
            continue
        if find_spec(peer.module) is not None:
            found.append(Installed(peer.name, version, peer.adapter))
    return found


def pyjwt(work: Workload) -> dict[str, Row]:
    """Prepare the key object once, as PyJWT's documentation advises for speed."""
    jwt: Any = import_module("jwt")
    algorithms = [work.key.alg]
    prepared = jwt.get_algorithm_by_name(work.key.alg).prepare_key(work.key.material)
    options = {"require": list(_REQUIRED)}
    decode = jwt.decode

    def call(text: str) -> Any:
        return decode(text, prepared, algorithms=algorithms, audience=AUDIENCE, issuer=ISSUER, options=options)

    return {READ: Row(call, dict)}


def joserfc(work: Workload) -> dict[str, Row]:
    """`jwt.decode` checks the signature, a claims registry the rest."""
    jwk, jwt, jws = (import_module(f"joserfc.{name}") for name in ("jwk", "jwt", "jws"))
    _known(work.key, jws.JWSRegistry.algorithms)
    types = {"HS": jwk.OctKey, "RS": jwk.RSAKey, "PS": jwk.RSAKey, "ES": jwk.ECKey, "Ed": jwk.OKPKey}
    key = types[work.key.alg[:2]].import_key(work.key.material)
    registry = jwt.JWTClaimsRegistry(**_essential())
    algorithms = [work.key.alg]
    decode, validate = jwt.decode, registry.validate

    def call(text: str) -> Any:
        token = decode(text, key, algorithms=algorithms)
        validate(token.claims)
        return token

    return {READ: Row(call, lambda token: dict(token.claims))}


def authlib(work: Workload) -> dict[str, Row]:
    """`authlib.jose`: deprecated in favour of joserfc, and still what many services run."""
    jose: Any = import_module("authlib.jose")
    decode = jose.JsonWebToken([work.key.alg]).decode
    _known(work.key, jose.JsonWebSignature.ALGORITHMS_REGISTRY)
    types = {"HS": jose.OctKey, "RS": jose.RSAKey, "PS": jose.RSAKey, "ES": jose.ECKey, "Ed": jose.OKPKey}
    key = types[work.key.alg[:2]].import_key(work.key.material)
    options = _essential()

    def call(text: str) -> Any:
        claims = decode(text, key, claims_options=options)
        claims.validate()
        return claims

    return {READ: Row(call, dict)}


def python_jose(work: Workload) -> dict[str, Row]:
    """python-jose, over the backend that it picks itself."""
    jwk, jwt, constants = (import_module(f"jose.{name}") for name in ("jwk", "jwt", "constants"))
    _known(work.key, constants.ALGORITHMS.SUPPORTED)
    algorithms = [work.key.alg]
    key = jwk.construct(work.key.secret or work.key.material.decode("ascii"), work.key.alg)
    options = {f"require_{name}": True for name in _REQUIRED}
    decode = jwt.decode

    def call(text: str) -> Any:
        return decode(text, key, algorithms=algorithms, audience=AUDIENCE, issuer=ISSUER, options=options)

    return {READ: Row(call, dict)}


def jwcrypto(work: Workload) -> dict[str, Row]:
    """A `JWT` object a token; its claims are JSON text, which the caller parses."""
    jwk, jwt, jwa = (import_module(f"jwcrypto.{name}") for name in ("jwk", "jwt", "jwa"))
    jwa.JWA.signing_alg(work.key.alg)
    if work.key.secret is not None:
        key = jwk.JWK(kty="oct", k=_b64url(work.key.secret))
    else:
        key = jwk.JWK.from_pem(work.key.material)
    algorithms = [work.key.alg]
    expected = {"iss": ISSUER, "aud": AUDIENCE, "exp": None}
    token, loads = jwt.JWT, json.loads

    def call(text: str) -> Any:
        # The type is named, or it would be guessed from the claims to check.
        return loads(token(jwt=text, key=key, algs=algorithms, check_claims=expected, expected_type="JWS").claims)

    return {READ: Row(call, dict)}


def oxyjwt(work: Workload) -> dict[str, Row]:
    """`options` stays unset: with it every call would leave the library's native fast path."""
    library: Any = import_module("oxyjwt")
    load = {
        "HS": library.DecodingKey.from_secret,
        "RS": library.DecodingKey.from_rsa_pem,
        "PS": library.DecodingKey.from_rsa_pem,
        "ES": library.DecodingKey.from_ec_pem,
        "Ed": library.DecodingKey.from_ed_pem,
    }
    _known(work.key, [*_RUST, "EdDSA"] if work.key.name != "Ed448" else _RUST)
    key = load[work.key.alg[:2]](work.key.material)
    decode, algorithms = library.decode, [work.key.alg]

    def call(text: str) -> Any:
        return decode(text, key, algorithms, audience=AUDIENCE, issuer=ISSUER)

    return {READ: Row(call, dict)}


def ryjwt(work: Workload) -> dict[str, Row]:
    """The bound native method itself: no Python function stands around the call."""
    library: Any = import_module("ryjwt")
    _known(work.key, [*_RUST, "EdDSA"] if work.key.name != "Ed448" else _RUST)
    kind = library.SecretKey if work.key.secret is not None else library.PublicKey
    key = kind(work.key.material, algorithms=[work.key.alg], audience=AUDIENCE, issuer=ISSUER)
    return {READ: Row(key.decode, dict)}


# Of both native libraries, which name no algorithms that could be asked for.
_RUST = (
    *(f"{family}{bits}" for family in ("HS", "RS", "PS") for bits in (256, 384, 512)),
    "ES256",
    "ES384",
)


def _known(key: Key, names: Any) -> None:
    if key.alg not in names:
        raise LookupError("the library does not have this algorithm")


def _essential() -> dict[str, dict[str, Any]]:
    """Return what joserfc and Authlib check, in the form both take."""
    return {
        "exp": {"essential": True},
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": AUDIENCE},
    }


def _b64url(data: bytes) -> str:
    from jotgate._codec import b64url_encode

    return b64url_encode(data)

"""Loading keys, building policies and verifiers, replacing keys: nothing stays behind."""

import json

from cryptography.hazmat.primitives import serialization
from measure import assert_steady, code_of
from support import ALGORITHMS, HMAC, ISSUER, NOW, clock_at, policy, secret_key, token, verification_key

from jotgate import KeySet, Policy, SigningKey, VerificationKey, Verifier

with clock_at(NOW):
    for alg in ALGORITHMS:
        rounds = 60 if alg.startswith(("ML", "RS", "PS")) else 200
        assert_steady(f"load {alg}", lambda alg=alg: verification_key(alg, kid="k").thumbprint(), rounds)
        jwk = verification_key(alg, kid="k").to_jwk() if alg not in HMAC else {"kty": "oct", "alg": alg, "k": "A" * 100}
        assert_steady(f"load {alg} JWK", lambda jwk=jwk: VerificationKey.from_jwk(jwk), rounds)
    pem = (
        secret_key("ES256")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    assert_steady("load PEM", lambda: VerificationKey.from_pem(pem, alg="ES256"), 300)
    document = json.dumps({"keys": [verification_key(alg, kid=alg).to_jwk() for alg in ("ES256", "RS256", "EdDSA")]})
    assert_steady("load JWKS", lambda: KeySet.from_jwks(document).to_jwks(), 100)
    for wrong in (
        lambda: VerificationKey.from_secret(b"", alg="HS256"),
        lambda: VerificationKey.from_secret(pem, alg="HS256"),
        lambda: VerificationKey.from_pem(b"x", alg="ES256"),
        lambda: VerificationKey.from_pem(pem, alg="RS256"),
        lambda: VerificationKey.from_jwk({"kty": "EC"}),
        lambda: KeySet.from_jwks("{"),
        lambda: KeySet([verification_key("ES256"), verification_key("ES256", which=1)]),
        lambda: Policy(algorithms=["none"], issuer="x", audience="x"),
    ):
        assert code_of(wrong) in ("invalid_key", "invalid_policy")
        assert_steady("refuse a key", lambda wrong=wrong: code_of(wrong), 200, blocks=140)  # 3.13 keeps up to 110
    assert_steady("generate and sign", lambda: SigningKey.generate("ES256").sign(b"x"), 100)
    assert_steady(
        "policy",
        lambda: policy("ES256", typ="x", subject="s", crit=("a", "b"), require=("exp", "jti", "x")),
        2_000,
    )
    key, rules = verification_key("ES256"), policy("ES256")
    assert_steady("verifier", lambda: Verifier(key, rules), 1_000)
    assert_steady("verifier of issuers", lambda: Verifier({ISSUER: (key, rules)}), 1_000)
    way_in, text = Verifier(key, rules), token("ES256")

    def replace_and_verify() -> None:
        way_in.replace_keys(verification_key("ES256"))
        way_in.verify(text)

    assert_steady("replace keys", replace_and_verify, 300)

"""Providers that customers and developers sign in with."""

import secrets

from shapes import ISSUED, Signer, b64url, compact_json, sha1_of, standard_base64, write


def auth0() -> None:
    """Auth0: an audience array with the userinfo endpoint, an issuer with a last slash, namespaced claims."""
    issuer = "https://example-tenant.eu.auth0.com/"
    client = secrets.token_urlsafe(24)
    keys, signers = [], []
    for _ in range(2):
        signer, kid = Signer(), secrets.token_urlsafe(16)[:21]
        certificate = signer.certificate("example-tenant.eu.auth0.com")
        signers.append((kid, signer))
        keys.append(
            {
                "kty": "RSA",
                "use": "sig",
                **signer.members,
                "kid": kid,
                "x5t": sha1_of(certificate),
                "x5c": [standard_base64(certificate)],
                "alg": "RS256",
            }
        )
    kid, signer = signers[0]
    access = {
        "https://shop.example.com/roles": ["clerk"],
        "iss": issuer,
        "sub": "auth0|" + secrets.token_hex(12),
        "aud": ["https://api.shop.example.com/", issuer + "userinfo"],
        "iat": ISSUED,
        "exp": ISSUED + 86400,
        "scope": "openid profile email read:orders",
        "azp": client,
        "permissions": ["read:orders"],
    }
    profiled = {
        "iss": issuer,
        "sub": client + "@clients",
        "aud": "https://api.shop.example.com/",
        "iat": ISSUED,
        "exp": ISSUED + 86400,
        "scope": "read:orders write:orders",
        "jti": secrets.token_urlsafe(16)[:21],
        "client_id": client,
    }
    write(
        "auth0",
        {"jwks.json": {"keys": keys}},
        {
            "access": {
                "text": signer.token(compact_json({"alg": "RS256", "typ": "JWT", "kid": kid}), access),
                "policy": {
                    "algorithms": ["RS256"],
                    "issuer": issuer,
                    "audience": "https://api.shop.example.com/",
                    "authorized_party": client,
                },
                "expect": {"subject": access["sub"], "claims": {"permissions": ["read:orders"]}},
            },
            "access_rfc9068": {
                "text": signer.token(compact_json({"alg": "RS256", "typ": "at+jwt", "kid": kid}), profiled),
                "policy": {
                    "algorithms": ["RS256"],
                    "issuer": issuer,
                    "audience": "https://api.shop.example.com/",
                    "typ": "at+jwt",
                    "require": ["exp", "iss", "aud", "sub", "client_id", "iat", "jti"],
                },
                "expect": {"subject": profiled["sub"], "claims": {"client_id": client}},
            },
        },
    )


def google() -> None:
    """Google: ``kid`` of 40 hexadecimal digits, two keys at a time, two spellings of the issuer."""
    client = "407408718192-" + secrets.token_hex(16) + ".apps.googleusercontent.com"
    signers = [(secrets.token_hex(20), Signer()) for _ in range(2)]
    keys = [
        {"e": "AQAB", "kid": kid, "kty": "RSA", "use": "sig", "n": signer.members["n"], "alg": "RS256"}
        for kid, signer in signers
    ]
    kid, signer = signers[1]
    claims = {
        "iss": "https://accounts.google.com",
        "azp": client,
        "aud": client,
        "sub": "104857600000000000001",
        "hd": "example.com",
        "email": "zoe@example.com",
        "email_verified": True,
        "at_hash": b64url(secrets.token_bytes(16)),
        "nonce": "0394852-3190485-2490358",
        "name": "Zoë Ångström",
        "picture": "https://lh3.googleusercontent.com/a/example=s96-c",
        "given_name": "Zoë",
        "family_name": "Ångström",
        "iat": ISSUED,
        "exp": ISSUED + 3600,
    }
    write(
        "google",
        {"jwks.json": {"keys": keys}},
        {
            "id": {
                "text": signer.token(compact_json({"alg": "RS256", "kid": kid, "typ": "JWT"}), claims),
                "policy": {
                    "algorithms": ["RS256"],
                    "issuer": ["https://accounts.google.com", "accounts.google.com"],
                    "audience": client,
                    "authorized_party": client,
                },
                "expect": {"subject": claims["sub"], "claims": {"hd": "example.com", "email_verified": True}},
            }
        },
    )


def okta() -> None:
    """Okta: no ``typ``, ``ver`` a number, ``scp`` an array, the client in ``cid`` and the user in ``uid``."""
    issuer = "https://dev-1234567.okta.com/oauth2/default"
    signers = [(b64url(secrets.token_bytes(32)), Signer()) for _ in range(2)]
    keys = [
        {"kty": "RSA", "alg": "RS256", "kid": kid, "use": "sig", "e": "AQAB", "n": signer.members["n"]}
        for kid, signer in signers
    ]
    kid, signer = signers[0]
    claims = {
        "ver": 1,
        "jti": "AT." + b64url(secrets.token_bytes(32)),
        "iss": issuer,
        "aud": "api://default",
        "iat": ISSUED,
        "exp": ISSUED + 3600,
        "cid": "0oa1examplecid5d7",
        "uid": "00u1exampleuid5d7",
        "scp": ["openid", "profile", "orders:read"],
        "auth_time": ISSUED - 30,
        "sub": "zoe@example.com",
    }
    write(
        "okta",
        {"jwks.json": {"keys": keys}},
        {
            "access": {
                "text": signer.token(compact_json({"kid": kid, "alg": "RS256"}), claims),
                "policy": {
                    "algorithms": ["RS256"],
                    "issuer": issuer,
                    "audience": "api://default",
                    "subject": "zoe@example.com",
                    "require": ["exp", "iss", "aud", "cid", "jti"],
                },
                "expect": {"subject": "zoe@example.com", "claims": {"ver": 1, "scp": claims["scp"]}},
            }
        },
    )


def apple() -> None:
    """Apple: three keys at a time, short ``kid``, and the ES256 client secret a developer signs for it."""
    client, team = "com.example.shop", "9Z8Y7X6W5V"
    signers = [(secrets.token_urlsafe(12).replace("-", "a").replace("_", "b")[:10], Signer()) for _ in range(3)]
    keys = [
        {
            "kty": "RSA",
            "kid": kid,
            "use": "sig",
            "alg": "RS256",
            "n": signer.members["n"],
            "e": "AQAB",
        }
        for kid, signer in signers
    ]
    kid, signer = signers[2]
    identity = {
        "iss": "https://appleid.apple.com",
        "aud": client,
        "exp": ISSUED + 86400,
        "iat": ISSUED,
        "sub": f"000{secrets.randbelow(900) + 100}.{secrets.token_hex(16)}.0837",
        "c_hash": b64url(secrets.token_bytes(16)),
        "email": "q7w8e9r0t1@privaterelay.appleid.com",
        "email_verified": True,
        "is_private_email": True,
        "auth_time": ISSUED,
        "nonce_supported": True,
    }
    developer_kid, developer = "ABC123DEFG", Signer("ES256")
    secret = {
        "iss": team,
        "iat": ISSUED,
        "exp": ISSUED + 15_777_000,
        "aud": "https://appleid.apple.com",
        "sub": client,
    }
    developer_key = {"kty": "EC", "kid": developer_kid, "use": "sig", "alg": "ES256", **developer.members}
    write(
        "apple",
        {"jwks.json": {"keys": keys}, "client_secret.jwks.json": {"keys": [developer_key]}},
        {
            "id": {
                "text": signer.token(compact_json({"kid": kid, "alg": "RS256"}), identity),
                "policy": {
                    "algorithms": ["RS256"],
                    "issuer": "https://appleid.apple.com",
                    "audience": client,
                },
                "expect": {"subject": identity["sub"], "claims": {"is_private_email": True}},
            },
            "client_secret": {
                "jwks": "client_secret.jwks.json",
                "text": developer.token(compact_json({"alg": "ES256", "kid": developer_kid}), secret),
                "policy": {
                    "algorithms": ["ES256"],
                    "issuer": team,
                    "audience": "https://appleid.apple.com",
                    "subject": client,
                    "max_lifetime": 15_777_000,
                },
                "expect": {"subject": client, "claims": {"iss": team}},
            },
        },
    )

"""Providers that companies sign their own people in with, and the user pools beside them."""

import hashlib
import secrets

from shapes import ISSUED, Signer, b64url, compact_json, guid, sha1_of, standard_base64, write


def entra() -> None:
    """Microsoft Entra ID: keys without ``alg``, ``kid`` equal to ``x5t``, an ``issuer`` in each key."""
    tenant, client = guid(), guid()
    keys, signers = [], []
    for issuer in (f"https://login.microsoftonline.com/{tenant}/v2.0",) * 2:
        signer = Signer()
        certificate = signer.certificate("accounts.accesscontrol.windows.net")
        kid = sha1_of(certificate)
        signers.append((kid, signer))
        keys.append(
            {
                "kty": "RSA",
                "use": "sig",
                "kid": kid,
                "x5t": kid,
                **signer.members,
                "x5c": [standard_base64(certificate)],
                "cloud_instance_name": "microsoftonline.com",
                "issuer": issuer,
            }
        )
    kid, signer = signers[0]
    v2 = {
        "aud": client,
        "iss": f"https://login.microsoftonline.com/{tenant}/v2.0",
        "iat": ISSUED,
        "nbf": ISSUED,
        "exp": ISSUED + 4321,
        "aio": "AXQAi/8aAAAA" + standard_base64(secrets.token_bytes(66)),
        "azp": guid(),
        "azpacr": "1",
        "name": "Zoë Ångström",
        "oid": guid(),
        "preferred_username": "zoe@contoso.example",
        "rh": "1.AXoA" + b64url(secrets.token_bytes(36)) + ".",
        "roles": ["Invoices.Read", "Invoices.Approve"],
        "scp": "access_as_user",
        "sid": guid(),
        "sub": b64url(secrets.token_bytes(32)),
        "tid": tenant,
        "uti": b64url(secrets.token_bytes(16)),
        "ver": "2.0",
    }
    old_kid, old_signer = signers[1]
    v1 = {
        "aud": "api://" + client,
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": ISSUED,
        "nbf": ISSUED,
        "exp": ISSUED + 3900,
        "acr": "1",
        "aio": "E2ZgYFhj" + standard_base64(secrets.token_bytes(21)),
        "amr": ["pwd", "mfa"],
        "appid": guid(),
        "appidacr": "1",
        "ipaddr": "203.0.113.7",
        "oid": guid(),
        "rh": "1.AXoA" + b64url(secrets.token_bytes(36)) + ".",
        "scp": "user_impersonation",
        "sub": b64url(secrets.token_bytes(32)),
        "tid": tenant,
        "unique_name": "zoe@contoso.example",
        "uti": b64url(secrets.token_bytes(16)),
        "ver": "1.0",
    }
    write(
        "entra",
        {"jwks.json": {"keys": keys}},
        {
            "access_v2": {
                "text": signer.token(compact_json({"typ": "JWT", "alg": "RS256", "kid": kid}), v2),
                "policy": {
                    "algorithms": ["RS256"],
                    "issuer": v2["iss"],
                    "audience": client,
                    "require": ["exp", "iss", "aud", "tid", "oid"],
                },
                "expect": {"subject": v2["sub"], "claims": {"name": "Zoë Ångström", "ver": "2.0"}},
            },
            "access_v1": {
                "text": old_signer.token(
                    compact_json({"typ": "JWT", "alg": "RS256", "x5t": old_kid, "kid": old_kid}), v1
                ),
                "policy": {"algorithms": ["RS256"], "issuer": v1["iss"], "audience": v1["aud"]},
                "expect": {"subject": v1["sub"], "claims": {"amr": ["pwd", "mfa"]}},
            },
        },
    )


def cognito() -> None:
    """Amazon Cognito: ``kid`` in padded base64, a key each for ID and access tokens, no ``aud`` in the
    latter.
    """
    issuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Hq3Example"
    client = "4kpq7n5exampleclient8v2r"
    signers = [(standard_base64(secrets.token_bytes(32)), Signer()) for _ in range(2)]
    keys = [
        {"alg": "RS256", "e": "AQAB", "kid": kid, "kty": "RSA", "n": signer.members["n"], "use": "sig"}
        for kid, signer in signers
    ]
    user, origin, event = guid(), guid(), guid()
    identity = {
        "sub": user,
        "cognito:groups": ["billing", "eu-central-1_Hq3Example_Google"],
        "email_verified": True,
        "iss": issuer,
        "cognito:username": "google_104857600000000000001",
        "origin_jti": origin,
        "aud": client,
        "identities": [
            {
                "userId": "104857600000000000001",
                "providerName": "Google",
                "providerType": "Google",
                "issuer": None,
                "primary": "true",
                "dateCreated": "1767139200123",
            }
        ],
        "event_id": event,
        "token_use": "id",
        "auth_time": ISSUED - 5,
        "exp": ISSUED + 3600,
        "iat": ISSUED,
        "jti": guid(),
        "email": "zoe@example.com",
    }
    access = {
        "sub": user,
        "cognito:groups": ["billing", "eu-central-1_Hq3Example_Google"],
        "iss": issuer,
        "version": 2,
        "client_id": client,
        "origin_jti": origin,
        "event_id": event,
        "token_use": "access",
        "scope": "openid profile email invoices/read",
        "auth_time": ISSUED - 5,
        "exp": ISSUED + 3600,
        "iat": ISSUED,
        "jti": guid(),
        "username": "google_104857600000000000001",
    }
    texts = [
        signer.token(compact_json({"kid": kid, "alg": "RS256"}), claims)
        for (kid, signer), claims in zip(signers, (identity, access), strict=True)
    ]
    write(
        "cognito",
        {"jwks.json": {"keys": keys}},
        {
            "id": {
                "text": texts[0],
                "policy": {"algorithms": ["RS256"], "issuer": issuer, "audience": client},
                "expect": {"subject": user, "claims": {"token_use": "id", "email_verified": True}},
            },
            "access": {
                "text": texts[1],
                "policy": {
                    "algorithms": ["RS256"],
                    "issuer": issuer,
                    "audience": "ANY",
                    "require": ["exp", "iss", "sub", "client_id", "token_use"],
                },
                "expect": {
                    "subject": user,
                    "claims": {"client_id": client, "token_use": "access", "version": 2},
                },
            },
        },
    )


def keycloak() -> None:
    """Keycloak: a header written with blanks, an encryption key beside the other, roles in nested objects."""
    issuer = "https://sso.example.com/realms/shop"
    keys = []
    signers = {}
    for alg, use in (("RS256", "sig"), ("RSA-OAEP", "enc")):
        signer, kid = Signer(), b64url(secrets.token_bytes(32))
        certificate = signer.certificate("shop")
        signers[use] = (kid, signer)
        keys.append(
            {
                "kid": kid,
                "kty": "RSA",
                "alg": alg,
                "use": use,
                "x5c": [standard_base64(certificate)],
                "x5t": sha1_of(certificate),
                "x5t#S256": b64url(hashlib.sha256(certificate).digest()),
                **signer.members,
            }
        )
    kid, signer = signers["sig"]
    claims = {
        "exp": ISSUED + 300,
        "iat": ISSUED,
        "auth_time": ISSUED - 2,
        "jti": "onrtac:" + guid(),
        "iss": issuer,
        "aud": ["orders", "account"],
        "sub": guid(),
        "typ": "Bearer",
        "azp": "web-shop",
        "sid": guid(),
        "acr": "1",
        "allowed-origins": ["https://shop.example.com", "+"],
        "realm_access": {"roles": ["default-roles-shop", "offline_access", "uma_authorization"]},
        "resource_access": {
            "orders": {"roles": ["read", "write"]},
            "account": {"roles": ["manage-account", "manage-account-links", "view-profile"]},
        },
        "scope": "openid email profile",
        "email_verified": False,
        "name": "Zoë Ångström",
        "preferred_username": "zoe",
        "given_name": "Zoë",
        "family_name": "Ångström",
        "email": "zoe@example.com",
    }
    write(
        "keycloak",
        {"jwks.json": {"keys": keys}},
        {
            "access": {
                "text": signer.token('{"alg":"RS256","typ" : "JWT","kid" : "' + kid + '"}', claims),
                "policy": {
                    "algorithms": ["RS256"],
                    "issuer": issuer,
                    "audience": "orders",
                    "typ": "JWT",
                    "authorized_party": "web-shop",
                },
                "expect": {
                    "subject": claims["sub"],
                    "claims": {"realm_access": claims["realm_access"], "typ": "Bearer"},
                },
            }
        },
    )

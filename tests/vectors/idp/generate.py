"""Make the tokens and JWKS documents of this directory, in the shapes that real identity providers give them.

Header and claim names, their order and JSON types, `kid` forms and JWKS members are the providers'; every
identifier, name and key is ours. Each token is signed once and its private key dropped, so a second run
makes new files that differ in keys and signatures and in nothing else. Run it from anywhere: ``python
tests/vectors/idp/generate.py``.
"""

from consumer import apple, auth0, google, okta
from workforce import cognito, entra, keycloak

if __name__ == "__main__":
    for provider in (apple, auth0, cognito, entra, google, keycloak, okta):
        provider()

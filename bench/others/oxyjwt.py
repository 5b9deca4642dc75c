"""oxyjwt. `options` stays unset: with it every call would leave the library's native fast path."""

from collections.abc import Callable
from typing import Any

import oxyjwt
from tokens import AUDIENCE, ISSUER

VERSION = oxyjwt.__version__
claims = dict


def bind(alg: str, key: bytes) -> Callable[[str], Any]:
    """Build the typed decoding key once."""
    load = {
        "HS256": oxyjwt.DecodingKey.from_secret,
        "RS256": oxyjwt.DecodingKey.from_rsa_pem,
        "ES256": oxyjwt.DecodingKey.from_ec_pem,
        "EdDSA": oxyjwt.DecodingKey.from_ed_pem,
    }
    prepared = load[alg](key)
    decode, algorithms = oxyjwt.decode, [alg]

    def call(text: str) -> Any:
        return decode(text, prepared, algorithms, audience=AUDIENCE, issuer=ISSUER)

    return call

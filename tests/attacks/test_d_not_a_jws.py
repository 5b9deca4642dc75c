"""Group D, the part that needs no decryption: what is encrypted or has more segments is not a JWS."""

import itertools

import pytest
from support import b64u, claims, doors, dumps, refuses, token

pytestmark = pytest.mark.usefixtures("frozen_clock")


@pytest.mark.parametrize("door", ["verifier", "issuers", "jws"])
def test_d10_an_encrypted_token_is_not_a_signed_one(door: str) -> None:
    way_in = doors("RS256")[door]
    for alg, enc in itertools.product(("RSA-OAEP", "RSA1_5", "dir", "RS256", "none"), ("A128GCM", "A256CBC-HS512")):
        head = b64u(dumps({"alg": alg, "enc": enc}))
        for key in ("", b64u(b"\0" * 256)):
            refuses(
                way_in,
                f"{head}.{key}.{b64u(bytes(12))}.{b64u(dumps(claims()))}.{b64u(bytes(16))}",
                "malformed",
            )
    # Three segments with a JWE's header: still decided by the allow-list.
    head, payload, signature = token("RS256").split(".")
    encrypted = b64u(dumps({"alg": "RSA-OAEP", "enc": "A128GCM"}))
    refuses(way_in, f"{encrypted}.{payload}.{signature}", "algorithm_not_allowed")


@pytest.mark.parametrize("door", ["verifier", "issuers", "jws"])
def test_d11_the_number_of_segments_is_exact(door: str) -> None:
    way_in = doors("HS256")[door]
    head, payload, signature = token().split(".")
    for count in range(1, 11):
        if count == 3:
            continue
        segments = [head, payload, signature, *itertools.repeat(signature, 8)][:count]
        refuses(way_in, ".".join(segments), "malformed")
        refuses(way_in, "." * (count - 1), "malformed")
    for text in (
        f".{token()}",
        f"{token()}.",
        f"{head}.{payload}..{signature}",
        f"{head}..{payload}.{signature}",
        "",
    ):
        refuses(way_in, text, "malformed")

"""Whatever a document holds, looking at it ends in a view, findings and text, or in InvalidKeyError."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import NOW
from unit.audit.keysets import certificate_of, jwk, x5c

from jotgate import KeySet
from jotgate.audit.findings import SEVERITIES
from jotgate.audit.keydiff import diff
from jotgate.audit.keylint import lint
from jotgate.audit.keysets import view
from jotgate.cli.keyreport import finding_as_json, key_as_json
from jotgate.errors import InvalidKeyError

KINDS = ("RS256", "ES256", "Ed25519", "ML-DSA-44")
NAMES = ("kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "pub", "k", "d", "x5c", "x5t", "x5t#S256")
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["RSA", "EC", "OKP", "AKP", "oct", "P-256", "EdDSA", "RS256", "sig", "enc", "AQAB", "", "verify"]),
    st.sampled_from(["HS256", "ES256", "RS384"]),
    st.lists(st.sampled_from(["sign", "verify", 1, None, [], {}, x5c()[0], "AAAA"]), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
KEYS = st.builds(
    lambda kind, changes, gone: {k: v for k, v in (jwk(kind, x5c=x5c()) | changes).items() if k not in gone},
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    st.sets(st.sampled_from(NAMES), max_size=2),
)


def looked_at(text: bytes) -> None:
    try:
        seen = view(text)
    except InvalidKeyError:
        return
    for key in seen.keys:
        assert (key.outcome == "skipped") == (key.cause is not None) == (key.reason != "") == (key.serves == ())
        json.dumps(key_as_json(key))
    for finding in lint(seen, NOW):
        assert finding.severity in SEVERITIES
        json.dumps(finding_as_json(finding))
    assert all(change.kind == "same" for change in diff(seen, view(text)))


@given(st.lists(KEYS, max_size=3))
def test_members_of_any_kind(keys):
    looked_at(json.dumps({"keys": keys}).encode("utf-8", "surrogatepass"))


@given(st.lists(KEYS, max_size=4), st.sampled_from([None, ("ES256",), ("RS256",), ("RS256", "PS256", "Ed25519")]))
def test_the_view_is_that_of_a_set_that_was_fetched(keys, allowed):
    """The verifier's own loader and the examination say the same of every key."""
    kids = iter("aabb")
    text = json.dumps({"keys": [{"kid": next(kids)} | key for key in keys]}).encode("utf-8", "surrogatepass")
    try:
        fetched, _ = KeySet._from_remote(text, allowed, max_keys=64)
    except InvalidKeyError:
        with pytest.raises(InvalidKeyError):
            view(text)
        return
    seen = view(text, algorithms=allowed).keys
    if allowed is not None:
        # The allowed algorithms choose for keys that name none; the policy judges the others when they are used.
        fetched = [key for key in fetched if header_names(key.alg) & set(allowed)]
    used = {(key.kid, key.thumbprint) for key in seen if key.outcome == "used"}
    assert used == {(key.kid, key.thumbprint()) for key in fetched}


def header_names(name):
    return {"Ed25519", "Ed448"} if name == "EdDSA" else {name}


@given(st.integers(0, 400), st.binary(max_size=4))
def test_damaged_certificates(place, piece):
    der = certificate_of()
    damaged = der[:place] + piece + der[place + len(piece) :]
    key = jwk(x5c=[base64.b64encode(damaged).decode()])
    looked_at(json.dumps({"keys": [key]}).encode())


@given(st.binary(max_size=60))
def test_bytes(data):
    looked_at(data)
    looked_at(b'{"keys":[' + data + b"]}")

"""Local verification first, the issuer's word where it matters."""

import asyncio

import pytest
from introspecting import INACTIVE, Endpoint, access_token, active, issuers_verifier
from support import ISSUER, NOW, SUBJECT, error_of, refuses, rejects

from jotgate import VerifiedToken
from jotgate.introspection.hybrid import HybridVerifier

pytestmark = pytest.mark.usefixtures("frozen_clock")


def hybrid(endpoint, **options):
    return HybridVerifier(issuers_verifier(), endpoint.client(), **options)


class Sensitive:
    """The call shape of a verifier."""

    def __init__(self, verifier):
        self.verifier = verifier

    def verify(self, text):
        return self.verifier.verify(text, sensitive=True)


def test_most_calls_ask_nobody():
    endpoint = Endpoint(INACTIVE)
    way_in = hybrid(endpoint)
    token = way_in.verify(access_token())
    assert type(token) is VerifiedToken
    assert asyncio.run(way_in.verify_async(access_token())) is token
    assert endpoint.calls == []


def test_a_sensitive_call_asks_the_issuer():
    endpoint = Endpoint(active(sub=SUBJECT, iss=ISSUER, jti="j1"))
    way_in = hybrid(endpoint)
    assert type(way_in.verify(access_token(), sensitive=True)) is VerifiedToken
    assert asyncio.run(way_in.verify_async(access_token(), sensitive=True)).subject == SUBJECT
    assert len(endpoint.calls) == 2
    endpoint.body = INACTIVE
    refuses(Sensitive(way_in), access_token(), "inactive")
    assert error_of(lambda: asyncio.run(way_in.verify_async(access_token(), sensitive=True))).code == "inactive"
    assert way_in.verify(access_token())


def test_what_the_verifier_refuses_is_not_asked_about():
    endpoint = Endpoint(active())
    refuses(Sensitive(hybrid(endpoint)), access_token(exp=NOW), "expired")
    refuses(Sensitive(hybrid(endpoint)), access_token()[:-8] + "AAAAAAAA", "bad_signature")
    assert endpoint.calls == []


def test_an_issuer_that_does_not_answer_refuses_with_503():
    endpoint = Endpoint()
    endpoint.error = OSError()
    error = refuses(Sensitive(hybrid(endpoint)), access_token(), "introspection_failed")
    assert error.http_status == 503


@pytest.mark.parametrize(
    ("members", "claim"),
    [({"sub": "x"}, "sub"), ({"iss": "https://x"}, "iss"), ({"jti": "j2"}, "jti"), ({"client_id": "b"}, "client_id")],
)
def test_an_answer_about_another_token_refuses(members, claim):
    refuses(Sensitive(hybrid(Endpoint(active(**members)))), access_token(), "invalid_claim", claim)


def test_what_only_one_of_them_says_is_no_disagreement():
    assert Sensitive(hybrid(Endpoint(b'{"active":true}'))).verify(access_token())
    bare = access_token(jti=None, client_id=None)
    assert Sensitive(hybrid(Endpoint(active(jti="j2", client_id="b")))).verify(bare)


def test_who_says_what_is_sensitive():
    endpoint = Endpoint(INACTIVE)
    refuses(hybrid(endpoint, sensitive=True), access_token(), "inactive")
    assert hybrid(endpoint, sensitive=True).verify(access_token(), sensitive=False)
    pays = hybrid(endpoint, sensitive=lambda token: "pay" in token.get("scope", ""))
    assert pays.verify(access_token(scope="read"))
    refuses(pays, access_token(scope="read pay"), "inactive")
    refuses(hybrid(endpoint, sensitive=lambda token: None), access_token(), "inactive")  # anything but False


def test_mistakes():
    client = Endpoint().client()
    rejects("invalid_policy", lambda: HybridVerifier(client, client))
    rejects("invalid_policy", lambda: HybridVerifier(issuers_verifier(), issuers_verifier()))
    rejects("invalid_policy", lambda: HybridVerifier(issuers_verifier(), client, sensitive=7))
    assert "secret" not in repr(hybrid(Endpoint()))

"""Who may call, and how a caller proves who it is."""

import base64
import hashlib

import pytest
from introspecting import (
    API,
    APP,
    FORM,
    INACTIVE,
    KEY,
    SECRET,
    access_token,
    basic,
    clients,
    issuers_verifier,
    partner,
    post,
)
from support import AUDIENCE, ISSUER, NOW, claims, error_of, rejects, signing_key, verification_key

from jotgate import ANY, KeySet, RemoteKeySet, jws
from jotgate.errors import StoreUnavailableError
from jotgate.introspection.auth import ASSERTION_TYPE, BasicAuth, Presented, PrivateKeyJwt
from jotgate.introspection.callers import Assertions, Callers, Client, ClientCertificate, ClientKeys, ClientSecret
from jotgate.introspection.endpoint import MAX_BODY_BYTES, Request, Response, read_request
from jotgate.introspection.responder import IntrospectionResponder
from jotgate.stores.memory import MemoryStore

pytestmark = pytest.mark.usefixtures("clock")

OTHER = signing_key("ES256", kid="other")
CERTIFICATE = b"a certificate in DER"
PARTNER, VAULT = "partner", "vault"


def responder(store=None, **options):
    table = clients(
        **{
            PARTNER: partner(),
            VAULT: Client(ClientCertificate.of(CERTIFICATE), audience=AUDIENCE),
        }
    )
    settings = {"clients": table, "assertions": Assertions(ISSUER, MemoryStore() if store is None else store)}
    return IntrospectionResponder(issuers_verifier(), **(settings | options))


def asserted(text=None, **changes):
    """A form with an assertion; changes are to its claims."""
    stated = {"iss": PARTNER, "sub": PARTNER, "aud": ISSUER, "jti": "a1", "iat": NOW, "exp": NOW + 60} | changes
    assertion = text or jws.sign({name: value for name, value in stated.items() if value is not None}, KEY)
    return {"token": access_token(), "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def is_active(answer):
    assert answer.status == 200
    return answer.body != INACTIVE


def is_refused(answer, status=401, error="invalid_client"):
    assert (answer.status, answer.body) == (status, f'{{"error":"{error}"}}'.encode())
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert answer.headers["cache-control"] == "no-store"
    return True


TOKEN = {"token": "t"}


# -- a secret


def test_a_secret():
    assert is_active(post(responder(), {"token": access_token()}))
    assert is_active(post(responder(), {"token": access_token()}, basic() | {"X": "1"}))


@pytest.mark.parametrize(
    "headers",
    [
        {}, basic(secret=SECRET[:-1]), basic(secret=""), basic("nobody"), basic("", ""), basic(API, SECRET + "x"),
        basic(APP), basic(PARTNER), basic(PARTNER, ""), basic(VAULT, ""), {"Authorization": ""},
        {"Authorization": "Basic"}, {"Authorization": "Basic !!!"}, {"Authorization": "Basic YQ"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"billing-api:%ff").decode()},
        {"Authorization": "Bearer " + basic()["Authorization"][6:]}, {"Authorization": "Bearer x"},
        {"Authorization": "Basic \u00e9"},
    ],
    ids=range(19),
)  # fmt: skip
def test_what_proves_nothing(headers):
    answer = post(responder(), TOKEN, headers)
    is_refused(answer)
    assert answer.headers["www-authenticate"] == 'Basic realm="introspection"'


def test_a_secret_in_the_body_is_not_taken():
    is_refused(post(responder(), TOKEN | {"client_id": API, "client_secret": SECRET}, {}))


def test_id_and_secret_are_form_decoded():
    secret, name = "a b+c%d:é-0123456789-0123456789-012345", "an id: +"
    way_in = responder(clients={name: Client(ClientSecret.of(secret))})
    assert post(way_in, TOKEN, basic(name, secret)).status == 200


def test_two_secrets_while_one_takes_the_place_of_another():
    way_in = responder(clients={API: Client(ClientSecret.of(SECRET), ClientSecret.of(SECRET[::-1]))})
    for secret in (SECRET, SECRET[::-1]):
        assert post(way_in, TOKEN, basic(API, secret)).status == 200


def test_a_secret_is_kept_as_its_digest():
    digest = hashlib.sha256(SECRET.encode()).digest()
    for kept in (ClientSecret(digest), ClientSecret(digest.hex()), ClientSecret.of(SECRET)):
        assert post(responder(clients={API: Client(kept)}), TOKEN).status == 200
        assert SECRET not in repr(kept)
        assert digest.hex() not in repr(kept)


# -- an assertion


def test_an_assertion():
    assert is_active(post(responder(), asserted(), {}))
    assert is_active(post(responder(), asserted() | {"client_id": PARTNER}, {}))
    assert is_active(post(responder(), asserted(aud=[ISSUER]), {}))


def test_the_assertions_that_our_client_makes():
    _, form = PrivateKeyJwt(PARTNER, KEY, ISSUER).present()
    assert is_active(post(responder(), {"token": access_token()} | form, {}))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "other"}, {"sub": API}, {"sub": "nobody"}, {"iss": None}, {"sub": None}, {"sub": 7}, {"aud": "other"},
        {"aud": [ISSUER, "other"]}, {"aud": None}, {"aud": []}, {"jti": None}, {"jti": ""}, {"jti": "x" * 257},
        {"jti": ["a"]}, {"exp": None}, {"exp": NOW - 10}, {"exp": NOW + 311}, {"exp": NOW + 3600}, {"nbf": NOW + 11},
        {"iat": NOW + 11},
    ],
    ids=range(20),
)  # fmt: skip
def test_assertions_that_prove_nothing(changes):
    store = MemoryStore()
    is_refused(post(responder(store), asserted(**changes), {}))
    assert not store._records


def test_how_long_an_assertion_may_live():
    patient = Assertions([ISSUER, "https://auth.example.com/introspect"], MemoryStore(), max_lifetime=3600)
    assert is_active(post(responder(assertions=patient), asserted(exp=NOW + 3600), {}))
    assert is_active(post(responder(), asserted(exp=NOW + 310), {}))
    assert ISSUER in repr(patient)


def test_an_assertion_of_another_key_or_none():
    text = jws.sign(claims(iss=PARTNER, sub=PARTNER, aud=ISSUER, jti="x"), signing_key("ES384"))
    for assertion in (
        text,
        text[:-4] + "AAAA",
        "x",
        "a.b.c",
        "",
        "é" * 9,
        jws.sign(b"no claims", KEY),
        jws.sign(claims(iss=PARTNER, sub=PARTNER, aud=ISSUER, jti="x"), signing_key("HS256")),
        jws.sign(claims(iss=API, sub=API, aud=ISSUER, jti="x"), KEY),  # a client without keys
        "x" * 20000,
    ):
        form = asserted("y") | {"client_assertion": assertion}
        is_refused(post(responder(), form, {}))


@pytest.mark.parametrize(
    "stated", ["", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", ASSERTION_TYPE + "x"]
)
def test_another_type_of_assertion(stated):
    is_refused(post(responder(), asserted() | {"client_assertion_type": stated}, {}))


def test_an_assertion_serves_once(clock):
    store = MemoryStore()
    way_in = responder(store)
    form = asserted()
    assert is_active(post(way_in, form, {}))
    is_refused(post(way_in, form, {}))
    is_refused(post(responder(store), form, {}))  # another process
    assert is_active(post(way_in, asserted(jti="a2"), {}))
    clock.advance(69)  # as long as the leeway lets it live
    is_refused(post(way_in, form, {}))


@pytest.mark.parametrize("seconds", [60, 300])
def test_an_assertion_serves_once_although_the_store_s_clock_is_ahead(clock, seconds):
    class Ahead(MemoryStore):
        def swap(self, name, old, new, until):
            # as Redis does with what has run out by its own clock
            return super().swap(name, old, new, until - seconds)

    way_in = responder(Ahead())
    assert is_active(post(way_in, asserted(), {}))
    for passed in (0, 5, 64):  # the last moment of its leeway
        clock.advance(passed)
        is_refused(post(way_in, asserted(), {}))


def test_the_ids_of_two_clients_are_two():
    table = {
        name: Client(ClientKeys(KEY.public(), algorithms=["ES256"]), audience=ANY) for name in (PARTNER, PARTNER + ":a")
    }
    way_in = responder(clients=table)
    assert is_active(post(way_in, asserted(jti="a:b"), {}))
    assert is_active(post(way_in, asserted(iss=PARTNER + ":a", sub=PARTNER + ":a", jti="b"), {}))


def test_a_store_that_does_not_answer():
    class Down(MemoryStore):
        def swap(self, name, old, new, until):
            raise StoreUnavailableError("down", "store_unavailable")

    answer = post(responder(Down()), asserted(), {})
    is_refused(answer, 503, "temporarily_unavailable")
    assert answer.headers["retry-after"] == "1"


def test_keys_that_cannot_be_fetched():
    def fetch(*_):
        raise OSError

    keys = RemoteKeySet("https://partner.example.com/jwks.json", fetch=fetch)
    table = {PARTNER: Client(ClientKeys(keys, algorithms=["ES256"]))}
    is_refused(post(responder(clients=table), asserted(), {}), 503, "temporarily_unavailable")
    keys.close()


def test_a_key_set():
    document = KeySet([KEY.public(), OTHER.public()]).to_jwks()
    table = {PARTNER: Client(ClientKeys(KeySet.from_jwks(document), algorithms=["ES256"]), audience=ANY)}
    assert is_active(post(responder(clients=table), asserted(), {}))


# -- a certificate


def test_a_certificate():
    form = {"token": access_token(), "client_id": VAULT}
    assert is_active(post(responder(), form, {}, certificate=CERTIFICATE))
    for wrong, shown in (
        (form, None),
        (form, b""),
        (form, CERTIFICATE + b"x"),
        ({"token": "t"}, CERTIFICATE),
        (form | {"client_id": "nobody"}, CERTIFICATE),
        (form | {"client_id": API}, CERTIFICATE),
    ):
        is_refused(post(responder(), wrong, {}, certificate=shown))


def test_a_certificate_does_not_stand_for_a_secret():
    is_refused(post(responder(), TOKEN, basic(VAULT, SECRET), certificate=CERTIFICATE))


# -- one way, one client


def test_two_ways_at_once_are_refused():
    is_refused(post(responder(), asserted(), basic()), 400, "invalid_request")
    is_refused(post(responder(), TOKEN | {"client_assertion": "x"}, basic()), 400, "invalid_request")
    is_refused(post(responder(), TOKEN | {"client_id": API, "client_secret": SECRET}, basic()), 400, "invalid_request")
    is_refused(post(responder(), asserted() | {"client_secret": SECRET}, {}), 400, "invalid_request")


def test_another_s_client_id_is_refused():
    is_refused(post(responder(), TOKEN | {"client_id": APP}), 400, "invalid_request")
    is_refused(post(responder(), asserted() | {"client_id": API}, {}), 400, "invalid_request")
    assert post(responder(), TOKEN | {"client_id": API}).status == 200


# -- the request


def sent(method="POST", headers=None, body=b"token=t"):
    return responder().respond(method, {"Content-Type": FORM} | basic() if headers is None else headers, body)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post", ""])
def test_only_post(method):
    answer = sent(method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"&", b"token", b"x=1", b"token=", b"token=t&token=t", b"token=t&x=1&x=2", b"token=\xe9", b"token=%ff",
        b"&".join(b"a%d=1" % number for number in range(33)), b"token=t;x", b"token=" + b"x" * MAX_BODY_BYTES,
        b'{"token":"t"}',
    ],
    ids=range(13),
)  # fmt: skip
def test_bodies_that_are_no_request(body):
    if body == b"token=t;x":
        assert sent(body=body).status == 200  # a semicolon is no separator
        return
    is_refused(sent(body=body), 400, "invalid_request")


@pytest.mark.parametrize("kind", [None, "", "application/json", "multipart/form-data", "text/plain", FORM + "x"])
def test_other_content_types(kind):
    headers = basic() if kind is None else basic() | {"Content-Type": kind}
    is_refused(sent(headers=headers), 400, "invalid_request")


def test_headers_in_every_shape():
    for headers in (
        {"CONTENT-TYPE": FORM.upper() + "; charset=UTF-8", "AUTHORIZATION": basic()["Authorization"]},
        [(b"content-type", FORM.encode()), (b"authorization", basic()["Authorization"].encode())],
        [("Content-Type", FORM), ("Authorization", basic()["Authorization"].replace("Basic", "bASIC")), ("x", "1")],
    ):
        assert sent(headers=headers).status == 200
    twice = [*basic().items(), *basic().items(), ("Content-Type", FORM)]
    is_refused(sent(headers=twice), 400, "invalid_request")


def test_fields_without_a_value_count_as_absent():
    request = read_request({"Content-Type": FORM}, b"a=&b=1&c=%20+", None)
    assert request.form == {"b": "1", "c": "  "}


def test_who_calls_is_asked_before_what_he_wants():
    is_refused(sent(headers={"Content-Type": FORM}, body=b"x=1"))


# -- mistakes


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClientSecret(b"x"), lambda: ClientSecret("zz" * 32), lambda: ClientSecret(None),
        lambda: ClientSecret(hashlib.sha256(b"").digest()), lambda: ClientSecret.of("short"),
        lambda: ClientSecret.of(None), lambda: ClientKeys(KEY.public(), algorithms=[]),
        lambda: ClientKeys(verification_key("HS256"), algorithms=["HS256"]), lambda: ClientCertificate("x"),
        lambda: ClientCertificate(None), lambda: Client(), lambda: Client(SECRET),
        lambda: Client(ClientSecret.of(SECRET), audience=[]), lambda: Client(ClientSecret.of(SECRET), audience=7),
        lambda: responder(clients={}), lambda: responder(clients=None), lambda: responder(clients={API: SECRET}),
        lambda: responder(clients={"": Client(ClientSecret.of(SECRET))}), lambda: responder(realm='a"b'),
        lambda: responder(realm=None), lambda: responder(throttle=7), lambda: responder(assertions=None),
        lambda: Callers(clients(k=Client(ClientKeys(KEY.public(), algorithms=["ES256"]))), None),
        lambda: responder(assertions=7), lambda: Assertions(ANY, MemoryStore()), lambda: Assertions([], MemoryStore()),
        lambda: Assertions(ISSUER, None), lambda: Assertions(ISSUER, MemoryStore(), max_lifetime=3601),
        lambda: ClientCertificate("é" * 43), lambda: ClientCertificate("=" * 43),
    ],
    ids=range(30),
)  # fmt: skip
def test_mistakes(make):
    error = error_of(make)
    assert SECRET not in str(error)
    rejects("invalid_policy", make)


def test_no_repr_of_a_request_shows_what_it_is_about():
    shown = [
        repr(Request(basic()["Authorization"], {"token": "canary"}, b"canary")),
        repr(Response(200, {}, b"canary")),
        repr(BasicAuth(API, SECRET).present()),
        repr(Presented({}, {"client_assertion": "canary"})),
    ]
    assert not any(secret in text for text in shown for secret in ("canary", SECRET, basic()["Authorization"]))


@pytest.mark.parametrize("thumbprint", ["\u00e9" * 43, "=" * 43, "A" * 42 + "B"])
def test_a_thumbprint_is_one(thumbprint):
    assert rejects("invalid_policy", lambda: ClientCertificate(thumbprint))

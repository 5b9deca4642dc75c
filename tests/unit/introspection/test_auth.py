"""How a client says who it is."""

import base64
import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from introspecting import API, KEY, SECRET, Endpoint, active
from support import ISSUER, NOW, error_of, rejects, secret_key, signing_key

from jotgate import Policy, SigningKey, Verifier
from jotgate.introspection.auth import ASSERTION_TYPE, BasicAuth, MutualTls, PrivateKeyJwt
from jotgate.introspection.callers import ClientSecret

pytestmark = pytest.mark.usefixtures("frozen_clock")


def test_basic_is_form_encoded_first():
    headers, form = BasicAuth("id with: +é"[:-1] + "x", "p:w +%é").present()
    assert form == {}
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")) == b"id+with%3A+%2Bx:p%3Aw+%2B%25%C3%A9"


def test_an_assertion_is_new_each_time_and_short_lived():
    auth = PrivateKeyJwt(API, KEY, ISSUER, lifetime=60)
    policy = Policy(
        algorithms=["ES256"], issuer=API, subject=API, audience=ISSUER, max_lifetime=60, require=["exp", "jti"]
    )
    verifier = Verifier(KEY.public(), policy)
    ids = set()
    for _ in range(5):
        headers, form = auth.present()
        assert headers == {}
        assert form["client_assertion_type"] == ASSERTION_TYPE
        token = verifier.verify(form["client_assertion"])
        assert (token.expires_at, token.issued_at) == (NOW + 60, NOW)
        ids.add(token.token_id)
    assert len(ids) == 5
    assert all(len(each) >= 22 for each in ids)


def test_the_client_sends_it_with_each_request():
    endpoint = Endpoint(active())
    client = endpoint.client(auth=PrivateKeyJwt(API, KEY, ISSUER))
    client.introspect("a")
    client.introspect("a")
    one, other = endpoint.forms
    assert one["client_assertion_type"] == ASSERTION_TYPE
    assert one["client_assertion"] != other["client_assertion"]


class Broken:
    alg = "ES256"
    kid = "k"

    def sign(self, data):
        raise OSError("c4n4ry")

    def public_jwk(self):
        return KEY.public_jwk()


def test_a_signer_that_fails_asks_nothing():
    endpoint = Endpoint(active())
    error = error_of(lambda: endpoint.client(auth=PrivateKeyJwt(API, Broken(), ISSUER)).introspect("t"))
    assert (error.code, endpoint.calls) == ("introspection_failed", [])
    assert "c4n4ry" not in f"{error} {error!r}"


@pytest.fixture
def pem(tmp_path):
    """A certificate and its key, in two files, the key also encrypted."""
    key = secret_key("ES256")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(begin).not_valid_after(begin.replace(year=2099)).sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = {each: tmp_path / each for each in ("cert", "key", "locked", "other", "junk")}
    paths["cert"].write_bytes(certificate.public_bytes(Encoding.PEM))
    for each, private, locked in (
        ("key", key, NoEncryption()),
        ("locked", key, BestAvailableEncryption(b"pass")),
        ("other", secret_key("ES256", 1), NoEncryption()),
    ):
        paths[each].write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    paths["junk"].write_text("c4n4ry")
    return paths


def test_a_certificate_and_its_key(pem):
    for auth in (
        MutualTls(API, pem["cert"], pem["key"]),
        MutualTls(API, str(pem["cert"]), pem["locked"], password="pass"),
        MutualTls(API, pem["cert"], pem["key"], cafile=pem["cert"]),
    ):
        assert auth.present() == ({}, {"client_id": API})
        assert auth.tls.check_hostname


def test_certificates_that_cannot_be_used(pem):
    for call in (
        lambda: MutualTls(API, pem["cert"], pem["other"]),
        lambda: MutualTls(API, pem["cert"], pem["locked"]),
        lambda: MutualTls(API, pem["cert"], pem["locked"], password="c4n4ry"),
        lambda: MutualTls(API, pem["junk"], pem["junk"]),
        lambda: MutualTls(API, pem["cert"].with_name("none")),
        lambda: MutualTls(API, pem["cert"], pem["key"], cafile=pem["junk"]),
        lambda: MutualTls(API, None),  # type: ignore[arg-type]
    ):
        error = rejects("invalid_policy", call)
        assert "c4n4ry" not in f"{error} {error!r}"
        assert error.__cause__ is None
        assert error.__suppress_context__


def test_its_settings_are_its_own(pem):
    auth = MutualTls(API, pem["cert"], pem["key"])
    import ssl

    rejects("invalid_policy", lambda: Endpoint().client(auth=auth, fetch=None, tls=ssl.create_default_context()))
    rejects("invalid_policy", lambda: Endpoint().client(auth=auth))


@pytest.mark.parametrize(
    "make",
    [
        lambda: BasicAuth("", SECRET), lambda: BasicAuth(None, SECRET), lambda: BasicAuth("é", SECRET),
        lambda: BasicAuth("a\n", SECRET), lambda: BasicAuth(API, ""), lambda: BasicAuth(API, b"x"),
        lambda: PrivateKeyJwt("", KEY, ISSUER), lambda: PrivateKeyJwt(API, None, ISSUER),
        lambda: PrivateKeyJwt(API, KEY.public(), ISSUER), lambda: PrivateKeyJwt(API, KEY, ""),
        lambda: PrivateKeyJwt(API, signing_key("HS256"), ISSUER), lambda: PrivateKeyJwt(API, KEY, ISSUER, lifetime=301),
        lambda: PrivateKeyJwt(API, KEY, ISSUER, lifetime=0),
    ],
    ids=range(13),
)  # fmt: skip
def test_mistakes(make):
    rejects("invalid_policy", make)


def test_no_repr_shows_a_secret(pem):
    private = KEY.to_jwk(private=True)["d"]
    shown = (
        f"{BasicAuth(API, SECRET)!r} {PrivateKeyJwt(API, KEY, ISSUER)!r} {MutualTls(API, pem['cert'], pem['key'])!r}"
    )
    assert shown.count(repr(API)) == 3
    shown += f"{BasicAuth(API, SECRET).present()!r} {PrivateKeyJwt(API, KEY, ISSUER).present()!r}"
    for secret in (SECRET, private, base64.b64encode(f"{API}:{SECRET}".encode()).decode(), "eyJhbG"):
        assert secret not in shown
    assert isinstance(KEY, SigningKey)


def test_a_secret_that_is_no_text_is_not_repeated():
    """As the environment hands it over where its bytes are not UTF-8."""
    secret = f"{SECRET}\udce9"
    for make in (lambda: BasicAuth(API, secret), lambda: ClientSecret.of(secret)):
        error = rejects("invalid_policy", make)
        assert SECRET not in repr((error, error.args, error.__cause__))
        assert error.__suppress_context__

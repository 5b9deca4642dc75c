"""How keys come to a verifier: RFC 7515 sections 4.1.2 and 8."""

import ssl

from services import certificates, wire
from support import policy, refuses, rejects, signing_key

from jotgate import RemoteKeySet, Verifier, jws
from jotgate.keys.public_document import PublicDocument

KEY = signing_key("ES256", kid="k")
TOKEN = jws.sign({"iss": "https://auth.example.com", "aud": "https://billing.example.com", "exp": 32503680000}, KEY)
BODY = PublicDocument(KEY).current().body


def test_rfc7515_8_keys_are_fetched_over_tls_with_server_validation(tmp_path) -> None:
    ours = certificates.Authority(tmp_path)
    foreign = certificates.Authority(tmp_path, "another CA")
    answer = wire.ANSWERS["ok"](BODY)

    def verdict_by(serving: ssl.SSLContext, trusted: ssl.SSLContext | None) -> str | None:
        with wire.Server(lambda _: answer, tls=serving) as server:
            url = server.url()
            with RemoteKeySet(url, tls=trusted, timeout=5) as keys, Verifier(keys, policy("ES256")) as way_in:
                if serving is good and trusted is not None:
                    return way_in.verify(TOKEN).kid
                return refuses(way_in, TOKEN, "key_fetch_failed").code

    good = ours.serving()
    assert verdict_by(good, ours.trusted()) == "k"
    for serving, trusted in (
        (foreign.serving(), ours.trusted()),  # a CA that is not trusted
        (ours.serving("other.example.com"), ours.trusted()),  # another host's certificate
        (ours.serving(until=certificates.EXPIRED), ours.trusted()),
        (good, None),  # the system's authorities do not know it
    ):
        assert verdict_by(serving, trusted) == "key_fetch_failed"


def test_rfc7515_8_no_setting_turns_server_validation_off() -> None:
    blind = ssl.create_default_context()
    blind.check_hostname = False
    rejects("invalid_policy", lambda: RemoteKeySet("https://auth.example.com/jwks.json", tls=blind))
    blind.verify_mode = ssl.CERT_NONE
    rejects("invalid_policy", lambda: RemoteKeySet("https://auth.example.com/jwks.json", tls=blind))
    rejects("invalid_policy", lambda: RemoteKeySet("http://auth.example.com/jwks.json", allow_http=True))

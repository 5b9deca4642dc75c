"""`jotgate doctor`: what it says, as text and as JSON, and its exit codes."""

import email.utils
import json

import pytest
import support
from services import certificates, wire
from unit.audit.keysets import document, jwk

KEYS = document(jwk(kid="a"), jwk(kid="b", which=1))
HEADERS = {
    "cache_control": "max-age=600",
    "etag": '"1"',
    "date": email.utils.formatdate(support.NOW, usegmt=True),
}


def publish(request):
    if request.headers.get("if-none-match") == '"1"':
        return [wire.answer(status="304 Not Modified")]
    return [wire.answer(KEYS, **HEADERS)]


def test_fine(run):
    with wire.Server(publish) as server:
        ran = run("doctor", "--allow-http", server.url())
    assert (ran.code, ran.err) == (0, "")
    assert f"jwks       {server.url()}  200, " in ran.out
    assert "application/jwk-set+json" in ran.out
    assert "clock      as here" in ran.out
    assert "caching    kept for 600 s, fetched anew in the background after 480 s; ETag answered by 304" in ran.out
    assert "keys       2 keys, 2 used" in ran.out
    assert "kid a  used for ES256" in ran.out
    assert ran.out.endswith("fine: tokens can be verified by these keys; found: nothing\n")


def test_json(run):
    with wire.Server(publish) as server:
        ran = run("doctor", "--json", "--allow-http", server.url())
    seen = ran.json()
    assert (ran.code, seen["verdict"], seen["issuer"], seen["jwks_url"]) == (0, "fine", None, server.url())
    assert (seen["lifetime_seconds"], seen["refresh_after_seconds"], seen["revalidates"]) == (600, 480, True)
    assert [key["kid"] for key in seen["keys"]] == ["a", "b"]
    assert seen["findings"] == []
    first, second = seen["requests"]
    assert first["size_bytes"] == len(KEYS)
    assert first["milliseconds"] >= 0
    assert (first["role"], first["status"], first["etag"], first["cache_control"]) == (
        "jwks",
        200,
        '"1"',
        "max-age=600",
    )
    assert (first["tls"], first["failure"], first["clock_difference_seconds"]) == (None, None, 0)
    assert second["status"] == 304


def test_an_issuer(run):
    def script(request):
        if request.target == "/.well-known/openid-configuration":
            body = {"issuer": server.origin, "jwks_uri": server.url("/keys")}
            return [wire.answer(json.dumps(body).encode(), content_type="application/json")]
        return publish(request) if request.target == "/keys" else [wire.answer(status="404 Not Found")]

    with wire.Server(script) as server:
        ran = run("doctor", "--allow-http", server.origin)
    assert ran.code == 0
    assert f"discovery  {server.origin}/.well-known/openid-configuration  200" in ran.out
    assert f"jwks       {server.url('/keys')}  200" in ran.out


def test_problems(run):
    with wire.Server(lambda _: wire.redirect("301 Moved", "https://other.example.com/\x1b[2J")) as server:
        ran = run("doctor", "--allow-http", server.url())
    assert ran.code == 1
    assert "error    redirect" in ran.out
    assert "https://other.example.com/" in ran.out
    assert "\x1b" not in ran.out
    assert ran.out.endswith(
        "\nno keys: a verifier that starts now is not ready, and answers key_fetch_failed (503); "
        "found: 1 error, 1 note\n"
    )


def test_warnings_alone_are_fine(run):
    with wire.Server(lambda _: [wire.answer(KEYS, content_type="text/plain")]) as server:
        ran = run("doctor", "--allow-http", server.url())
    assert ran.code == 0
    assert "found: 1 warning, 2 notes" in ran.out
    assert "no ETag" in ran.out


def test_nobody_there(run):
    ran = run("doctor", "https://127.0.0.1:1/jwks.json")
    assert ran.code == 3
    assert "no answer" in ran.out
    assert "Connection refused" in ran.out
    assert "to do: check address" in ran.out
    assert "\ncould not be reached: nothing is known about the keys; found" in ran.out
    assert run("doctor", "--json", "https://127.0.0.1:1/jwks.json").json()["verdict"] == "unreachable"


def test_no_answer_in_time(run, monkeypatch):
    monkeypatch.setattr("jotgate.cli.keysource._TIMEOUT_SECONDS", 0.2)
    with wire.Server(lambda _: wire.ANSWERS["hang"](b"")) as server:
        ran = run("doctor", "--allow-http", server.url())
    assert ran.code == 3
    assert "error    timeout" in ran.out
    assert "\nno answer in time: nothing is known about the keys; found" in ran.out


@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        (document(jwk(kid="a", private=True)), {}, "unsafe: whoever reads this set can forge tokens"),
        (document(), {}, "no keys that can be used: a verifier that starts now is not ready"),
        (b"{}", {}, "no keys that can be used: "),
        (KEYS, {"date": email.utils.formatdate(support.NOW + 100, usegmt=True)}, "clocks differ: "),
        (document(jwk(kid="a"), jwk(kid="a", which=1), jwk(kid="b")), {}, "in part: "),
    ],
)
def test_the_verdict_says_what_was_found(run, body, headers, told):
    with wire.Server(lambda _: [wire.answer(body, **headers)]) as server:
        ran = run("doctor", "--allow-http", server.url())
        seen = run("doctor", "--json", "--allow-http", server.url()).json()
    assert ran.code == 1
    assert ran.out.splitlines()[-1].startswith(told)
    assert (seen["ok"], seen["message"]) == (False, ran.out.splitlines()[-1].rpartition("; found")[0])


def test_the_epoch(run):
    body = json.dumps(json.loads(KEYS) | {"jotgate_epoch": 7}).encode()
    with wire.Server(lambda _: [wire.answer(body)]) as server:
        assert "epoch      7: tokens of an earlier one" in run("doctor", "--allow-http", server.url()).out
        assert run("doctor", "--json", "--allow-http", server.url()).json()["epoch"] == 7


def test_a_key_that_should_not_be_there(run):
    private = jwk(kid="a", private=True)
    with wire.Server(lambda _: [wire.answer(document(private))]) as server:
        for words in ([], ["--json"]):
            ran = run("doctor", "--allow-http", *words, server.url())
            assert ran.code == 1
            assert "private_key_published" in ran.out
            assert private["d"] not in ran.out


def test_tls(run, tmp_path, file):
    authority = certificates.Authority(tmp_path)
    ca = file(authority.pem(), "ca.pem")
    with wire.Server(publish, tls=authority.serving()) as server:
        ran = run("doctor", "--ca", ca, server.url())
        assert ran.code == 0
        assert "TLS        TLSv1.3, the certificate ends in 75.1 years, 2099-01-01 00:00:00Z" in ran.out
        tls = run("doctor", "--json", "--ca", ca, server.url()).json()["requests"][0]["tls"]
        assert tls == {"version": "TLSv1.3", "expires_at": int(certificates.END.timestamp())}
        ran = run("doctor", server.url())
        seen = run("doctor", "--json", server.url())
    assert ran.code == 1
    assert "not trusted" in ran.out
    assert "to do: have it put right, or name its CA by --ca FILE" in ran.out
    assert "SSLContext" not in ran.out + seen.out


@pytest.mark.parametrize(
    "address", ["http://auth.example.com", "file:///etc/passwd", "auth.example.com", "hunter2", ""]
)
def test_addresses_that_no_verifier_takes(run, address):
    ran = run("doctor", address)
    assert (ran.code, ran.out) == (2, "")
    assert "hunter2" not in ran.err
    assert "https" in ran.err
    ran = run("doctor", "--json", address)
    told = ran.json()
    assert (ran.code, told["ok"], told["code"]) == (2, False, "invalid_policy")
    assert "hunter2" not in ran.out


def test_algorithms(run):
    with wire.Server(publish) as server:
        ran = run("doctor", "--allow-http", "--alg", "RS256", server.url())
    assert ran.code == 1
    assert "no_usable_key" in ran.out
    assert "to do: allow ES256, or publish an RS256 key" in ran.out

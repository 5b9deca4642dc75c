"""keys/publish.py and keys/public_document.py: what is published, and how HTTP asks for it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ALGORITHMS, HMAC, PUBLIC_ALGORITHMS, error_of, rejects, secret_key, signing_key, verification_key

from jotgate import KeyRing, KeySet, SigningKey, errors
from jotgate.keys import files
from jotgate.keys.document import EPOCH_MEMBER
from jotgate.keys.metadata import PRIVATE_MEMBERS
from jotgate.keys.public_document import PUBLIC_MEMBERS, PublicDocument, public_only
from jotgate.keys.publish import JWKS_PATH, jwks_app, write_jwks
from jotgate.stores.memory import MemoryEpochs

KEYS = [signing_key(alg, kid=f"key-{alg}") for alg in PUBLIC_ALGORITHMS]
KEY = signing_key("ES256", kid="k1")
ISSUER = "https://auth.example.com"


class Answer:
    """What an application sent."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, body = messages
        assert start["type"] == "http.response.start"
        assert body == {"type": "http.response.body", "body": body["body"]}
        self.status: int = start["status"]
        self.headers = {name.decode("ascii"): value.decode("ascii") for name, value in start["headers"]}
        assert len(self.headers) == len(start["headers"])
        assert all(name == name.lower() for name in self.headers)
        self.body: bytes = body["body"]

    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    app: Any, path: str = "/jwks.json", *, method: str = "GET", headers: Any = (), root: str | None = None
) -> Answer:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body of a GET is not read")

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    if root is not None:
        scope["root_path"] = root
    asyncio.run(app(scope, receive, send))
    return Answer(sent)


class Source:
    """Keys that change when a test says so."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys: Any = {"keys": [key.public_jwk() for key in keys]}
        self.asked = 0
        self.error: Exception | None = None

    def jwks(self) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.keys


class TestDocument:
    @pytest.mark.parametrize("alg", PUBLIC_ALGORITHMS)
    def test_every_form_of_a_key_publishes_the_same(self, alg: str) -> None:
        key = signing_key(alg, kid="k")
        bodies = {
            PublicDocument(source).current().body
            for source in (key, key.public(), [key], (key.public(),), KeySet([key.public()]), Source(key))
        }
        assert [json.loads(body) for body in bodies] == [{"keys": [key.public_jwk()]}]
        assert KeySet.from_jwks(bodies.pop()) == KeySet([key.public()]) or alg
        assert next(iter(KeySet.from_jwks(PublicDocument(key).current().body))) == key.public()

    @pytest.mark.parametrize("alg", HMAC)
    def test_a_shared_secret_is_never_published(self, alg: str) -> None:
        key = signing_key(alg, kid="k")
        for source in (
            key,
            key.public(),
            [key],
            KeySet([key.public()]),
            Source_of({"keys": [key.to_jwk(private=True)]}),
            Source_of({"keys": [KEY.public_jwk(), key.to_jwk(private=True)]}),
            [key, KEY],
        ):
            error = rejects("invalid_key", lambda source=source: PublicDocument(source))
            assert key.to_jwk(private=True)["k"] not in str(error)

    @pytest.mark.parametrize("alg", PUBLIC_ALGORITHMS)
    def test_private_members_are_refused_and_not_dropped(self, alg: str) -> None:
        private = signing_key(alg, kid="k").to_jwk(private=True)
        error = rejects("invalid_key", lambda: PublicDocument(Source_of({"keys": [private]})))
        for name in PRIVATE_MEMBERS:
            if name in private:
                assert private[name] not in str(error)

    @pytest.mark.parametrize(
        "source",
        [
            None,
            5,
            "{}",
            b"{}",
            {"keys": [KEY.public_jwk()]},
            [],
            [5],
            [KEY.public_jwk()],
            secret_key("ES256"),
        ],
    )
    def test_what_is_no_source(self, source: Any) -> None:
        rejects("invalid_key", lambda: PublicDocument(source))

    @pytest.mark.parametrize(
        "document",
        [
            None,
            [],
            {},
            {"keys": None},
            {"keys": []},
            {"keys": [5]},
            {"keys": [{}]},
            {"keys": [{"kty": "new", "x": "a"}]},
        ],
    )
    def test_what_a_source_must_not_say(self, document: Any) -> None:
        rejects("invalid_key", lambda: PublicDocument(Source_of(document)))

    def test_members_are_strings(self) -> None:
        for wrong in (5, None, ["a"], {"d": "x"}, b"x"):
            rejects("invalid_key", lambda wrong=wrong: public_only(KEY.public_jwk() | {"x": wrong}))
        rejects("invalid_key", lambda: public_only({"kty": ["EC"]}))

    def test_it_is_written_when_it_changes(self) -> None:
        source = Source(KEY)
        document = PublicDocument(source)
        first = document.current()
        assert document.current() is first
        source.keys = {"keys": [KEY.public_jwk()]}
        assert document.current() is first, "equal is unchanged"
        source.keys = {"keys": [KEYS[0].public_jwk()]}
        second = document.current()
        assert second.body != first.body
        assert second.etag != first.etag
        source.keys = {"keys": [KEY.public_jwk()]}
        assert document.current() == first

    def test_a_source_may_change_its_document_in_place(self) -> None:
        source = Source(KEY, KEYS[0])
        document = PublicDocument(source)
        assert len(json.loads(document.current().body)["keys"]) == 2
        del source.keys["keys"][0]
        assert [key["kid"] for key in json.loads(document.current().body)["keys"]] == [KEYS[0].kid]

    def test_the_tag_is_of_the_bytes(self) -> None:
        first, second = PublicDocument(KEY).current(), PublicDocument([KEY.public()]).current()
        assert first == second
        assert first.etag[0] == first.etag[-1] == '"'
        assert "," not in first.etag
        assert first.etag[1:-1].isascii()

    def test_the_epoch_goes_along(self, tmp_path: Path, clock: Any) -> None:
        assert EPOCH_MEMBER not in json.loads(PublicDocument(KEY).current().body)
        ring = KeyRing(tmp_path / "ring", create=True)
        document = PublicDocument(ring)
        assert json.loads(document.current().body) == ring.jwks() | {EPOCH_MEMBER: 0}
        ring.epochs.advance()
        assert json.loads(document.current().body)[EPOCH_MEMBER] == 1
        for wrong in (-1, "1", 1.0, True):
            source = Source(KEY)
            source.epoch = wrong  # type: ignore[attr-defined]
            rejects("invalid_key", lambda source=source: PublicDocument(source))

    def test_keys_and_epoch_are_of_one_moment(self) -> None:
        class Compromised(Source):
            """Loses its key between the two questions."""

            @property
            def epoch(self) -> int:
                if self.asked == 1 and self.keys["keys"][0]["kid"] == "k1":
                    self.keys = {"keys": [KEYS[0].public_jwk()]}
                return 0 if self.keys["keys"][0]["kid"] == "k1" else 1

        written = json.loads(PublicDocument(Compromised(KEY)).current().body)
        assert (written["keys"][0]["kid"], written[EPOCH_MEMBER]) == (KEYS[0].kid, 1)

    def test_a_ring_with_its_epochs_elsewhere(self, tmp_path: Path, clock: Any) -> None:
        epochs = MemoryEpochs(7)
        ring = KeyRing(tmp_path / "ring", create=True, epochs=epochs)
        assert json.loads(PublicDocument(ring).current().body)[EPOCH_MEMBER] == 7
        # without the counter nobody knows the epoch; without it tokens that were taken back would count
        rejects("invalid_policy", lambda: PublicDocument(KeyRing(tmp_path / "ring")))


def Source_of(document: Any) -> Source:
    source = Source()
    source.keys = document
    return source


@given(
    alg=st.sampled_from([alg for alg in ALGORITHMS if alg not in HMAC]),
    more=st.dictionaries(
        st.sampled_from([*PRIVATE_MEMBERS, "x5c", "x5u", "key_ops", "seed", "note", "iat"]) | st.text(max_size=6),
        st.text(min_size=12, max_size=20).map(lambda text: f"leak-{text}"),
        max_size=4,
    ),
)
def test_nothing_but_public_members_is_ever_written(alg: str, more: dict[str, str]) -> None:
    """Whatever members a source hands out: those of the tables, with the key's own values, or nothing."""
    jwk = signing_key(alg, kid="k").public_jwk()
    more = {name: value for name, value in more.items() if name not in jwk}
    source = Source_of({"keys": [jwk | more], "other": "leak-", "private": more})
    if set(PRIVATE_MEMBERS) & more.keys():
        assert "leak-" not in str(rejects("invalid_key", lambda: PublicDocument(source)))
        return
    body = PublicDocument(source).current().body
    assert b"leak-" not in body
    (written,) = json.loads(body)["keys"]
    assert written == jwk
    assert written.keys() <= set(PUBLIC_MEMBERS[jwk["kty"]])
    assert json.loads(body).keys() == {"keys"}


def test_the_tables_have_every_kind_of_key_and_no_private_member() -> None:
    assert {key.public_jwk()["kty"] for key in KEYS} == set(PUBLIC_MEMBERS)
    assert not {name for names in PUBLIC_MEMBERS.values() for name in names} & set(PRIVATE_MEMBERS)
    for key in KEYS:
        jwk = key.public_jwk()
        assert public_only(jwk) == jwk
        assert set(key.to_jwk(private=True)) - set(PUBLIC_MEMBERS[jwk["kty"]]), "else nothing was tried"


class TestApplication:
    def test_get(self) -> None:
        answer = ask(jwks_app(KEYS))
        assert answer.status == 200
        assert answer.json() == {"keys": [key.public_jwk() for key in KEYS]}
        etag = answer.headers.pop("etag")
        assert etag == PublicDocument(KEYS).current().etag
        assert answer.headers == {
            "content-type": "application/jwk-set+json",
            "content-length": str(len(answer.body)),
            "cache-control": "public, max-age=300",
            "x-content-type-options": "nosniff",
        }

    def test_head(self) -> None:
        app = jwks_app(KEY)
        get, head = ask(app), ask(app, method="HEAD")
        assert (head.status, head.headers, head.body) == (200, get.headers, b"")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"])
    def test_nothing_else(self, method: str) -> None:
        answer = ask(jwks_app(KEY), method=method)
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD"
        assert answer.headers["content-length"] == str(len(answer.body))
        assert "etag" not in answer.headers

    def test_if_none_match(self) -> None:
        app = jwks_app(KEY)
        first = ask(app)
        etag = first.headers["etag"]
        for asked in (
            etag,
            f"W/{etag}",
            f'"other", {etag}',
            f'"other",W/{etag}\t,"x"',
            "*",
            " * ",
            f' ,, {etag} , "a,b"',
        ):
            answer = ask(app, headers=[("if-none-match", asked)])
            assert answer.status == 304, asked
            assert answer.body == b""
            assert answer.headers == {
                "etag": etag,
                "cache-control": first.headers["cache-control"],
                "x-content-type-options": "nosniff",
            }
            assert ask(app, headers=[("If-None-Match", asked)], method="HEAD").status == 304
        for asked in ("", '""', '"other"', etag[1:-1], etag[:-1], f"w/{etag}", f"{etag[:-1]}x", '"*"', "é", "x, *"):
            assert ask(app, headers=[("if-none-match", asked)]).status == 200, asked
        both = [("if-none-match", '"a"'), ("if-none-match", etag)]
        assert ask(app, headers=both).status == 304
        assert ask(app, headers=[("if-match", '"a"')]).status == 200

    def test_a_change_is_seen(self) -> None:
        source = Source(KEY)
        app = jwks_app(source)
        etag = ask(app).headers["etag"]
        source.keys = {"keys": [KEYS[0].public_jwk()]}
        answer = ask(app, headers=[("if-none-match", etag)])
        assert answer.status == 200
        assert answer.json() == source.keys

    def test_options_of_caching(self) -> None:
        answer = ask(jwks_app(KEY, max_age=60, stale_while_revalidate=30))
        assert answer.headers["cache-control"] == "public, max-age=60, stale-while-revalidate=30"
        for options in (
            {"max_age": 0},
            {"max_age": -1},
            {"max_age": 86401},
            {"max_age": 1.5},
            {"max_age": True},
            {"max_age": None},
            {"stale_while_revalidate": -1},
            {"stale_while_revalidate": "1"},
        ):
            rejects("invalid_policy", lambda options=options: jwks_app(KEY, **options))

    def test_caches_hold_it_no_longer_than_the_ring_believes(self, tmp_path: Path, clock: Any) -> None:
        ring = KeyRing(tmp_path / "ring", create=True, cache_time=600)
        assert ask(jwks_app(ring, max_age=600)).status == 200
        rejects("invalid_policy", lambda: jwks_app(ring, max_age=601))
        rejects("invalid_policy", lambda: jwks_app(ring, max_age=500, stale_while_revalidate=101))
        app = jwks_app(ring, max_age=400, stale_while_revalidate=200)
        for cache_time, said in ((600, "400, stale-while-revalidate=200"), (450, "400, stale-while-revalidate=50")):
            ring.reconfigure(cache_time=cache_time)
            assert ask(app).headers["cache-control"] == f"public, max-age={said}"
        ring.reconfigure(cache_time=60)
        assert ask(app).headers["cache-control"] == "public, max-age=60"

    def test_a_ring_through_its_life(self, tmp_path: Path, clock: Any) -> None:
        ring = KeyRing(tmp_path / "ring", create=True)
        app = jwks_app(ring)
        kids = [[key["kid"] for key in ask(app).json()["keys"]]]
        clock.advance(86400)
        ring.rotate()
        kids.append([key["kid"] for key in ask(app).json()["keys"]])
        assert len(kids[0]) == 2
        assert len(kids[1]) == 3
        assert set(kids[0]) < set(kids[1])
        ring.compromise(kids[1][0])
        document = ask(app).json()
        assert kids[1][0] not in [key["kid"] for key in document["keys"]]
        assert document[EPOCH_MEMBER] == 1

    def test_what_cannot_be_read_is_not_published(self, caplog: pytest.LogCaptureFixture) -> None:
        source = Source(KEY)
        app = jwks_app(source)
        etag = ask(app).headers["etag"]
        secret = signing_key("ES384").to_jwk(private=True)
        for error, document in (
            (errors.StoreUnavailableError("the disk is away"), source.keys),
            (None, {"keys": [secret]}),
            (None, {"keys": []}),
        ):
            source.error, good, source.keys = error, source.keys, document
            caplog.clear()
            with caplog.at_level(logging.WARNING, "jotgate.keys"):
                answer = ask(app, headers=[("if-none-match", etag)])
            assert answer.status == 503
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["retry-after"] == "5"
            assert b"disk" not in answer.body
            assert len(caplog.records) == 1
            assert secret["d"] not in caplog.text
            source.error, source.keys = None, good
            assert ask(app).status == 200
        # a mistake in the source itself is the server's to report
        source.error = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            ask(app)

    def test_paths(self) -> None:
        everywhere = jwks_app(KEY)
        for path in ("/", "/jwks.json", "/a/b", ""):
            assert ask(everywhere, path).status == 200
        one = jwks_app(KEY, path="/keys")
        assert ask(one, "/keys").status == 200
        assert ask(one, "/auth/keys", root="/auth").status == 200
        assert ask(one, "/keys", root="").status == 200
        for path in ("/", "/keys/", "/key", "/auth/keys"):
            answer = ask(one, path)
            assert answer.status == 404
            assert answer.headers["cache-control"] == "no-store"
        for wrong in ("keys", "", 5):
            rejects("invalid_policy", lambda wrong=wrong: jwks_app(KEY, path=wrong))

    def test_cors(self) -> None:
        assert "access-control-allow-origin" not in ask(jwks_app(KEY)).headers
        app = jwks_app(KEY, cors=True)
        etag = ask(app).headers["etag"]
        for answer in (ask(app), ask(app, headers=[("if-none-match", etag)]), ask(app, method="POST")):
            assert answer.headers["access-control-allow-origin"] == "*"

    def test_lifespan_and_websockets(self) -> None:
        app = jwks_app(KEY)

        async def talk(kind: str, *messages: str) -> list[dict[str, Any]]:
            waiting, sent = [{"type": name} for name in messages], []

            async def receive() -> dict[str, Any]:
                return waiting.pop(0)

            async def send(message: Any) -> None:
                sent.append(message)

            await app({"type": kind}, receive, send)
            return sent

        assert [each["type"] for each in asyncio.run(talk("lifespan", "lifespan.startup", "lifespan.shutdown"))] == [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
        ]
        assert asyncio.run(talk("websocket", "websocket.connect")) == [{"type": "websocket.close", "code": 1008}]


class TestDiscovery:
    OPENID, OAUTH = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"

    def test_both_documents(self) -> None:
        app = jwks_app(KEY, issuer=ISSUER)
        for path in (self.OPENID, self.OAUTH):
            answer = ask(app, path)
            assert answer.status == 200
            assert answer.json() == {"issuer": ISSUER, "jwks_uri": ISSUER + JWKS_PATH}
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["cache-control"] == "public, max-age=300"
            assert ask(app, path, headers=[("if-none-match", answer.headers["etag"])]).status == 304
        assert ask(app, JWKS_PATH).json() == {"keys": [KEY.public_jwk()]}
        assert ask(app, "/").status == 404

    def test_an_issuer_with_a_path(self) -> None:
        issuer = ISSUER + "/realms/shop/"
        app = jwks_app(KEY, issuer=issuer, path="/realms/shop/certs")
        for path in (f"/realms/shop{self.OPENID}", f"{self.OAUTH}/realms/shop"):
            assert ask(app, path).json() == {"issuer": issuer, "jwks_uri": f"{ISSUER}/realms/shop/certs"}
        assert ask(app, "/realms/shop/certs").status == 200
        assert ask(app, self.OPENID).status == 404

    def test_more_members(self) -> None:
        more = {"token_endpoint": f"{ISSUER}/token", "response_types_supported": []}
        app = jwks_app(KEY, issuer=ISSUER, jwks_uri="https://cdn.example.com/keys", metadata=more)
        assert ask(app, self.OPENID).json() == {"issuer": ISSUER, "jwks_uri": "https://cdn.example.com/keys", **more}

    def test_mistakes(self) -> None:
        for options in (
            {"issuer": "http://auth.example.com"},
            {"issuer": "auth.example.com"},
            {"issuer": f"{ISSUER}?x=1"},
            {"issuer": ISSUER, "jwks_uri": "http://auth.example.com/keys"},
            {"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"},
            {"issuer": ISSUER, "metadata": {"issuer": "x"}},
            {"issuer": ISSUER, "metadata": {"jwks_uri": "x"}},
            {"issuer": ISSUER, "metadata": {"x": object()}},
            {"jwks_uri": "https://cdn.example.com/keys"},
            {"metadata": {}},
        ):
            rejects("invalid_policy", lambda options=options: jwks_app(KEY, **options))


class TestFile:
    def test_it_is_written_once(self, tmp_path: Path) -> None:
        path = tmp_path / "jwks.json"
        assert write_jwks(KEYS, path)
        assert path.read_bytes() == PublicDocument(KEYS).current().body
        assert path.stat().st_mode & 0o777 == 0o644
        before = path.stat()
        assert not write_jwks(KEYS, str(path))
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        assert write_jwks(KEY, path)
        assert os.listdir(tmp_path) == ["jwks.json"]

    def test_mode_and_links_are_put_right(self, tmp_path: Path) -> None:
        path, other = tmp_path / "jwks.json", tmp_path / "other"
        write_jwks(KEY, path)
        path.chmod(0o600)
        assert write_jwks(KEY, path)
        assert path.stat().st_mode & 0o777 == 0o644
        path.rename(other)
        path.symlink_to(other)
        assert write_jwks(KEYS, path)
        assert not path.is_symlink()
        assert other.read_bytes() == PublicDocument(KEY).current().body

    def test_a_mistake_leaves_the_file_as_it_was(self, tmp_path: Path) -> None:
        path = tmp_path / "jwks.json"
        write_jwks(KEY, path)
        before = path.read_bytes()
        rejects("invalid_key", lambda: write_jwks(verification_key("HS256"), path))
        rejects("invalid_key", lambda: write_jwks(Source_of({"keys": [KEY.to_jwk(private=True)]}), path))
        assert path.read_bytes() == before
        error = error_of(lambda: write_jwks(KEY, tmp_path / "nowhere" / "jwks.json"))
        assert type(error) is errors.StoreUnavailableError
        assert (error.code, "nowhere" in str(error)) == ("store_unavailable", False)

    @pytest.mark.parametrize(
        "content",
        [
            b"mine",
            b"[]",
            b'{"jotgate_key_ring":1,"ring":{"keys":[]}}',
            b'{"keys":{}}',
            b'{"keys":[1]}',
            b'{"keys":[{"kty":"EC","d":"x"}]}',
            b'{"keys":[{"kty":"oct","k":"x"}]}',
            b"\xff",
        ],
    )
    def test_what_is_no_published_set_is_not_replaced(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "precious"
        path.write_bytes(content)
        error = rejects("invalid_policy", lambda: write_jwks(KEY, path))
        assert (path.read_bytes(), "precious" in str(error)) == (content, False)
        path.unlink()
        os.mkfifo(path)
        rejects("invalid_policy", lambda: write_jwks(KEY, path))
        path.unlink()
        path.mkdir()
        rejects("invalid_policy", lambda: write_jwks(KEY, path))

    @pytest.mark.parametrize("content", [b"", b'{"keys":[]}', PublicDocument(KEYS).current().body])
    def test_what_was_published_is_replaced(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "jwks.json"
        path.write_bytes(content)
        assert write_jwks(KEY, path)
        assert path.read_bytes() == PublicDocument(KEY).current().body

    def test_never_into_a_ring(self, tmp_path: Path, clock: Any) -> None:
        ring = KeyRing(tmp_path / "ring", create=True)
        (tmp_path / "link").symlink_to(tmp_path / "ring")
        for directory in ("ring", "link"):
            for name in ("ring.json", "lock", "jwks.json"):
                rejects("invalid_policy", lambda: write_jwks(ring, tmp_path / directory / name))  # noqa: B023
        assert KeyRing(tmp_path / "ring").jwks() == ring.jwks()

    def test_a_writer_that_was_held_up_does_not_put_the_old_set_back(
        self, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cron job reads the ring, is held up, and an incident is over before it goes on."""
        ring, path = KeyRing(tmp_path / "ring", create=True), tmp_path / "jwks.json"
        lost = ring.signer().kid
        cron_ring, reached, go = KeyRing(tmp_path / "ring"), threading.Event(), threading.Event()
        replace_file = files.replace_file

        def slow(*arguments: Any) -> None:
            if threading.current_thread() is cron and not reached.is_set():
                reached.set()
                assert go.wait(10)
            replace_file(*arguments)

        monkeypatch.setattr(files, "replace_file", slow)
        cron = threading.Thread(target=write_jwks, args=(cron_ring, path))
        cron.start()
        assert reached.wait(10)
        ring.compromise(lost or "")
        write_jwks(ring, path)
        after = path.read_bytes()
        go.set()
        cron.join(10)
        assert path.read_bytes() == after == PublicDocument(ring).current().body
        assert lost not in [key["kid"] for key in json.loads(after)["keys"]]

    def test_a_ring_that_changed_just_now_is_read_anew(self, tmp_path: Path, clock: Any) -> None:
        ring, path = KeyRing(tmp_path / "ring", create=True), tmp_path / "jwks.json"
        write_jwks(ring, path)
        KeyRing(tmp_path / "ring").compromise(ring.signer().kid or "")
        assert write_jwks(ring, path)
        assert json.loads(path.read_bytes())["jotgate_epoch"] == 1

    def test_a_ring(self, tmp_path: Path, clock: Any) -> None:
        ring, path = KeyRing(tmp_path / "ring", create=True), tmp_path / "jwks.json"
        assert write_jwks(ring, path)
        assert not write_jwks(ring, path)
        ring.compromise(ring.signer().kid or "")
        assert write_jwks(ring, path)
        assert json.loads(path.read_bytes()) == ring.jwks() | {EPOCH_MEMBER: 1}

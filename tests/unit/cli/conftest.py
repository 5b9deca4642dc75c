"""Run the command line inside the test process, with a standard input of its own."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import support

from jotgate import KeySet
from jotgate.cli import main
from jotgate.errors import StoreUnavailableError
from jotgate.revocation.revocations import Revocations
from jotgate.stores import open_store
from jotgate.stores.rules import Rule, RuleKey


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the one JSON object of the output."""
        return json.loads(self.out)

    def rows(self) -> list[Any]:
        """Return the JSON objects of the output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class FakeStdin(io.TextIOWrapper):
    """Standard input with given bytes; with None it is a terminal on which nobody types."""

    def __init__(self, data: bytes | None) -> None:
        super().__init__(io.BytesIO(data or b""))
        self._is_terminal = data is None

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.fixture
def run(capsys, monkeypatch, frozen_clock) -> Callable[..., Ran]:
    """Call `main` at support.NOW: `run("verify", "--json", stdin=b"...")`. No traceback may come out."""

    def call(*argv: object, stdin: bytes | str | None = None) -> Ran:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", FakeStdin(data))
        capsys.readouterr()
        code = main([str(word) for word in argv])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Ran(code, out, err)

    return call


@pytest.fixture
def terminal(capsys, monkeypatch) -> None:
    """Make standard output say that it is a terminal with colours."""
    # The class, because pytest puts another object in place when the test begins.
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    """Write a JWKS document with an ES256 key (kid `main`) and an EdDSA key (kid `second`)."""
    keys = [
        support.verification_key("ES256", kid="main"),
        support.verification_key("EdDSA", kid="second"),
    ]
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(KeySet(keys).to_jwks()))
    return path


@pytest.fixture
def trust(jwks: Path) -> list[object]:
    """The options that accept `es256()`."""
    return ["--jwks", jwks, "--issuer", support.ISSUER, "--audience", support.AUDIENCE]


@pytest.fixture
def es256() -> Callable[..., str]:
    """Sign a token with the ES256 key of `jwks`: `es256(claim=value)`, `es256({"typ": "x"})`."""

    def sign(head: dict[str, Any] | None = None, **changes: Any) -> str:
        header = {"alg": "ES256", "kid": "main"} | (head or {})
        return support.compact(header, support.claims(**changes), alg="ES256")

    return sign


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write a file and return its path."""

    def write(content: bytes | str, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Make a store, as an issuer does, and return its URL."""
    where = f"sqlite:{tmp_path / 'jotgate.db'}"
    Revocations(open_store(where)).revoke("made", support.NOW + 1)
    return where


@pytest.fixture
def rule(url: str) -> Callable[..., Rule | None]:
    """Look up what the store of `url` says: `rule("sub", "user-1", ISSUER)`."""
    return lambda kind, name, issuer="": open_store(url).rules([RuleKey(kind, issuer, name)])[0]


@pytest.fixture
def no_answer() -> Callable[..., Any]:
    """What stands in place of a method of a store that is down."""

    def call(*_: object) -> Any:
        raise StoreUnavailableError("the store does not answer")

    return call

"""``jotgate keygen``: make a signing key, and the public halves that verifiers need."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from jotgate.cli import EXIT_OK, UsageError
from jotgate.cli.discretion import expected_path, shown_path
from jotgate.cli.terminal import Screen, printable

if TYPE_CHECKING:
    import argparse

    from jotgate import SigningKey

_DESCRIPTION = """\
Make a signing key.

The private key goes to --out (mode 0600, never over a file that exists) or, without --out, to standard
output. The public key goes to --public, alone, or to --jwks, as the document that verifiers fetch."""

_EPILOG = """\
algorithms
  ES256 ES384 ES512 ES256K    RS256 RS384 RS512 PS256 PS384 PS512 (see --bits)    HS256 HS384 HS512 (secrets)
  EdDSA Ed25519 Ed448         ML-DSA-44 ML-DSA-65 ML-DSA-87

examples
  jotgate keygen --alg ES256 --out signing.jwk --jwks jwks.json
  jotgate keygen --alg RS256 --bits 3072 --kid 2026-11 --format pem --out signing.pem --public public.pem"""

_PRIVATE_MODE, _PUBLIC_MODE = 0o600, 0o644


class _Target(NamedTuple):
    """One file to write, and the option that asks for it."""

    option: str
    path: str
    data: bytes
    mode: int

    @property
    def shown(self) -> str:
        """The file's name, or words for it where the name may be a secret."""
        return shown_path(self.path, self.option) or f"the file of {self.option}"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate keygen``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("--alg", metavar="NAME", required=True, help="the one algorithm of the key, e.g. ES256")
    parser.add_argument("--kid", metavar="KID", help="the key's name (its RFC 7638 thumbprint)")
    parser.add_argument("--bits", metavar="N", type=int, help="size of an RSA key (2048)")
    parser.add_argument("--format", choices=("jwk", "pem"), default="jwk", help="of --out and --public (jwk)")
    parser.add_argument("--password-env", metavar="NAME", help="variable with a password to encrypt the PEM key with")
    parser.add_argument("--out", metavar="FILE", help="write the private key here instead of to standard output")
    parser.add_argument("--public", metavar="FILE", help="write the public key here")
    parser.add_argument("--jwks", metavar="FILE", help="write a JWKS document with the public key here")


def run(arguments: argparse.Namespace) -> int:
    """Make one key and write its parts where they were asked for."""
    from jotgate import KeySet, SigningKey
    from jotgate.cli.keyfiles import password_from, refuse_unknown_algorithms

    refuse_unknown_algorithms([arguments.alg])
    symmetric = arguments.alg.startswith("HS")
    if symmetric and (arguments.public or arguments.jwks):
        raise UsageError(f"{arguments.alg} has no public key: whoever verifies needs the secret itself")
    if symmetric and arguments.format == "pem":
        raise UsageError(f"{arguments.alg} has no PEM form: leave --format out")
    if arguments.password_env and arguments.format != "pem":
        raise UsageError("only a PEM key can be encrypted: add --format pem")
    password = password_from(arguments.password_env)
    key = SigningKey.generate(arguments.alg, kid=arguments.kid, bits=arguments.bits)

    targets: list[_Target] = []
    private = key.to_pem(password) if arguments.format == "pem" else _json(key.to_jwk(private=True))
    if arguments.out:
        targets.append(_Target("--out", arguments.out, private, _PRIVATE_MODE))
    if arguments.public:
        targets.append(_Target("--public", arguments.public, _public_text(key, arguments.format), _PUBLIC_MODE))
    if arguments.jwks:
        targets.append(_Target("--jwks", arguments.jwks, _json(KeySet([key.public()]).to_jwks()), _PUBLIC_MODE))
    _write_all(targets)

    if arguments.out:
        screen = Screen()
        screen.line(f"{key.alg} key  kid={printable(key.kid or '')}")
        for target in targets:
            remark = "  (private, mode 0600)" if target.mode == _PRIVATE_MODE else ""
            screen.line(f"  wrote {printable(target.shown)}{remark}")
    else:
        sys.stdout.write(private.decode("ascii"))
        if sys.stdout.isatty():
            print("this is a private key: --out FILE writes it where only you can read it", file=sys.stderr)
    if arguments.format == "pem":
        print(
            f"PEM holds neither algorithm nor kid: keep alg={key.alg} kid={printable(key.kid or '')}",
            file=sys.stderr,
        )
    return EXIT_OK


def _public_text(key: SigningKey, form: str) -> bytes:
    if form == "jwk":
        return _json(key.to_jwk())
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    public = load_pem_private_key(key.to_pem(), None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2).encode("ascii") + b"\n"


def _write_all(targets: list[_Target]) -> None:
    """Write all files or none: a private key without its public half, or the reverse, helps nobody."""
    made: list[str] = []
    try:
        for target in targets:
            # O_EXCL also refuses a symbolic link that somebody else has put in the way.
            descriptor = os.open(target.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, target.mode)
            made.append(target.path)
            with open(descriptor, "wb") as stream:
                stream.write(target.data)
    except OSError as error:
        for written in made:
            os.unlink(written)
        if isinstance(error, FileExistsError):
            raise UsageError(f"{target.shown} exists; keys are never overwritten. Nothing was written") from None
        expected = expected_path(target.path, target.option)
        raise UsageError(f"cannot write {target.shown}: {error.strerror}{expected}. Nothing was written") from None

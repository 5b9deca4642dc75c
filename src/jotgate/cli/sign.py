"""``jotgate sign``: issue one token."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from jotgate.cli import EXIT_OK, UsageError
from jotgate.cli.moments import lifetime

if TYPE_CHECKING:
    import argparse

_USAGE = "jotgate sign (--key FILE | --secret-file FILE | --secret-env NAME) [options]"

_DESCRIPTION = """\
Sign claims and print the token.

Claims come from --claims (a JSON object), then --claim, then the options with names of their own; later
ones replace earlier ones. --expires-in sets iat to now and exp to the time from now; without it no time is
added."""

_EPILOG = """\
examples
  jotgate sign --key signing.jwk --issuer https://auth.example.com --audience api --expires-in 15m
  jotgate sign --key signing.pem --alg RS256 --kid 2026-11 --claims claims.json --claim roles:='["admin"]'
  jotgate sign --secret-env JWT_SECRET --alg HS256 --claim sub=ann --expires-in 1h"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate sign``."""
    from jotgate.cli.inputs import add_secret_options

    parser.description, parser.epilog, parser.usage = _DESCRIPTION, _EPILOG, _USAGE
    keys = parser.add_argument_group("key (one of these)").add_mutually_exclusive_group(required=True)
    keys.add_argument("--key", metavar="FILE", help="a private key: JWK, PEM or DER; - reads standard input")
    add_secret_options(keys)
    parser.add_argument("--alg", metavar="NAME", help="the key's algorithm; may be left out where the key fixes it")
    parser.add_argument("--kid", metavar="KID", help="the key's name, for keys that do not bring one")
    parser.add_argument("--password-env", metavar="NAME", help="variable with the password of an encrypted key")

    claims = parser.add_argument_group("claims")
    claims.add_argument("--claims", metavar="FILE", help="a JSON object; - reads standard input")
    claims.add_argument(
        "--claim",
        metavar="NAME=TEXT",
        action="append",
        default=[],
        help="one claim: name=text for a string, name:=value for JSON (repeatable)",
    )
    claims.add_argument("--issuer", metavar="ISS", help="iss")
    claims.add_argument("--audience", metavar="AUD", action="append", help="aud (repeatable: becomes an array)")
    claims.add_argument("--subject", metavar="SUB", help="sub")
    claims.add_argument("--expires-in", metavar="TIME", type=lifetime, help="e.g. 15m; sets iat and exp")

    header = parser.add_argument_group("header")
    header.add_argument("--typ", metavar="TYPE", help="typ (JWT), e.g. at+jwt")
    header.add_argument(
        "--header",
        metavar="NAME=TEXT",
        action="append",
        default=[],
        help="one header parameter: name=text or name:=JSON (repeatable); alg and kid come from the key",
    )


def run(arguments: argparse.Namespace) -> int:
    """Sign one token and print it."""
    from jotgate import jws
    from jotgate.cli.inputs import stdin_once
    from jotgate.cli.keyfiles import signing_key

    stdin_once(arguments.key, arguments.secret_file, arguments.claims)
    claims = _claims(arguments)
    header = dict(_pair(text, "--header") for text in arguments.header)
    for name, option in (("alg", "--alg"), ("kid", "--kid")):
        if name in header:
            raise UsageError(f"--header {name}: it comes from the key; see {option}")
    if arguments.typ is not None:
        header["typ"] = arguments.typ
    key = signing_key(arguments)
    try:
        token = jws.sign(claims, key, header=header or None)
    except (TypeError, ValueError) as error:
        raise UsageError(f"these claims or header cannot be signed: {error}") from None
    if "exp" not in claims:
        print("note: this token never expires; --expires-in 15m sets an end", file=sys.stderr)
    print(token)
    return EXIT_OK


def _claims(arguments: argparse.Namespace) -> dict[str, Any]:
    from jotgate._clock import now as wall_clock
    from jotgate.cli.findings import TIME_CLAIMS
    from jotgate.cli.inputs import read_bytes, strict_object
    from jotgate.cli.moments import is_number

    claims: dict[str, Any] = {}
    if arguments.claims is not None:
        claims = strict_object(read_bytes(arguments.claims, "claims file", "--claims"), "claims")
    claims.update(_pair(text, "--claim") for text in arguments.claim)
    if arguments.issuer is not None:
        claims["iss"] = arguments.issuer
    if arguments.subject is not None:
        claims["sub"] = arguments.subject
    if arguments.audience is not None:
        claims["aud"] = arguments.audience[0] if len(arguments.audience) == 1 else arguments.audience
    if arguments.expires_in is not None:
        issued = int(wall_clock())
        claims["iat"], claims["exp"] = issued, issued + arguments.expires_in
    for name in TIME_CLAIMS:
        if name in claims and not is_number(claims[name]):
            raise UsageError(
                f"{name} is a number of seconds since 1970, e.g. --claim {name}:=1767225600; see --expires-in"
            )
    if not claims:
        raise UsageError("there is nothing to sign: give --claims, --claim or one of the claim options")
    return claims


def _pair(text: str, option: str) -> tuple[str, Any]:
    """Read ``name=text`` or ``name:=json``; errors repeat neither, which may be a secret in the wrong place."""
    name, equals, value = text.partition("=")
    if not equals or name in ("", ":"):
        raise UsageError(f"{option}: write name=text, or name:=value for JSON")
    if not name.endswith(":"):
        return name, value
    from jotgate.cli.inputs import strict_object

    name = name[:-1]
    try:
        wrapped = strict_object(b'{"value":%s}' % os.fsencode(value), "value")
    except UsageError:
        wrapped = {}
    if list(wrapped) != ["value"]:
        raise UsageError(f"{option}: the value after := is not JSON")
    return name, wrapped["value"]

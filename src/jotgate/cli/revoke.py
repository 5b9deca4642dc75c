"""``jotgate revoke``: take back a token, a subject's or a session's tokens, everything of an epoch or of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jotgate.cli import EXIT_OK, UsageError
from jotgate.cli.keysource import failures_as_json
from jotgate.cli.moments import is_number, utc
from jotgate.cli.storage import ABOUT, add_issuer, add_store, require_issuer, revocations_of
from jotgate.cli.terminal import Screen

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from jotgate.revocation.revocations import Revocations

_DESCRIPTION = f"""\
Take back what was issued and still lives. Verifiers on the store hear of it at once, and one that cannot reach it goes
by its on_stale. Nothing can be undone.

{ABOUT}"""

_EPILOG = """\
exit codes
  0  taken back    2  usage: a bad option or store    3  the store does not answer: repeat it

examples
  jotgate revoke --store sqlite:/var/lib/auth/jotgate.db --subject user-4711
  jotgate revoke --issuer https://auth.example.com --jti 4f0c --until 2026-11-24T15:00:00Z
  jotgate revoke --token - < token.txt
  jotgate revoke --key THUMBPRINT"""

_FIRST_EPOCH = 1
IDENTIFIERS = ("--jti", "--subject", "--session", "--key")


class Taken(NamedTuple):
    """What was taken back."""

    facts: dict[str, Any]
    told: str
    note: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate revoke``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    what = parser.add_argument_group("what is taken back (one of them)").add_mutually_exclusive_group(required=True)
    what.add_argument("--jti", metavar="ID", help="the tokens with this jti; with --until")
    what.add_argument("--subject", metavar="SUB", help="every token and session of this subject that began until now")
    what.add_argument("--session", metavar="SID", help="every token of this session, for ever")
    what.add_argument(
        "--token",
        metavar="-",
        help="the token on standard input, by its jti and exp, which are read and NOT verified: whoever can give you a "
        "text can name a jti in it",
    )
    what.add_argument(
        "--epoch",
        action="store_true",
        help="every token and session of the issuer that began until now, by a new epoch; only of one that counts its "
        "epochs in this store (epochs=revocations.epochs): another would go on writing the old one, and all of its "
        "tokens be refused",
    )
    what.add_argument(
        "--key", metavar="THUMBPRINT", help="everything that this key signed, for ever; of your own: jotgate compromise"
    )
    parser.add_argument(
        "--until",
        metavar="TIME",
        help="with --jti: its exp, as Unix seconds, like 2026-11-24T15:00:00Z, or from now like 15m",
    )
    add_store(parser, "where it is written")
    add_issuer(parser, "only tokens with this iss; left out, those of every issuer on the store")
    parser.add_argument("--json", action="store_true", help="write one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Take one thing back."""
    with failures_as_json(arguments.json):
        name, take = next((name, take) for name, take in _WAYS.items() if getattr(arguments, name) not in (None, False))
        if (arguments.until is None) != (name != "jti"):
            raise UsageError("--jti and --until belong together: a rule is kept until its token has expired")
        if getattr(arguments, name) == "":
            raise UsageError(f"--{name} is empty")
        taken = take(arguments)
    screen = Screen()
    if arguments.json:
        screen.json_line({"ok": True, "kind": name, "issuer": arguments.issuer} | taken.facts)
        return EXIT_OK
    screen.line(f"{taken.told}{'' if arguments.issuer is None else ', of this issuer'}")
    if taken.note:
        screen.line(taken.note)
    return EXIT_OK


def _jti(arguments: argparse.Namespace) -> Taken:
    import argparse

    from jotgate._clock import now
    from jotgate.cli.moments import moment

    try:
        until = moment(arguments.until, now())
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"--until: {error}") from None
    if until <= now():
        raise UsageError("--until lies in the past: a token that has expired need not be taken back")
    with revocations_of(arguments) as revocations:
        return _by_jti(revocations, arguments.jti, until)


def _by_jti(revocations: Revocations, token_id: str, until: int) -> Taken:
    revocations.revoke(token_id, until)
    return Taken({"until": until}, f"taken back: the token with this jti, until it expires at {utc(until)}")


def _token(arguments: argparse.Namespace) -> Taken:
    from jotgate._clock import now
    from jotgate.cli.inputs import STDIN
    from jotgate.stores.rules import NEVER

    if arguments.token != STDIN:
        raise UsageError("--token takes - and reads standard input: others can read a token on a command line")
    claims = _claims_of_stdin()
    token_id, expires = claims.get("jti"), claims.get("exp")
    if type(token_id) is not str or not token_id:
        raise UsageError("the token has no jti by which it could be taken back: take back its session or subject")
    if arguments.issuer is not None and claims.get("iss") != arguments.issuer:
        raise UsageError("the token does not say that it is of the issuer that --issuer names")
    until = int(expires) + 1 if is_number(expires) and 0 <= expires < NEVER else NEVER
    if until <= now():
        told = f"nothing to take back: the token says that it expired at {utc(until)}"
        return Taken({"until": until, "expired": True}, told, _UNVERIFIED)
    with revocations_of(arguments) as revocations:
        return _by_jti(revocations, token_id, until)._replace(note=_UNVERIFIED)


_UNVERIFIED = "(jti and exp as the text says them: nothing in it was verified)"


def _claims_of_stdin() -> dict[str, Any]:
    from jotgate.cli.inputs import first_token
    from jotgate.errors import MalformedTokenError
    from jotgate.unverified import peek

    text, more = first_token("-", None)
    if more:
        raise UsageError("there is more than one token on standard input")
    try:
        claims = peek(text.strip()).claims
    except MalformedTokenError:
        claims = None
    if claims is None:
        raise UsageError("there is no token on standard input that could be read; jotgate inspect says why")
    return claims


def _subject(arguments: argparse.Namespace) -> Taken:
    with revocations_of(arguments) as revocations:
        before = revocations.revoke_subject(arguments.subject)
    told = f"taken back: every token of this subject issued before {utc(before)}, and every session begun before it"
    return Taken({"before": before}, told)


def _session(arguments: argparse.Namespace) -> Taken:
    with revocations_of(arguments) as revocations:
        revocations.revoke_session(arguments.session)
    return Taken({}, "taken back: every token of this session, for ever")


def _epoch(arguments: argparse.Namespace) -> Taken:
    require_issuer(arguments)
    with revocations_of(arguments) as revocations:
        epoch = revocations.epochs.advance()
    note = ""
    if epoch == _FIRST_EPOCH:
        note = (
            "this is the first epoch that the store counts: an issuer that counts its epochs elsewhere goes on "
            "writing another one, and all of its tokens are refused; give it epochs=revocations.epochs now"
        )
    return Taken({"epoch": epoch}, f"epoch {epoch} has begun: every token and session of an earlier one is over", note)


def _key(arguments: argparse.Namespace) -> Taken:
    from jotgate.cli.compromise import thumbprint_of

    thumbprint = thumbprint_of("--key", arguments.key)
    with revocations_of(arguments) as revocations:
        revocations.revoke_key(thumbprint)
    return Taken({"thumbprint": thumbprint}, "taken back: everything that this key signed, whatever a JWKS says of it")


_WAYS: dict[str, Callable[[argparse.Namespace], Taken]] = {
    "jti": _jti,
    "subject": _subject,
    "session": _session,
    "token": _token,
    "epoch": _epoch,
    "key": _key,
}

"""``jotgate compromise``: a signing key got out; end its power."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from jotgate.cli import EXIT_OK, EXIT_UNDECIDED, UsageError
from jotgate.cli.keysource import failures_as_json
from jotgate.cli.ringreport import show_incident
from jotgate.cli.rings import counted_in_the_store, directory_kept_back, opened, refuse_locked
from jotgate.cli.storage import ABOUT, add_issuer, add_store, is_named, revocations_of

if TYPE_CHECKING:
    import argparse

    from jotgate.incident import IncidentReport
    from jotgate.keys.ring import KeyRing

_DESCRIPTION = f"""\
A signing key got out: end its power wherever it can be reached, and say where it cannot.

First the store says that the key is distrusted, and every verifier on the store refuses what it signed, whatever a
JWKS says. Then the ring drops the key: the next one signs, the private key is destroyed, and a new epoch begins, which
takes back every token of before and ends every session. Nothing is asked, nothing can be undone. Each step is tried
although another fails; run it again, and it does what is missing.

{ABOUT}"""

_EPILOG = """\
exit codes
  0  all of it is done    2  usage: a bad option, directory or key    3  a step failed: run it again

examples
  jotgate compromise --ring ring --kid KID --store sqlite:/var/lib/auth/jotgate.db --issuer https://auth.example.com
  jotgate compromise --ring ring --kid KID --password-env RING_PASSPHRASE        # the store: JOTGATE_STORE
  jotgate compromise --thumbprint THUMBPRINT                                     # a key of somebody else's"""

_SHA256_BYTES = 32
IDENTIFIERS = ("--kid", "--thumbprint")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate compromise``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("--ring", metavar="DIR", dest="directory", help="the directory of the issuer's key ring")
    parser.add_argument("--kid", metavar="KID", help="the key, as jotgate keys list shows it")
    parser.add_argument(
        "--thumbprint", metavar="T", help="a key that is in no ring of yours, as jotgate jwks thumbprint shows it"
    )
    add_store(parser, "where your verifiers hear of it")
    add_issuer(parser, "whose epochs the store counts, if the ring does not")
    parser.add_argument("--password-env", metavar="NAME", help="variable with the passphrase of the private keys")
    parser.add_argument("--json", action="store_true", help="write one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """End the power of one key."""
    with failures_as_json(arguments.json), directory_kept_back(arguments):
        if arguments.thumbprint is not None:
            if (arguments.directory, arguments.kid, arguments.password_env) != (None, None, None):
                raise UsageError("--thumbprint is for a key that is in no ring: leave the ring out, or give --kid")
            return _distrust(arguments)
        if arguments.directory is None or arguments.kid is None:
            raise UsageError("name the key: --ring DIR --kid KID, or --thumbprint T for a key that is in no ring")
        return end_the_key(arguments)


def _distrust(arguments: argparse.Namespace) -> int:
    from jotgate.incident import compromise

    with revocations_of(arguments) as revocations:
        thumbprint = thumbprint_of("--thumbprint", arguments.thumbprint)
        return _told(compromise(ring=None, thumbprint=thumbprint, revocations=revocations), None, arguments)


def thumbprint_of(option: str, text: str) -> str:
    """Read the thumbprint of a key, as a rule about it needs it to the letter.

    Raises:
        UsageError: It is none.
    """
    from jotgate._codec import b64url_decode
    from jotgate.errors import JotgateError

    try:
        if text.isascii() and len(b64url_decode(text.encode())) == _SHA256_BYTES:
            return text
    except JotgateError:
        pass
    raise UsageError(f"{option} takes 43 characters, the SHA-256 thumbprint of RFC 7638: see jotgate jwks thumbprint")


def end_the_key(arguments: argparse.Namespace) -> int:
    """Do it for a key of a ring: ``directory``, ``kid``, ``password_env``, ``store``, ``issuer`` and ``json``."""
    from jotgate.incident import compromise

    # Without the counter of its epochs: a store that is down keeps no key in the ring.
    ring = opened(arguments)
    states = {record.kid: record.state for record in ring.keys}
    if arguments.kid not in states and all(each.kid != arguments.kid for each in ring.distrusted):
        raise UsageError("the ring has no such key; jotgate keys list shows those it has")
    if states.get(arguments.kid) == "active" and ring.may_rotate_at is None:
        refuse_locked(ring, arguments, "drop the key", "no key waits in its place, so one must be made, and ")
    with ExitStack() as opening:
        revocations = None
        if is_named(arguments):
            revocations = opening.enter_context(revocations_of(arguments))
            ring = counted_in_the_store(ring, revocations, arguments)
        return _told(compromise(arguments.kid, ring=ring, revocations=revocations), ring, arguments)


def _told(report: IncidentReport, ring: KeyRing | None, arguments: argparse.Namespace) -> int:
    show_incident(report, ring, as_json=arguments.json)
    return EXIT_OK if report.complete else EXIT_UNDECIDED

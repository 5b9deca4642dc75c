"""``jotgate keys``: make a key ring, look at it, rotate it, and drop a key that was compromised."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from jotgate.cli import EXIT_OK, EXIT_REFUSED, UsageError
from jotgate.cli.discretion import expected_path, shown_path
from jotgate.cli.moments import duration, from_now, how_long, utc
from jotgate.cli.terminal import Screen, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from jotgate.keys.ring import Compromise, KeyRecord, KeyRing

_DESCRIPTION = """\
Keep the signing keys of an issuer in a directory (mode 0700), through their life.

A key is made and published (next), signs once every cache has it (active), stays published until nothing it
signed can be valid (retiring), and is gone. Issuers that have the ring open notice a change within a second."""

_EPILOG = """\
exit codes
  0  done                      2  usage: a bad option, directory or key
  1  not yet: the waiting      3  the ring cannot be read or written
     key may not sign

examples
  jotgate keys init ring --alg ES256
  jotgate keys jwks ring --out public/jwks.json
  jotgate keys rotate ring --if-due 90        # from cron
  jotgate keys list ring
  jotgate keys compromise ring KID"""

_LOCKED = {
    "passphrase": "the private keys are encrypted: name the variable that has the passphrase with --password-env",
}
_KEPT_BY_THE_ISSUER = "only the issuer itself reaches the private keys of this ring: have it rotate"
_DAY_SECONDS = 86400

_ACTIONS = {
    "init": "make a ring, with a key that signs and one that waits",
    "list": "show the keys, and what may happen when",
    "rotate": "let the waiting key sign, if it may",
    "stage": "replace the waiting key, for instance by one of another algorithm",
    "compromise": "drop a key at once and for ever, and take back every token",
    "prune": "remove what is gone",
    "jwks": "write the public keys, as verifiers fetch them",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate keys``."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    made = {name: actions.add_parser(name, help=text, allow_abbrev=False) for name, text in _ACTIONS.items()}
    for name, action in made.items():
        action.add_argument("directory", metavar="DIR", help="the directory of the ring")
        action.add_argument("--json", action="store_true", help="answer in JSON")
        if name not in ("list", "jwks"):
            action.add_argument(
                "--password-env", metavar="NAME", help="variable with the passphrase of the private keys"
            )
    init = made["init"]
    init.add_argument("--alg", metavar="NAME", default="ES256", help="what the keys sign with (ES256)")
    for option, default, what in (
        ("--publish-ahead", "1d", "how long a key is published before it signs, at least 1h"),
        ("--token-lifetime", "15m", "how long a token lives at most"),
        ("--leeway", "1m", "clock skew that verifiers forgive"),
        ("--cache-time", "1h", "how long anybody's cache may hold the JWKS"),
    ):
        init.add_argument(option, metavar="TIME", type=duration, help=f"{what} ({default})")
    init.add_argument("--allow-short-times", action="store_true", help="allow --publish-ahead under 1h")
    init.add_argument("--key", metavar="FILE", help="a private JWK that already signs, to go on with")
    made["rotate"].add_argument(
        "--if-due", metavar="DAYS", type=int, help="only if the active key is that old and the waiting one may sign"
    )
    made["stage"].add_argument("--alg", metavar="NAME", help="what the new key signs with (as the ring's others)")
    made["compromise"].add_argument("kid", metavar="KID", help="the key, as list shows it")
    made["jwks"].add_argument("--out", metavar="FILE", help="write it here, in one step; else to standard output")


def run(arguments: argparse.Namespace) -> int:
    """Do one action."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "init": _init,
        "list": _list,
        "rotate": _rotate,
        "stage": _stage,
        "compromise": _compromise,
        "prune": _prune,
        "jwks": _jwks,
    }
    return actions[arguments.action](arguments)


def _init(arguments: argparse.Namespace) -> int:
    from jotgate.cli.keyfiles import password_from, refuse_unknown_algorithms
    from jotgate.keys.ring import KeyRing
    from jotgate.keys.ring_store import RingStore

    refuse_unknown_algorithms([arguments.alg])
    if RingStore(arguments.directory).exists():
        raise UsageError(f"{_shown(arguments)} has a key ring already; nothing was changed")
    ring = KeyRing(
        arguments.directory,
        create=True,
        algorithm=arguments.alg,
        publish_ahead=arguments.publish_ahead,
        token_lifetime=arguments.token_lifetime,
        leeway=arguments.leeway,
        cache_time=arguments.cache_time,
        allow_short_times=arguments.allow_short_times or None,
        passphrase=password_from(arguments.password_env),
        adopt=None if arguments.key is None else _adopted(arguments.key, arguments.alg),
    )
    return _show(ring, arguments)


def _adopted(path: str, alg: str) -> Any:
    from jotgate.cli.inputs import read_bytes, strict_object
    from jotgate.errors import InvalidKeyError
    from jotgate.keys.key import SigningKey

    try:
        return SigningKey.from_jwk(strict_object(read_bytes(path, "key", "--key"), "key"), alg=alg)
    except InvalidKeyError as error:
        raise UsageError(f"--key: {error}") from None


def _list(arguments: argparse.Namespace) -> int:
    return _show(_opened(arguments, reading=True), arguments)


def _rotate(arguments: argparse.Namespace) -> int:
    from jotgate._clock import now

    ring = _opened(arguments, makes_keys=True)
    if arguments.if_due is not None:
        if arguments.if_due < 1:
            raise UsageError("--if-due takes a number of days, at least 1")
        done = ring.maintain(rotate_every=arguments.if_due * _DAY_SECONDS).rotated_to is not None
        return _show(ring, arguments, done=done, said="rotated" if done else "not due; nothing to rotate")
    ready = ring.may_rotate_at
    if ready is not None and ready > now():
        print(
            f"jotgate keys: the waiting key may sign {from_now(ready, now())} ({utc(ready)}); until then caches may "
            "not have it. Only compromise is faster",
            file=sys.stderr,
        )
        return EXIT_REFUSED
    ring.rotate()
    return _show(ring, arguments, done=True, said="rotated")


def _stage(arguments: argparse.Namespace) -> int:
    from jotgate.cli.keyfiles import refuse_unknown_algorithms

    if arguments.alg is not None:
        refuse_unknown_algorithms([arguments.alg])
    ring = _opened(arguments, makes_keys=True)
    ring.stage(arguments.alg)
    return _show(ring, arguments, done=True, said="staged")


def _prune(arguments: argparse.Namespace) -> int:
    ring = _opened(arguments)
    removed = ring.prune()
    return _show(ring, arguments, done=bool(removed), said=f"removed {len(removed)} keys")


def _compromise(arguments: argparse.Namespace) -> int:
    ring = _opened(arguments)
    known = {record.kid for record in ring.keys} | {each.kid for each in ring.distrusted}
    if arguments.kid not in known:
        raise UsageError("the ring has no such key; jotgate keys list shows those it has")
    report = ring.compromise(arguments.kid)
    screen = Screen()
    if arguments.json:
        screen.json_line(report._asdict() | {"residual_seconds": report.residual_seconds})
        return EXIT_OK
    for line in _told(report):
        screen.line(line)
    return EXIT_OK


def _told(report: Compromise) -> list[str]:
    """Say what a compromise did, what it could not do, and what to do next."""
    epoch = (
        f"epoch {report.epoch} has begun: every token issued before is refused"
        if report.epoch is not None
        else "the epoch is counted elsewhere and has NOT advanced: have the issuer call maintain() now"
    )
    lines = [
        f"dropped {report.alg} key {printable(report.kid)} ({report.was}) for ever",
        f"  {printable(report.active_kid)} signs; {_waiting(report)} waits",
        f"  {epoch}",
        "residual exposure",
        f"  other people's JWKS caches may hold the key for {how_long(report.residual_seconds)}, until "
        f"{utc(report.residual_until)}",
    ]
    if report.refused_until is not None:
        lines.append(f"  until {utc(report.refused_until)} they may not have the new key yet, and refuse good tokens")
    return [
        *lines,
        "what to do next",
        "  publish the new JWKS now, if a file holds it: jotgate keys jwks DIR --out FILE; purge CDN caches",
        "  tell those who verify your tokens to drop the key and to fetch the JWKS again",
        "  find out how the key got out before the next one does; users must sign in again",
    ]


def _waiting(report: Compromise) -> str:
    return "no key (the issuer's maintain() makes one)" if report.next_kid is None else printable(report.next_kid)


def _jwks(arguments: argparse.Namespace) -> int:
    from jotgate.errors import PolicyError, StoreUnavailableError
    from jotgate.keys.public_document import PublicDocument
    from jotgate.keys.publish import write_jwks

    ring = _opened(arguments, reading=True)
    if _epoch(ring) is None:
        raise UsageError(
            "the epochs of this ring are counted elsewhere, and a document without the epoch would let verifiers "
            "accept what was taken back: publish from the issuer's own process, with jwks_app or write_jwks"
        )
    if arguments.out is None:
        document = json.loads(PublicDocument(ring).current().body)
        sys.stdout.write(json.dumps(document, indent=None if arguments.json else 2) + "\n")
        return EXIT_OK
    try:
        written = write_jwks(ring, arguments.out)
    except (PolicyError, StoreUnavailableError) as error:
        shown = shown_path(arguments.out, "--out") or "the file of --out"
        expected = expected_path(arguments.out, "--out")
        raise UsageError(f"{printable(shown)}: {error}{expected}") from None
    Screen().line(f"{'wrote' if written else 'unchanged:'} {len(ring.jwks()['keys'])} public keys")
    return EXIT_OK


def _opened(arguments: argparse.Namespace, *, reading: bool = False, makes_keys: bool = False) -> KeyRing:
    from jotgate.cli.keyfiles import password_from
    from jotgate.keys.ring import KeyRing
    from jotgate.keys.ring_store import RingStore

    if not RingStore(arguments.directory).exists():
        raise UsageError(f"{_shown(arguments)} has no key ring; jotgate keys init makes one")
    passphrase = None if reading else password_from(arguments.password_env)
    ring = KeyRing(arguments.directory, passphrase=passphrase, check_keys=False)
    if makes_keys and passphrase is None and ring.protection != "none":
        raise UsageError(_LOCKED.get(ring.protection, _KEPT_BY_THE_ISSUER))
    return ring


def _shown(arguments: argparse.Namespace) -> str:
    shown = shown_path(arguments.directory)
    return "the directory" if shown is None else printable(shown)


def _show(ring: KeyRing, arguments: argparse.Namespace, *, done: bool | None = None, said: str | None = None) -> int:
    """Print the ring as it is now, and whether the action did anything."""
    from jotgate._clock import now

    moment = now()
    screen = Screen()
    if arguments.json:
        screen.json_line(
            ({} if done is None else {"done": done})
            | {
                "keys": [record._asdict() for record in ring.keys],
                "epoch": _epoch(ring),
                "may_rotate_at": ring.may_rotate_at,
                "distrusted": [each._asdict() for each in ring.distrusted],
                "undestroyed": list(ring.undestroyed),
                "settings": ring.settings._asdict(),
            }
        )
        return EXIT_OK
    if said is not None:
        screen.line(said)
    rows: list[tuple[str, ...]] = [("kid", "alg", "state", "made", "what next")]
    rows += [
        (
            printable(record.kid),
            record.alg,
            record.state,
            from_now(record.created_at, moment),
            _what_next(record, ring, moment),
        )
        for record in ring.keys
    ]
    for line in screen.table(rows, numbers=0):
        screen.line(line)
    epoch = _epoch(ring)
    screen.line(f"epoch {'counted elsewhere' if epoch is None else epoch}")
    for each in ring.distrusted:
        screen.line(f"distrusted: {printable(each.kid)} ({each.alg}), compromised {from_now(each.at, moment)}")
    if ring.undestroyed:
        screen.line(f"private keys still to be destroyed: {', '.join(map(printable, ring.undestroyed))}")
    return EXIT_OK


def _what_next(record: KeyRecord, ring: KeyRing, moment: float) -> str:
    if record.state == "next":
        ready = ring.may_rotate_at
        return "may sign" if ready is None or ready <= moment else f"may sign {from_now(ready, moment)}"
    if record.state == "active":
        return f"signs since {utc(record.active_from or 0)}"
    if record.state == "retiring":
        return f"gone {from_now(record.gone_at or 0, moment)}"
    return "prune removes it"


def _epoch(ring: KeyRing) -> int | None:
    from jotgate.errors import PolicyError

    try:
        return ring.epoch
    except PolicyError:
        return None

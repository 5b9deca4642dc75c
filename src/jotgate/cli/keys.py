"""``jotgate keys``: make a key ring, look at it, rotate it, and drop a key that was compromised."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from jotgate.cli import EXIT_OK, EXIT_REFUSED, UsageError
from jotgate.cli.discretion import closest, expected_path, shown_path
from jotgate.cli.moments import duration
from jotgate.cli.ringreport import MAINTAIN, epoch_of, not_before, password_option, show
from jotgate.cli.rings import counted_in_the_store, directory_kept_back, opened, refuse_locked, shown_directory
from jotgate.cli.storage import add_issuer, add_store, is_named, revocations_of
from jotgate.cli.terminal import Screen, printable
from jotgate.cli.wording import for_the_command_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from jotgate.keys.ring import KeyRing

_DESCRIPTION = """\
Keep the signing keys of an issuer in a directory (mode 0700), through their life.

A key is made and published (next), signs once every cache has it (active), stays published until nothing it
signed can be valid (retiring), and is gone. Issuers that have the ring open notice a change within a second."""

_EPILOG = """\
exit codes
  0  done                      2  usage: a bad option, directory or key
  1  rotate: too early;        3  the ring cannot be read or written;
     list: a private key          compromise: not all of it could be done
     cannot be used

examples
  jotgate keys init ring --alg ES256
  jotgate keys rotate ring --if-due 90 && jotgate keys jwks ring --out public/jwks.json        # from cron
  jotgate keys list ring
  jotgate keys compromise ring KID"""

_TAKES = "an algorithm of key pairs such as ES256, EdDSA, RS256 or ML-DSA-65"
_REPAIRS = {
    "active": "; if that cannot be put right, drop the key: jotgate keys compromise DIR {kid}",
    "next": "; if that cannot be put right, replace the key: jotgate keys stage DIR",
}
_DAY_SECONDS = 86400

_ACTIONS = {
    "init": "make a ring, with a key that signs and one that waits",
    "list": "show the keys, what may happen when, and whether the private keys can be used",
    "rotate": "let the waiting key sign, if it may; with --if-due also prune, and make a missing waiting key",
    "stage": "replace the waiting key, for instance by one of another algorithm",
    "compromise": "drop a key at once and for ever, and take back every token; the same as jotgate compromise",
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
        if name != "jwks":
            action.add_argument(
                "--password-env", metavar="NAME", help="variable with the passphrase of the private keys"
            )
    init = made["init"]
    init.add_argument("--alg", metavar="NAME", help=f"what new keys sign with (ES256, or as --key): {_TAKES}")
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
        "--if-due",
        metavar="DAYS",
        type=int,
        help="only if the active key is that old and the waiting one may sign; also prune, and make a missing one",
    )
    made["stage"].add_argument(
        "--alg", metavar="NAME", help=f"what the new key signs with (as the ring's others): {_TAKES}"
    )
    made["compromise"].add_argument("kid", metavar="KID", help="the key, as list shows it; -- before one with a dash")
    add_store(made["compromise"], "where verifiers hear of it, and where the epoch is counted, if not in the ring")
    add_store(made["jwks"], "where the epoch is counted, if not in the ring")
    for name in ("compromise", "jwks"):
        add_issuer(made[name], "whose epochs the store counts, if the ring does not")
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
    with directory_kept_back(arguments):
        return actions[arguments.action](arguments)


def _refuse_other_algorithms(name: str | None) -> None:
    from jotgate.keys.algorithms import ALGORITHMS, expand

    known = [each.name for each in ALGORITHMS.values() if each.kty != "oct"] + ["EdDSA"]
    if name is None or name in known:
        return
    if expand(name):
        raise UsageError(
            f"--alg: a ring publishes its keys, and a shared secret has no public half; choose from {', '.join(known)}"
        )
    near = closest(name.upper(), known)
    advice = f"did you mean {near}?" if near is not None else f"choose from {', '.join(known)}"
    raise UsageError(f"--alg: there is no such algorithm; {advice}")


def _init(arguments: argparse.Namespace) -> int:
    from jotgate.cli.keyfiles import password_from
    from jotgate.keys.ring import KeyRing
    from jotgate.keys.ring_store import RingStore

    _refuse_other_algorithms(arguments.alg)
    if RingStore(arguments.directory).exists():
        raise UsageError(f"{shown_directory(arguments)} has a key ring already; nothing was changed")
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
    return show(ring, arguments)


def _adopted(path: str, alg: str | None) -> Any:
    from jotgate.cli.inputs import read_bytes, strict_object
    from jotgate.errors import InvalidKeyError
    from jotgate.keys.jwk import load_signing
    from jotgate.keys.key import SigningKey

    members = strict_object(read_bytes(path, "key", "--key"), "key")
    try:
        if alg is None and "alg" not in members:
            material = load_signing(members)[1]
            serves = [each.name for each in material.candidates()]
            if len(serves) != 1:
                raise UsageError(f"--key: {material.describe()} can serve {', '.join(serves)}: say the one with --alg")
            alg = serves[0]
        return SigningKey.from_jwk(members, alg=alg)
    except InvalidKeyError as error:
        raise UsageError(f"--key: {error}") from None


def _list(arguments: argparse.Namespace) -> int:
    ring = opened(arguments)
    problems = ring.problems()
    show(ring, arguments, more={"problems": problems})
    states = {record.kid: record.state for record in ring.keys}
    for kid, problem in problems.items():
        repair = _REPAIRS.get(states.get(kid, ""), "").format(kid=printable(kid))
        advice = repair and repair + password_option(ring)
        print(f"jotgate keys: {printable(for_the_command_line(problem))}{advice}", file=sys.stderr)
    return EXIT_REFUSED if problems else EXIT_OK


def _rotate(arguments: argparse.Namespace) -> int:
    from jotgate._clock import now
    from jotgate.errors import PolicyError

    if arguments.if_due is not None:
        return _maintain(arguments)
    ring = _opened_to_make(arguments)
    if ring.may_rotate_at is None:
        raise UsageError(f"no key waits: {MAINTAIN}{password_option(ring)} makes one")
    try:
        ring.rotate()
    except PolicyError:
        # Asked after the attempt: another process may have rotated just before.
        ready = ring.may_rotate_at
        if ready is None or ready <= now():
            raise
        return _too_early(arguments, ready, now())
    return show(ring, arguments, done=True, said="rotated")


def _too_early(arguments: argparse.Namespace, ready: float, moment: float) -> int:
    reason = (
        f"too early: the waiting key {not_before(ready, moment)}, as caches may not have it yet; only compromise is "
        "faster, and takes back every token"
    )
    if arguments.json:
        refusal = {"ok": False, "done": False, "code": "too_early", "reason": reason, "may_rotate_at": ready}
        Screen().json_line(refusal)
    else:
        print(f"jotgate keys: {reason}", file=sys.stderr)
    return EXIT_REFUSED


def _maintain(arguments: argparse.Namespace) -> int:
    """Do what is due, as cron has it done; the passphrase is needed only to make a key or to let one sign."""
    from jotgate._clock import now

    if arguments.if_due < 1:
        raise UsageError("--if-due takes a number of days, at least 1")
    every = arguments.if_due * _DAY_SECONDS
    ring = opened(arguments)
    ready = ring.may_rotate_at
    signs_since = next((record.active_from or 0 for record in ring.keys if record.state == "active"), 0)
    if ready is None or now() >= max(ready, signs_since + every):
        refuse_locked(ring, arguments, "rotate")
    did = ring.maintain(rotate_every=every)
    said = ["not due; nothing to rotate" if did.rotated_to is None else "rotated"]
    if did.made_next is not None:
        said.append(f"made the waiting key {printable(did.made_next)}")
    if did.removed:
        said.append(f"removed {', '.join(map(printable, did.removed))}")
    more = {"rotated_to": did.rotated_to, "made_next": did.made_next, "removed": list(did.removed)}
    return show(ring, arguments, done=did.rotated_to is not None, said="; ".join(said), more=more)


def _stage(arguments: argparse.Namespace) -> int:
    _refuse_other_algorithms(arguments.alg)
    ring = _opened_to_make(arguments)
    ring.stage(arguments.alg)
    return show(ring, arguments, done=True, said="staged")


def _prune(arguments: argparse.Namespace) -> int:
    ring = opened(arguments)
    removed = ring.prune()
    return show(ring, arguments, done=bool(removed), said=f"removed {', '.join(map(printable, removed)) or 'nothing'}")


def _compromise(arguments: argparse.Namespace) -> int:
    from jotgate.cli.compromise import end_the_key

    return end_the_key(arguments)


def _jwks(arguments: argparse.Namespace) -> int:
    from jotgate.errors import StoreUnavailableError

    ring = opened(arguments, reading=True)
    if epoch_of(ring) is not None:
        return _write_jwks(ring, arguments)
    if not is_named(arguments):
        raise UsageError(
            "the epochs of this ring are counted elsewhere, and a document without the epoch would let verifiers "
            "accept what was taken back: name the store with --store, or publish from the issuer's own process, with "
            "jwks_app or write_jwks"
        )
    with revocations_of(arguments) as revocations:
        ring = counted_in_the_store(ring, revocations, arguments, reading=True)
        if epoch_of(ring) is None:
            raise StoreUnavailableError("the store that counts the epochs of this ring does not answer")
        return _write_jwks(ring, arguments)


def _write_jwks(ring: KeyRing, arguments: argparse.Namespace) -> int:
    from jotgate.errors import PolicyError, StoreUnavailableError
    from jotgate.keys.public_document import PublicDocument
    from jotgate.keys.publish import write_jwks

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


def _opened_to_make(arguments: argparse.Namespace) -> KeyRing:
    """Open a ring that is about to make a key."""
    ring = opened(arguments)
    refuse_locked(ring, arguments, "rotate" if arguments.action == "rotate" else "stage a key")
    return ring

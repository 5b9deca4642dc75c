"""The server secrets that vouch for refresh tokens. They are not where the sessions are.

One file holds all versions, and is replaced as a whole. Whoever reads it looks at it twice a second, and at once when a
token names a version that he does not know.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import pairwise
from os import urandom
from pathlib import Path
from typing import Any, Final, NamedTuple, final

from .._clock import monotonic_ns_now, now
from .._codec import b64url_decode, b64url_encode
from .._json import check
from ..errors import InvalidKeyError, MalformedTokenError, PolicyError
from ..keys.files import (
    PRIVATE_FILE,
    WriterLock,
    check_private_directory,
    make_private_directory,
    read_private,
    replace_file,
    require_posix,
    unavailable,
)
from ..keys.secrets import check_length, load_secret
from ..stores.taking_back import LONGEST_SESSION, MARGIN
from .refresh_token import MOST
from .vouching import LEAST_BYTES

FORMAT: Final = 1
FILE, LOCK = "secrets.json", "lock"
_WHAT: Final = "the file of session secrets"
_WHERE: Final = "in their directory"
_BYTES: Final = 32
"""Of each secret that is made here."""
_LOOK_NS: Final = 500_000_000
_LONGEST_AHEAD: Final = 7 * 86_400


class _Secret(NamedTuple):
    version: int
    value: bytes
    from_: float
    """Unix time from which on new tokens are made with it."""

    def __repr__(self) -> str:
        return f"_Secret(version={self.version})"


@final
class SessionSecrets:
    """Server secrets in a directory that only its owner reads. Threads and processes may share it.

    A ``SecretSource``. Keep it outside the store, and outside its backups: whoever has both the secrets and the store
    can take over sessions.

    Args:
        path: The directory.
        create: Make the directory and the first secret if they are not there.

    Raises:
        PolicyError: ``invalid_policy``: there are none and ``create`` is not given; the directory cannot be made; the
            system has no POSIX file locks.
        InvalidKeyError: ``invalid_key``: directory or file is open to others, a link, somebody else's, or damaged.
        StoreUnavailableError: ``store_unavailable``: they cannot be read.
    """

    __slots__ = ("_look_at", "_path", "_read_last")

    def __init__(self, path: str | os.PathLike[str], *, create: bool = False) -> None:
        require_posix("a set of session secrets")
        if not isinstance(path, str | os.PathLike) or not os.fspath(path):
            raise PolicyError("path is that of the directory of session secrets")
        self._path = Path(path).absolute()
        # One object, so that no thread puts what it read together with the mark of what another one did.
        self._read_last: tuple[tuple[_Secret, ...], tuple[int, ...]] = (), ()
        self._look_at = 0
        if create:
            self._found()
        elif not os.path.lexists(self._path / FILE):
            raise PolicyError("there are no session secrets in this directory: create=True makes the first one")
        self._look()

    def current(self) -> tuple[int, bytes]:
        """Return the version and the secret that new refresh tokens are made with.

        Raises:
            StoreUnavailableError: ``store_unavailable``: the file cannot be read any more.
            InvalidKeyError: ``invalid_key``: it is damaged, or open to others.
        """
        known, moment = self._recent(), now()
        begun = [each for each in known if each.from_ <= moment]
        newest = begun[-1] if begun else known[0]
        return newest.version, newest.value

    def secret(self, version: int) -> bytes | None:
        """Return the secret of a version; None: there is none, or none any more. Raises as `current`."""
        known = self._recent()
        if version > known[-1].version:
            known = self._look()  # made a moment ago, by another process
        return next((each.value for each in known if each.version == version), None)

    def rotate(self, *, after: float = 0.0) -> int:
        """Make a new secret and return its version; what older ones vouch for still counts.

        A secret goes when no session can still have a token that was made with it: 30 days after the next one began.

        Args:
            after: Seconds until tokens are made with it, at most 7 days: as long as it takes to copy the file to every
                machine that needs it. 0 where all read the same directory.

        Raises:
            PolicyError: ``invalid_policy``: ``after`` is not what it should be.
            StoreUnavailableError, InvalidKeyError: as `current`; the lock cannot be had within 10 s.
        """
        if type(after) not in (int, float) or not 0 <= after <= _LONGEST_AHEAD:
            raise PolicyError(f"after takes seconds, 0 to {_LONGEST_AHEAD}")

        def rotated(known: tuple[_Secret, ...]) -> tuple[_Secret, ...]:
            moment = now()
            oldest = moment - LONGEST_SESSION - MARGIN
            kept = [each for each, later in pairwise(known) if later.from_ > oldest]
            return (*kept, known[-1], _new(known[-1].version + 1, max(moment + after, known[-1].from_)))

        return self._write(rotated)

    def replace(self) -> int:
        """Make a new secret and destroy all others, which somebody else may know; return its version.

        Every refresh token there is becomes invalid, and every user signs in again. Access tokens are not affected.
        Raises as `rotate`.
        """
        return self._write(lambda known: (_new(known[-1].version + 1, now()),))

    def versions(self) -> list[int]:
        """Return the versions there are, oldest first. Raises as `current`."""
        return [each.version for each in self._recent()]

    def _found(self) -> None:
        make_private_directory(self._path)
        with WriterLock(self._path / LOCK, _WHAT):
            if not os.path.lexists(self._path / FILE):
                self._put((_new(1, now()),))

    def _write(self, change: Any) -> int:
        check_private_directory(self._path)
        with WriterLock(self._path / LOCK, _WHAT):
            after = change(self._read()[0])
            if after[-1].version > MOST:
                raise PolicyError("there are no more versions: begin a new directory of session secrets")
            self._put(after)
        self._look()
        return int(after[-1].version)

    def _put(self, secrets: tuple[_Secret, ...]) -> None:
        try:
            replace_file(self._path / FILE, _dump(secrets), PRIVATE_FILE)
        except OSError as error:
            raise unavailable(f"write {_WHAT}", error) from None

    def _recent(self) -> tuple[_Secret, ...]:
        return self._look() if monotonic_ns_now() >= self._look_at else self._read_last[0]

    def _look(self) -> tuple[_Secret, ...]:
        """Read the file if it is another one. Threads may do so at once; what they find is whole."""
        moment = monotonic_ns_now()
        try:
            mark = _mark(os.lstat(self._path / FILE))
        except OSError as error:
            self._look_at = 0
            raise unavailable(f"find {_WHAT}", error) from None
        found = self._read_last
        if mark != found[1]:
            self._look_at = 0
            found = self._read_last = self._read()
        self._look_at = moment + _LOOK_NS
        return found[0]

    def _read(self) -> tuple[tuple[_Secret, ...], tuple[int, ...]]:
        check_private_directory(self._path)
        text, found = read_private(
            self._path / FILE, _WHAT, where=_WHERE, if_open="; whoever read it can take sessions"
        )
        return _parse(text), _mark(found)

    def __repr__(self) -> str:
        return "SessionSecrets()"

    def __reduce__(self) -> str:
        raise TypeError("session secrets are not copied: open the directory where they are needed")


@final
class FixedSecrets:
    """Server secrets that were brought along, from an environment or a vault; for tests, and where there is no disk.

    A ``SecretSource``. They are replaced by a restart.

    Args:
        secrets: From version to secret: 1 to 2^31 - 1, and at least 32 random bytes. The highest version is the one
            that new tokens are made with.

    Raises:
        PolicyError: ``invalid_policy``: none, or a version that is none.
        InvalidKeyError: ``invalid_key``: a secret is too short, not bytes, or the text of a key.
    """

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Mapping[int, bytes]) -> None:
        if not isinstance(secrets, Mapping) or not secrets:
            raise PolicyError("secrets takes a mapping from versions to secrets, with at least one")
        for version, secret in secrets.items():
            if type(version) is not int or not 1 <= version <= MOST:
                raise PolicyError(f"the version of a secret is an int from 1 to {MOST}")
            check_length(load_secret(secret), LEAST_BYTES)
        self._secrets = dict(secrets)

    def current(self) -> tuple[int, bytes]:
        """Return the version and the secret that new refresh tokens are made with."""
        version = max(self._secrets)
        return version, self._secrets[version]

    def secret(self, version: int) -> bytes | None:
        """Return the secret of a version; None: there is none."""
        return self._secrets.get(version)

    def __repr__(self) -> str:
        return "FixedSecrets()"

    def __reduce__(self) -> str:
        raise TypeError("session secrets are not copied")


def _new(version: int, from_: float) -> _Secret:
    return _Secret(version, urandom(_BYTES), from_)


def _mark(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid


def _dump(secrets: tuple[_Secret, ...]) -> bytes:
    import orjson

    entries = [{"version": each.version, "secret": b64url_encode(each.value), "from": each.from_} for each in secrets]
    return orjson.dumps({"jotgate_session_secrets": FORMAT, "secrets": entries}, option=orjson.OPT_APPEND_NEWLINE)


def _parse(text: bytes) -> tuple[_Secret, ...]:
    import orjson

    try:
        check(text)
        document = orjson.loads(text)
        if document.keys() != {"jotgate_session_secrets", "secrets"} or document["jotgate_session_secrets"] != FORMAT:
            raise ValueError
        secrets = tuple(
            _entry(**{name.replace("from", "from_"): value for name, value in each.items()})
            for each in document["secrets"]
        )
        versions = [each.version for each in secrets]
        if not versions or versions != sorted(set(versions)):
            raise ValueError
    except (MalformedTokenError, ValueError, TypeError, AttributeError, LookupError):
        raise InvalidKeyError(
            f"{_WHAT} is damaged: restore it, or begin anew in another directory, and every user signs in again"
        ) from None
    return secrets


def _entry(version: object, secret: object, from_: object) -> _Secret:
    if type(version) is not int or not 1 <= version <= MOST or type(from_) not in (int, float):
        raise ValueError
    value = b64url_decode(secret)  # type: ignore[arg-type]  # another type is malformed
    if len(value) != _BYTES:
        raise ValueError
    return _Secret(version, value, float(from_))  # type: ignore[arg-type]

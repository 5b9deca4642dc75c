"""Keys from the files and secrets that a command line names, each with the one algorithm that it is to serve.

Where ``--alg`` is left out, the key decides if it can: a JWK by its ``alg``, an EC or Edwards key by its
curve. A key that could serve several algorithms (RSA, a secret) needs ``--alg``; nothing is ever taken from
a token.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from jotgate.cli import UsageError
from jotgate.cli.discretion import closest, missing_variable, shown_path
from jotgate.cli.inputs import read_bytes, secret, strict_object
from jotgate.cli.terminal import printable
from jotgate.cli.wording import for_the_command_line
from jotgate.errors import InvalidKeyError
from jotgate.keys import jwk, pem
from jotgate.keys.algorithms import ALGORITHMS, expand, header_name, resolve_algorithms
from jotgate.keys.key import SigningKey, VerificationKey
from jotgate.keys.keyset import KeySet
from jotgate.keys.metadata import KEY_TYPES, PRIVATE_MEMBERS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable

    from jotgate.keys.material import Material

_T = TypeVar("_T")

_DER_SEQUENCE = b"\x30"
_PEM_MARK = b"-----BEGIN "
_PRIVATE_PEM_MARK = b"PRIVATE KEY-----"
_KEY_PAIR_TYPES = [kty for kty in KEY_TYPES if kty != "oct"]
_PUBLIC_KEY_WANTED = "this is a private key: pass the public key (keygen --public writes it)"
_PRIVATE_KEY_WANTED = "this is a public key: sign needs the private key file"


def verification_keys(arguments: argparse.Namespace) -> tuple[KeySet, tuple[str, ...]]:
    """Load the keys of ``verify`` and settle which algorithms are allowed.

    Args:
        arguments: One of ``jwks``, ``key`` (a list), ``secret_file``, ``secret_env``; and ``alg`` (a list
            or None).

    Returns:
        The set, every key of it bound to one algorithm, and the names of the allowed algorithms.

    Raises:
        UsageError: A file cannot be read, or a key cannot be used or leaves its algorithm open.
        PolicyError: ``invalid_policy``: ``--alg`` names no algorithm of ours.
    """
    named = tuple(name.strip() for value in arguments.alg or () for name in value.split(",") if name.strip())
    refuse_unknown_algorithms(named)
    allowed = resolve_algorithms(named) if arguments.alg else None
    if arguments.jwks is not None:
        keys = _key_set(arguments.jwks, named)
    elif arguments.key is not None:
        keys = KeySet([_public_key(path, allowed) for path in arguments.key])
    else:
        keys = KeySet([VerificationKey.from_secret(_secret(arguments), alg=_secret_algorithm(named))])
    names = named or tuple(dict.fromkeys(key.alg for key in keys))
    if not {each for key in keys for each in expand(key.alg)}.intersection(resolve_algorithms(names)):
        have = ", ".join(sorted({key.alg for key in keys}))
        raise UsageError(f"no key serves an algorithm of --alg: the keys are for {have}")
    return keys, names


def signing_key(arguments: argparse.Namespace) -> SigningKey:
    """Load the key of ``sign``.

    Args:
        arguments: One of ``key``, ``secret_file``, ``secret_env``; and ``alg``, ``kid`` and
            ``password_env`` or None.

    Raises:
        UsageError: The file cannot be read, or the key cannot be used or leaves its algorithm open.
        PolicyError: ``invalid_policy``: ``--alg`` names no algorithm of ours.
    """
    named = () if arguments.alg is None else (arguments.alg,)
    refuse_unknown_algorithms(named)
    if arguments.key is None:
        return SigningKey.from_secret(_secret(arguments), alg=_secret_algorithm(named), kid=arguments.kid)
    data = read_bytes(arguments.key, "key", "--key")
    allowed = resolve_algorithms(named) if named else None
    password = password_from(arguments.password_env)
    return _in_file(arguments.key, "--key", lambda: _private_key(data, allowed, arguments.kid, password))


def password_from(variable: str | None) -> bytes | None:
    """Read the password of a private key from an environment variable; None where none is named."""
    if variable is None:
        return None
    value = os.environ.get(variable)
    if not value:
        raise UsageError(missing_variable(variable, "--password-env"))
    return os.fsencode(value)


def refuse_unknown_algorithms(names: Iterable[str]) -> None:
    """Refuse what is no algorithm of ours, without repeating it: it may be a secret in the wrong place.

    Raises:
        UsageError: One of the names is not known; a similar one is suggested.
    """
    for name in names:
        if not expand(name):
            known = [*ALGORITHMS, "EdDSA"]
            near = closest(name.upper(), known)
            advice = f"did you mean {near}?" if near is not None else f"choose from {', '.join(known)}"
            raise UsageError(f"--alg: there is no such algorithm; {advice}")


def _secret(arguments: argparse.Namespace) -> bytes:
    found = secret(arguments)
    if not found:
        raise UsageError("the secret is empty")
    return found


def _secret_algorithm(named: tuple[str, ...]) -> str:
    if len(named) != 1:
        raise UsageError("a secret has one algorithm: say which with --alg HS256, HS384 or HS512")
    return named[0]


def _key_set(path: str, named: tuple[str, ...]) -> KeySet:
    document = read_bytes(path, "JWKS document", "--jwks")

    def load() -> KeySet:
        if _PEM_MARK in document:
            raise UsageError("this is PEM, not a JWKS document: use --key")
        members = strict_object(document, "JWKS document")
        if "kty" in members and "keys" not in members:
            raise UsageError("this is one key, not a JWKS document: use --key")
        names = named or tuple(dict.fromkeys(key.alg for key in KeySet.from_jwks(document)))
        if not names:
            raise UsageError("its keys name no algorithm: say with --alg which ones are allowed")
        return KeySet.from_jwks(document, algorithms=names)

    return _in_file(path, "--jwks", load)


def _public_key(path: str, allowed: tuple[str, ...] | None) -> VerificationKey:
    data = read_bytes(path, "key", "--key")

    def load() -> VerificationKey:
        if _is_json(data):
            members = strict_object(data, "key")
            if _is_jwks(members):
                raise UsageError("this is a JWKS document, not one key: use --jwks")
            if _is_private_jwk(members):
                raise UsageError(_PUBLIC_KEY_WANTED)
            return VerificationKey.from_jwk(members, alg=_jwk_algorithm(members, jwk.load_verifying(members), allowed))
        if _PRIVATE_PEM_MARK in data or _is_private_der(data):
            raise UsageError(_PUBLIC_KEY_WANTED)
        if _is_der(data):
            material = jwk.material_of(pem.load_public_der(data, pss=True))
            return VerificationKey.from_der(data, alg=_only_algorithm(material, allowed))
        material = jwk.material_of(pem.load_public_pem(data, pss=True))
        return VerificationKey.from_pem(data, alg=_only_algorithm(material, allowed))

    return _in_file(path, "--key", load)


def _private_key(data: bytes, allowed: tuple[str, ...] | None, kid: str | None, password: bytes | None) -> SigningKey:
    if _is_json(data):
        members = strict_object(data, "key")
        if _is_jwks(members):
            raise UsageError("a JWKS holds public keys; sign needs the private key file")
        if members.get("kty") in KEY_TYPES and not any(name in members for name in PRIVATE_MEMBERS):
            raise UsageError(_PRIVATE_KEY_WANTED)
        if kid is not None:
            members["kid"] = kid
        _, material = jwk.load_signing(members)
        return SigningKey.from_jwk(members, alg=_jwk_algorithm(members, material, allowed))
    if _is_der(data):
        if _is_public_der(data):
            raise UsageError(_PRIVATE_KEY_WANTED)
        _, material = jwk.material_of_private(pem.load_private_der(data, password))
        return SigningKey.from_der(data, alg=_only_algorithm(material, allowed), kid=kid, password=password)
    if _PEM_MARK in data and _PRIVATE_PEM_MARK not in data:
        raise UsageError(_PRIVATE_KEY_WANTED)
    if password is None and b"ENCRYPTED" in data:
        raise UsageError("the private key is encrypted: name the variable that has its password with --password-env")
    _, material = jwk.material_of_private(pem.load_private_pem(data, password))
    return SigningKey.from_pem(data, alg=_only_algorithm(material, allowed), kid=kid, password=password)


def _is_json(data: bytes) -> bool:
    return data.lstrip().startswith((b"{", b"["))


def _is_jwks(members: dict[str, object]) -> bool:
    return "keys" in members and "kty" not in members


def _is_private_jwk(members: dict[str, object]) -> bool:
    return members.get("kty") in _KEY_PAIR_TYPES and any(name in members for name in PRIVATE_MEMBERS)


def _is_der(data: bytes) -> bool:
    return data.startswith(_DER_SEQUENCE) and _PEM_MARK not in data


def _is_public_der(data: bytes) -> bool:
    try:
        pem.load_public_der(data, pss=True)
    except InvalidKeyError:
        return False
    return True


def _is_private_der(data: bytes) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        load_der_private_key(data, None)
    except TypeError:
        return True  # it wants a password
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _jwk_algorithm(members: dict[str, object], material: Material, allowed: tuple[str, ...] | None) -> str | None:
    """Return the algorithm for a JWK that names none; None for one that does."""
    if "alg" not in members:
        return _only_algorithm(material, allowed)
    if allowed is not None and not set(expand(members["alg"])).intersection(allowed):
        raise UsageError(f"the key is for {printable(str(members['alg']))}, which --alg does not name")
    return None


def _only_algorithm(material: Material, allowed: tuple[str, ...] | None) -> str:
    """Return the one allowed algorithm that a key can serve."""
    possible = [row.name for row in material.candidates()]
    fits = [name for name in possible if allowed is None or name in allowed]
    if len(fits) == 1:
        return header_name(fits[0])
    kind = material.describe()
    if not fits:
        raise UsageError(f"--alg names no algorithm for {kind}, which can serve {', '.join(possible)}")
    raise UsageError(f"{kind} can serve {', '.join(fits)}: say the one with --alg")


def _in_file(path: str, option: str, load: Callable[[], _T]) -> _T:
    """Load something and name the file in the error, or the option where the file's name may be a secret."""
    try:
        return load()
    except (InvalidKeyError, UsageError) as error:
        raise UsageError(
            f"{printable(shown_path(path, option) or option)}: {for_the_command_line(str(error))}"
        ) from None

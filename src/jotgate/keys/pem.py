"""Keys from PEM and DER, by `cryptography`, with advice where the text holds something else.

What comes out has been parsed and nothing more: `jwk.material_of` checks it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm

from ..errors import InvalidKeyError

if TYPE_CHECKING:
    from cryptography import x509

    from .primitives import PrivateKey

_T = TypeVar("_T")

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----")
_ESCAPED_LINE_BREAK = re.compile(rb"\\[nr]")
_PUBLIC_LABELS = ("PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE")
_PRIVATE_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
_KEY_FILE_ENDINGS = (b".pem", b".key", b".pub", b".der", b".crt", b".cer", b".jwk", b".json", b".txt")

_USE_SIGNING_KEY = "this is a private key: a verifier gets the public one; for signing use SigningKey"
_USE_VERIFICATION_KEY = "this is a public key: it cannot sign; for verifying use VerificationKey"

# RFC 4055 section 1.2: a key that only signs by RSASSA-PSS, perhaps with one hash and salt; `cryptography`
# forgets both.
_RSASSA_PSS = "1.2.840.113549.1.1.10"
_RSASSA_PSS_OID = bytes.fromhex("06092a864886f70d01010a")
_RSASSA_PSS_WITHOUT_PARAMETERS = b"\x30\x0b" + _RSASSA_PSS_OID


def load_public_pem(pem: object, *, pss: bool) -> object:
    """Load the one public key or certificate of a PEM text.

    Args:
        pem: PEM text, `str` or `bytes`: PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE. Text around it is ignored.
            The certificate is a container: dates, names, usages and its signature are not checked.
        pss: Whether the key will be used for RSASSA-PSS.

    Raises:
        InvalidKeyError: ``invalid_key``: another type, no key, more than one, a private key, or a damaged
            one.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    label, block = _one_block(_pem_bytes(pem))
    if label.endswith("PRIVATE KEY"):
        raise InvalidKeyError(_USE_SIGNING_KEY)
    if label not in _PUBLIC_LABELS:
        raise InvalidKeyError(f"a PEM key to verify with is one of: {', '.join(_PUBLIC_LABELS)}")
    if label == "CERTIFICATE":
        return _key_of(_parsed(lambda: _x509_pem(block)), pss=pss)
    key = _parsed(lambda: load_pem_public_key(block))
    # BEGIN line, body, END line, as cut by their dashes.
    _check_pss_mark(_parsed(lambda: binascii.a2b_base64(block.split(b"-----")[2])), pss=pss)
    return key


def load_public_der(der: object, *, pss: bool) -> object:
    """Load a public key from DER: SubjectPublicKeyInfo, PKCS#1 RSAPublicKey or a certificate.

    Args:
        der: Exactly one DER value, without anything before or behind it.
        pss: Whether the key will be used for RSASSA-PSS.

    Raises:
        InvalidKeyError: ``invalid_key``: another type, a private key, or nothing of the three.
    """
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    data = _der_bytes(der)
    try:
        key = load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        if _is_private_der(data):
            raise InvalidKeyError(_USE_SIGNING_KEY) from None
        return certificate_key(data, pss=pss)
    _check_pss_mark(data, pss=pss)
    return key


def certificate_key(der: bytes, *, pss: bool) -> object:
    """Return the public key of a DER certificate, of which nothing else is checked.

    Args:
        der: The certificate.
        pss: Whether the key will be used for RSASSA-PSS.

    Raises:
        InvalidKeyError: ``invalid_key``: not a certificate.
    """
    from cryptography import x509

    return _key_of(_parsed(lambda: x509.load_der_x509_certificate(der)), pss=pss)


def load_private_pem(pem: object, password: object) -> object:
    """Load the one private key of a PEM text: PKCS#8 (also encrypted), PKCS#1 or SEC 1.

    Args:
        pem: PEM text, `str` or `bytes`. An EC PARAMETERS block beside the key is ignored.
        password: `str` (taken as UTF-8) or `bytes` for an encrypted key, else None.

    Raises:
        InvalidKeyError: ``invalid_key``: another type, no private key, more than one, a wrong or missing
            password.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    label, block = _one_block(_pem_bytes(pem))
    if label in _PUBLIC_LABELS:
        raise InvalidKeyError(_USE_VERIFICATION_KEY)
    if label == "OPENSSH PRIVATE KEY":
        raise InvalidKeyError("OpenSSH's own format is not read: convert a copy by ssh-keygen -p -m PKCS8 -f COPY")
    if label not in _PRIVATE_LABELS:
        raise InvalidKeyError(f"a PEM key to sign with is one of: {', '.join(_PRIVATE_LABELS)}")
    secret = _password_bytes(password)
    return _parsed_private(lambda: load_pem_private_key(block, secret), encrypted=secret is not None)


def load_private_der(der: object, password: object) -> object:
    """Load a private key from DER: PKCS#8 (also encrypted), PKCS#1 or SEC 1.

    Raises:
        InvalidKeyError: ``invalid_key``: another type, no private key, a wrong or missing password.
    """
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

    data = _der_bytes(der)
    secret = _password_bytes(password)
    try:
        load_der_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        return _parsed_private(lambda: load_der_private_key(data, secret), encrypted=secret is not None)
    raise InvalidKeyError(_USE_VERIFICATION_KEY)


def private_pem(key: PrivateKey, password: object) -> bytes:
    """Write a private key as PKCS#8 PEM.

    Args:
        key: The key.
        password: `str` (taken as UTF-8) or `bytes` to encrypt it, else None.

    Raises:
        InvalidKeyError: ``invalid_key``: an empty password, or one of another type.
    """
    from cryptography.hazmat.primitives import serialization

    secret = _password_bytes(password)
    if secret is None:
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    elif not secret:
        raise InvalidKeyError("the password is empty")
    else:
        encryption = serialization.BestAvailableEncryption(secret)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _parsed(load: Callable[[], _T]) -> _T:
    try:
        return load()
    except Exception:
        # Whatever the parser met: the caller learns that the key is bad, and nothing of its bytes.
        raise InvalidKeyError("the key is damaged, or of a kind that is not supported") from None


def _parsed_private(load: Callable[[], _T], *, encrypted: bool) -> _T:
    try:
        return load()
    except TypeError:
        advice = "is not encrypted: pass no password" if encrypted else "is encrypted: pass its password"
        raise InvalidKeyError(f"the private key {advice}") from None
    except Exception:
        cause = "the password is wrong, or the private key is damaged" if encrypted else "the private key is damaged"
        raise InvalidKeyError(f"{cause}, or of a kind that is not supported") from None


def _is_private_der(data: bytes) -> bool:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        load_der_private_key(data, None)
    except TypeError:
        return True  # It wants a password.
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _password_bytes(password: object) -> bytes | None:
    if password is None or isinstance(password, bytes):
        return password
    if isinstance(password, str):
        return password.encode("utf-8", "replace")
    raise InvalidKeyError(f"password is str or bytes, not {type(password).__name__}")


def _pem_bytes(pem: object) -> bytes:
    if isinstance(pem, str):
        # Outside the PEM lines anything may stand; inside, a replaced character is not base64.
        return pem.encode("utf-8", "replace")
    if isinstance(pem, bytes):
        return pem
    if hasattr(pem, "__fspath__"):
        raise InvalidKeyError("this is a path: read the file and pass its content")
    raise InvalidKeyError(f"PEM is str or bytes, not {type(pem).__name__}")


def _der_bytes(der: object) -> bytes:
    if not isinstance(der, bytes):
        raise InvalidKeyError(f"DER is bytes, not {type(der).__name__}")
    if b"-----BEGIN " in der:
        raise InvalidKeyError("this is PEM: use from_pem")
    return der


def _one_block(pem: bytes) -> tuple[str, bytes]:
    """Return label and text of the one PEM block that is not EC PARAMETERS."""
    starts = list(_BEGIN.finditer(pem))
    bounds = [start.start() for start in starts] + [len(pem)]
    blocks = [
        (start[1].decode("ascii"), pem[bounds[i] : bounds[i + 1]])
        for i, start in enumerate(starts)
        if start[1] != b"EC PARAMETERS"
    ]
    if len(blocks) > 1:
        raise InvalidKeyError(f"the PEM text has {len(blocks)} parts: pass the one key or certificate that you mean")
    if not blocks:
        _refuse_without_pem(pem)
    # BEGIN line, body, END line, as cut by their dashes; what stands around them is ignored.
    if _ESCAPED_LINE_BREAK.search(blocks[0][1].split(b"-----")[2]):
        raise InvalidKeyError(
            "the line breaks of the PEM text are escaped, each a backslash and an n, as environment variables often "
            "hold them: turn them into line breaks first"
        )
    return blocks[0]


def _refuse_without_pem(text: bytes) -> NoReturn:
    stripped = text.strip()
    if stripped.startswith((b"{", b"[")):
        raise InvalidKeyError("this is JSON: use from_jwk for one key, KeySet.from_jwks for a set")
    if stripped.startswith((b"ssh-", b"ecdsa-sha2-", b"sk-")):
        raise InvalidKeyError("this is an OpenSSH public key: convert it by ssh-keygen -e -m PKCS8 -f FILE")
    if text.startswith((b"\x30\x82", b"\x30\x81", b"\x30\x2a")):
        raise InvalidKeyError("this looks like DER: use from_der")
    if b"\n" not in stripped and (b"/" in stripped or stripped.lower().endswith(_KEY_FILE_ENDINGS)):
        raise InvalidKeyError("this looks like the path of a file: read the file and pass its content")
    raise InvalidKeyError("there is no PEM key in the text: it must hold a -----BEGIN ...----- line")


def _x509_pem(block: bytes) -> x509.Certificate:
    from cryptography import x509

    return x509.load_pem_x509_certificate(block)


def _key_of(certificate: x509.Certificate, *, pss: bool) -> object:
    if _parsed(lambda: certificate.public_key_algorithm_oid.dotted_string) == _RSASSA_PSS:
        _check_pss_mark(certificate.tbs_certificate_bytes, pss=pss)
    return _parsed(certificate.public_key)


def _check_pss_mark(der: bytes, *, pss: bool) -> None:
    """Refuse a key marked for RSASSA-PSS for other use, or with parameters, which name one hash and salt."""
    if _RSASSA_PSS_OID in der and not (pss and _RSASSA_PSS_WITHOUT_PARAMETERS in der):
        raise InvalidKeyError("the key is marked for RSASSA-PSS: it serves PS256, PS384 or PS512, without parameters")

"""The private keys of a ring in a PKCS#11 token: an example of ``PrivateKeys`` to copy, for python-pkcs11.

Keys are made in the token, marked sensitive and not extractable, and found again by their label, which is the kid.
"""

import hashlib
import threading
import uuid
from collections.abc import Mapping

import pkcs11
from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key

from jotgate import VerificationKey
from jotgate.errors import PolicyError, StoreUnavailableError

CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
RSA_BITS = 2048
PRIVATE = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}


class PKCS11Signer:
    """One key of a token."""

    def __init__(self, keys: "PKCS11Keys", kid: str, alg: str) -> None:
        self.kid, self.alg = kid, alg
        self._lock = keys.lock
        self._private = keys.find(ObjectClass.PRIVATE_KEY, kid)
        public = keys.find(ObjectClass.PUBLIC_KEY, kid)
        der = encode_ec_public_key(public) if alg in CURVES else encode_rsa_public_key(public)
        self._jwk = VerificationKey.from_der(der, alg=alg, kid=kid).to_jwk()

    def public_jwk(self) -> Mapping[str, str]:
        return self._jwk

    def sign(self, data: bytes) -> bytes:
        bits = self.alg[2:]
        with self._lock:
            if self.alg in CURVES:  # the token's answer is R || S already
                return self._private.sign(hashlib.new(f"sha{bits}", data).digest(), mechanism=Mechanism.ECDSA)
            if self.alg.startswith("RS"):
                return self._private.sign(data, mechanism=Mechanism[f"SHA{bits}_RSA_PKCS"])
            salt = (Mechanism[f"SHA{bits}"], MGF[f"SHA{bits}"], int(bits) // 8)
            return self._private.sign(data, mechanism=Mechanism[f"SHA{bits}_RSA_PKCS_PSS"], mechanism_param=salt)


class PKCS11Keys:
    """``PrivateKeys`` in a token. A session does one operation at a time, so threads take turns."""

    def __init__(self, token: pkcs11.Token, pin: str) -> None:
        self.lock = threading.Lock()
        self._session = token.open(rw=True, user_pin=pin)

    def create(self, algorithm: str) -> PKCS11Signer:
        kid = str(uuid.uuid4())
        names = {"id": kid.encode(), "label": kid, "store": True, "private_template": PRIVATE}
        with self.lock:
            if algorithm in CURVES:
                curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(CURVES[algorithm])}
                self._session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(**names)
            elif algorithm[:2] in ("RS", "PS"):
                self._session.generate_keypair(KeyType.RSA, RSA_BITS, **names)
            else:
                raise PolicyError(f"this token has no {algorithm}")
        return PKCS11Signer(self, kid, algorithm)

    def load(self, kid: str, algorithm: str) -> PKCS11Signer:
        return PKCS11Signer(self, kid, algorithm)

    def destroy(self, kid: str) -> None:
        with self.lock:
            for found in list(self._session.get_objects({Attribute.LABEL: kid})):
                found.destroy()

    def find(self, kind: ObjectClass, kid: str) -> pkcs11.Key:
        with self.lock:
            try:
                return self._session.get_key(object_class=kind, label=kid)
            except pkcs11.PKCS11Error as error:
                raise StoreUnavailableError(f"the token does not have the key ({type(error).__name__})") from None

    def close(self) -> None:
        self._session.close()

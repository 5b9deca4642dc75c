"""A slow verifier that reads like the RFCs: the oracle that the native engine must agree with.

One module a step, in the order a token goes through them::

    base64url    RFC 7515 section 2, RFC 4648 sections 3.5 and 5
    strict_json  RFC 8259, with the stricter readings of RFC 7493 (I-JSON)
    header       RFC 7515 sections 4 and 5.2, RFC 7797 section 7, RFC 8725 sections 3.1 and 3.11
    keys         RFC 7515 section 6, RFC 7518 section 3, RFC 8037 section 3.1, RFC 9864
    claims       RFC 7519 section 4
    verify       RFC 7519 section 7.2: the steps in their order

It uses the standard library and `cryptography`, and nothing of the engine.
"""

from .keys import Key
from .verify import verify, verify_for_issuers, verify_signature

__all__ = ["Key", "verify", "verify_for_issuers", "verify_signature"]

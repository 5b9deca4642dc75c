"""Base64url as RFC 7515 section 2 has it: no padding, and one text for one octet string.

RFC 4648 section 3.5 lets a decoder refuse trailing bits that are not zero; we do, because otherwise several
texts are the same token.
"""

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def decode(text: bytes) -> bytes:
    """Decode canonical, unpadded base64url.

    Raises:
        ValueError: a byte outside the alphabet, an impossible length, or trailing bits that are not zero.
    """
    if len(text) % 4 == 1:
        raise ValueError("no octet string encodes to this length")
    bits = ""
    for byte in text:
        value = ALPHABET.find(byte)
        if value < 0:
            raise ValueError("a byte outside the alphabet")
        bits += f"{value:06b}"
    whole = len(bits) // 8 * 8
    if "1" in bits[whole:]:
        raise ValueError("trailing bits are not zero")
    return int(bits[:whole] or "0", 2).to_bytes(whole // 8, "big")


def strip_padding(segment: bytes) -> bytes:
    """Take off the padding that RFC 4648 section 3.2 would have added, and no other.

    Only for senders that pad although RFC 7515 forbids it (AWS load balancers), behind a policy's
    ``allow_padding``.

    Raises:
        ValueError: padding that does not fill the last group of four, or more than that.
    """
    body = segment.rstrip(b"=")
    padding = len(segment) - len(body)
    if padding and (padding > 2 or len(segment) % 4):
        raise ValueError("padding that base64 would not have written")
    return body

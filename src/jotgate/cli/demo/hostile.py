"""The hostile side of the demonstration: every kind of token that must be refused, and the code it gets."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NamedTuple

import orjson

from jotgate import SigningKey
from jotgate._codec import b64url_encode
from jotgate.cli.demo.forge import Forge, signature_of, with_signature
from jotgate.cli.demo.hostile_claims import CLAIM_KINDS
from jotgate.cli.demo.population import SECRET_ALGORITHM, Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from random import Random

    Maker = Callable[[Forge], Iterable[str | bytes]]


def hostile(keys: dict[str, SigningKey], now: int, random: Random) -> list[Trial]:
    """Forge tokens of every kind for every algorithm.

    Args:
        keys: The issuer's keys by algorithm.
        now: Unix seconds.
        random: What the forgeries are drawn from.
    """
    public = [key.header_alg for lane, key in keys.items() if lane != SECRET_ALGORITHM]
    forges = {}
    for lane, key in keys.items():
        others = [alg for alg in public if alg != key.header_alg and lane != SECRET_ALGORITHM]
        forges[lane] = Forge(key, SigningKey.generate(lane, kid="attacker"), others, now, random)
    return [
        Trial(lane, kind, text, expected)
        for kind, expected, make in (*_FORM_KINDS, *_TRUST_KINDS, *CLAIM_KINDS)
        for lane, forge in forges.items()
        for text in make(forge)
    ]


def _random_bytes(forge: Forge) -> Iterator[bytes]:
    for _ in range(4):
        yield forge.random.randbytes(forge.random.randint(1, 3000))


def _random_text(forge: Forge) -> Iterator[str]:
    for _ in range(4):
        yield ".".join(b64url_encode(forge.random.randbytes(forge.random.randint(1, 400))) for _ in range(3))


def _wrong_part_count(forge: Forge) -> Iterator[str]:
    token = forge.signed()
    header, payload, _ = token.split(".")
    yield from ("", ".", "..", header, f"{header}.{payload}", f"{token}.", f".{token}", f"{token}.AA.AA")


def _dirt(forge: Forge) -> Iterator[str | bytes]:
    token = forge.signed()
    middle = len(token) // 2
    yield from (
        f"Bearer {token}",
        f"{token}\n",
        f" {token}",
        f'"{token}"',
        f"{token}\0",
        f"{token[:middle]} {token[middle:]}",
    )
    yield f"{token[:middle]}\r\n{token[middle:]}"
    yield token.encode("utf-16")
    yield f"\u200b{token}"


def _other_base64(forge: Forge) -> Iterator[str]:
    header, payload, signature = forge.signed().split(".")
    yield f"{header}=.{payload}.{signature}"
    yield f"{header}.{payload}==.{signature}"
    yield f"{header}.{payload}.{signature}="
    yield f"{header[:-1]}+.{payload}.{signature}"
    yield f"{header}.{payload}.{signature[:-1]}/"


def _second_spelling(forge: Forge) -> Iterator[str]:
    """Set a bit of the header's last character that belongs to no byte: another text, the same bytes."""
    for padding in (b"", b" ", b"  "):
        header, payload, signature = forge.signed(orjson.dumps(forge.header()) + padding).split(".")
        if len(header) % 4:
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            yield f"{header[:-1]}{alphabet[alphabet.index(header[-1]) | 1]}.{payload}.{signature}"


def _huge(forge: Forge) -> Iterator[str]:
    yield forge.signed(payload=forge.claims(groups=["x" * 100] * 160))
    yield forge.signed({**forge.header(), "pad": "x" * 20_000})
    yield f"{forge.unsigned()}.{'A' * 1_000_000}"
    yield "." * 1_000_000


def _json_form(forge: Forge) -> Iterator[str]:
    header, payload, signature = forge.signed().split(".")
    yield f'{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}'
    # Two dots, so that counting them does not tell it from a compact token.
    signatures = f'[{{"protected":"{header}","signature":"{signature}"}}]'
    yield f'{{"payload":"{payload}","signatures":{signatures},"a":".."}}'


def _bad_header(forge: Forge) -> Iterator[str]:
    honest = orjson.dumps(forge.header())
    for header in (
        b"[]",
        b'"alg"',
        b"null",
        b"",
        b"\xef\xbb\xbf" + honest,
        honest.decode().encode("utf-16-le"),
        honest + b"x",
    ):
        yield forge.signed(header)
    yield forge.signed(b'{"x":' + b"[" * 40 + b"]" * 40 + b"," + honest[1:])
    yield forge.signed(b'{"x":"\\ud800",' + honest[1:])
    yield forge.signed(b'{"x":"\xff",' + honest[1:])


def _duplicate_header_members(forge: Forge) -> Iterator[str]:
    honest = orjson.dumps(forge.header())[1:]
    for twin in (b'"alg":"none"', b'"\\u0061lg":"none"', b'"kid":"attacker"', b'"x":{"a":1,"a":2}'):
        yield forge.signed(b"{" + twin + b"," + honest)


def _none(forge: Forge) -> Iterator[str]:
    for number in range(16):
        alg = "".join(mark.upper() if number >> bit & 1 else mark for bit, mark in enumerate("none"))
        yield f"{forge.unsigned(forge.header(alg=alg))}."
    token = forge.signed()
    for alg in ("none", " none", "none\0", "null", "unsecured"):
        yield f"{forge.unsigned(forge.header(alg=alg))}.{token.rpartition('.')[2]}"


def _none_without_signature_part(forge: Forge) -> Iterator[str]:
    for alg in ("none", "None", "NONE"):
        yield forge.unsigned(forge.header(alg=alg))


def _no_algorithm(forge: Forge) -> Iterator[str]:
    header = forge.header()
    del header["alg"]
    yield forge.signed(header)
    for alg in (None, "", 0, True, [forge.alg], {"name": forge.alg}):
        yield forge.signed(forge.header(alg=alg))


def _nearly_the_algorithm(forge: Forge) -> Iterator[str]:
    for alg in (forge.alg.swapcase(), f"{forge.alg} ", f"{forge.alg}\0", f" {forge.alg}", forge.alg[:-1]):
        yield forge.signed(forge.header(alg=alg))


def _public_key_as_secret(forge: Forge) -> Iterator[str]:
    """RS256 to HS256: the public key, in every form it is passed around, as the secret of a MAC."""
    if forge.alg == SECRET_ALGORITHM:
        return
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    public = load_pem_private_key(forge.key.to_pem(), None).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    jwk = orjson.dumps(forge.key.public().to_jwk())
    for secret in (pem, pem.strip(), der, jwk, orjson.dumps({"keys": [orjson.loads(jwk)]}), b"", b"\0" * 32):
        text = forge.unsigned(forge.header(alg="HS256"))
        yield f"{text}.{b64url_encode(hmac.digest(secret, text.encode('ascii'), 'sha256'))}"


def _forbidden_algorithm(forge: Forge) -> Iterator[str]:
    for alg in ("RS512", "HS512", "ES512", "RSA-OAEP", "dir"):
        yield forge.signed(forge.header(alg=alg))


def _crit(forge: Forge) -> Iterator[str]:
    for crit in (["x"], [], None, "x", [1], ["exp"], ["alg"], ["b64"], ["x", "x"], {"x": 1}):
        yield forge.signed(forge.header(crit=crit, x=1))


def _unencoded_payload(forge: Forge) -> Iterator[str]:
    for b64 in (False, True, None):
        yield forge.signed(forge.header(b64=b64))


def _bad_kid(forge: Forge) -> Iterator[str]:
    for kid in (1, None, "", [forge.key.kid], {"kid": forge.key.kid}, "x" * 300):
        yield forge.signed(forge.header(kid=kid))


def _unknown_kid(forge: Forge) -> Iterator[str]:
    kid = str(forge.key.kid)
    for name in (
        "attacker",
        f"{kid} ",
        kid.upper(),
        "../../../dev/null",
        "' OR '1'='1",
        "x; cat /etc/passwd",
        f"{kid}\0",
    ):
        yield forge.signed(forge.header(kid=name))
        yield forge.signed(forge.header(kid=name), key=forge.stranger)


def _key_of_another_algorithm(forge: Forge) -> Iterator[str]:
    for alg in forge.others:
        yield forge.signed(forge.header(alg=alg))


def _own_key(forge: Forge) -> Iterator[str]:
    """The attacker's key, offered in the header, under the name of ours."""
    offered = {"kid": "attacker"} if forge.alg == SECRET_ALGORITHM else forge.stranger.public().to_jwk()
    for extra in (
        {"jwk": offered},
        {"jku": "https://attacker.example/jwks"},
        {"x5u": "https://attacker.example/c"},
    ):
        yield forge.signed(forge.header(**extra), key=forge.stranger)


def _own_key_own_name(forge: Forge) -> Iterator[str]:
    offered = {"kid": "attacker"} if forge.alg == SECRET_ALGORITHM else forge.stranger.public().to_jwk()
    for extra in ({"jwk": offered}, {"jku": "https://attacker.example/jwks"}, {"x5c": ["MIIB"]}):
        yield forge.signed(forge.header(kid="attacker", **extra), key=forge.stranger)


def _forged(forge: Forge) -> Iterator[str]:
    for _ in range(4):
        yield forge.signed(key=forge.stranger)


def _tampered_payload(forge: Forge) -> Iterator[str]:
    header, payload, signature = forge.signed(payload=forge.claims(role="user")).split(".")
    yield f"{header}.{forge.unsigned(payload=forge.claims(role='admin')).partition('.')[2]}.{signature}"
    for _ in range(4):
        place = forge.random.randrange(len(payload) - 4)
        mark = "A" if payload[place] != "A" else "B"
        yield f"{header}.{payload[:place]}{mark}{payload[place + 1 :]}.{signature}"


def _tampered_header(forge: Forge) -> Iterator[str]:
    _, payload, signature = forge.signed().split(".")
    for extra in ({"x": 1}, {"typ": "at+jwt"}, {"cty": "JWT"}):
        yield f"{forge.unsigned(forge.header(**extra)).partition('.')[0]}.{payload}.{signature}"


def _stripped_signature(forge: Forge) -> Iterator[str]:
    for _ in range(3):
        yield f"{forge.unsigned()}."


def _cut_signature(forge: Forge) -> Iterator[str]:
    token = forge.signed()
    signature = signature_of(token)
    for size in (1, 16, len(signature) // 2, len(signature) - 1):
        yield with_signature(token, signature[:size])
    yield with_signature(token, signature + b"\0")
    yield with_signature(token, signature * 2)


def _wrong_signature(forge: Forge) -> Iterator[str]:
    token = forge.signed()
    signature = signature_of(token)
    for _ in range(4):
        place, bit = forge.random.randrange(len(signature)), 1 << forge.random.randrange(8)
        yield with_signature(token, signature[:place] + bytes((signature[place] ^ bit,)) + signature[place + 1 :])
    yield with_signature(token, bytes(len(signature)))
    yield with_signature(token, b"\xff" * len(signature))
    yield with_signature(token, signature_of(forge.signed()))


def _der_signature(forge: Forge) -> Iterator[str]:
    if not forge.alg.startswith("ES"):
        return
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    token = forge.signed()
    signature = signature_of(token)
    half = len(signature) // 2
    yield with_signature(
        token, encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    )


class Kind(NamedTuple):
    """One way to be hostile, the code it must get, and what makes its tokens."""

    name: str
    expected: str
    make: Maker


_FORM_KINDS = (
    Kind("random bytes", "malformed", _random_bytes),
    Kind("random base64url in three parts", "malformed", _random_text),
    Kind("too few or too many parts", "malformed", _wrong_part_count),
    Kind("Bearer prefix, white space, quotes, NUL", "malformed", _dirt),
    Kind("padding or plain base64", "malformed", _other_base64),
    Kind("second spelling of the same bytes", "malformed", _second_spelling),
    Kind("huge (17 KB to 1 MB)", "too_large", _huge),
    Kind("JSON serialization", "malformed", _json_form),
    Kind("header that is not strict JSON", "malformed", _bad_header),
    Kind("duplicate header members", "malformed", _duplicate_header_members),
    Kind("b64 header", "malformed", _unencoded_payload),
    Kind("kid of a wrong type or length", "malformed", _bad_kid),
)
_TRUST_KINDS = (
    Kind("alg none in all spellings", "algorithm_not_allowed", _none),
    Kind("alg none without signature part", "malformed", _none_without_signature_part),
    Kind("alg missing or not a string", "algorithm_not_allowed", _no_algorithm),
    Kind("alg that differs in case or white space", "algorithm_not_allowed", _nearly_the_algorithm),
    Kind("HS256 with the public key as secret", "algorithm_not_allowed", _public_key_as_secret),
    Kind("alg outside the policy", "algorithm_not_allowed", _forbidden_algorithm),
    Kind("unknown or broken crit", "unsupported_critical_header", _crit),
    Kind("unknown kid, path and SQL among them", "unknown_key", _unknown_kid),
    Kind("alg of another key of the set", "unknown_key", _key_of_another_algorithm),
    Kind("embedded jwk, jku or x5u, our kid", "bad_signature", _own_key),
    Kind("embedded jwk, jku or x5c, own kid", "unknown_key", _own_key_own_name),
    Kind("signed by a stranger", "bad_signature", _forged),
    Kind("tampered payload", "bad_signature", _tampered_payload),
    Kind("tampered header", "bad_signature", _tampered_header),
    Kind("signature stripped", "bad_signature", _stripped_signature),
    Kind("signature cut or lengthened", "bad_signature", _cut_signature),
    Kind("signature altered or borrowed", "bad_signature", _wrong_signature),
    Kind("ECDSA signature in DER", "bad_signature", _der_signature),
)

"""Group G: signatures."""

import itertools

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from support import (
    CURVES,
    ECDSA,
    HASHES,
    ISSUER,
    ORDERS,
    RSA,
    SIGNATURE_BYTES,
    JWSDoor,
    b64u,
    claims,
    compact,
    doors,
    error_of,
    header,
    policy,
    refuses,
    rejects,
    secret_key,
    sign,
    token,
    unb64u,
    verification_key,
    verifier,
)

from jotgate import KeySet, SigningKey, VerificationKey, Verifier, jws
from jotgate.errors import InvalidKeyError, PolicyError

pytestmark = pytest.mark.usefixtures("frozen_clock")


def with_signature(text: str, signature: bytes) -> str:
    return f"{text.rpartition('.')[0]}.{b64u(signature)}"


def signature_of(text: str) -> bytes:
    return unb64u(text.rpartition(".")[2])


def raw(alg: str, r: int, s: int) -> bytes:
    """Write R || S in the algorithm's size, modulo 2^bits where a number does not fit."""
    size = SIGNATURE_BYTES[alg] // 2
    return b"".join((number % (1 << 8 * size)).to_bytes(size, "big") for number in (r, s))


@pytest.mark.parametrize("alg", ECDSA)
def test_g1_psychic_signatures(alg: str) -> None:
    order, top = ORDERS[alg], (1 << 4 * SIGNATURE_BYTES[alg]) - 1
    text = token(alg)
    ways_in = list(doors(alg).values())
    numbers = (0, 1, 2, order - 1, order, order + 1, 2 * order, top, top - 1, order // 2)
    for r, s in itertools.product(numbers, repeat=2):
        for way_in in ways_in:
            refuses(way_in, with_signature(text, raw(alg, r, s)), "bad_signature")


@pytest.mark.parametrize("alg", ECDSA)
def test_g1_numbers_beyond_the_order(alg: str) -> None:
    size = SIGNATURE_BYTES[alg] // 2
    text = token(alg)
    good = signature_of(text)
    r, s = int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big")
    for other in ((0, s), (r, 0), (ORDERS[alg] - r, s), (r + ORDERS[alg], s), (r, s + ORDERS[alg]), (s, r)):
        if all(number < 1 << 8 * size for number in other):
            refuses(verifier(alg), with_signature(text, raw(alg, *other)), "bad_signature")


@pytest.mark.parametrize("alg", ECDSA)
def test_g2_no_length_but_the_exact_one_reaches_the_converter(alg: str) -> None:
    exact, text = SIGNATURE_BYTES[alg], token(alg)
    way_in = verifier(alg, max_token_bytes=4_000_000)
    for size in (
        *range(exact),
        *range(exact + 1, 3 * exact),
        255,
        256,
        257,
        16_372,
        21_830,
        65_535,
        65_536,
        1_000_000,
    ):
        for filler in (b"\0", b"\x7f", b"\xff"):
            if size != exact:
                refuses(way_in, with_signature(text, filler * size), "bad_signature")


@pytest.mark.parametrize("alg", ECDSA)
def test_g3_a_signature_has_its_exact_length(alg: str) -> None:
    exact = SIGNATURE_BYTES[alg]
    size = exact // 2
    text = token(alg)
    good = signature_of(text)
    r, s = int.from_bytes(good[:size], "big"), int.from_bytes(good[size:], "big")
    for wrong in (
        good[:-1], good[1:], good + b"\0", b"\0" + good, good + good, good[:size], b"",
        b"\0" + good[:size] + b"\0" + good[size:], b"\0" * size + good[:size] + b"\0" * size + good[size:],
        encode_dss_signature(r, s), encode_dss_signature(r, s).ljust(exact, b"\0")[:exact],
    ):  # fmt: skip
        for way_in in doors(alg).values():
            refuses(way_in, with_signature(text, wrong), "bad_signature")


@pytest.mark.parametrize("alg", ["RS256", "PS256", "EdDSA", "Ed448", "HS256", "HS384", "HS512"])
def test_g3_other_algorithms_have_exact_lengths_too(alg: str) -> None:
    text = token(alg)
    good = signature_of(text)
    for wrong in (good[:-1], good[1:], good + b"\0", b"\0" + good, good + good, good[: len(good) // 2]):
        for way_in in doors(alg).values():
            refuses(way_in, with_signature(text, wrong), "bad_signature")


@pytest.mark.parametrize("alg", ECDSA)
def test_g4_der_is_never_read_from_a_token(alg: str) -> None:
    exact, text = SIGNATURE_BYTES[alg], token(alg)
    half = exact // 2
    for wrong in (
        # DER of exactly the raw length: small integers, long and indefinite length forms, no sequence.
        b"\x30" + bytes([exact - 2 if exact < 130 else 0x81]) + b"\x02\x01\x01" + b"\x02\x01\x01" + bytes(exact),
        b"\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00" + bytes(exact),
        b"\x30\x06\x02\x01\x01\x02\x01\x01" + bytes(exact),
        b"\x02\x01\x01" + bytes(exact),
        b"\x30\x84\xff\xff\xff\xff" + bytes(exact),
        b"\xff" * half + b"\x30" * half,
    ):
        refuses(verifier(alg), with_signature(text, wrong[:exact]), "bad_signature")


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES256K"])
def test_g5_short_numbers_are_padded(alg: str) -> None:
    key = SigningKey.from_cryptography(secret_key(alg), alg=alg)
    public = secret_key(alg).public_key()
    size = SIGNATURE_BYTES[alg] // 2
    way_in = JWSDoor(key.public(), [alg])
    head, leading_zeros = b64u(b'{"alg":"%s"}' % alg.encode()), [0, 0]
    number = 0
    while not all(leading_zeros):
        number += 1
        signing_input = f"{head}.{b64u(str(number).encode())}"
        signature = key.sign(signing_input.encode())
        assert len(signature) == 2 * size
        halves = (signature[:size], signature[size:])
        if number > 200 and halves[0][0] and halves[1][0]:
            continue
        leading_zeros = [seen + (half[0] == 0) for seen, half in zip(leading_zeros, halves, strict=True)]
        assert way_in.verify(f"{signing_input}.{b64u(signature)}").payload == str(number).encode()
        r, s = (int.from_bytes(half, "big") for half in halves)
        public.verify(encode_dss_signature(r, s), signing_input.encode(), ec.ECDSA(HASHES[alg[2:5]]()))
        assert number < 20_000


def test_g5_short_numbers_of_es512_are_padded() -> None:
    way_in = JWSDoor(verification_key("ES512"), ["ES512"])
    head = b64u(b'{"alg":"ES512"}')
    seen = set()
    for number in range(400):
        signing_input = f"{head}.{b64u(str(number).encode())}"
        signature = sign("ES512", signing_input.encode())
        seen |= {(half, signature[half * 66] == 0) for half in (0, 1)}
        assert way_in.verify(f"{signing_input}.{b64u(signature)}").payload == str(number).encode()
    assert len(seen) == 4


@pytest.mark.parametrize("alg", ECDSA)
def test_g6_the_other_s_is_the_same_token_by_another_text(alg: str) -> None:
    size = SIGNATURE_BYTES[alg] // 2
    text = token(alg, jti="one")
    good = signature_of(text)
    other = with_signature(text, good[:size] + (ORDERS[alg] - int.from_bytes(good[size:], "big")).to_bytes(size, "big"))
    assert other != text
    way_in = verifier(alg)
    # RFC 7518 does not ask for the low s, and honest signers write both: a text identifies nothing.
    assert way_in.verify(other).token_id == way_in.verify(text).token_id == "one"
    assert way_in.verify(other).to_dict() == way_in.verify(text).to_dict()


@pytest.mark.parametrize("alg", ECDSA)
def test_g7_a_curve_belongs_to_one_algorithm(alg: str) -> None:
    for other in ECDSA:
        if other == alg:
            assert VerificationKey.from_cryptography(secret_key(alg).public_key(), alg=other).alg == alg
        else:
            key = secret_key(alg).public_key()
            rejects("invalid_key", lambda key=key, other=other: VerificationKey.from_cryptography(key, alg=other))
            # The right header over a signature of another curve.
            forged = compact(header(other), claims(), alg=alg)
            for way_in in doors(other).values():
                refuses(way_in, forged, "bad_signature")
            refuses(verifier(alg), forged, "algorithm_not_allowed")


def test_g7_the_hash_belongs_to_the_algorithm() -> None:
    text = token("ES256")
    for digest in (hashes.SHA1(), hashes.SHA224(), hashes.SHA384(), hashes.SHA512(), hashes.SHA3_256()):
        der = secret_key("ES256").sign(text.rpartition(".")[0].encode(), ec.ECDSA(digest))
        refuses(verifier("ES256"), with_signature(text, raw("ES256", *decode_dss_signature(der))), "bad_signature")
    assert set(CURVES) == set(ECDSA)


def test_g9_the_key_is_found_by_kid_and_alg_alone() -> None:
    keys = KeySet([verification_key("HS256", kid="a"), verification_key("HS256", kid="b", which=1)])
    way_in = Verifier(keys, policy("HS256"))
    for kid, which in (("a", 0), ("b", 1)):
        text = compact(header("HS256", kid=kid), claims(), alg="HS256", key=secret_key("HS256", which))
        assert way_in.verify(text).kid == kid
        crossed = compact(header("HS256", kid=kid), claims(), alg="HS256", key=secret_key("HS256", 1 - which))
        refuses(way_in, crossed, "bad_signature")
        refuses(way_in, token("HS256", key=secret_key("HS256", which)), "unknown_key")
    # Nothing that computes a key from token data can be given.
    for resolver in (
        lambda head: b"x" * 32,
        lambda head, payload: verification_key("HS256"),
        {"a": b"x" * 32},
    ):
        error = error_of(lambda resolver=resolver: Verifier(resolver, policy("HS256")))
        assert isinstance(error, PolicyError | InvalidKeyError)
        error = error_of(lambda resolver=resolver: jws.verify(token(), resolver, algorithms=["HS256"]))
        assert isinstance(error, PolicyError | InvalidKeyError)
        error = error_of(lambda resolver=resolver: Verifier({ISSUER: (resolver, policy("HS256"))}))
        assert isinstance(error, PolicyError | InvalidKeyError)


SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")


def encoded_messages(digest: bytes) -> dict[str, bytes]:
    """Return wrong PKCS #1 v1.5 encodings of a SHA-256 digest for a 2048-bit key (RFC 8017 section 9.2)."""
    info = SHA256_INFO + digest

    def block(
        info: bytes, *, start: bytes = b"\0\1", filler: bytes = b"\xff", gap: bytes = b"\0", tail: bytes = b""
    ) -> bytes:
        rest = 256 - len(start) - len(gap) - len(info) - len(tail)
        return start + filler * rest + gap + info + tail

    return {
        "garbage behind the digest": block(info, tail=b"\0" * 20),
        "eight padding bytes only": b"\0\1" + b"\xff" * 8 + b"\0" + info + bytes(256 - 11 - len(info)),
        "no padding": b"\0\1\0" + info + bytes(256 - 3 - len(info)),
        "another padding byte": block(info, filler=b"\xfe"),
        "padding of zeros": block(info, filler=b"\0"),
        "block type 0": block(info, start=b"\0\0"),
        "block type 2": block(info, start=b"\0\2"),
        "first byte not zero": block(info, start=b"\1\1"),
        "separator not zero": block(info, gap=b"\1"),
        "no separator": block(info, gap=b""),
        "no digest info": block(digest),
        "parameters missing": block(bytes.fromhex("302f300b0609608648016503040201") + b"\x04\x20" + digest),
        "long form length": block(bytes.fromhex("308131300d060960864801650304020105000420") + digest),
        "indefinite length": block(bytes.fromhex("3080300d060960864801650304020105000420") + digest + b"\0\0"),
        "null with content": block(bytes.fromhex("3032300e06096086480165030402010501000420") + digest),
        "garbage in the sequence": block(bytes.fromhex("3033300d060960864801650304020105000420") + digest + b"\0\0"),
        "another algorithm": block(bytes.fromhex("3031300d060960864801650304020405000420") + digest),
        "MD5": block(bytes.fromhex("3020300c06082a864886f70d020505000410") + digest[:16]),
        "SHA-1": block(bytes.fromhex("3021300906052b0e03021a05000414") + digest[:20]),
        "digest cut": block(SHA256_INFO + digest[:31]),
        "digest wrong": block(SHA256_INFO + digest[:31] + bytes([digest[31] ^ 1])),
        "twice": block(info + info),
    }


def rsa_power(message: bytes) -> bytes:
    numbers = secret_key("RS256").private_numbers()
    value = pow(int.from_bytes(message, "big"), numbers.d, numbers.public_numbers.n)
    return value.to_bytes(256, "big")


def test_g11_only_the_one_encoding_of_pkcs1() -> None:
    text = token("RS256")
    digest = hashes.Hash(hashes.SHA256())
    digest.update(text.rpartition(".")[0].encode())
    value = digest.finalize()
    honest = b"\0\1" + b"\xff" * 202 + b"\0" + SHA256_INFO + value
    # The forger below is able to forge: it makes the honest signature byte for byte.
    assert rsa_power(honest) == signature_of(text)
    assert verifier("RS256").verify(with_signature(text, rsa_power(honest)))
    for name, message in encoded_messages(value).items():
        assert len(message) == 256, name
        for way_in in doors("RS256").values():
            refuses(way_in, with_signature(text, rsa_power(message)), "bad_signature")


def test_g11_a_signature_number_beyond_the_modulus() -> None:
    modulus = secret_key("RS256").public_key().public_numbers().n
    for alg in RSA:
        text = token(alg)
        number = int.from_bytes(signature_of(text), "big")
        for other in (0, 1, modulus - 1, modulus, modulus - number, (1 << 2048) - 1, number + modulus):
            if other < 1 << 2048:
                refuses(verifier(alg), with_signature(text, other.to_bytes(256, "big")), "bad_signature")


@pytest.mark.parametrize("alg", ["PS256", "PS384", "PS512"])
def test_g12_pss_parameters_are_fixed(alg: str) -> None:
    text, key, digest = token(alg), secret_key(alg), HASHES[alg[2:]]()
    signing_input = text.rpartition(".")[0].encode()
    ways_in = list(doors(alg).values())
    for mgf_digest, message_digest in itertools.product(
        (hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()), repeat=2
    ):
        for salt in (0, 20, 32, 48, 64, padding.PSS.MAX_LENGTH):
            signature = key.sign(signing_input, padding.PSS(padding.MGF1(mgf_digest), salt), message_digest)
            right = (mgf_digest.name, message_digest.name, salt) == (
                digest.name,
                digest.name,
                digest.digest_size,
            )
            for way_in in ways_in[:1] if right else ways_in:
                if right:
                    assert way_in.verify(with_signature(text, signature)).alg == alg
                else:
                    refuses(way_in, with_signature(text, signature), "bad_signature")


@pytest.mark.parametrize("alg", RSA)
def test_g12_the_two_paddings_do_not_stand_for_each_other(alg: str) -> None:
    for other in RSA:
        if other != alg:
            refuses(verifier(alg), with_signature(token(alg), signature_of(token(other))), "bad_signature")
            refuses(verifier(alg), compact(header(alg), claims(), alg=other), "bad_signature")

"""A million operations on a cache: hits, insertions, evictions, expiry, keys, claims; nothing stays behind."""

from measure import assert_steady, code_of
from support import NOW, b64u, claims, clock_at, compact, dumps, header, policy, resign, secret_key, verification_key

from jotgate import KeySet, TokenCache, Verifier, _clock
from jotgate._revoked import RevocationIndex

SECOND = 1_000_000_000
HEAD = b64u(dumps({"alg": "HS256"}))


def text(number: int, head: str = HEAD) -> str:
    return resign(f"{head}.{b64u(dumps(claims(jti=f'{number:09}', x=[number % 97, 'y' * (number % 40)])))}")


with clock_at(NOW):
    one, other = verification_key("HS256"), verification_key("HS256", kid="other", which=1)
    way_in = Verifier(one, policy(), cache=TokenCache(max_bytes=256 << 10), revocations=RevocationIndex())
    hot = [text(number) for number in range(100)]
    serial = 10_000

    def round_of_a_thousand() -> None:
        global serial
        for number in range(500):
            way_in.verify(hot[number % 100])
        for _ in range(400):
            serial += 1
            made = way_in.verify(text(serial))
            if serial % 4 == 0:
                assert made.claims["x"]
        for number in range(90):
            code_of(lambda number=number: way_in.verify(hot[number][:-3] + "AAA"))
        for number in range(5):
            serial += 1
            way_in.verify(text(serial, b64u(dumps(header("HS256", nonce=serial)))))
            assert way_in.verify(hot[number]).header["alg"] == "HS256"
        way_in.replace_keys(other)
        assert code_of(lambda: way_in.verify(hot[0])) == "bad_signature"
        way_in.replace_keys(one)
        _clock.set_wall_clock_for_tests((NOW + 300) * SECOND)
        assert code_of(lambda: way_in.verify(hot[1])) == "expired"
        _clock.set_wall_clock_for_tests(NOW * SECOND)

    assert_steady("a cache at its bound", round_of_a_thousand, 450)

    def born_and_gone() -> None:
        made = Verifier(KeySet([one, other]), policy(), cache=TokenCache(max_bytes=16 << 10))
        held = [made.verify(each) for each in by_other]
        del made
        assert all(each.claims for each in held)

    by_other = [
        compact(header("HS256", kid="other"), claims(jti=str(number)), key=secret_key("HS256", 1))
        for number in range(10)
    ]
    assert_steady("verifiers with caches", born_and_gone, 2_000)

    ids = 0

    def revoke_and_forget() -> None:
        global ids
        index = RevocationIndex()
        for _ in range(200):
            ids += 1
            index.revoke(str(ids), NOW + 10)

    assert_steady("revocation indexes", revoke_and_forget, 500)

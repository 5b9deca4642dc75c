"""Batches leave nothing behind, looked at or not, whatever their tokens are."""

from measure import assert_steady
from support import ISSUER, NOW, clock_at, policy, token, verification_key, verifier

from jotgate import TokenCache, Verifier
from jotgate._revoked import RevocationIndex

with clock_at(NOW):
    texts = [token(n=number) for number in range(900)] + [token(key=b"x" * 32, n=number) for number in range(100)]
    junk = ["x", None, "", "a.b.c", "é", b"\xff", "x" * 20_000, token(exp="1"), token(exp=NOW - 1), token(iss="x")] * 20
    several = {ISSUER: (verification_key("HS256"), policy())}

    class Check:
        def is_revoked(self, made: object, *, fresh: bool) -> bool:
            return False

    doors = {
        "without a cache": verifier(cache=None),
        "with a small cache": verifier(cache=TokenCache(max_entries=50)),
        "with a cache": verifier(),
        "for several issuers": Verifier(several, cache=None),
        "with a check": verifier(revocations=Check(), cache=None),
        "with an index": verifier(revocations=RevocationIndex()),
    }
    # a million tokens and more in total
    for name, door in doors.items():
        for threads in (1, 2):
            assert_steady(
                f"batch {name}, {threads} threads",
                lambda door=door, threads=threads: door.verify_batch(texts, threads=threads),
                80,
                kibibytes=2048,
            )
        assert_steady(
            f"batch {name}, looked at",
            lambda door=door: list(door.verify_batch(texts)),
            200,
            blocks=150,
            kibibytes=2048,
        )
        assert_steady(f"batch {name}, refusals", lambda door=door: list(door.verify_batch(junk)), 100, kibibytes=2048)

    def columns() -> None:
        batch = door.verify_batch(texts)
        assert len(batch.ok) + len(batch.exp) + len(batch.code) + sum(batch.counts.values()) == 4000
        assert batch[3:5]
        assert repr(batch)

    assert_steady("columns", columns, 100, kibibytes=2048)

    def breaks_off() -> None:
        def source():
            yield from texts
            raise ZeroDivisionError

        try:
            door.verify_batch(source())
        except ZeroDivisionError:
            return
        raise AssertionError

    assert_steady("an iterable that raises", breaks_off, 200, kibibytes=2048)
    for alg, rounds in (("ES256", 10), ("Ed25519", 10)):
        public = verifier(alg, cache=None)
        signed = [token(alg, n=number) for number in range(100)]
        assert_steady(
            f"batch {alg}", lambda public=public, signed=signed: public.verify_batch(signed, threads=2), rounds
        )

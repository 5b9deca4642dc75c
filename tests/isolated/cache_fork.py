"""A forked child takes a hot cache along; from then on each side has its own."""

import os
import sys
import warnings

from measure import code_of
from support import NOW, claims, clock_at, compact, header, policy, secret_key, verification_key

from jotgate import KeySet, TokenCache, Verifier
from jotgate._revoked import RevocationIndex

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)


def text(alg: str, number: int) -> str:
    return compact(header(alg, kid=alg), claims(jti=f"j{number}"), alg=alg, key=secret_key(alg))


def is_hit(way_in: Verifier, one: str) -> bool:
    before = way_in.stats()["hits"]
    assert way_in.verify(one)["sub"]
    return way_in.stats()["hits"] > before


with clock_at(NOW):
    for alg in ("HS256", "ES256"):
        index = RevocationIndex()
        cache = TokenCache(max_bytes=256 << 10)
        own = verification_key(alg, kid=alg)
        way_in = Verifier(own, policy(alg), cache=cache, revocations=index)
        texts = [text(alg, number) for number in range(40)]
        for one in texts:
            way_in.verify(one)
        held = way_in.verify(texts[0])
        children = []
        for turn in range(3):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    assert is_hit(way_in, texts[turn])
                    assert held["jti"] == "j0"
                    index.revoke("j1", NOW + 1_000)
                    assert code_of(lambda way_in=way_in, texts=texts: way_in.verify(texts[1])) == "revoked"
                    assert is_hit(way_in, texts[2])
                    way_in.replace_keys(KeySet([own, verification_key(alg, kid="other")]))
                    assert is_hit(way_in, texts[3])
                    way_in.replace_keys(verification_key(alg, kid="other"))
                    assert code_of(lambda way_in=way_in, texts=texts: way_in.verify(texts[3])) == "unknown_key"
                    way_in.replace_keys(own)
                    for number in range(500):
                        assert way_in.verify(text(alg, number + 100) if alg == "HS256" else texts[4]).claims
                    cache.clear()
                    assert held.header["alg"] == alg
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        for one in texts:
            assert is_hit(way_in, one)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        # what the children revoked and cleared is theirs
        for one in texts:
            assert is_hit(way_in, one)
        index.revoke("j1", NOW + 1_000)
        assert code_of(lambda way_in=way_in, texts=texts: way_in.verify(texts[1])) == "revoked"

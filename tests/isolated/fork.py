"""A forked child verifies on its own, and neither side disturbs the other."""

import os
import sys
import warnings

from measure import code_of
from support import NOW, clock_at, compact, header, policy, secret_key, token, verification_key

from jotgate import KeySet, Verifier

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

with clock_at(NOW):
    algorithms = ("HS256",), ("RS256", "ES256", "EdDSA", "ML-DSA-44")
    for names in algorithms:
        way_in = Verifier(KeySet([verification_key(alg) for alg in names]), policy(*names))
        texts = {alg: token(alg) for alg in names}
        for alg in names:
            assert way_in.verify(texts[alg]).alg == alg
        held = way_in.verify(texts[names[0]])
        children = []
        for _ in range(4):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    for _ in range(20):
                        for alg in names:
                            assert way_in.verify(texts[alg])["sub"]
                        assert code_of(lambda way_in=way_in: way_in.verify("x")) == "malformed"
                    assert held.to_dict()
                    way_in.replace_keys(verification_key(names[0], kid="other"))
                    text = compact(header(names[0], kid="k"), alg=names[0], key=secret_key(names[0]))
                    assert code_of(lambda way_in=way_in, text=text: way_in.verify(text)) == "unknown_key"
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
        for alg in names:
            assert way_in.verify(texts[alg]).alg == alg

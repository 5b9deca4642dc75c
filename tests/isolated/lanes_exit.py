"""A process ends while daemon threads are inside lanes: with exit code 0, and soon."""

from measure import ends_cleanly

INNER = """
import sys, threading
from support import lane_material, served_algorithms, sign
from jotgate.keys import lanes

served = served_algorithms()
keys = {alg: lanes.signature_lane(alg, lane_material(alg)) for alg in served}
data = bytes(200_000)
signatures = {alg: sign(alg, data) for alg in served}
inside = threading.Barrier(5)

def verify(own):
    inside.wait()
    while True:
        for alg in served[own:]:
            assert keys[alg].verify(data, signatures[alg])

for own in range(4):
    threading.Thread(target=verify, args=(own,), daemon=True).start()
if served:
    inside.wait()
for _ in range(int(sys.argv[1])):
    sum(range(10_000))
"""

for turn in range(12):
    ends_cleanly(INNER, turn * 3)

"""A process ends while a table is built in the background: with exit code 0, and soon."""

from measure import ends_cleanly

INNER = """
import sys
from support import lane_material, served_algorithms, sign
from jotgate import _points
from jotgate.keys import lanes, tables

if "ES256" not in served_algorithms() or _points.missing() is not None:
    sys.exit(0)
data = bytes(1000)
signature = sign("ES256", data)
waiting = [lanes.signature_lane("ES256", lane_material("ES256")) for _ in range(3)]
for lane in waiting:
    tables.KEEPER.busy(lane)
for _ in range(int(sys.argv[1])):
    assert waiting[0].verify(data, signature)
"""

for turn in range(12):
    ends_cleanly(INNER, turn * 80)

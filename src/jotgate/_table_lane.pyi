from typing import Protocol, final

from ._ecdsa import PointTable
from ._key import SignatureLane
from ._lanes import PublicKeyLane

class _Keeper(Protocol):
    def busy(self, lane: TableLane) -> None: ...
    def disagreed(self, lane: TableLane) -> None: ...

@final
class TableLane(SignatureLane):
    material: bytes
    plain: PublicKeyLane
    table: PointTable | None
    def __new__(cls, plain: PublicKeyLane, material: bytes, keeper: _Keeper) -> TableLane: ...
    def adopt(self, table: PointTable) -> None: ...

def disagreements() -> int: ...
def turn_off() -> None: ...

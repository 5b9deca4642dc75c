from typing import final

from ._claims import CompiledPolicy
from ._key import KeySource, KeyTable, SignatureLane, TrustCell

@final
class Binding:
    def __new__(
        cls,
        policy: CompiledPolicy,
        keys: KeyTable,
        cells: tuple[TrustCell, ...] | None = None,
        lanes: tuple[SignatureLane | None, ...] | None = None,
        source: KeySource | None = None,
        epoch: int | None = None,
        supply: object = None,
    ) -> Binding: ...

@final
class Issuers:
    def __new__(cls, bindings: dict[bytes, Binding]) -> Issuers: ...

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import final

ALGORITHM_NUMBERS: dict[str, int]

@final
class KeyHandle:
    algorithm: int
    kid: str | None
    signature_bytes: int
    def __new__(
        cls,
        algorithm: int,
        kid: str | None,
        context: tuple[object, ...],
        signature_bytes: int,
        material: Callable[[], bytes] | None = None,
    ) -> KeyHandle: ...
    def in_lane(self, prepare: Callable[[bytes], SignatureLane | None]) -> SignatureLane | None: ...
    def verify(self, data: bytes, signature: bytes) -> bool: ...

@final
class TrustCell:
    trusted: bool
    distrusted: bool
    def __new__(cls, source: KeySource) -> TrustCell: ...
    def distrust(self) -> None: ...

@final
class KeySource:
    feed: object
    def __new__(cls, feed: object = None) -> KeySource: ...
    def publish(self, identities: Collection[Hashable]) -> tuple[TrustCell, ...]: ...
    def announce(self, identities: Collection[Hashable]) -> tuple[TrustCell, ...]: ...
    def settle(self) -> None: ...
    def expire_at(self, moment: int | None) -> None: ...

@final
class Snapshot:
    def __new__(cls) -> Snapshot: ...

@final
class KeyTable:
    handles: tuple[KeyHandle, ...]
    def __new__(cls, handles: Iterable[KeyHandle]) -> KeyTable: ...
    def lookup(self, kid: str | None, algorithms: int) -> KeyHandle | None: ...

class SignatureLane:
    algorithm: int
    signature_bytes: int
    def verify(self, data: bytes, signature: bytes) -> bool: ...

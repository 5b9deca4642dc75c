from collections.abc import Iterable
from typing import final

ALGORITHM_NUMBERS: dict[str, int]

@final
class KeyHandle:
    algorithm: int
    kid: str | None
    signature_bytes: int
    def __new__(
        cls, algorithm: int, kid: str | None, context: tuple[object, ...], signature_bytes: int
    ) -> KeyHandle: ...
    def verify(self, data: bytes, signature: bytes) -> bool: ...

@final
class KeyTable:
    def __new__(cls, handles: Iterable[KeyHandle]) -> KeyTable: ...
    def lookup(self, kid: str | None, algorithms: int) -> KeyHandle | None: ...

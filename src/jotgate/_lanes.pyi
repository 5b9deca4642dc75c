from typing import final

from ._key import SignatureLane

class EVPLane(SignatureLane):
    algorithm: int
    signature_bytes: int
    def verify(self, data: bytes, signature: bytes) -> bool: ...

@final
class MACLane(EVPLane):
    def __new__(cls, algorithm: int, material: bytes) -> MACLane: ...

@final
class PublicKeyLane(EVPLane):
    def __new__(cls, algorithm: int, material: bytes) -> PublicKeyLane: ...

def library() -> tuple[str, str] | None: ...
def prepare(algorithm: int, material: bytes) -> EVPLane: ...
def reason() -> str | None: ...

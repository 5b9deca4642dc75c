from typing import Any, TypeVar

_Model = TypeVar("_Model")

class MisfitError(Exception): ...

def build_model(model: type[_Model], payload: bytes, claims: dict[str, Any]) -> _Model: ...

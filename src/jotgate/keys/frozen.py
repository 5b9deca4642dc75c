"""The base of key objects: built once, never changed, never copied out of the process by accident."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Frozen:
    """Refuse assignment, deletion and pickling. Subclasses name their `__slots__`; `_build` fills them."""

    __slots__ = ()

    @classmethod
    def _build(cls, **slots: Any) -> Self:
        made = object.__new__(cls)
        for name, value in slots.items():
            object.__setattr__(made, name, value)
        return made

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} objects are not pickled: write the key out by to_jwk or to_pem")

    def __getstate__(self) -> NoReturn:
        # object's own would hand out every slot, the secret among them
        raise TypeError(f"{type(self).__name__} has no state to show")

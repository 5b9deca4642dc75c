from typing import final

from ._engine import Engine

@final
class Judge:
    def __new__(cls, engine: Engine) -> Judge: ...

from typing import final

@final
class Shadow:
    def __new__(cls) -> Shadow: ...

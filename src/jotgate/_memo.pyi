from typing import final

@final
class HeaderMemo: ...

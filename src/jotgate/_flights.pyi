from typing import final

@final
class Flights: ...

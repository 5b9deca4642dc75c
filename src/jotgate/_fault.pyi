FAULTS: dict[str, int]
CLAIM_NAMES: tuple[str | None, ...]

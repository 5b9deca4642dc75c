def serves(name: str) -> bool:
    return False


def reason() -> str | None:
    return "not there yet"


def library() -> tuple[str, str] | None:
    return None


def lane_of(handle: object, name: str) -> None:
    return None

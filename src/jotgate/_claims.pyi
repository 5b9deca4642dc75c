from typing import final

@final
class CompiledPolicy:
    algorithms: int
    max_token_bytes: int
    allow_padding: bool
    def __new__(
        cls,
        *,
        algorithms: int,
        max_token_bytes: int,
        allow_padding: bool,
        typ: tuple[str, ...] | None,
        crit: tuple[str, ...],
        issuer: tuple[str, ...] | None,
        audience: tuple[str, ...] | None,
        subject: tuple[str, ...] | None,
        authorized_party: tuple[str, ...] | None,
        require: tuple[str, ...],
        leeway_ns: int,
        max_age_ns: int,
        max_lifetime_s: int,
        max_lifetime_ns: int,
    ) -> CompiledPolicy: ...

def check_claims(policy: CompiledPolicy, payload: bytes, now_ns: int) -> None: ...

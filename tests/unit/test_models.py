"""Claims as dataclasses, structs and pydantic models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Optional, Union

import msgspec
import pydantic
import pytest
from support import NOW, clock_at, token, verifier

from jotgate.errors import InvalidClaimError, MissingClaimError


def fill(model: Any, **claims: Any) -> Any:
    with clock_at(NOW):
        verified = verifier().verify(token(**claims))
    return verified.into(model)


@dataclass
class Address:
    city: str
    lines: list[str] = field(default_factory=list)


@dataclass
class Everything:
    sub: str
    whatever: Any = None
    anything: object = None
    number: int = 0
    ratio: float = 0.0
    flag: bool = False
    nothing: None = None
    maybe: Optional[str] = None  # noqa: UP045  (the older spelling is what many models have)
    either: Union[int, str] = 0  # noqa: UP007
    newer: int | None = None
    kind: Literal["a", "b", 1] = "a"
    names: list[str] = field(default_factory=list)
    pair: tuple[int, str] = (0, "")
    many: tuple[int, ...] = ()
    roles: frozenset[str] = frozenset()
    tags: set[str] = field(default_factory=set)
    table: dict[str, int] = field(default_factory=dict)
    plain: dict = field(default_factory=dict)  # type: ignore[type-arg]
    row: list = field(default_factory=list)  # type: ignore[type-arg]
    address: Address | None = None
    addresses: list[Address] = field(default_factory=list)
    computed: int = field(init=False, default=7)


FITS: dict[str, list[tuple[Any, Any]]] = {
    "whatever": [([{"x": 1}], [{"x": 1}]), (None, None)],
    "anything": [(1.5, 1.5)],
    "number": [(3, 3)],
    "ratio": [(1.5, 1.5), (2, 2.0)],
    "flag": [(True, True)],
    "nothing": [(None, None)],
    "maybe": [("x", "x"), (None, None)],
    "either": [(3, 3), ("x", "x")],
    "newer": [(3, 3), (None, None)],
    "kind": [("b", "b"), (1, 1)],
    "names": [(["a"], ["a"]), ([], [])],
    "pair": [([1, "a"], (1, "a"))],
    "many": [([1, 2], (1, 2))],
    "roles": [(["a", "a"], frozenset({"a"}))],
    "tags": [(["a"], {"a"})],
    "table": [({"a": 1}, {"a": 1})],
    "plain": [({"a": [1]}, {"a": [1]})],
    "row": [([1, "a"], [1, "a"])],
    "address": [({"city": "x", "more": 1}, Address("x")), (None, None)],
    "addresses": [([{"city": "x", "lines": ["y"]}], [Address("x", ["y"])])],
}
MISFITS: dict[str, list[Any]] = {
    "number": ["3", 3.0, True, None],
    "ratio": ["1.5", True, None],
    "flag": [1, "true", None],
    "nothing": [0, ""],
    "maybe": [1, []],
    "either": [1.5, None, []],
    "newer": ["x"],
    "kind": ["c", True, 1.0, None],
    "names": ["a", [1], {"a": 1}, None],
    "pair": [[1], [1, "a", 2], ["a", 1], "ab"],
    "many": [["a"], 1],
    "roles": [[1], "a"],
    "tags": [[1], {"a": 1}],
    "table": [{"a": "b"}, [], None],
    "plain": [[], "a"],
    "row": [{}, "a"],
    "address": ["x", [], {"city": 1}],
    "addresses": [[1], {"city": "x"}, [{"city": "x", "lines": "y"}]],
}


@pytest.mark.parametrize(("name", "value", "expected"), [(n, *case) for n, cases in FITS.items() for case in cases])
def test_a_claim_that_fits_its_field(name: str, value: Any, expected: Any) -> None:
    made = getattr(fill(Everything, **{name: value}), name)
    assert (made, type(made)) == (expected, type(expected))


@pytest.mark.parametrize(("name", "value"), [(n, value) for n, values in MISFITS.items() for value in values])
def test_a_claim_that_does_not(name: str, value: Any) -> None:
    with pytest.raises(InvalidClaimError) as caught:
        fill(Everything, **{name: value})
    assert (caught.value.code, caught.value.__cause__, caught.value.__context__) == ("wrong_type", None, None)


def test_a_field_that_is_not_filled_from_outside_keeps_its_own_value() -> None:
    assert fill(Everything, computed=8).computed == 7


def test_a_missing_field_inside_is_named() -> None:
    with pytest.raises(MissingClaimError) as caught:
        fill(Everything, address={})
    assert (caught.value.code, caught.value.claim) == ("missing_claim", "city")


def test_a_field_that_no_claim_can_fill_is_the_programmer_s_mistake() -> None:
    @dataclass
    class Strange:
        sub: bytes

    with pytest.raises(TypeError, match="msgspec or pydantic"):
        fill(Strange)


def test_pydantic_names_the_field_and_nothing_else() -> None:
    class Model(pydantic.BaseModel):
        sub: str
        scope: int

    with pytest.raises(MissingClaimError) as missing:
        fill(Model)
    assert missing.value.claim == "scope"
    with pytest.raises(InvalidClaimError) as wrong:
        fill(Model, scope="secret-value")
    assert wrong.value.claim == "scope"
    assert "secret-value" not in str(wrong.value)
    assert wrong.value.__context__ is None
    assert fill(Model, scope=3).scope == 3


def test_a_struct_says_no_more_than_that_it_does_not_fit() -> None:
    class Model(msgspec.Struct):
        sub: str
        scope: int

    with pytest.raises(InvalidClaimError) as wrong:
        fill(Model, scope="secret-value")
    assert (wrong.value.code, wrong.value.__context__) == ("wrong_type", None)
    assert "secret-value" not in str(wrong.value)
    assert fill(Model, scope=3).scope == 3

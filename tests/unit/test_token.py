"""VerifiedToken and its claims: what they show, and that nobody can make, alter or copy one."""

import contextlib
import copy
import gc
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pydantic
import pytest
from support import ABSENT, AUDIENCE, ISSUER, NOW, SUBJECT, claims, compact, header, token, verifier

from jotgate import VerifiedToken
from jotgate.errors import InvalidClaimError, MissingClaimError

pytestmark = pytest.mark.usefixtures("frozen_clock")

NESTED = {"list": [1, [2, {"deep": [3]}], "x"], "object": {"a": {"b": [True, None]}}, "empty": {}, "none": []}


def verified(**changes: Any) -> VerifiedToken:
    way_in = verifier(require=("iss", "aud"), audience=changes.pop("audience", AUDIENCE))
    return way_in.verify(compact(header("HS256", kid="k", typ="JWT"), claims(**changes)))


def test_shortcuts() -> None:
    made = verified(jti="id-1", scope="read")
    assert (made.issuer, made.subject, made.audience) == (ISSUER, SUBJECT, (AUDIENCE,))
    assert (made.expires_at, made.issued_at, made.token_id) == (NOW + 300, NOW, "id-1")
    assert (made.kid, made.alg) == ("k", "HS256")
    assert made["scope"] == made.get("scope") == "read"
    assert made.get("nothing") is None
    assert made.get("nothing", 1) == 1
    assert "scope" in made
    assert "nothing" not in made
    with pytest.raises(KeyError):
        made["nothing"]
    assert json.loads(made.payload) == claims(jti="id-1", scope="read")


def test_shortcuts_of_absent_claims() -> None:
    made = verified(sub=ABSENT, exp=ABSENT, iat=ABSENT)
    assert (made.subject, made.expires_at, made.issued_at, made.token_id) == (None, None, None, None)


def test_shortcuts_unescape() -> None:
    payload = json.dumps(claims(sub='é"\\/😀\n', jti="\u0001")).encode("ascii")
    made = verifier().verify(compact(header("HS256"), payload))
    assert made.subject == 'é"\\/😀\n' == made["sub"]
    assert made.token_id == "\u0001"
    raw = verifier().verify(compact(header("HS256"), claims(sub="é😀", aud=["ü", AUDIENCE])))
    assert raw.subject == "é😀"
    assert raw.audience == ("ü", AUDIENCE)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [("1700000300", int), ("1700000300.0", float), ("17000003e2", float), ("1700000300.25", float)],
)
def test_dates_keep_their_kind(raw: str, kind: type) -> None:
    payload = json.dumps(claims()).replace(str(NOW + 300), raw).encode()
    made = verifier().verify(compact(header("HS256"), payload))
    assert type(made.expires_at) is kind
    assert made.expires_at == json.loads(raw) == made["exp"]


def test_claims_are_a_mapping() -> None:
    made = verified(**NESTED).claims
    expected = claims(**NESTED)
    assert isinstance(made, Mapping)
    assert len(made) == len(expected)
    assert list(made) == list(expected) == list(made.keys())
    assert [name for name, _ in made.items()] == list(expected)
    assert dict(made)["sub"] == SUBJECT
    assert made["list"] == (1, (2, {"deep": (3,)}), "x") or made["list"][0] == 1
    assert SUBJECT in list(made.values())
    assert made == expected
    assert expected == made
    assert made == verified(**NESTED).claims
    assert made != claims()
    assert made != {}
    assert (made == 1) is False
    with pytest.raises(TypeError):
        hash(made)


def test_claims_are_built_once() -> None:
    made = verified(**NESTED)
    assert made.claims is made.claims
    assert made.claims["object"] is made["object"]


def walk(value: Any) -> list[Any]:
    found = [value]
    if isinstance(value, Mapping):
        for item in value.values():
            found += walk(item)
    elif isinstance(value, tuple | list):
        for item in value:
            found += walk(item)
    return found


def test_claims_are_read_only_all_the_way_down() -> None:
    made = verified(**NESTED)
    for value in walk(made.claims) + walk(made.header):
        assert not isinstance(value, list | dict | set | bytearray)
        if isinstance(value, Mapping):
            assert type(value) is type(made.claims)
    for mapping in (
        made.claims,
        made.claims["object"],
        made.claims["object"]["a"],
        made.claims["empty"],
        made.header,
    ):
        for change in (
            lambda m: m.__setitem__("sub", "ADMIN"), lambda m: m.__delitem__("sub"),
            lambda m: m.update({"sub": "ADMIN"}),
            lambda m: m.clear(), lambda m: m.pop("sub"), lambda m: m.popitem(), lambda m: m.setdefault("x",
            1),
            lambda m: setattr(m, "sub", 1), lambda m: m.__ior__({"sub": "ADMIN"}),
            lambda m: m.__init__({"sub": "ADMIN"}),
            lambda m: setattr(m, "_members", {}), lambda m: m.__setstate__({"sub": "ADMIN"}),
        ):  # fmt: skip
            before = mapping.to_dict()
            with contextlib.suppress(AttributeError, TypeError):
                change(mapping)
            assert mapping.to_dict() == before
    for array in (made.claims["list"], made.claims["none"], made.audience):
        assert type(array) is tuple


class Thief:
    """Compares by keeping what it is compared with."""

    def __init__(self) -> None:
        self.loot: list[Any] = []

    def __eq__(self, other: object) -> bool:
        self.loot.append(other)
        return True

    def __hash__(self) -> int:
        return hash("sub")


class ThiefDict(dict[str, Any]):
    """A dict whose comparison keeps what it is compared with."""

    loot: list[Any]

    def __eq__(self, other: object) -> bool:
        self.loot = [other]
        return True

    __hash__ = None  # type: ignore[assignment]


def reachable(made: VerifiedToken) -> list[Any]:
    """Return all that a curious caller gets hold of."""
    mapping = made.claims
    thief, dictionary = Thief(), ThiefDict()
    loot: list[Any] = []
    for attempt in (
        lambda: mapping == thief, lambda: thief == mapping, lambda: mapping == dictionary,
        lambda: mapping["object"] == thief,
        lambda: mapping == {"sub": thief}, lambda: mapping != thief, lambda: mapping[thief],
        lambda: thief in mapping,
        lambda: mapping.get(thief), lambda: mapping | dictionary, lambda: dictionary | mapping,
        lambda: made == thief,
        lambda: mapping.items() == thief, lambda: mapping.keys() == thief, lambda: mapping.keys() & [thief],
        lambda: made[thief], lambda: mapping.__iter__().__reduce__(), lambda: mapping.keys()._mapping,
        lambda: mapping.items().mapping, lambda: iter(mapping.items()).__reduce__(), lambda: vars(mapping),
        lambda: mapping.__dict__, lambda: mapping._members, lambda: mapping._mapping, lambda: mapping.copy(),
    ):  # fmt: skip
        try:
            loot.append(attempt())
        except (TypeError, AttributeError, KeyError):
            continue
    loot += thief.loot + getattr(dictionary, "loot", []) + gc.get_referents(mapping) + gc.get_referents(made)
    return loot


def test_the_dict_behind_the_claims_is_out_of_reach() -> None:
    made = verified(**NESTED)
    before = made.to_dict()
    for prize in reachable(made):
        for value in walk(prize) if not isinstance(prize, dict) else [prize]:
            if isinstance(value, dict):
                value["sub"] = "ADMIN"
                value.clear()
            elif isinstance(value, list):
                value.clear()
    assert made.to_dict() == before
    assert made.subject == made["sub"] == SUBJECT


def test_to_dict_is_a_fresh_copy() -> None:
    made = verified(**NESTED)
    one, other = made.to_dict(), made.to_dict()
    assert one == other == claims(**NESTED)
    assert type(one) is dict
    assert type(one["list"]) is list
    assert type(one["object"]["a"]) is dict
    one["sub"] = "ADMIN"
    one["list"][1].append("more")
    one["object"]["a"]["b"] = 1
    assert made.to_dict() == other
    assert made.claims.to_dict() == other
    assert made.claims["object"].to_dict() == NESTED["object"]


def test_one_caller_cannot_change_what_the_next_one_sees() -> None:
    way_in, text = verifier(), token(role="user")
    first = way_in.verify(text)
    first.to_dict()["role"] = "admin"
    assert way_in.verify(text)["role"] == "user"
    assert first["role"] == "user"


@pytest.mark.parametrize(
    "name",
    [
        "claims",
        "header",
        "payload",
        "subject",
        "issuer",
        "audience",
        "expires_at",
        "alg",
        "kid",
        "x",
        "_claims",
    ],
)
def test_a_token_cannot_be_altered(name: str) -> None:
    made = verified()
    with pytest.raises((AttributeError, TypeError)):
        setattr(made, name, "ADMIN")
    with pytest.raises((AttributeError, TypeError)):
        delattr(made, name)
    with pytest.raises(TypeError):
        made["sub"] = "ADMIN"  # type: ignore[index]


def test_nobody_else_makes_one() -> None:
    made = verified()
    for kind in (VerifiedToken, type(made.claims)):
        for attempt in (
            lambda kind=kind: kind(), lambda kind=kind: kind({}), lambda kind=kind: kind.__new__(kind),
            lambda kind=kind: object.__new__(kind), lambda kind=kind: type("Sub", (kind,), {}),
            lambda kind=kind: copy._reconstruct(None, False, object.__new__, (kind,)),
        ):  # fmt: skip
            with pytest.raises((TypeError, AttributeError)):
                attempt()
        with pytest.raises(TypeError):
            kind.surprise = 1  # type: ignore[attr-defined]


def test_nobody_copies_one() -> None:
    made = verified(**NESTED)
    for thing in (made, made.claims, made.header, made.claims["object"]):
        for attempt in (
            lambda thing=thing: copy.copy(thing), lambda thing=thing: copy.deepcopy(thing),
            lambda thing=thing: thing.__reduce__(),
            *(lambda thing=thing, protocol=protocol: thing.__reduce_ex__(protocol) for protocol in range(6)),
            *(lambda thing=thing, protocol=protocol: pickle.dumps(thing,
            protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)),
        ):  # fmt: skip
            with pytest.raises(TypeError):
                attempt()


def test_a_pickle_written_by_hand_makes_none() -> None:
    for text in (
        b"cjotgate._token\nVerifiedToken\n(tR.",
        b"ccopyreg\n__newobj__\n(cjotgate._token\nVerifiedToken\ntR.",
    ):
        with pytest.raises((TypeError, AttributeError, pickle.UnpicklingError)):
            pickle.loads(text)


def test_repr_shows_no_claim() -> None:
    made = verified(sub="Canary-1", scope="Canary-2", jti="Canary-3")
    for thing in (made, made.claims, made.claims.items(), made.header):
        for shown in (repr(thing), str(thing), f"{thing}"):
            assert "Canary" not in shown or thing is not made
    assert "Canary" not in repr(made) + str(made) + repr(made.claims) + repr(made.header)
    assert "HS256" in repr(made)


class Struct(msgspec.Struct):
    sub: str
    exp: int
    scope: str = ""


class Model(pydantic.BaseModel):
    sub: str
    exp: int
    scope: str = ""


@dataclass
class Data:
    sub: str
    exp: int
    scope: str = ""
    computed: int = field(init=False, default=7)


@pydantic.dataclasses.dataclass
class CheckedData:
    sub: str
    exp: int
    scope: str = ""


@pytest.mark.parametrize("model", [Struct, Model, Data, CheckedData])
def test_into(model: Any) -> None:
    made = verified(scope="read", extra=[1]).into(model)
    assert type(made) is model
    assert (made.sub, made.exp, made.scope) == (SUBJECT, NOW + 300, "read")
    assert verified().into(model).scope == ""


@pytest.mark.parametrize("model", [Struct, Model, CheckedData])
def test_into_a_model_that_does_not_fit(model: Any) -> None:
    secret = "Canary-wrong-type"
    for made in (verified(scope=[secret]), verified(sub=ABSENT, scope=secret)):
        with pytest.raises((InvalidClaimError, MissingClaimError)) as caught:
            made.into(model)
        assert caught.value.code in ("wrong_type", "missing_claim")
        assert secret not in str(caught.value) + repr(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_into_a_dataclass_that_does_not_fit() -> None:
    with pytest.raises(MissingClaimError) as caught:
        verified(sub=ABSENT).into(Data)
    assert (caught.value.code, caught.value.claim) == ("missing_claim", "sub")


@pytest.mark.parametrize("model", [dict, list, str, int, None, "Data", Data("x", 1), lambda **claims: claims, object])
def test_into_takes_models_only(model: Any) -> None:
    with pytest.raises(TypeError):
        verified().into(model)

"""Policy: what it takes, what it refuses, and that it never changes."""

import copy
import inspect
import pickle
from typing import Any

import pytest
from support import AUDIENCE, ISSUER, rejects

from jotgate import ANY, Policy

DEFAULTS: dict[str, Any] = {
    "typ": None,
    "subject": None,
    "authorized_party": None,
    "require": ("exp", "iss", "aud"),
    "leeway": 0,
    "max_age": None,
    "max_lifetime": None,
    "max_token_bytes": 16384,
    "allow_padding": False,
    "crit": (),
}


def policy(**options: Any) -> Policy:
    return Policy(**({"algorithms": ["ES256"], "issuer": ISSUER, "audience": AUDIENCE} | options))


def test_the_signature_is_keyword_only_with_the_documented_defaults() -> None:
    parameters = inspect.signature(Policy).parameters
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters.values())
    given = {name: parameter.default for name, parameter in parameters.items()}
    assert {name: value for name, value in given.items() if value is not inspect.Parameter.empty} == DEFAULTS
    assert list(given)[:3] == ["algorithms", "issuer", "audience"]


def test_attributes_say_what_was_given() -> None:
    made = policy()
    for name, value in DEFAULTS.items():
        assert getattr(made, name) == value, name
    full = policy(
        algorithms=["ES256", "EdDSA"],
        typ="at+jwt",
        subject="s",
        authorized_party="app",
        require=("exp", "iss", "aud", "jti"),
        leeway=10,
        max_age=60,
        max_lifetime=300,
        max_token_bytes=4096,
        allow_padding=True,
        crit=("x",),
    )
    assert "jti" in full.require
    assert (full.leeway, full.max_age, full.max_lifetime, full.max_token_bytes) == (10, 60, 300, 4096)
    assert full.allow_padding is True
    assert tuple(full.crit) == ("x",)
    assert "ES256" in full.algorithms


@pytest.mark.parametrize("name", ["algorithms", "issuer", "audience"])
def test_three_decisions_have_no_default(name: str) -> None:
    options = {"algorithms": ["ES256"], "issuer": ISSUER, "audience": AUDIENCE}
    del options[name]
    with pytest.raises(TypeError):
        Policy(**options)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Policy(["ES256"], ISSUER, AUDIENCE)  # type: ignore[misc]
    with pytest.raises(TypeError):
        policy(unknown=1)


@pytest.mark.parametrize("expected", ["a", ["a"], ("a", "b"), {"a", "b"}, frozenset({"a"}), ANY])
def test_issuer_and_audience_take_a_string_a_collection_or_any(expected: Any) -> None:
    for name in ("issuer", "audience"):
        assert policy(**{name: expected})


@pytest.mark.parametrize(
    "wrong",
    [None, "", [], (), {}, set(), 1, b"a", [b"a"], [""], [1], [None], ["a", 1], True, object(), ["\ud800"]],
)
def test_issuer_and_audience_take_nothing_else(wrong: Any) -> None:
    for name in ("issuer", "audience"):
        rejects("invalid_policy", lambda name=name: policy(**{name: wrong}))


@pytest.mark.parametrize("wrong", ["", [], 1, b"a", [b"a"], [""], [1], True, object(), "\ud800"])
def test_other_expectations_are_strings(wrong: Any) -> None:
    for name in ("subject", "authorized_party", "typ"):
        rejects("invalid_policy", lambda name=name: policy(**{name: wrong}))


@pytest.mark.parametrize(
    ("algorithms", "good"),
    [(["ES256"], True), (("ES256", "RS256"), True), ({"ES256"}, True), (["EdDSA", "Ed25519"], True),
    (["ES256"] * 3, True),
     (["es256"], False), (["none"], False), (["HS1"], False), ("ES256", False), (["ES256", "none"], False),
     (["ES256", ""], False), (["ES256", None], False), ([b"ES256"], False), ({}, False), (iter(["ES256"]),
     None)],
)  # fmt: skip
def test_algorithms(algorithms: Any, good: bool | None) -> None:
    if good:
        assert policy(algorithms=algorithms)
    elif good is False:
        error = rejects("invalid_policy", lambda: policy(algorithms=algorithms))
        assert str(error)


def test_every_algorithm_of_the_table_is_known() -> None:
    from support import ALGORITHMS

    assert policy(algorithms=[*ALGORITHMS, "EdDSA"])


def test_require_adds_names_and_drops_only_what_may_be_dropped() -> None:
    assert policy(require=("exp", "iss", "aud", "jti", "client_id"))
    assert policy(require=("iss", "aud"))
    assert policy(require=())
    assert policy(issuer=ANY, require=("exp", "aud"))
    for wrong in ("exp", [""], [1], [None], None, 1, b"exp", [b"exp"], {"exp": 1}):
        if not isinstance(wrong, dict):
            rejects("invalid_policy", lambda wrong=wrong: policy(require=wrong))


@pytest.mark.parametrize("name", ["leeway", "max_age", "max_lifetime"])
def test_durations_are_seconds(name: str) -> None:
    for right in (1, 599, 600, 0.5):
        assert getattr(policy(**{name: right}), name) == right
    if name != "leeway":
        # No limit is None. A limit of nothing would refuse every token.
        rejects("invalid_policy", lambda: policy(**{name: 0}))
    for wrong in (-1, -0.001, float("nan"), float("inf"), "1", b"1", True, [1], 1j, 10**30, 10**400):
        rejects("invalid_policy", lambda wrong=wrong: policy(**{name: wrong}))


def test_leeway_is_at_most_ten_minutes() -> None:
    rejects("invalid_policy", lambda: policy(leeway=601))
    rejects("invalid_policy", lambda: policy(leeway=600.001))
    rejects("invalid_policy", lambda: policy(leeway=None))


def test_max_token_bytes_is_a_positive_integer() -> None:
    assert policy(max_token_bytes=1).max_token_bytes == 1
    for wrong in (0, -1, 1.5, "1", None, True, float("inf"), 2**80):
        rejects("invalid_policy", lambda wrong=wrong: policy(max_token_bytes=wrong))


@pytest.mark.parametrize("wrong", [1, 0, "yes", "", None, "false", []])
def test_allow_padding_is_a_bool(wrong: Any) -> None:
    rejects("invalid_policy", lambda: policy(allow_padding=wrong))


def test_crit_lists_extensions() -> None:
    assert policy(crit=["x", "https://example.com/ext"])
    for wrong in ("x", [""], [1], [None], None, ["alg"], ["typ"], ["crit"], ["b64"], b"x", 1):
        rejects("invalid_policy", lambda wrong=wrong: policy(crit=wrong))


@pytest.mark.parametrize("name", ["algorithms", "issuer", "audience", *DEFAULTS])
def test_a_policy_is_frozen(name: str) -> None:
    made = policy()
    with pytest.raises(AttributeError):
        setattr(made, name, getattr(made, name))
    with pytest.raises(AttributeError):
        delattr(made, name)
    with pytest.raises(AttributeError):
        made.surprise = 1  # type: ignore[attr-defined]


def test_a_policy_does_not_follow_the_caller_s_list() -> None:
    algorithms, issuers, audiences, required, crit = ["ES256"], [ISSUER], [AUDIENCE], ["exp"], ["x"]
    made = policy(algorithms=algorithms, issuer=issuers, audience=audiences, require=required, crit=crit)
    before = [copy.copy(getattr(made, name)) for name in ("algorithms", "issuer", "audience", "require", "crit")]
    for given in (algorithms, issuers, audiences, required, crit):
        given.append("HS256")
    assert [getattr(made, name) for name in ("algorithms", "issuer", "audience", "require", "crit")] == before
    for name in ("algorithms", "issuer", "audience", "require", "crit"):
        assert not isinstance(getattr(made, name), list | set | dict)


def test_no_callables() -> None:
    for name in DEFAULTS:
        rejects("invalid_policy", lambda name=name: policy(**{name: lambda *_: True}))


def test_any_is_one_thing_and_says_so() -> None:
    assert repr(ANY) == "ANY"
    assert copy.copy(ANY) is ANY
    assert copy.deepcopy(ANY) is ANY
    assert pickle.loads(pickle.dumps(ANY)) is ANY


def test_a_policy_error_says_what_to_do() -> None:
    error = rejects("invalid_policy", lambda: policy(algorithms="ES256"))
    assert "list" in str(error) or "collection" in str(error)
    assert "ES256" in repr(policy())

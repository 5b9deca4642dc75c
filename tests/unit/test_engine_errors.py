"""An error put into each step: the verdict is a refusal, whatever breaks."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from support import SIGNATURE_BYTES, b64u, claims, error_of, outcome, policy, token, verification_key, verifier

from jotgate import Verifier, errors
from jotgate._binding import Binding
from jotgate._engine import verify_payload
from jotgate._key import ALGORITHM_NUMBERS, KeyHandle, KeyTable

pytestmark = pytest.mark.usefixtures("frozen_clock")

# Not SystemExit: the interpreter obeys it wherever it is reported, and a process that ends accepts nothing. Not
# KeyboardInterrupt, which has a test of its own.
BREAKS: list[Any] = [
    RuntimeError, ValueError, TypeError, KeyError, MemoryError, RecursionError, GeneratorExit,
    StopIteration, OSError, AssertionError, Exception, BaseException, ZeroDivisionError, UnicodeDecodeError,
]  # fmt: skip


@pytest.fixture(autouse=True)
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Collect what a native step reports because it may not raise."""
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: seen.append(str(report.exc_value)))
    return seen


def an(error: type[BaseException]) -> BaseException:
    return UnicodeDecodeError("utf-8", b"", 0, 1, "x") if error is UnicodeDecodeError else error("inside a primitive")


class Asymmetric:
    """Stands where a public key of `cryptography` stands."""

    def __init__(self, behaviour: Callable[..., Any]) -> None:
        self.verify = behaviour


class Keyed:
    """Stands where a keyed HMAC of `cryptography` stands."""

    def __init__(self, *, copy: Any = None, update: Any = None, finalize: Any = None) -> None:
        self._copy, self._update, self._finalize = copy, update, finalize

    def copy(self) -> Any:
        return self._copy() if self._copy else self

    def update(self, data: bytes) -> None:
        if self._update:
            self._update()

    def finalize(self) -> Any:
        return self._finalize() if self._finalize else b"\0" * 32


def raises(error: type[BaseException]) -> Callable[..., Any]:
    def behaviour(*_: Any) -> Any:
        raise an(error)

    return behaviour


def with_context(alg: str, context: tuple[Any, ...]) -> Verifier:
    """Return a verifier whose only key checks signatures with a context of ours."""
    way_in = verifier(alg, cache=None)
    handle = KeyHandle(ALGORITHM_NUMBERS[alg], None, context, SIGNATURE_BYTES[alg])
    way_in._bind(Binding(policy(alg)._compiled, KeyTable([handle])))
    return way_in


def text_for(alg: str, signature: bytes | None = None) -> str:
    head = token(alg).rpartition(".")[0]
    return f"{head}.{b64u(bytes(SIGNATURE_BYTES[alg]) if signature is None else signature)}"


PUBLIC = ["RS256", "PS256", "ES256", "Ed25519", "ML-DSA-44"]


def context_of(alg: str, key: Any) -> tuple[Any, ...]:
    return (
        {"R": (key, None, None), "P": (key, None, None), "E": (key, None)}.get(alg[0], (key,))
        if alg[:2] != "Ed"
        else (key,)
    )


@pytest.mark.parametrize("alg", PUBLIC)
def test_the_double_is_really_asked(alg: str) -> None:
    """Without this the tests below could pass for the wrong reason."""
    accepting = with_context(alg, context_of(alg, Asymmetric(lambda *_: None)))
    assert accepting.verify(text_for(alg)).alg == alg
    refusing = with_context(alg, context_of(alg, Asymmetric(raises(InvalidSignature))))
    assert error_of(lambda: refusing.verify(text_for(alg))).code == "bad_signature"


@pytest.mark.parametrize("alg", PUBLIC)
@pytest.mark.parametrize("error", BREAKS)
def test_a_primitive_that_breaks_refuses(alg: str, error: type[BaseException], unraisable: list[Any]) -> None:
    way_in = with_context(alg, context_of(alg, Asymmetric(raises(error))))
    with pytest.raises(errors.UndecidedError) as caught:
        way_in.verify(text_for(alg))
    assert (caught.value.code, caught.value.http_status) == ("undecided", 503)
    # reported by its type alone: its text may quote what was signed
    assert unraisable == [f"{alg}: checking a signature failed with {error.__name__}"]


def interrupts(way_in: Verifier, text: str) -> None:
    def run() -> None:
        outcome(lambda: way_in.verify(text))
        for _ in range(1000):  # the interpreter looks for signals at each turn
            pass

    with pytest.raises(KeyboardInterrupt):
        run()
    assert sum(way_in.stats()["verdicts"].values()) == way_in.stats()["verdicts"]["undecided"] == 1


@pytest.mark.parametrize("alg", PUBLIC)
def test_an_interrupt_within_a_primitive_refuses_and_is_raised(alg: str, unraisable: list[Any]) -> None:
    """The primitives run Python code here and there, so that is where Ctrl-C may be noticed."""
    interrupts(with_context(alg, context_of(alg, Asymmetric(raises(KeyboardInterrupt)))), text_for(alg))
    assert unraisable == []


@pytest.mark.parametrize("step", ["copy", "update", "finalize"])
def test_an_interrupt_within_a_mac_refuses_and_is_raised(step: str) -> None:
    interrupts(with_context("HS256", (Keyed(**{step: raises(KeyboardInterrupt)}),)), text_for("HS256"))


def test_an_interrupt_within_a_callers_check_refuses_and_is_raised(unraisable: list[Any]) -> None:
    class Check:
        def is_revoked(self, _: object, *, fresh: bool) -> bool:
            raise KeyboardInterrupt

    interrupts(verifier(revocations=Check()), token())
    assert unraisable == []


@pytest.mark.parametrize("alg", PUBLIC)
@pytest.mark.parametrize(
    "answer", [True, False, 1, 0, "", "ok", b"", NotImplemented, [], (), object(), errors, InvalidSignature]
)
def test_a_primitive_that_answers_anything_but_none_refuses(alg: str, answer: Any) -> None:
    way_in = with_context(alg, context_of(alg, Asymmetric(lambda *_: answer)))
    assert error_of(lambda: way_in.verify(text_for(alg))).code == "undecided"


def test_the_keyed_double_is_really_asked() -> None:
    way_in = with_context("HS256", (Keyed(finalize=lambda: b"m" * 32),))
    assert way_in.verify(text_for("HS256", b"m" * 32)).alg == "HS256"
    assert error_of(lambda: way_in.verify(text_for("HS256", b"n" * 32))).code == "bad_signature"


@pytest.mark.parametrize("step", ["copy", "update", "finalize"])
@pytest.mark.parametrize("error", BREAKS)
def test_a_mac_that_breaks_refuses(step: str, error: type[BaseException], unraisable: list[Any]) -> None:
    way_in = with_context("HS256", (Keyed(**{step: raises(error)}),))
    with pytest.raises(errors.UndecidedError) as caught:
        way_in.verify(text_for("HS256"))
    assert caught.value.code == "undecided"
    assert unraisable == [f"HS256: checking a signature failed with {error.__name__}"]


class EqualToAll(bytes):
    """A bytes subclass that claims to equal everything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = bytes.__hash__

    def __len__(self) -> int:
        return 32


MACS = [None, True, "", "x" * 32, b"", b"\0", b"\0" * 31, b"\0" * 33, b"\0" * 64, bytearray(32),
memoryview(bytes(32)), 0,
        EqualToAll(b"x"), EqualToAll(b"\0" * 32), object()]  # fmt: skip


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: type(mac).__name__)
def test_a_mac_of_the_wrong_type_or_length_refuses(mac: Any) -> None:
    way_in = with_context("HS256", (Keyed(finalize=lambda: mac),))
    assert error_of(lambda: way_in.verify(text_for("HS256"))).code in ("undecided", "bad_signature")


def test_a_mac_object_without_its_methods_refuses() -> None:
    for copied in (None, object(), b"\0" * 32, "mac"):
        way_in = with_context("HS256", (Keyed(copy=lambda copied=copied: copied),))
        assert error_of(lambda way_in=way_in: way_in.verify(text_for("HS256"))).code == "undecided"


@pytest.mark.parametrize("alg", PUBLIC)
def test_the_signature_layer_refuses_too(alg: str) -> None:
    handle = KeyHandle(
        ALGORITHM_NUMBERS[alg], None, context_of(alg, Asymmetric(raises(RuntimeError))), SIGNATURE_BYTES[alg]
    )
    assert handle.verify(b"data", bytes(SIGNATURE_BYTES[alg])) is False
    lying = KeyHandle(ALGORITHM_NUMBERS[alg], None, context_of(alg, Asymmetric(lambda *_: True)), SIGNATURE_BYTES[alg])
    assert lying.verify(b"data", bytes(SIGNATURE_BYTES[alg])) is False
    assert lying.verify(b"data", b"") is False
    for wrong in (handle, lying):
        binding = Binding(policy(alg)._compiled, KeyTable([wrong]))
        assert error_of(lambda binding=binding: verify_payload(text_for(alg), binding)).code == "undecided"


def test_a_context_that_is_too_short_never_accepts() -> None:
    for alg, context in (
        ("RS256", (Asymmetric(lambda *_: None),)),
        ("ES256", (Asymmetric(lambda *_: None),)),
    ):
        way_in = with_context(alg, context)
        assert error_of(lambda way_in=way_in, alg=alg: way_in.verify(text_for(alg))).code == "undecided"


@pytest.mark.parametrize("number", [-1, 18, 31, 32, 1000, -(2**31)])
def test_an_algorithm_number_that_is_none(number: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        KeyHandle(number, None, (Asymmetric(lambda *_: None),), 64)


@pytest.mark.parametrize(("alg", "sizes"), [("ES256", (0, -1, 63, 133, 134, 10**6)), ("RS256", (0, -1, 1025,
10**6)),
                                            ("HS256", (0, -1, 1025)), ("ML-DSA-87", (0, 4628,
                                            10**9))])  # fmt: skip
def test_a_signature_length_that_no_buffer_holds(alg: str, sizes: tuple[int, ...]) -> None:
    for size in sizes:
        with pytest.raises((ValueError, OverflowError)):
            KeyHandle(
                ALGORITHM_NUMBERS[alg],
                None,
                (Keyed() if alg == "HS256" else Asymmetric(lambda *_: None),),
                size,
            )


def test_an_error_inside_leaves_the_verifier_whole() -> None:
    broken = [True]

    def sometimes(*_: Any) -> None:
        if broken[0]:
            raise RuntimeError

    way_in = with_context("Ed25519", (Asymmetric(sometimes),))
    assert error_of(lambda: way_in.verify(text_for("Ed25519"))).code == "undecided"
    broken[0] = False
    assert way_in.verify(text_for("Ed25519")).to_dict() == claims()
    broken[0] = True
    # Nothing was remembered that could stand in for the signature.
    assert error_of(lambda: way_in.verify(text_for("Ed25519"))).code == "undecided"
    assert way_in.stats()["verdicts"]["undecided"] == 2


def test_a_key_that_verifies_with_the_verifier_it_belongs_to() -> None:
    """Re-entrance: a primitive that calls back finds the engine in order."""
    inner: list[Any] = []

    def reenter(*_: Any) -> None:
        if not inner:
            inner.append(None)
            inner[0] = error_of(lambda: way_in.verify("x")).code
            inner.append(way_in.verify(text_for("Ed25519")).alg)

    way_in = with_context("Ed25519", (Asymmetric(reenter),))
    assert way_in.verify(text_for("Ed25519")).to_dict() == claims()
    assert inner == ["malformed", "Ed25519"]


def test_keys_replaced_by_the_primitive_itself() -> None:
    def replace(*_: Any) -> None:
        way_in.replace_keys(verification_key("Ed25519"))

    way_in = with_context("Ed25519", (Asymmetric(replace),))
    assert way_in.verify(text_for("Ed25519")).to_dict() == claims()
    assert error_of(lambda: way_in.verify(text_for("Ed25519"))).code == "bad_signature"
    assert way_in.verify(token("Ed25519")).to_dict() == claims()

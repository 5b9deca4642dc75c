"""Whole tokens: the engine's verdict (code and claim, or the claims) is the oracle's."""

import json
from collections.abc import Callable
from typing import Any

import reference
from hypothesis import event, given, note
from hypothesis import strategies as st
from support import CLASS_OF_CODE, clock_at

from jotgate import Policy, Verifier, jws
from jotgate.batch import LEAST_SHARE
from jotgate.errors import JotgateError

from . import hostile, tokens
from .tokens import Case


def refusal(error: JotgateError) -> tuple[str, str | None]:
    assert type(error) is CLASS_OF_CODE[error.code]
    return error.code, error.claim


def native_verdict(verifier: Verifier, text: Any, now_ns: int) -> Any:
    with clock_at(0, now_ns):
        try:
            return verifier.verify(text).to_dict()
        except JotgateError as error:
            return refusal(error)


def batch_verdicts(verifier: Verifier, texts: list[Any], now_ns: int, threads: int) -> list[Any]:
    with clock_at(0, now_ns):
        results = verifier.verify_batch(texts, threads=threads)
        assert results.code == tuple(getattr(result, "code", "accepted") for result in results)
        return [refusal(result) if isinstance(result, JotgateError) else result.to_dict() for result in results]


def same_in_a_batch(build: Callable[[], Verifier], texts: list[Any], now_ns: int, expected: list[Any]) -> None:
    """Compare the verdicts of a batch, new to its verifier and known to it; enough texts for two threads."""
    repeated = texts * -(-2 * LEAST_SHARE // len(texts))
    for threads in (1, 2):
        verifier = build()
        for _ in range(2):
            found = batch_verdicts(verifier, repeated, now_ns, threads)
            for native, oracle in zip(found, expected * (len(repeated) // len(texts)), strict=True):
                assert json.dumps(native, sort_keys=True) == json.dumps(oracle, sort_keys=True)


def same(native: Any, expected: Any) -> None:
    """Compare two verdicts; claims must be equal in type, too."""
    event(expected[0] if isinstance(expected, tuple) else "accepted")
    note(f"native: {native}\noracle: {expected}")
    assert json.dumps(native, sort_keys=True) == json.dumps(expected, sort_keys=True)


def check(case: Case) -> None:
    expected = reference.verify(
        case.text, tokens.reference_keys(case.entries), tokens.plain_policy(case.options), case.now_ns
    )
    verifier = Verifier(tokens.native_keys(case.entries), Policy(**case.options))
    same(native_verdict(verifier, case.text, case.now_ns), expected)
    # A second time: whatever the engine remembers of the first, the verdict is the same.
    same(native_verdict(verifier, case.text, case.now_ns), expected)
    same_in_a_batch(
        lambda: Verifier(tokens.native_keys(case.entries), Policy(**case.options)), [case.text], case.now_ns, [expected]
    )


@given(tokens.cases(tokens.SYMMETRIC))
def test_hmac_tokens(case: Case) -> None:
    check(case)


@given(tokens.cases(tokens.ASYMMETRIC))
def test_ecdsa_and_eddsa_tokens(case: Case) -> None:
    check(case)


@given(tokens.claims_cases())
def test_claims(case: Case) -> None:
    check(case)


@given(tokens.cases(tokens.SYMMETRIC[:1]), st.data())
def test_one_verifier_many_tokens(case: Case, data: st.DataObject) -> None:
    """What a verifier remembers of one token's header never changes the verdict on another."""
    keys, policy = tokens.reference_keys(case.entries), tokens.plain_policy(case.options)
    verifier = Verifier(tokens.native_keys(case.entries), Policy(**case.options))
    odd = st.sampled_from([frozenset()] * 2 + [frozenset([part]) for part in tokens.PARTS])
    more = data.draw(st.lists(odd, min_size=1, max_size=4))
    texts = [case.text] + [data.draw(tokens.compact_texts(case.entries[0], part)) for part in more]
    for text in texts + texts[::-1]:
        same(native_verdict(verifier, text, case.now_ns), reference.verify(text, keys, policy, case.now_ns))
    same_in_a_batch(
        lambda: Verifier(tokens.native_keys(case.entries), Policy(**case.options)),
        texts,
        case.now_ns,
        [reference.verify(text, keys, policy, case.now_ns) for text in texts],
    )


@given(tokens.issuers_cases())
def test_several_issuers(case: tokens.IssuersCase) -> None:
    expected = reference.verify_for_issuers(
        case.text,
        {
            issuer: (tokens.reference_keys(entries), tokens.plain_policy(options))
            for issuer, (entries, options) in case.issuers.items()
        },
        case.now_ns,
    )
    bound = {
        issuer: (tokens.native_keys(entries), Policy(**options)) for issuer, (entries, options) in case.issuers.items()
    }
    same(native_verdict(Verifier(bound), case.text, case.now_ns), expected)
    same_in_a_batch(lambda: Verifier(bound), [case.text], case.now_ns, [expected])


@given(st.sampled_from(tokens.SYMMETRIC + tokens.ASYMMETRIC), st.binary(max_size=40), st.data())
def test_signature_layer(entries: tokens.Entries, payload: bytes, data: st.DataObject) -> None:
    entry = data.draw(st.sampled_from(entries))
    algorithms = tokens.allow_list(entries)
    text = data.draw(tokens.compact_texts(entry, data.draw(tokens.oddities), payload))
    policy = tokens.plain_policy({"algorithms": algorithms})
    expected = reference.verify_signature(text, tokens.reference_keys(entries), policy)
    try:
        native: Any = jws.verify(text, tokens.native_keys(entries), algorithms=algorithms).payload
    except JotgateError as error:
        native = refusal(error)
    event(expected[0] if isinstance(expected, tuple) else "accepted")
    assert native == expected


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80), hostile.json_documents(), st.none(), st.integers()))
def test_anything_at_all(text: Any) -> None:
    check(Case(text, (("k1", "HS256", 0),), {"algorithms": ["HS256"], "issuer": "i", "audience": "a"}, 0))

"""verify_batch: what verify says of each token, in order, however many there are and whoever shares the work."""

import copy
import gc
import pickle
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from support import (
    ABSENT,
    ISSUER,
    NOW,
    SIGNATURE_BYTES,
    b64u,
    claims,
    clock_at,
    compact,
    dumps,
    error_of,
    header,
    outcome,
    policy,
    raw_claim,
    rejects,
    resign,
    secret_key,
    sign,
    token,
    verification_key,
    verifier,
)

from jotgate import KeySet, TokenCache, VerifiedToken, Verifier, errors
from jotgate._binding import Binding
from jotgate._fault import FAULTS
from jotgate._key import ALGORITHM_NUMBERS, KeyHandle, KeyTable
from jotgate._revoked import RevocationIndex
from jotgate.batch import PART, BatchResult

pytestmark = pytest.mark.usefixtures("frozen_clock")

OTHER = "https://other.example.com"
THREADS = (1, 2, 8)


class Text(str):
    """Not a str exactly."""


def facts(result: VerifiedToken | errors.JotgateError | None) -> Any:
    """What a verdict says, in a form that can be compared."""
    if isinstance(result, VerifiedToken):
        return result.alg, result.kid, dict(result.header), result.payload, result.to_dict(), result.expires_at
    return type(result), result.args, str(result)


def verdict(way_in: Verifier, text: Any) -> Any:
    try:
        return facts(way_in.verify(text))
    except errors.JotgateError as error:
        return facts(error)


def code(result: VerifiedToken | errors.JotgateError) -> str:
    return "accepted" if isinstance(result, VerifiedToken) else result.code


def distinct(count: int, **changes: Any) -> list[str]:
    """Cheap valid tokens, no two the same."""
    head = b64u(dumps(header("HS256")))
    return [resign(f"{head}.{b64u(dumps(claims(n=number, **changes)))}") for number in range(count)]


def agrees(way_in: Callable[[], Verifier], texts: list[Any], threads: int | None = None) -> BatchResult:
    """Assert that a batch and `verify`, each by a verifier of its own, say the same of every text."""
    batch = way_in().verify_batch(texts, threads=threads)
    single = way_in()
    assert [facts(result) for result in batch] == [verdict(single, text) for text in texts]
    assert batch.code == tuple(code(result) for result in batch)
    return batch


# -- the same verdict as verify

head = header("HS256")
segments = token().split(".")
FAULTY: list[tuple[str, Any]] = [
    ("WRONG_INPUT_TYPE", None), ("WRONG_INPUT_TYPE", 7), ("WRONG_INPUT_TYPE", bytearray(token().encode())),
    ("WRONG_INPUT_TYPE", Text(token())), ("WRONG_INPUT_TYPE", memoryview(token().encode())),
    ("WRONG_INPUT_TYPE", [token()]),
    ("TOO_LARGE", "x" * 20_000), ("TOO_LARGE", b"x" * 20_000), ("TOO_LARGE", token(x="y" * 16_384)),
    ("NOT_THREE_PARTS", ""), ("NOT_THREE_PARTS", b""), ("NOT_THREE_PARTS", "a"), ("NOT_THREE_PARTS", token() + ".x"),
    ("BAD_CHARACTER", "é" * 20), ("BAD_CHARACTER", b"\xff.\xff.\xff"), ("BAD_CHARACTER", "Bearer " + token()),
    ("BAD_CHARACTER", token() + "="), ("BAD_CHARACTER", "\0.\0.\0"), ("BAD_CHARACTER", "\ud800"),
    ("BAD_BASE64URL", f"{segments[0]}.{segments[1]}.A"), ("BAD_BASE64URL", "A.e30.AA"),
    ("BAD_BASE64URL", resign(f"{segments[0]}.AB")),
    ("BAD_JSON", compact(b"{")), ("BAD_JSON", compact(b"[]")), ("BAD_JSON", compact(head, b"no JSON")),
    ("DUPLICATE_NAME", compact(head, b'{"a":1,"a":2}')), ("DUPLICATE_NAME", compact(b'{"alg":"HS256","alg":"HS256"}')),
    ("TOO_DEEP", compact(head, b'{"a":' + b"[" * 40 + b"]" * 40 + b"}")),
    ("NUMBER_RANGE", compact(head, b'{"a":1e999}')),
    ("BAD_HEADER", compact(header("HS256", kid=1))), ("BAD_HEADER", compact(header("HS256", b64=False))),
    ("CRITICAL_HEADER", compact(header("HS256", crit=["x"], x=1))),
    ("ALGORITHM_NOT_ALLOWED", compact(header("none"))), ("ALGORITHM_NOT_ALLOWED", compact({})),
    ("ALGORITHM_NOT_ALLOWED", token("ES256")),
    ("UNKNOWN_KEY", compact(header("HS256", kid="other"))),
    ("BAD_SIGNATURE", token(key=b"x" * 32)), ("BAD_SIGNATURE", f"{segments[0]}.{segments[1]}."),
    ("BAD_SIGNATURE", token() + "AAAA"),
    ("MISSING_CLAIM", token(exp=ABSENT)), ("MISSING_CLAIM", token(iss=ABSENT)), ("MISSING_CLAIM", token(aud=ABSENT)),
    ("IMPOSSIBLE_DATE", token(exp=1e30)), ("ISSUED_IN_FUTURE", token(iat=NOW + 9)),
    ("WRONG_TYPE", token(exp="1")), ("WRONG_TYPE", token(aud=[1])), ("WRONG_TYPE", token(jti={})),
    ("EXPIRED", token(exp=NOW)), ("NOT_YET_VALID", token(nbf=NOW + 1)),
    ("WRONG_ISSUER", token(iss="x")), ("WRONG_AUDIENCE", token(aud="x")),
]  # fmt: skip
SOUND = [token(), token().encode(), token(exp=NOW + 0.5), raw_claim("exp", f"{NOW + 1}.5e0"), token(sub="é\n")]


def keyed() -> Verifier:
    return Verifier(verification_key("HS256", kid="k"), policy())


@pytest.mark.parametrize("threads", THREADS)
def test_every_kind_of_text_gets_the_verdict_of_verify(threads: int) -> None:
    texts = [text for _, text in FAULTY] + SOUND
    batch = agrees(verifier, texts, threads)
    assert batch.accepted == len(SOUND) + 1  # a lone key without kid answers to any
    agrees(lambda: Verifier({ISSUER: (verification_key("HS256"), policy())}), texts, threads)
    agrees(keyed, texts, threads)


def strict() -> Verifier:
    rules = policy(typ="at+jwt", subject="someone", max_age=60, max_lifetime=3600, require=("exp", "tenant"))
    return Verifier(verification_key("HS256"), rules)


def typed(**changes: Any) -> str:
    return compact(header("HS256", typ="at+jwt"), claims(**({"sub": "someone", "tenant": 1} | changes)))


STRICT = [
    ("WRONG_TYP", compact(header("HS256", typ="JWT"), claims())), ("MISSING_CLAIM", compact(head, claims())),
    ("MISSING_CLAIM", typed(tenant=ABSENT)), ("WRONG_SUBJECT", typed(sub="x")), ("TOO_OLD", typed(iat=NOW - 61)),
    ("LIFETIME_TOO_LONG", typed(exp=NOW + 7200)),
]  # fmt: skip


def test_a_demanding_policy_gets_the_verdict_of_verify() -> None:
    batch = agrees(strict, [text for _, text in STRICT] + [typed()])
    assert [result.claim for result in batch[:-1]] == ["typ", "typ", "tenant", "sub", "iat", "exp"]
    assert batch.accepted == 1


def test_an_authorized_party_and_an_ambiguous_key() -> None:
    texts = [token(azp="x"), token(azp="app"), token()]
    agrees(lambda: verifier(authorized_party="app"), texts)
    several = KeySet([verification_key("HS256", kid="a"), verification_key("HS256", kid="b", which=1)])
    batch = agrees(lambda: Verifier(several, policy()), [token(), compact(header("HS256", kid="a"))])
    assert batch.code == ("unknown_key", "accepted")


def test_every_fault_that_a_text_can_have_is_among_these() -> None:
    # the other tests of this file bring REVOKED and the two that decide nothing
    elsewhere = {"OK", "UNDECIDED", "REVOKED", "STORE_UNAVAILABLE", "AMBIGUOUS_KEY", "WRONG_AUTHORIZED_PARTY"}
    elsewhere |= {"KEY_FETCH_FAILED", "KEY_WITHDRAWN", "EPOCH_AHEAD"}  # test_feeds.py
    elsewhere |= {"EPOCH_UNKNOWN", "RULES_STALE", "RULES_UNASKED"}  # test_revoked_engine.py
    assert {fault for fault, _ in FAULTY + STRICT} == set(FAULTS) - elsewhere
    for fault, text in FAULTY + STRICT:
        way_in = keyed() if fault == "UNKNOWN_KEY" else strict() if (fault, text) in STRICT else verifier()
        assert way_in.verify_batch([text])[0].args[:2] == errors.BY_FAULT[FAULTS[fault]][:0:-1], (fault, text)


def padded(text: str, key: Any = None) -> str:
    """Pad every part; what is signed are the parts as written."""
    written = [part + "=" * (-len(part) % 4) for part in text.split(".")[:2]]
    return resign(".".join(written), key=key) + "="


def test_padding_is_allowed_where_verify_allows_it() -> None:
    texts = [token(), padded(token()), token() + "==", padded(token(), b"x" * 32)]
    batch = agrees(lambda: verifier(allow_padding=True), texts)
    assert batch.code == ("accepted", "accepted", "malformed", "bad_signature")
    way_in = verifier(allow_padding=True)
    assert way_in.verify_batch([padded(token())]).accepted == 1
    assert way_in.stats()["cache_entries"] == 0


@pytest.mark.parametrize("threads", THREADS)
def test_each_issuer_has_its_own_keys_policy_and_limits(threads: int) -> None:
    key, other = verification_key("HS256"), verification_key("HS256", which=1)
    loose = policy(issuer=OTHER, allow_padding=True, max_token_bytes=50_000, require=("exp", "tenant"))

    def way_in() -> Verifier:
        return Verifier({ISSUER: (key, policy(max_token_bytes=400)), OTHER: (other, loose)})

    secret = secret_key("HS256", 1)
    theirs = token(iss=OTHER, tenant=1, key=secret)
    texts = [
        token(), token(x="y" * 400), token(x="y" * 60_000), padded(token()), theirs, padded(theirs, secret),
        token(iss=OTHER, tenant=1, x="y" * 10_000, key=secret), token(iss=OTHER, key=secret),
        token(iss=OTHER, tenant=1), token(key=secret), token(iss="x"), token(iss=7), token(iss=ABSENT), token(iss=None),
        compact(head, b'{"iss":"%s","a":1,"a":2}' % ISSUER.encode()), compact(head, b"{"), "x",
    ]  # fmt: skip
    batch = agrees(way_in, texts, threads)
    assert batch.code[:6] == ("accepted", "too_large", "too_large", "malformed", "accepted", "accepted")
    assert batch[7].claim == "tenant"
    assert batch.accepted == 4


@pytest.mark.parametrize("alg", ["RS256", "PS384", "ES256", "ES512", "EdDSA", "Ed448", "ML-DSA-44"])
@pytest.mark.parametrize("threads", THREADS)
def test_every_kind_of_signature(alg: str, threads: int) -> None:
    good = [token(alg, n=number) for number in range(5)]
    bad = [f"{text[:-20]}{'B' if text[-20] == 'A' else 'A'}{text[-19:]}" for text in good]
    mixed = [good[0].rpartition(".")[0] + "." + good[1].rpartition(".")[2]]
    batch = agrees(lambda: verifier(alg), (good + bad + mixed) * 8, threads)
    assert (batch.accepted, batch.rejected) == (40, 48)


@pytest.mark.parametrize("threads", THREADS)
def test_one_bad_token_spoils_no_other(threads: int) -> None:
    texts: list[Any] = distinct(500)
    bad = {number: FAULTY[number % len(FAULTY)][1] for number in range(0, 500, 7)}
    for number, text in bad.items():
        texts[number] = text
    for number, result in enumerate(verifier().verify_batch(texts, threads)):
        if number not in bad:
            assert isinstance(result, VerifiedToken)
            assert result["n"] == number
        elif bad[number] != compact(header("HS256", kid="other")):
            assert isinstance(result, errors.TokenError)


def test_time_is_compared_exactly() -> None:
    texts = [token(exp=NOW + 1), raw_claim("exp", f"{NOW}.25"), raw_claim("exp", f"{NOW}.75")]
    with clock_at(NOW, 500_000_000):
        assert agrees(verifier, texts).code == ("accepted", "expired", "accepted")


# -- equal texts


def test_equal_texts_share_one_token_and_are_verified_once() -> None:
    way_in = verifier()
    batch = way_in.verify_batch([token(), token(x=1), token().encode(), token(), token(x=1), "x", "x"])
    assert batch[0] is batch[2] is batch[3]
    assert batch[1] is batch[4] is not batch[0]
    assert way_in.stats()["misses"] == 3
    assert batch.counts == {"accepted": 5, "malformed": 2}
    assert way_in.stats()["verdicts"]["accepted"] == 5


def test_equal_texts_are_found_in_a_full_part() -> None:
    way_in = verifier()
    unique = [*distinct(3000), *(f"{number}" for number in range(1000))]
    batch = way_in.verify_batch([*unique * 8, *map(str.encode, unique * 8)], threads=2)
    assert way_in.stats()["misses"] == 4000
    assert batch.counts == {"accepted": 48_000, "malformed": 16_000}


def test_texts_that_end_alike_do_not_slow_a_batch_down() -> None:
    """Equal texts are looked for by a hash; whoever can make it collide could hold the GIL for many seconds."""
    way_in = verifier(cache=None)
    alike = [f"{number:08}.e30.{'A' * 200}" for number in range(PART)]
    other = [f"{number:08}.e30.{number:08}{'A' * 100}{number:092}" for number in range(PART)]
    spent = []
    for texts in (other, alike):
        start = time.process_time()
        assert way_in.verify_batch(texts, threads=1).rejected == PART
        spent.append(time.process_time() - start)
    assert spent[1] < 5 * spent[0] + 0.5


# -- sizes, order, iterables


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 63, 64, 65, 257, 1000])
@pytest.mark.parametrize("threads", THREADS)
def test_order_is_kept(count: int, threads: int) -> None:
    batch = verifier().verify_batch(distinct(count), threads)
    assert len(batch) == count
    assert [result["n"] for result in batch] == list(range(count))


@pytest.mark.parametrize("count", [PART - 1, PART, PART + 1, 200_000])
@pytest.mark.parametrize("threads", [1, 2])
def test_order_is_kept_over_parts(count: int, threads: int) -> None:
    unique = distinct(97)
    texts = [unique[number % 97] if number % 5 else "x" for number in range(count)]
    batch = verifier().verify_batch(texts, threads)
    assert len(batch) == count == len(batch.ok) == len(batch.code) == len(batch.exp)
    assert batch.ok.tolist() == [bool(number % 5) for number in range(count)]
    assert (batch.accepted, batch.rejected) == (count - -(-count // 5), -(-count // 5))
    for number in (0, 1, PART - 2, PART - 1, PART, PART + 1, 2 * PART, 3 * PART, count - 1):
        if number < count:
            assert code(batch[number]) == ("accepted" if number % 5 else "malformed")
            assert not number % 5 or batch[number]["n"] == number % 97


def test_an_empty_batch() -> None:
    for nothing in ([], (), iter(()), {}):
        batch = verifier().verify_batch(nothing)
        assert len(batch) == batch.accepted == batch.rejected == batch.undecided == 0
        assert (batch.counts, list(batch), batch[:], batch.code) == ({}, [], [], ())
        assert batch.ok.tolist() == batch.exp.tolist() == []
        with pytest.raises(IndexError):
            batch[0]


@pytest.mark.parametrize("single", [token(), token().encode(), bytearray(b"x"), Text("x"), None, 7, object()])
def test_a_single_token_is_no_batch(single: Any) -> None:
    with pytest.raises(TypeError, match="sequence of tokens"):
        verifier().verify_batch(single)


@pytest.mark.parametrize("make", [list, tuple, iter, set, dict.fromkeys, lambda texts: (text for text in texts)])
def test_any_iterable_will_do(make: Callable[[list[str]], Any]) -> None:
    batch = verifier().verify_batch(make(distinct(100)))
    assert sorted(result["n"] for result in batch) == list(range(100))


def test_a_generator_is_read_part_by_part() -> None:
    way_in = verifier()
    unique = distinct(10)
    verified = []

    def texts() -> Iterator[str]:
        for number in range(3 * PART):
            if number % PART in (0, PART - 1):
                verified.append((number, sum(way_in.stats()["verdicts"].values())))
            yield unique[number % 10]

    assert way_in.verify_batch(texts()).accepted == 3 * PART
    assert verified == [(0, 0), (PART - 1, 0), (PART, PART), (2 * PART - 1, PART), (2 * PART, 2 * PART),
                        (3 * PART - 1, 2 * PART)]  # fmt: skip


@pytest.mark.parametrize("after", [0, 10, PART - 1, PART, PART + 10])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, errors.PolicyError])
def test_what_an_iterable_raises_is_raised(after: int, error: type[BaseException]) -> None:
    way_in = verifier()
    text = token()

    def texts() -> Iterator[str]:
        for _ in range(after):
            yield text
        raise error

    with pytest.raises(error):
        way_in.verify_batch(texts(), threads=2)
    before = way_in.stats()
    assert way_in.verify_batch([text]).accepted == 1
    assert before["verdicts"]["accepted"] == after // PART * PART


class Odd(Sequence[Any]):
    """A sequence whose length is a lie."""

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: Any) -> Any:
        if index >= 3:
            raise IndexError
        return token()


def test_a_sequence_that_lies_about_its_length() -> None:
    assert len(verifier().verify_batch(Odd())) == 3


def test_what_a_caller_does_to_its_list_meanwhile_changes_nothing() -> None:
    way_in = verifier("ES256")
    texts = [token("ES256", n=number) for number in range(400)]
    own = list(texts)
    done = threading.Event()

    def spoil() -> None:
        while not done.is_set():
            own[:] = ["x"] * 7
            own.clear()
            own.extend(bytes(700).hex() for _ in range(50))

    spoiler = threading.Thread(target=spoil)

    class Spoiled(list[str]):
        """Starts the spoiling when it has been copied."""

    batches = []
    spoiler.start()
    try:
        for _ in range(3):
            batches.append(way_in.verify_batch(list(texts), threads=2))
            way_in.verify_batch(own, threads=2)
    finally:
        done.set()
        spoiler.join()
    for batch in batches:
        assert [result["n"] for result in batch] == list(range(400))


def test_the_texts_are_the_batchs_own_reference() -> None:
    texts = distinct(50)
    batch = verifier(cache=None).verify_batch(texts)
    texts.clear()
    gc.collect()
    junk = ["y" * 300 for _ in range(200)]
    assert [result["n"] for result in batch] == list(range(50))
    del junk


# -- looking at the results


def test_it_is_a_sequence() -> None:
    texts = [*distinct(5), "x"]
    batch = verifier().verify_batch(texts)
    assert isinstance(batch, Sequence)
    assert (len(batch), bool(batch)) == (6, True)
    assert [result["n"] for result in batch[1:4]] == [1, 2, 3]
    assert [code(result) for result in batch[::-1]] == ["malformed", *["accepted"] * 5]
    assert [result["n"] for result in list(reversed(batch))[1:]] == [4, 3, 2, 1, 0]
    assert batch[100:] == []
    assert batch[-6]["n"] == 0
    assert batch[True]["n"] == 1
    for index in (6, -7, 2**40, -(2**40), 2**70):
        with pytest.raises(IndexError):
            batch[index]
    for index in ("0", 1.0, None):
        with pytest.raises(TypeError):
            batch[index]
    assert batch[2] is batch[2]
    assert batch[2] in batch
    assert None not in batch
    assert batch.index(batch[3]) == 3
    assert batch.count(batch[3]) == 1
    assert verifier().verify_batch([texts[0], "x", texts[0]]).count(batch[0]) == 0
    again = verifier().verify_batch([texts[0], "x", texts[0]])
    assert again.count(again[0]) == 2
    assert again.index(again[0], 1) == 2
    with pytest.raises(ValueError):  # noqa: PT011
        again.index(again[0], 1, 2)
    with pytest.raises(ValueError):  # noqa: PT011
        again.index(None)


def test_columns() -> None:
    texts: list[Any] = [
        token(), token(exp=ABSENT), token(exp=NOW + 0.5), raw_claim("exp", "1.7e9", iat=ABSENT), token(exp=NOW - 1),
        "x", None, raw_claim("exp", "253402300799"), token(key=b"x" * 32), raw_claim("exp", "1.70000000099e9"),
    ]  # fmt: skip
    with clock_at(NOW - 1, 900_000_000):
        batch = verifier(require=(), leeway=1).verify_batch(texts)
        assert [code(result) for result in batch] == list(batch.code)
    ok, exp = batch.ok, batch.exp
    assert (type(ok), ok.format, ok.itemsize, ok.shape, ok.readonly) == (memoryview, "?", 1, (10,), True)
    assert (type(exp), exp.format, exp.itemsize, exp.shape, exp.readonly) == (memoryview, "q", 8, (10,), True)
    assert ok.tolist() == [True, True, True, True, True, False, False, True, False, True]
    assert exp.tolist() == [NOW + 300, 0, NOW, NOW, NOW - 1, 0, 0, 253402300799, 0, NOW]
    assert type(batch.code) is tuple
    assert {type(item) for item in batch.code} == {str}
    # from the cache, too
    again = verifier(require=(), leeway=1)
    with clock_at(NOW - 1, 900_000_000):
        for _ in range(2):
            assert again.verify_batch(texts).exp.tolist() == exp.tolist()


def test_counts_agree_with_each_other_and_with_stats() -> None:
    way_in = verifier(cache=None)
    texts = [text for _, text in FAULTY] + SOUND * 3 + ["x"] * 10
    batch = way_in.verify_batch(texts, threads=2)
    assert batch.counts == Counter(batch.code)
    assert batch.accepted + batch.rejected + batch.undecided == len(batch) == sum(batch.counts.values())
    assert {name: count for name, count in way_in.stats()["verdicts"].items() if count} == batch.counts
    single = verifier()
    for text in texts:
        outcome(lambda text=text: single.verify(text))
    assert single.stats()["verdicts"] == way_in.stats()["verdicts"]


def test_no_text_shows() -> None:
    batch = verifier().verify_batch([token(sub="hidden"), "hidden", token(key=b"x" * 32)])
    assert repr(batch) == "<BatchResult of 3: 1 accepted, 2 rejected, 0 undecided>"
    for shown in (repr(batch), str(batch), repr(list(batch)), [str(error) for error in batch[1:]]):
        assert "hidden" not in str(shown)
        assert token()[:20] not in str(shown)


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_cannot_be_copied_or_pickled(take: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        take(verifier().verify_batch([token()]))


def test_it_cannot_be_made_without_a_verifier() -> None:
    for arguments in ((), (None, 1), (1, 1), (verifier(),)):
        with pytest.raises(TypeError):
            BatchResult(*arguments)
    with pytest.raises(TypeError):
        type("Mine", (BatchResult,), {})


def test_results_outlive_their_verifier() -> None:
    batches = [verifier(cache=cache).verify_batch(distinct(50)) for cache in (None, TokenCache())]
    gc.collect()
    for batch in batches:
        assert [result["n"] for result in batch] == list(range(50))
        assert batch[0].header["alg"] == "HS256"


def test_keys_replaced_before_the_results_are_looked_at() -> None:
    way_in = verifier()
    batch = way_in.verify_batch([*distinct(20), token(key=secret_key("HS256", 1))])
    way_in.replace_keys(verification_key("HS256", which=1))
    assert [result["n"] for result in batch[:-1]] == list(range(20))
    assert code(batch[-1]) == "bad_signature"
    # what is made of an older verdict is no verdict of the new keys
    assert way_in.verify_batch(distinct(20)).counts == {"bad_signature": 20}
    assert error_of(lambda: way_in.verify(distinct(1)[0])).code == "bad_signature"


def test_threads_may_look_at_one_result_together() -> None:
    batch = verifier(cache=None).verify_batch(distinct(300))
    seen: list[list[Any]] = []
    lookers = [threading.Thread(target=lambda: seen.append(list(batch))) for _ in range(4)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert all(one is other for results in seen for one, other in zip(results, seen[0], strict=True))


def test_a_batch_in_a_cycle_is_collected() -> None:
    freed = []

    class Check:
        def is_revoked(self, _: VerifiedToken, *, fresh: bool) -> bool:
            return False

        def __del__(self) -> None:
            freed.append(len(self.batch) + self.batch.accepted)

    check = Check()
    check.batch = verifier(revocations=check).verify_batch(distinct(3))
    del check
    gc.collect()
    assert freed == [6]


# -- the cache


def test_known_tokens_come_from_the_cache() -> None:
    way_in = verifier()
    texts = distinct(20)
    held = [way_in.verify(text) for text in texts[:10]]
    batch = way_in.verify_batch(texts)
    assert all(one is other for one, other in zip(held, batch[:10], strict=True))
    assert (way_in.stats()["hits"], way_in.stats()["misses"]) == (10, 20)
    assert [result["n"] for result in batch] == list(range(20))


def test_a_small_batch_is_remembered() -> None:
    way_in = verifier()
    texts = distinct(200)
    batch = way_in.verify_batch(texts, threads=2)
    before = way_in.stats()["hits"]
    same = [way_in.verify(text) is result for text, result in zip(texts, batch, strict=True)]
    # a bucket of the cache may have been too small for some
    assert sum(same) == way_in.stats()["hits"] - before >= 190


def test_a_refusal_is_not_remembered() -> None:
    way_in = keyed()
    way_in.verify_batch([text for _, text in FAULTY])
    assert way_in.stats()["cache_entries"] == 0


@pytest.mark.parametrize("limits", [{"max_bytes": 1 << 20}, {"max_entries": 100}])
def test_a_large_batch_fills_a_tenth_of_a_cache(limits: dict[str, int]) -> None:
    cache = TokenCache(**limits)
    way_in = verifier(cache=cache)
    assert way_in.verify_batch(distinct(3000)).accepted == 3000
    held = way_in.stats()
    assert 5 <= held["cache_entries"] <= (10 if "max_entries" in limits else 150)
    assert held["evictions"] <= 10  # by buckets that were too small


def test_what_no_longer_holds_is_decided_anew() -> None:
    way_in = verifier()
    texts = distinct(10)
    way_in.verify_batch(texts)
    with clock_at(NOW + 301):
        assert way_in.verify_batch(texts).counts == {"expired": 10}
    with clock_at(NOW - 1):
        assert way_in.verify_batch(texts).counts == {"invalid_claim": 10}


@pytest.mark.parametrize("cache", [None, "own"])
def test_with_and_without_a_cache_the_verdict_is_the_same(cache: str | None) -> None:
    way_in = verifier(cache=None) if cache is None else verifier()
    texts = [text for _, text in FAULTY] + SOUND
    first, second = way_in.verify_batch(texts), way_in.verify_batch(texts)
    assert first.code == second.code
    if cache is None:
        assert (way_in.stats()["hits"], way_in.stats()["misses"]) == (0, 0)


# -- revocations


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("cached", [False, True])
def test_revoked_ids(threads: int, cached: bool) -> None:
    index = RevocationIndex()
    way_in = verifier(revocations=index)
    texts = [token(jti=f"id{number}") for number in range(100)]
    if cached:
        assert way_in.verify_batch(texts).accepted == 100
    for number in range(0, 100, 3):
        index.revoke(f"id{number}", NOW + 1000)
    for _ in range(2):
        batch = way_in.verify_batch(texts, threads)
        assert batch.code == tuple("accepted" if number % 3 else "revoked" for number in range(100))
        assert type(batch[0]) is errors.RevokedTokenError
        assert (batch.rejected, batch.undecided) == (34, 0)
    for number, text in enumerate(texts):
        assert (outcome(lambda text=text: way_in.verify(text)) is None) == bool(number % 3)


class Check:
    """A caller's own check, which counts."""

    def __init__(self, answer: Callable[[VerifiedToken], Any]) -> None:
        self.answer = answer
        self.asked: Counter[int] = Counter()

    def is_revoked(self, made: VerifiedToken, *, fresh: bool) -> Any:
        assert fresh is False
        self.asked[made["n"]] += 1
        return self.answer(made)


def fails(_: VerifiedToken) -> bool:
    raise OSError("store")


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("cache", [None, "own"])
def test_a_callers_check_is_asked_for_each_accepted_token(cache: str | None, threads: int) -> None:
    answers: list[Any] = [False, True, None, 0, "no"]
    check = Check(lambda made: answers[made["n"] % 5])
    way_in = verifier(revocations=check, **({"cache": None} if cache is None else {}))
    texts = distinct(100)
    for asked in (1, 2, 3):
        batch = way_in.verify_batch([*texts, *texts, "x", token(key=b"x" * 32)], threads)
        assert batch.counts == {"accepted": 40, "revoked": 40, "store_unavailable": 120, "malformed": 1,
                                "bad_signature": 1}  # fmt: skip
        assert (batch.accepted, batch.rejected, batch.undecided) == (40, 42, 120)
        assert set(check.asked.values()) == {asked}
        assert type(batch[2]) is errors.StoreUnavailableError
    assert way_in.stats()["cache_entries"] == (0 if cache is None else 20)


def test_a_check_that_fails_leaves_undecided() -> None:
    batch = verifier(revocations=Check(fails)).verify_batch(distinct(10))
    assert (batch.counts, batch.accepted, batch.undecided) == ({"store_unavailable": 10}, 0, 10)
    assert batch.exp.tolist() == [0] * 10


@pytest.mark.parametrize("cached", [False, True])
def test_an_interrupt_within_a_check_is_raised(cached: bool) -> None:
    def interrupted(_: VerifiedToken) -> bool:
        raise KeyboardInterrupt

    check = Check(lambda _: False)
    way_in = verifier(revocations=check)
    if cached:
        way_in.verify_batch(distinct(10))
    before = way_in.stats()["verdicts"]
    check.answer = interrupted
    with pytest.raises(KeyboardInterrupt):
        way_in.verify_batch(distinct(10))
    assert way_in.stats()["verdicts"] == before
    check.answer = lambda _: False
    assert way_in.verify_batch(distinct(10)).accepted == 10


def test_a_check_may_run_a_batch_itself() -> None:
    inner = verifier("ES256", cache=None)
    public = [token("ES256", n=number) for number in range(100)]
    check = Check(lambda _: inner.verify_batch(public, threads=3).accepted != 100)
    assert verifier(revocations=check).verify_batch(distinct(5), threads=3).accepted == 5
    again = Check(lambda made: made["n"] > 0 and recursive.verify_batch(distinct(made["n"])).accepted != made["n"])
    recursive = verifier(revocations=again)
    assert recursive.verify_batch(distinct(6)).accepted == 6


# -- threads


@pytest.mark.parametrize("threads", [0, -1, 257, 10**30, True, 1.0, "2", object()])
def test_threads_is_a_number_within_bounds(threads: Any) -> None:
    rejects("invalid_policy", lambda: verifier().verify_batch([token()], threads=threads))


@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_any_number_of_threads_agrees(alg: str) -> None:
    texts = [token(alg, n=number) if number % 3 else token(alg, exp=NOW - number) for number in range(300)]
    results = [agrees(lambda: verifier(alg), texts, threads) for threads in (*THREADS, 256, None)]
    assert len({result.code for result in results}) == 1


def test_the_pool_is_bounded() -> None:
    way_in = verifier("Ed25519", cache=None)
    texts = [token("Ed25519", n=number) for number in range(600)]
    callers = [threading.Thread(target=way_in.verify_batch, args=(texts, 4)) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert way_in.stats()["verdicts"]["accepted"] == 3600
    names = [thread.name for thread in threading.enumerate() if thread.name.removeprefix("jotgate-").isdigit()]
    assert len(names) == len(set(names)) <= 16


# -- errors within


class Primitive:
    """Stands where a public key of `cryptography` stands."""

    def __init__(self, behaviour: Callable[..., Any]) -> None:
        self.verify = behaviour


def with_primitive(behaviour: Callable[..., Any]) -> Verifier:
    way_in = verifier("Ed25519")
    handle = KeyHandle(ALGORITHM_NUMBERS["Ed25519"], None, (Primitive(behaviour),), SIGNATURE_BYTES["Ed25519"])
    way_in._bind(Binding(policy("Ed25519")._compiled, KeyTable([handle])))
    return way_in


def unsigned(count: int) -> list[str]:
    head = b64u(dumps(header("Ed25519")))
    return [f"{head}.{b64u(dumps(claims(n=number)))}.{b64u(bytes(64))}" for number in range(count)]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("error", [RuntimeError, MemoryError, RecursionError, OSError, StopIteration, BaseException])
def test_a_primitive_that_breaks_leaves_undecided(
    threads: int, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda report: reports.append(str(report.exc_value)))

    def sometimes(_: bytes, data: bytes) -> None:
        if data in broken:
            raise error("inside a primitive")

    texts = unsigned(200)
    broken = {text.rpartition(".")[0].encode() for text in texts[::2]}
    way_in = with_primitive(sometimes)
    batch = way_in.verify_batch(texts, threads)
    assert batch.code == ("undecided", "accepted") * 100
    assert (batch.accepted, batch.rejected, batch.undecided) == (100, 0, 100)
    assert type(batch[0]) is errors.UndecidedError
    assert set(reports) == {f"Ed25519: checking a signature failed with {error.__name__}"}
    assert way_in.verify_batch(texts[::2], threads).undecided == 100


@pytest.mark.parametrize("threads", THREADS)
def test_an_interrupt_within_a_primitive_is_raised(threads: int) -> None:
    begun = threading.Event()

    def interrupted(*_: Any) -> None:
        if threading.current_thread() is not threading.main_thread():  # the interpreter interrupts no other
            assert begun.wait(10)
            return
        begun.set()
        raise KeyboardInterrupt

    way_in = with_primitive(interrupted)
    with pytest.raises(KeyboardInterrupt):
        way_in.verify_batch(unsigned(300), threads)
    assert sum(way_in.stats()["verdicts"].values()) == 0


@pytest.mark.parametrize("answer", [True, 1, "ok", b"", (), object()])
def test_a_primitive_that_answers_anything_but_none_leaves_undecided(answer: Any) -> None:
    assert with_primitive(lambda *_: answer).verify_batch(unsigned(70), threads=2).counts == {"undecided": 70}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_that_is_stopped_leaves_undecided(threads: int) -> None:
    done = []

    def stop(*_: Any) -> None:
        done.append(1)
        if len(done) == 100:
            for thing in gc.get_objects():
                if type(thing) is BatchResult:
                    thing._stop()

    batch = with_primitive(stop).verify_batch(unsigned(300), threads)
    assert 100 <= batch.accepted < 300  # another thread goes on while this one looks for the batch
    assert batch.undecided == 300 - batch.accepted
    assert all(code(result) in ("accepted", "undecided") for result in batch)
    assert {type(result) for result in batch} == {VerifiedToken, errors.UndecidedError}


def test_a_primitive_may_call_back() -> None:
    def call_back(*_: Any) -> None:
        inner.verify_batch(texts, threads=3)

    inner = verifier(cache=None)
    texts = distinct(200)
    assert with_primitive(call_back).verify_batch(unsigned(70), threads=2).accepted == 70
    assert inner.stats()["verdicts"]["accepted"] == 70 * 200


def test_keys_replaced_while_a_batch_runs_do_not_touch_it() -> None:
    def replace(*_: Any) -> None:
        way_in.replace_keys(verification_key("Ed25519"))

    way_in = with_primitive(replace)
    batch = way_in.verify_batch(unsigned(70), threads=2)
    assert batch.accepted == 70
    assert way_in.verify_batch(unsigned(70)).counts == {"bad_signature": 70}
    assert way_in.verify_batch([token("Ed25519")]).accepted == 1


def test_a_verifier_that_was_never_built_decides_nothing() -> None:
    unbuilt = Verifier.__new__(Verifier)
    assert error_of(lambda: unbuilt.verify(token())).code == "undecided"
    rejects("invalid_policy", lambda: unbuilt.verify_batch([token(), ""]))


def test_a_signature_over_other_bytes_is_not_taken_for_a_known_header() -> None:
    """A header that led to a key is remembered by thread; each signature is checked all the same."""
    made = sign("HS256", b"other")
    texts = [token(n=number).rpartition(".")[0] + "." + b64u(made) for number in range(100)]
    assert verifier().verify_batch([token(), *texts]).counts == {"accepted": 1, "bad_signature": 100}

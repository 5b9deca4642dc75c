"""A quick, repeatable slice of the fuzzer; `make fuzz` runs it for longer and from new seeds."""

import pytest
from fuzz.fuzz_verify import Finding, Fuzzer, load_corpus, run
from support import NOW, clock_at, token


@pytest.mark.parametrize("seed", range(4))
def test_a_slice(seed: int) -> None:
    verdicts = run(seed, rounds=8_000)
    # The mutations must get past every step, or they test nothing.
    assert verdicts["accepted"] > 100
    for code in ("malformed", "algorithm_not_allowed", "unknown_key", "bad_signature",
    "unsupported_critical_header",
                 "missing_claim", "wrong_type", "expired", "wrong_issuer"):  # fmt: skip
        assert verdicts[code] > 5, code


def test_the_corpus_is_read() -> None:
    assert len(load_corpus()) >= 20


def test_an_accepted_forgery_would_be_noticed() -> None:
    class Credulous:
        def verify(self, text: object) -> object:
            return text

    fuzzer = Fuzzer(0)
    fuzzer.doors = {"credulous": Credulous()}
    with clock_at(NOW), pytest.raises(Finding, match="nobody signed"):
        fuzzer.judge(token(key=b"x" * 32))


def test_a_foreign_exception_would_be_noticed() -> None:
    class Broken:
        def verify(self, text: object) -> object:
            raise KeyError

    fuzzer = Fuzzer(0)
    fuzzer.doors = {"broken": Broken()}
    with clock_at(NOW), pytest.raises(Finding, match="KeyError"):
        fuzzer.judge("x")


def test_a_batch_that_says_something_else_would_be_noticed() -> None:
    fuzzer = Fuzzer(0)
    with clock_at(NOW):
        said = fuzzer.doors["secret"].verify(token())
        fuzzer.said["secret"] = [(token(), said), (token(key=b"x" * 32), said)]
        with pytest.raises(Finding, match="a batch says"):
            fuzzer.judge_batch("secret")

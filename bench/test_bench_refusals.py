"""What a refusal costs, by reason; raising and catching a bare exception is the floor."""

import ours
import pytest
from timing import refuse_each
from tokens import hostile

from jotgate.errors import JotgateError, MalformedTokenError


def junk(kind: str, good: str, i: int) -> str:
    """Make one string that is no token."""
    if kind == "no_dots":
        return f"{i:08x}" + good.replace(".", "A")
    if kind == "bad_character":
        return f"{good[:-9]}{i:08x}*"
    if kind == "megabyte":
        return "." * (i % 2) + "A" * (1 << 20)
    return ""


@pytest.mark.parametrize("kind", ["no_dots", "bad_character", "empty", "megabyte"])
def test_refusing_junk(kind, corpus_of, per_item):
    corpus = corpus_of("HS256")
    good = corpus.signed[0].text.decode()
    verify = ours.bind("HS256", corpus.key)
    assert verify(good).to_dict() == corpus.signed[0].claims
    with pytest.raises(MalformedTokenError):
        verify(junk(kind, good, 0))
    count = 16 if kind == "megabyte" else 512
    per_item(verify, lambda: [junk(kind, good, i) for i in range(count)], loop=refuse_each)


@pytest.mark.parametrize("reason", ["tampered", "wrong audience", "wrong issuer", "expired"])
def test_refusing_a_twin(reason, corpus_of, per_item):
    corpus = corpus_of("HS256")
    verify = ours.bind("HS256", corpus.key)
    assert verify(corpus.fresh(1)[0]).to_dict() == corpus.signed[0].claims
    twin = corpus.twins[reason]
    with pytest.raises(JotgateError):
        verify(twin.decode())
    per_item(verify, lambda: [twin.decode() for _ in range(512)], loop=refuse_each)


def test_refusing_a_flood(corpus_of, per_item):
    corpus = corpus_of("HS256")
    verify = ours.bind("HS256", corpus.key)
    assert verify(corpus.fresh(1)[0]).to_dict() == corpus.signed[0].claims
    for text in hostile(corpus, 0, 64):
        with pytest.raises(JotgateError):
            verify(text)
    per_item(verify, lambda: list(hostile(corpus, 0, 512)), loop=refuse_each)


def test_floor_of_a_refusal(per_item):
    def refuse(_text):
        raise Exception

    with pytest.raises(Exception, match=r"^$"):
        refuse("")
    per_item(refuse, lambda: [f"{i:08x}" for i in range(512)], loop=refuse_each)

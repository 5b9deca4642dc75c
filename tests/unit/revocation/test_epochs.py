"""Epochs that are counted in a store, by issuer and for all of them."""

import threading

import pytest
from support import ISSUER

from jotgate.revocation.revocations import Revocations
from jotgate.stores.memory import MemoryStore

OTHER = "https://other.example"


@pytest.fixture
def counters():
    """Return the counter of each issuer, and that of all (None), over one store."""
    store = MemoryStore()
    return {name: Revocations(store, issuer=name).epochs for name in (ISSUER, OTHER, None)}


def test_each_issuer_counts_for_itself(counters):
    assert [counters[ISSUER].advance() for _ in range(3)] == [1, 2, 3]
    assert counters[OTHER].advance() == 1
    assert (counters[ISSUER].current(), counters[OTHER].current(), counters[None].current()) == (3, 1, 0)


def test_the_next_epoch_of_every_issuer_is_above_that_of_each(counters):
    """Else it would take nothing back from those who are ahead."""
    for _ in range(5):
        counters[ISSUER].advance()
    assert counters[None].advance() == 6
    assert (counters[ISSUER].current(), counters[OTHER].current()) == (6, 6)
    assert counters[None].advance() == 7


def test_the_next_epoch_of_one_issuer_is_above_that_of_all(counters):
    for _ in range(4):
        counters[None].advance()
    assert counters[ISSUER].advance() == 5
    assert (counters[ISSUER].current(), counters[OTHER].current()) == (5, 4)
    assert counters[None].advance() == 6


def test_no_two_of_those_who_advance_at_once_begin_the_same_epoch(counters):
    for _ in range(3):
        counters[None].advance()
    begun = []
    threads = [
        threading.Thread(target=lambda: begun.extend(counters[ISSUER].advance() for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(begun)) == 200
    assert min(begun) > 3

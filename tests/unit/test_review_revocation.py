"""What a hostile reader of revocation found: each of these was accepted, or refused, or held up what it should not."""

import asyncio
import gc
import sys
import threading

import pytest
from publisher import stopped_monotonic
from store_in_hand import HeldStore
from support import ISSUER, policy, rejects, token, verification_key

from jotgate import Verifier
from jotgate._revoked import RevocationIndex
from jotgate.errors import PolicyError
from jotgate.keys.flight import Flight
from jotgate.revocation.mirror import Mirror, Trust
from jotgate.revocation.revocations import Revocations
from jotgate.stores.memory import MemoryStore
from jotgate.stores.rules import NEVER, Rule

LATER = 4_000_000_000
OTHER = "https://other.example"
EXPECTED = policy("ES256")
pytestmark = pytest.mark.usefixtures("frozen_clock")


def distrusted(key):
    return Rule("key", "", key.thumbprint(), 0, NEVER)


def test_verifiers_that_are_made_at_once_all_hear_of_a_distrusted_key():
    """Two that entered themselves at the same moment: one was overwritten, and trusted the key for ever."""
    index = RevocationIndex()
    key = verification_key("ES256")
    made: list[Verifier] = []
    barrier = threading.Barrier(8)

    def make() -> None:
        barrier.wait()
        made.extend(Verifier(key, EXPECTED, revocations=index) for _ in range(40))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=make) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    index.merge([distrusted(key)])
    text = token("ES256")
    for each in made:
        rejects("revoked", lambda each=each: each.verify(text))


@pytest.mark.parametrize("issuer", [None, ISSUER])
def test_the_next_epoch_is_above_what_the_index_knows_and_the_store_has_lost(issuer):
    """The store was flushed: it counted from 1 again, mirrors gave it back 3, and nothing had been taken back."""
    store = HeldStore()
    revocations = Revocations(store, issuer=issuer)
    for _ in range(3):
        revocations.epochs.advance()
    store.forget()
    assert revocations.epochs.advance() == 4
    store.forget()
    other = OTHER if issuer else ISSUER
    revocations.index.merge([Rule("epoch", other, "", 9, NEVER)])
    assert revocations.epochs.advance() == (5 if issuer else 10)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("sub", ISSUER, "a" * 2**20, 1, LATER),
        Rule("epoch", ISSUER, "a", 1, NEVER),
        Rule("epoch", ISSUER, "", 10**15 + 1, NEVER),
    ],
    ids=lambda rule: repr(rule)[:60],
)
def test_no_store_keeps_a_rule_that_mirrors_cannot_read(rule):
    """One such rule, and no mirror of the store took in another one."""
    store = MemoryStore()
    assert rejects("invalid_policy", lambda: store.write([rule])).__class__ is PolicyError
    assert [list(portion) for portion in store.snapshot().rules] == []


def test_many_changes_at_once_are_taken_in_a_few_at_a_time():
    """Of a million at once, nobody else in the process could do anything for seconds."""
    sizes = []

    class Index:
        generation = 0

        def merge(self, rules, mark=0):
            sizes.append(len(rules))

        def vouch_until(self, moment):
            pass

        def mark_snapshot(self):
            return 1

        def unmarked(self, mark, at_most):
            return iter(())

        def sweep(self):
            return 0

    store = HeldStore()
    mirror = Mirror(store, Index(), Trust(10.0, 0.0))
    mirror._thread = threading.current_thread()
    assert mirror.step() == 0
    store.write([Rule("jti", "", str(number), 0, LATER) for number in range(5_001)])
    sizes.clear()
    assert mirror.step() == 0
    assert (sum(sizes), max(sizes)) == (5_001, 500)


def test_an_index_that_its_feed_has_left_serves_no_verifier():
    """Nobody brought it news, and by accept_until_exp it was good for ever."""
    revocations = Revocations(MemoryStore(), on_stale="accept_until_exp")
    index = revocations.index
    index.vouch_until(None)
    del revocations
    gc.collect()
    assert index.feed is None
    with pytest.raises(PolicyError) as caught:
        Verifier(verification_key("ES256"), EXPECTED, revocations=index)
    assert caught.value.code == "invalid_policy"


def test_warming_up_fails_while_the_store_has_been_silent_for_too_long():
    """It had once answered, and that was taken for an answer."""
    store = HeldStore()
    with stopped_monotonic() as monotonic, Revocations(store, on_stale="refuse", max_lag=2.0) as revocations:
        revocations.warm()
        store.stop()
        monotonic.forward(60)
        assert not revocations.ready
        rejects("store_unavailable", revocations.warm)
        rejects("store_unavailable", lambda: asyncio.run(revocations.warm_async()))
        store.resume()
        revocations.close()
        revocations.warm()
        assert revocations.ready


def test_the_store_is_heard_while_it_is_given_back_what_it_lost():
    """With a million rules that takes half a minute: for most of it honest tokens were refused."""
    with stopped_monotonic() as monotonic:
        store = HeldStore()
        index = RevocationIndex()
        mirror = Mirror(store, index, Trust(2.0, 0.0))
        mirror._thread = threading.current_thread()
        store.write([Rule("jti", "", str(number), 0, LATER) for number in range(10_000)])
        mirror.step()
        store.forget()

        class Slow(MemoryStore):
            def write(self, rules):
                monotonic.forward(0.3)
                super().write(rules)

        store.inner = Slow()
        steps = 0
        while len(store.names()) < 10_000:
            assert mirror.step() == 0
            assert mirror.lag < 1
            steps += 1
        assert 1 < steps < 64
        assert mirror.counts["written_back"] == 10_000


def test_who_waited_in_vain_leaves_nothing_behind():
    """While a store hung, each request in an event loop left a future that was kept until the store answered."""
    flight = Flight()

    async def wait() -> None:
        assert await flight.wait_async(0.001) is None
        waiting = asyncio.ensure_future(flight.wait_async(60))
        await asyncio.sleep(0)
        assert len(flight._loops) == 1
        waiting.cancel()
        await asyncio.wait([waiting])

    asyncio.run(wait())
    assert len(flight._loops) == 0

"""Indexes, their feeds, and what is asked of them leave nothing behind."""

import asyncio
from typing import Any

from measure import assert_steady
from support import NOW, clock_at, outcome, signing_key, token, verification_key, verifier

from jotgate import KeySet, Verifier, _clock
from jotgate._revoked import RevocationIndex
from jotgate.errors import StoreUnavailableError
from jotgate.keys.feed import Watched


class Rules(Watched):
    def __init__(self) -> None:
        super().__init__()
        self.index = RevocationIndex(self)  # type: ignore[arg-type]
        self.answer: Any = True

    def _newer(self, seen: None, want: str) -> Any:
        return self.answer

    async def _newer_async(self, seen: None, want: str) -> Any:
        return self.answer

    def _asked_now(self) -> None:
        if not self.answer:
            raise StoreUnavailableError("down", "store_unavailable")


with clock_at(NOW):
    number = 0

    def grow_and_shrink() -> None:
        global number
        number += 1
        lasting.merge([("jti", "", f"{number}-{n}", 0, NOW) for n in range(20)])
        lasting.merge([("sub", f"i{number % 50}", "s", number, NOW), ("epoch", "", "", number, NOW)])
        list(lasting.unmarked(lasting.mark_snapshot(), 7))
        _clock.set_wall_clock_for_tests((NOW + 600) * 1_000_000_000)
        lasting.sweep()
        _clock.set_wall_clock_for_tests(NOW * 1_000_000_000)

    lasting = RevocationIndex()
    assert_steady("rules that come and go", grow_and_shrink, 5_000)

    def born_and_gone() -> None:
        rules = Rules()
        rules.index.merge([("jti", "i", "a", 0, NOW), ("key", "", "t", 0, NOW)])
        way_in = verifier(revocations=rules, cache=None)
        assert outcome(lambda: way_in.verify(text)) is not None

    text = token(jti="a", sid="s", epoch=4)
    assert_steady("indexes and feeds", born_and_gone, 2_000)

    for answer in (True, False, None):
        rules = Rules()
        rules.answer = answer
        way_in = verifier(revocations=rules)
        for until in (0, None):
            rules.index.vouch_until(until)
            for epoch in (None, 3):
                if epoch is not None:
                    rules.index.merge([("epoch", "", "", epoch, NOW)])

                def ask(way_in: Verifier = way_in) -> None:
                    outcome(lambda: way_in.verify(text))
                    outcome(lambda: way_in.verify(text, fresh=True))
                    way_in.verify_batch([text])

                assert_steady(f"asking a feed that answers {answer}", ask, 2_000)
    loop = asyncio.new_event_loop()
    assert_steady(
        "asking without waiting",
        lambda: outcome(lambda: loop.run_until_complete(way_in.verify_async(text, fresh=True))),
        1_000,
    )
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()

    keys = [KeySet([signing_key("HS256", kid=kid).public()]) for kid in "ab"]
    index = RevocationIndex()
    index.merge([("key", "", verification_key("HS256").thumbprint(), 0, NOW)])
    turning = Verifier(keys[0], way_in._policy, revocations=index)

    def turn() -> None:
        for each in keys:
            turning.replace_keys(each)
            assert outcome(lambda: turning.verify(text)) is not None

    assert_steady("distrusted keys that come back", turn, 1_000)

    def refuse_rules() -> None:
        for wrong in (("jti", "", "a", -1, 0), ("x",), None):
            try:
                index.merge([("jti", "", "a", 0, NOW), wrong])  # type: ignore[list-item]
            except (TypeError, ValueError):
                continue
            raise AssertionError

    assert_steady("rules that cannot be read", refuse_rules, 2_000)

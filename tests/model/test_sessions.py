"""A session beside a simple oracle: old, current, forged and future tokens, time, log-outs, failures, two managers.

The oracle keeps what a session is in words: which token is the newest, when it was made, and whether the session is
over. It knows nothing of records, rules or compare-and-set.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from session_world import OLD_SECRET, SECRET, Stumbling, forged, manager, sid_rule, started
from support import ISSUER, SUBJECT, MovingClock, outcome

from jotgate import _clock, unverified
from jotgate.errors import RefreshError, StoreUnavailableError
from jotgate.stores.memory import MemoryStore
from jotgate.stores.rules import RuleKey
from jotgate.stores.taking_back import before_now, subject_rule

GRACE, IDLE, ABSOLUTE = 30, 3600, 20_000
STEPS = [0.001, 0.5, 1, 29, 30, 31, 600, 3599, 3600, 7200]


class Source:
    """Server secrets that rotate; a process hears of it when it is told."""

    def __init__(self) -> None:
        self.known = {1: OLD_SECRET}

    def current(self) -> tuple[int, bytes]:
        return max(self.known.items())

    def secret(self, version: int) -> bytes | None:
        return self.known.get(version)


class SessionMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.clock = MovingClock()
        self.store = Stumbling(MemoryStore())
        self.sources = [Source(), Source()]
        settings = {"grace": GRACE, "idle_lifetime": IDLE, "absolute_lifetime": ABSOLUTE, "access_lifetime": 600}
        self.managers = [manager(self.store, secrets=source, **settings) for source in self.sources]
        self.log_in()

    def log_in(self) -> None:
        tokens = started(self.managers[0])
        self.session = tokens.session
        self.tokens = [tokens.refresh]  # every genuine one, in order
        self.made_at = self.used_at = self.clock.now
        self.over = False
        self.ends_at = self.clock.now // 1 + ABSOLUTE

    def teardown(self) -> None:
        _clock.set_wall_clock_for_tests(None)
        _clock.set_monotonic_clock_for_tests(None)

    @property
    def expired(self) -> bool:
        return self.clock.now >= min(self.used_at // 1 + IDLE, self.ends_at)

    which = st.integers(0, 1)

    @rule(seconds=st.sampled_from(STEPS))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(which=which)
    def new_secret(self, which: int) -> None:
        self.sources[which].known = {1: OLD_SECRET, 2: SECRET}

    @rule(which=which, age=st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 3, 9]))
    def refresh(self, which: int, age: int) -> None:
        age = min(age, len(self.tokens) - 1)
        token = self.tokens[-1 - age]
        self.present(which, token, age)

    def present(self, which: int, token: str, age: int) -> None:
        if age == 1 and self.sources[which].secret(int(self.tokens[-1][0])) is None and self.would_count(age):
            # This process has not heard of the secret of the successor: it refuses, and changes nothing.
            assert isinstance(outcome(lambda: self.managers[which].refresh(token)), RefreshError)
            return
        known = self.sources[which].secret(int(token[0])) is not None
        error = outcome(lambda: self.take(which, token, age))
        if not known or self.over or self.expired or not self.would_count(age):
            assert isinstance(error, RefreshError), error
            assert error.code == "invalid_grant"
            if known and not self.expired:
                self.over = True
        else:
            assert error is None, error.args

    def would_count(self, age: int) -> bool:
        return not (self.over or self.expired) and (age == 0 or (age == 1 and self.clock.now - self.made_at < GRACE))

    def take(self, which: int, token: str, age: int) -> None:
        tokens = self.managers[which].refresh(token)
        assert tokens.session == self.session
        if age == 0:
            version = self.sources[which].current()
            assert tokens.refresh == forged(self.session, len(self.tokens), version=version[0], secret=version[1])
            self.tokens.append(tokens.refresh)
            self.made_at = self.used_at = self.clock.now
        else:
            assert tokens.refresh == self.tokens[-1], "the same successor"
        # dated ahead where it begins anew after a rule, which only verifiers with revocations allow for
        claims = unverified.peek(tokens.access).claims
        assert claims["sid"] == self.session
        assert self.clock.now < claims["exp"] <= self.ends_at + claims["iat"] - int(self.clock.now)

    @rule(which=which, ahead=st.integers(0, 3))
    def state_was_lost(self, which: int, ahead: int) -> None:
        """A genuine token that the store knows nothing of."""
        version, secret = self.sources[which].current()
        token = forged(self.session, len(self.tokens) + ahead, version=version, secret=secret)
        error = outcome(lambda: self.managers[which].refresh(token))
        assert isinstance(error, RefreshError)
        if not self.over and not self.expired:
            assert error.cause == "state_lost"
            self.over = True

    @rule(which=which, counter=st.integers(0, 5), place=st.integers(0, 200))
    def forge(self, which: int, counter: int, place: int) -> None:
        """What no secret vouches for changes nothing."""
        text = forged(self.session, counter, version=1, secret=bytes(32))
        self.store.arm(None)
        assert isinstance(outcome(lambda: self.managers[which].refresh(text)), RefreshError)
        damaged = self.tokens[-1]
        place %= len(damaged)
        damaged = damaged[:place] + ("A" if damaged[place] != "A" else "B") + damaged[place + 1 :]
        assert isinstance(outcome(lambda: self.managers[which].refresh(damaged)), RefreshError)
        assert self.store.calls == []

    @rule(which=which)
    def log_out(self, which: int) -> None:
        assert self.managers[which].end(self.session) == (not self.over and self.clock.now < self.ends_at + 1500)
        self.over = True

    @rule(which=which)
    def log_out_everywhere(self, which: int) -> None:
        self.managers[which].end_all(SUBJECT)
        self.over = True

    @rule()
    def revoke_the_subject(self) -> None:
        """By somebody who knows nothing of sessions; they find out when they are refreshed."""
        known = self.store.rules([RuleKey("sub", ISSUER, SUBJECT)])
        if known[0] is not None and known[0].value > self.clock.now + 1:
            return  # so many in one second are one
        self.store.write([subject_rule(ISSUER, SUBJECT, before_now(self.store, *known))])
        for which, source in enumerate(self.sources):
            if source.secret(int(self.tokens[-1][0])) is not None:
                assert isinstance(
                    outcome(lambda which=which: self.managers[which].refresh(self.tokens[-1])), RefreshError
                )
                self.over = self.over or not self.expired
                return

    @rule(which=which, step=st.integers(0, 5), after=st.booleans(), age=st.sampled_from([0, 0, 1, 2]))
    def refresh_while_the_store_fails(self, which: int, step: int, after: bool, age: int) -> None:
        """503: then the same token is tried again, within the grace, and the oracle goes on as if nothing had been."""
        age = min(age, len(self.tokens) - 1)
        token = self.tokens[-1 - age]
        if self.sources[which].secret(int(token[0])) is None:
            return None
        before = len(self.tokens)
        self.store.arm(step, after=after)
        error = outcome(lambda: self.managers[which].refresh(token))
        failed = len(self.store.calls) > step
        self.store.arm(None)
        if not failed:
            return self.catch_up(which, token, age, error)
        assert isinstance(error, StoreUnavailableError), error
        again = outcome(lambda: self.managers[which].refresh(token))
        assert len(self.tokens) == before
        return self.catch_up(which, token, age, again)

    def catch_up(self, which: int, token: str, age: int, error: object) -> None:
        """Bring the oracle up to what one call that did not fail has said."""
        if not self.would_count(age) or error is not None:
            if age == 1 and self.would_count(age):
                assert self.sources[which].secret(int(self.tokens[-1][0])) is None
                return
            assert isinstance(error, RefreshError)
            assert not self.would_count(age)
            self.over = self.over or not self.expired
            return
        if age == 0:
            version, secret = self.sources[which].current()
            self.tokens.append(forged(self.session, len(self.tokens), version=version, secret=secret))
            self.made_at = self.used_at = self.clock.now

    @precondition(lambda self: self.over or self.expired)
    @rule()
    def log_in_again(self) -> None:
        self.log_in()

    @invariant()
    def what_is_over_is_announced(self) -> None:
        if hasattr(self, "over") and self.over and self.clock.now < self.ends_at:
            assert sid_rule(self.store, self.session) is not None or self.store.rules(
                [RuleKey("sub", ISSUER, SUBJECT)]
            ) != [None]
            for which in (0, 1):
                assert self.session not in [info.session for info in self.managers[which].sessions(SUBJECT)]

    @invariant()
    def what_lives_is_listed(self) -> None:
        if hasattr(self, "over") and not self.over and not self.expired:
            assert self.session in [info.session for info in self.managers[0].sessions(SUBJECT)]


TestSessions = SessionMachine.TestCase
TestSessions.settings = settings(settings.default, max_examples=120, stateful_step_count=40)

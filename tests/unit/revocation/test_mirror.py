"""The mirror, step by step and without its thread: what it knows, for how long, and what it gives back."""

import threading

import pytest
from publisher import Monotonic, stopped_monotonic
from store_in_hand import HeldStore
from support import NOW, clock_at

from jotgate import VerificationKey
from jotgate._revoked import RevocationIndex
from jotgate.errors import PolicyError, StoreUnavailableError
from jotgate.revocation.mirror import Mirror, Trust
from jotgate.stores.rules import NEVER, Rule

MAX_LAG = 10.0
REFUSE = Trust(MAX_LAG, 0.0)


def jti(name, until=NEVER):
    return Rule("jti", "", name, 0, until)


def names(index):
    return sorted(rule[2] for rule in index.rules())


class Followed:
    """A store, an index and a mirror whose thread is the test itself."""

    def __init__(self, trust=REFUSE):
        self.store = HeldStore()
        self.told = 0
        self.index = RevocationIndex(self)
        self.index._watch(self._tell)
        self.mirror = Mirror(self.store, self.index, trust)
        self.mirror._thread = threading.current_thread()

    def _tell(self):
        self.told += 1

    @property
    def usable(self):
        return self.index.usable


@pytest.fixture
def monotonic():
    with stopped_monotonic() as clock:
        yield clock


@pytest.fixture
def followed(monotonic: Monotonic) -> Followed:
    return Followed()


def test_nothing_is_known_before_the_first_snapshot(followed):
    assert not followed.usable
    assert followed.mirror.lag is None
    followed.store.stop()
    assert followed.mirror.step() > 0
    assert not followed.usable


def test_it_takes_in_what_is_there_and_what_comes(followed):
    followed.store.write([jti("a"), jti("b")])
    assert followed.mirror.step() == 0
    assert names(followed.index) == ["a", "b"]
    followed.store.write([jti("c")])
    followed.mirror.step()
    assert names(followed.index) == ["a", "b", "c"]
    assert followed.mirror.counts["snapshots"] == 1


def test_a_silent_store_is_trusted_for_max_lag_and_no_longer(followed, monotonic):
    followed.mirror.step()
    followed.store.stop()
    monotonic.forward(MAX_LAG - 0.001)
    followed.mirror.step()
    assert followed.usable
    assert followed.mirror.lag == pytest.approx(MAX_LAG - 0.001)
    monotonic.forward(0.001)
    assert not followed.usable
    followed.store.resume()
    followed.mirror.step()
    assert followed.usable
    assert followed.mirror.lag == 0


def test_the_lag_counts_from_the_beginning_of_a_question(followed, monotonic):
    followed.mirror.step()
    monotonic.forward(5)
    answer = followed.store.inner.changes

    def slowly(since, wait):
        monotonic.forward(3)
        return answer(since, 0)

    followed.store.changes = slowly
    followed.mirror.step()
    assert followed.mirror.lag == pytest.approx(3)


@pytest.mark.parametrize(("trust", "last"), [(Trust(MAX_LAG, 60.0), 70.0), (Trust(MAX_LAG, None), None)])
def test_the_operator_may_trust_it_longer(monotonic, trust, last):
    followed = Followed(trust)
    monotonic.forward(100)
    followed.mirror.step()
    followed.store.stop()
    monotonic.forward(69.999 if last else 10**6)
    followed.mirror.step()
    assert followed.usable
    if last:
        monotonic.forward(0.001)
        assert not followed.usable


@pytest.mark.parametrize("trust", [REFUSE, Trust(MAX_LAG, 60.0), Trust(MAX_LAG, None)])
def test_under_no_decision_is_anything_known_before_a_complete_snapshot(monotonic, trust):
    followed = Followed(trust)
    followed.store.write([jti("a"), jti("b")])

    def torn():
        snapshot = followed.store.inner.snapshot()

        def portions():
            yield next(snapshot.rules)[:1]
            raise StoreUnavailableError("in the middle")

        return snapshot._replace(rules=portions())

    followed.store.snapshot = torn
    assert followed.mirror.step() > 0
    assert not followed.usable
    del followed.store.snapshot
    followed.mirror.step()
    assert followed.usable


def test_what_the_store_lost_is_given_back(followed):
    key = VerificationKey.from_secret(b"0123456789abcdef" * 2, alg="HS256").thumbprint()
    lost = [jti(f"id-{number}") for number in range(1200)]
    lost += [Rule("sub", "iss", "alice", 1_700_000_000, NEVER), Rule("sid", "", "s", NEVER, NEVER)]
    lost += [Rule("key", "", key, 0, NEVER), Rule("epoch", "iss", "", 7, NEVER)]
    followed.store.write(lost)
    followed.mirror.step()
    followed.store.forget()
    followed.store.write([jti("new"), Rule("epoch", "iss", "", 1, NEVER)])
    followed.mirror.step()
    there = {rule for portion in followed.store.inner.snapshot().rules for rule in portion}
    assert there == {*lost, jti("new")}
    assert names(followed.index).count("new") == 1
    assert followed.mirror.counts["written_back"] == len(lost)
    assert followed.usable


def test_giving_back_goes_on_where_it_was_cut_off(followed):
    followed.store.write([jti(f"id-{number}") for number in range(1200)])
    followed.mirror.step()
    followed.store.forget()
    write = followed.store.inner.write
    written = []

    def once(rules):
        if written:
            raise StoreUnavailableError("in the middle")
        written.extend(rules)
        write(rules)

    followed.store.write = once
    assert followed.mirror.step() > 0
    assert followed.usable, "what was taken back is known all the same"
    assert 0 < len(written) < 1200
    del followed.store.write
    followed.mirror.step()
    assert len(followed.store.names()) == 1200


def test_what_was_lost_is_said_in_the_log(followed, caplog):
    followed.store.write([jti("a")])
    followed.mirror.step()
    followed.store.forget()
    followed.mirror.step()
    assert [record.getMessage() for record in caplog.records if record.name == "jotgate.revocation"] == [
        "the store has lost what was taken back: rules were written to it again"
    ]


def test_a_store_that_lost_nothing_is_given_nothing(followed):
    followed.store.write([jti("a")])
    followed.mirror.step()
    followed.mirror._position = followed.mirror._position._replace(mark="another history")
    followed.store.calls.clear()
    followed.mirror.step()
    assert followed.mirror.counts == {"snapshots": 2, "written_back": 0, "failures": 0}
    assert "write" not in followed.store.calls


def test_an_index_only_grows(followed):
    followed.store.write([Rule("sub", "", "alice", 100, NEVER)])
    followed.mirror.step()
    followed.store.forget()
    followed.store.write([Rule("sub", "", "alice", 50, NEVER)])
    followed.mirror.step()
    assert list(followed.store.inner.snapshot().rules) == [[Rule("sub", "", "alice", 100, NEVER)]]


def test_a_distrusted_key_is_told_of_once(followed):
    followed.mirror.step()
    assert followed.told == 0
    followed.store.write([Rule("key", "", "thumbprint", 0, NEVER)])
    followed.mirror.step()
    followed.mirror.step()
    assert followed.told == 1
    assert "thumbprint" in followed.index.distrusted


# -- asking on the request path


def test_asking_brings_what_was_written_a_moment_ago(followed):
    followed.mirror.step()
    followed.store.write([jti("a")])
    followed.mirror.ask()
    assert names(followed.index) == ["a"]


def test_asking_a_store_that_does_not_answer_is_an_error(followed):
    followed.mirror.step()
    followed.store.stop()
    with pytest.raises(StoreUnavailableError) as caught:
        followed.mirror.ask()
    assert caught.value.code == "store_unavailable"


def test_asking_while_everything_must_be_read_anew_is_an_error_and_hurries(followed):
    followed.mirror.step()
    followed.store.forget()
    with pytest.raises(StoreUnavailableError):
        followed.mirror.ask()
    assert followed.mirror._bell.is_set()
    followed.mirror.step()
    followed.mirror.ask()


def test_threads_that_ask_at_the_same_time_share_questions(monotonic):
    followed = Followed()
    followed.mirror.step()
    followed.store.timeout = 20
    entered, gate, real = threading.Semaphore(0), threading.Event(), followed.store.inner.changes

    def slowly(since, wait):
        entered.release()
        gate.wait(20)
        monotonic.forward(0.001)
        followed.store.calls.append("changes")
        return real(since, 0)

    followed.store.changes = slowly
    followed.store.calls.clear()
    threads = [threading.Thread(target=followed.mirror.ask) for _ in range(8)]
    threads[0].start()
    entered.acquire()
    monotonic.forward(0.001)  # the others call after its question began
    for thread in threads[1:]:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(20)
    assert followed.store.calls.count("changes") <= 3


def test_tokens_ahead_make_it_ask_ten_times_a_second_at_most(followed, monotonic):
    followed.mirror.step()
    followed.store.calls.clear()
    monotonic.forward(1)
    assert followed.mirror.look_ahead() is False
    for _ in range(50):
        followed.store.write([Rule("epoch", "", "", 1, NEVER)])
        assert followed.mirror.look_ahead() is False, "asked a moment ago"
    assert followed.store.calls.count("changes") == 1
    monotonic.forward(0.1)
    assert followed.mirror.look_ahead() is True
    monotonic.forward(0.1)
    followed.store.stop()
    assert followed.mirror.look_ahead() is None


# -- its thread


def test_what_the_operator_must_mend_is_said_in_the_log_and_in_stats(followed, caplog):
    followed.store.stop(PolicyError("the store evicts"))
    assert followed.mirror.step() > 0
    assert followed.mirror.step() > 0
    assert [record.getMessage() for record in caplog.records if record.name == "jotgate.revocation"] == [
        "the store of what was taken back does not answer: the store evicts"
    ]
    assert followed.mirror.stats()["last_error"] == "the store evicts"
    followed.store.resume()
    followed.mirror.step()
    assert followed.mirror.stats()["last_error"] == ""


def test_an_error_that_is_not_ours_is_logged_without_its_text(followed, caplog):
    followed.store.stop(RuntimeError("a password"))
    assert followed.mirror.step() > 0
    assert "a password" not in caplog.text
    assert "RuntimeError" in followed.mirror.stats()["last_error"]


def test_the_thread_ends_with_the_mirror():
    followed = Followed()
    followed.mirror._thread = None
    followed.mirror.start()
    thread = followed.mirror._thread
    assert followed.mirror.caught_up() is True
    followed.mirror.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert not followed.usable, "nobody follows the store any more"
    assert followed.mirror.caught_up() is True
    followed.mirror.stop()


@pytest.mark.parametrize("error", [MemoryError, SystemExit, RuntimeError])
@pytest.mark.parametrize("place", ["sweep", "log", "store"])
def test_nothing_ends_the_thread_but_its_owner(monkeypatch, error, place):
    followed = Followed()
    failed = threading.Event()

    def fail(*_):
        failed.set()
        raise error

    if place == "sweep":
        monkeypatch.setattr(Mirror, "_sweep", fail)
    elif place == "log":
        monkeypatch.setattr("jotgate.revocation.mirror.report", fail)
        followed.store.stop(ValueError())
    else:
        followed.store.stop(error())
        followed.store._called = fail
    followed.mirror._thread = None
    followed.mirror.start()
    thread = followed.mirror._thread
    assert failed.wait(20)
    thread.join(0.1)
    assert thread.is_alive()
    monkeypatch.undo()
    followed.store.__dict__.pop("_called", None)
    followed.store.resume()
    followed.store.write([jti("a")])
    end = threading.Event()
    for _ in range(400):
        if names(followed.index) == ["a"]:
            break
        end.wait(0.05)
    assert names(followed.index) == ["a"]
    followed.mirror.stop()


def test_a_thread_that_could_not_begin_is_begun_again(monkeypatch):
    followed = Followed()
    followed.mirror._thread = None
    with monkeypatch.context() as patched:

        def fail(_):
            raise MemoryError

        patched.setattr(threading.Thread, "start", fail)
        assert followed.mirror.caught_up() is None
    assert followed.mirror.caught_up() is True
    followed.mirror.stop()


def test_a_name_that_no_token_can_have_does_not_keep_the_others_from_being_known(followed):
    followed.mirror.step()
    followed.store.write([Rule("sub", "", "\ud800", NOW, NEVER), Rule("sub", "\udfff", "x", NOW, NEVER), jti("a")])
    assert followed.mirror.step() == 0
    assert names(followed.index) == ["a"]
    followed.store.forget()
    followed.store.write([jti("\ud800"), jti("b")])
    assert followed.mirror.step() == 0
    assert names(followed.index) == ["a", "b"]


def test_what_a_clock_that_was_ahead_had_let_go_of_is_read_again(followed):
    with clock_at(NOW):
        followed.mirror.step()
        followed.mirror.step()
    with clock_at(NOW + 10 * 86_400):
        followed.store.write([jti("a", NOW + 86_400)])
        followed.mirror.step()
        assert names(followed.index) == [], "it has run out"
    with clock_at(NOW + 1):
        followed.mirror.step()
        assert names(followed.index) == ["a"]
        followed.mirror.step()
        assert followed.mirror.counts["snapshots"] == 2


@pytest.mark.parametrize("error", [PolicyError("the store evicts"), RuntimeError("a secret")])
def test_what_a_store_raises_while_a_token_is_ahead_is_no_verdict(followed, monotonic, caplog, error):
    followed.mirror.step()
    monotonic.forward(1)
    followed.store.stop(error)
    assert followed.mirror.look_ahead() is None
    assert "a secret" not in caplog.text


def test_a_loss_is_told_once_however_long_it_takes_to_give_it_back(followed, monotonic, caplog):
    followed.store.write([jti(f"id-{number}") for number in range(1200)])
    followed.mirror.step()
    followed.store.forget()
    write = followed.store.inner.write

    def slowly(rules):
        monotonic.forward(1)
        write(rules)

    followed.store.write = slowly
    for _ in range(200):
        followed.mirror.step()
    assert len(followed.store.names()) == 1200
    assert [record.getMessage() for record in caplog.records if record.name == "jotgate.revocation"] == [
        "the store has lost what was taken back: rules were written to it again"
    ]

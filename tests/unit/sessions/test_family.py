"""The one decision about a refresh token, row by row, and the record of a session."""

import json

import pytest
from session_world import SESSION
from support import AUDIENCE, ISSUER, NOW, SUBJECT, error_of

from jotgate.errors import StoreUnavailableError
from jotgate.sessions.family import Family, dump, parse, step

NOW_MS = NOW * 1000
DAY = 86_400

FAMILY = Family(
    issuer=ISSUER, subject=SUBJECT, audience=[AUDIENCE, "other"], client_id="app", scope="a b",
    claims={"x": [1, {"y": None}]},
    started=NOW - 100, epoch=3, absolute_until=NOW + 30 * DAY, idle_until=NOW + 7 * DAY, counter=5, version=2,
    version_before=1, rotated_ms=NOW_MS - 10_000,
)  # fmt: skip


def decided(counter: int, version: int, *, family: Family = FAMILY, now_ms: int = NOW_MS, grace: float = 30.0):
    return step(family, counter, version, now_ms, grace=grace, idle_lifetime=7 * DAY, signing_version=9)


def test_the_current_token_rotates() -> None:
    after, outcome = decided(5, 2, now_ms=NOW_MS + 5)
    assert outcome == "rotated"
    assert after == FAMILY._replace(
        counter=6, version=9, version_before=2, rotated_ms=NOW_MS + 5, idle_until=NOW + 7 * DAY
    )


def test_rotation_does_not_extend_the_absolute_lifetime() -> None:
    late = FAMILY.absolute_until - 100
    after, outcome = decided(5, 2, family=FAMILY._replace(idle_until=late + 1), now_ms=late * 1000)
    assert outcome == "rotated"
    assert after is not None
    assert after.absolute_until == FAMILY.absolute_until == after.idle_until


@pytest.mark.parametrize(
    ("ago_ms", "grace", "outcome"),
    [
        (0, 30, "benign_reuse"), (29_999, 30, "benign_reuse"), (30_000, 30, "recent"), (10**9, 30, "recent"),
        (-29_999, 30, "benign_reuse"), (-30_000, 30, "recent"),
        (0, 0, "recent"), (1, 0, "recent"), (-1, 0, "recent"), (499, 0.5, "benign_reuse"), (500, 0.5, "recent"),
    ],
)  # fmt: skip
def test_the_previous_token_counts_within_the_grace(ago_ms: int, grace: float, outcome: str) -> None:
    family = FAMILY._replace(rotated_ms=NOW_MS - ago_ms)
    after, found = decided(4, 1, family=family, grace=grace)
    assert found == outcome
    assert after == (None if outcome == "benign_reuse" else family.ended("recent"))


@pytest.mark.parametrize("counter", [3, 1, 0])
@pytest.mark.parametrize("version", [1, 2, 9])
def test_older_tokens_end_the_family_at_once(counter: int, version: int) -> None:
    assert decided(counter, version) == (FAMILY.ended("stale_lineage"), "stale_lineage")


@pytest.mark.parametrize("counter", [6, 7, 2**31 - 1])
@pytest.mark.parametrize("version", [1, 2, 9])
def test_a_token_from_the_future_means_that_state_was_lost(counter: int, version: int) -> None:
    assert decided(counter, version) == (FAMILY.ended("state_lost"), "state_lost")


@pytest.mark.parametrize(("counter", "version"), [(5, 1), (5, 3), (4, 2), (4, 3)])
def test_so_does_one_by_another_secret(counter: int, version: int) -> None:
    assert decided(counter, version) == (FAMILY.ended("state_lost"), "state_lost")


@pytest.mark.parametrize("counter", [0, 4, 5, 6])
@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"cause": "log_out"}, "ended"),
        ({"cause": "recent", "announced": True, "idle_until": 0}, "ended"),
        ({"absolute_until": NOW, "idle_until": NOW}, "expired"),
        ({"idle_until": NOW}, "idle_expired"),
    ],
)
def test_what_is_over_stays_as_it_is(counter: int, change: dict, outcome: str) -> None:
    assert decided(counter, 2, family=FAMILY._replace(**change)) == (None, outcome)


def test_a_lifetime_ends_at_its_second() -> None:
    family = FAMILY._replace(idle_until=NOW + 1, absolute_until=NOW + 2)
    assert decided(5, 2, family=family, now_ms=NOW_MS + 999)[1] == "rotated"
    assert decided(5, 2, family=family, now_ms=NOW_MS + 1000)[1] == "idle_expired"
    assert decided(5, 2, family=family, now_ms=NOW_MS + 2000)[1] == "expired"


def test_ending_keeps_everything_else() -> None:
    assert FAMILY.ended("log_out") == FAMILY._replace(cause="log_out", announced=False)


@pytest.mark.parametrize(
    "family",
    [FAMILY, FAMILY.ended("x")._replace(announced=True), FAMILY._replace(audience="a", client_id=None, scope=None)],
)
def test_a_record_is_read_as_it_was_written(family: Family) -> None:
    assert parse(dump(family)) == family


def broken_records() -> list[bytes]:
    members = json.loads(dump(FAMILY))
    changes = [
        {"counter": "5"}, {"counter": True}, {"counter": None}, {"announced": 1}, {"claims": []}, {"audience": None},
        {"subject": 7}, {"jotgate_session": 2}, {"more": 1},
    ]  # fmt: skip
    texts = [json.dumps(members | change).encode() for change in changes]
    texts += [json.dumps({name: value for name, value in members.items() if name != gone}).encode() for gone in members]
    return [*texts, b"", b"{", b"[]", b"null", b"7", b"\xff", dump(FAMILY)[:-1]]


@pytest.mark.parametrize("number", range(len(broken_records())))
def test_a_record_that_cannot_be_read_decides_nothing(number: int) -> None:
    error = error_of(lambda: parse(broken_records()[number]))
    assert (type(error), error.code) == (StoreUnavailableError, "store_unavailable")
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_a_repr_shows_nobody() -> None:
    assert SUBJECT not in repr(FAMILY)
    assert SESSION not in repr(FAMILY)

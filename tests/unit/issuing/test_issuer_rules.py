"""Tokens of a session, and tokens that are dated by what was taken back."""

import json
from typing import Any

import pytest
from support import AUDIENCE, ISSUER, NOW, SUBJECT, clock_at, error_of, policy, signing_key, unb64u, verification_key

from jotgate import Issuer, Verifier
from jotgate._revoked import RevocationIndex
from jotgate.errors import PolicyError, StoreUnavailableError
from jotgate.stores.rules import NEVER

pytestmark = pytest.mark.usefixtures("frozen_clock")


def claims(text: str) -> dict[str, Any]:
    return json.loads(unb64u(text.split(".")[1]))


class Rules:
    """Says from when on tokens may be dated."""

    def __init__(self, answer: Any = 0) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str | None]] = []

    def valid_from(self, subject: str, session: str | None) -> int:
        self.asked.append((subject, session))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer


def issuer(rules: Any = None, **options: Any) -> Issuer:
    return Issuer(ISSUER, signing_key("HS256"), policy=policy(**options), revocations=rules)


def refused(code: str, run: Any, claim: str | None = None) -> PolicyError:
    error = error_of(run)
    assert (type(error), error.code, error.claim) == (PolicyError, code, claim)
    return error


def test_a_session_is_written_as_sid() -> None:
    text = issuer().issue(SUBJECT, AUDIENCE, session="s-1")
    assert claims(text)["sid"] == "s-1"
    assert "sid" not in claims(issuer().issue(SUBJECT, AUDIENCE))
    for wrong in ("", b"s", 5):
        refused("invalid_policy", lambda wrong=wrong: issuer().issue(SUBJECT, AUDIENCE, session=wrong))
        refused("invalid_policy", lambda wrong=wrong: issuer(Rules()).issue(SUBJECT, AUDIENCE, session=wrong))
    refused("invalid_policy", lambda: issuer().issue(SUBJECT, AUDIENCE, {"sid": "s"}), "sid")
    refused("missing_claim", lambda: issuer(require=["sid"]).issue(SUBJECT, AUDIENCE), "sid")
    assert issuer(require=["sid"]).issue(SUBJECT, AUDIENCE, session="s")


def test_whoever_is_asked_is_asked_for_each_token() -> None:
    rules = Rules()
    own = issuer(rules)
    own.issue("a", AUDIENCE)
    own.issue("b", AUDIENCE, session="s")
    assert rules.asked == [("a", None), ("b", "s")]
    refused("invalid_policy", lambda: own.issue("", AUDIENCE))
    assert len(rules.asked) == 2
    refused("invalid_policy", lambda: issuer(object()))


@pytest.mark.parametrize(
    ("floor", "iat"), [(0, NOW), (NOW - 5, NOW), (NOW, NOW), (NOW + 1, NOW + 1), (NOW + 2, NOW + 2)]
)
def test_a_token_is_dated_from_when_on_it_counts(floor: int, iat: int) -> None:
    with clock_at(NOW, 999_999_999):
        text = issuer(Rules(floor)).issue(SUBJECT, AUDIENCE, lifetime=900, not_before=True)
    assert (claims(text)["iat"], claims(text)["exp"], claims(text)["nbf"]) == (iat, iat + 900, iat - 5)


def test_the_moment_is_read_before_the_rules() -> None:
    """A rule that is written after they were asked has a later T, and so refuses the token."""

    def slowly() -> int:
        clock.__enter__()
        return 0

    clock = clock_at(NOW + 10)
    with clock_at(NOW):
        text = issuer(Rules(slowly)).issue(SUBJECT, AUDIENCE)
        clock.__exit__(None, None, None)
    assert claims(text)["iat"] == NOW


def test_what_is_over_gets_no_token() -> None:
    for over in (NEVER, NEVER + 1):
        error = refused("revoked", lambda over=over: issuer(Rules(over)).issue(SUBJECT, AUDIENCE, session="s"), "sid")
        assert "the session is over" in str(error)
    error = refused("revoked", lambda: issuer(Rules(NOW + 3)).issue(SUBJECT, AUDIENCE), "iat")
    assert "clocks" in str(error)


@pytest.mark.parametrize("error", [StoreUnavailableError("down", "store_unavailable"), RuntimeError("a password")])
def test_a_store_that_does_not_answer_issues_nothing(error: Exception) -> None:
    raised = error_of(lambda: issuer(Rules(error)).issue(SUBJECT, AUDIENCE))
    assert (type(raised), raised.code, "password" in str(raised)) == (StoreUnavailableError, "store_unavailable", False)
    for wrong in (None, 1.5, True, "1"):
        refused("invalid_policy", lambda wrong=wrong: issuer(Rules(wrong)).issue(SUBJECT, AUDIENCE))


def test_the_token_after_the_others_were_taken_back_is_accepted_at_once() -> None:
    index = RevocationIndex()
    way_in = Verifier(verification_key("HS256"), policy(), revocations=index)
    before = issuer().issue(SUBJECT, AUDIENCE)
    assert way_in.verify(before)
    moment = NOW + 1
    index.merge([("sub", ISSUER, SUBJECT, moment, NEVER)])
    after = issuer(Rules(moment)).issue(SUBJECT, AUDIENCE)
    assert error_of(lambda: way_in.verify(before)).code == "revoked"
    assert way_in.verify(after)
    assert error_of(lambda: way_in.verify(issuer().issue(SUBJECT, AUDIENCE))).code == "revoked"


def test_whoever_did_the_look_up_says_when() -> None:
    own = issuer()
    text = own._issue_from(
        (NOW - 3) * 1_000_000_000, NOW - 2, SUBJECT, AUDIENCE, {"a": 1}, 60, client_id="c", not_before=True, session="s"
    )
    found = claims(text)
    assert (found["iat"], found["exp"], found["nbf"]) == (NOW - 2, NOW + 58, NOW - 7)
    assert (found["sid"], found["client_id"], found["a"]) == ("s", "c", 1)

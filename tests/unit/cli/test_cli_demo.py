"""`jotgate demo`: every verdict is compared, and one wrong one fails the run."""

import random

import pytest
import support

from jotgate import KeySet, SigningKey, _clock
from jotgate.cli.demo import hostile, population, publisher, trial
from jotgate.keys.fetch import fetch


@pytest.fixture(scope="module")
def outcome():
    """Run the demonstration once, small."""
    return trial.hold(140, 3, progress=None)


@pytest.fixture(autouse=True)
def running_clock(frozen_clock):
    """Keys in motion wait for moments that must come."""
    _clock.set_wall_clock_for_tests(None)


@pytest.fixture
def lived(outcome, monkeypatch):
    """The life of a ring takes seconds: where it is not what a test is about, take the one that was."""
    monkeypatch.setattr(trial, "live", lambda _: outcome.life)


def test_every_verdict_is_the_expected_one(outcome):
    assert outcome.mismatches == []
    assert outcome.ok


def test_keys_in_motion(outcome):
    life = outcome.life
    assert (life.rotations, life.remembered) == (3, 2_000)
    assert set(life.honest) == set(life.after) == {"accepted"}
    assert life.near == {"unknown_key": 2_000}
    assert life.far == {"unknown_key": 2_000}
    assert set(life.forged) == {"unknown_key"}
    assert life.fetches >= 3
    wrong = life._replace(far=life.after)
    assert life.ok
    assert not wrong.ok
    assert not outcome._replace(life=wrong).ok


def test_honest_and_hostile_tokens_of_every_algorithm(outcome):
    lanes = {"HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA", "ML-DSA-44"}
    accepted = [one for one in outcome.judged if one.got == "accepted"]
    assert len(accepted) == 140
    assert {one.trial.lane for one in accepted} == lanes
    assert {one.trial.lane for one in outcome.judged if one.trial.kind != "honest"} == lanes
    assert [row.alg for row in outcome.throughput] == list(population.ALGORITHMS_SHOWN)


def test_every_kind_of_the_table_was_forged(outcome):
    named = [kind for kind, *_ in (*hostile._FORM_KINDS, *hostile._TRUST_KINDS, *hostile.CLAIM_KINDS)]
    assert [kind for kind, *_ in outcome.kinds()] == named
    assert len(set(named)) == len(named) >= 40


def test_every_refusal_that_needs_no_policy_of_its_own_occurs(outcome):
    codes = {code for code, _, _ in outcome.codes()}
    assert codes == {
        "accepted",
        "malformed",
        "too_large",
        "unsupported_critical_header",
        "algorithm_not_allowed",
        "unknown_key",
        "bad_signature",
        "missing_claim",
        "invalid_claim",
        "wrong_type",
        "expired",
        "not_yet_valid",
        "wrong_issuer",
        "wrong_audience",
    }


def test_output(run):
    ran = run("demo", "--tokens", "14")
    assert (ran.code, ran.err) == (0, "")
    assert "published  6 public keys at http://127.0.0.1:" in ran.out
    assert "throughput: cold (each token seen for the first time), one thread, signature included" in ran.out
    assert ran.out.splitlines()[-1].startswith("all ")


def test_json(lived, run):
    shown = run("demo", "--tokens", "14", "--json").json()
    assert shown["ok"] is True
    assert shown["honest_tokens"] == 14
    assert shown["hostile_tokens"] > 1000
    assert shown["mismatches"] == 0
    assert all(row["expected"] == row["got"] for row in shown["verdicts"])
    assert shown["throughput"]


def test_one_wrong_verdict_fails_the_run(lived, run, monkeypatch):
    judge = trial._verdict

    def blind_in_one_eye(verifier, one):
        return "accepted" if one.kind == "expired" and one.lane == "ES384" else judge(verifier, one)

    monkeypatch.setattr(trial, "_verdict", blind_in_one_eye)
    ran = run("demo", "--tokens", "14")
    assert ran.code == 1
    assert "4 of " in ran.out
    assert "ES384, expired: accepted instead of expired" in ran.out


def test_an_error_that_is_none_of_ours_is_a_wrong_verdict():
    class Broken:
        def verify(self, text):
            raise ZeroDivisionError

    one = population.Trial("ES256", "honest", "x", "accepted")
    assert trial._verdict(Broken(), one) == "raised ZeroDivisionError"


def test_refused_honest_tokens_are_reported(lived, run, monkeypatch):
    monkeypatch.setattr(trial, "AUDIENCE", "somebody else")
    ran = run("demo", "--tokens", "140")
    assert ran.code == 1
    assert "honest: wrong_audience instead of accepted" in ran.out
    assert " more\n" in ran.out


def test_algorithms_that_are_not_there_are_named(lived, run, monkeypatch):
    monkeypatch.setattr(population, "ALGORITHMS_SHOWN", ("HS256", "ES256"))
    ran = run("demo", "--tokens", "10")
    assert ran.code == 0
    assert "not on this machine: RS256, PS256, ES384, EdDSA, ML-DSA-44" in ran.out


def test_accepted_with_other_claims_is_a_wrong_verdict():
    token = support.token("HS256", exp=4_000_000_000)
    verifier = support.verifier("HS256")
    one = population.Trial("HS256", "honest", token, "accepted", {"sub": "other"})
    assert trial._verdict(verifier, one) == "accepted with other claims"


def test_the_seed_decides_the_tokens():
    keys = {"HS256": SigningKey.from_secret(b"s" * 32, alg="HS256", kid="k")}
    made = [population.honest(keys, 20, support.NOW, random.Random(seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_sizes_are_those_of_real_tokens():
    keys = {"HS256": SigningKey.generate("HS256")}
    sizes = [len(one.text) for one in population.honest(keys, 400, support.NOW, random.Random(1))]
    assert min(sizes) >= 300
    assert max(sizes) <= 4096
    assert min(sizes) < 500
    assert max(sizes) > 3500


def test_publisher_serves_one_document_on_loopback():
    key = SigningKey.generate("ES256", kid="k")
    with publisher.published(key) as url:
        assert url.startswith("http://127.0.0.1:")
        assert KeySet.from_jwks(fetch(url, {}, 10, allow_http=True).body) is not None
        assert fetch(url.replace("jwks.json", "other"), {}, 10, allow_http=True).status == 404

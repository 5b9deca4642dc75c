"""A slice of the rotation soak; `make soak` runs a minute of it."""

import re
from pathlib import Path

import pytest
from services.rotation_soak import STATES, Soak
from services.soak.plan import CLIENTS, PROCESSES


@pytest.fixture(scope="module")
def soak() -> Soak:
    done = Soak(seconds=12, blackout_at=1.5, seed=1)
    done.run()
    return done


def test_everything_holds_that_must(soak: Soak) -> None:
    assert not soak.failures, soak.summary()
    assert len(PROCESSES) * CLIENTS == 64


def test_the_log_shows_each_state_and_the_recovery_in_each_process(soak: Soak, tmp_path: Path) -> None:
    (tmp_path / "soak.log").write_text(soak.log())
    lines = (tmp_path / "soak.log").read_text().splitlines()
    for name in PROCESSES:
        changes = [line for line in lines if re.match(rf" *[\d.]+ {name} +state ", line)]
        assert {line.rpartition(" ")[2] for line in changes} == set(STATES)
        assert any(re.search(r"state DEAD -> (FRESH|AGING|STALE)$", line) for line in changes), name

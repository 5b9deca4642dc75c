"""Leaks, threads, fork, imports: each script of this directory in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in ("measure", Path(__file__).stem))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(HERE), str(HERE.parent), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", *arguments],
        env=os.environ | {"PYTHONPATH": path, "PYTHONHASHSEED": "random"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_script(script: str) -> None:
    done = run(str(HERE / f"{script}.py"))
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert not done.stderr, done.stderr[-4000:]


def test_every_script_is_run() -> None:
    assert len(SCRIPTS) >= 9


def test_a_leak_would_be_seen() -> None:
    leak = "measure.assert_steady('it', lambda: kept.append(object()), 2_000)"
    done = run("-c", f"import measure; kept = []; {leak}")
    assert done.returncode != 0
    assert "it leaks" in done.stderr

"""The types of the public face, and the stubs against the binaries."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE = [f"jotgate.{path.stem}" for path in sorted((ROOT / "ext" / "jotgate").glob("*.pyx"))]
NOT_PROMISED = [
    # What Cython adds to every module and class.
    r".*\.__test__",
    r".*\.__pyx_capi__",
    r".*\.__(reduce|setstate)_cython__",
    r".*\.__pyx_vtable__",
    # Imports of native modules are names of theirs.
    r".*\.(BY_FAULT|CLAIM_NAMES)",
    # `disjoint_base` is younger than the Python versions the stubs are for.
    r"jotgate\.(_engine\.Engine|_key\.SignatureLane|_shards\.Shards|_lanes\.EVPLane)",
    # Python 3.13 reads the signature of a function without parameters as that of a method.
    r"jotgate\._clock\.(now|wall_ns_now|monotonic_ns_now|thread_ns_now)",
    r"jotgate\._(ecdsa\.count|points\.missing|table_lane\.(disagreements|turn_off))",
    r"jotgate\._lanes\.(library|reason)",
]


def run(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(ROOT / "src"), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}"


def test_the_public_face_has_the_types_it_says() -> None:
    found = run("mypy", "--strict", "--warn-unused-ignores", "--no-error-summary", "tests/typing/public_face.py")
    assert not found, found


def test_the_stubs_describe_the_binaries(tmp_path: Path) -> None:
    pytest.importorskip("mypy.stubtest")
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("\n".join(NOT_PROMISED))
    found = run("mypy.stubtest", *NATIVE, "--allowlist", str(allowed), "--ignore-unused-allowlist", "--concise")
    assert not found, found


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "src" / "jotgate" / "py.typed").exists()
    for module in NATIVE:
        assert (ROOT / "src" / f"{module.replace('.', '/')}.pyi").exists(), module

"""Import time in a fresh interpreter, beside bare start-up and the parts of `cryptography` that we cannot do
without."""

import subprocess
import sys

import pytest

STATEMENTS = {
    "start": "pass",
    "jotgate": "import jotgate",
    "cryptography_rsa_ec": "from cryptography.hazmat.primitives.asymmetric import ec, rsa",
}


@pytest.mark.parametrize("what", STATEMENTS)
def test_import(what, benchmark):
    def run(code: str) -> int:
        return subprocess.run([sys.executable, "-I", "-c", code], check=False, capture_output=True).returncode

    assert run("import jotgate.no_such_module") != 0
    assert benchmark.pedantic(run, args=(STATEMENTS[what],), rounds=15, warmup_rounds=1) == 0

"""The command as a process: entry point, pipes, a real terminal, quick start."""

import os
import subprocess
import sys

import support

ANYBODY = ["--any-issuer", "--any-audience"]


def jotgate(*argv: object, stdin: bytes = b"", environment: dict[str, str] | None = None):
    command = [sys.executable, "-m", "jotgate", *map(str, argv)]
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        timeout=60,
        env=os.environ | (environment or {}),
        check=False,
    )


def test_module_and_exit_code(jwks):
    token = support.compact({"alg": "ES256", "kid": "main"}, support.claims(exp=4_000_000_000), alg="ES256")
    done = jotgate("verify", "--jwks", jwks, *ANYBODY, stdin=token.encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, b'accepted: ES256 kid="main"\n', b"")
    assert jotgate("verify", "--jwks", jwks, *ANYBODY, stdin=b"\xff\x00junk").returncode == 1
    assert jotgate("verify", "--jwks", "nowhere", *ANYBODY, stdin=b"x").returncode == 2


def test_ascii_output_and_closed_input(jwks):
    token = f"{support.b64u(support.dumps({'alg': 'ES256'}))}.{support.b64u(support.dumps({'sub': 'Zoë'}))}.AA"
    done = jotgate("inspect", token, environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0
    assert b"Zo\\xeb" in done.stdout


def test_a_reader_that_leaves_early(jwks, tmp_path):
    path = tmp_path / "tokens"
    path.write_text("junk\n" * 20_000)
    command = [sys.executable, "-m", "jotgate", "verify", "--jwks", jwks, *ANYBODY, "--file", path]
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"1: refused")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_real_terminal(jwks):
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "jotgate", "verify", "--jwks", str(jwks), *ANYBODY, "ju\x1b[31mnk"]
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    try:
        with subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment | {"TERM": "xterm"}
        ) as process:
            process.wait(60)
        shown = os.read(master, 65536).decode()
    finally:
        os.close(master)
        os.close(slave)
    assert process.returncode == 1
    assert shown.startswith("\x1b[31mrefused\x1b[0m: ")
    assert "ju\x1b" not in shown


def test_help_and_usage_errors_load_neither_engine_nor_cryptography():
    script = (
        "import sys; from jotgate.cli import main\n"
        "assert main(['verify', '--help']) == 0\n"
        "assert main(['verify']) == 2\n"
        "heavy = {'cryptography', 'orjson', 'jotgate._engine', 'jotgate.keys'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()

"""`jotgate bench`: what is measured is checked first, and nothing of a key or token comes out."""

import io
import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageColor

from jotgate import Verifier
from jotgate.cli.bench import measure, ours, peers, plot, progress, report, summary, worker, workload
from jotgate.cli.terminal import Screen

QUICK = ("bench", "--seconds", "0.2", "--algorithms", "HS256", "--no-peers")
FAKE = """\
import base64, json, os, sys, warnings
from jotgate import Verifier
from jotgate.cli.bench import ours
from jotgate.cli.bench.worker import Row

print("noise on standard output")
print("noise on standard error", file=sys.stderr)
warnings.warn("noise")

def careful(work):
    verifier = Verifier(ours.verification_key(work.key), ours.policy(work.key), cache=None)
    return {"read": Row(verifier.verify, lambda token: token.to_dict())}

def gullible(work):
    return {"read": Row(lambda text: text, claims_of)}

def claims_of(text):
    payload = text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

def forgetful(work):
    row = careful(work)["read"]
    return {"read": Row(row.call, lambda token: {"sub": token.subject})}

def grumpy(work):
    return {"read": Row(lambda text: 1 / 0, dict)}

def lacking(work):
    raise LookupError("no such algorithm")

def fragile(work):
    os._exit(3)
"""


@pytest.fixture(scope="module")
def hs256() -> workload.Workload:
    """A small workload."""
    return workload.make("HS256", 700, 0)


@pytest.fixture
def peer(monkeypatch, tmp_path):
    """Put one fake library in place of the known ones: `peer("gullible")`."""
    (tmp_path / "fake_jwt.py").write_text(FAKE)
    monkeypatch.syspath_prepend(tmp_path)

    def put(behaviour: str) -> None:
        fake = peers.Peer("pytest", "fake_jwt", f"fake_jwt:{behaviour}")
        monkeypatch.setattr(peers, "PEERS", (fake,))

    return put


def with_peer(run, *options):
    return run("bench", "--seconds", "0.2", "--algorithms", "HS256", *options)


def test_report(run):
    ran = run(*QUICK)
    assert (ran.code, ran.err) == (0, "")
    for row in ("new token  ", "known token  ", "batch  ", "a dict.get of the same strings"):
        assert row in ran.out
    assert "Jotgate: verify, read claims" in ran.out
    assert "Jotgate: 1 thread" in ran.out
    assert "signatures checked by" in ran.out
    assert "libcrypto  " in ran.out
    assert "A known token costs" in ran.out
    assert "Not measured: network" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100
    assert "\x1b" not in ran.out


def test_json(run):
    ran = run(*QUICK, "--json")
    assert (ran.code, ran.err) == (0, "")
    shown = ran.json()
    assert shown["ok"] is True
    assert set(shown) == {
        "ok", "seconds", "machine", "versions", "libcrypto", "terms", "rows", "wrong", "unsupported", "unavailable",
        "failed", "summary",
    }  # fmt: skip
    assert {"Jotgate", "cryptography", "orjson"} <= set(shown["versions"])
    assert shown["machine"]["usable_cores"] >= 1
    for row in shown["rows"]:
        assert row["algorithm"] == "HS256"
        assert row["backend"] in ("cryptography", "libcrypto")
        assert 0 < row["best_us"] <= row["median_us"]
        assert row["rounds"] >= 3
        assert row["ratio"] > 0
    assert {"read", "verify", "hit", "hit_read", "dict", "batch"} == {row["what"] for row in shown["rows"]}
    assert [row["ratio"] for row in shown["rows"] if row["what"] == "read"] == [1.0]
    assert all(0 < row["hits"] <= 1 for row in shown["rows"] if row["what"].startswith("hit"))


@pytest.mark.parametrize(
    "options",
    [
        ["--seconds", "0"],
        ["--seconds", "soon"],
        ["--seconds", "nan"],
        ["--seconds", "100000"],
        ["--token-bytes", "10"],
        ["--token-bytes", "1000000"],
        ["--algorithms", "none"],
        ["--algorithms", "HS256,XX"],
        ["--algorithms", ","],
        ["--algorithms", "HS256", "--all"],
        ["--plot", "bench.pdf"],
        ["--plot", "no/such/directory/bench.svg"],
    ],
)
def test_usage_errors(run, options):
    ran = run("bench", *options)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("jotgate bench: ")
    assert ran.err.count("\n") == 1


def test_a_mistyped_algorithm_is_not_repeated(run):
    assert "eyJhbGciOi" not in run("bench", "--algorithms", "eyJhbGciOi").err


def test_an_installed_library_is_measured(run, peer):
    peer("careful")
    ran = with_peer(run, "--json")
    assert (ran.code, ran.err) == (0, "")
    shown = ran.json()
    assert [row["library"] for row in shown["rows"] if row["library"] not in ("Jotgate", "dict.get")] == ["pytest"]
    assert shown["versions"]["pytest"] == pytest.__version__
    assert any("pytest" in sentence for sentence in shown["summary"])


@pytest.mark.parametrize(
    ("behaviour", "faults"),
    [
        ("gullible", [f"accepts {twin} (read)" for twin in workload.make("HS256", 300, 0).twins]),
        ("forgetful", ["returns other claims (read)"]),
        ("grumpy", ["refuses a good token (read)"]),
    ],
)
def test_wrong_answers_are_named_and_not_timed(run, peer, behaviour, faults):
    peer(behaviour)
    shown = with_peer(run, "--json")
    assert shown.code == 1
    assert shown.json()["ok"] is False
    assert shown.json()["wrong"] == [{"library": "pytest", "algorithm": "HS256", "faults": faults}]
    assert "pytest" not in {row["library"] for row in shown.json()["rows"]}
    told = with_peer(run)
    assert told.code == 1
    assert "wrong answers: pytest, HS256: " in told.out


def test_our_own_wrong_answers_fail_the_run_too(run, monkeypatch, peer):
    peer("grumpy")
    monkeypatch.setattr(measure, "_ADAPTER", "fake_jwt:grumpy")
    ran = run(*QUICK)
    assert ran.code == 1
    assert "wrong answers: Jotgate, HS256: refuses a good token" in ran.out
    assert ran.out.rstrip().endswith("nothing is known about its speed.")


def test_libraries_without_the_algorithm_and_those_that_crash_are_named(run, peer):
    peer("lacking")
    assert with_peer(run, "--json").json()["unsupported"] == {"HS256": ["pytest"]}
    assert "without HS256: pytest" in with_peer(run).out
    peer("fragile")
    ran = with_peer(run, "--json")
    assert ran.code == 0
    assert ran.json()["failed"] == ["pytest"]
    assert "pytest: the process ended" in with_peer(run).out


def test_only_what_is_installed_is_found(monkeypatch):
    known = (
        peers.Peer("pytest", "pytest", ""),
        peers.Peer("no-such-distribution", "pytest", ""),
        peers.Peer("hypothesis", "no_such_module", ""),
    )
    monkeypatch.setattr(peers, "PEERS", known)
    assert peers.installed() == [peers.Installed("pytest", pytest.__version__, "")]


def test_looking_for_libraries_imports_none():
    script = (
        "import sys\nfrom jotgate.cli.bench import peers\npeers.installed()\n"
        "loaded = {peer.module for peer in peers.PEERS} & set(sys.modules)\nassert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_every_adapter_that_is_named_is_there():
    assert all(callable(worker.load(peer.adapter)) for peer in peers.PEERS)


def test_libraries_that_are_here_answer_rightly(hs256):
    """Whatever of the known libraries the environment has; none in the plainest one."""
    for found in peers.installed():
        rows = worker.load(found.adapter)(hs256)
        assert {name: worker.check(row, hs256) for name, row in rows.items()} == {"read": []}


def test_no_key_and_no_token_comes_out(run, monkeypatch, hs256):
    monkeypatch.setattr(workload, "make", lambda *_: hs256)
    for options in ((), ("--json",)):
        ran = run(*QUICK, *options)
        shown = ran.out + ran.err
        secrets = [hs256.key.secret.hex(), *hs256.twins.values(), *(part for t in hs256.texts for part in t.split("."))]
        assert not [secret for secret in secrets if secret in shown]
        assert not re.search(r"eyJ[A-Za-z0-9_-]{8}", shown)


def test_keys_do_not_stand_on_the_workers_command_line(hs256, monkeypatch):
    commands = []
    popen = subprocess.Popen

    def record(command, **settings):
        commands.append(command)
        return popen(command, **settings)

    monkeypatch.setattr("jotgate.cli.bench.process.subprocess.Popen", record)
    library = peers.Installed("Jotgate", "", f"{ours.__name__}:rows")
    with measure.WorkerProcess(library) as process:
        assert process.bind(hs256)["faults"] == {}
    assert not [word for word in commands[0] if hs256.key.secret.hex() in word or "eyJ" in word]


def test_plot(run, tmp_path):
    path = tmp_path / "bench.svg"
    ran = run(*QUICK, "--plot", path)
    assert ran.code == 0
    assert ran.out.endswith(f"wrote {path}\n")
    drawn = "".join(ElementTree.fromstring(path.read_text()).itertext())
    assert "HS256" in drawn
    assert "Jotgate + claims" in drawn


def test_plot_as_png(run, tmp_path):
    path = tmp_path / "bench.png"
    ran = run(*QUICK, "--plot", path)
    assert ran.code == 0
    drawn = Image.open(path)
    assert drawn.format == "PNG"
    assert drawn.width == 2 * plot.WIDTH
    colours = {colour for _, colour in drawn.getcolors(1 << 16)}
    assert ImageColor.getrgb(plot.OURS) in colours


def test_png_without_pillow_says_what_to_do(run, monkeypatch):
    monkeypatch.setattr("jotgate.cli.bench.find_spec", lambda _: None)
    assert "jotgate[plot]" in run(*QUICK, "--plot", "bench.png").err


def test_another_kind_of_plot_is_refused_with_what_to_do(run):
    assert "ends in .svg or .png" in run(*QUICK, "--plot", "bench.pdf").err


def test_a_plot_that_cannot_be_written(run, tmp_path):
    (tmp_path / "taken.svg").mkdir()
    ran = run(*QUICK, "--plot", tmp_path / "taken.svg")
    assert ran.code == 2
    assert "cannot write" in ran.err


@pytest.mark.parametrize("name", workload.NAMES)
def test_workload(name):
    work = workload.make(name, 900, 0)
    assert len(set(work.texts)) == len(work.texts) >= 64
    assert 890 <= work.token_bytes <= 900 or name.startswith("ML-DSA")
    assert workload.Workload.from_json(json.dumps(work.as_json())) == work
    assert not [name for name, row in ours.rows(work).items() if worker.check(row, work)]


def test_a_row_is_about_the_tokens_it_knows(hs256):
    known = dict(zip(hs256.texts[:5], hs256.claims, strict=False))
    assert worker.check(worker.Row(known.get, lambda claims: claims, most=5), hs256) == []
    assert worker.check(worker.Row(known.get, lambda claims: claims), hs256) == ["refuses a good token"]


def test_hits_are_counted(hs256):
    verifier = Verifier(ours.verification_key(hs256.key), ours.policy(hs256.key))
    assert ours._hits(verifier, hs256.texts[:5]) == 1
    without = Verifier(ours.verification_key(hs256.key), ours.policy(hs256.key), cache=None)
    assert ours._hits(without, hs256.texts[:5]) == 0


def figures(**best: float) -> measure.Section:
    names = {"read": 20.0, "verify": 19.0, "hit": 0.1, "hit_read": 0.2, "dict": 0.4, "batch 1": 19.0, "batch 2": 10.0}
    rows = [measure.Figure("Jotgate", "1", name, us, us, None) for name, us in names.items()]
    rows += [measure.Figure(name, "2", "read", us, us, None) for name, us in best.items()]
    return measure.Section("ES256", "cryptography", 700, 50, rows, [])


def found(*sections: measure.Section) -> measure.Findings:
    return measure.Findings([*sections], [], [], [], [], None, None, 1.0)


def test_summary_says_so_where_another_library_is_faster():
    sentences = summary.summary(found(figures(slow=40.0, fast=10.0)))
    assert sentences == [
        "A new token, verified and its claims read, costs 20.0 us (ES256).",
        "Of the other libraries here the fastest takes 0.50 times (ES256, fast) as long as that.",
        "A batch on 2 threads goes at 1.90 times (ES256) the rate of one thread.",
        "A known token costs 0.200 us, its claims read: 0.50 times a dict.get of the same text, 100x less than a new "
        "token and 50.0x less than fast, the fastest other one here (ES256).",
    ]


def test_summary_admits_noise_few_rounds_and_misses():
    section = figures()
    noisy = [each._replace(median=each.best * 2) for each in section.figures]
    noisy = [each._replace(hits=0.994) if each.what == "hit_read" else each for each in noisy]
    sentences = summary.summary(found(section._replace(figures=noisy, rounds=3)))
    assert "up to 2.0 times as long" in sentences[0]
    assert "few rounds" in sentences[0]
    assert "(99.4% of look-ups were hits)" in sentences[-1]


def test_many_algorithms_are_summed_up_by_the_least_and_the_most():
    sections = [figures()._replace(algorithm=f"A{number}") for number in range(5)]
    assert summary.summary(found(*sections))[0] == (
        "A new token, verified and its claims read, costs from 20.0 us (A0) to 20.0 us (A4)."
    )


def test_algorithms_that_are_not_there_are_named(run, monkeypatch):
    from jotgate.errors import InvalidKeyError

    make = workload.make

    def without_es256(name, *rest):
        if name == "ES256":
            raise InvalidKeyError("not here")
        return make(name, *rest)

    monkeypatch.setattr(workload, "make", without_es256)
    ran = run("bench", "--no-peers", "--seconds", "0.2", "--algorithms", "HS256,ES256")
    assert ran.code == 0
    assert "ES256 (an older cryptography or OpenSSL)" in ran.out
    ran = run("bench", "--no-peers", "--seconds", "0.2", "--algorithms", "ES256")
    assert ran.code == 2


def test_plot_shows_what_is_not_supported():
    section = figures(fast=10.0)._replace(unsupported=["lacking"])
    assert "not supported" in report.plot(found(section))
    assert report.plot(found(section._replace(figures=[]))) is None


def test_the_widest_report_fits_100_columns():
    section = figures(**{"python-jose 3.5.0rc1": 1000.0})
    rows = [each._replace(hits=0.9943, best=each.best * 100, median=each.best * 1000) for each in section.figures]
    stream = io.StringIO()
    report.write(Screen(stream), found(section._replace(figures=rows)))
    assert "(99.4% hits)" in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) <= 100


def test_threads_shown():
    assert [ours.thread_counts(cores) for cores in (1, 2, 6, 8)] == [[1], [1, 2], [1, 2, 4, 6], [1, 2, 4, 8]]


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("wanted", "shown"), [(True, True), (False, False)])
def test_progress_only_on_a_terminal_and_gone_at_the_end(monkeypatch, wanted, shown):
    monkeypatch.setenv("TERM", "xterm")
    stream = FakeTerminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress.Progress(wanted=wanted) as bar:
        bar.show(0.5, "HS256: round 2")
        bar.show(0.6, "HS256: round 3")
    assert ("[###############...............] HS256: round 2" in stream.getvalue()) is shown
    assert "round 3" not in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K") is shown


def test_help_and_usage_errors_do_not_load_the_bench():
    script = (
        "import sys; from jotgate.cli import main\n"
        "assert main(['--help']) == 0\n"
        "assert not [name for name in sys.modules if name.startswith('jotgate.cli.bench')]\n"
        "assert main(['bench', '--help']) == 0 and main(['bench', '--seconds', '0']) == 2\n"
        "heavy = {'cryptography', 'orjson', 'jotgate._engine', 'jotgate.cli.bench.measure'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()

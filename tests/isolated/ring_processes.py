"""Several processes on one ring: news within a second, no write lost, forked children on their own."""

import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

from measure import in_child

from jotgate import KeyRing
from jotgate.keys.files import replace_file

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

TIMES = {"publish_ahead": 0.0, "cache_time": 0.0, "allow_short_times": True}
WRITERS, WRITES = 8, 25


def ended(*children: int) -> None:
    for number in children:
        assert os.waitpid(number, 0)[1] == 0


def another_process_is_noticed_within_a_second(path: Path) -> None:
    ring = KeyRing(path, create=True, algorithm="EdDSA", **TIMES)
    for act in ("print(ring.rotate().kid)", "print(ring.compromise(ring.signer().kid).active_kid)"):
        program = f"from jotgate import KeyRing; ring = KeyRing({str(path)!r}); {act}"
        running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        before = ring.signer().kid
        assert running.stdout is not None
        wanted = running.stdout.readline().strip()
        done = time.monotonic()
        while ring.signer().kid != wanted:
            assert time.monotonic() - done < 1, "not noticed"
            time.sleep(0.005)
        assert wanted != before
        print(f"noticed after {time.monotonic() - done:.2f} s")
        assert running.wait() == 0
        running.stdout.close()


def no_write_is_lost(path: Path) -> None:
    ring = KeyRing(path, create=True, algorithm="EdDSA", **TIMES)
    begun = path.parent / "begun"

    def write() -> None:
        with begun.open("a") as log:
            for number in range(WRITES):
                log.write(f"{ring.epochs.advance()}\n")
                if number % 5 == 0:
                    ring.maintain(rotate_every=1e-9)
                assert ring.signer().kid in {key["kid"] for key in ring.jwks()["keys"]}

    ended(*[in_child(write) for _ in range(WRITERS)])
    epochs = sorted(map(int, begun.read_text().split()))
    assert epochs == list(range(1, WRITERS * WRITES + 1)), "two writers began one epoch, or one was lost"
    assert KeyRing(path).epoch == WRITERS * WRITES


def several_make_one_ring(path: Path) -> None:
    ended(*[in_child(lambda: KeyRing(path, create=True, algorithm="EdDSA", **TIMES).signer()) for _ in range(WRITERS)])
    assert len(KeyRing(path).keys) == 2


def a_published_file_is_always_whole(path: Path) -> None:
    """Eight writers of one file, and a reader."""
    contents = [bytes([65 + number]) * 100_000 for number in range(WRITERS)]

    def write(content: bytes) -> None:
        for _ in range(20):
            replace_file(path, content, 0o644)

    replace_file(path, contents[0], 0o644)
    children = [in_child(lambda content=content: write(content)) for content in contents]
    for _ in range(300):
        data = path.read_bytes()
        assert data in contents, "half a file"
    ended(*children)
    assert path.read_bytes() in contents
    assert [each.name for each in path.parent.glob("*jwks*")] == [path.name]


def a_child_of_a_busy_parent_does_not_hang(path: Path) -> None:
    """Forked while other threads of the parent read and write, whose locks it inherits as they are."""
    ring = KeyRing(path, create=True, algorithm="EdDSA", **TIMES)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            ring.epochs.advance()

    def read() -> None:
        while not stop.is_set():
            ring._renew("newer")

    threads = [threading.Thread(target=each) for each in (write, read)]
    for thread in threads:
        thread.start()

    def work() -> None:
        assert ring._renew("usable")
        assert ring.signer().sign(b"x")
        ring.stage()

    try:
        for _ in range(40):
            ended(in_child(work))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert ring.stage()


with tempfile.TemporaryDirectory() as name:
    another_process_is_noticed_within_a_second(Path(name) / "noticed")
    no_write_is_lost(Path(name) / "writers")
    several_make_one_ring(Path(name) / "makers")
    a_published_file_is_always_whole(Path(name) / "jwks.json")
    a_child_of_a_busy_parent_does_not_hang(Path(name) / "forks")

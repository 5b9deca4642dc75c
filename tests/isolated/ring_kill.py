"""SIGKILL at every step of every write to a key ring, and a few hundred times at any moment: nothing is ever half.

After each kill: the manifest is whole, its keys load and sign, everything is 0600, a JWKS file is whole, a key that was
compromised stays out, and the epoch never goes back.
"""

import builtins
import os
import random
import shutil
import signal
import stat
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

from jotgate import KeyRing, KeySet, jws
from jotgate.keys import files

if not hasattr(os, "fork"):
    sys.exit(0)
warnings.simplefilter("ignore", DeprecationWarning)

MOMENTS = 300
TIMES = {
    "publish_ahead": 0.0,
    "cache_time": 0.0,
    "leeway": 0.0,
    "token_lifetime": 0.001,
    "allow_short_times": True,
}
# What a writer does to the disk, at each of which it may die; `write` dies in the middle of the bytes as well.
STEPS = ("open", "fsync", "rename", "mkdir", "unlink", "fchmod", "ftruncate", "close")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """Kills this process at its n-th step."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            die()

    def wrap(self, function: Callable) -> Callable:
        def stepping(*arguments: object, **named: object) -> object:
            self.step()
            return function(*arguments, **named)

        return stepping

    def install(self) -> None:
        for name in STEPS:
            setattr(os, name, self.wrap(getattr(os, name)))

        def opened(descriptor: int, mode: str, *rest: object, **named: object) -> object:
            stream = builtins.open(descriptor, mode, *rest, **named)  # noqa: SIM115
            return HalfWriter(stream, self) if "w" in mode else stream

        files.open = opened


class HalfWriter:
    """Writes the first half of the bytes to the disk before the next step, at which the process may die."""

    def __init__(self, stream: object, countdown: Countdown) -> None:
        self.stream, self.countdown = stream, countdown

    def write(self, data: bytes) -> None:
        half = len(data) // 2
        self.stream.write(data[:half])
        self.stream.flush()
        self.countdown.step()
        self.stream.write(data[half:])

    def flush(self) -> None:
        self.stream.flush()

    def __enter__(self) -> "HalfWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()


def forked(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return child


def killed_at(steps: int, work: Callable[[], object]) -> bool:
    """Run in a child that dies at a step; False if it ended before."""

    def run() -> None:
        Countdown(steps).install()
        work()

    status = os.waitpid(forked(run), 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert status == 0
    return False


class Judge:
    """Looks at a ring after each kill."""

    def __init__(self, path: Path, jwks: Path) -> None:
        self.path, self.jwks = path, jwks
        self.epoch, self.distrusted = 0, set()

    def look(self) -> KeyRing:
        assert stat.S_IMODE(self.path.stat().st_mode) == 0o700
        for file in self.path.iterdir():
            assert stat.S_IMODE(file.lstat().st_mode) & 0o077 == 0, file
        ring = KeyRing(self.path)
        keys = KeySet.from_jwks(ring.jwks())
        text = jws.sign(b"x", ring.signer())
        assert jws.verify(text, keys, algorithms=["EdDSA"]).kid == ring.signer().kid
        for record in ring.keys:
            if record.state in ("active", "next"):
                assert (self.path / f"{record.kid}.pem").exists(), "a private key was lost"
        distrusted = {each.kid for each in ring.distrusted}
        assert distrusted >= self.distrusted, "a compromise was forgotten"
        assert not distrusted & {record.kid for record in ring.keys}, "a distrusted key is back"
        assert ring.epoch >= self.epoch
        assert ring.epoch == len(distrusted), "key and epoch did not change together"
        self.epoch, self.distrusted = ring.epoch, distrusted
        if self.jwks.exists():
            assert stat.S_IMODE(self.jwks.stat().st_mode) == 0o644
            KeySet.from_jwks(self.jwks.read_bytes())
        return ring


def publish(ring: KeyRing, path: Path) -> None:
    import orjson

    files.replace_file(path, orjson.dumps(ring.jwks()), 0o644)


def every_step(directory: Path) -> int:
    path, jwks = directory / "steps", directory / "steps.json"
    kills = steps = 0
    while killed_at(steps, lambda: KeyRing(path, create=True, algorithm="EdDSA", **TIMES)):
        kills, steps = kills + 1, steps + 1
        if (path / "ring.json").exists():
            Judge(path, jwks).look()
        for file in path.iterdir() if path.exists() else ():
            assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0
        if steps % 2:  # every other time the next founder has to clear up
            shutil.rmtree(path, ignore_errors=True)
    judge = Judge(path, jwks)
    judge.look()
    work: dict[str, Callable[[KeyRing], object]] = {
        "rotate": lambda ring: ring.rotate(),
        "stage": lambda ring: ring.stage("EdDSA"),
        "compromise": lambda ring: ring.compromise(ring.signer().kid),
        "maintain": lambda ring: ring.maintain(rotate_every=1e-9),
        "prune": lambda ring: ring.prune(),
        "epoch": lambda ring: ring.reconfigure(leeway=ring.settings.leeway + 0.001),
        "publish": lambda ring: publish(ring, jwks),
    }
    for name, act in work.items():
        steps = 0
        ring = judge.look()
        while killed_at(steps, lambda act=act, ring=ring: act(ring)):
            kills, steps = kills + 1, steps + 1
            ring = judge.look()
        judge.look()
        assert steps >= 3, f"{name} has no steps to die at"
        leftovers = [file.name for file in path.iterdir() if file.suffix == ".tmp"]
        assert len(leftovers) <= 1
    return kills


def any_moment(directory: Path) -> str:
    path, jwks = directory / "moments", directory / "moments.json"
    ring = KeyRing(path, create=True, algorithm="EdDSA", **TIMES)
    judge, chance = Judge(path, jwks), random.Random(4)

    def work() -> None:
        acts = [ring.rotate, ring.stage, ring.prune, lambda: publish(ring, jwks)]
        acts += [lambda: ring.compromise(ring.signer().kid), lambda: ring.maintain(rotate_every=1e-9)]
        while True:
            chance.choice(acts)()

    for moment in range(MOMENTS):
        chance.seed(moment)
        child = forked(work)
        time.sleep(chance.uniform(0.001, 0.03))
        os.kill(child, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        ring = judge.look()
        named = {record.kid for record in ring.keys} | set(ring.undestroyed)
        assert len({file.stem for file in path.glob("*.pem")} - named) <= 2, "leftovers pile up"
        assert len(list(directory.glob(".*.tmp")) + list(path.glob(".*.tmp"))) <= 2
    writes = ring._snapshot.state.sequence
    assert writes > MOMENTS / 10, "the writers did nothing"
    assert judge.epoch > 5
    return f"{MOMENTS}, after {writes} writes and {judge.epoch} compromises"


# In memory, where waiting for the disk takes no time, so that more kills fall into writes.
with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
    began = time.monotonic()
    print("killed at each step:", every_step(Path(name)))
    print("killed at any moment:", any_moment(Path(name)))
    print(f"{time.monotonic() - began:.1f} s")

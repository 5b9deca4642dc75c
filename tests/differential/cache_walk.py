"""A random walk through `cache_world`: python -m tests.differential.cache_walk --steps 1000000"""

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from differential.cache_world import ISSUER, JTIS, OTHER_ISSUER, SECOND, START, World, reset_clock, stopped_clock

STEPS_IN_A_WORLD = 2_500


def step(world: World, chooser: random.Random) -> str:
    """Do one thing; verifying is most of it."""
    dice = chooser.random()
    if dice < 0.9:
        # mostly a few texts, so that there are hits in small caches, too
        which = int(chooser.random() ** 3 * len(world.texts))
        form = 0 if chooser.random() < 0.8 else chooser.randrange(5)
        world.verify(which, form, fresh=chooser.random() < 0.03, read=chooser.random() < 0.1)
        return "verify"
    issuer = chooser.choice((ISSUER, OTHER_ISSUER)) if world.issuers else ISSUER
    if dice < 0.925:
        world.clock_to_edge(chooser.randrange(10_000), chooser.choice((-1, 0, 1)))
        return "clock to an edge"
    if dice < 0.945:
        world.move_clock(START)
        return "clock to the start"
    if dice < 0.955:
        world.clock_by(chooser.choice((-1, 1, -SECOND, SECOND // 2, 3 * SECOND, -3600 * SECOND, 3600 * SECOND)))
        return "clock"
    if dice < 0.965:
        present = list(world.present.get(issuer, ()))
        change = chooser.random()
        if change < 0.5:
            present = list(world.family["first"])
        elif change < 0.65 and len(present) > 1:
            present.remove(chooser.choice(present))
        elif change < 0.75 and present:
            kid, alg, which = present.pop(chooser.randrange(len(present)))
            present.append((kid, alg, 1 - which if alg != "Ed448" and alg != "Ed25519" else which))
        else:
            present.append(chooser.choice(world.family["keys"]))
        world.present_keys(present, issuer)
        return "keys"
    if dice < 0.97:
        world.change_policy(chooser.randrange(10), issuer)
        return "policy"
    if dice < 0.972:
        world.remove_issuer(issuer)
        return "remove issuer"
    if dice < 0.976:
        world.revoke(chooser.randrange(JTIS))
        return "revoke"
    if dice < 0.99:
        world.answer(chooser.choice((True, False, 1, "no", RuntimeError())) if chooser.random() < 0.1 else None)
        return "callable"
    if dice < 0.992:
        world.clear()
        return "clear"
    if dice < 0.994:
        world.replace()
        return "replace with equal keys"
    world.attack_result(chooser.randrange(len(world.texts)))
    return "attack the result"


def walk(seed: int, steps: int) -> Counter[str]:
    """Walk through as many worlds as it takes; return what happened how often."""
    happened: Counter[str] = Counter()
    done = 0
    with stopped_clock():
        while done < steps:
            number = seed + done
            reset_clock()
            world = World(number, issuers=number // STEPS_IN_A_WORLD % 3 == 2, texts=(20, 60, 150)[number % 3])
            chooser = random.Random(number)
            try:
                for _ in range(min(STEPS_IN_A_WORLD, steps - done)):
                    happened[step(world, chooser)] += 1
                    done += 1
            except AssertionError:
                print(f"world {number}, step {done}", file=sys.stderr)
                raise
            stats = world.cache.stats()
            for name in ("hits", "misses", "evictions", "expired"):
                happened[name] += stats[name]
            happened.update({f"verdict {code}": count for code, count in world.verdicts.items()})
    return happened


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a verifier with a cache to one without, over many steps.")
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.monotonic()
    for name, count in walk(options.seed, options.steps).most_common():
        print(f"{count:10}  {name}")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()

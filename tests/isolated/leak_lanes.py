"""Lanes prepared, used, refused and dropped: nothing stays behind."""

import threading

from measure import assert_steady
from support import ALGORITHMS, HMAC, lane_material, sign

from jotgate import _lanes
from jotgate._key import ALGORITHM_NUMBERS
from jotgate.keys import lanes

DATA = b"x" * 500

for alg in filter(lanes.serves, ALGORITHMS):
    key, material, signature = lanes.signature_lane(alg, lane_material(alg)), lane_material(alg), sign(alg, DATA)
    quick = alg in HMAC
    wrong = bytes(len(signature))

    def check(key=key, signature=signature, wrong=wrong) -> None:
        assert key.verify(DATA, signature)
        assert not key.verify(DATA, wrong)
        assert not key.verify(DATA, b"short")

    def prepare(alg=alg, material=material, signature=signature) -> None:
        assert lanes.signature_lane(alg, material).verify(DATA, signature)

    def fail(alg=alg, material=material) -> None:
        try:
            _lanes.prepare(ALGORITHM_NUMBERS[alg], material[:-1] if alg not in HMAC else None)
        except (LookupError, ValueError, TypeError):
            return
        raise AssertionError

    assert_steady(f"check {alg}", check, 150_000 if quick else 2_000)
    assert_steady(f"prepare {alg}", prepare, 30_000 if quick else 1_500)
    assert_steady(f"fail to prepare {alg}", fail, 2_000)

if lanes.serves("HS256"):
    # every thread takes a slot and leaves its context there
    secret, mac = lane_material("HS256"), sign("HS256", DATA)

    def many_threads() -> None:
        key = lanes.signature_lane("HS256", secret)
        workers = [threading.Thread(target=key.verify, args=(DATA, mac)) for _ in range(10)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    assert_steady("HMAC slots", many_threads, 300)

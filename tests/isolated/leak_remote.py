"""Keys that are fetched again and again, changed and unchanged, leave nothing behind."""

from measure import assert_steady
from publisher import A, B, Publisher
from support import policy

from jotgate import Verifier, jws

CLAIMS = {"iss": "https://auth.example.com", "aud": "https://billing.example.com", "exp": 32503680000}
TEXTS = [jws.sign(CLAIMS, key) for key in (A, B)]

publisher = Publisher(A)
remote = publisher.keys(cooldown=0)
way_in = Verifier(remote, policy("ES256"))
turn = 0


def change() -> None:
    global turn
    turn += 1
    publisher.calls.clear()
    publisher.publish(*((A, B) if turn % 2 else (A,)), jotgate_epoch=0)
    remote.refresh()
    way_in.verify_batch(TEXTS)


def stay() -> None:
    publisher.calls.clear()
    remote.refresh()
    way_in.verify(TEXTS[0])


def make() -> None:
    publisher.calls.clear()
    with publisher.keys() as other, Verifier(other, policy("ES256")) as another:
        another.verify(TEXTS[0])


assert_steady("changed keys", change, 400, blocks=200)  # threads come and go, with what the interpreter keeps
assert_steady("unchanged keys", stay, 400)
assert_steady("key sets made and dropped", make, 200)

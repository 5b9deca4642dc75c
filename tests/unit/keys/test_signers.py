"""What a ring asks of signers that are not ours, and of whoever keeps their keys."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from support import error_of, rejects

from jotgate import KeyRing, KeySet, SigningKey, errors
from jotgate.keys.lifecycle import NOTICE_SECONDS

pytestmark = pytest.mark.usefixtures("clock")


class Signer:
    """A key somewhere else, with switches for its mistakes."""

    def __init__(self, key, **wrong):
        self.key, self.wrong = key, wrong

    alg = property(lambda self: self.wrong.get("alg", self.key.alg))
    kid = property(lambda self: self.wrong.get("kid", self.key.kid))

    def sign(self, data):
        return self.wrong.get("sign", self.key.sign)(data)

    def public_jwk(self):
        return self.wrong.get("jwk", self.key.public_jwk)()


class Keeper:
    """`PrivateKeys` in memory."""

    def __init__(self, **wrong):
        self.keys, self.wrong, self.destroyed, self.fails = {}, wrong, [], False

    def create(self, algorithm):
        key = SigningKey.generate(algorithm)
        self.keys[key.kid] = key
        return Signer(key, **self.wrong)

    def load(self, kid, algorithm):
        if kid not in self.keys:
            raise errors.StoreUnavailableError("no such key")
        return Signer(self.keys[kid])

    def destroy(self, kid):
        if self.fails:
            raise OSError
        self.destroyed.append(kid)
        self.keys.pop(kid, None)


def test_a_ring_whose_keys_are_elsewhere(tmp_path, clock):
    keeper = Keeper()
    ring = KeyRing(tmp_path / "ring", create=True, private_keys=keeper)
    first = ring.signer()
    assert isinstance(first, Signer)
    assert not list((tmp_path / "ring").glob("*.pem"))
    assert set(keeper.keys) == {record.kid for record in ring.keys}
    clock.advance(86400)
    ring.rotate()
    clock.advance(NOTICE_SECONDS)
    ring.prune()
    assert keeper.destroyed == [first.kid]
    again = KeyRing(tmp_path / "ring", private_keys=keeper)
    assert again.signer().kid == ring.signer().kid != first.kid
    assert KeySet.from_jwks(again.jwks())


def test_a_key_that_cannot_be_destroyed_now_is_destroyed_later(tmp_path):
    keeper = Keeper()
    ring = KeyRing(tmp_path / "ring", create=True, private_keys=keeper)
    keeper.fails = True
    kid = ring.signer().kid
    ring.compromise(kid)
    assert ring.undestroyed == (kid,)
    assert kid in keeper.keys
    keeper.fails = False
    ring.prune()
    assert (ring.undestroyed, keeper.destroyed) == ((), [kid])


def test_without_the_keeper_a_ring_publishes_and_drops_keys(tmp_path):
    keeper = Keeper()
    ring = KeyRing(tmp_path / "ring", create=True, private_keys=keeper)
    without = KeyRing(tmp_path / "ring")
    assert without.jwks() == ring.jwks()
    for ask in (without.signer, without.stage):
        assert "private_keys" in str(rejects("invalid_policy", ask))
    kid = ring.signer().kid
    assert without.compromise(kid).next_kid is None
    assert without.undestroyed == (kid,)
    ring.maintain()
    assert (ring.undestroyed, keeper.destroyed) == ((), [kid])
    rejects("invalid_policy", lambda: KeyRing(tmp_path / "ring", passphrase="x"))
    rejects("invalid_policy", lambda: ring.stage(key=SigningKey.generate("ES256")))


def der(key):
    return lambda data: key._key.sign(data, ec.ECDSA(hashes.SHA256()))


OTHER = SigningKey.generate("ES256")


def failing(*_):
    raise ValueError("secret of the HSM")


@pytest.mark.parametrize(
    "wrong",
    [
        {"sign": der(OTHER)},
        {"sign": OTHER.sign},
        {"sign": lambda _: None},
        {"sign": lambda _: b""},
        {"sign": failing},
        {"jwk": failing},
        {"jwk": lambda: OTHER.to_jwk(private=True)},
        {"jwk": lambda: None},
        {"jwk": dict},
        {"jwk": OTHER.public_jwk},
        {"kid": None},
        {"kid": "another"},
        {"alg": "ES384"},
    ],
)
def test_a_signer_that_could_not_be_verified_is_not_published(tmp_path, wrong):
    error = rejects("invalid_key", lambda: KeyRing(tmp_path / "ring", create=True, private_keys=Keeper(**wrong)))
    assert "secret of" not in str(error)
    assert not (tmp_path / "ring" / "ring.json").exists()


def test_a_keeper_that_returns_another_key_is_found_out(tmp_path):
    keeper = Keeper()
    ring = KeyRing(tmp_path / "ring", create=True, private_keys=keeper)
    keeper.keys[ring.signer().kid] = OTHER
    rejects("invalid_key", lambda: KeyRing(tmp_path / "ring", private_keys=keeper))
    keeper.keys.clear()
    error = error_of(lambda: KeyRing(tmp_path / "ring", private_keys=keeper))
    assert error.code == "store_unavailable"

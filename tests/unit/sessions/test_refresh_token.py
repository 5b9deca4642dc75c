"""The text of a refresh token: one for each, genuine or nothing, found out without asking anybody."""

import hashlib
import hmac
import pickle
import string

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from session_world import OLD_SECRET, SECRET, SESSION
from support import b64u, error_of

from jotgate.errors import RefreshError
from jotgate.sessions.refresh_token import MOST, RefreshToken, authentic, is_session, made
from jotgate.sessions.secrets import FixedSecrets

SECRETS = FixedSecrets({1: OLD_SECRET, 2: SECRET})
TEXT = made(2, SECRET, SESSION, 7)
URL_SAFE = string.ascii_letters + string.digits + "-_"


def cause_of(text: object) -> str | None:
    error = error_of(lambda: authentic(text, SECRETS))
    assert type(error) is RefreshError
    assert error.code == "invalid_grant"
    assert str(error) == "the refresh token is not valid, or no longer: sign in again"
    return error.cause


def test_what_is_made_is_genuine() -> None:
    assert authentic(TEXT, SECRETS) == RefreshToken(2, SESSION, 7)
    assert authentic(made(1, OLD_SECRET, SESSION, 0), SECRETS) == RefreshToken(1, SESSION, 0)
    assert authentic(made(2, SECRET, SESSION, MOST), SECRETS).counter == MOST


def test_the_format_is_the_documented_one() -> None:
    version, family, counter, mac = TEXT.split(".")
    assert (version, family, counter) == ("2", SESSION, "7")
    key = HKDF(SHA256(), 32, None, b"jotgate refresh token\0" + SESSION.encode()).derive(SECRET)
    assert mac == b64u(hmac.new(key, f"2.{SESSION}.7".encode(), hashlib.sha256).digest())
    assert TEXT.isascii()
    assert len(TEXT) == 1 + 1 + 22 + 1 + 1 + 1 + 43


def test_no_other_text_is_the_same_token() -> None:
    for place, there in enumerate(TEXT):
        for other in (*URL_SAFE, ".", "=", "+", "/", " ", "\n", "\0", "é", "٢"):
            if other != there:
                assert cause_of(TEXT[:place] + other + TEXT[place + 1 :]) in ("malformed", "bad_mac", "unknown_version")
    for place in range(len(TEXT)):
        assert cause_of(TEXT[:place] + TEXT[place + 1 :])
        assert cause_of(TEXT[:place])


@pytest.mark.parametrize(
    "text",
    [
        f" {TEXT}", f"{TEXT} ", f"{TEXT}\n", f"{TEXT}=", f"{TEXT}.", f".{TEXT}", f"0{TEXT}", f"+{TEXT}",
        TEXT.replace(".7.", ".07."), TEXT.replace(".7.", ".+7."), TEXT.replace(".7.", ".-1."),
        TEXT.replace(".7.", ".."),
        TEXT.replace("2.", "0.", 1), TEXT.replace("2.", f"{MOST + 1}.", 1), TEXT.replace(".7.", f".{MOST + 1}."),
        TEXT.replace(".7.", ".9999999999."), TEXT.replace(".7.", ".10000000000."), TEXT.replace(".7.", ".7_0."),
        TEXT.replace(".7.", ".٧."), f"v{TEXT}", "", "...", "." * 10_000, "9" * 100_000,
        TEXT.encode(), None, 7, [TEXT], type("S", (str,), {})(TEXT),
    ],
    ids=range(29),
)  # fmt: skip
def test_what_is_not_of_the_form_is_malformed(text: object) -> None:
    assert cause_of(text) == "malformed"


def test_a_mac_and_a_family_have_one_spelling_each() -> None:
    """The last character of 43, and of 22, holds bits that say nothing."""
    for end in range(64):
        spelling = TEXT[:-1] + URL_SAFE[end]
        assert spelling == TEXT or cause_of(spelling) in ("malformed", "bad_mac")
    assert sum(is_session(SESSION[:-1] + last) for last in URL_SAFE) == 4
    assert is_session(SESSION)
    for text in ("", SESSION[:-1], SESSION + "A", SESSION + "\n", SESSION[:-1] + "=", SESSION[:-1] + "é"):
        assert not is_session(text)


def test_the_mac_is_bound_to_version_family_and_counter() -> None:
    mac = TEXT.rpartition(".")[2]
    other = SESSION[::-1].replace("w", "A", 1)
    assert is_session(b64u(bytes(16)))
    for changed in (f"1.{SESSION}.7.{mac}", f"2.{SESSION}.8.{mac}", f"2.{b64u(bytes(16))}.7.{mac}"):
        assert cause_of(changed) == "bad_mac"
    assert other != SESSION
    assert cause_of(made(2, OLD_SECRET, SESSION, 7)) == "bad_mac"
    assert cause_of(made(3, SECRET, SESSION, 7)) == "unknown_version"


def test_each_family_has_a_key_of_its_own() -> None:
    """A MAC key that leaks says nothing of another session's."""
    key = HKDF(SHA256(), 32, None, b"jotgate refresh token\0" + SESSION.encode()).derive(SECRET)
    other = b64u(bytes(16))
    text = f"2.{other}.0"
    assert cause_of(f"{text}.{b64u(hmac.digest(key, text.encode(), 'sha256'))}") == "bad_mac"


@given(st.text(max_size=120) | st.from_regex(r"[0-9]{1,3}\.[A-Za-z0-9_-]{22}\.[0-9]{1,3}\.[A-Za-z0-9_-]{43}"))
def test_nothing_is_genuine_by_accident(text: str) -> None:
    assert cause_of(text) in ("malformed", "bad_mac", "unknown_version")


@given(st.integers(0, MOST), st.binary(min_size=16, max_size=16), st.sampled_from([1, 2]))
def test_every_token_can_be_read(counter: int, family: bytes, version: int) -> None:
    secret = {1: OLD_SECRET, 2: SECRET}[version]
    text = made(version, secret, b64u(family), counter)
    assert authentic(text, SECRETS) == RefreshToken(version, b64u(family), counter)
    assert len(text) <= 88


def test_what_is_malformed_needs_no_secret() -> None:
    class Sealed:
        def secret(self, version: int) -> bytes:
            raise AssertionError

        current = None

    for text in ("", "a.b.c.d", TEXT + "A", TEXT.replace("2.", "02.", 1)):
        assert error_of(lambda text=text: authentic(text, Sealed())).cause == "malformed"


def test_a_repr_shows_nothing() -> None:
    token = authentic(TEXT, SECRETS)
    assert repr(token) == "RefreshToken()"
    error = error_of(lambda: authentic(TEXT[:-1] + "_", SECRETS))
    for part in TEXT.split("."):
        if len(part) > 1:
            assert part not in f"{error!r}{error}{error.args}{pickle.dumps(error)!r}"

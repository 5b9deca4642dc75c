"""What has changed between two sets: keys are known by their thumbprint, and a kid that is taken stays taken."""

import json

import pytest
from unit.audit.keysets import WEAK_MODULUS, document, jwk, rsa_jwk

from jotgate.audit.keydiff import diff, diff_epochs
from jotgate.audit.keysets import view

A, B, C = jwk(kid="a"), jwk(kid="b", which=1), jwk("ES384", kid="c")


def changes(before, after):
    found = diff(view(document(*before)), view(document(*after)))
    return [(each.kind, each.before and each.before.kid, each.after and each.after.kid, each.members) for each in found]


def test_the_same():
    assert changes([A, B], [B, A]) == [("same", "a", "a", ()), ("same", "b", "b", ())]
    assert changes([], []) == []


def test_a_rotation():
    assert changes([A, B], [B, C]) == [("removed", "a", None, ()), ("added", None, "c", ()), ("same", "b", "b", ())]


def test_members_changed():
    assert changes([A], [A | {"alg": "ES256", "use": "enc", "x5t": "x"}]) == [("changed", "a", "a", ("use", "x5t"))]


def test_another_kid_for_the_same_key():
    assert changes([A], [A | {"kid": "z"}]) == [("changed", "a", "z", ("kid",))]


def test_another_key_under_the_same_kid_is_an_alarm():
    assert changes([B, A], [B, C | {"kid": "a"}]) == [("alarm", "a", "a", ()), ("same", "b", "b", ())]


def test_a_second_key_under_a_kid_is_added():
    assert changes([A], [C | {"kid": "a"}, A]) == [("added", None, "a", ()), ("same", "a", "a", ())]


def test_without_kid():
    nameless = jwk("ES384")
    assert changes([nameless], [nameless]) == [("same", None, None, ())]
    assert changes([nameless], [jwk("ES384", which=1)]) == [("removed", None, None, ()), ("added", None, None, ())]


def test_keys_that_are_not_sound():
    weak = rsa_jwk(WEAK_MODULUS)
    assert changes([weak], [weak]) == [("same", "rsa", "rsa", ())]
    assert changes([weak], [weak | {"use": "enc"}]) == [("changed", "rsa", "rsa", ("use",))]
    assert changes([weak], [rsa_jwk(WEAK_MODULUS + 2)]) == [("alarm", "rsa", "rsa", ())]


def test_a_private_member_that_appears_is_a_change():
    assert changes([A], [jwk(kid="a", private=True)]) == [("changed", "a", "a", ("d",))]


def epochs(before, after):
    def of(epoch):
        return view(json.dumps({"keys": [A], "jotgate_epoch": epoch}).encode())

    return diff_epochs(of(before), of(after))


@pytest.mark.parametrize(
    ("before", "after", "kind", "meaning"),
    [
        (None, None, "same", ""),
        (3, 3, "same", ""),
        (3, 4, "changed", "all earlier tokens are taken back"),
        (None, 0, "added", "without one, are refused"),
        (4, 3, "alarm", "went down"),
        (4, None, "alarm", "would count again"),
        (4, "5", "alarm", "refuse the whole document"),
        (-1, True, "alarm", "refuse the whole document"),
        ("5", None, "changed", ""),
        ("5", 5, "added", "without one"),
    ],
)
def test_epochs(before, after, kind, meaning):
    change = epochs(before, after)
    assert (change.kind, change.meaning == "") == (kind, meaning == "")
    assert meaning in change.meaning

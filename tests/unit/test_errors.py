"""The error tree, its codes, and what each answers over HTTP."""

import pickle

import pytest
from support import CLASS_OF_CODE

from jotgate import _fault, errors

TREE = {
    "JotgateError": "Exception",
    "TokenError": "JotgateError",
    "MalformedTokenError": "TokenError",
    "AlgorithmNotAllowedError": "TokenError",
    "UnknownKeyError": "TokenError",
    "InvalidSignatureError": "TokenError",
    "RevokedTokenError": "TokenError",
    "InactiveTokenError": "TokenError",
    "ClaimError": "TokenError",
    "MissingClaimError": "ClaimError",
    "InvalidClaimError": "ClaimError",
    "ExpiredTokenError": "ClaimError",
    "NotYetValidError": "ClaimError",
    "WrongIssuerError": "ClaimError",
    "WrongAudienceError": "ClaimError",
    "RefreshError": "TokenError",
    "RequestRefusedError": "JotgateError",
    "MethodNotAllowedError": "RequestRefusedError",
    "UndecidedError": "JotgateError",
    "KeyFetchError": "UndecidedError",
    "StoreUnavailableError": "UndecidedError",
    "IntrospectionError": "UndecidedError",
    "InvalidKeyError": "JotgateError",
    "PolicyError": "JotgateError",
}
CLASSES = [getattr(errors, name) for name in TREE]


def made(error: type[errors.JotgateError], code: str, claim: str | None = None) -> errors.JotgateError:
    return error("what to do", code, claim)


def test_the_tree_is_the_documented_one() -> None:
    public = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert set(public) == set(TREE)
    for name, parent in TREE.items():
        assert public[name].__base__.__name__ == parent, name
        assert name in (errors.__doc__ or "")
    for mistake in (errors.InvalidKeyError, errors.PolicyError):
        assert issubclass(mistake, ValueError)


def test_every_fault_but_ok_has_one_row() -> None:
    assert set(errors.BY_FAULT) == set(_fault.FAULTS.values()) - {_fault.FAULTS["OK"]}
    for error, code, message in errors.BY_FAULT.values():
        assert CLASS_OF_CODE[code] is error
        assert message
        assert message[0].islower()
        assert len(message) <= 200


def test_undecided_is_zero_and_ok_is_not() -> None:
    assert _fault.FAULTS["UNDECIDED"] == 0
    assert _fault.FAULTS["OK"] == 1
    assert errors.BY_FAULT[0][0] is errors.UndecidedError


def test_the_documented_codes_are_the_codes() -> None:
    assert set(CLASS_OF_CODE) >= {code for _, code, _ in errors.BY_FAULT.values()}
    for code in CLASS_OF_CODE:
        assert code in (errors.__doc__ or ""), code


@pytest.mark.parametrize(("code", "error"), CLASS_OF_CODE.items())
def test_code_claim_and_text(code: str, error: type[errors.JotgateError]) -> None:
    raised = made(error, code, "exp")
    assert (raised.code, raised.claim, str(raised)) == (code, "exp", "what to do: exp")
    assert (made(error, code).claim, str(made(error, code))) == (None, "what to do")
    assert "what to do" not in repr(raised)
    assert code in repr(raised)
    assert error.__name__ in repr(raised)


@pytest.mark.parametrize("error", CLASSES)
def test_an_error_made_by_hand_has_a_code_too(error: type[errors.JotgateError]) -> None:
    bare = error("text")
    assert isinstance(bare.code, str)
    assert bare.claim is None
    assert str(bare) == "text"
    assert str(error()) == error().code
    if error not in (errors.JotgateError, errors.TokenError, errors.ClaimError):
        assert CLASS_OF_CODE[bare.code] is error


@pytest.mark.parametrize(("code", "error"), CLASS_OF_CODE.items())
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_survives_pickling(code: str, error: type[errors.JotgateError], protocol: int) -> None:
    for original in (made(error, code, "aud"), made(error, code), error("text")):
        copy = pickle.loads(pickle.dumps(original, protocol))
        assert type(copy) is error
        assert (copy.code, copy.claim, str(copy)) == (original.code, original.claim, str(original))


@pytest.mark.parametrize("error", CLASSES)
def test_http_status_and_challenge(error: type[errors.JotgateError]) -> None:
    raised = error("text")
    if issubclass(error, errors.TokenError):
        assert raised.http_status == 401
        # RFC 6750 section 3.1, and no word about the reason.
        assert raised.www_authenticate() == 'Bearer error="invalid_token"'
        assert raised.www_authenticate("api") == 'Bearer realm="api", error="invalid_token"'
    else:
        statuses = {errors.MethodNotAllowedError: 405, errors.RequestRefusedError: 403, errors.UndecidedError: 503}
        assert raised.http_status == next((statuses[each] for each in statuses if issubclass(error, each)), 500)
        assert raised.www_authenticate() == ""
        assert raised.www_authenticate("api") == ""


def test_why_a_refresh_token_is_refused_is_not_shown() -> None:
    error = errors.RefreshError("sign in again", "invalid_grant", None, "stale_lineage")
    assert (error.code, error.claim, error.cause) == ("invalid_grant", None, "stale_lineage")
    assert pickle.loads(pickle.dumps(error)).cause == "stale_lineage"
    assert "stale" not in f"{error} {error!r} {error.www_authenticate()}"
    assert errors.RefreshError("sign in again").cause is None


@pytest.mark.parametrize("realm", ['a"b', "a\\b", "a\r\nSet-Cookie: x=1", "a\nb", "é", "a\0b", "a\x7fb", '"'])
def test_a_realm_cannot_break_out_of_the_header(realm: str) -> None:
    with pytest.raises(ValueError, match="realm"):
        errors.MalformedTokenError("text").www_authenticate(realm)


def test_a_refusal_costs_no_python_init() -> None:
    for error in CLASSES:
        assert "__init__" not in vars(error)
        assert "__new__" not in vars(error)


def test_errors_are_made_anew_for_each_raise() -> None:
    from support import error_of, verifier

    one, other = (error_of(lambda: verifier().verify("x")) for _ in range(2))
    assert one is not other
    assert one.__traceback__ is not other.__traceback__

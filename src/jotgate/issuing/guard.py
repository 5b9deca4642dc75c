"""What must not go into a token that whoever holds it can read: browsers, proxies, logs, every resource server.

A signed token is not encrypted. ``NAMES`` and ``SHAPES`` are two tables: names of claims that do not belong there,
whatever they say, and values that do not, whatever they are called. The message names the claim and a way out, never
the value.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, get_args

from ..errors import PolicyError
from .texts import card_numbers, has_bearer_token, has_credential, has_private_key, is_private_jwk

__all__ = ["Finding", "Guard", "Mode", "ReadableClaimWarning", "findings"]

Mode = Literal["raise", "warn", "off"]
Kind = Literal["personal", "payment", "secret", "token", "stale", "permissions", "long"]

MAX_TEXT: Final = 1024
"""Characters of one value; a token travels with every request."""

_READ = "which whoever holds the token can read"
_OLD = "old as soon as the token is issued"
_WAYS_OUT: Final[Mapping[Kind, str]] = {
    "personal": f"personal data, {_READ}: encrypt the token (JWE), let resource servers ask for it (introspection, "
    "userinfo), or look it up on the server by sub",
    "payment": f"a card or bank account number, {_READ}: look it up on the server by sub, or encrypt the token (JWE)",
    "secret": f"a secret or a private key, {_READ}: keep it on the server, and look it up there by sub",
    "token": f"a token, {_READ} and use: exchange it (RFC 8693), keep it on the server, or encrypt the outer one (JWE)",
    "stale": f"a price or a balance, which is {_OLD}: look it up on the server by sub",
    "permissions": f"fine-grained permissions, which are {_OLD}: issue roles or scopes, and let resource servers "
    "look up the rest by sub or ask by introspection",
    "long": f"a value of more than {MAX_TEXT} characters, sent with every request: look it up on the server by sub",
}


class ReadableClaimWarning(UserWarning):
    """A token was issued with a claim that does not belong into one that can be read."""


class Finding(NamedTuple):
    """One claim that does not belong into a readable token."""

    path: str
    """Names from the outermost in, with dots between them and ``[2]`` for the third element of a list. A name that is
    itself such a value is shown as ``*``."""
    kind: Kind

    @property
    def message(self) -> str:
        """What it is, why not, and what to do instead; holds no value. Errors add the path."""
        return f"the token would hold {_WAYS_OUT[self.kind]}; readable lets a claim through; found in"


class Guard:
    """Looks at what is about to be signed.

    Args:
        mode: ``raise`` a PolicyError, ``warn`` by a `ReadableClaimWarning` each, or ``off``.
        readable: Claims that are let through with all that is in them: names, or dotted paths without list positions.

    Raises:
        PolicyError: ``invalid_policy``: no such mode, or `readable` is not a collection of str.
    """

    __slots__ = ("_mode", "_readable")

    def __init__(self, mode: Mode, readable: Collection[str]) -> None:
        if mode not in get_args(Mode):
            raise PolicyError("guard is 'raise', 'warn' or 'off'")
        if isinstance(readable, str | bytes) or not isinstance(readable, Collection):
            raise PolicyError("readable takes a collection of claim names")
        if not all(isinstance(each, str) and each for each in readable):
            raise PolicyError("readable takes non-empty str values")
        self._mode = mode
        self._readable = frozenset(readable)

    def check(self, payload: bytes) -> None:
        """Look at a payload, which is valid JSON.

        Raises:
            PolicyError: ``readable_claim``, in the mode ``raise``: about the first finding.
        """
        if self._mode == "off":
            return
        import orjson  # here, as everywhere

        for found in findings(orjson.loads(payload), self._readable):
            if self._mode == "raise":
                raise PolicyError(found.message, "readable_claim", found.path)
            import warnings

            # from here to `_issue_from` to `issue`, or a session's `start`, to whoever calls that
            warnings.warn(f"{found.message}: {found.path}", ReadableClaimWarning, stacklevel=4)


def findings(claims: Mapping[str, Any], readable: Collection[str] = ()) -> Iterator[Finding]:
    """Find what does not belong into a readable token.

    Args:
        claims: As ``json.loads`` returns them.
        readable: As for `Guard`.

    Returns:
        The findings, in the order of the claims; at most one each.
    """
    if is_private_jwk(claims):
        name = next(each for each in ("d", "k", "priv") if claims.get(each))
        if name not in readable:
            yield Finding(name, "secret")
    yield from _in_object(claims, "", "", frozenset(readable))


def _in_object(members: Mapping[str, Any], shown: str, plain: str, readable: frozenset[str]) -> Iterator[Finding]:
    for name, value in members.items():
        path = f"{plain}.{name}" if plain else name
        if path in readable:
            continue
        kind_of_name = _kind_of_text(name)
        visible = name if kind_of_name is None else "*"
        where = f"{shown}.{visible}" if shown else visible
        kind = kind_of_name or _kind_by_name(name, value)
        if kind is not None:
            yield Finding(where, kind)
        else:
            yield from _in_value(value, where, path, readable)


def _in_value(value: Any, shown: str, plain: str, readable: frozenset[str]) -> Iterator[Finding]:
    kind: Kind | None
    if isinstance(value, dict):
        kind = "secret" if is_private_jwk(value) else None
        if kind is None:
            yield from _in_object(value, shown, plain, readable)
    elif isinstance(value, list):
        kind = None
        for index, each in enumerate(value):
            yield from _in_value(each, f"{shown}[{index}]", plain, readable)
    elif isinstance(value, str):
        kind = _kind_of_text(value)
    else:
        kind = "payment" if type(value) is int and _is_card(str(value)) else None
    if kind is not None:
        yield Finding(shown, kind)


# -- names -----------------------------------------------------------------------------------------------------------

_WORDS: Final[Mapping[Kind, str]] = {
    "personal": """
        email email_address phone phone_number mobile mobile_number mobile_phone telephone fax_number address
        street_address postal_address home_address billing_address shipping_address birthdate birth_date
        date_of_birth dob birthday birthplace place_of_birth given_name family_name middle_name first_name
        last_name surname full_name maiden_name ssn social_security_number national_id
        national_identification_number personal_number tax_id tax_number passport passport_number id_card_number
        driving_licence driving_license drivers_license gender religion ethnicity race nationality
        marital_status sexual_orientation medical_record diagnosis blood_type salary income
    """,
    "payment": """
        iban bic_iban bank_account bank_account_number account_number routing_number sort_code card card_number
        credit_card credit_card_number debit_card debit_card_number pan cvv cvc cvv2
    """,
    "secret": """
        password passwd passphrase pwd pass_word password_hash hashed_password secret secret_key client_secret
        shared_secret app_secret api_key apikey api_secret private_key signing_key encryption_key master_key
        ssh_key secret_access_key aws_secret_access_key connection_string credentials pin otp otp_secret
        totp_secret mfa_secret recovery_code recovery_codes backup_codes security_answer
    """,
    "token": """
        access_token refresh_token id_token session_token bearer_token auth_token oauth_token api_token
        session_cookie
    """,
    "stale": """
        price prices unit_price total_price price_list discount_rate balance account_balance credit_limit
        credit_score
    """,
}


_STYLE = re.compile(r"[_\-. ]")


def _normal(text: str) -> str:
    """A text without letters and digits in other shapes (full-width, bold): NFKC."""
    if text.isascii():
        return text
    import unicodedata

    return unicodedata.normalize("NFKC", text)


def _plain(name: str) -> str:
    """A name without what differs from one style to another: phone_number, phoneNumber, Phone-Number."""
    return _STYLE.sub("", name).lower()


NAMES: Final[Mapping[str, Kind]] = {_plain(word): kind for kind, words in _WORDS.items() for word in words.split()}
"""Kind by name, written in small letters alone. Compared with what follows the last ``/`` or ``:`` of a claim's name,
so that namespaces do not matter."""

_ALONE = """
    address mobile race card pan pin cvc balance price prices income diagnosis full_name personal_number price_list
"""
# A name is about its last words: user_email is an e-mail address, email_verified is none. Not those that mean something
# else after another word: ip_address, map_pin.
_LAST_WORDS: Final = {
    _plain(word): kind for kind, words in _WORDS.items() for word in words.split() if word not in _ALONE.split()
}
_MOST_WORDS = 4  # of a name above: aws_secret_access_key
_LONGEST_NAME = 64
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", re.ASCII)


@functools.lru_cache(1024)
def _kind_of_name(name: str) -> Kind | None:
    """The kind of a name by all of it or its last words, but for a number that ends it: userEmail, client_secret_2."""
    kind = NAMES.get(_plain(name))
    if kind is not None:
        return kind
    words = [word.lower() for word in _WORD.findall(name)]
    while words and words[-1].isdigit():
        words.pop()
    kind = NAMES.get("".join(words))
    for count in range(min(_MOST_WORDS, len(words)), 0, -1):
        kind = kind or _LAST_WORDS.get("".join(words[-count:]))
    return kind


MOST_PERMISSIONS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("acl", "acls", "accesscontrollist", "accessrules"), 0),
    **dict.fromkeys(("permissions", "privileges", "entitlements", "grants", "rights", "policies"), 16),
    **dict.fromkeys(("roles", "groups", "scope", "scopes", "scp", "authorities"), 64),
}
"""How many entries a claim of this name may have, those of what is nested in it counted together."""


def _kind_by_name(name: str, value: Any) -> Kind | None:
    """The kind of a claim by its name; a flag or an empty value tells nothing."""
    if isinstance(value, bool) or value is None or value in ("", [], {}):
        return None
    name = _normal(name[max(name.rfind("/"), name.rfind(":")) + 1 :])
    plain = _plain(name)
    most = MOST_PERMISSIONS.get(plain)
    if most is not None and _entries(value) > most:
        return "permissions"
    return _kind_of_name(name[-_LONGEST_NAME:])


def _entries(value: Any) -> int:
    if isinstance(value, str):
        return len(value.split())
    if isinstance(value, list):
        return sum(_entries(each) if isinstance(each, dict | list) else 1 for each in value)
    if isinstance(value, dict):
        return sum(_entries(each) for each in value.values())
    return 1


# -- values ----------------------------------------------------------------------------------------------------------

_DIGITS = re.compile(r"\d(?:[ -]?\d){13,15}", re.ASCII)
# Lengths and first digits of the networks (ISO/IEC 7812): a number of another beginning is no card.
_CARD = re.compile(
    r"4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|6(?:011|4[4-9]\d|5\d\d)\d{12}"
    r"|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[689]\d)\d{11}|62\d{14}",
    re.ASCII,
)
_IBAN = re.compile(r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}", re.ASCII)
# Length of an IBAN by country (ISO 13616 registry).
_REGISTRY = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24
    FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32
    LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22
    SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
"""
_IBAN_LENGTHS = {each[:2]: int(each[2:]) for each in _REGISTRY.split()}
# The account of a machine has the form of an address, and is nobody's.
_MACHINES = (".gserviceaccount.com",)
_DOMAIN = r"(?:[\w-]{1,63}\.)+[^\W\d_][\w-]{1,62}"
_EMAIL = re.compile(rf"(?:mailto:)?[\w.!#$%&'*+/=?^`{{|}}~-]{{1,64}}@{_DOMAIN}")
# In a longer text, and neither the user of a URL or of a copy by ssh (git@github.com:x/y) nor a path.
_EMAIL_WITHIN = re.compile(rf"(?<![\w.+%/@-])[\w.+%-]{{1,64}}@{_DOMAIN}(?![\w@/-]|:[\w/~])")
_PRIVATE_KEY = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----", re.ASCII)
# The header of a compact JWS or JWE: the beginning of a JSON object in base64url, and two dots behind it at least.
_TOKEN_HEADER = re.compile(r"(?<![\w-])e[w-z0-9_-][\w-]{10,}(?=\.[\w-]*\.)", re.ASCII)
_CREDENTIAL = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}"  # AWS
    r"|AIza[\w-]{35}|GOCSPX-[\w-]{20,}"  # Google
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}"
    r"|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{32,}"  # Stripe; OpenAI and Anthropic
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{20,}\.[\w-]{20,}"
    r")(?![A-Za-z0-9])"
    r"|AccountKey=[A-Za-z0-9+/=]{40,}"  # Azure
    r"|\$(?:2[aby]|argon2(?:id|i|d)|scrypt|6|5)\$[^\s]{20,}"  # password hashes
    r"|(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s/:@?#]*:[^\s/@?#]+@",  # a password in a URL
    re.ASCII,
)


def _is_card(text: str) -> bool:
    if _DIGITS.fullmatch(text):
        return _is_card_number(text.replace(" ", "").replace("-", ""))
    return any(map(_is_card_number, card_numbers(text)))


def _is_card_number(digits: str) -> bool:
    if not _CARD.fullmatch(digits):
        return False
    doubled = (sum(divmod(int(digit) * 2, 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0  # Luhn


def _is_iban(text: str) -> bool:
    if not _IBAN.fullmatch(text):
        return False
    packed = text.replace(" ", "")
    if len(packed) != _IBAN_LENGTHS.get(packed[:2]):
        return False
    return int("".join(str(int(each, 36)) for each in packed[4:] + packed[:4])) % 97 == 1  # ISO 7064


def _is_email(text: str) -> bool:
    if "@" not in text:
        return False
    if _EMAIL.fullmatch(text):
        return not text.endswith(_MACHINES)
    return any(not found[0].endswith(_MACHINES) for found in _EMAIL_WITHIN.finditer(text))


def _has_token(text: str) -> bool:
    """Whether there is a JWS, whatever its payload, or a JWE, which its holder can use without reading it."""
    return any(_is_header(found[0]) for found in _TOKEN_HEADER.finditer(text))


def _is_header(part: str) -> bool:
    import binascii

    import orjson

    try:
        # Not strictly: padding bits that a verifier refuses make a token no less readable.
        header = orjson.loads(binascii.a2b_base64(part.replace("-", "+").replace("_", "/") + "=="))
    except ValueError:
        return False
    return isinstance(header, dict) and isinstance(header.get("alg"), str)


SHAPES: Final[tuple[tuple[Callable[[str], object], Kind], ...]] = (
    (_PRIVATE_KEY.search, "secret"),
    (_has_token, "token"),
    (_CREDENTIAL.search, "secret"),
    (_is_email, "personal"),
    (_is_card, "payment"),
    (_is_iban, "payment"),
    (has_private_key, "secret"),
    (has_bearer_token, "token"),
    (has_credential, "secret"),
)
"""What a value looks like, and its kind; the first that fits counts."""


_SHORTEST = 14  # of all shapes without an @ or a =: a card number


def _kind_of_text(text: str) -> Kind | None:
    if len(text) > MAX_TEXT:
        return "secret" if has_private_key(text) else "long"
    if len(text) < _SHORTEST and "@" not in text and "=" not in text:
        return None
    text = _normal(text)
    return next((kind for fits, kind in SHAPES if fits(text)), None)

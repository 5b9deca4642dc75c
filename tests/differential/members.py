"""Hypothesis strategies for headers and claims sets, as JSON text."""

from hypothesis import strategies as st
from support import NOW

from . import hostile
from .hostile import lines, words

ISSUERS = ("https://a.example", "https://b.example")
AUDIENCES = ("https://api.example", "billing")

_OFFSETS = [-3601, -601, -600, -61, -60, -11, -10, -1, 0, 1, 10, 11, 60, 300, 600, 601, 3600, 3601]
_FRACTIONS = [
    "",
    "",
    ".0",
    ".5",
    ".000000001",
    ".0000000001",
    ".499999999",
    ".999999999",
    ".99999999999999999999",
]
near_dates = st.builds(
    lambda offset, fraction: f"{NOW + offset}{fraction}".encode(),
    st.sampled_from(_OFFSETS),
    st.sampled_from(_FRACTIONS),
)
odd_dates = st.sampled_from(
    words(
        """
        0 -0 -0.0 0.0 -1 -1e-5 1e-320 1e-400 -1e-400 17e8 1.7E+9 17000000005e-1 1700000000000000000000e-12
        253402300799 253402300799.0 253402300799.5 253402300799.00000000000000001 253402300800 2534023008e2
        1e30 9223372036854775808 18446744073709551615 1700000000.0000000000000001 0.0000017e15 17e000000008
        """
    )
)
wrong_types = st.sampled_from(words('null true false "1700000300" [] {} [1700000300] "" 1 {"":0}'))


def dates(*offsets: int) -> st.SearchStrategy[bytes]:
    """A date: mostly one that is right, else near a limit, odd, or no date."""
    right = st.sampled_from([str(NOW + offset).encode() for offset in offsets])
    return st.one_of(right, right, right, near_dates, near_dates, odd_dates, wrong_types)


def texts(*values: str) -> st.SearchStrategy[bytes]:
    """A string: mostly one of the values, else a near miss, or no string."""
    first = values[0]
    near = [first + "/", first[:-1], first.upper(), " " + first, "", "é"]
    spelt = st.sampled_from([*values * 8, *near]).flatmap(hostile.spelt)
    nul = st.just(f'"{first}\\u0000"'.encode())
    return st.one_of(spelt, spelt, spelt, spelt, spelt, wrong_types, nul)


audience_arrays = st.lists(texts(*AUDIENCES), max_size=3).map(lambda names: b"[" + b" , ".join(names) + b"]")

RIGHT_CLAIMS: hostile.Texts = {
    "exp": f"{NOW + 300}".encode(),
    "nbf": f"{NOW}".encode(),
    "iat": f"{NOW - 5}".encode(),
    "iss": f'"{ISSUERS[0]}"'.encode(),
    "aud": f'["{AUDIENCES[0]}","other"]'.encode(),
    "sub": b'"alice"',
    "azp": b'"web"',
    "jti": b'"7a5c"',
    "scope": b'"read write"',
    "x": b'{"y":[1,2.5,null,true,{"z":"\\u00e9"}]}',
}
OTHER_CLAIMS: hostile.Table = {
    "exp": dates(300, 3600),
    "nbf": dates(-5, 0),
    "iat": dates(-5, -1, 0),
    "iss": texts(*ISSUERS),
    "aud": st.one_of(texts(*AUDIENCES), audience_arrays),
    "sub": texts("alice", "alice", "bob"),
    "azp": texts("web", "web", "app"),
    "jti": texts("7a5c"),
    "scope": hostile.json_values,
    "x": hostile.json_values,
}

_TYP = lines(
    r"""
    "at+jwt"
    "at+jwt"
    "JWT"
    "AT+JWT"
    "application/at+jwt"
    "application\/at+jwt"
    "APPLICATION/At+Jwt"
    "at+jw\u0074"
    "at+jwt "
    "application/application/at+jwt"
    "application/"
    ""
    null
    1
    "at+ȷwt"
    """
)
_CRIT = words(
    r"""
    ["ext"] ["ext"] ["\u0065xt"] ["ext","ext"] ["ext","other"] ["other"] [] null "ext"
    [1] ["alg"] ["b64"] ["ext",null] {"ext":1} [["ext"]] [""]
    """
)
odd_kids = st.sampled_from(
    words(r'"k1" "k2" "k1" "k2" "\u006b1" "K1" "k1\u0000" "" null 1 ["k1"] "k3"')
    + [f'"{text}"'.encode() for text in ("k" * 256, "k" * 257, "é" * 128, "é" * 129, r"\u00e9" * 60, r"\u00e9" * 129)]
)
odd_algorithms = st.sampled_from(
    words(
        r"""
        "none" "None" "" "hs256" "HS256\u0020" "HS256\u0000" "HS384" "RS256" "ES256" "EdDSA" "Ed25519" "Ed448"
        "ES256K" null 256 ["HS256"] true {"alg":"HS256"}
        """
    )
)


OTHER_PARAMETERS: hostile.Table = {
    "alg": odd_algorithms,
    "kid": odd_kids,
    "typ": st.sampled_from(_TYP),
    "crit": st.sampled_from(_CRIT),
    "ext": hostile.json_values,
    "other": hostile.json_values,
    "b64": st.sampled_from([b"false", b"true", b"null"]),
    "jwk": st.sampled_from(words('{"kty":"oct","k":"AA"} null')),
    "x5c": st.sampled_from(words('["MIIB"] 7')),
}


@st.composite
def headers(draw: st.DrawFn, kid: str | None, alg: str, odd: bool) -> bytes:
    """Draw the JSON of a header that asks for a key; if odd, with one to three parameters changed."""
    name = draw(st.sampled_from(["EdDSA", alg])) if alg in ("Ed25519", "Ed448") else alg
    right = {"alg": f'"{name}"'.encode(), "typ": b'"at+jwt"'}
    if kid is not None:
        right["kid"] = f'"{kid}"'.encode()
    return draw(hostile.object_of(draw(hostile.changed(right, OTHER_PARAMETERS)) if odd else right))


@st.composite
def payloads(draw: st.DrawFn, odd: bool) -> bytes:
    """Draw a right claims set; if odd, one with one to three claims changed, or something else altogether."""
    if not odd:
        return draw(hostile.object_of(RIGHT_CLAIMS))
    if not draw(st.integers(0, 10)):
        return draw(st.one_of(hostile.json_documents(), hostile.json_values, st.binary(max_size=20)))
    return draw(hostile.object_of(draw(hostile.changed(RIGHT_CLAIMS, OTHER_CLAIMS))))

"""What `Cache-Control` and `Age` say about the lifetime of an answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jotgate.keys.caching import parse_cache_control

CASES = [
    ({}, None),
    ({"cache-control": ""}, None),
    ({"cache-control": "public"}, None),
    ({"cache-control": "max-age=300"}, 300),
    ({"cache-control": "public, max-age=300, must-revalidate"}, 300),
    ({"cache-control": "MAX-AGE=300"}, 300),
    ({"cache-control": 'max-age="300"'}, 300),
    ({"cache-control": "max-age=300", "age": "100"}, 200),
    ({"cache-control": "max-age=300", "age": "400"}, 0),
    ({"cache-control": "max-age=300", "age": "100, 200"}, 200),
    ({"cache-control": "max-age=300", "age": "-5"}, 300),
    ({"cache-control": "max-age=300", "age": "soon"}, 300),
    ({"cache-control": "s-maxage=900"}, None),
    ({"cache-control": "s-maxage=900, max-age=300"}, 300),
    ({"cache-control": "max-age=300, max-age=60"}, 60),
    ({"cache-control": "no-store, max-age=300"}, 0),
    ({"cache-control": "max-age=300, no-cache"}, 0),
    ({"cache-control": "NO-CACHE"}, 0),
    ({"cache-control": 'no-cache="Set-Cookie", max-age=300'}, 300),
    ({"cache-control": "max-age=0"}, 0),
    ({"cache-control": "max-age=-1"}, 0),
    ({"cache-control": "max-age=soon"}, 0),
    ({"cache-control": "max-age="}, 0),
    ({"cache-control": "max-age"}, 0),
    ({"cache-control": "max-age=1e9"}, 0),
    ({"cache-control": "max-age=\u0663"}, 0),
    ({"cache-control": "max-age=" + "9" * 5000}, 1 << 31),
    ({"cache-control": 'ext="max-age=5", max-age=300'}, 300),
    ({"cache-control": 'ext="a\\", max-age=5", max-age=300'}, 300),
    ({"cache-control": "max-age = 300"}, 300),
    ({"cache-control": ",,;;==, max-age=300,"}, 300),
    ({"expires": "Thu, 01 Dec 2099 16:00:00 GMT"}, None),
]


@pytest.mark.parametrize(("headers", "lifetime"), CASES)
def test_lifetime(headers, lifetime):
    assert parse_cache_control(headers) == lifetime


@given(st.text(max_size=60), st.text(max_size=12))
def test_garbage_gives_a_lifetime_or_none(control, age):
    lifetime = parse_cache_control({"cache-control": control, "age": age})
    assert lifetime is None or 0 <= lifetime <= 1 << 31

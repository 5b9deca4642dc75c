"""One table of JSON texts, read by the native scanner and by the oracle.

``y`` must be taken, ``n`` must be refused; ``i`` are texts that RFC 8259 leaves to the reader: what we
decided is pinned.
"""

import json
from collections.abc import Callable

import orjson
import pytest
from reference import strict_json

from jotgate import _json, errors

DEEP = 32

TAKEN: dict[str, bytes] = {
    "y_object_empty": b"{}",
    "y_array_empty": b"[]",
    "y_lone_string": b'"text"',
    "y_lone_empty_string": b'""',
    "y_lone_number": b"42",
    "y_lone_true": b"true",
    "y_lone_false": b"false",
    "y_lone_null": b"null",
    "y_white_space_around": b" \t\r\n{} \t\r\n",
    "y_white_space_everywhere": b'{\n"a"\t:\r[ 1 , 2 ] ,"b" : { } }',
    "y_array_white_space_only": b"[ \n ]",
    "y_name_empty": b'{"":0}',
    "y_name_escaped_nul": b'{"\\u0000":0}',
    "y_names_differ_in_case": b'{"a":0,"A":1}',
    "y_names_same_in_other_objects": b'{"a":{"a":{"a":[{"a":0},{"a":0}]}}}',
    "y_names_prefix_of_each_other": b'{"a":0,"aa":1,"aaa":2}',
    "y_names_not_normalized": '{"é":0,"e\u0301":1}'.encode(),
    "y_string_all_short_escapes": b'["\\"\\\\\\/\\b\\f\\n\\r\\t"]',
    "y_string_escape_lower_and_upper_hex": b'["\\u00e9\\u00E9\\uabcd\\uABCD"]',
    "y_string_escaped_surrogate_pair": b'["\\ud83d\\ude00"]',
    "y_string_escaped_pair_upper": b'["\\uD834\\uDD1E"]',
    "y_string_last_pair": b'["\\uDBFF\\uDFFF"]',
    "y_string_backslash_then_u": b'["\\\\u0000"]',
    "y_string_del": b'["\x7f"]',
    "y_string_two_bytes": '["é\u0080\u07ff"]'.encode(),
    "y_string_three_bytes": '["€\u0800\ud7ff\ue000\uffff"]'.encode(),
    "y_string_four_bytes": '["😀\U00010000\U0010ffff"]'.encode(),
    "y_string_line_separators": '["\u2028\u2029\u0085\u00a0"]'.encode(),
    "y_string_bom_inside": b'["\xef\xbb\xbf"]',
    "y_string_reverse_solidus_last": b'["\\\\"]',
    "y_string_looks_like_json": b'["{\\"a\\":[1,2"]',
    "y_number_zero": b"[0]",
    "y_number_minus_zero": b"[-0]",
    "y_number_minus_zero_real": b"[-0.0]",
    "y_number_exponent": b"[1e5,1E5,1e+5,1e-5]",
    "y_number_exponent_leading_zeros": b"[1e0005]",
    "y_number_zero_exponent": b"[0e0,0E+7,0e-7]",
    "y_number_fraction": b"[0.5,-0.5,1.25]",
    "y_number_fraction_trailing_zeros": b"[1.000]",
    "y_number_fraction_exponent": b"[1.5e3,-1.5E-3]",
    "y_number_last_before_separators": b'{"a":1,"b":2 ,"c":[3,4]}',
    "y_literals": b"[true,false,null]",
    "y_depth_at_limit_arrays": b"[" * (DEEP - 1) + b"]" * (DEEP - 1),
    "y_depth_at_limit_objects": b'{"a":' * (DEEP - 1) + b"{}" + b"}" * (DEEP - 1),
    "y_depth_at_limit_mixed": b'{"a":[' * (DEEP // 2) + b"0" + b"]}" * (DEEP // 2),
    "y_wide_not_deep": b"[" + b"[]," * 1000 + b"[]]",
    "y_long_string": b'["' + b"a" * 10_000 + b'"]',
    "y_many_members": b"{" + b",".join(b'"n%d":%d' % (i, i) for i in range(500)) + b"}",
    "y_numeric_date_fraction": b'{"exp":1700000000.5}',
    # What RFC 8259 leaves open and we take.
    "i_number_smallest_integer": b"[-9223372036854775808]",
    "i_number_largest_integer": b"[18446744073709551615]",
    "i_number_largest_double": b"[1.7976931348623157e308]",
    "i_number_rounds_down_to_largest_double": b"[1.7976931348623158e308]",
    "i_number_underflows_to_zero": b"[1e-400]",
    "i_number_underflow_with_a_long_exponent": b"[1e-99999999999999999999]",
    "i_number_zero_with_a_long_exponent": b"[0e99999999999999999999]",
    "i_number_subnormal": b"[5e-324]",
    "i_number_more_digits_than_a_double": b"[0.1000000000000000055511151231257827]",
    "i_number_real_beyond_64_bits": b"[1e30]",
    "i_number_whole_real_beyond_64_bits": b"[18446744073709551616.0]",
    "i_number_long_fraction": b"[0." + b"1" * 5000 + b"]",
    "i_string_noncharacters": '["\ufdd0\ufffe\uffff\U0001fffe"]'.encode(),
    "i_string_escaped_noncharacter": b'["\\uffff\\ufdd0"]',
    "i_string_escaped_nul": b'["\\u0000"]',
}

REFUSED: dict[str, bytes] = {
    "n_empty": b"",
    "n_white_space_only": b" \n",
    "n_two_values": b"{}{}",
    "n_two_values_separated": b"{} []",
    "n_trailing_comma_after": b"{},",
    "n_trailing_text": b"{}x",
    "n_trailing_nul": b"{}\x00",
    "n_trailing_bom": b"{}\xef\xbb\xbf",
    "n_leading_nul": b"\x00{}",
    "n_vertical_tab": b"\x0b{}",
    "n_form_feed": b"[\x0c]",
    "n_no_break_space": b"\xc2\xa0{}",
    "n_line_separator": b"\xe2\x80\xa8{}",
    "n_next_line": b"\xc2\x85{}",
    "n_comment_block": b"{/* */}",
    "n_comment_line": b"{}// x",
    "n_comment_hash": b"{}#",
    "n_object_open": b"{",
    "n_object_open_after_name": b'{"a"',
    "n_object_open_after_colon": b'{"a":',
    "n_object_open_after_value": b'{"a":0',
    "n_object_open_after_comma": b'{"a":0,',
    "n_object_trailing_comma": b'{"a":0,}',
    "n_object_leading_comma": b'{,"a":0}',
    "n_object_lone_comma": b"{,}",
    "n_object_two_commas": b'{"a":0,,"b":1}',
    "n_object_no_comma": b'{"a":0 "b":1}',
    "n_object_no_colon": b'{"a" 0}',
    "n_object_two_colons": b'{"a"::0}',
    "n_object_comma_for_colon": b'{"a",0}',
    "n_object_no_value": b'{"a":}',
    "n_object_name_only": b'{"a"}',
    "n_object_name_unquoted": b"{a:0}",
    "n_object_name_single_quotes": b"{'a':0}",
    "n_object_name_number": b"{1:0}",
    "n_object_name_null": b"{null:0}",
    "n_object_name_array": b"{[]:0}",
    "n_object_closed_by_bracket": b'{"a":0]',
    "n_object_closed_twice": b"{}}",
    "n_object_semicolon": b'{"a":0;"b":1}',
    "n_array_open": b"[",
    "n_array_open_after_value": b"[1",
    "n_array_open_after_comma": b"[1,",
    "n_array_trailing_comma": b"[1,]",
    "n_array_leading_comma": b"[,1]",
    "n_array_lone_comma": b"[,]",
    "n_array_two_commas": b"[1,,2]",
    "n_array_no_comma": b"[1 2]",
    "n_array_strings_no_comma": b'["a" "b"]',
    "n_array_colon": b'["a":1]',
    "n_array_closed_by_brace": b"[1}",
    "n_array_closed_twice": b"[]]",
    "n_array_close_only": b"]",
    "n_object_close_only": b"}",
    "n_string_open": b'"a',
    "n_string_open_quote_only": b'"',
    "n_string_open_after_backslash": b'"\\',
    "n_string_open_in_escape": b'"\\u00',
    "n_string_single_quotes": b"['a']",
    "n_string_tab": b'["\t"]',
    "n_string_newline": b'["\n"]',
    "n_string_nul": b'["\x00"]',
    "n_string_unit_separator": b'["\x1f"]',
    "n_string_escape_x": b'["\\x41"]',
    "n_string_escape_a": b'["\\a"]',
    "n_string_escape_v": b'["\\v"]',
    "n_string_escape_zero": b'["\\0"]',
    "n_string_escape_single_quote": b'["\\\'"]',
    "n_string_escape_newline": b'["\\\n"]',
    "n_string_escape_upper_u": b'["\\U0041"]',
    "n_string_escape_non_ascii": '["\\é"]'.encode(),
    "n_string_escape_three_digits": b'["\\u004"]',
    "n_string_escape_not_hex": b'["\\u00g0"]',
    "n_string_escape_signed": b'["\\u+041"]',
    "n_string_escape_blank": b'["\\u 041"]',
    "n_string_escape_full_width_digits": '["\\u004１"]'.encode(),
    "n_string_lone_high_surrogate": b'["\\ud800"]',
    "n_string_lone_low_surrogate": b'["\\udc00"]',
    "n_string_high_surrogate_then_text": b'["\\ud800x"]',
    "n_string_high_surrogate_then_escape": b'["\\ud800\\n"]',
    "n_string_high_surrogate_then_escaped_text": b'["\\ud800\\u0041"]',
    "n_string_two_high_surrogates": b'["\\ud800\\ud800"]',
    "n_string_surrogates_reversed": b'["\\udc00\\ud800"]',
    "n_string_pair_then_lone": b'["\\ud83d\\ude00\\ude00"]',
    "n_string_half_pair": b'["\\ud83d\\u"]',
    "n_string_pair_cut": b'["\\ud83d\\ude0',
    "n_name_lone_surrogate": b'{"\\udfff":0}',
    "n_utf8_lone_continuation": b'["\x80"]',
    "n_utf8_overlong_slash": b'["\xc0\xaf"]',
    "n_utf8_overlong_nul": b'["\xc0\x80"]',
    "n_utf8_overlong_three": b'["\xe0\x80\x80"]',
    "n_utf8_overlong_three_last": b'["\xe0\x9f\xbf"]',
    "n_utf8_overlong_four": b'["\xf0\x80\x80\x80"]',
    "n_utf8_overlong_four_last": b'["\xf0\x8f\xbf\xbf"]',
    "n_utf8_surrogate_first": b'["\xed\xa0\x80"]',
    "n_utf8_surrogate_last": b'["\xed\xbf\xbf"]',
    "n_utf8_surrogate_pair": b'["\xed\xa0\xbd\xed\xb8\x80"]',
    "n_utf8_beyond_unicode": b'["\xf4\x90\x80\x80"]',
    "n_utf8_five_bytes": b'["\xf8\x88\x80\x80\x80"]',
    "n_utf8_ff": b'["\xff"]',
    "n_utf8_cut_two": b'["\xc3"]',
    "n_utf8_cut_three": b'["\xe2\x82"]',
    "n_utf8_cut_four": b'["\xf0\x9f\x98"]',
    "n_utf8_cut_by_end": b'["\xe2\x82',
    "n_utf8_in_name": b'{"\xff":0}',
    "n_utf8_outside_string": b"\xff{}",
    "n_latin1": '["é"]'.encode("latin-1"),
    "n_bom": b"\xef\xbb\xbf{}",
    "n_utf16_le": "{}".encode("utf-16-le"),
    "n_utf16_be": "{}".encode("utf-16-be"),
    "n_utf16_bom": "{}".encode("utf-16"),
    "n_utf32_le": "{}".encode("utf-32-le"),
    "n_utf32_be": "{}".encode("utf-32-be"),
    "n_utf7": b"+AHsAfQ-",
    "n_number_plus": b"[+1]",
    "n_number_minus_only": b"[-]",
    "n_number_two_minus": b"[--1]",
    "n_number_minus_blank": b"[- 1]",
    "n_number_leading_zero": b"[01]",
    "n_number_minus_leading_zero": b"[-01]",
    "n_number_two_zeros": b"[00]",
    "n_number_no_digit_before_point": b"[.5]",
    "n_number_minus_point": b"[-.5]",
    "n_number_no_digit_after_point": b"[1.]",
    "n_number_point_exponent": b"[1.e1]",
    "n_number_two_points": b"[1.2.3]",
    "n_number_exponent_empty": b"[1e]",
    "n_number_exponent_sign_only": b"[1e+]",
    "n_number_exponent_two_signs": b"[1e+-1]",
    "n_number_exponent_fraction": b"[1e1.5]",
    "n_number_exponent_twice": b"[1e1e1]",
    "n_number_exponent_only": b"[e1]",
    "n_number_hexadecimal": b"[0x1]",
    "n_number_octal": b"[0o7]",
    "n_number_binary": b"[0b1]",
    "n_number_underscore": b"[1_000]",
    "n_number_comma": b'{"a":1,000}',
    "n_number_suffix": b"[1L]",
    "n_number_blank_inside": b"[1 000]",
    "n_number_blank_before_exponent": b"[1 e1]",
    "n_number_nan": b"[NaN]",
    "n_number_minus_nan": b"[-NaN]",
    "n_number_infinity": b"[Infinity]",
    "n_number_minus_infinity": b"[-Infinity]",
    "n_number_inf": b"[inf]",
    "n_number_full_width": "[１]".encode(),
    "n_number_arabic_digits": "[١]".encode(),
    "n_number_nul_after": b"[1\x00]",
    "n_number_lone_cut": b"-",
    "n_literal_upper": b"[True]",
    "n_literal_all_upper": b"[NULL]",
    "n_literal_cut": b"[tru]",
    "n_literal_cut_by_end": b"tru",
    "n_literal_longer": b"[truee]",
    "n_literal_glued": b"[nullnull]",
    "n_literal_undefined": b"[undefined]",
    "n_literal_none": b"[None]",
    "n_depth_beyond_limit_arrays": b"[" * DEEP + b"]" * DEEP,
    "n_depth_beyond_limit_objects": b'{"a":' * DEEP + b"{}" + b"}" * DEEP,
    "n_depth_beyond_limit_mixed": b'{"a":[' * (DEEP // 2) + b"{}" + b"]}" * (DEEP // 2),
    "n_depth_100000_open": b"[" * 100_000,
    "n_depth_100000_objects": b'{"a":' * 100_000,
    # JSON that we refuse: two readers could read it differently.
    "i_name_twice": b'{"a":0,"a":0}',
    "i_name_twice_empty": b'{"":0,"":0}',
    "i_name_twice_apart": b'{"a":0,"b":{"c":1},"a":2}',
    "i_name_twice_nested": b'{"x":[{"a":0,"a":0}]}',
    "i_name_twice_escaped": b'{"exp":0,"\\u0065xp":0}',
    "i_name_twice_both_escaped": b'{"\\u0065xp":0,"e\\u0078p":0}',
    "i_name_twice_escaped_first": b'{"\\u0065":0,"e":0}',
    "i_name_twice_escaped_solidus": b'{"a/b":0,"a\\/b":0}',
    "i_name_twice_non_ascii": '{"é":0,"\\u00e9":0}'.encode(),
    "i_name_twice_astral": '{"😀":0,"\\ud83d\\ude00":0}'.encode(),
    "i_name_twice_of_many": b"{" + b",".join(b'"n%d":0' % (i % 499) for i in range(500)) + b"}",
    "i_number_below_smallest_integer": b"[-9223372036854775809]",
    "i_number_above_largest_integer": b"[18446744073709551616]",
    "i_number_huge_integer": b"[" + b"9" * 5000 + b"]",
    "i_number_minus_huge_integer": b"[-" + b"9" * 5000 + b"]",
    "i_number_above_largest_double": b"[1.7976931348623159e308]",
    "i_number_infinite": b"[1e400]",
    "i_number_minus_infinite": b"[-1e400]",
    "i_number_infinite_with_a_long_exponent": b"[1e99999999999999999999]",
    "i_number_infinite_by_digits": b"[" + b"9" * 400 + b".0]",
}

Takes = Callable[[bytes], bool]


def native(data: bytes) -> bool:
    """Say whether the scanner takes the text."""
    try:
        _json.check(data)
    except errors.MalformedTokenError as error:
        return error.code != "malformed"
    return True


def reference(data: bytes) -> bool:
    """Say whether the oracle takes the text."""
    try:
        strict_json.parse(data)
    except ValueError:
        return False
    return True


READERS = pytest.mark.parametrize("takes", [native, reference])


def in_an_object(text: bytes) -> bytes:
    """Wrap a text whose top is not an object: only objects are taken."""
    return text if text.lstrip().startswith(b"{") else b'{"value":' + text + b"}"


@READERS
@pytest.mark.parametrize("name", TAKEN)
def test_taken(takes: Takes, name: str) -> None:
    assert takes(in_an_object(TAKEN[name]))


@READERS
@pytest.mark.parametrize("name", REFUSED)
def test_refused(takes: Takes, name: str) -> None:
    assert not takes(REFUSED[name])
    assert not takes(b'{"value":' + REFUSED[name] + b"}")


@READERS
@pytest.mark.parametrize("text", [b"[]", b'"text"', b"1", b"-0.5e1", b"true", b"null", b" [{}] "])
def test_only_an_object_is_taken(takes: Takes, text: bytes) -> None:
    assert not takes(text)
    assert takes(in_an_object(text))


@READERS
@pytest.mark.parametrize("byte", range(256))
def test_only_white_space_may_stand_around(takes: Takes, byte: int) -> None:
    neighbour = bytes([byte])
    expected = neighbour in b" \t\r\n"
    assert takes(b'{"a":1}' + neighbour) is expected
    assert takes(neighbour + b'{"a":1}') is expected


@READERS
def test_every_prefix_of_an_object_is_refused(takes: Takes) -> None:
    text = '{"a":[1,-2.5e3,true,null,"\\u00e9\\ud83d\\ude00é"],"b":{"c":{}}}'.encode()
    assert takes(text)
    assert not any(takes(text[:length]) for length in range(len(text)))


@READERS
@pytest.mark.parametrize("offset", range(9))
@pytest.mark.parametrize("byte", [*range(0x20), 0x22, 0x5C, 0x80, 0xC0, 0xFF])
def test_a_bad_byte_is_seen_wherever_it_stands_in_a_word(takes: Takes, byte: int, offset: int) -> None:
    for size in range(offset + 1, 18):
        inside = bytearray(b"a" * size)
        inside[offset] = byte
        assert not takes(b'{"' + inside + b'":0}')
        assert not takes(b'{"a":"' + inside + b'"}')


@pytest.mark.parametrize("name", TAKEN)
def test_other_readers_read_what_the_oracle_reads(name: str) -> None:
    value = strict_json.parse(TAKEN[name], object_only=False)
    assert value == json.loads(TAKEN[name]) == orjson.loads(TAKEN[name])

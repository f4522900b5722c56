from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linarite.web.durable_api.json_text import InvalidJson, compact, double, shown

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("[1.0, 1e3, 12345678901234567890, 0.1, -0]", "[1.0,1000.0,12345678901234567890,0.1,0]"),
        ("1.10", "1.1"),
        ("-0.0", "-0.0"),
        ("1e30", "1E+30"),
        ("1E-7", "1E-07"),
        ("0.0001", "0.0001"),
        ("123456789012345678901234567890123", "123456789012345678901234567890123"),
        ('{ "z" : 1 , "a":\n2 }', '{"z":1,"a":2}'),
        ('{"a":1,"b":3,"a":2}', '{"a":2,"b":3}'),
        ('"\\u6771\\/\\u0041"', '"東/A"'),
        ('"\\u2028\\u0085\\u001f"', '"\\u2028\\u0085\\u001f"'),
        (" null ", "null"),
    ],
)
def test_a_text_is_rewritten_as_newtonsoft_would(text: str, rewritten: str) -> None:
    assert compact(text) == rewritten


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e14, "100000000000000.0"),
        (1e15, "1E+15"),
        (1234567890123456.0, "1.234567890123456E+15"),
        (-9007199254740991.0, "-9.007199254740991E+15"),
        (1e16, "1E+16"),
        (1.5e-5, "1.5E-05"),
        (1.7976931348623157e308, "1.7976931348623157E+308"),
    ],
)
def test_doubles_have_nets_digits(value: float, text: str) -> None:
    assert double(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_reads_back_as_itself(value: float) -> None:
    assert float(double(value)) == value
    assert math.copysign(1, float(double(value))) == math.copysign(1, value)


@given(JSON_VALUES)
def test_rewriting_keeps_the_value_and_settles(value: object) -> None:
    once = compact(json.dumps(value))
    assert json.loads(once) == value
    assert compact(once) == once


@pytest.mark.parametrize("text", ["", " ", "{bad", "[1,2", "[1,]", "NaN", "// c\n1", "1 trailing", "'a'", "1e999", "[" * 100_000])
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(InvalidJson):
        compact(text)


@pytest.mark.parametrize(
    ("stored", "written"),
    [
        (None, b"null"),
        ("", b'""'),
        ("  ", b'""'),
        ("5", b"5"),
        ('"a"', b'"a"'),
        ("{ }", b"{}"),
        ("plain é", '"plain é"'.encode()),
        ("1e3", b"1000.0"),
    ],
)
def test_stored_texts_are_shown_as_json_or_as_themselves(stored: str | None, written: bytes) -> None:
    assert msgspec.json.encode(shown(stored)) == written

"""JSON with comments: what is taken, what is refused and where."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linarite.jsonc import JsonSyntaxError, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 2]))
def test_plain_json_means_what_the_standard_library_says(value: Any, indent: int | None) -> None:
    assert parse(json.dumps(value, indent=indent)).value == value


@given(JSON)
def test_comments_and_blanks_between_tokens_change_nothing(value: Any) -> None:
    noisy = json.dumps(value, indent=1, separators=("/* , */ ,", "// :\n: ")).replace("\n", " /**/\r\n\t")
    assert parse(f"\ufeff// head\n{noisy}// tail").value == value


@given(JSON)
def test_a_text_cut_short_is_refused(value: Any) -> None:
    text = json.dumps({"a": [value]})
    for end in range(len(text)):
        with pytest.raises(JsonSyntaxError):
            parse(text[:end])


def test_trailing_commas_are_taken_and_lines_are_kept() -> None:
    document = parse('{\n  "a": 1, // one\n  "b": [\n    2,\n    {"c": 3,},\n  ],\n}\n')

    assert document.value == {"a": 1, "b": [2, {"c": 3}]}
    assert document.lines == {(): 1, ("a",): 2, ("b",): 3, ("b", 0): 4, ("b", 1): 5, ("b", 1, "c"): 5}


def test_of_equal_names_the_last_counts() -> None:
    assert parse('{"a": 1,\n"a": 2}').value == {"a": 2}
    assert parse('{"a": 1,\n"a": 2}').lines[("a",)] == 2


def test_slashes_in_strings_are_no_comments() -> None:
    assert parse('["http://x /* y */"]').value == ["http://x /* y */"]


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ('{"version": "2.0"', 1, 18, "expected ',' or '}', found the end of the file"),
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3, "expected ',' or '}', found '\"'"),
        ('{"a" 1}', 1, 6, "expected ':' after a name, found '1'"),
        ('{"a": tru}', 1, 7, "expected a value"),
        ('{"a": 1,,}', 1, 9, "expected a name in double quotes or '}', found ','"),
        ("{,}", 1, 2, "expected a name in double quotes or '}', found ','"),
        ("{'a': 1}", 1, 2, "expected a name in double quotes or '}', found \"'\""),
        ("[1 2]", 1, 4, "expected ',' or ']', found '2'"),
        ("[NaN]", 1, 2, "expected a value, found 'N'"),
        ("[-Infinity]", 1, 2, "-Infinity is not JSON"),
        ("[01]", 1, 3, "expected ',' or ']', found '1'"),
        ('["x', 1, 2, "this string has no end"),
        ('["a\nb"]', 1, 4, "invalid control character"),
        ("[1]\n/* x", 2, 1, "this comment has no end"),
        ("{} {}", 1, 4, "expected the end, found '{'"),
        ("", 1, 1, "expected a value, found the end of the file"),
        ("[" * 70, 1, 65, "nested more than 64 deep"),
        ("[" + "9" * 5000 + "]", 1, 2, "this number is too long"),
    ],
)
def test_a_mistake_is_named_with_line_and_column(text: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(JsonSyntaxError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column, caught.value.problem) == (line, column, problem)


def test_the_message_shows_the_line_and_a_caret() -> None:
    with pytest.raises(JsonSyntaxError) as caught:
        parse('{\r\n\t"a": nope\r\n}')
    assert str(caught.value).split("\n") == ["line 2, column 7: expected a value", '     "a": nope', "          ^"]

"""JSON in Newtonsoft's way."""

from __future__ import annotations

import pytest

from linarite.bindings.newtonsoft import Date, NotJson, compact, double, indented, looks_like_json, parse, plain_text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (
            '{"d": "2020-01-02T03:04:05Z", "n": 1.0, "big": 12345678901234567890, "dup": 1, "dup": 2}',
            '{\n  "d": "2020-01-02T03:04:05Z",\n  "n": 1.0,\n  "big": 12345678901234567890,\n  "dup": 2\n}',
        ),
        ('{"dup": 1, "b": {}, "dup": [1, [], {"c": null}]}', None),
        ("{}", "{}"),
        ("[]", "[]"),
        ('{"text": "é \\"q\\" \\\\ / \\u2028 \\u0001 \\n"}', '{\n  "text": "é \\"q\\" \\\\ / \\u2028 \\u0001 \\n"\n}'),
    ],
)
def test_objects_are_written_with_two_blanks_a_level(text: str, written: str | None) -> None:
    expected = written or '{\n  "dup": [\n    1,\n    [],\n    {\n      "c": null\n    }\n  ],\n  "b": {}\n}'
    assert indented(parse(text)) == expected


@pytest.mark.parametrize(
    ("lenient", "strict"),
    [
        ("{'a': 'it\\'s', 'b': \"'\"}", '{"a":"it\'s","b":"\'"}'),
        ("{'a': 'say \"hi\"'}", '{"a":"say \\"hi\\""}'),
        ("{a: 1, $b_2 : [1, 2,],}", '{"a":1,"$b_2":[1,2]}'),
        ('/* one */ {"a": 1 // two\n, /* three */}', '{"a":1}'),
        ('{"url": "http://x//y", "c": "/* no */"}', '{"url":"http://x//y","c":"/* no */"}'),
        ('{"line": "a\nb"}', '{"line":"a\\nb"}'),
    ],
)
def test_more_than_json_is_read(lenient: str, strict: str) -> None:
    assert compact(parse(lenient)) == strict


@pytest.mark.parametrize("text", ["{'a': True}", "{'a': None}", "{a}", '{"a": }', "{'a': b'x'}", '{"a":1} x', "[1", "", "{1:2}"])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(NotJson):
        parse(text)


def test_deep_nesting_is_refused_at_the_depth_newtonsoft_refuses_it() -> None:
    assert parse("[" * 64 + "]" * 64)
    for depth in (65, 200_000):
        with pytest.raises(NotJson, match="64 deep"):
            parse("[" * depth + "]" * depth)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((1.0, "1"), (0.0, "0"), (-0.0, "-0"), (0.1, "0.1"), (-2.5, "-2.5"), (1e-4, "0.0001"), (1e-5, "1E-05")),
        *((1e14, "100000000000000"), (1e15, "1E+15"), (1e20, "1E+20"), (1e100, "1E+100"), (1.5e300, "1.5E+300")),
        (123456789012345680.0, "1.2345678901234568E+17"),
    ],
)
def test_doubles_read_as_in_dotnet(value: float, text: str) -> None:
    assert double(value) == text


def test_scalars_as_texts_of_their_own() -> None:
    assert [plain_text(value) for value in ("a", 1, 1.0, True, False, None)] == ["a", "1", "1", "True", "False", ""]
    assert plain_text({"b": 2}) == '{\n  "b": 2\n}'


def test_numbers_in_json_keep_a_point() -> None:
    assert compact([1.0, 1e20, 1, float("nan"), float("-inf")]) == '[1.0,1E+20,1,"NaN","-Infinity"]'


def test_instants_are_marked_and_keep_their_text() -> None:
    value = parse('["2020-01-02T03:04:05Z", "2020-01-02T03:04:05.1234567+02:00", "2020-01-02", "2020-01-02T03:04"]')
    assert isinstance(value, list)
    assert [isinstance(item, Date) for item in value] == [True, True, False, False]
    assert compact(value[0]) == '"2020-01-02T03:04:05Z"'


def test_what_looks_like_json() -> None:
    assert all(map(looks_like_json, (' {"a": \n} ', "[1]", "{}")))
    assert not any(map(looks_like_json, ("{]", "5", '"x"', "", "{", '{"a": ')))

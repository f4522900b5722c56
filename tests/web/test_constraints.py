"""Route constraints, against what ASP.NET accepts."""

from __future__ import annotations

import pytest

from linarite.web.constraints import constraint


@pytest.mark.parametrize(
    ("name", "argument", "accepted", "refused"),
    [
        ("int", None, ["5", "-5", "+5", "007", " 5 ", "2147483647", "-2147483648"], ["", "x", "5.0", "2147483648", "99999999999", "５"]),
        ("long", None, ["99999999999", "9223372036854775807"], ["9223372036854775808", "1e5", ""]),
        ("bool", None, ["true", "TRUE", "False", " true "], ["1", "0", "yes", ""]),
        ("decimal", None, ["1", "1.5", "-1.5", ".5", "1,000.5", "5-"], ["1e5", "", "x", "NaN"]),
        ("double", None, ["1.5", "1e5", "-1E-5", ".5", "NaN", "Infinity", "1,000"], ["", "x", "1e", "--1"]),
        ("float", None, ["1.5", "1e5"], ["x"]),
        (
            "guid",
            None,
            [
                "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
                "{6F9619FF-8B86-D011-B42D-00CF4FC964FF}",
                "(6f9619ff-8b86-d011-b42d-00cf4fc964ff)",
                "6f9619ff8b86d011b42d00cf4fc964ff",
            ],
            ["zz", "6f9619ff-8b86-d011-b42d", "{6f9619ff-8b86-d011-b42d-00cf4fc964ff"],
        ),
        ("alpha", None, ["abC", ""], ["ab1", "é", "a b"]),
        ("required", None, ["x"], [""]),
        ("file", None, ["a.txt", "dir/a.b", ".x"], ["a", "a.", "dir.d/a", ""]),
        ("nonfile", None, ["a", "a.", "dir.d/a"], ["a.txt"]),
        ("datetime", None, ["2020-01-02", "2020-01-02T03:04:05Z", "2020-01-02 03:04", "2 Jan 2020", "10:30"], ["x", "2020-13-01", ""]),
        ("minlength", "2", ["ab", "abc"], ["a"]),
        ("maxlength", "2", ["", "ab"], ["abc"]),
        ("length", "3", ["abc"], ["ab", "abcd"]),
        ("length", "2,3", ["ab", "abc"], ["a", "abcd"]),
        ("min", "5", ["5", "6"], ["4", "x"]),
        ("max", "5", ["5", "-1"], ["6", "x"]),
        ("range", "1,10", ["1", "10"], ["0", "11", "x"]),
        ("regex", r"^a\d+$", ["a12", "A12"], ["b12", "a"]),
        ("regex", "b", ["abc"], ["ac"]),
        ("regex", "(?<year>[0-9]{4})", ["2020"], ["20"]),
    ],
)
def test_a_constraint_accepts_what_dotnet_accepts(name: str, argument: str | None, accepted: list[str], refused: list[str]) -> None:
    holds = constraint(name, argument)
    assert [value for value in accepted if not holds(value)] == []
    assert [value for value in refused if holds(value)] == []


def test_a_constraints_name_is_read_in_any_case() -> None:
    assert constraint("INT", None)("5")


@pytest.mark.parametrize(
    ("name", "argument"),
    [("nosuch", None), ("int", "5"), ("length", None), ("range", "1"), ("range", "5,1"), ("length", "x"), ("regex", "(")],
)
def test_a_constraint_nobody_knows_stops_the_route(name: str, argument: str | None) -> None:
    with pytest.raises(ValueError):
        constraint(name, argument)

from __future__ import annotations

import pytest

from linarite.web.durable_api.query import Query


def test_names_are_matched_in_any_case_and_values_are_form_decoded() -> None:
    query = Query(b"REASON=why+%C3%BC%2B&empty=&flag")
    assert query.text("reason") == "why ü+"
    assert query.text("empty") == ""
    assert query.text("flag") == ""
    assert query.text("nothing") is None


def test_repeated_values_are_joined() -> None:
    assert Query(b"a=1&A=2").text("a") == "1,2"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), (" FALSE ", False)])
def test_flags_in_any_case(text: str, value: bool) -> None:
    assert Query(f"f={text}".encode()).flag("f", not value) is value


@pytest.mark.parametrize("text", ["f=1", "f=yes", "f=", "f=true&f=false", ""])
def test_a_flag_that_is_neither_is_absent(text: str) -> None:
    assert Query(text.encode()).flag("f", True) is True
    assert Query(text.encode()).flag("f", False) is False


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("-1", -1), ("abc", None), ("1.5", None), ("", None), ("9" * 30, None)])
def test_whole_numbers(text: str, value: int | None) -> None:
    assert Query(f"n={text}".encode()).whole("n") == value


@pytest.mark.parametrize(
    ("text", "value"), [("0.5", 0.5), ("5", 5.0), ("-1", -1.0), (".5", 0.5), ("x", None), ("nan", None), ("inf", None)]
)
def test_decimal_seconds(text: str, value: float | None) -> None:
    assert Query(f"n={text}".encode()).seconds("n") == value


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("2020-01-01", "2020-01-01T00:00:00Z"),
        ("2020-01-01T02:00:00.250000%2B02:00", "2020-01-01T00:00:00.25Z"),
        ("1-01-01T00:00:00.000000Z", "0001-01-01T00:00:00Z"),
        ("notadate", None),
        ("2020-13-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_instants(text: str, instant: str | None) -> None:
    assert Query(f"t={text}".encode()).instant("t") == instant


def test_lists_are_split_at_commas_and_repetitions() -> None:
    assert Query(b"s=Running,,Failed&s=%20Completed").names("s") == ["Running", "Failed", "Completed"]

"""Timespans as .NET reads and writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linarite.timespans import timespan, timespan_text


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("00:05", timedelta(minutes=5)),
        ("00:00:05", timedelta(seconds=5)),
        (" 1:2:3 ", timedelta(hours=1, minutes=2, seconds=3)),
        ("1.2:3", timedelta(days=1, hours=2, minutes=3)),
        ("1:2:3:4", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("00:00:00.1234567", timedelta(microseconds=123456)),
        ("00:00:00.5", timedelta(milliseconds=500)),
        ("-00:00:01", timedelta(seconds=-1)),
        ("7", timedelta(days=7)),
        ("24:00:00", timedelta(days=24)),
        ("30:10:05", timedelta(days=30, hours=10, minutes=5)),
    ],
)
def test_reads(text: str, span: timedelta) -> None:
    assert timespan(text) == span


@pytest.mark.parametrize(
    "text", ["", "a", "24:00", "1.24:00", "00:60", "00:00:60", "24:00:00.5", "+1", "1.", "1:", "00:00:00.12345678", "99999999"]
)
def test_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="is not a timespan such as"):
        timespan(text)


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=90), "00:01:30"),
        (timedelta(days=24), "24.00:00:00"),
        (timedelta(seconds=-1), "-00:00:01"),
        (timedelta(milliseconds=500), "00:00:00.5000000"),
    ],
)
def test_writes(span: timedelta, text: str) -> None:
    assert timespan_text(span) == text


@given(st.timedeltas(min_value=timedelta(days=-10_000), max_value=timedelta(days=10_000)))
def test_what_is_written_reads_back(span: timedelta) -> None:
    assert timespan(timespan_text(span)) == span

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linarite.timestamps import later, moment, seven_digits, timestamp, trimmed

UTC_MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(timezone.utc))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 6, 24, 10, 0, 0, 123456, timezone.utc), "2026-06-24T10:00:00.123456Z"),
        (datetime(2026, 6, 24, 10, 0, 0, 120000, timezone.utc), "2026-06-24T10:00:00.12Z"),
        (datetime(2026, 6, 24, 10, 0, 0, 0, timezone.utc), "2026-06-24T10:00:00Z"),
        (datetime(2026, 6, 24, 10, 0, 10, 0, timezone(timedelta(hours=2))), "2026-06-24T08:00:10Z"),
        (datetime(1, 1, 1, tzinfo=timezone.utc), "0001-01-01T00:00:00Z"),
    ],
)
def test_wire_form(value: datetime, text: str) -> None:
    assert timestamp(value) == text


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        timestamp(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-24T10:00:00.1234567Z",
        "2026-06-24T10:00:00.123456",
        "2026-06-24 10:00:00.123456789Z",
        "2026-06-24T12:00:00.1234567+02:00",
        "2026-06-24T04:30:00.1234567-0530",
    ],
)
def test_what_is_read_as_one_instant(text: str) -> None:
    assert moment(text) == datetime(2026, 6, 24, 10, 0, 0, 123456, timezone.utc)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-06-24", "2026-06-24T10:00", "2026-13-01T00:00:00Z", "2026-06-24T10:00:00Zulu"])
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError):
        moment(text)


@given(UTC_MOMENTS)
def test_a_moment_comes_back_from_its_wire_form(value: datetime) -> None:
    assert moment(timestamp(value)) == value


@given(UTC_MOMENTS, UTC_MOMENTS)
def test_with_seven_digits_text_sorts_as_time(one: datetime, other: datetime) -> None:
    texts = sorted([seven_digits(timestamp(one)), seven_digits(timestamp(other))])
    assert [moment(text) for text in texts] == sorted([one, other])


@pytest.mark.parametrize(
    ("text", "padded", "bare"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0000000Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.12Z", "2026-01-01T00:00:00.1200000Z", "2026-01-01T00:00:00.12Z"),
        ("2026-01-01T00:00:10.0000000Z", "2026-01-01T00:00:10.0000000Z", "2026-01-01T00:00:10Z"),
        ("2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00.1234567Z"),
    ],
)
def test_the_tables_form_and_the_messages(text: str, padded: str, bare: str) -> None:
    assert seven_digits(text) == padded
    assert trimmed(text) == bare
    assert trimmed(padded) == bare


def test_the_later_of_two_to_the_last_digit() -> None:
    early, late = "2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00.1234568Z"
    assert later(early, late) == late
    assert later(late, early) == late
    assert later("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z") == "2026-01-01T00:00:00.5Z"

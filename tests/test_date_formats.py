"""Dates in .NET's formats."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from linarite.date_formats import format_date

MOMENT = datetime(2026, 3, 5, 7, 8, 9, 120000, tzinfo=timezone.utc)
EVENING = datetime(2009, 12, 15, 13, 45, 30, tzinfo=timezone.utc)
MIDNIGHT = datetime(2009, 6, 15, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("moment", "form", "text"),
    [
        (MOMENT, "yyyy-MM-ddTHH-mm-ssK", "2026-03-05T07-08-09Z"),
        (MOMENT, "yyyyMMdd", "20260305"),
        (MOMENT, "yy y yyy yyyyy", "26 26 2026 02026"),
        (MOMENT, "d/M", "5/3"),
        (MOMENT, "ddd dddd MMM MMMM", "Thu Thursday Mar March"),
        (MOMENT, "H:m:s HH:mm:ss", "7:8:9 07:08:09"),
        (EVENING, "h hh t tt", "1 01 P PM"),
        (MIDNIGHT, "h tt H", "12 AM 0"),
        (MOMENT, "fff fffffff", "120 1200000"),
        (MOMENT, "ss.FFF|FF", "09.12|12"),
        (EVENING, "ss.FFF|F|", "30||"),
        (MOMENT, "z zz zzz gg", "+0 +00 +00:00 A.D."),
        (MOMENT, "'at' HH\" o'clock\" \\d %d", "at 07 o'clock d 5"),
        (EVENING, "d", "12/15/2009"),
        (EVENING, "D", "Tuesday, 15 December 2009"),
        (EVENING, "f", "Tuesday, 15 December 2009 13:45"),
        (EVENING, "F", "Tuesday, 15 December 2009 13:45:30"),
        (EVENING, "g", "12/15/2009 13:45"),
        (EVENING, "G", "12/15/2009 13:45:30"),
        (EVENING, "M", "December 15"),
        (EVENING, "o", "2009-12-15T13:45:30.0000000Z"),
        (EVENING, "R", "Tue, 15 Dec 2009 13:45:30 GMT"),
        (EVENING, "s", "2009-12-15T13:45:30"),
        (EVENING, "t", "13:45"),
        (EVENING, "T", "13:45:30"),
        (EVENING, "u", "2009-12-15 13:45:30Z"),
        (EVENING, "Y", "2009 December"),
        (EVENING, "%d", "15"),
    ],
)
def test_writes(moment: datetime, form: str, text: str) -> None:
    assert format_date(moment, form) == text


@pytest.mark.parametrize("form", ["x", "/", "ffffffff", "yyyy'", '"'])
def test_refuses(form: str) -> None:
    with pytest.raises(ValueError, match="date format"):
        format_date(MOMENT, form)

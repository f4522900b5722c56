"""Spans of time in .NET's text form, as host.json, retry policies and timers write them: `[-][d.]hh:mm[:ss[.fffffff]]`, or days alone.

Source: .NET `TimeSpan.Parse` and its "c" format, invariant culture.
"""

from __future__ import annotations

import re
from datetime import timedelta

_FORM = re.compile(r"(-?)(?:(\d+)|(?:(\d+)[.:])??(\d+):(\d+)(?::(\d+)(?:\.(\d{1,7}))?)?)", re.ASCII)
_MAX_DAYS = 10_675_199


def timespan(text: str) -> timedelta:
    """The span that .NET reads from `text`, cut to microseconds. Raises ValueError.

    Two surprises are .NET's: a number alone is days, and `24:00:00` is 24 days, since 24 is no hour.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise _not_one(text)
    sign, alone, days, hours, minutes, seconds, fraction = match.groups()
    parts = [int(part or 0) for part in (days or alone, hours, minutes, seconds)]
    if parts[1] > 23 and days is None and seconds is not None and fraction is None:
        parts = [parts[1], parts[2], parts[3], 0]
    if parts[0] > _MAX_DAYS or parts[1] > 23 or parts[2] > 59 or parts[3] > 59:
        raise _not_one(text)
    microseconds = int((fraction or "").ljust(6, "0")[:6])
    span = timedelta(days=parts[0], hours=parts[1], minutes=parts[2], seconds=parts[3], microseconds=microseconds)
    return -span if sign else span


def _not_one(text: str) -> ValueError:
    return ValueError(f"{text!r} is not a timespan such as 00:05:00 or 1.12:00:00")


def timespan_text(span: timedelta) -> str:
    """.NET's text of a span, e.g. `00:01:30`, `1.00:00:00`, `00:00:00.5000000`."""
    sign, span = ("-", -span) if span < timedelta(0) else ("", span)
    minutes, seconds = divmod(span.seconds, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds:06}0" if span.microseconds else ""
    return f"{sign}{days}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"

"""UTC instants as text, exact to 100 ns.

Durable Task stores and echoes instants with seven fractional digits, one more than `datetime` keeps, so an instant that only
passes through stays text. The form is that of the wire: `2026-06-24T10:00:00.1234567Z`, trailing zeros of the fraction dropped.
Source: Newtonsoft.Json's ISO 8601 dates, as seen in every recorded message.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

Timestamp = str
"""UTC instant in the wire's form; see the module."""

_FORM = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)?$")


def timestamp(moment: datetime) -> Timestamp:
    """Wire form of an aware `datetime`; microseconds become the first six digits."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; the wire knows only UTC instants")
    text = moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds").rstrip("0").rstrip(".")
    return text + "Z"


def moment(text: str) -> datetime:
    """Aware UTC `datetime` of a timestamp, cut to microseconds; text without a zone is UTC.

    Accepts no to nine fractional digits, `Z`, an offset or nothing. Raises ValueError for anything else.
    """
    match = _FORM.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not an ISO 8601 instant such as 2026-06-24T10:00:00.1234567Z")
    day, clock, fraction, zone = match.groups()
    value = datetime.fromisoformat(f"{day}T{clock}").replace(microsecond=int((fraction or "0").ljust(6, "0")[:6]))
    if zone in (None, "Z"):
        return value.replace(tzinfo=timezone.utc)
    sign = -1 if zone[0] == "-" else 1
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return (value - sign * offset).replace(tzinfo=timezone.utc)


def seven_digits(text: Timestamp) -> Timestamp:
    """The table's form of a timestamp: always seven fractional digits, e.g. `…:00.1200000Z`."""
    head, _, fraction = text.rstrip("Z").partition(".")
    return f"{head}.{fraction.ljust(7, '0')[:7]}Z"


def trimmed(text: Timestamp) -> Timestamp:
    """The message's form of a timestamp: trailing zeros of the fraction, and an all-zero fraction, dropped."""
    head, dot, fraction = text.rstrip("Z").partition(".")
    return f"{head}{dot}{fraction}".rstrip("0").rstrip(".") + "Z" if dot else text


def later(one: Timestamp, other: Timestamp) -> Timestamp:
    """The later of two timestamps, to the last of their digits."""
    if len(one) == len(other):  # with as many digits their order is that of their texts, and a long history has many to compare
        return max(one, other)
    return one if seven_digits(one) >= seven_digits(other) else other

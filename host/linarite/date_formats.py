"""UTC instants in .NET's date formats, standard and custom, invariant culture. Pure.

Source: ".NET: Standard date and time format strings" and "Custom date and time format strings", learn.microsoft.com.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_STANDARD = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "O": "yyyy-MM-ddTHH:mm:ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_TOKEN = re.compile(r"""(?P<run>([dfFghHmMstyz])\2*)|K|"[^"]*"|'[^']*'|\\.|%(?=[^%])|\.(?P<optional>F+)|.""", re.DOTALL)


def format_date(moment: datetime, form: str) -> str:
    """An instant, UTC, in a .NET format; a single character is a standard format. Raises ValueError for a format that is none."""
    if len(form) == 1:
        if form not in _STANDARD:
            raise ValueError(f"'{form}' is no standard date format")
        form = _STANDARD[form]
    return "".join(_part(moment, match) for match in _TOKEN.finditer(form))


def _part(moment: datetime, match: re.Match[str]) -> str:
    token = match[0]
    if match["run"]:
        return _RUNS[token[0]](moment, len(token))
    if match["optional"]:
        digits = _fraction(moment, len(match["optional"])).rstrip("0")
        return f".{digits}" if digits else ""
    if token == "K":
        return "Z"
    if token[0] in "\"'\\":
        if len(token) == 1:
            raise ValueError("a quotation in the date format has no end")
        return token[1:] if token[0] == "\\" else token[1:-1]
    return "" if token == "%" else token


def _fraction(moment: datetime, length: int) -> str:
    if length > 7:
        raise ValueError("a date format has at most seven digits of a second")
    return f"{moment.microsecond:06}0"[:length]


def _number(value: int, length: int) -> str:
    return f"{value:0{min(length, 2)}}"


def _day(moment: datetime, length: int) -> str:
    if length <= 2:
        return _number(moment.day, length)
    name = _DAYS[moment.weekday()]
    return name[:3] if length == 3 else name


def _month(moment: datetime, length: int) -> str:
    if length <= 2:
        return _number(moment.month, length)
    name = _MONTHS[moment.month - 1]
    return name[:3] if length == 3 else name


def _year(moment: datetime, length: int) -> str:
    return _number(moment.year % 100, length) if length <= 2 else f"{moment.year:0{length}}"


def _half(moment: datetime, length: int) -> str:
    return ("AM" if moment.hour < 12 else "PM")[: min(length, 2)]


def _offset(_: datetime, length: int) -> str:
    return ("+0", "+00", "+00:00")[min(length, 3) - 1]


_RUNS: dict[str, Callable[[datetime, int], str]] = {
    "d": _day,
    "f": _fraction,
    "F": lambda moment, length: _fraction(moment, length).rstrip("0"),
    "g": lambda _, __: "A.D.",
    "h": lambda moment, length: _number(moment.hour % 12 or 12, length),
    "H": lambda moment, length: _number(moment.hour, length),
    "m": lambda moment, length: _number(moment.minute, length),
    "M": _month,
    "s": lambda moment, length: _number(moment.second, length),
    "t": _half,
    "y": _year,
    "z": _offset,
}

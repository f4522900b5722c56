"""Constraints of route parameters: `{id:int}`, `{name:length(2,8)}`, `{code:regex(^[a-z]+$)}`.

Each is a claim about the text of one value; nothing is converted. Numbers are read as .NET reads them with the invariant culture.
Source: ASP.NET Core, Microsoft.AspNetCore.Routing.Constraints; functions-host section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

Constraint = Callable[[str], bool]
"""Whether a value satisfies one constraint."""

_SPACE = r"[\t-\r ]*"
_INTEGER = re.compile(rf"{_SPACE}([+-]?[0-9]+){_SPACE}")
_DECIMAL = re.compile(rf"{_SPACE}[+-]?(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)[+-]?{_SPACE}")
_DOUBLE = re.compile(
    rf"{_SPACE}(?:[+-]?(?:(?:[0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|infinity|∞)|nan|-nan){_SPACE}", re.IGNORECASE
)
_HEX = "[0-9a-f]"
_DASHED = rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_GUID = re.compile(rf"\s*(?:{_HEX}{{32}}|{_DASHED}|\{{{_DASHED}\}}|\({_DASHED}\))\s*", re.IGNORECASE)
_ALPHA = re.compile("[a-z]*", re.IGNORECASE | re.ASCII)
_ZONE = re.compile(r"\s*(?:Z|GMT|[+-]\d\d?:?\d\d)$", re.IGNORECASE)
_FRACTION = re.compile(r"(:\d\d)[.,]\d{1,7}")
_DAYS = ("%Y-%m-%d", "%Y-%m", "%m-%d-%Y", "%Y.%m.%d", "%m.%d.%Y", "%m %d %Y", "%Y %m %d")
_NAMED_DAYS = ("%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%b %Y", "%B %Y", "%b %d", "%B %d", "%a %d %b %Y", "%A %d %B %Y")
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%I %p")
_MOMENTS = (*_DAYS, *_NAMED_DAYS, *_TIMES, *(f"{day} {time}" for day in (*_DAYS, *_NAMED_DAYS) for time in _TIMES))
_INT32, _INT64 = 2**31, 2**63


def constraint(name: str, argument: str | None) -> Constraint:
    """The check that a constraint stands for. Raises ValueError if ASP.NET would refuse to build the route."""
    if argument is None:
        if (plain := _PLAIN.get(name.lower())) is not None:
            return plain
    elif (build := _WITH_ARGUMENT.get(name.lower())) is not None:
        return build(argument)
    written = name if argument is None else f"{name}({argument})"
    known = ", ".join([*_PLAIN, *(f"{known}(…)" for known in _WITH_ARGUMENT)])
    raise ValueError(f"'{written}' is not a route constraint; there are {known}")


def _integer(value: str, limit: int) -> int | None:
    match = _INTEGER.fullmatch(value)
    if match is None:
        return None
    number = int(match[1])
    return number if -limit <= number < limit else None


def _is_date(value: str) -> bool:
    """Not all that .NET's DateTime.TryParse takes, which is nearly anything; ISO forms, and days and times as people write them."""
    text = _ZONE.sub("", value.strip())
    text = _FRACTION.sub(r"\1", text).replace("T", " ") if text[:1].isdigit() else text.replace(",", "")
    return any(_parses(text, form) for form in _MOMENTS)


def _parses(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _is_file(value: str) -> bool:
    _, dot, extension = value.rpartition("/")[2].partition(".")
    return bool(dot) and extension.strip(".") != ""


def _between(low: int | None, high: int | None) -> Constraint:
    def holds(value: str) -> bool:
        number = _integer(value, _INT64)
        return number is not None and (low is None or number >= low) and (high is None or number <= high)

    return holds


def _of_length(low: int, high: int | None) -> Constraint:
    if low < 0 or (high is not None and high < low):
        raise ValueError(f"the length must be 0 or more, and the maximum no smaller than the minimum, not ({low}, {high})")
    return lambda value: low <= len(value) and (high is None or len(value) <= high)


def _numbers(argument: str, *counts: int) -> list[int]:
    values = [_integer(part, _INT64) for part in argument.split(",")]
    numbers = [value for value in values if value is not None]
    if len(numbers) != len(values) or len(values) not in counts:
        raise ValueError(f"'({argument})' should hold {' or '.join(map(str, counts))} whole number(s)")
    return numbers


def _length(argument: str) -> Constraint:
    numbers = _numbers(argument, 1, 2)
    return _of_length(numbers[0], numbers[-1])


def _range(argument: str) -> Constraint:
    low, high = _numbers(argument, 2)
    if low > high:
        raise ValueError(f"range({argument}) has its minimum above its maximum")
    return _between(low, high)


def _regex(argument: str) -> Constraint:
    """.NET's pattern, unanchored and regardless of case; `(?<name>…)` is spelled differently in Python."""
    try:
        pattern = re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", argument), re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"regex({argument}) is not a pattern: {error}") from None
    return lambda value: pattern.search(value) is not None


_PLAIN: dict[str, Constraint] = {
    "int": lambda value: _integer(value, _INT32) is not None,
    "long": lambda value: _integer(value, _INT64) is not None,
    "bool": lambda value: value.strip("\0\t\n\v\f\r ").lower() in ("true", "false"),
    "datetime": _is_date,
    "decimal": lambda value: _DECIMAL.fullmatch(value) is not None,
    "double": lambda value: _DOUBLE.fullmatch(value) is not None,
    "float": lambda value: _DOUBLE.fullmatch(value) is not None,
    "guid": lambda value: _GUID.fullmatch(value) is not None,
    "alpha": lambda value: _ALPHA.fullmatch(value) is not None,
    "required": lambda value: value != "",
    "file": _is_file,
    "nonfile": lambda value: not _is_file(value),
}

_WITH_ARGUMENT: dict[str, Callable[[str], Constraint]] = {
    "minlength": lambda argument: _of_length(_numbers(argument, 1)[0], None),
    "maxlength": lambda argument: _of_length(0, _numbers(argument, 1)[0]),
    "length": _length,
    "min": lambda argument: _between(_numbers(argument, 1)[0], None),
    "max": lambda argument: _between(None, _numbers(argument, 1)[0]),
    "range": _range,
    "regex": _regex,
}

"""Timer schedules: NCRONTAB expressions and timespans, and when they are due next. Pure; time and zone are arguments.

NCRONTAB is not cron: day of month and day of week must both match, 7 is no Sunday, names count by prefix, `9-5` is `5-9`.
Source: atifaziz/NCrontab, CrontabField and CrontabSchedule; azure-webjobs-sdk-extensions, CronSchedule, ConstantSchedule, TimerSchedule.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import groupby
from typing import NamedTuple

from linarite.errors import AppError
from linarite.timespans import timespan, timespan_text

_SECOND = timedelta(seconds=1)
_LONGEST_WAIT_YEARS = 60
"""29 February on a given day of the week comes every 40 years at worst; what is not due in this time never is."""


class BadSchedule(AppError):
    """A timer's schedule is neither an NCRONTAB expression nor a timespan."""


class _Kind(NamedTuple):
    name: str
    first: int
    last: int
    names: tuple[str, ...] = ()


_MONTHS = "January February March April May June July August September October November December"
_DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday"
_KINDS = (
    _Kind("second", 0, 59),
    _Kind("minute", 0, 59),
    _Kind("hour", 0, 23),
    _Kind("day", 1, 31),
    _Kind("month", 1, 12, tuple(_MONTHS.lower().split())),
    _Kind("day of week", 0, 6, tuple(_DAYS.lower().split())),
)
_ITEM = re.compile(r"(\*|[^-/*]+)(?:-([^-/*]+))?(?:/([+-]?\d+))?", re.ASCII)


def _field(text: str, kind: _Kind) -> tuple[int, ...]:
    """The values of one field of an expression, in order. Raises ValueError with what is wrong."""
    values: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None or (match[1] == "*" and match[2]):
            raise ValueError(f"'{item}' is no {kind.name}")
        start, end, step = match.groups()
        if start == "*":
            low, high = kind.first, kind.last
        else:
            low = _value(start, kind)
            high = _value(end, kind) if end else kind.last if step else low
        values.update(range(min(low, high), max(low, high) + 1, max(int(step or 1), 1)))
    return tuple(sorted(values))


def _value(text: str, kind: _Kind) -> int:
    if text.isascii() and text.isdigit():
        value = int(text[:9])
        if not kind.first <= value <= kind.last:
            raise ValueError(f"{text} is no {kind.name}, which goes from {kind.first} to {kind.last}")
        return value
    for position, name in enumerate(kind.names):
        if name.startswith(text.lower()):
            return position + kind.first
    raise ValueError(f"'{text}' is no {kind.name}")


def _field_text(values: Sequence[int], kind: _Kind) -> str:
    """A field as NCrontab writes it: `*` for everything, runs as `a-b`."""
    if len(values) == kind.last - kind.first + 1:
        return "*"
    runs = [[value for _, value in run] for _, run in groupby(enumerate(values), lambda pair: pair[1] - pair[0])]
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """An NCRONTAB expression. `text` is its expanded form, the one the runtime shows.

    `is_interval`: a field down to the hour holds a wildcard or a run, so that it goes on through both copies of the hour that
    is repeated when daylight saving ends; other schedules run once on that day, in the first copy.
    """

    text: str
    is_interval: bool
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    week_days: tuple[int, ...]

    def __str__(self) -> str:
        return f"Cron: '{self.text}'"

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """The next instant (UTC) after `moment` that is due on the clocks of `zone`, or None if there is none.

        A time that clocks skip when daylight saving begins is due that much later.
        """
        local = moment.astimezone(zone)
        wall = local.replace(tzinfo=None, fold=0)
        found = self.next_wall(wall)
        if self.is_interval and local.fold == 0 and _overlap(wall, zone):
            turn = _turn(moment, zone)
            if found is None or _instant(found, zone, 0) >= turn:
                again = turn.astimezone(zone).replace(tzinfo=None, fold=0)
                found = self.next_wall(again - _SECOND)
                return _instant(found, zone, 1) if found else None
        while found is not None:
            first = _instant(found, zone, 0)
            if first > moment or not _overlap(found, zone):
                return first
            if self.is_interval:
                return _instant(found, zone, 1)
            found = self.next_wall(found)  # its first copy is over, and once is enough
        return None

    def next_wall(self, wall: datetime) -> datetime | None:
        """The next due time after `wall` on a clock that knows no zone."""
        start = wall.replace(microsecond=0) + _SECOND
        clock = self._first_time(start.time())
        for day in self._days_from(start.date()):
            if day > start.date():
                return datetime.combine(day, time(self.hours[0], self.minutes[0], self.seconds[0]))
            if clock is not None:
                return datetime.combine(day, clock)
        return None

    def _days_from(self, start: date) -> Iterator[date]:
        for year in range(start.year, min(start.year + _LONGEST_WAIT_YEARS, 9999) + 1):
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in self.days:
                    if day > monthrange(year, month)[1]:
                        break
                    found = date(year, month, day)
                    if found >= start and found.isoweekday() % 7 in self.week_days:
                        yield found

    def _first_time(self, start: time) -> time | None:
        """The first time of day that is due, not before `start`."""
        hour = _at_least(self.hours, start.hour)
        if hour is None or hour > start.hour:
            return None if hour is None else time(hour, self.minutes[0], self.seconds[0])
        minute = _at_least(self.minutes, start.minute)
        second = _at_least(self.seconds, start.second) if minute == start.minute else self.seconds[0]
        if minute is not None and second is None:
            minute, second = _at_least(self.minutes, start.minute + 1), self.seconds[0]
        if minute is not None and second is not None:
            return time(hour, minute, second)
        later = _at_least(self.hours, start.hour + 1)
        return None if later is None else time(later, self.minutes[0], self.seconds[0])


@dataclass(frozen=True, slots=True)
class ConstantSchedule:
    """An interval between the starts of runs, whatever clocks do."""

    interval: timedelta

    def __str__(self) -> str:
        return f"Constant: {timespan_text(self.interval)}"

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """`moment` and an interval; None past the end of the calendar."""
        try:
            return moment + self.interval
        except OverflowError:
            return None


Schedule = CronSchedule | ConstantSchedule


def parse_schedule(text: str) -> Schedule:
    """The schedule that a text means: an NCRONTAB expression of 5 or 6 fields, or a timespan. Raises BadSchedule."""
    text = text.strip()
    fields = text.split()
    try:
        if len(fields) in (5, 6):
            return _cron(fields)
        interval = timespan(text)
    except ValueError as error:
        reason = str(error) if len(fields) in (5, 6) else "Expected 5 or 6 fields, such as 0 */5 * * * *, or a timespan, such as 00:05:00"
        raise BadSchedule(
            f"The schedule expression '{text}' was not recognized as a valid cron expression or timespan string. {reason}."
        ) from None
    if interval <= timedelta(0):
        raise BadSchedule(f"The schedule expression '{text}' is an interval of nothing or less; the timer would never rest.")
    return ConstantSchedule(interval)


def _cron(fields: Sequence[str]) -> CronSchedule:
    kinds = _KINDS[6 - len(fields) :]
    values = [_field(text, kind) for text, kind in zip(fields, kinds, strict=True)]
    texts = [_field_text(value, kind) for value, kind in zip(values, kinds, strict=True)]
    is_interval = any(sign in text for text in texts[: len(texts) - 3] for sign in "*-/")
    seconds = values[0] if len(values) == 6 else (0,)
    minutes, hours, days, months, week_days = values[-5:]
    return CronSchedule(" ".join(texts), is_interval, seconds, minutes, hours, days, months, week_days)


def is_too_frequent_to_monitor(schedule: Schedule, now: datetime, zone: tzinfo) -> bool:
    """Whether the runtime keeps no record of the schedule's runs, since they are less than a minute apart."""
    if isinstance(schedule, ConstantSchedule):
        return schedule.interval < timedelta(minutes=1)
    if set(schedule.text.split(" ")[1:]) != {"*"}:
        return False
    wall = now.astimezone(zone).replace(tzinfo=None, fold=0)
    first = schedule.next_wall(wall)
    second = schedule.next_wall(first) if first else None
    return second is not None and second < wall + timedelta(minutes=1)


def occurrences(schedule: Schedule, moment: datetime, zone: tzinfo, count: int) -> list[datetime]:
    """The next `count` due instants after `moment`; fewer if it ends."""
    found: list[datetime] = []
    while len(found) < count and (due := schedule.next_after(found[-1] if found else moment, zone)) is not None:
        found.append(due)
    return found


def occurrence_text(moment: datetime, zone: tzinfo) -> str:
    """A due instant as the runtime lists it: `11/23/2026 05:58:00Z`, or local time with UTC behind it in brackets."""
    universal = moment.astimezone(timezone.utc).strftime("%m/%d/%Y %H:%M:%SZ")
    if zone.utcoffset(None) == timedelta(0):
        return universal
    local = moment.astimezone(zone)
    return f"{local:%m/%d/%Y %H:%M:%S}{offset_text(local)} ({universal})"


def offset_text(local: datetime) -> str:
    """How far the time's zone is from UTC, e.g. `+05:30`."""
    offset = local.strftime("%z")
    return f"{offset[:3]}:{offset[3:5]}"


def _at_least(values: tuple[int, ...], least: int) -> int | None:
    position = bisect_left(values, least)
    return values[position] if position < len(values) else None


def _instant(wall: datetime, zone: tzinfo, fold: int) -> datetime:
    """The instant of a wall time: its first (fold 0) or second (1) copy; one that clocks skip, as if they had not been put forward yet."""
    return wall.replace(tzinfo=zone, fold=fold).astimezone(timezone.utc)


def _overlap(wall: datetime, zone: tzinfo) -> bool:
    """Whether clocks show this time twice."""
    return _instant(wall, zone, 0) < _instant(wall, zone, 1)


def _turn(moment: datetime, zone: tzinfo) -> datetime:
    """When clocks are put back, for a moment in the first copy of the repeated time."""
    wall = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    before = moment.replace(microsecond=0)
    after = before + (_instant(wall, zone, 1) - _instant(wall, zone, 0)) + _SECOND
    offset = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after

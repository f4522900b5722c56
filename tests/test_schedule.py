"""NCRONTAB and timespans: grammar, next occurrences against brute force, daylight saving, the texts that are logged."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from linarite.schedule import (
    BadSchedule,
    ConstantSchedule,
    CronSchedule,
    is_too_frequent_to_monitor,
    occurrence_text,
    occurrences,
    parse_schedule,
)

UTC = timezone.utc
LA = ZoneInfo("America/Los_Angeles")
SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    """An instant as written; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def cron(text: str) -> CronSchedule:
    schedule = parse_schedule(text)
    assert isinstance(schedule, CronSchedule)
    return schedule


# The grammar


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("*/5 * * * * *", "0,5,10,15,20,25,30,35,40,45,50,55 * * * * *"),
        ("* * * * *", "* * * * *"),
        ("  0   0 1 1 *  ", "0 0 1 1 *"),
        ("0 0 0 1 1 *", "0 0 0 1 1 *"),
        ("1,2,3 5,1 * * *", "1-3 1,5 * * *"),
        ("10/20 * * * *", "10,30,50 * * * *"),
        ("9-5 * * * *", "5-9 * * * *"),
        ("0-10/5,30 * * * *", "0,5,10,30 * * * *"),
        ("*/0 * * * *", "* * * * *"),
        ("*/-3 * * * *", "* * * * *"),
        ("7/0 0 * * *", "7-59 0 * * *"),
        ("5-5/2 0 * * *", "5 0 * * *"),
        ("0 0 1 J mon-fri", "0 0 1 1 1-5"),
        ("0 0 1 ju,AUG-dec M", "0 0 1 6,8-12 1"),
        ("0 0 1 ma,au *", "0 0 1 3,8 *"),
        ("0 0 * * S", "0 0 * * 0"),
        ("0 0 * * sat-sun", "0 0 * * *"),
        ("0 0 1-31 * 0-6", "0 0 * * *"),
    ],
)
def test_expressions_are_shown_expanded(text: str, expanded: str) -> None:
    assert cron(text).text == expanded


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("60 * * * * *", "60 is no second, which goes from 0 to 59."),
        ("* 24 * * *", "24 is no hour, which goes from 0 to 23."),
        ("* * 0 * *", "0 is no day, which goes from 1 to 31."),
        ("* * * 13 *", "13 is no month, which goes from 1 to 12."),
        ("* * * * 7", "7 is no day of week, which goes from 0 to 6."),
        ("* * ? * *", "'?' is no day."),
        ("* * L * *", "'L' is no day."),
        ("* * * * MON#1", "'MON#1' is no day of week."),
        ("* * * Foo *", "'Foo' is no month."),
        ("1,,2 * * * *", "'' is no minute."),
        ("5- * * * *", "'5-' is no minute."),
        ("-5 * * * *", "'-5' is no minute."),
        ("*-5 * * * *", "'*-5' is no minute."),
        ("5/x * * * *", "'5/x' is no minute."),
        ("5/1/1 * * * *", "'5/1/1' is no minute."),
        ("* * * *", "Expected 5 or 6 fields, such as 0 */5 * * * *, or a timespan, such as 00:05:00."),
        ("* * * * * * 2026", "Expected 5 or 6 fields, such as 0 */5 * * * *, or a timespan, such as 00:05:00."),
        ("@daily", "Expected 5 or 6 fields, such as 0 */5 * * * *, or a timespan, such as 00:05:00."),
        ("", "Expected 5 or 6 fields, such as 0 */5 * * * *, or a timespan, such as 00:05:00."),
    ],
)
def test_what_is_no_schedule_is_refused_in_upstream_s_words_and_a_reason(text: str, reason: str) -> None:
    with pytest.raises(BadSchedule) as caught:
        parse_schedule(text)
    sentence = f"The schedule expression '{text}' was not recognized as a valid cron expression or timespan string."
    assert str(caught.value) == f"{sentence} {reason}"


@pytest.mark.parametrize("text", ["00:00:00", "-00:01:00", "0"])
def test_an_interval_without_rest_is_refused(text: str) -> None:
    with pytest.raises(BadSchedule, match="would never rest"):
        parse_schedule(text)


@pytest.mark.parametrize(
    ("text", "interval"),
    [("00:01:30", timedelta(seconds=90)), ("24:00:00", timedelta(days=24)), (" 1.00:00:00 ", timedelta(days=1)), ("2", timedelta(days=2))],
)
def test_timespans_are_constant_schedules(text: str, interval: timedelta) -> None:
    assert parse_schedule(text) == ConstantSchedule(interval)


# Next occurrences


def brute_force(fields: tuple[frozenset[int], ...], wall: datetime, limit: datetime) -> datetime | None:
    """The first second after `wall` that every field admits, found by trying them."""
    seconds, minutes, hours, days, months, week_days = fields
    wall = wall.replace(microsecond=0) + SECOND
    while wall < limit:
        if wall.day not in days or wall.month not in months or (wall.weekday() + 1) % 7 not in week_days:
            wall = wall.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        elif wall.hour not in hours:
            wall = wall.replace(minute=0, second=0) + timedelta(hours=1)
        elif wall.minute not in minutes:
            wall = wall.replace(second=0) + timedelta(minutes=1)
        elif wall.second not in seconds:
            wall += SECOND
        else:
            return wall
    return None


def values(first: int, last: int) -> st.SearchStrategy[frozenset[int]]:
    some = st.frozensets(st.integers(first, last), min_size=1, max_size=4)
    return some | st.just(frozenset(range(first, last + 1))) | st.just(frozenset({first}))


FIELDS = st.tuples(values(0, 59), values(0, 59), values(0, 23), values(1, 31), values(1, 12), values(0, 6))
WALLS = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1))


def expression(fields: tuple[frozenset[int], ...]) -> str:
    return " ".join(",".join(map(str, sorted(field))) for field in fields)


@given(FIELDS, WALLS)
@settings(max_examples=400, deadline=None)
def test_the_next_occurrence_is_the_one_brute_force_finds(fields: tuple[frozenset[int], ...], wall: datetime) -> None:
    limit = wall + timedelta(days=3 * 366)
    found = cron(expression(fields)).next_wall(wall)
    expected = brute_force(fields, wall, limit)
    assert expected == (found if found is not None and found < limit else None)


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("0 0 29 2 *", "2096-02-29T00:00:00", "2104-02-29T00:00:00"),
        ("0 0 29 2 0", "2088-02-29T00:00:00", "2128-02-29T00:00:00"),  # forty years, since 2100 has no such day
        ("0 0 13 * 5", "2026-11-14T00:00:00", "2027-08-13T00:00:00"),  # both must match
        ("59 59 23 31 12 *", "2026-12-31T23:59:59", "2027-12-31T23:59:59"),
        ("* * * * * *", "2026-12-31T23:59:59.999999", "2027-01-01T00:00:00"),
    ],
)
def test_rare_occurrences(text: str, after: str, due: str) -> None:
    assert cron(text).next_after(at(after), UTC) == at(due)


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *"])
def test_a_day_that_no_month_has_never_comes(text: str) -> None:
    assert cron(text).next_after(at("2026-01-01T00:00:00"), UTC) is None
    assert occurrences(cron(text), at("2026-01-01T00:00:00"), UTC, 5) == []


def test_the_calendar_ends() -> None:
    assert cron("0 0 1 1 *").next_after(at("9999-06-01T00:00:00"), UTC) is None
    assert ConstantSchedule(timedelta(days=10_000_000)).next_after(at("2026-01-01T00:00:00"), UTC) is None


# Daylight saving, on the days of the runtime's own examples: 11 March and 4 November 2018, Pacific time


def due_times(text: str, after: str, count: int) -> list[str]:
    found = occurrences(parse_schedule(text), at(after), LA, count)
    return [moment.astimezone(LA).strftime("%d %H:%M%z")[:-2] for moment in found]


def test_a_time_that_clocks_skip_is_due_an_hour_later() -> None:
    assert due_times("0 30 2 * * *", "2018-03-10T00:00:00-08:00", 3) == ["10 02:30-08", "11 03:30-07", "12 02:30-07"]


def test_an_interval_goes_on_with_the_new_offset() -> None:
    assert due_times("0 */30 * * * *", "2018-03-11T01:00:00-08:00", 4) == ["11 01:30-08", "11 03:00-07", "11 03:30-07", "11 04:00-07"]


def test_a_point_in_time_that_comes_twice_is_due_the_first_time() -> None:
    assert due_times("0 30 1 * * *", "2018-11-03T00:00:00-07:00", 3) == ["03 01:30-07", "04 01:30-07", "05 01:30-08"]


def test_a_point_in_time_is_not_due_again_for_a_host_started_in_the_second_hour() -> None:
    assert due_times("0 30 1 * * *", "2018-11-04T01:29:00-08:00", 1) == ["05 01:30-08"]


def test_a_yearly_point_in_time_within_the_repeated_hour_is_due() -> None:
    # Upstream compares offsets only and leaves such a year out; the rule it states is the one here.
    assert due_times("0 30 1 4 11 *", "2017-11-04T12:00:00-08:00", 1) == ["04 01:30-07"]


def test_an_interval_runs_through_both_copies_of_the_hour() -> None:
    assert due_times("0 */30 * * * *", "2018-11-04T00:30:00-07:00", 6) == [
        *("04 01:00-07", "04 01:30-07", "04 01:00-08", "04 01:30-08"),
        *("04 02:00-08", "04 02:30-08"),
    ]


def test_an_interval_within_the_repeated_hour_only_runs_in_both_copies() -> None:
    assert due_times("0 10-12 1 * * *", "2018-11-04T01:11:00-07:00", 5) == [
        *("04 01:12-07", "04 01:10-08", "04 01:11-08", "04 01:12-08"),
        "05 01:10-08",
    ]


@pytest.mark.parametrize(
    ("text", "is_interval"),
    [("0 */30 * * * *", True), ("0 30 1 * * *", False), ("0 30 1-3 * * *", True), ("0 0,30 1 * * *", False), ("30 1 * * *", False),
     ("0,1 0 1 * * *", True), ("0 1 * * 1-5", False)],
)  # fmt: skip
def test_what_counts_as_an_interval_is_read_off_the_expanded_expression(text: str, is_interval: bool) -> None:
    assert cron(text).is_interval is is_interval


ZONES = st.sampled_from(["America/Los_Angeles", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"])
INTERVALS = st.sampled_from(
    ["0 */7 * * * *", "0 */30 * * * *", "15 0-10/5 * * * *", "0 0 */2 * * *", "0 20-40/10 1-2 * * *", "*/20 * * * *"]
)


@given(INTERVALS, ZONES, st.datetimes(min_value=datetime(2018, 1, 1), max_value=datetime(2027, 12, 31)))
@settings(max_examples=300, deadline=None)
def test_an_interval_is_due_whenever_the_clock_shows_its_time(text: str, zone_name: str, start: datetime) -> None:
    zone, schedule, moment = ZoneInfo(zone_name), cron(text), start.replace(tzinfo=UTC)
    due = schedule.next_after(moment, zone)
    assert due is not None
    assume(due - moment < timedelta(hours=4))
    shown = due.astimezone(zone)
    skipped = schedule.next_wall(moment.astimezone(zone).replace(tzinfo=None, fold=0))
    if skipped is not None and not exists(skipped, zone):
        return  # moved by the hour that clocks skipped; has a test of its own
    assert matches(schedule, shown)
    minute = moment.replace(second=0, microsecond=0)
    while minute < due:
        for second in (minute + timedelta(seconds=count) for count in schedule.seconds):
            assert not (moment < second < due and matches(schedule, second.astimezone(zone))), f"missed {second}"
        minute += timedelta(minutes=1)


def matches(schedule: CronSchedule, shown: datetime) -> bool:
    return shown.second in schedule.seconds and shown.minute in schedule.minutes and shown.hour in schedule.hours


def exists(wall: datetime, zone: ZoneInfo) -> bool:
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) == wall


@given(st.sampled_from(["0 30 1 * * *", "0 0 2 * * *", "0 15 0,23 * * *", "0 45 3 * * 0"]), ZONES, st.integers(2018, 2030))
@settings(max_examples=60, deadline=None)
def test_a_point_in_time_is_due_once_a_day_all_year(text: str, zone_name: str, year: int) -> None:
    zone, schedule = ZoneInfo(zone_name), cron(text)
    start = datetime(year, 1, 1, tzinfo=zone).astimezone(UTC)
    end = datetime(year + 1, 1, 1, tzinfo=zone).astimezone(UTC)
    found = [start]
    while found[-1] < end:
        due = schedule.next_after(found[-1], zone)
        assert due is not None
        assert due > found[-1]
        found.append(due)
    dates = [datetime(year, 1, 1) + timedelta(day) for day in range(366)]
    days = sum(1 for day in dates if day.year == year and day.isoweekday() % 7 in schedule.week_days)
    assert len(found) - 2 == days * len(schedule.hours)


def test_intervals_of_a_timespan_do_not_care_about_clocks() -> None:
    assert due_times("12:00:00", "2018-11-03T18:00:00-07:00", 3) == ["04 05:00-08", "04 17:00-08", "05 05:00-08"]


# What is monitored, what is logged


@pytest.mark.parametrize(
    ("text", "too_frequent"),
    [
        ("*/10 * * * * *", True),
        ("0 * * * * *", False),
        ("* * * * *", False),
        ("*/10 0 * * * *", False),  # not every minute
        ("* * * * * 1", False),
        ("00:00:59", True),
        ("00:01:00", False),
    ],
)
def test_schedules_of_less_than_a_minute_are_not_monitored(text: str, too_frequent: bool) -> None:
    assert is_too_frequent_to_monitor(parse_schedule(text), at("2026-11-23T06:00:00.500"), UTC) is too_frequent


def test_an_occurrence_is_listed_in_utc_or_in_local_time_with_utc_behind() -> None:
    moment = at("2026-11-23T05:58:00")
    assert occurrence_text(moment, ZoneInfo("Etc/UTC")) == "11/23/2026 05:58:00Z"
    assert occurrence_text(moment, ZoneInfo("Asia/Kolkata")) == "11/23/2026 11:28:00+05:30 (11/23/2026 05:58:00Z)"
    assert occurrence_text(moment, ZoneInfo("Africa/Abidjan")) == "11/23/2026 05:58:00+00:00 (11/23/2026 05:58:00Z)"


def test_schedules_describe_themselves_as_in_the_log() -> None:
    assert str(parse_schedule("*/30 * * * *")) == "Cron: '0,30 * * * *'"
    assert str(parse_schedule("00:01:30")) == "Constant: 00:01:30"

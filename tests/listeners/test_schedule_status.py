"""The stored status of timers, and what it says at the next start."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from linarite.listeners.schedule_status import (
    Checked,
    ScheduleStatus,
    after_run,
    check_status,
    local_text,
    parse_status,
    status_json,
    trigger_json,
)
from linarite.schedule import parse_schedule

UTC = ZoneInfo("UTC")
HOURLY = parse_schedule("0 0 * * * *")
EVERY_90_S = parse_schedule("00:01:30")


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{text}").replace(tzinfo=timezone.utc)


def test_the_stored_form_is_that_of_the_real_host() -> None:
    status = ScheduleStatus(None, datetime(2027, 2, 1, tzinfo=timezone.utc), at("05:57:50.843158"))
    expected = '{"Last":"0001-01-01T00:00:00+00:00","Next":"2027-02-01T00:00:00+00:00","LastUpdated":"2026-11-23T05:57:50.843158+00:00"}'
    assert status_json(status, UTC) == expected


def test_times_are_stored_in_local_time_without_zeros_at_the_end() -> None:
    status = ScheduleStatus(at("05:00:00.120"), None, at("06:00:00"))
    assert status_json(status, ZoneInfo("Asia/Kolkata")) == (
        '{"Last":"2026-11-23T10:30:00.12+05:30","Next":"9999-12-31T23:59:59.9999999+00:00","LastUpdated":"2026-11-23T11:30:00+05:30"}'
    )


def test_the_real_host_s_status_is_read_cut_to_microseconds() -> None:
    text = '{"Last":"2026-11-23T05:59:00.0015367+00:00","Next":"2026-11-23T08:00:00+02:00","LastUpdated":"0001-01-01T00:00:00+00:00"}'
    assert parse_status(text) == ScheduleStatus(at("05:59:00.001536"), at("06:00:00"), None)


def test_what_is_written_reads_back() -> None:
    for status in (ScheduleStatus(None, None, None), ScheduleStatus(at("05:00:00.000001"), at("06:00:00"), at("05:00:00.500"))):
        assert parse_status(status_json(status, ZoneInfo("America/New_York"))) == status


@pytest.mark.parametrize("text", ["", "[]", "{", '{"Next": "soon"}', "null"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_status(text)


def test_a_new_timer_has_missed_nothing() -> None:
    now = at("05:30:00")
    assert check_status(None, HOURLY, now, UTC) == Checked(
        ScheduleStatus(None, at("06:00:00"), None), ScheduleStatus(None, at("06:00:00"), now), is_past_due=False
    )


def test_a_run_whose_time_has_passed_was_missed() -> None:
    status = ScheduleStatus(at("05:00:00.010"), at("06:00:00"), at("05:00:00.010"))
    assert check_status(status, HOURLY, at("06:00:00.000001"), UTC) == Checked(status, None, is_past_due=True)
    assert check_status(status, HOURLY, at("06:00:00"), UTC) == Checked(status, None, is_past_due=False)


def test_a_timer_that_never_ran_counts_from_when_it_was_first_seen() -> None:
    status = ScheduleStatus(None, at("05:59:20.843177"), at("05:57:50.843177"))
    assert check_status(status, EVERY_90_S, at("06:30:00"), UTC) == Checked(status, None, is_past_due=True)


def test_a_changed_schedule_has_missed_nothing() -> None:
    now = at("05:50:00")
    status = ScheduleStatus(at("05:00:00"), at("05:10:00"), at("05:00:00"))
    fresh = ScheduleStatus(None, at("06:00:00"), at("05:00:00"))
    assert check_status(status, HOURLY, now, UTC) == Checked(fresh, fresh, is_past_due=False)


def test_a_changed_schedule_that_would_have_been_due_begins_now() -> None:
    now = at("07:30:00")
    status = ScheduleStatus(at("05:00:00"), at("05:10:00"), at("05:00:00"))
    fresh = ScheduleStatus(None, at("08:00:00"), now)
    assert check_status(status, HOURLY, now, UTC) == Checked(fresh, fresh, is_past_due=False)


def test_a_changed_interval_counts_from_the_last_run_and_is_known_again_at_the_next_start() -> None:
    status = ScheduleStatus(at("05:00:00"), at("06:00:00"), at("05:00:00"))
    checked = check_status(status, EVERY_90_S, at("05:00:30"), UTC)
    assert checked.status == ScheduleStatus(None, at("05:01:30"), at("05:00:00"))
    assert check_status(checked.status, EVERY_90_S, at("05:01:00"), UTC) == Checked(checked.status, None, is_past_due=False)


def test_a_status_without_times_begins_now() -> None:
    status = ScheduleStatus(None, None, None)
    assert check_status(status, HOURLY, at("05:30:00"), UTC).status == ScheduleStatus(None, at("06:00:00"), at("05:30:00"))


def test_a_schedule_that_never_comes_is_never_past_due() -> None:
    never = parse_schedule("0 0 30 2 *")
    assert check_status(None, never, at("05:30:00"), UTC).status.next is None
    assert not check_status(ScheduleStatus(None, None, at("01:00:00")), never, at("05:30:00"), UTC).is_past_due


def test_after_a_run_the_next_is_reckoned_from_its_start() -> None:
    before = ScheduleStatus(None, at("05:00:00"), None)
    started = at("05:00:00.250")
    assert after_run(before, EVERY_90_S, started, UTC) == ScheduleStatus(started, started + timedelta(seconds=90), started)


def test_what_a_function_is_given() -> None:
    status = ScheduleStatus(None, at("06:00:00"), None)
    assert trigger_json(HOURLY, status, False, UTC) == (
        '{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-11-23T06:00:00+00:00",'
        '"LastUpdated":"0001-01-01T00:00:00+00:00"},"IsPastDue":false}'
    )
    assert trigger_json(EVERY_90_S, None, True, UTC) == '{"Schedule":{"AdjustForDST":false},"ScheduleStatus":null,"IsPastDue":true}'


def test_round_trip_text_has_seven_digits_and_an_offset() -> None:
    assert local_text(at("05:57:51.115248"), UTC) == "2026-11-23T05:57:51.1152480+00:00"
    assert local_text(at("05:57:51"), ZoneInfo("America/New_York")) == "2026-11-23T00:57:51.0000000-05:00"

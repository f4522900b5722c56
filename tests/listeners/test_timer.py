"""Timers on a manual clock: when they fire, what they remember, what they say."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from linarite.clock import ManualClock
from linarite.errors import UserCodeFailed, WorkerDied
from linarite.function_log import FunctionLog
from linarite.invocation import Datum
from linarite.invoker import Invoker
from linarite.listeners.schedule_status import ScheduleStatus, parse_status
from linarite.listeners.timer import TimerListener
from linarite.metadata import RetrySettings
from linarite.schedule import BadSchedule
from tests.listeners.timers import FailingWorker, MemoryMonitor, RecordingInvoker, settle, timer_function

UTC = ZoneInfo("UTC")
LA = ZoneInfo("America/Los_Angeles")
START = datetime(2026, 11, 23, 5, 57, 51, 110920, tzinfo=timezone.utc)
RESTART = Path(__file__).parent.parent / "golden/data/host/timer-restart.jsonl"


class Bench:
    """A timer with its clock, invoker and monitor; stopped after the test."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.invoker = RecordingInvoker(self.clock)
        self.monitor = MemoryMonitor()
        self.listeners: list[TimerListener] = []

    def timer(self, schedule: str, zone: ZoneInfo = UTC, **properties: Any) -> TimerListener:
        listener = TimerListener(timer_function(schedule, **properties), self.invoker, self.monitor, self.clock, zone)
        self.listeners.append(listener)
        return listener

    async def started(self, schedule: str, zone: ZoneInfo = UTC, **properties: Any) -> TimerListener:
        listener = self.timer(schedule, zone, **properties)
        await listener.start()
        await settle()
        return listener

    async def run_until(self, end: datetime) -> None:
        """Let time pass, stopping wherever somebody waits for it."""
        while (wake := self.clock.next_wake()) is not None and wake <= end:
            self.clock.advance_to(wake)
            await settle()
        self.clock.advance_to(end)
        await settle()

    async def run_for(self, span: timedelta) -> None:
        await self.run_until(self.clock.now() + span)


@pytest_asyncio.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    stopping = asyncio.gather(*(listener.stop() for listener in made.listeners))
    await made.run_for(timedelta(seconds=made.invoker.takes_s))
    await stopping


async def test_fires_when_due_and_again(bench: Bench) -> None:
    await bench.started("*/5 * * * * *")
    await bench.run_for(timedelta(seconds=14))
    assert bench.invoker.times == ["11-23 05:57:55", "11-23 05:58:00", "11-23 05:58:05"]


async def test_an_interval_begins_with_the_first_wait(bench: Bench) -> None:
    await bench.started("00:01:30")
    await bench.run_for(timedelta(minutes=4))
    assert bench.invoker.times == ["11-23 05:59:21", "11-23 06:00:51"]


async def test_a_year_of_hours_is_fired_hour_by_hour(bench: Bench) -> None:
    await bench.started("0 0 * * * *")
    await bench.run_for(timedelta(days=365))
    fired = [call.at for call in bench.invoker.calls]
    assert len(fired) == 365 * 24
    assert set(map(datetime.__sub__, fired[1:], fired[:-1])) == {timedelta(hours=1)}


async def test_a_wait_of_years_is_cut_in_pieces_and_ends_on_time(bench: Bench) -> None:
    await bench.started("0 0 0 1 2 *")
    wake = bench.clock.next_wake()
    assert wake is not None
    assert wake - START == timedelta(days=24)
    await bench.run_until(datetime(2028, 2, 2, tzinfo=timezone.utc))
    assert bench.invoker.times == ["02-01 00:00:00", "02-01 00:00:00"]


@pytest.mark.parametrize(
    ("schedule", "day", "fired"),
    [
        ("0 30 2 * * *", datetime(2026, 3, 8, 9, tzinfo=timezone.utc), ["03:30-0700", "02:30-0700"]),
        ("0 30 1 * * *", datetime(2026, 11, 1, 7, tzinfo=timezone.utc), ["01:30-0700", "01:30-0800"]),
        (
            "0 0 */6 * * *",
            datetime(2026, 11, 1, 6, 30, tzinfo=timezone.utc),
            ["00:00-0700", "06:00-0800", "12:00-0800", "18:00-0800", "00:00-0800"],
        ),
    ],
)
async def test_days_on_which_clocks_change(bench: Bench, schedule: str, day: datetime, fired: list[str]) -> None:
    bench.clock = bench.invoker.clock = ManualClock(day)
    await bench.started(schedule, LA)
    await bench.run_for(timedelta(hours=27))
    assert [call.at.astimezone(LA).strftime("%H:%M%z") for call in bench.invoker.calls] == fired


async def test_never_two_at_once_and_what_was_missed_meanwhile_is_one_run(bench: Bench) -> None:
    bench.invoker.takes_s = 12
    await bench.started("*/5 * * * * *")
    await bench.run_until(datetime(2026, 11, 23, 5, 58, 30, tzinfo=timezone.utc))
    assert bench.invoker.times == ["11-23 05:57:55", "11-23 05:58:07", "11-23 05:58:19"]
    assert bench.invoker.most_at_once == 1


def raising(problem: Exception) -> Callable[[], None]:
    def end() -> None:
        raise problem

    return end


@pytest.mark.parametrize("problem", [UserCodeFailed("ValueError", "x", ""), WorkerDied("gone"), RuntimeError("ours")])
async def test_a_run_that_fails_changes_nothing(bench: Bench, problem: Exception, caplog: pytest.LogCaptureFixture) -> None:
    bench.invoker.ends = raising(problem)
    await bench.started("0 * * * * *")
    await bench.run_until(datetime(2026, 11, 23, 5, 59, 30, tzinfo=timezone.utc))
    assert bench.invoker.times == ["11-23 05:58:00", "11-23 05:59:00"]
    assert bench.monitor.statuses["tick"].last == datetime(2026, 11, 23, 5, 59, tzinfo=timezone.utc)
    errors = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == (["Error occurred during scheduled invocation for 'tick'."] * 2 if isinstance(problem, RuntimeError) else [])


async def test_the_status_is_stored_before_the_first_run_and_after_each(bench: Bench) -> None:
    await bench.started("0 * * * * *")
    first = datetime(2026, 11, 23, 5, 58, tzinfo=timezone.utc)
    assert bench.monitor.statuses["tick"] == ScheduleStatus(None, first, START)
    await bench.run_until(first)
    assert bench.monitor.statuses["tick"] == ScheduleStatus(first, first + timedelta(minutes=1), first)


async def test_an_unmonitored_timer_stores_nothing_and_is_told_nothing(bench: Bench) -> None:
    await bench.started("0 * * * * *", useMonitor=False)
    await bench.run_for(timedelta(minutes=1))
    assert bench.monitor.statuses == {}
    value = bench.invoker.calls[0].inputs["t"]
    assert value == Datum("json", '{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}')


@pytest.mark.parametrize("schedule", ["*/10 * * * * *", "00:00:30"])
async def test_a_timer_of_seconds_is_not_monitored_and_that_is_said(bench: Bench, schedule: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "Host.Triggers.Timer"):
        await bench.started(schedule, useMonitor=True)
    assert bench.monitor.statuses == {}
    assert "UseMonitor changed to false based on schedule frequency." in caplog.messages


async def test_the_first_run_is_told_what_the_real_host_tells(bench: Bench) -> None:
    await bench.started("0 0 0 1 1 *", runOnStartup=True)
    call = bench.invoker.calls[0]
    assert call.inputs["t"].value == (
        '{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00","Next":"2027-01-01T00:00:00+00:00",'
        '"LastUpdated":"0001-01-01T00:00:00+00:00"},"IsPastDue":false}'
    )
    assert call.metadata == {"TimerTrigger": Datum("string", "11/23/2026 05:57:51")}
    assert (call.reason, call.details) == (
        "Timer fired at 2026-11-23T05:57:51.1109200+00:00",
        {"UnscheduledInvocationReason": "RunOnStartup"},
    )


async def test_a_run_on_startup_is_not_instead_of_the_one_that_is_due(bench: Bench) -> None:
    await bench.started("0 * * * * *", runOnStartup=True)
    await bench.run_until(datetime(2026, 11, 23, 5, 58, 30, tzinfo=timezone.utc))
    assert bench.invoker.times == ["11-23 05:57:51", "11-23 05:58:00"]
    assert bench.invoker.calls[1].details == {}


RECORDED = [json.loads(line) for line in RESTART.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("case", RECORDED, ids=[case["function"] for case in RECORDED])
async def test_a_restart_does_what_the_real_host_did(bench: Bench, case: dict[str, Any]) -> None:
    after = parse_status(case["stored_after"])
    assert after.last is not None
    bench.clock = bench.invoker.clock = ManualClock(after.last)
    bench.monitor.statuses["tick"] = parse_status(case["stored"])

    await bench.started(case["schedule"], runOnStartup=case["run_on_startup"])

    call = bench.invoker.calls[0]
    told, expected = json.loads(call.inputs["t"].value), json.loads(case["value"])
    assert parse_status(json.dumps(told.pop("ScheduleStatus"))) == parse_status(json.dumps(expected.pop("ScheduleStatus")))
    assert told == expected
    assert {name: {datum.kind: datum.value} for name, datum in call.metadata.items()} == case["metadata"]
    assert ", ".join(f"{name}: {value}" for name, value in call.details.items()) == case["details"]
    assert bench.monitor.statuses["tick"] == after


async def test_what_was_missed_over_many_hours_is_made_up_for_once(bench: Bench) -> None:
    long_ago = START - timedelta(days=3)
    due = datetime(2026, 11, 20, 6, tzinfo=timezone.utc)
    bench.monitor.statuses["tick"] = ScheduleStatus(long_ago, due, long_ago)
    await bench.started("0 0 * * * *", runOnStartup=True)
    await bench.run_for(timedelta(hours=1))
    assert bench.invoker.times == ["11-23 05:57:51", "11-23 06:00:00"]
    assert [json.loads(call.inputs["t"].value)["IsPastDue"] for call in bench.invoker.calls] == [True, False]


async def test_a_restart_within_the_minute_does_not_fire_again(bench: Bench) -> None:
    listener = await bench.started("0 * * * * *")
    await bench.run_until(datetime(2026, 11, 23, 5, 58, 20, tzinfo=timezone.utc))
    await listener.stop()
    await bench.started("0 * * * * *")
    await bench.run_for(timedelta(seconds=39))
    assert bench.invoker.times == ["11-23 05:58:00"]


class HastyClock(ManualClock):
    """Wakes sleepers before their time, as clocks that are put back meanwhile do."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds * 0.9 if seconds > 1 else seconds)


async def test_a_wait_that_ends_early_goes_on_so_that_nothing_fires_twice(bench: Bench) -> None:
    bench.clock = bench.invoker.clock = HastyClock(START)
    await bench.started("0 * * * * *")
    await bench.run_for(timedelta(minutes=2))
    assert bench.invoker.times == ["11-23 05:58:00", "11-23 05:59:00"]


async def test_a_schedule_that_never_comes_waits_and_says_so(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    listener = await bench.started("0 0 0 30 2 *")
    assert listener.next_due is None
    assert bench.clock.next_wake() is None
    assert caplog.messages == ["The schedule of 'tick' (Cron: '0 0 0 30 2 *') names a day that does not exist; it never fires."]


@pytest.mark.parametrize(
    ("schedule", "zone", "lines"),
    [
        (
            "*/5 * * * * *",
            "UTC",
            [
                "The next 5 occurrences of the 'tick' schedule (Cron: '0,5,10,15,20,25,30,35,40,45,50,55 * * * * *') will be:",
                *("11/23/2026 05:57:55Z", "11/23/2026 05:58:00Z", "11/23/2026 05:58:05Z", "11/23/2026 05:58:10Z", "11/23/2026 05:58:15Z"),
            ],
        ),
        (
            "00:01:30",
            "UTC",
            [
                "The next 5 occurrences of the 'tick' schedule (Constant: 00:01:30) will be:",
                *("11/23/2026 05:59:21Z", "11/23/2026 06:00:51Z", "11/23/2026 06:02:21Z", "11/23/2026 06:03:51Z", "11/23/2026 06:05:21Z"),
            ],
        ),
        (
            "0 0 12 * * 0",
            "Europe/Berlin",
            [
                "The next 5 occurrences of the 'tick' schedule (Cron: '0 0 12 * * 0') will be:",
                *(f"{day}/2026 12:00:00+01:00 ({day}/2026 11:00:00Z)" for day in ("11/29", "12/06", "12/13", "12/20", "12/27")),
            ],
        ),
    ],
)  # fmt: skip
async def test_the_next_occurrences_are_logged_as_recorded(
    bench: Bench, schedule: str, zone: str, lines: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "Host.Triggers.Timer"):
        await bench.started(schedule, ZoneInfo(zone))
    assert [(record.name, record.message.split("\n")) for record in caplog.records] == [("Host.Triggers.Timer", lines)]


async def test_the_lines_of_a_start_for_those_who_look_closely(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "Host.Triggers.Timer"):
        await bench.started("0 0 0 1 1 *", runOnStartup=True)
    assert [message.partition("\n")[0] for message in caplog.messages] == [
        "The 'tick' timer is using the schedule 'Cron: '0 0 0 1 1 *'' and the local time zone: 'UTC'",
        "Function 'tick' initial status: Last='', Next='', LastUpdated=''",
        "Function 'tick' updated status: Last='', Next='2027-01-01T00:00:00.0000000+00:00', "
        "LastUpdated='2026-11-23T05:57:51.1109200+00:00'",
        "The next 5 occurrences of the 'tick' schedule (Cron: '0 0 0 1 1 *') will be:",
        "Function 'tick' is configured to run on startup. Executing now.",
        "Function 'tick' updated status: Last='2026-11-23T05:57:51.1109200+00:00', Next='2027-01-01T00:00:00.0000000+00:00', "
        "LastUpdated='2026-11-23T05:57:51.1109200+00:00'",
    ]


async def test_a_monitor_that_does_not_answer_is_said_and_the_timer_runs(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.monitor.is_down = True
    await bench.started("0 * * * * *")
    await bench.run_until(datetime(2026, 11, 23, 5, 58, 30, tzinfo=timezone.utc))
    assert bench.invoker.times == ["11-23 05:58:00"]
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == [
        "The status of the timer 'tick' cannot be read, so what it may have missed stays unknown. Nobody answers.",
        "The status of the timer 'tick' cannot be stored. Nobody answers.",
        "The status of the timer 'tick' cannot be stored. Nobody answers.",
    ]


async def test_a_run_by_hand_is_told_the_stored_status(bench: Bench) -> None:
    listener = await bench.started("0 0 0 1 2 *")
    value, metadata = await listener.manual_trigger("")
    assert json.loads(value["t"].value)["ScheduleStatus"] == {
        "Last": "0001-01-01T00:00:00+00:00",
        "Next": "2027-02-01T00:00:00+00:00",
        "LastUpdated": "2026-11-23T05:57:51.11092+00:00",
    }
    assert metadata == {"t": Datum("string", ""), "TimerTrigger": Datum("string", "11/23/2026 05:57:51")}
    assert (await listener.manual_trigger(None))[1] == {"TimerTrigger": Datum("string", "11/23/2026 05:57:51")}


async def test_through_the_invoker_the_lines_are_those_of_the_runtime_and_retries_hold_the_next_run_up(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    worker = FailingWorker(failures=2)
    policy = RetrySettings(strategy="fixedDelay", max_retries=3, delay_s=4)
    invoker = Invoker(worker, bench.clock, FunctionLog(), retry=policy)
    function = timer_function("*/5 * * * * *", runOnStartup=True)
    listener = TimerListener(function, invoker, bench.monitor, bench.clock, UTC)
    bench.listeners.append(listener)
    with caplog.at_level(logging.INFO, "Function.tick"):
        await listener.start()
        await settle()
        await bench.run_until(datetime(2026, 11, 23, 5, 57, 59, 500000, tzinfo=timezone.utc))

    first, second, third, due = (invocation.id for invocation in worker.seen)
    began = [record.message for record in caplog.records if record.message.startswith(("Executing", "Trigger"))]
    startup, why = "Timer fired at 2026-11-23T05:57:51.1109200+00:00", "Trigger Details: UnscheduledInvocationReason: RunOnStartup"
    assert began == [
        *(f"Executing 'Functions.tick' (Reason='{startup}', Id={first})", why),
        *(f"Executing 'Functions.tick' (Reason='{startup}', Id={second})", why),
        *(f"Executing 'Functions.tick' (Reason='{startup}', Id={third})", why),
        f"Executing 'Functions.tick' (Reason='Timer fired at 2026-11-23T05:57:59.1109200+00:00', Id={due})",
    ]
    assert [invocation.retry.retry_count for invocation in worker.seen if invocation.retry] == [0, 1, 2, 0]


def test_a_text_that_is_no_schedule_is_refused_at_once(bench: Bench) -> None:
    with pytest.raises(BadSchedule):
        bench.timer("every day")


async def test_stopping_ends_the_wait_at_once(bench: Bench) -> None:
    listener = await bench.started("0 * * * * *")
    await listener.stop()
    await bench.run_for(timedelta(hours=1))
    assert bench.invoker.calls == []


async def test_stopping_before_anything_has_run_fires_nothing(bench: Bench) -> None:
    listener = bench.timer("0 * * * * *", runOnStartup=True)
    await listener.start()
    await listener.stop()
    assert bench.invoker.calls == []


async def test_stopping_waits_for_the_run_under_way_and_stores_its_status(bench: Bench) -> None:
    bench.invoker.takes_s = 30
    listener = await bench.started("0 * * * * *", runOnStartup=True)
    stopping = asyncio.create_task(listener.stop())
    await settle()
    assert not stopping.done()
    await bench.run_for(timedelta(seconds=30))
    await stopping
    assert bench.monitor.statuses["tick"].last == START
    assert len(bench.invoker.calls) == 1


async def test_stopping_that_is_cancelled_leaves_no_task(bench: Bench) -> None:
    bench.invoker.takes_s = 3600
    listener = await bench.started("0 * * * * *", runOnStartup=True)
    stopping = asyncio.create_task(listener.stop())
    await settle()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert bench.invoker.running == 0


async def test_a_timer_can_be_started_again(bench: Bench) -> None:
    listener = await bench.started("0 * * * * *")
    await listener.stop()
    await listener.stop()
    await listener.start()
    await settle()
    await bench.run_for(timedelta(minutes=1))
    assert bench.invoker.times == ["11-23 05:58:00"]

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from linarite import clock as clock_module
from linarite.clock import ManualClock, SystemClock, call_off, run_until_idle, to_its_end, within

T0 = datetime(2026, 1, 1, tzinfo=timezone.utc)


async def turns(count: int = 5) -> None:
    """Let everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_manual_clock_stands_still() -> None:
    clock = ManualClock(T0)
    sleeper = asyncio.ensure_future(clock.sleep(0.001))
    await turns()
    assert clock.now() == T0
    assert not sleeper.done()
    clock.advance(0.001)
    await sleeper


async def test_sleepers_wake_in_the_order_of_their_times_and_then_of_their_coming() -> None:
    clock = ManualClock(T0)
    woken: list[str] = []

    async def sleep(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    sleepers = [asyncio.ensure_future(sleep(name, seconds)) for name, seconds in (("late", 3), ("first", 1), ("second", 1))]
    await turns()
    clock.advance(2)
    await turns()
    assert woken == ["first", "second"]
    clock.advance(1)
    await asyncio.gather(*sleepers)
    assert woken == ["first", "second", "late"]


async def test_no_time_at_all_is_one_turn_of_the_loop() -> None:
    clock = ManualClock(T0)
    await clock.sleep(0)
    await clock.sleep(-1)
    assert clock.next_wake() is None


async def test_the_next_wake_skips_sleepers_that_were_cancelled() -> None:
    clock = ManualClock(T0)
    early = asyncio.ensure_future(clock.sleep(1))
    late = asyncio.ensure_future(clock.sleep(2))
    await turns()
    assert clock.next_wake() == T0 + timedelta(seconds=1)
    early.cancel()
    await turns()
    assert clock.next_wake() == T0 + timedelta(seconds=2)
    clock.advance_to(T0 + timedelta(seconds=2))
    await late
    assert clock.next_wake() is None


async def test_a_manual_clock_does_not_go_back() -> None:
    clock = ManualClock(T0)
    clock.advance_to(T0 - timedelta(days=1))
    assert clock.now() == T0


async def test_the_system_clock_is_aware_and_sleeps() -> None:
    clock = SystemClock()
    before = clock.now()
    assert before.tzinfo is timezone.utc
    await clock.sleep(0.01)
    assert clock.now() > before


async def test_a_long_sleep_ends_when_the_wall_clock_has_jumped_past_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [1000.0]
    monkeypatch.setattr(clock_module, "_LONGEST_NAP_S", 0.001)
    monkeypatch.setattr("linarite.clock.time.time", lambda: wall[0])
    sleeper = asyncio.ensure_future(SystemClock().sleep(3600))
    await asyncio.sleep(0.01)
    assert not sleeper.done()
    wall[0] += 3600  # the lid was shut for an hour
    await sleeper


async def test_within_gives_the_result() -> None:
    clock = ManualClock(T0)
    assert await within(clock, 5, asyncio.sleep(0, "done")) == "done"
    assert clock.next_wake() is None


async def test_within_passes_an_error_on() -> None:
    async def fail() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await within(ManualClock(T0), 5, fail())


async def test_within_ends_work_that_takes_too_long() -> None:
    clock = ManualClock(T0)
    ended: list[bool] = []

    async def endless() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    limited = asyncio.ensure_future(within(clock, 5, endless()))
    await turns()
    clock.advance(4.999)
    await turns()
    assert not limited.done()
    clock.advance(0.001)
    with pytest.raises(TimeoutError, match="nothing within 5 s"):
        await limited
    assert ended == [True]


async def test_within_ends_a_gathering_that_takes_too_long() -> None:
    clock = ManualClock(T0)
    waiting = asyncio.ensure_future(within(clock, 1, asyncio.gather(clock.sleep(5), clock.sleep(6))))
    await turns()
    clock.advance(1)
    with pytest.raises(TimeoutError):
        await waiting


async def test_what_finishes_in_spite_of_the_alarm_is_not_lost() -> None:
    clock = ManualClock(T0)

    async def stubborn() -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return "kept"
        return "unreachable"

    limited = asyncio.ensure_future(within(clock, 5, stubborn()))
    await turns()
    clock.advance(5)
    assert await limited == "kept"


async def test_a_cancellation_that_comes_as_the_work_ends_is_not_lost() -> None:
    work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    limited = asyncio.ensure_future(within(ManualClock(T0), 5, work))
    await asyncio.sleep(0)
    work.set_result(None)
    await asyncio.sleep(0)
    limited.cancel()
    with pytest.raises(asyncio.CancelledError):
        await limited


async def test_calling_off_waits_for_the_end_and_tells_of_failures() -> None:
    clock, ended = ManualClock(T0), []

    async def long() -> None:
        try:
            await clock.sleep(5)
        finally:
            await asyncio.sleep(0)
            ended.append("long")

    async def fails() -> None:
        raise ValueError("of its own")

    tasks = [asyncio.ensure_future(work) for work in (long(), fails(), long())]
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="of its own"):
        await call_off(*tasks)
    assert ended == ["long", "long"]
    await call_off()


async def test_cancelling_within_ends_its_work_and_its_alarm() -> None:
    clock = ManualClock(T0)
    work = asyncio.get_running_loop().create_future()
    limited = asyncio.ensure_future(within(clock, 5, work))
    await turns()
    limited.cancel()
    with pytest.raises(asyncio.CancelledError):
        await limited
    assert work.cancelled()
    assert clock.next_wake() is None


class Monitor:
    """Looks at something every half an hour until `looks` is used up; each look takes a while of its own, not on the clock."""

    def __init__(self, clock: ManualClock, looks: int) -> None:
        self._clock = clock
        self._rested = asyncio.Event()
        self._due: datetime | None = clock.now()
        self.looks: list[datetime] = []
        self._left = looks

    async def run(self) -> None:
        while self._left:
            self._rested.clear()
            await turns(2)
            self.looks.append(self._clock.now())
            self._left -= 1
            self._due = self._clock.now() + timedelta(minutes=30) if self._left else None
            self._rested.set()
            await self._clock.sleep(1800)

    async def idle(self) -> None:
        if self._due is not None and self._due <= self._clock.now():
            self._rested.clear()
        await self._rested.wait()

    def next_due(self) -> datetime | None:
        return self._due


async def test_run_until_idle_moves_from_one_thing_to_the_next() -> None:
    clock = ManualClock(T0)
    monitor = Monitor(clock, looks=3)
    running = asyncio.ensure_future(monitor.run())
    await run_until_idle(clock, monitor, T0 + timedelta(days=365))
    assert monitor.looks == [T0, T0 + timedelta(minutes=30), T0 + timedelta(minutes=60)]
    assert clock.now() == monitor.looks[-1]
    running.cancel()


async def test_run_until_idle_stops_at_the_end_that_is_given() -> None:
    clock = ManualClock(T0)
    monitor = Monitor(clock, looks=100)
    running = asyncio.ensure_future(monitor.run())
    await run_until_idle(clock, monitor, T0 + timedelta(minutes=59))
    assert len(monitor.looks) == 2
    running.cancel()


async def test_others_who_sleep_are_woken_at_their_own_time() -> None:
    clock = ManualClock(T0)
    monitor = Monitor(clock, looks=2)
    woken: list[datetime] = []

    async def tick() -> None:
        while True:
            await clock.sleep(600)
            woken.append(clock.now())

    tasks = [asyncio.ensure_future(monitor.run()), asyncio.ensure_future(tick())]
    await run_until_idle(clock, monitor, T0 + timedelta(days=1))
    assert woken[:2] == [T0 + timedelta(minutes=10), T0 + timedelta(minutes=20)]
    for task in tasks:
        task.cancel()


async def test_what_has_to_come_to_its_end_does_so_before_a_cancellation_takes_effect() -> None:
    door = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> str:
        await door.wait()
        ended.set()
        return "done"

    waiting = asyncio.ensure_future(to_its_end(work()))
    await turns()
    waiting.cancel()
    await turns()
    assert not waiting.done()
    door.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
    assert await to_its_end(work()) == "done"

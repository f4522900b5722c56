"""Time as an argument: everything in the host that waits is handed a `Clock`.

`SystemClock` is real time; `ManualClock` moves only when told to, so that timers, retries, back-off and lock expiry can be
tested in no time. Code under a manual clock never polls: it sleeps on the clock and is woken by `advance`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Where the host gets the time, and the only thing it sleeps on."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` on this clock; at once (after one turn of the loop) for zero or less."""
        ...


_LONGEST_NAP_S = 60.0
"""The event loop's time stands still while a laptop is shut; a long sleep looks up this often to see whether it is over."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop_end, end = loop.time() + seconds, time.time() + seconds
        while (left := min(loop_end - loop.time(), end - time.time())) > _LONGEST_NAP_S:  # noqa: ASYNC110 - nobody can tell us
            await asyncio.sleep(_LONGEST_NAP_S)
        await asyncio.sleep(max(left, 0.0))


class ManualClock:
    """A clock that stands still until `advance` moves it. Belongs to one event loop."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=timezone.utc)) -> None:
        self._now = start
        self._ties = itertools.count()
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), next(self._ties), woken))
        await woken

    def next_wake(self) -> datetime | None:
        """When the earliest sleeper is due, or None if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():  # cancelled while it slept
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, seconds: float) -> None:
        """Move time forward and wake everyone who is due, in order; they run when the loop next turns."""
        self.advance_to(self._now + timedelta(seconds=seconds))

    def advance_to(self, when: datetime) -> None:
        """Move time to `when` (ignored if that is in the past) and wake everyone who is due by then."""
        self._now = max(self._now, when)
        while (due := self.next_wake()) is not None and due <= self._now:
            heapq.heappop(self._sleepers)[2].set_result(None)


class Work(Protocol):
    """What a manual clock moves for: work that rests when there is nothing to do, and knows when the clock will bring it something."""

    async def idle(self) -> None:
        """Return when nothing goes on that does not wait for a later time; at once if that is so now."""
        ...

    def next_due(self) -> datetime | None:
        """When it will have something to do again, or None."""
        ...


async def run_until_idle(clock: ManualClock, work: Work, until: datetime) -> None:
    """Let `work` do all that it has to do up to `until`, moving the clock on whenever it rests.

    Afterwards the clock stands where the last thing happened. Whoever else sleeps on the clock is woken in time on the way.
    """
    await work.idle()
    while (due := work.next_due()) is not None and due <= until:
        clock.advance_to(min(clock.next_wake() or due, due))
        await asyncio.sleep(0)  # lets those who were woken begin
        await work.idle()


async def within(clock: Clock, seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`, or TimeoutError (with `work` cancelled, and ended) once `seconds` have passed on `clock`.

    Unlike `asyncio.wait_for`, which before Python 3.12 loses a cancellation that comes at the moment when `work` ends.
    """
    task = asyncio.ensure_future(_of(work))
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        unfinished = [pending for pending in (task, alarm) if not pending.done()]
        for pending in unfinished:
            pending.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
    if task.cancelled() and alarm.done() and not alarm.cancelled():
        raise TimeoutError(f"nothing within {seconds:g} s")
    return task.result()


async def _of(work: Awaitable[T]) -> T:
    """As a coroutine: a task of it is cancelled when it is cancelled, which `gather`'s futures are not."""
    return await work


async def call_off(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait for their end. Raises what one of them has failed with."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def to_its_end(work: Awaitable[T]) -> T:
    """The result of `work`, which goes on to its end even if this is cancelled; only then does the cancellation take effect."""
    task = asyncio.ensure_future(_of(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise

"""What is to happen at a later time of the clock. One sleep at a time, until the earliest; none if there is nothing."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import datetime

from linarite.clock import Clock, call_off


class Agenda:
    """Calls, each at its time. `done` is called after those of one time have been made."""

    def __init__(self, clock: Clock, done: Callable[[], None]) -> None:
        self._clock = clock
        self._done = done
        self._ties = itertools.count()
        self._entries: list[tuple[datetime, int, Callable[[], None]]] = []
        self._sleep: asyncio.Task[None] | None = None
        self._sleeps_until: datetime | None = None

    def at(self, when: datetime, call: Callable[[], None]) -> None:
        """Call `call` once it is `when`; calls of one time come in the order in which they were asked for."""
        heapq.heappush(self._entries, (when, next(self._ties), call))
        if self._sleeps_until is None or when < self._sleeps_until:
            self._sleep_anew()

    def next_due(self) -> datetime | None:
        """The time of the earliest call, None if there is none."""
        return self._entries[0][0] if self._entries else None

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        if self._sleep is not None:
            sleep, self._sleep = self._sleep, None
            await call_off(sleep)

    def _sleep_anew(self) -> None:
        if self._sleep is not None:
            self._sleep.cancel()
        self._sleeps_until = self._entries[0][0]
        self._sleep = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._entries:
            self._sleeps_until = self._entries[0][0]
            while (wait_s := (self._sleeps_until - self._clock.now()).total_seconds()) > 0:
                await self._clock.sleep(wait_s)
            while self._entries and self._entries[0][0] <= self._clock.now():
                heapq.heappop(self._entries)[2]()
            self._done()
        self._sleep = self._sleeps_until = None

"""A hub on trial, and the little in which hubs differ: whose clock it is, and whether its storage outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from linarite.clock import Clock, ManualClock, SystemClock, within
from linarite.durable.events import ExecutionStarted, Status
from linarite.taskhub.protocol import ActivityWorkItem, OrchestrationWorkItem, TaskHub
from tests.conformance.episodes import ANY_STATUS, episode, nothing, start

T = TypeVar("T")

PATIENCE_S = 120
"""After so long in real time a wait is a failure."""

AHEAD = timedelta(seconds=5)
"""So far ahead is due what a test has to be ready for before: the clock may be a busy machine's."""


class Stage:
    """One storage and the host that works on it now. `make` builds a hub on that storage."""

    def __init__(self, make: Callable[[], TaskHub], clock: Clock, *, outlives_its_host: bool) -> None:
        self._make = make
        self._canaries = 0
        self.clock = clock
        self.outlives_its_host = outlives_its_host
        self.hub = make()

    async def open(self) -> None:
        await self.hub.start()
        await self.hub.start_work()

    async def close(self) -> None:
        await self.hub.stop_work()
        await self.hub.stop()

    async def restart(self) -> None:
        """The host ends without having committed what it holds, and another one takes over."""
        await self.close()
        self.hub = self._make()
        await self.open()

    def now(self) -> datetime:
        return self.clock.now()

    async def until(self, awaited: Awaitable[T]) -> T:
        """What comes of it; a manual clock is moved on, wake-up by wake-up, as long as nothing happens by itself."""
        task = asyncio.ensure_future(awaited)
        if isinstance(self.clock, ManualClock):
            await within(SystemClock(), PATIENCE_S, self._move_on(self.clock, task))
        return await within(SystemClock(), PATIENCE_S, task)

    async def _move_on(self, clock: ManualClock, task: asyncio.Future[T]) -> None:
        while not task.done():
            for _ in range(3):  # what was in the file's queue before has then been seen by whoever waits for it
                await self.hub.instance("nobody")
            wake = clock.next_wake()
            if wake is not None and not task.done():
                clock.advance_to(wake)

    async def item(self) -> OrchestrationWorkItem:
        """The next orchestration work item, however long it takes."""
        return await self.until(self.hub.next_orchestration())

    async def item_with_a_start(self) -> OrchestrationWorkItem:
        """The next item in which somebody is there or begins; what is addressed to nobody is consumed."""
        while True:
            item = await self.item()
            if item.history or any(isinstance(message.event, ExecutionStarted) for message in item.messages):
                return item
            await self.hub.commit(item, nothing())

    async def activity(self) -> ActivityWorkItem:
        """The next activity work item, however long it takes."""
        return await self.until(self.hub.next_activity())

    async def begin(self, instance_id: str, execution_id: str = "e1") -> OrchestrationWorkItem:
        """Start an instance and take its first item."""
        await self.hub.create(start(instance_id, self.now(), execution_id), ANY_STATUS)
        item = await self.item()
        assert item.instance_id == instance_id
        return item

    async def expect_nothing_else(self) -> None:
        """Nothing waits but what is sent now: an instance that is started is the next to come."""
        self._canaries += 1
        canary = await self.begin(f"canary-{self._canaries}")
        await self.hub.commit(canary, episode(canary, self.now(), ends=Status.COMPLETED))

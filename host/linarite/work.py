"""What an app does of its own accord: its listeners and its durable work, of one generation after the other.

A saved file brings new listeners; a run that is under way on the old code ends before the new listener of the same function starts.
Orchestrations go on across generations: only the functions they are run by are exchanged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from linarite.clock import Clock
from linarite.errors import HubError, LinariteError
from linarite.listeners.protocol import Listener

if TYPE_CHECKING:
    from linarite.dispatcher import Dispatcher
    from linarite.taskhub.protocol import TaskHub

log = logging.getLogger("Host.Startup")

MAX_PAUSE_S = 30.0
"""Longest pause before a task hub that could not be opened is tried again."""


class Work:
    """Owns the listeners, by function name, and the dispatcher if the app is durable."""

    def __init__(self, clock: Clock) -> None:
        self.listeners: dict[str, Listener] = {}
        self.dispatcher: Dispatcher | None = None
        self._clock = clock
        self._hub: TaskHub | None = None
        self._opening: asyncio.Task[None] | None = None
        self._said = ""
        self._successions: set[asyncio.Task[None]] = set()

    async def listen(self, listeners: Mapping[str, Listener]) -> None:
        """Start these listeners in the place of those there are."""
        before, self.listeners = self.listeners, dict(listeners)
        for name, listener in self.listeners.items():
            if name not in before:
                await _start(name, listener)
        for name, old in before.items():
            task = asyncio.create_task(_succeed(name, old, self.listeners.get(name)), name=f"new listener of {name}")
            self._successions.add(task)
            task.add_done_callback(self._successions.discard)

    async def dispatch(self, open_hub: Callable[[], Awaitable[TaskHub]], dispatcher: Callable[[TaskHub], Dispatcher]) -> None:
        """Take durable work from now on; from a hub that cannot be opened yet, as soon as it can. `dispatcher` makes one for the hub."""
        if not await self._dispatch(open_hub, dispatcher):
            self._opening = asyncio.create_task(self._dispatch_later(open_hub, dispatcher), name="open the task hub")

    async def _dispatch(self, open_hub: Callable[[], Awaitable[TaskHub]], dispatcher: Callable[[TaskHub], Dispatcher]) -> bool:
        try:
            hub = await open_hub()
            await hub.start_work()
        except HubError as problem:
            if (text := str(problem)) != self._said:
                self._said = text
                log.error("Durable functions are not started. %s They start by themselves once the task hub can be used.", text)
            return False
        self._hub, self.dispatcher = hub, dispatcher(hub)
        await self.dispatcher.start()
        return True

    async def _dispatch_later(self, open_hub: Callable[[], Awaitable[TaskHub]], dispatcher: Callable[[TaskHub], Dispatcher]) -> None:
        pause_s = 1.0
        while True:
            await self._clock.sleep(pause_s)
            if await self._dispatch(open_hub, dispatcher):
                log.warning("The task hub can be used now; durable functions are started.")
                return
            pause_s = min(pause_s * 2, MAX_PAUSE_S)

    async def drain(self) -> None:
        """Start nothing more; returns when what was started has ended. Cancelling the wait leaves the rest to `stop`."""
        await self._stop_opening()
        if self._hub is not None:
            await self._hub.stop_work()
        listeners, self.listeners = list(self.listeners.values()), {}
        waits = [listener.stop() for listener in listeners]
        if self.dispatcher is not None:
            waits.append(self.dispatcher.drain())
        await asyncio.gather(*waits, *self._successions)

    async def stop(self) -> None:
        """End at once what `drain` left."""
        await self._stop_opening()
        for task in list(self._successions):
            task.cancel()
        await asyncio.gather(*self._successions, return_exceptions=True)
        stops = [asyncio.ensure_future(listener.stop()) for listener in self.listeners.values()]
        self.listeners = {}
        for stop in stops:
            stop.cancel()
        await asyncio.gather(*stops, return_exceptions=True)
        if self.dispatcher is not None:
            await self.dispatcher.stop()

    async def _stop_opening(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)


async def _start(name: str, listener: Listener) -> None:
    try:
        await listener.start()
    except LinariteError as problem:
        log.error("The listener for function 'Functions.%s' was unable to start. %s", name, problem)


async def _succeed(name: str, old: Listener, new: Listener | None) -> None:
    await old.stop()
    if new is not None:
        await _start(name, new)

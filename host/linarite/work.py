"""What an app does of its own accord: its listeners and its durable work, of one generation after the other.

A saved file brings new listeners; a run that is under way on the old code ends before the new listener of the same function starts.
Orchestrations go on across generations: only the functions they are run by are exchanged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from linarite.dispatcher import Dispatcher
from linarite.errors import LinariteError
from linarite.listeners.protocol import Listener
from linarite.taskhub.protocol import TaskHub

log = logging.getLogger("Host.Startup")


class Work:
    """Owns the listeners, by function name, and the dispatcher if the app is durable."""

    def __init__(self) -> None:
        self.listeners: dict[str, Listener] = {}
        self._dispatcher: Dispatcher | None = None
        self._hub: TaskHub | None = None
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

    async def dispatch(self, hub: TaskHub, dispatcher: Dispatcher) -> None:
        """Take durable work from now on."""
        self._hub, self._dispatcher = hub, dispatcher
        await hub.start_work()
        await dispatcher.start()

    async def drain(self) -> None:
        """Start nothing more; returns when what was started has ended. Cancelling the wait leaves the rest to `stop`."""
        if self._hub is not None:
            await self._hub.stop_work()
        listeners, self.listeners = list(self.listeners.values()), {}
        waits = [listener.stop() for listener in listeners]
        if self._dispatcher is not None:
            waits.append(self._dispatcher.drain())
        await asyncio.gather(*waits, *self._successions)

    async def stop(self) -> None:
        """End at once what `drain` left."""
        for task in list(self._successions):
            task.cancel()
        await asyncio.gather(*self._successions, return_exceptions=True)
        stops = [asyncio.ensure_future(listener.stop()) for listener in self.listeners.values()]
        self.listeners = {}
        for stop in stops:
            stop.cancel()
        await asyncio.gather(*stops, return_exceptions=True)
        if self._dispatcher is not None:
            await self._dispatcher.stop()


async def _start(name: str, listener: Listener) -> None:
    try:
        await listener.start()
    except LinariteError as problem:
        log.error("The listener for function 'Functions.%s' was unable to start. %s", name, problem)


async def _succeed(name: str, old: Listener, new: Listener | None) -> None:
    await old.stop()
    if new is not None:
        await _start(name, new)

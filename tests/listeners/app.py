"""An app for tests of listeners: functions are plain callables, behind a real invoker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from linarite.bindings.connections import Connections
from linarite.bindings.storage_bindings import storage_bindings
from linarite.bindings.wakes import Wakes
from linarite.clock import SystemClock
from linarite.errors import UserCodeFailed
from linarite.function_log import FunctionLog
from linarite.invocation import Invocation, InvocationResult
from linarite.invoker import Invoker
from linarite.settings import AppSettings, QueueSettings
from linarite.storage.outages import Outages
from linarite.workers.protocol import IndexedApp

Body = Callable[[Invocation], InvocationResult | None]


@dataclass
class Channel:
    """A worker that calls `bodies` by function name and remembers what it was asked; `hold` makes it wait first."""

    bodies: dict[str, Body] = field(default_factory=dict)
    seen: list[Invocation] = field(default_factory=list)
    hold: asyncio.Event | None = None
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> IndexedApp:
        return IndexedApp()

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        self.seen.append(invocation)
        self._more.set()
        if self.hold is not None:
            await self.hold.wait()
        body = self.bodies.get(invocation.function_name)
        return (body(invocation) if body else None) or InvocationResult()

    async def abort(self, invocation_id: str) -> None:
        pass

    async def stop(self, grace_s: float) -> None:
        pass

    async def called(self, times: int) -> list[Invocation]:
        """What was asked, once it is that many."""
        while len(self.seen) < times:
            self._more.clear()
            await self._more.wait()
        return self.seen


def failing(invocation: Invocation) -> InvocationResult | None:
    raise UserCodeFailed("ValueError", "nope", '  File "function_app.py", line 1, in f\n')


class App:
    """What listeners need, over one account."""

    def __init__(self, connection: str, queues: QueueSettings | None = None) -> None:
        self.clock = SystemClock()
        self.connections = Connections(AppSettings({"AzureWebJobsStorage": connection}))
        self.storage = self.connections.storage()
        self.wakes = Wakes()
        self.outages = Outages()
        self.channel = Channel()
        self.queues = queues or QueueSettings()
        bindings = storage_bindings(self.connections, self.queues, self.clock, self.wakes)
        self.invoker = Invoker(self.channel, self.clock, FunctionLog(), bindings=bindings)

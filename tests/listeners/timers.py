"""Doubles for tests of timers: an invoker that remembers, a monitor in memory, and a way to let everything that can run, run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from linarite.clock import Clock
from linarite.errors import StorageUnavailable, UserCodeFailed
from linarite.invocation import Datum, Invocation, InvocationResult
from linarite.listeners.schedule_status import ScheduleStatus
from linarite.metadata import Binding, Function
from linarite.workers.protocol import IndexedApp


def timer_function(schedule: str, **properties: Any) -> Function:
    raw = {"name": "t", "type": "timerTrigger", "direction": "IN", "schedule": schedule, **properties}
    trigger = Binding(name="t", type="timerTrigger", direction="in", raw=raw)
    return Function(id="1", name="tick", bindings=(trigger,), script_file="f.py", entry_point="tick", directory="", def_name="tick")


@dataclass
class Call:
    at: datetime
    inputs: Mapping[str, Datum]
    metadata: Mapping[str, Datum]
    reason: str
    details: dict[str, str]


@dataclass
class RecordingInvoker:
    """Remembers every call; each takes `takes_s` on the clock, and ends as `ends` says. `most_at_once` tells of overlaps."""

    clock: Clock
    takes_s: float = 0.0
    ends: Callable[[], None] = lambda: None
    calls: list[Call] = field(default_factory=list)
    running: int = 0
    most_at_once: int = 0

    async def invoke(
        self,
        function: Function,
        inputs: Mapping[str, Datum],
        trigger_metadata: Mapping[str, Datum],
        *,
        reason: str,
        details: Mapping[str, str] | None = None,
    ) -> InvocationResult:
        self.calls.append(Call(self.clock.now(), inputs, trigger_metadata, reason, dict(details or {})))
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            if self.takes_s:
                await self.clock.sleep(self.takes_s)
            self.ends()
        finally:
            self.running -= 1
        return InvocationResult()

    @property
    def times(self) -> list[str]:
        return [f"{call.at:%m-%d %H:%M:%S}" for call in self.calls]


@dataclass
class MemoryMonitor:
    """Keeps statuses in a dict; `is_down` makes it fail like storage that does not answer."""

    statuses: dict[str, ScheduleStatus] = field(default_factory=dict)
    is_down: bool = False

    async def get(self, function_name: str) -> ScheduleStatus | None:
        self._check()
        return self.statuses.get(function_name)

    async def put(self, function_name: str, status: ScheduleStatus) -> None:
        self._check()
        self.statuses[function_name] = status

    def _check(self) -> None:
        if self.is_down:
            raise StorageUnavailable("Nobody answers.")


@dataclass
class FailingWorker:
    """A worker in which the first `failures` runs raise."""

    failures: int = 0
    seen: list[Invocation] = field(default_factory=list)

    async def start(self) -> IndexedApp:
        return IndexedApp()

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        self.seen.append(invocation)
        if len(self.seen) <= self.failures:
            raise UserCodeFailed("ValueError", "not yet", "")
        return InvocationResult()

    async def abort(self, invocation_id: str) -> None:
        pass

    async def stop(self, grace_s: float) -> None:
        pass


async def settle() -> None:
    """Let everything run that does not wait for the clock."""
    for _ in range(20):
        await asyncio.sleep(0)

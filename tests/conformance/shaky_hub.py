"""A hub's work side on a bad day: what it is asked for fails, before or after it was done, or the whole host dies.

A seeded die says when and how; pytest shows its log when a test fails. A host that has died gets no answer any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import ContextVar
from random import Random
from typing import Any, NoReturn, Protocol, TypeVar

from linarite.durable.decision import Decision
from linarite.durable.messages import TaskMessage
from linarite.errors import HubUnavailable, WorkItemLockLost
from linarite.taskhub.protocol import ActivityWorkItem, OrchestrationWorkItem, TaskHub

T = TypeVar("T")
_log = logging.getLogger(__name__)

ACTIVITY_TASK: ContextVar[tuple[str, int]] = ContextVar("ACTIVITY_TASK")
"""Execution and task id of the activity that runs. The dispatcher runs each item as a task, which inherits what was set as it was taken."""


class Fate:
    """What goes wrong, and how many more times."""

    def __init__(self, seed: int, mishaps: int, chance: float = 0.1) -> None:
        self.random = Random(seed)
        self.left = mishaps
        self._chance = chance

    def choose(self, whom: str, *mishaps: str) -> str:
        """One of these mishaps, or mostly none."""
        if self.left <= 0 or self.random.random() >= self._chance:
            return ""
        self.left -= 1
        mishap = self.random.choice(mishaps)
        _log.info("%s: %s", whom, mishap)
        return mishap


class Witness(Protocol):
    """Is told what happens, whoever dies over it."""

    def decided(self, decision: Decision) -> None:
        """It is about to be committed."""
        ...

    def committed(self, item: OrchestrationWorkItem, decision: Decision) -> None:
        """It has been."""
        ...


class ShakyHub:
    """A `WorkSource` over a hub that works. `dead` is set when the host is to be buried."""

    def __init__(self, hub: TaskHub, fate: Fate, witness: Witness) -> None:
        self._hub = hub
        self._fate = fate
        self._witness = witness
        self.dead = asyncio.Event()

    async def next_orchestration(self) -> OrchestrationWorkItem:
        while True:
            item = await self._alive(self._hub.next_orchestration())
            if not self._fate.choose(item.instance_id, "is handed back"):
                return item
            await self._hub.abandon(item)

    async def commit(self, item: OrchestrationWorkItem, decision: Decision) -> None:
        mishap = self._fate.choose(item.instance_id, "fails before", "fails after", "loses its lock", "dies before", "dies after")
        match mishap:
            case "fails before":
                raise HubUnavailable("So it was decided.")
            case "loses its lock":
                await self._hub.abandon(item)
                raise WorkItemLockLost("So it was decided.")
            case "dies before":
                await self._die()
        self._witness.decided(decision)
        await self._alive(self._hub.commit(item, decision))
        self._witness.committed(item, decision)
        match mishap:
            case "fails after":
                raise HubUnavailable("Nobody knows that it was not.")
            case "dies after":
                await self._die()

    async def abandon(self, item: OrchestrationWorkItem) -> None:
        if not self.dead.is_set():
            await self._hub.abandon(item)

    async def next_activity(self) -> ActivityWorkItem:
        while True:
            item = await self._alive(self._hub.next_activity())
            if not self._fate.choose(item.message.target.instance_id, "activity is handed back"):
                ACTIVITY_TASK.set((item.message.target.execution_id or "", item.message.event.event_id))
                return item
            await self._hub.abandon_activity(item)

    async def complete(self, item: ActivityWorkItem, answer: TaskMessage) -> None:
        mishap = self._fate.choose(answer.target.instance_id, "answer fails", "answers twice", "answer dies before", "answer dies after")
        match mishap:
            case "answer fails":
                raise HubUnavailable("So it was decided.")
            case "answers twice":
                await self._alive(self._hub.send(answer))
            case "answer dies before":
                await self._die()
        await self._alive(self._hub.complete(item, answer))
        if mishap == "answer dies after":
            await self._die()

    async def abandon_activity(self, item: ActivityWorkItem) -> None:
        if not self.dead.is_set():
            await self._hub.abandon_activity(item)

    async def _die(self) -> NoReturn:
        self.dead.set()
        await asyncio.Event().wait()
        raise AssertionError("a dead host is not woken")

    async def _alive(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of it, if this host lives to see it."""
        outcome = await work
        if self.dead.is_set():
            await self._die()
        return outcome

"""Small orchestrations and the crew that runs them, for tests in which everything goes wrong: each calls `LENGTH` activities in turn.

The crew is a miniature of a host: it drops duplicates and what is addressed to somebody else, and never takes a delivery for the first.
A seeded die says when it hands work back, answers twice or stops waiting; pytest shows the log of that when a test fails.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TypeVar

from linarite.durable.decision import Decision
from linarite.durable.events import ExecutionCompleted, ExecutionStarted, Status, TaskCompleted
from linarite.errors import WorkItemLockLost
from linarite.taskhub.protocol import OrchestrationWorkItem, TaskHub
from tests.conformance.episodes import answer, call, episode, nothing
from tests.conformance.stage import Stage

LENGTH = 3

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Crew:
    """Workers on the stage's present host. `all_done` is set once `expected` chains have completed."""

    def __init__(self, stage: Stage, expected: int, seed: int, percent: int) -> None:
        self._stage = stage
        self._expected = expected
        self._die = random.Random(seed)
        self._percent = percent
        self._tasks: list[asyncio.Task[None]] = []
        self.completed: set[str] = set()
        self.half_done = asyncio.Event()
        self.all_done = asyncio.Event()
        _log.info("seed %d", seed)

    def begin(self) -> None:
        for _ in range(3):
            self._tasks.append(asyncio.ensure_future(self._orchestrate(self._stage.hub)))
            self._tasks.append(asyncio.ensure_future(self._act(self._stage.hub)))

    async def end(self) -> None:
        """Stop at once, whatever is held."""
        for task in self._tasks:
            task.cancel()
        outcomes = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        unexpected = [outcome for outcome in outcomes if not isinstance(outcome, asyncio.CancelledError)]
        assert not unexpected, unexpected

    def _strikes(self, mishap: str, whom: str) -> bool:
        happens = self._die.randrange(100) < self._percent
        if happens:
            _log.info("%s: %s", mishap, whom)
        return happens

    async def _take(self, take: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The next item, from someone who may lose patience while waiting."""
        while True:
            waiting = asyncio.ensure_future(take())
            try:
                if not self._strikes("stops waiting", "a worker"):
                    return await waiting
                for _ in range(self._die.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                return waiting.result()

    async def _orchestrate(self, hub: TaskHub) -> None:
        while True:
            item = await self._take(hub.next_orchestration)
            if self._strikes("is handed back", item.instance_id):
                await hub.abandon(item)
                continue
            decision = next_step(item, self._stage.now())
            try:
                await hub.commit(item, decision)
            except WorkItemLockLost as loss:
                _log.info("%s", loss)
            else:
                if any(isinstance(event, ExecutionCompleted) for event in decision.new_events):
                    self.note(item.instance_id)

    def note(self, instance_id: str) -> None:
        """That chain has completed."""
        self.completed.add(instance_id)
        if 2 * len(self.completed) >= self._expected:
            self.half_done.set()
        if len(self.completed) == self._expected:
            self.all_done.set()

    async def _act(self, hub: TaskHub) -> None:
        while True:
            item = await self._take(hub.next_activity)
            whom = f"{item.message.target.instance_id} activity {item.message.event.event_id}"
            if self._strikes("is handed back", whom):
                await hub.abandon_activity(item)
                continue
            reply = answer(item, self._stage.now(), '"did"')
            if self._strikes("answers twice", whom):
                await hub.send(reply)
            await hub.complete(item, reply)


def next_step(item: OrchestrationWorkItem, now: datetime) -> Decision:
    """The chain's decision on a work item."""
    is_begun = any(isinstance(event, ExecutionStarted) for event in item.history)
    is_over = any(isinstance(event, ExecutionCompleted) for event in item.history)
    answered = {event.task_scheduled_id for event in item.history if isinstance(event, TaskCompleted)}
    dropped: set[int] = set()
    for at, message in enumerate(item.messages):
        match message.event:
            case ExecutionStarted() if not is_begun:
                is_begun = True
            case TaskCompleted(task_scheduled_id=task_id) if is_begun and not is_over and task_id not in answered:
                answered.add(task_id)
            case _:
                dropped.add(at)
    if len(dropped) == len(item.messages):
        return nothing()
    if len(answered) == LENGTH:
        return episode(item, now, ends=Status.COMPLETED, output='"done"', dropped=dropped)
    return episode(item, now, call(item, len(answered), "step", now), dropped=dropped)

"""What is due later than the service hides a message for, on queues in memory and a clock that is moved."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta

import pytest

from linarite.clock import ManualClock
from linarite.durable.events import EventRaised, ExecutionStarted, HistoryEvent, OrchestrationInstance, TimerFired
from linarite.durable.messages import TaskMessage
from linarite.taskhub.azure.activities import ActivitySlots
from linarite.taskhub.azure.delivery import Delivery
from linarite.taskhub.azure.held import Held, HeldMessages
from linarite.taskhub.azure.names import HubNames
from linarite.taskhub.azure.payloads import Payloads
from linarite.taskhub.azure.receiver import Receiver
from linarite.taskhub.azure.timing import Timing
from linarite.timestamps import timestamp
from tests.listeners.fake_queues import fake_storage

NAMES = HubNames("Hub", 1)
QUEUE = NAMES.control_queues[0]
TIMING = Timing(max_poll_s=7 * 86400)
"""Nobody polls in between, so what comes when it is due was asked for then."""


class Bench:
    """One control queue: what is sent, and when it was taken."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.taken: list[tuple[datetime, HistoryEvent]] = []
        storage, self.queues = fake_storage(self.clock)
        self.queues.stored[QUEUE] = []
        payloads = Payloads(storage.blobs, NAMES.payload_container)
        held = HeldMessages(storage.queues, TIMING.control_hide_s, TIMING, self.clock)
        self.receiver = Receiver(
            QUEUE, storage, held, payloads, TIMING, self.clock, room=lambda: 32 - len(held), batch_size=32, taken=self._taken
        )
        self.delivery = Delivery(
            storage.queues,
            NAMES,
            payloads,
            self.clock,
            control_held=held,
            work_held=HeldMessages(storage.queues, TIMING.work_item_hide_s, TIMING, self.clock),
            slots=ActivitySlots(1),
            arrived=lambda one: None,
            room=lambda: 32,
            is_base64=False,
        )
        self.delivery.control[QUEUE] = self.receiver
        self._held = held

    async def _taken(self, batch: Sequence[Held]) -> None:
        for held in batch:
            self.taken.append((self.clock.now(), held.message.event))
            await self._held.delete(held)

    async def move_on(self) -> None:
        """Move the clock to the next wake-up, and let everything run that is not asleep then."""
        if (wake := self.clock.next_wake()) is not None:
            self.clock.advance_to(wake)
        for _ in range(50):
            await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    running = asyncio.ensure_future(made.receiver.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def a_timer(due: str) -> TaskMessage:
    return TaskMessage(event=TimerFired(timer_id=0, fire_at=due, timestamp=due), target=OrchestrationInstance(instance_id="i"))


def a_scheduled_start(due: str) -> TaskMessage:
    me = OrchestrationInstance(instance_id="i", execution_id="e1")
    event = ExecutionStarted(orchestration_instance=me, name="Main", scheduled_start_time=due, timestamp=due)
    return TaskMessage(event=event, target=me)


def a_scheduled_signal(due: str) -> TaskMessage:
    event = EventRaised(name=f"op@{due}", input="{}", timestamp=due)
    return TaskMessage(event=event, target=OrchestrationInstance(instance_id="@counter@a"))


@pytest.mark.parametrize("make", [a_timer, a_scheduled_start, a_scheduled_signal])
@pytest.mark.parametrize("days", [6.5, 7.0, 20.25, 400.0])
async def test_what_is_due_in_weeks_comes_when_it_is_due(bench: Bench, make: Callable[[str], TaskMessage], days: float) -> None:
    due = bench.clock.now() + timedelta(days=days, seconds=0.5)
    message = make(timestamp(due))
    await bench.delivery.send(message)
    while not bench.taken:
        assert bench.clock.now() <= due
        await bench.move_on()
    assert bench.taken == [(due, message.event)]
    assert bench.queues.texts(QUEUE) == []

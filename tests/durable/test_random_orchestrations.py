"""Random orchestrations through the core and the real SDK, on a hub that reorders, repeats, delays and crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linarite.durable.events import (
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    HistoryEvent,
    Status,
    TaskScheduled,
)
from linarite.durable.messages import TaskMessage, is_entity
from tests.durable.programs import Activities, Failed, entity, events_of, meant, numbered, orchestrator, programs
from tests.durable.world import Stored, World


class RoughWorld(World):
    """A hub that promises no more than hubs promise. `mishaps` is how many more times something goes wrong."""

    def __init__(self, random: Random, mishaps: int) -> None:
        self._does = Activities()
        activities: dict[str, Callable[[Any], Any]] = {name: partial(self._run, name) for name in ("echo", "boom", "flaky")}
        super().__init__({"program": orchestrator}, activities, entities={"notes": entity})
        self.random = random
        self.mishaps = mishaps
        self.repeated: dict[str, list[TaskMessage]] = {}

    def _run(self, name: str, value: Any) -> Any:
        return self._does.run(name, value, *self.task)

    def goes_wrong(self, chance: float = 0.15) -> bool:
        if self.mishaps <= 0 or self.random.random() >= chance:
            return False
        self.mishaps -= 1
        return True

    def step(self) -> bool:
        due = self.due()
        self.random.shuffle(due)
        if due and not isinstance(due[0].event, ExecutionSuspended | ExecutionResumed) and self.goes_wrong():
            self.waiting.append(due[0])
        for message in due:
            if isinstance(message.event, TaskScheduled):
                if not self.goes_wrong():
                    self.waiting.remove(message)
                self.run_activity(message)
                return True
            batch = self._batch(message, due)
            if self.turn(message.target.instance_id, batch):
                return True
        return False

    def _batch(self, first: TaskMessage, due: list[TaskMessage]) -> list[TaskMessage]:
        """Some of the messages that could go with this one, in any order.

        What was already processed when the host died comes first, and in the same order, as queues keep it: task ids follow the order of
        events, so answers to the requests of the lost attempt fit the next one's.
        """
        repeated = [m for m in self.repeated.pop(first.target.instance_id, []) if m in self.waiting]
        if repeated:
            return [*repeated, *(m for m in due if _is_beside(m, first) and m not in repeated and _is_same_generation(m, repeated))]
        generations = (None, first.target.execution_id or next((m.target.execution_id for m in due if _is_beside(m, first)), None))
        mates = [m for m in due if m is not first and _is_beside(m, first) and m.target.execution_id in generations]
        return [first, *mates[: self.random.randint(0, len(mates))]]

    def turn(self, instance_id: str, batch: Any) -> bool:
        self.forgets = self.random.random() < 0.3
        if self.goes_wrong():
            return self._crash(instance_id, batch)
        return super().turn(instance_id, batch)

    def _crash(self, instance_id: str, batch: list[TaskMessage]) -> bool:
        """The host dies before history is written; some of what it was sending, at the same time, is out."""
        stored = self.instances.setdefault(instance_id, Stored())
        history, batch = self.deliverable(stored, batch)
        self.repeated[instance_id] = batch
        if batch:
            sent = self.decide(stored, history, batch).decision.outbound
            self.waiting += [message for message in sent if self.random.random() < 0.5]
        return True

    def commit(self, stored: Stored, batch: Any, outcome: Any, addressed: str | None) -> None:
        super().commit(stored, batch, outcome, addressed)
        for event in outcome.decision.new_events:
            if isinstance(event, ExecutionStarted) and not is_entity(event.name):
                self._raise_events_of(event)

    def _raise_events_of(self, started: ExecutionStarted) -> None:
        """Everything a generation waits for is raised once it has begun; each wait has a name of its own, so none is lost."""
        for name in events_of(json.loads(json.loads(started.input or ""))):
            self.raise_event(f"e{name}", f"value {name}", started.orchestration_instance.instance_id)


def _is_beside(message: TaskMessage, other: TaskMessage) -> bool:
    return message.target.instance_id == other.target.instance_id and not isinstance(message.event, TaskScheduled)


def _is_same_generation(message: TaskMessage, others: list[TaskMessage]) -> bool:
    return message.target.execution_id in (None, *(other.target.execution_id for other in others))


def check(program: Any, random: Random, mishaps: int) -> None:
    program = numbered(program)
    world = RoughWorld(random, mishaps)
    world.start("program", program)
    if random.random() < 0.3:
        hold_for_a_while(world)
    world.run(5000)
    try:
        assert (world.status(), world.output()) == (Status.COMPLETED, meant(program))
    except Failed:
        assert world.status() is Status.FAILED
        assert str(world.output()).startswith("Orchestrator function 'program' failed: ")
    for stored in (stored for instance_id, stored in world.instances.items() if not is_entity(instance_id)):
        check_history(stored.history)


def hold_for_a_while(world: RoughWorld) -> None:
    """Suspend the instance at some moment and resume it at a later one."""
    for _ in range(world.random.randint(0, 30)):
        world.step()
    world.send(ExecutionSuspended(timestamp=world.now()))
    while any(isinstance(message.event, ExecutionSuspended) for message in world.waiting):
        world.step()
    for _ in range(world.random.randint(0, 30)):
        world.step()
    world.send(ExecutionResumed(timestamp=world.now()))


def check_history(history: list[HistoryEvent]) -> None:
    """Ids are given once each, without gaps, and the end comes once."""
    ids = [event.event_id for event in history if event.event_id >= 0]
    assert ids == list(range(len(ids)))
    assert sum(isinstance(event, ExecutionCompleted) for event in history) <= 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(programs, st.randoms(use_true_random=False))
def test_a_random_orchestration_ends_as_its_author_meant(program: Any, random: Random) -> None:
    check(program, random, mishaps=0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(programs, st.randoms(use_true_random=False))
def test_a_random_orchestration_survives_repeats_reordering_and_crashes(program: Any, random: Random) -> None:
    check(program, random, mishaps=8)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(programs, st.integers(0, 2**32))
def test_a_thousand_random_orchestrations(program: Any, seed: int) -> None:
    check(program, Random(seed), mishaps=12)

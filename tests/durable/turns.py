"""Single turns without an app: what tests say to the core, and how they read what it decided."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from linarite.durable.actions import Answer
from linarite.durable.events import (
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    Status,
)
from linarite.durable.messages import TaskMessage
from linarite.durable.turn import Knowledge, Outcome, Reply, take_turn
from linarite.settings import DurableSettings

T0 = "2026-01-01T00:00:00Z"
Context = Any  # the SDK has no types
Steps = Generator[Any, Any, Any]


def kinds(events: Any) -> list[str]:
    return [type(event).__name__ for event in events]


def hello(name: Any) -> str:
    return f"Hello {name}!"


def boom(what: Any) -> Any:
    raise ValueError(f"boom {what}")


def started(**changes: Any) -> TaskMessage:
    me = OrchestrationInstance(instance_id="i", execution_id="e1")
    return TaskMessage(event=ExecutionStarted(orchestration_instance=me, name="o", timestamp=T0, **changes), target=me)


def to_me(event: HistoryEvent) -> TaskMessage:
    return TaskMessage(event=event, target=OrchestrationInstance(instance_id="i"))


def failure_of(outcome: Outcome) -> str:
    completed = next(event for event in outcome.decision.new_events if isinstance(event, ExecutionCompleted))
    assert completed.orchestration_status is Status.FAILED
    assert completed.result is not None
    return completed.result


def run(
    messages: list[TaskMessage], history: list[HistoryEvent], *replies: Answer, settings: DurableSettings | None = None, now: str = T0
) -> Outcome:
    """One turn with these answers; each must be asked for."""
    ids = iter(range(100))
    turn = take_turn(
        history, messages, Knowledge(frozenset()), now, lambda: f"{next(ids):032x}", settings or DurableSettings(), lambda action: None
    )
    try:
        next(turn)
        for reply in replies:
            turn.send(Reply(reply, now))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    raise AssertionError("more was asked than there are answers")

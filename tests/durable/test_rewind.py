from __future__ import annotations

from typing import Any

import azure.durable_functions as df
import pytest

from linarite.durable.events import (
    ExecutionCompleted,
    ExecutionStarted,
    GenericEvent,
    HistoryEvent,
    OrchestrationInstance,
    Status,
    SubOrchestrationInstanceCreated,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
)
from linarite.durable.rewind import rewind
from tests.durable.world import World

T0, T1, T2 = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"
STARTED = ExecutionStarted(orchestration_instance=OrchestrationInstance(instance_id="i", execution_id="e"), name="o", timestamp=T0)
FAILED = ExecutionCompleted(orchestration_status=Status.FAILED, event_id=2, timestamp=T2)


def test_a_failed_activity_and_its_request_are_neutralised_and_keep_their_ids() -> None:
    history: list[HistoryEvent] = [
        STARTED,
        TaskScheduled(name="good", event_id=0, timestamp=T0),
        TaskCompleted(task_scheduled_id=0, timestamp=T1),
        TaskScheduled(name="bad", event_id=1, timestamp=T1),
        TaskFailed(task_scheduled_id=1, reason="no", is_played=True, timestamp=T2),
        FAILED,
    ]
    rewound = rewind(history)
    assert rewound.failed_children == ()
    assert rewound.applied_to(history) == (
        *history[:3],
        GenericEvent(event_id=1, timestamp=T1),
        GenericEvent(event_id=-1, is_played=True, timestamp=T2),
        GenericEvent(event_id=2, timestamp=T2),
    )


def test_a_failed_childs_request_stays_and_the_child_is_named() -> None:
    history: list[HistoryEvent] = [
        STARTED,
        SubOrchestrationInstanceCreated(name="c", instance_id="kid", event_id=0, timestamp=T0),
        SubOrchestrationInstanceCreated(name="c", instance_id="well", event_id=1, timestamp=T0),
        SubOrchestrationInstanceFailed(task_scheduled_id=0, timestamp=T1),
        FAILED,
    ]
    rewound = rewind(history)
    assert rewound.failed_children == ("kid",)
    assert rewound.neutralised == {3, 4}


def test_a_second_rewind_undoes_only_what_failed_since() -> None:
    once = rewind([STARTED, TaskScheduled(name="bad", event_id=0, timestamp=T0), TaskFailed(task_scheduled_id=0, timestamp=T1), FAILED])
    history = once.applied_to(
        [STARTED, TaskScheduled(name="bad", event_id=0, timestamp=T0), TaskFailed(task_scheduled_id=0, timestamp=T1), FAILED]
    )
    again = [*history, TaskScheduled(name="bad", event_id=0, timestamp=T2), TaskFailed(task_scheduled_id=0, timestamp=T2), FAILED]
    assert rewind(again).neutralised == {4, 5, 6}


def retried(context: Any) -> Any:
    return (yield context.call_activity_with_retry("shaky", df.RetryOptions(1000, 2), 1))


def compensated(context: Any) -> Any:
    try:
        return (yield context.call_activity("shaky", 1))
    except Exception:
        yield context.call_activity("undo", 1)
        raise


def plain(context: Any) -> Any:
    return (yield context.call_activity("shaky", 1))


@pytest.mark.parametrize(
    ("orchestrator", "status", "output"),
    [
        (plain, Status.COMPLETED, 1),
        (retried, Status.FAILED, "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled a timer task"),
        (
            compensated,
            Status.FAILED,
            "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity",
        ),
    ],
)
def test_what_was_done_because_of_a_failure_stays_and_ends_the_rewound_instance_as_upstream(
    orchestrator: Any, status: Status, output: Any
) -> None:
    def shaky(value: int) -> int:
        if is_broken:
            raise ValueError("not yet")
        return value

    is_broken = True
    world = World({"o": orchestrator}, {"shaky": shaky, "undo": lambda value: value})
    world.start("o")
    world.run()
    assert world.status() is Status.FAILED

    stored = world.instances["i"]
    stored.history = list(rewind(stored.history).applied_to(stored.history))
    is_broken, world.forgets = False, True
    world.send(GenericEvent(timestamp=T0))
    world.run()

    assert world.status() is status
    assert world.output() == output or str(world.output()).startswith(str(output))


def test_nothing_is_undone_where_nothing_failed() -> None:
    done = ExecutionCompleted(orchestration_status=Status.COMPLETED, event_id=0, timestamp=T1)
    assert rewind([STARTED, done]).applied_to([STARTED, done]) == (STARTED, done)

from __future__ import annotations

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


def test_nothing_is_undone_where_nothing_failed() -> None:
    done = ExecutionCompleted(orchestration_status=Status.COMPLETED, event_id=0, timestamp=T1)
    assert rewind([STARTED, done]).applied_to([STARTED, done]) == (STARTED, done)

from __future__ import annotations

from linarite.durable.events import (
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    SubOrchestrationInstanceCreated,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskScheduled,
)
from linarite.web.durable_api.history import shown_history

EARLY = "2026-01-01T00:00:00.1234567Z"
LATE = "2026-01-01T00:00:02Z"


def scheduled(task_id: int, name: str) -> TaskScheduled:
    return TaskScheduled(event_id=task_id, name=name, input="[1]", timestamp=EARLY)


def completed(task_id: int, result: str) -> TaskCompleted:
    return TaskCompleted(task_scheduled_id=task_id, result=result, timestamp=LATE)


def test_an_answered_request_is_shown_in_its_answer_only() -> None:
    events: list[HistoryEvent] = [
        OrchestratorStarted(timestamp=EARLY),
        scheduled(0, "add"),
        OrchestratorCompleted(timestamp=EARLY),
        completed(0, '{"a": 1}'),
    ]
    (shown,) = shown_history(events, inputs=True, outputs=False)
    assert shown == {
        "EventType": "TaskCompleted",
        "Timestamp": LATE,
        "ScheduledTime": "2026-01-01T00:00:00.1234567+00:00",
        "FunctionName": "add",
        "Input": "[1]",
    }


def test_a_request_without_answer_stays() -> None:
    (shown,) = shown_history([scheduled(0, "add")], inputs=False, outputs=True)
    assert shown == {"EventType": "TaskScheduled", "Name": "add", "ParentTraceContext": None, "Tags": None, "Timestamp": EARLY}


def test_an_activity_and_a_child_with_one_id_are_not_confused() -> None:
    events: list[HistoryEvent] = [
        scheduled(0, "activity"),
        SubOrchestrationInstanceCreated(event_id=0, name="child", instance_id="kid", timestamp=EARLY),
        SubOrchestrationInstanceFailed(task_scheduled_id=0, reason="bad", timestamp=LATE),
    ]
    shown = shown_history(events, inputs=True, outputs=True)
    assert [(members["EventType"], members.get("Name"), members.get("FunctionName")) for members in shown] == [
        ("TaskScheduled", "activity", None),
        ("SubOrchestrationInstanceFailed", None, "child"),
    ]
    assert shown[1]["InstanceId"] == "kid"


def test_a_repeated_id_does_not_break_the_history() -> None:
    """A history that the real runtime failed as non-deterministic holds one id twice."""
    shown = shown_history([scheduled(0, "add"), scheduled(0, "other"), completed(0, "1")], inputs=True, outputs=True)
    assert [members["EventType"] for members in shown] == ["TaskCompleted"]


def test_an_answer_whose_request_is_gone_is_shown_alone() -> None:
    (shown,) = shown_history([completed(3, "1")], inputs=True, outputs=True)
    assert "FunctionName" not in shown


def test_the_start_loses_what_only_storage_needs() -> None:
    instance = OrchestrationInstance(instance_id="x", execution_id="e")
    started = ExecutionStarted(orchestration_instance=instance, name="chain", input='"a"', tags={"t": "1"}, timestamp=EARLY)
    (shown,) = shown_history([started], inputs=True, outputs=True)
    assert list(shown) == [
        "EventType",
        "Input",
        "Correlation",
        "ParentTraceContext",
        "ScheduledStartTime",
        "Generation",
        "GenerateNewTrace",
        "Timestamp",
        "FunctionName",
    ]

"""A history as the management API shows it.

What the orchestrator asked for is merged into its answer, ids are left out, kinds and statuses are names. Members keep their stored
order; what is renamed or merged comes last. Inputs are raw texts, results are parsed.
Source: the Durable extension's DurableClient (history of GetStatusAsync), as recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from linarite.durable.events import (
    ExecutionStarted,
    GenericEvent,
    HistoryEvent,
    OrchestratorCompleted,
    OrchestratorStarted,
    Status,
    SubOrchestrationInstanceCompleted,
    SubOrchestrationInstanceCreated,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
)
from linarite.web.durable_api.json_text import shown

Members = dict[str, Any]

_Request = TaskScheduled | SubOrchestrationInstanceCreated
_Answer = TaskCompleted | TaskFailed | SubOrchestrationInstanceCompleted | SubOrchestrationInstanceFailed
_NEVER_SHOWN = ("EventId", "IsPlayed", "TaskScheduledId", "TimerId", "Version", "OrchestrationInstance", "ParentInstance")


def shown_history(events: Sequence[HistoryEvent], *, inputs: bool, outputs: bool) -> list[Members]:
    """The array `historyEvents`, with inputs and results if they are asked for."""
    requests = {_task(event): event for event in events if isinstance(event, _Request)}
    answered = {_task(event) for event in events if isinstance(event, _Answer)}
    return [
        _shown(event, requests, inputs=inputs, outputs=outputs)
        for event in events
        if not isinstance(event, OrchestratorStarted | OrchestratorCompleted)
        and not (isinstance(event, _Request) and _task(event) in answered)
    ]


def _task(event: _Request | _Answer) -> tuple[bool, int]:
    """What answers have in common with their request; activities and children apart, since a damaged history may repeat an id."""
    task_id = event.event_id if isinstance(event, _Request) else event.task_scheduled_id
    return isinstance(event, TaskScheduled | TaskCompleted | TaskFailed), task_id


def _shown(event: HistoryEvent, requests: dict[tuple[bool, int], _Request], *, inputs: bool, outputs: bool) -> Members:
    members: Members = msgspec.to_builtins(event)
    members["EventType"] = type(event).__name__
    if isinstance(event, GenericEvent):  # the one kind that .NET writes after its own member
        members = {"Data": members.pop("Data"), **members}
    for name in _NEVER_SHOWN:
        members.pop(name, None)
    if "OrchestrationStatus" in members:
        members["OrchestrationStatus"] = Status(members["OrchestrationStatus"]).label
    if isinstance(event, ExecutionStarted):
        del members["Tags"]
        members["FunctionName"] = members.pop("Name")
    if isinstance(event, _Answer) and (request := requests.get(_task(event))) is not None:
        members |= _merged(request)
    if "Result" in members:
        members["Result"] = shown(members["Result"])
    return {name: value for name, value in members.items() if (name != "Input" or inputs) and (name != "Result" or outputs)}


def _merged(request: _Request) -> Members:
    """What an answer shows of its request."""
    members: Members = {"ScheduledTime": f"{request.timestamp.removesuffix('Z')}+00:00", "FunctionName": request.name}
    if isinstance(request, SubOrchestrationInstanceCreated):
        members["InstanceId"] = request.instance_id
    return members | {"Input": request.input}

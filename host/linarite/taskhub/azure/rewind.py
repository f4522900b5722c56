"""Rewind: a failed instance goes on from where it failed.

The failures in the history, and the requests that led to them, are renamed to events that replay passes over, so that the orchestrator
asks for them again under the same ids. Failed children are rewound first; the instances that have none are woken, and wake their
parents when they are done. Which rows change, and into what, are the pure functions here; the client reads and writes them.
Source: DurableTask.AzureStorage, AzureTableTrackingStore (RewindHistoryAsync).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from linarite.storage.tables import Row

FAILED_TASK = "TaskFailed"
FAILED_CHILD = "SubOrchestrationInstanceFailed"
_REQUESTS = {FAILED_TASK: "TaskScheduled", FAILED_CHILD: "SubOrchestrationInstanceCreated"}


def plan(rows: Sequence[Row]) -> list[Row | str]:
    """The rewind of the generation these rows are (all of them, in order), step by step.

    A row is to be written in place of its earlier version; a text is the id of a child to rewind before going on.
    """
    steps: list[Row | str] = []
    for failure in (row for row in rows if _is_failure(row)):
        kind = str(failure.columns["EventType"])
        request = _request(rows, _REQUESTS.get(kind), failure)
        if request is not None:
            steps.append(_neutral(request, is_hidden=kind == FAILED_TASK))
            if kind == FAILED_CHILD:
                steps.append(str(request.columns["InstanceId"]))
        steps.append(_neutral(failure, is_hidden=True))
    return steps


def _is_failure(row: Row) -> bool:
    return row.columns.get("OrchestrationStatus") == "Failed" or row.columns.get("EventType") in _REQUESTS


def _request(rows: Sequence[Row], kind: str | None, failure: Row) -> Row | None:
    """The row that asked for what failed."""
    asked = failure.columns.get("TaskScheduledId")
    return next((row for row in rows if row.columns.get("EventType") == kind and row.columns.get("EventId") == asked), None)


def _neutral(row: Row, *, is_hidden: bool) -> Row:
    """The row marked as rewound; hidden ones become events that replay passes over. All other columns stay."""
    mark = {"Reason": f"Rewound: {row.columns['EventType']}"}
    return replace(row, columns={**row.columns, **mark, **({"EventType": "GenericEvent"} if is_hidden else {})})

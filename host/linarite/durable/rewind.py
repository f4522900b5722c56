"""What a rewind makes of a failed instance's history.

Its failures, and the activity requests they answer, become events that no replay sees, so that the activities are asked for again under
their old ids. A failed child's request stays: the child is rewound in its turn, and its answer wakes the parent.
Waking whoever has no failed child, and the children's own histories, are the hub's work.
Source: DurableTask.AzureStorage, AzureTableTrackingStore.RewindHistoryAsync.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linarite.durable.events import (
    ExecutionCompleted,
    GenericEvent,
    HistoryEvent,
    Status,
    SubOrchestrationInstanceCreated,
    SubOrchestrationInstanceFailed,
    TaskFailed,
    TaskScheduled,
)


@dataclass(frozen=True, slots=True)
class Rewound:
    """`neutralised`: positions in the history of what turns into a GenericEvent. `failed_children`: ids of instances to rewind too."""

    neutralised: frozenset[int]
    failed_children: tuple[str, ...]

    def applied_to(self, history: Sequence[HistoryEvent]) -> tuple[HistoryEvent, ...]:
        """That history, rewound. Positions, event ids and times stay."""
        return tuple(_neutral(event) if at in self.neutralised else event for at, event in enumerate(history))


def rewind(history: Sequence[HistoryEvent]) -> Rewound:
    """What is to be undone in the history of one generation; nothing, if nothing failed in it."""
    failed_tasks = {event.task_scheduled_id for event in history if isinstance(event, TaskFailed)}
    failed_children = {event.task_scheduled_id for event in history if isinstance(event, SubOrchestrationInstanceFailed)}
    return Rewound(
        frozenset(at for at, event in enumerate(history) if _is_undone(event, failed_tasks)),
        tuple(
            event.instance_id
            for event in history
            if isinstance(event, SubOrchestrationInstanceCreated) and event.event_id in failed_children
        ),
    )


def _is_undone(event: HistoryEvent, failed_tasks: set[int]) -> bool:
    match event:
        case TaskFailed() | SubOrchestrationInstanceFailed():
            return True
        case TaskScheduled(event_id=task_id):
            return task_id in failed_tasks
        case ExecutionCompleted(orchestration_status=status):
            return status is Status.FAILED
    return False


def _neutral(event: HistoryEvent) -> GenericEvent:
    return GenericEvent(event_id=event.event_id, is_played=event.is_played, timestamp=event.timestamp)

"""What the core decided about one work item: everything that a hub has to write and to send."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from linarite.durable.events import HistoryEvent
from linarite.durable.instances import InstanceUpdate
from linarite.durable.messages import TaskMessage


@dataclass(frozen=True, slots=True)
class Decision:
    """Everything to write because of one work item.

    `new_events` are appended to the history, or are the whole of a new generation (`replaces_history`). With none, nothing is written and
    the messages that were read are merely consumed. `custom_status` is JSON text; UNSET leaves the row's as it is. `unread`: positions in
    the item's messages that stay waiting, in order, for the item's successor, which comes at once; if nothing was read and nothing is
    written, it comes only with something new. `row`: a change of the instance row alone, for an instance
    that has no history; ignored if there is no row.
    """

    execution_id: str
    new_events: tuple[HistoryEvent, ...] = ()
    replaces_history: bool = False
    outbound: tuple[TaskMessage, ...] = ()
    custom_status: str | UnsetType | None = UNSET
    unread: frozenset[int] = frozenset()
    row: InstanceUpdate | None = None

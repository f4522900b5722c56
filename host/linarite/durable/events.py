"""History events, in DurableTask's words.

One class per event kind, in the plain JSON form that the Durable SDK is sent and that the management API starts from: PascalCase
members, `EventType` as an integer, nulls written. (`ExecutionStarted` is the one event the .NET side writes with `EventType`
behind its first member; order carries no meaning, so here it comes first as everywhere else.)
Queue messages and table rows are other spellings of the same events; each hub's format module owns its own.
Source: DurableTask.Core, History/*.cs.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, get_args

import msgspec

from linarite.timestamps import Timestamp

UNNUMBERED = -1
"""Event id of everything that is not a scheduled task."""


class Status(IntEnum):
    """Runtime status of an instance; the numbers are those of messages and histories."""

    RUNNING = 0
    COMPLETED = 1
    CONTINUED_AS_NEW = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    PENDING = 6
    SUSPENDED = 7

    @property
    def label(self) -> str:
        """The name in tables and in the management API, e.g. `ContinuedAsNew`."""
        return _LABELS[self]

    @classmethod
    def of(cls, label: str) -> Status:
        """The status with that name, in any case; ValueError if there is none."""
        try:
            return _STATUSES[label.lower()]
        except KeyError:
            raise ValueError(f"{label!r} is not a runtime status; there are {', '.join(_LABELS.values())}") from None

    @property
    def is_terminal(self) -> bool:
        """No further event changes the instance, short of a rewind or a new start."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELED, Status.TERMINATED)


_LABELS = {
    Status.RUNNING: "Running",
    Status.COMPLETED: "Completed",
    Status.CONTINUED_AS_NEW: "ContinuedAsNew",
    Status.FAILED: "Failed",
    Status.CANCELED: "Canceled",
    Status.TERMINATED: "Terminated",
    Status.PENDING: "Pending",
    Status.SUSPENDED: "Suspended",
}
_STATUSES = {label.lower(): status for status, label in _LABELS.items()}


class _Plain(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Encodes with PascalCase members, nulls included."""


class OrchestrationInstance(_Plain, frozen=True, kw_only=True):
    """One generation of one instance; no execution id means whichever generation is current."""

    instance_id: str
    execution_id: str | None = None


class ParentInstance(_Plain, frozen=True, kw_only=True):
    """Who awaits a sub-orchestration, and under which task id."""

    name: str | None
    orchestration_instance: OrchestrationInstance
    task_schedule_id: int
    version: str | None


class FailureDetails(_Plain, frozen=True, kw_only=True):
    """A structured failure. Python 1.x apps never produce one; histories of other languages hold them."""

    error_type: str
    error_message: str
    stack_trace: str | None = None
    inner_failure: FailureDetails | None = None
    is_non_retriable: bool = False
    properties: dict[str, Any] | None = None


class _Event(_Plain, frozen=True, tag_field="EventType"):
    """What every event ends with. `is_played`: delivered, and seen by an episode that was committed."""


class ExecutionStarted(_Event, frozen=True, kw_only=True, tag=0):
    """The generation begins. `input` is JSON text; `generation` counts client starts of one id, None elsewhere."""

    orchestration_instance: OrchestrationInstance
    parent_instance: ParentInstance | None = None
    name: str
    version: str | None = None
    input: str | None = None
    tags: dict[str, str] | None = None
    correlation: str | None = None
    parent_trace_context: dict[str, Any] | None = None
    scheduled_start_time: Timestamp | None = None
    generation: int | None = None
    generate_new_trace: bool = False
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class ExecutionCompleted(_Event, frozen=True, kw_only=True, tag=1):
    """The generation ended with `orchestration_status`; `result` is JSON text, or the failure or termination text."""

    orchestration_status: Status
    result: str | None = None
    failure_details: FailureDetails | None = None
    event_id: int
    is_played: bool = False
    timestamp: Timestamp


class ExecutionTerminated(_Event, frozen=True, kw_only=True, tag=3):
    """Someone ended the instance; `input` is the reason, raw text."""

    input: str | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class TaskScheduled(_Event, frozen=True, kw_only=True, tag=4):
    """An activity was asked for. `input` travels in the message; in history only if the host keeps inputs."""

    name: str
    version: str | None = ""
    input: str | None = None
    parent_trace_context: dict[str, Any] | None = None
    tags: dict[str, str] | None = None
    event_id: int
    is_played: bool = False
    timestamp: Timestamp


class TaskCompleted(_Event, frozen=True, kw_only=True, tag=5):
    """The activity answered; `result` is JSON text or None."""

    task_scheduled_id: int
    result: str | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class TaskFailed(_Event, frozen=True, kw_only=True, tag=6):
    """The activity raised; the SDK shows the app `reason`, a newline, and `details`."""

    task_scheduled_id: int
    reason: str | None = None
    details: str | None = None
    failure_details: FailureDetails | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class SubOrchestrationInstanceCreated(_Event, frozen=True, kw_only=True, tag=7):
    """A child was asked for; the message that creates it is an ExecutionStarted."""

    name: str
    version: str | None = None
    instance_id: str
    input: str | None = None
    client_span_id: str | None = None
    tags: dict[str, str] | None = None
    event_id: int
    is_played: bool = False
    timestamp: Timestamp


class SubOrchestrationInstanceCompleted(_Event, frozen=True, kw_only=True, tag=8):
    """The child completed; `result` is JSON text or None."""

    task_scheduled_id: int
    result: str | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class SubOrchestrationInstanceFailed(_Event, frozen=True, kw_only=True, tag=9):
    """The child failed or was terminated."""

    task_scheduled_id: int
    reason: str | None = None
    details: str | None = None
    failure_details: FailureDetails | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class TimerCreated(_Event, frozen=True, kw_only=True, tag=10):
    """A durable timer was asked for."""

    fire_at: Timestamp
    event_id: int
    is_played: bool = False
    timestamp: Timestamp


class TimerFired(_Event, frozen=True, kw_only=True, tag=11):
    """The timer is due. `timestamp` is when the timer was *created*: the message is made then and merely shown later."""

    timer_id: int
    fire_at: Timestamp
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class OrchestratorStarted(_Event, frozen=True, kw_only=True, tag=12):
    """An episode begins; its timestamp is the orchestrator's current time."""

    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class OrchestratorCompleted(_Event, frozen=True, kw_only=True, tag=13):
    """An episode was committed."""

    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class EventSent(_Event, frozen=True, kw_only=True, tag=14):
    """An event was sent to another instance; for entity requests `input` is the request message."""

    instance_id: str
    name: str
    input: str | None = None
    event_id: int
    is_played: bool = False
    timestamp: Timestamp


class EventRaised(_Event, frozen=True, kw_only=True, tag=15):
    """An external event, or an entity's answer (then `name` is the request's GUID)."""

    name: str
    input: str | None = None
    parent_trace_context: dict[str, Any] | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class ContinueAsNew(_Event, frozen=True, kw_only=True, tag=16):
    """Never written by this engine; read as "still running"."""

    orchestration_status: Status = Status.CONTINUED_AS_NEW
    result: str | None = None
    failure_details: FailureDetails | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class GenericEvent(_Event, frozen=True, kw_only=True, tag=17):
    """Carries nothing an orchestrator sees: the wake-up after a rewind, or a failure that a rewind neutralised."""

    data: str | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class ExecutionSuspended(_Event, frozen=True, kw_only=True, tag=19):
    """Hold the instance until it is resumed."""

    reason: str | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


class ExecutionResumed(_Event, frozen=True, kw_only=True, tag=20):
    """Let the instance go on."""

    reason: str | None = None
    event_id: int = UNNUMBERED
    is_played: bool = False
    timestamp: Timestamp


HistoryEvent = (
    ExecutionStarted
    | ExecutionCompleted
    | ExecutionTerminated
    | TaskScheduled
    | TaskCompleted
    | TaskFailed
    | SubOrchestrationInstanceCreated
    | SubOrchestrationInstanceCompleted
    | SubOrchestrationInstanceFailed
    | TimerCreated
    | TimerFired
    | OrchestratorStarted
    | OrchestratorCompleted
    | EventSent
    | EventRaised
    | ContinueAsNew
    | GenericEvent
    | ExecutionSuspended
    | ExecutionResumed
)

EVENT_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(HistoryEvent)}
"""Event classes by DurableTask's own name, as the history table spells the kind."""


def encode_event(event: HistoryEvent) -> bytes:
    """Plain JSON of one event, as in an SDK's history array."""
    return msgspec.json.encode(event)


def decode_event(text: bytes | str) -> HistoryEvent:
    """The event of that JSON text; unknown members are ignored. Raises msgspec.ValidationError."""
    return _decoder.decode(text)


_decoder: msgspec.json.Decoder[HistoryEvent] = msgspec.json.Decoder(HistoryEvent)

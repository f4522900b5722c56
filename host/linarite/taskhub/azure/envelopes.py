"""Queue messages as the reference writes them: a `MessageData` envelope around a `TaskMessage` around a history event.

Members, their order, and nulls are those of Newtonsoft.Json with type names on: `$type` first in every object made of a class. Maps are
written without one, which readers accept, because the name in it differs between .NET runtimes.
Source: DurableTask.AzureStorage, MessageData and MessageManager; recorded messages.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import msgspec

from linarite.durable.events import EVENT_KINDS, HistoryEvent, OrchestrationInstance
from linarite.durable.messages import TaskMessage
from linarite.taskhub.azure.names import MAX_MESSAGE_BYTES

NO_ACTIVITY = "00000000-0000-0000-0000-000000000000"
"""Activity id of a wrapper."""

_TYPE = "$type"
_OBJECTS = {
    "OrchestrationInstance": "DurableTask.Core.OrchestrationInstance",
    "ParentInstance": "DurableTask.Core.ParentInstance",
    "FailureDetails": "DurableTask.Core.FailureDetails",
    "InnerFailure": "DurableTask.Core.FailureDetails",
    "ParentTraceContext": "DurableTask.Core.Tracing.DistributedTraceContext",
}
_LEADING = {"ExecutionStarted": "OrchestrationInstance", "GenericEvent": "Data"}
"""The two events that have a member written before `EventType`."""


class UndecodableMessage(Exception):
    """A queue message is not an envelope, or holds an event this host does not know. Says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A task message with what travels beside it. `sequence` breaks ties when one batch of messages is put in order."""

    message: TaskMessage
    activity_id: str
    sequence: int


def encode(envelope: Envelope) -> str:
    """JSON text of an envelope."""
    message = envelope.message
    sender = message.sender or OrchestrationInstance(instance_id="", execution_id="")
    return _text(
        {
            _TYPE: "DurableTask.AzureStorage.MessageData",
            "ActivityId": envelope.activity_id,
            "TaskMessage": {
                _TYPE: "DurableTask.Core.TaskMessage",
                "Event": _event(message.event),
                "SequenceNumber": 0,
                "OrchestrationInstance": _typed("OrchestrationInstance", msgspec.to_builtins(message.target)),
                "OrchestrationExecutionContext": _context(message.sender_tags),
            },
            "CompressedBlobName": None,
            "SequenceNumber": envelope.sequence,
            **({} if message.episode is None else {"Episode": message.episode}),
            "Sender": msgspec.to_builtins(sender),
            "SerializableTraceContext": None,
        }
    )


def encode_wrapper(blob: str) -> str:
    """JSON text of what the queue gets when the envelope itself is in a blob."""
    return _text(
        {
            _TYPE: "DurableTask.AzureStorage.MessageData",
            "ActivityId": NO_ACTIVITY,
            "TaskMessage": None,
            "CompressedBlobName": blob,
            "SequenceNumber": 0,
            "Sender": None,
            "SerializableTraceContext": None,
        }
    )


def decode(text: str) -> Envelope | str:
    """The envelope in a queue message's text, plain or Base64; for a wrapper, the name of the blob that holds it.

    Raises UndecodableMessage.
    """
    try:
        data = _decoder.decode(text if text.lstrip().startswith("{") else base64.b64decode(text, validate=True))
    except (msgspec.MsgspecError, binascii.Error, ValueError) as problem:
        raise UndecodableMessage(str(problem)) from None
    if data.compressed_blob_name:
        return data.compressed_blob_name
    if data.task_message is None:
        raise UndecodableMessage("it holds neither a task message nor the name of a blob")
    return Envelope(_message(data, data.task_message), data.activity_id, data.sequence_number)


def is_too_long(text: str) -> bool:
    """Whether an envelope has to travel in a blob."""
    return len(text.encode("utf-8")) > MAX_MESSAGE_BYTES


def event_type(event: HistoryEvent) -> str:
    """DurableTask's name of the kind, e.g. `TaskCompleted`."""
    return type(event).__name__


class _TaskMessage(msgspec.Struct, rename="pascal"):
    event: HistoryEvent
    orchestration_instance: OrchestrationInstance
    orchestration_execution_context: dict[str, Any] | None = None


class _Data(msgspec.Struct, rename="pascal"):
    task_message: _TaskMessage | None = None
    activity_id: str = NO_ACTIVITY
    compressed_blob_name: str | None = None
    sequence_number: int = 0
    episode: int | None = None
    sender: OrchestrationInstance | None = None


_decoder = msgspec.json.Decoder(_Data)
_TYPE_NAMES = {name: f"DurableTask.Core.History.{name.removesuffix('Event')}Event" for name in EVENT_KINDS}


def _event(event: HistoryEvent) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(event)
    name = event_type(event)
    written: dict[str, Any] = {_TYPE: _TYPE_NAMES[name]}
    if first := _LEADING.get(name):
        written[first] = body.pop(first)
    written.update(body)
    return {member: _typed(member, value) for member, value in written.items()}


def _typed(member: str, value: Any) -> Any:
    """The value with type names in it and below, where the member is an object of a class."""
    if not isinstance(value, dict) or member not in _OBJECTS:
        return value
    return {_TYPE: _OBJECTS[member], **{name: _typed(name, inner) for name, inner in value.items()}}


def _context(sender_tags: dict[str, str] | None) -> dict[str, Any] | None:
    if sender_tags is None:
        return None
    return {_TYPE: "DurableTask.Core.OrchestrationExecutionContext", "OrchestrationTags": sender_tags}


def _message(data: _Data, message: _TaskMessage) -> TaskMessage:
    context = message.orchestration_execution_context
    return TaskMessage(
        event=_untyped(message.event),
        target=message.orchestration_instance,
        sender=data.sender if data.sender is not None and data.sender.instance_id else None,
        episode=data.episode,
        sender_tags=None if context is None else _without_type(context.get("OrchestrationTags") or {}),
    )


def _untyped(event: HistoryEvent) -> HistoryEvent:
    """The event with type names taken out of its maps; classes have lost theirs already."""
    maps = {
        field: _without_type(value)
        for field in ("tags", "parent_trace_context")
        if isinstance(value := getattr(event, field, None), dict) and _TYPE in value
    }
    return msgspec.structs.replace(event, **maps) if maps else event


def _without_type(value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if name != _TYPE}


def _text(body: dict[str, Any]) -> str:
    """JSON that may stand in XML: the two noncharacters XML forbids are escaped; JSON escapes the control characters itself."""
    return msgspec.json.encode(body).decode("utf-8").replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")

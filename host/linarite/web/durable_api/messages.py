"""Messages that clients send to instances and entities, and the ids they may use. `now` and new ids are arguments.

Source: the Durable extension's HttpApiHandler and DurableClient; messages as recorded.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import msgspec

from linarite.durable.events import (
    EventRaised,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    HistoryEvent,
    OrchestrationInstance,
)
from linarite.durable.messages import TaskMessage
from linarite.timestamps import Timestamp
from linarite.web.durable_api.json_text import compact, is_json

MAX_ID_LENGTH = 256
_FORBIDDEN = "/\\#?"
_UNSTAMPED = "0001-01-01T00:00:00"


def start_message(
    name: str,
    instance: OrchestrationInstance,
    input: str | None,
    version: str | None,
    now: Timestamp,
    tags: Mapping[str, str] | None = None,
) -> TaskMessage:
    """Start an instance; `input` is JSON text, kept as it is."""
    event = ExecutionStarted(
        orchestration_instance=instance, name=name, version=version, input=input, tags=dict(tags) if tags else None, timestamp=now
    )
    return TaskMessage(event=event, target=instance)


def event_message(instance_id: str, name: str, body: str, now: Timestamp) -> TaskMessage:
    """Raise an event with a JSON text, which is rewritten. Raises InvalidJson."""
    return _to(instance_id, EventRaised(name=name, input=compact(body), timestamp=now))


def terminate_message(instance_id: str, reason: str | None, now: Timestamp) -> TaskMessage:
    """End an instance."""
    return _to(instance_id, ExecutionTerminated(input=reason, timestamp=now))


def suspend_message(instance_id: str, reason: str | None, now: Timestamp) -> TaskMessage:
    """Hold an instance."""
    return _to(instance_id, ExecutionSuspended(reason=reason, timestamp=now))


def resume_message(instance_id: str, reason: str | None, now: Timestamp) -> TaskMessage:
    """Let an instance go on."""
    return _to(instance_id, ExecutionResumed(reason=reason, timestamp=now))


def signal_message(entity_id: str, operation: str, input: str, request_id: str, now: Timestamp) -> TaskMessage:
    """Tell an entity something. `input` is as `operation_input` makes it."""
    request = {"op": operation, "signal": True, "input": input, "id": request_id, "Timestamp": _UNSTAMPED, "Predecessor": _UNSTAMPED}
    return _to(entity_id, EventRaised(name="op", input=_text(request), timestamp=now))


def operation_input(body: str | None, *, is_json_body: bool) -> str:
    """The input of an entity operation as the SDK wants it: the JSON text of a string that holds the value's JSON text.

    The SDK's client sends just that. Other callers send the value itself, or nothing, which the SDK could not read; it is wrapped
    for them. A string that holds JSON text is taken for the former, as on Azure. Raises InvalidJson.
    """
    if body is None:
        return _text("null")
    if not is_json_body:
        return _text(_text(body))
    value = compact(body)
    if value.startswith('"') and is_json(msgspec.json.decode(value)):
        return value
    return _text(value)


def id_problem(instance_id: str) -> str | None:
    """Why no orchestration may have this id, or None."""
    if instance_id.startswith("@"):
        return "Orchestration instance ids must not start with @."
    if has_forbidden(instance_id):
        return "Orchestration instance ids must not contain /, \\, #, ?, or control characters."
    if len(instance_id.encode("utf-16-le", "surrogatepass")) // 2 > MAX_ID_LENGTH:
        return f"Instance ID lengths must not exceed {MAX_ID_LENGTH} characters."
    return None


def has_forbidden(text: str) -> bool:
    """Whether a text holds a character that ids and entity keys may not hold."""
    return any(character in _FORBIDDEN or unicodedata.category(character) == "Cc" for character in text)


def _to(instance_id: str, event: HistoryEvent) -> TaskMessage:
    return TaskMessage(event=event, target=OrchestrationInstance(instance_id=instance_id))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()

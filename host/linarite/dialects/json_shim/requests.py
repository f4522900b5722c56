"""The document that an orchestrator's trigger is given.

Member order is the recorded one. History events are written as they are committed; what has been committed once is encoded once.
Source: durable-extension, OutOfProcOrchestrationShim and DurableOrchestrationContext.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from linarite.dialects.json_shim.texts import parses, quoted
from linarite.durable.events import ExecutionStarted, GenericEvent, HistoryEvent, encode_event
from linarite.durable.turn import Episode

LONG_TIMER_INTERVAL = "3.00:00:00"
LONGEST_SHORT_TIMER = "6.00:00:00"
SOURCE_INSTANCE_TAG = "MS_DurableFunctions_SourceInstanceId"
"""Tag of an instance that was made by restarting another; its value is that one's id."""


class EncodedHistory:
    """The committed events of one generation and their JSON, kept from one episode to the next."""

    def __init__(self) -> None:
        self._events: list[HistoryEvent] = []
        self._texts: list[bytes] = []

    def text(self, past: Sequence[HistoryEvent], new: Sequence[HistoryEvent]) -> bytes:
        """JSON array of all events. Only what `past` has beyond the last call's is encoded anew."""
        known = len(self._events)
        if list(past[:known]) != self._events:  # a rewind changes events in place
            self._events, self._texts, known = [], [], 0
        added = past[known:]
        self._events += added
        self._texts += map(_encode, added)
        return b"[" + b",".join((*self._texts, *map(_encode, new))) + b"]"


def _encode(event: HistoryEvent) -> bytes:
    """JSON of one event. Two kinds have a member in front of their type."""
    text = encode_event(event)
    match event:
        case ExecutionStarted(orchestration_instance=value):
            return _led_by(b"OrchestrationInstance", msgspec.json.encode(value), text)
        case GenericEvent(data=value):
            return _led_by(b"Data", msgspec.json.encode(value), text)
    return text


def _led_by(name: bytes, value: bytes, text: bytes) -> bytes:
    """The object with its second member, which has this name and value, moved before the first."""
    first, _, rest = text[1:].partition(b",")
    member = b'"' + name + b'":' + value
    return b"{" + member + b"," + first + rest[len(member) :]


def request(episode: Episode, history: EncodedHistory, http_sleep_ms: int) -> str:
    """The trigger's value: a JSON object as text."""
    started = episode.started
    parent = started.parent_instance
    members = (
        b'"history":' + history.text(episode.past, episode.new),
        b'"input":' + input_value(started.input).encode(),
        b'"instanceId":' + msgspec.json.encode(episode.instance_id),
        b'"isReplaying":' + msgspec.json.encode(started.is_played),
        b'"parentInstanceId":' + msgspec.json.encode(parent.orchestration_instance.instance_id if parent else None),
        b'"sourceInstanceId":' + msgspec.json.encode((started.tags or {}).get(SOURCE_INSTANCE_TAG)),
        b'"upperSchemaVersion":1,"upperSchemaVersionNew":3',
        f'"longRunningTimerIntervalDuration":"{LONG_TIMER_INTERVAL}"'.encode(),
        f'"maximumShortTimerDuration":"{LONGEST_SHORT_TIMER}"'.encode(),
        f'"defaultHttpAsyncRequestSleepTimeMillseconds":{http_sleep_ms}'.encode(),  # spelt like this on the wire
    )
    return (b"{" + b",".join(members) + b"}").decode()


def input_value(stored: str | None) -> str:
    """JSON of the `input` member for a stored input.

    The SDK takes a string and decodes it, and re-encodes an object; so these two and null pass as they are, and everything else goes as a
    string of its JSON text.
    """
    if stored is None or not stored.strip():
        return "null"
    try:
        value = msgspec.json.decode(stored)
    except (msgspec.DecodeError, RecursionError):
        return quoted(stored if parses(stored) else quoted(stored))
    if value is None or isinstance(value, dict):
        return stored
    if isinstance(value, str) and parses(value):
        return quoted(value)
    return quoted(stored)

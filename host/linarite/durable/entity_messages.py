"""What orchestrations, clients and entities say to each other: JSON texts inside events.

All are external events addressed to an instance id: requests are named `op` (or `op@` and a time, when scheduled), answers by the
request's id. Members are written in the reference's order, with its type names, and read with or without them.
Source: durable-extension, EntityScheduler (RequestMessage, ResponseMessage, ReleaseMessage, MessageSorter).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta

import msgspec
from msgspec import UNSET, UnsetType

from linarite.durable.events import EventSent, HistoryEvent
from linarite.timestamps import Timestamp, moment, seven_digits, timestamp, trimmed

REQUEST = "op"
RELEASE = "release"
UNSTAMPED = "0001-01-01T00:00:00"
"""A stamp that says nothing."""

_LONGEST_DELAY = timedelta(days=6)
_NAMESPACE = "Microsoft.Azure.WebJobs.Extensions.DurableTask"
_REQUEST_IDS = uuid.UUID("6f0c4bf5-6a4a-5c1f-9a53-0f6d6b9d3d0e")


def type_name(name: str) -> str:
    """.NET's name of one of these messages."""
    return f"{_NAMESPACE}.{name}, {_NAMESPACE}"


class EntityName(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entity in a lock set."""

    type: str | UnsetType = msgspec.field(name="$type", default=UNSET)
    name: str = msgspec.field(default_factory=str)
    key: str = msgspec.field(default_factory=str)


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Asks an entity for an operation, or (with a lock set) for its lock. `parent` is who asks; clients leave it out.

    `stamp` and `predecessor` let the entity put one sender's messages in order and drop repeats.
    """

    type: str | UnsetType = msgspec.field(name="$type", default=UNSET)
    op: str | None
    signal: bool = False
    input: str | None = None
    id: str
    parent: str | None = None
    parent_execution: str | None = msgspec.field(name="parentExecution", default=None)
    due: Timestamp | None = None
    stamp: Timestamp = msgspec.field(name="Timestamp", default_factory=lambda: UNSTAMPED)
    predecessor: Timestamp = msgspec.field(name="Predecessor", default_factory=lambda: UNSTAMPED)
    lockset: tuple[EntityName, ...] | None = None
    pos: int = 0
    parent_trace_context: msgspec.Raw | UnsetType = msgspec.field(name="parentTraceContext", default=UNSET)
    request_time: str | None = msgspec.field(name="requestTime", default=None)


class Response(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entity's answer; `result` is JSON text, or an error's text as JSON if `exception_type` is given."""

    type: str | UnsetType = msgspec.field(name="$type", default=UNSET)
    result: str | None
    exception_type: str | None = msgspec.field(name="exceptionType", default=None)


class Release(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Gives a lock back; `parent` is its holder."""

    type: str | UnsetType = msgspec.field(name="$type", default=UNSET)
    parent: str | None = None
    id: str | None = None


def to_text(message: Request | Response | Release) -> str:
    """The message as an event carries it."""
    return msgspec.json.encode(message).decode()


def scheduled_name(due: Timestamp, now: Timestamp) -> str:
    """The event name of a request for later. No message waits for more than six days: the entity sends it to itself again."""
    latest = timestamp(moment(now) + _LONGEST_DELAY)
    return f"{REQUEST}@{seven_digits(due if seven_digits(due) < seven_digits(latest) else latest)}"


def request_id(execution_id: str, task_id: int) -> str:
    """The id of the request that a task of an orchestration makes.

    The same on every attempt to commit it: an answer to a first, lost attempt then finds its question.
    """
    return str(uuid.uuid5(_REQUEST_IDS, f"{execution_id}:{task_id}"))


class Stamps:
    """Labels one generation's messages per entity with strictly increasing times, each naming the one before."""

    def __init__(self, sent: Iterable[HistoryEvent], window_s: float) -> None:
        self._window_s = window_s
        self._last: dict[str, Timestamp] = {}
        for event in sent:
            if isinstance(event, EventSent) and event.input:
                self._learn(event.instance_id, event.input)

    def _learn(self, target: str, text: str) -> None:
        try:
            stamp = msgspec.json.decode(text, type=_Stamped).stamp
        except msgspec.DecodeError:  # an event to another orchestration
            return
        if stamp not in ("", UNSTAMPED):
            self._last[target] = stamp

    def next(self, target: str, now: Timestamp) -> tuple[Timestamp, Timestamp]:
        """The stamp of a message sent at `now`, and its predecessor's."""
        if not self._window_s:
            return UNSTAMPED, UNSTAMPED
        last = self._last.get(target)
        stamp = now
        if last is not None and seven_digits(now) <= seven_digits(last):
            stamp = tick_after(last)
        if last is not None and moment(now) - moment(last) > timedelta(seconds=self._window_s):
            last = None
        self._last[target] = stamp
        return stamp, last or UNSTAMPED


class _Stamped(msgspec.Struct):
    stamp: str = msgspec.field(name="Timestamp", default="")


def tick_after(stamp: Timestamp) -> Timestamp:
    """100 ns later. The reference loses the zone on the way; so the text ends without one."""
    head, _, fraction = seven_digits(stamp).rstrip("Z").partition(".")
    ticks = int(fraction) + 1
    if ticks == 10_000_000:
        head, ticks = f"{moment(head) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}", 0
    return trimmed(f"{head}.{ticks:07}Z").rstrip("Z")


def with_offset(now: Timestamp) -> str:
    """A time as `requestTime` spells it."""
    return f"{trimmed(now).rstrip('Z')}+00:00"

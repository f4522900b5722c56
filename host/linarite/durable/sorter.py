"""Order among the messages that entities receive: first in, first out per sender, and each once.

Every sender stamps its messages to an entity with rising times and names the one before, so the receiver can hold back what came too
early and drop what came twice, within a window of time. Clients' messages are not stamped and pass through.

A sender may die between sending and writing down that it has, and then sends the same again under later stamps. So stamps of one generation
that come after a later one are of a lost attempt, and whole chains of them may lack their beginning.
Source: durable-extension, MessageSorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from linarite.durable.entity_messages import UNSTAMPED, Request, tick_after
from linarite.timestamps import Timestamp, moment, seven_digits, trimmed

_LEAST_ADVANCE_S = 10.0


class ReceiveBuffer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is known of one sender. `buffered` holds what waits for its predecessor, by stamp."""

    last: Timestamp = msgspec.field(name="Last", default=UNSTAMPED)
    execution_id: str | None = msgspec.field(name="ExecutionId", default=None)
    buffered: dict[Timestamp, Request] | None = msgspec.field(name="Buffered", default=None)

    @property
    def newest(self) -> Timestamp:
        """The latest stamp seen of the sender's generation."""
        newest: Timestamp = max((self.last, *(self.buffered or ())), key=seven_digits)
        return newest


class Sorter(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The state of the order, as it is stored with the entity's."""

    last_sent: dict[str, Timestamp] | None = msgspec.field(name="LastSentToInstance", default=None)
    received: dict[str, ReceiveBuffer] | None = msgspec.field(name="ReceivedFromInstance", default=None)
    receive_horizon: Timestamp = msgspec.field(name="ReceiveHorizon", default=UNSTAMPED)
    send_horizon: Timestamp = msgspec.field(name="SendHorizon", default=UNSTAMPED)

    def receive(self, request: Request, window_s: float) -> Iterator[Request]:
        """The requests that may be delivered now that this one is here."""
        if not window_s or request.parent is None or request.pos or request.stamp == UNSTAMPED:
            yield request
            return
        if _is_before(_after(self.receive_horizon, window_s + _LEAST_ADVANCE_S), request.stamp):
            self.receive_horizon = _before(request.stamp, window_s)
            yield from self._past_the_horizon()
        if _is_before(request.stamp, self.receive_horizon):
            yield request
            return
        yield from self._from_sender(request)

    def _past_the_horizon(self) -> Iterator[Request]:
        """What need not wait any longer; senders of whom nothing is left are forgotten."""
        for sender, buffer in list((self.received or {}).items()):
            if _is_before(buffer.last, self.receive_horizon):
                buffer.last = UNSTAMPED
            yield from self._released(buffer)
            if buffer.last == UNSTAMPED and not buffer.buffered and self.received:
                del self.received[sender]
        self.received = self.received or None

    def _from_sender(self, request: Request) -> Iterator[Request]:
        self.received = self.received or {}
        buffer = self.received.setdefault(request.parent or "", ReceiveBuffer(execution_id=request.parent_execution))
        if buffer.execution_id != request.parent_execution:
            if _is_before(request.stamp, buffer.newest):  # it comes late, and the generation it was of is over
                yield request
                return
            # what it follows may have been taken for a late one: on a clock that stands still generations begin at one time
            known = UNSTAMPED if _is_before(buffer.newest, request.predecessor) else request.predecessor
            yield from (buffer.buffered or {}).values()
            buffer.buffered, buffer.last, buffer.execution_id = None, known, request.parent_execution
        if not _is_before(buffer.last, request.stamp):
            return
        if _is_before(buffer.last, request.predecessor) and not _is_before(request.predecessor, self.receive_horizon):
            waiting = {**(buffer.buffered or {}), request.stamp: request}
            buffer.buffered = dict(sorted(waiting.items(), key=lambda entry: seven_digits(entry[0])))
            return
        yield request
        buffer.last = self._remembered(request.stamp)
        yield from self._released(buffer)

    def _released(self, buffer: ReceiveBuffer) -> Iterator[Request]:
        while buffer.buffered:
            stamp, request = next(iter(buffer.buffered.items()))
            is_of_a_lost_attempt = _is_before(stamp, buffer.last)
            if not is_of_a_lost_attempt:
                if _is_before(buffer.last, request.predecessor) and not _is_before(request.predecessor, self.receive_horizon):
                    return
                buffer.last = self._remembered(stamp)
                yield request
            del buffer.buffered[stamp]
        buffer.buffered = None

    def _remembered(self, stamp: Timestamp) -> Timestamp:
        return UNSTAMPED if _is_before(stamp, self.receive_horizon) else stamp

    def stamp(self, target: str, now: Timestamp, window_s: float) -> tuple[Timestamp, Timestamp]:
        """Stamp and predecessor of a message that the entity itself sends."""
        if not window_s:
            return UNSTAMPED, UNSTAMPED
        if _is_before(_after(self.send_horizon, window_s + _LEAST_ADVANCE_S), now):
            self.send_horizon = _before(now, window_s)
            self.last_sent = {name: last for name, last in (self.last_sent or {}).items() if not _is_before(last, self.send_horizon)}
        last = (self.last_sent or {}).get(target, UNSTAMPED)
        stamp = now if _is_before(last, now) else tick_after(last)
        self.last_sent = {**(self.last_sent or {}), target: stamp}
        return stamp, last


def _is_before(one: Timestamp, other: Timestamp) -> bool:
    return seven_digits(one) < seven_digits(other)


def _after(stamp: Timestamp, seconds: float) -> Timestamp:
    return _moved(stamp, seconds)


def _before(stamp: Timestamp, seconds: float) -> Timestamp:
    return _moved(stamp, -seconds)


def _moved(stamp: Timestamp, seconds: float) -> Timestamp:
    """The stamp, moved by whole seconds; its 100 ns stay."""
    head, _, fraction = seven_digits(stamp).rstrip("Z").partition(".")
    return trimmed(f"{moment(head) + timedelta(seconds=round(seconds)):%Y-%m-%dT%H:%M:%S}.{fraction}Z")

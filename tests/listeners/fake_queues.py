"""Queues in memory on a manual clock, for tests of what polls them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from linarite.clock import Clock
from linarite.errors import StorageRefused, StorageUnavailable
from linarite.storage.account import Storage
from linarite.storage.connection import account
from linarite.storage.queues import MAX_DELAY_S, QueueMessage, Queues, Receipt
from linarite.storage.wire import Wire


@dataclass
class _Stored:
    id: str
    text: str
    visible_at: datetime
    inserted_at: datetime
    receipt: str = ""
    dequeue_count: int = 0


class FakeQueues(Queues):
    """The queue service's rules for one process. `is_down` makes every call fail; `polls` are the instants of all gets, by queue."""

    def __init__(self, wire: Wire, clock: Clock) -> None:
        super().__init__(wire)
        self._clock = clock
        self._numbers = itertools.count(1)
        self.stored: dict[str, list[_Stored]] = {}
        self.polls: list[tuple[str, datetime]] = []
        self.renewals: list[tuple[str, float]] = []
        self.is_down = False

    def texts(self, queue: str) -> list[str]:
        return [message.text for message in self.stored.get(queue, [])]

    async def create(self, queue: str) -> None:
        self._check()
        self.stored.setdefault(queue, [])

    async def put(self, queue: str, text: str, hide_s: float | None = None, *, keep_s: int | None = None) -> Receipt:
        now, stored = self._clock.now(), self._queue(queue)
        _check_delay(hide_s or 0)
        number = next(self._numbers)
        stored.append(_Stored(f"m{number}", text, now + timedelta(seconds=hide_s or 0), now, f"r{number}"))
        return Receipt(f"m{number}", f"r{number}", stored[-1].visible_at)

    async def get(self, queue: str, count: int, hide_s: float) -> Sequence[QueueMessage]:
        now = self._clock.now()
        self.polls.append((queue, now))
        found = [message for message in self._queue(queue) if message.visible_at <= now][:count]
        for message in found:
            message.dequeue_count += 1
            message.receipt, message.visible_at = f"r{next(self._numbers)}", now + timedelta(seconds=hide_s)
        return [self._given(message) for message in found]

    async def update(self, queue: str, receipt: Receipt, hide_s: float) -> Receipt:
        message = self._held(queue, receipt)
        _check_delay(hide_s)
        self.renewals.append((message.text, hide_s))
        message.receipt, message.visible_at = f"r{next(self._numbers)}", self._clock.now() + timedelta(seconds=hide_s)
        return Receipt(message.id, message.receipt, message.visible_at)

    async def delete(self, queue: str, receipt: Receipt) -> None:
        self._queue(queue).remove(self._held(queue, receipt))

    @staticmethod
    def _given(message: _Stored) -> QueueMessage:
        receipt = Receipt(message.id, message.receipt, message.visible_at)
        return QueueMessage(message.text, receipt, message.inserted_at, message.inserted_at + timedelta(days=7), message.dequeue_count)

    def _check(self) -> None:
        if self.is_down:
            raise StorageUnavailable("The queue service does not answer.")

    def _queue(self, queue: str) -> list[_Stored]:
        self._check()
        if queue not in self.stored:
            raise StorageRefused(404, "QueueNotFound", queue)
        return self.stored[queue]

    def _held(self, queue: str, receipt: Receipt) -> _Stored:
        for message in self._queue(queue):
            if message.id == receipt.message_id:
                if message.receipt != receipt.pop_receipt:
                    raise StorageRefused(400, "PopReceiptMismatch", queue)
                return message
        raise StorageRefused(404, "MessageNotFound", queue)


def _check_delay(seconds: float) -> None:
    if not 0 <= seconds <= MAX_DELAY_S:
        raise StorageRefused(400, "OutOfRangeQueryParameterValue", "visibilitytimeout")


def fake_storage(clock: Clock) -> tuple[Storage, FakeQueues]:
    """An account whose queues are in memory; its other services must not be used."""
    storage = Storage(account("UseDevelopmentStorage=true"))
    queues = FakeQueues(Wire(storage.account), clock)
    storage.queues = queues
    return storage, queues

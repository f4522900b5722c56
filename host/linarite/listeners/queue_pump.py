"""Takes messages out of one queue and sees each to its end: deleted, shown again, or moved to the poison queue.

What a message means is `handle`'s business. A message in work stays hidden, renewed at half time; if this process dies it shows up again.
Source: Storage extensions 5.x, QueueListener and QueueProcessor; recorded runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from linarite.bindings.queue_writes import put_creating
from linarite.bindings.wakes import Wakes
from linarite.clock import Clock, within
from linarite.errors import StorageRefused, StorageUnavailable
from linarite.listeners.backoff import wait_s
from linarite.settings import QueueSettings
from linarite.storage.account import Storage
from linarite.storage.outages import Outages
from linarite.storage.queues import QueueMessage, Receipt

logger = logging.getLogger("Host.Triggers.Queue")

HIDDEN_S = 600.0
"""How long a message in work is hidden before it must be renewed."""

_SHORTEST_RENEWAL_S = 60.0
_LONGEST_NAME = 63


class Outcome(Enum):
    """How a message fared."""

    DONE = "done"
    FAILED = "failed"
    HOPELESS = "hopeless"
    """Trying again cannot help."""


Handle = Callable[[QueueMessage], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class PoisonQueue:
    """Where messages go that failed too often."""

    storage: Storage
    name: str


def poison_queue_name(queue: str) -> str | None:
    """The poison queue of a queue; None for a poison queue itself, and where the name would be too long."""
    name = f"{queue}-poison"
    return None if queue.endswith("-poison") or len(name) > _LONGEST_NAME else name


class QueuePump:
    """One queue's messages, several at a time. `poison_for` says where a hopeless message goes; None leaves it until it expires."""

    def __init__(
        self,
        storage: Storage,
        queue: str,
        handle: Handle,
        settings: QueueSettings,
        poison_for: Callable[[QueueMessage], PoisonQueue | None],
        clock: Clock,
        wakes: Wakes,
        outages: Outages,
    ) -> None:
        self._storage = storage
        self._queue = queue
        self._place = storage.queues.url(queue)
        self._handle = handle
        self._settings = settings
        self._poison_for = poison_for
        self._clock = clock
        self._wakes = wakes
        self._outages = outages
        self._woken = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to poll."""
        self._stopping = False
        self._loop = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Take no more messages; returns when those in work are done. Cancelled, it leaves them: they show up again later."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        self._stopping = True
        self._woken.set()
        try:
            await loop
            await asyncio.gather(*self._working)
        except asyncio.CancelledError:
            ended = [loop, *self._working]
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)
            raise

    async def _poll(self) -> None:
        empty = 0
        with self._wakes.subscribe(self._place, self._woken):
            while not self._stopping:
                self._woken.clear()
                if messages := await self._fetch():
                    empty = 0
                    for message in messages:
                        self._take(message)
                    await self._until_there_is_room()
                else:
                    empty += 1
                    await self._pause(wait_s(empty, self._settings.max_polling_s, random.random()))

    async def _fetch(self) -> list[QueueMessage]:
        service = self._storage.account.queue_url
        try:
            messages = list(await self._storage.queues.get(self._queue, self._settings.batch_size, HIDDEN_S))
        except StorageUnavailable as problem:
            self._outages.failed(service, problem)
            return []
        except StorageRefused as refused:
            self._outages.answered(service)
            if not (refused.is_missing or refused.is_conflict):  # no such queue yet, or one that is being deleted
                self._outages.failed(self._place, refused)
            return []
        self._outages.answered(service)
        self._outages.answered(self._place)
        return messages

    async def _pause(self, seconds: float) -> None:
        if not self._stopping:
            with contextlib.suppress(TimeoutError):
                await within(self._clock, seconds, self._woken.wait())

    def _take(self, message: QueueMessage) -> None:
        task = asyncio.create_task(self._process(message))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _until_there_is_room(self) -> None:
        threshold = self._settings.new_batch_threshold
        room = self._settings.batch_size // 2 if threshold is None else threshold
        while len(self._working) > room:
            await asyncio.wait(self._working, return_when=asyncio.FIRST_COMPLETED)

    async def _process(self, message: QueueMessage) -> None:
        if message.dequeue_count > self._settings.max_dequeue_count:
            await self._settle(message, message.receipt, Outcome.FAILED)
            return
        hidden = _Hidden(self._storage, self._queue, message.receipt, self._clock)
        keeper = asyncio.create_task(hidden.renew_for_ever())
        try:
            outcome = await self._handle(message)
        except Exception:
            logger.exception("A message of queue '%s' could not be handled.", self._queue)
            outcome = Outcome.FAILED
        finally:
            async with hidden.lock:  # a renewal on its way is waited for: its receipt is the one that counts
                keeper.cancel()
        await self._settle(message, hidden.receipt, outcome)

    async def _settle(self, message: QueueMessage, receipt: Receipt, outcome: Outcome) -> None:
        queues, limit = self._storage.queues, self._settings.max_dequeue_count
        if outcome is Outcome.DONE:
            await self._lasting(message, lambda: queues.delete(self._queue, receipt))
            return
        poison = self._poison_for(message)
        if poison is None:
            return  # left hidden, so that it does not come back at once for ever
        if outcome is Outcome.FAILED and message.dequeue_count < limit:
            await self._lasting(message, lambda: queues.update(self._queue, receipt, self._settings.visibility_s))
            if self._settings.visibility_s <= 0:
                self._woken.set()
            return
        if outcome is Outcome.FAILED:
            logger.warning("Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.", limit, poison.name)
        if await self._lasting(message, lambda: put_creating(poison.storage, poison.name, message.text)):
            self._wakes.notify(poison.storage.queues.url(poison.name))
            await self._lasting(message, lambda: queues.delete(self._queue, receipt))

    async def _lasting(self, message: QueueMessage, step: Callable[[], Awaitable[object]]) -> bool:
        """Whether a step succeeded, tried again while storage is away; given up when others may have the message by then."""
        tries = 0
        while True:
            try:
                await step()
                return True
            except StorageUnavailable as problem:
                self._outages.failed(self._storage.account.queue_url, problem)
                if self._stopping or self._clock.now() >= message.receipt.visible_at:
                    return False
            except StorageRefused as refused:
                # Someone else has it by now, or it is gone: a function may have deleted its own message.
                logger.debug("Message %s of queue '%s' was not settled: %s", message.receipt.message_id, self._queue, refused)
                return False
            tries += 1
            await self._clock.sleep(wait_s(tries, self._settings.max_polling_s, random.random()))


class _Hidden:
    """A message that is kept from others while it is worked on; `receipt` is the latest."""

    def __init__(self, storage: Storage, queue: str, receipt: Receipt, clock: Clock) -> None:
        self.receipt = receipt
        self.lock = asyncio.Lock()
        self._storage = storage
        self._queue = queue
        self._clock = clock

    async def renew_for_ever(self) -> None:
        interval_s = HIDDEN_S / 2
        while True:
            await self._clock.sleep(interval_s)
            async with self.lock:
                try:
                    self.receipt = await self._storage.queues.update(self._queue, self.receipt, HIDDEN_S)
                    interval_s = HIDDEN_S / 2
                except StorageUnavailable:
                    interval_s = max(interval_s / 2, _SHORTEST_RENEWAL_S)
                except StorageRefused:
                    return  # deleted, or somebody else's by now

"""The receive loop of one queue: polls with a back-off, decodes, and hands over what is due.

What this process puts into the queue itself it need not poll for: `wake` ends a wait at once, `wake_at` at the time a message shows.
Polling is for other processes' messages.
Source: DurableTask.AzureStorage, BackoffPollingHelper and ControlQueue.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from linarite.clock import Clock
from linarite.errors import HubError
from linarite.storage.account import Storage
from linarite.storage.queues import MAX_DELAY_S, QueueMessage
from linarite.taskhub.azure.background import Background
from linarite.taskhub.azure.envelopes import UndecodableMessage
from linarite.taskhub.azure.held import Held, HeldMessages
from linarite.taskhub.azure.payloads import Payloads
from linarite.taskhub.azure.timing import Timing
from linarite.timestamps import moment

_log = logging.getLogger(__name__)


class Receiver:
    """Gets messages from one queue while there is room for them.

    `room`: how many more may be held; `taken` is called with what was got, in order. Messages that are not due yet (whoever sent them cut
    the fraction of their delay, or the service hides nothing for so long) are held back until they are.
    """

    def __init__(
        self,
        queue: str,
        storage: Storage,
        held: HeldMessages,
        payloads: Payloads,
        timing: Timing,
        clock: Clock,
        *,
        room: Callable[[], int],
        batch_size: int,
        taken: Callable[[Sequence[Held]], Awaitable[None]],
    ) -> None:
        self.queue = queue
        self.has_backlog = True
        """Whether messages may lie in the queue that are older than what is sent now: those sent must not overtake them."""
        self._queues = storage.queues
        self._outages = storage.outages
        self._service = storage.account.queue_url
        self._held = held
        self._payloads = payloads
        self._timing = timing
        self._clock = clock
        self._room = room
        self._batch_size = batch_size
        self._taken = taken
        self._woken = asyncio.Event()
        self._due: list[datetime] = []
        self._early: set[Held] = set()
        self._is_full = False
        self._is_stopped = False
        self._background = Background()

    def wake(self) -> None:
        """Something was put into the queue: poll now."""
        self.has_backlog = True
        self._woken.set()

    def wake_at(self, moment: datetime) -> None:
        """Something was put into the queue that shows at that time: poll then."""
        heapq.heappush(self._due, moment)
        self._woken.set()

    def room_made(self) -> None:
        """There may be room again; only a loop that waits for it cares."""
        if self._is_full:
            self._woken.set()

    async def run(self) -> None:
        """Receive until `stop`; errors of the storage are logged and waited out."""
        try:
            await self._run()
        finally:
            await self._background.close()
            await asyncio.gather(*(self._held.release(held) for held in self._early), return_exceptions=True)

    async def _run(self) -> None:
        wait_s = 0.0
        while not self._is_stopped:
            await self._wait(wait_s)
            got = await self._received()
            wait_s = self._timing.min_poll_s if got or self._woken.is_set() else min(max(wait_s, 0.025) * 2, self._timing.max_poll_s)

    async def _received(self) -> int:
        """Get one batch; an outage of the storage is said once, and once that it is over."""
        try:
            got = await self._receive()
        except HubError as problem:
            self._outages.failed(self._service, problem)
            return 0
        if got is None:
            return 0
        self._outages.answered(self._service)
        return got

    def stop(self) -> None:
        """Get nothing more; `run` returns. What was got stays held."""
        self._is_stopped = True
        self._woken.set()

    async def _wait(self, wait_s: float) -> None:
        """Return after `wait_s`, or earlier if woken, or when the next message put here shows."""
        if self._due:
            wait_s = min(wait_s, max((self._due[0] - self._clock.now()).total_seconds(), 0.0))
        if wait_s > 0 and not self._woken.is_set():
            nap = asyncio.ensure_future(self._clock.sleep(wait_s))
            wake = asyncio.ensure_future(self._woken.wait())
            try:
                await asyncio.wait({nap, wake}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                nap.cancel()
                wake.cancel()
        self._woken.clear()
        while self._due and self._due[0] <= self._clock.now():
            heapq.heappop(self._due)

    async def _receive(self) -> int | None:
        """Get one batch; the number of messages got, or None if nobody was asked."""
        room = min(self._room(), self._batch_size)
        self._is_full = room <= 0
        if self._is_full or self._is_stopped:
            return None
        received_at = self._clock.now()
        messages = await self._queues.get(self.queue, room, self._held.hide_s)
        if len(messages) < room:
            self.has_backlog = False
        else:
            self._woken.set()
        found = await asyncio.gather(*(self._decoded(message, received_at) for message in messages))
        await self.hand_over(sorted((held for held in found if held is not None), key=lambda held: held.order))
        return len(messages)

    async def hand_over(self, batch: Sequence[Held]) -> None:
        """Pass on what is due now, and the rest when it is."""
        now = self._clock.now()
        early = [held for held in batch if held.message.due_at is not None and moment(held.message.due_at) > now]
        due = [held for held in batch if held not in early]
        self._early.update(early)
        for held in early:
            self._background.spawn(self._later(held), f"hold back a message of queue {self.queue}")
        if due:
            await self._taken(due)

    async def _later(self, held: Held) -> None:
        """Hold a message until it is due, or hide it for longer if that is far off."""
        assert held.message.due_at is not None
        wait_s = (moment(held.message.due_at) - self._clock.now()).total_seconds()
        if wait_s > self._held.hide_s:
            hide_s = min(int(wait_s), MAX_DELAY_S)
            await self._held.postpone(held, hide_s)
            self.wake_at(self._clock.now() + timedelta(seconds=hide_s))
        else:
            await self._clock.sleep(wait_s)
        self._early.discard(held)
        if not held.is_gone:
            await self._taken([held])

    async def _decoded(self, message: QueueMessage, received_at: datetime) -> Held | None:
        try:
            envelope = await self._payloads.envelope(message.text)
        except (UndecodableMessage, HubError) as problem:
            _log.warning("Message %s in queue %s cannot be read: %s", message.receipt.message_id, self.queue, problem)
            back_off_s = self._timing.back_off_s(message.dequeue_count)
            self._background.spawn(self._put_back(message, back_off_s), f"hand back an unreadable message of queue {self.queue}")
            return None
        order = (message.inserted_at, envelope.sequence)
        held = Held(self.queue, envelope.message, message.receipt, message.dequeue_count, order, received_at)
        return held if self._held.add(held) else None

    async def _put_back(self, message: QueueMessage, back_off_s: float) -> None:
        await self._queues.update(self.queue, message.receipt, back_off_s)

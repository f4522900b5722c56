"""Messages this host holds: hidden from everyone else, renewed while they are held, and let go in one of three ways.

A held message is deleted (done), handed back with a back-off (abandoned), or shown again at once (released). Whoever holds a message
always uses its latest pop receipt.
Source: DurableTask.AzureStorage, TaskHubQueue (AbandonMessageAsync, RenewMessageAsync, DeleteMessageAsync).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from linarite.clock import Clock
from linarite.durable.messages import TaskMessage
from linarite.errors import HubUnavailable, StorageRefused
from linarite.storage.queues import Queues, Receipt
from linarite.taskhub.azure.timing import Timing

_log = logging.getLogger(__name__)

_REMEMBERED = 1000
"""Messages of which it is remembered that their first delivery was a hand-off."""


@dataclass(eq=False, slots=True)
class Held:
    """One held message. `delivery` counts from 1; `order` sorts a batch; `received_at` is when this delivery began.

    `is_own`: this host put it into the queue, and holds it without having got it from there.
    """

    queue: str
    message: TaskMessage
    receipt: Receipt
    delivery: int
    order: tuple[datetime, int]
    received_at: datetime
    is_own: bool = False
    renewal: asyncio.Task[None] | None = None
    is_gone: bool = False


class HeldMessages:
    """All held messages of one kind of queue, hidden for `hide_s` at a time."""

    def __init__(self, queues: Queues, hide_s: float, timing: Timing, clock: Clock) -> None:
        self._queues = queues
        self._timing = timing
        self._clock = clock
        self._held: dict[str, Held] = {}
        self._uncounted: deque[str] = deque(maxlen=_REMEMBERED)
        self.hide_s = hide_s

    def __len__(self) -> int:
        return len(self._held)

    def add(self, held: Held) -> bool:
        """Begin to hold a message. False if it is held already: its earlier copy then goes on with the new receipt."""
        if held.receipt.message_id in self._uncounted:
            held.delivery += 1
        known = self._held.get(held.receipt.message_id)
        if known is not None and not known.is_gone:
            known.receipt, known.delivery = held.receipt, held.delivery
            return False
        self._held[held.receipt.message_id] = held
        return True

    async def delete(self, held: Held) -> None:
        """The message is done with."""
        await self._let_go(held)
        with contextlib.suppress(StorageRefused):  # gone already, or someone else's by now, who will find it done
            await self._queues.delete(held.queue, held.receipt)

    async def abandon(self, held: Held) -> None:
        """The message comes again, later each time."""
        await self._hide_on(held, self._timing.back_off_s(held.delivery))

    async def release(self, held: Held) -> None:
        """The message may be got by anyone at once."""
        await self._hide_on(held, 0)

    async def postpone(self, held: Held, seconds: float) -> None:
        """The message comes again after that time."""
        await self._hide_on(held, seconds)

    async def release_all(self) -> None:
        """Show everything that is still held."""
        await asyncio.gather(*(self.release(held) for held in list(self._held.values())), return_exceptions=True)

    async def keep(self) -> None:
        """Renew what is held, for ever: before two thirds of its time are left over, and never all at once."""
        while True:
            await self._clock.sleep(self.hide_s / 6)
            soon = self._clock.now() + timedelta(seconds=self.hide_s * 2 / 3)
            due = [held for held in self._held.values() if held.receipt.visible_at <= soon and not held.is_gone]
            for held in due:
                held.renewal = asyncio.ensure_future(self._renew(held))
            await asyncio.gather(*(held.renewal for held in due if held.renewal is not None))

    async def _renew(self, held: Held) -> None:
        try:
            held.receipt = await self._queues.update(held.queue, held.receipt, self.hide_s)
        except (StorageRefused, HubUnavailable) as problem:
            _log.debug("Could not renew message %s: %s", held.receipt.message_id, problem)
        finally:
            held.renewal = None

    async def _hide_on(self, held: Held, seconds: float) -> None:
        await self._let_go(held)
        if held.is_own:  # its first delivery was none to the service, which counts Gets
            self._uncounted.append(held.receipt.message_id)
        with contextlib.suppress(StorageRefused):
            await self._queues.update(held.queue, held.receipt, seconds)

    async def _let_go(self, held: Held) -> None:
        """No longer renew it; what is being renewed just now ends first, so that its receipt is the latest."""
        held.is_gone = True
        self._held.pop(held.receipt.message_id, None)
        renewal: asyncio.Task[Any] | None = held.renewal
        if renewal is not None:
            await asyncio.wait({renewal})

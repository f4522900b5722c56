"""Messages on their way out: encoded, delayed, put into their queue, and handed over here where this host may work on them.

Hand-off by receipt: where this host takes from the queue anyway and has room, a message is put *invisible* and worked on at once, under
the pop receipt that putting it gave: no poll, no Get. Should the host die, the message shows when its time-out ends. With no room, or
behind older messages in the queue, it is put visible for whoever polls.
Source: DurableTask.AzureStorage, MessageManager and TaskHubQueue (AddMessageAsync).
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from linarite.clock import Clock
from linarite.durable.messages import TaskMessage
from linarite.storage.queues import Queues
from linarite.taskhub.azure import envelopes
from linarite.taskhub.azure.activities import ActivitySlots
from linarite.taskhub.azure.envelopes import Envelope
from linarite.taskhub.azure.held import Held, HeldMessages
from linarite.taskhub.azure.names import HubNames, message_blob
from linarite.taskhub.azure.payloads import Payloads
from linarite.taskhub.azure.receiver import Receiver
from linarite.timestamps import moment

CONTROL_BUFFER = 64
"""Control messages held at a time; beyond that they stay in their queues."""

MAX_DELAY_S = 6 * 86400
"""The longest a message is hidden in one go; the service's own limit is seven days. What is due later is hidden again when it shows."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that is out. `held`: this host is to work on it, once `deliver` is called."""

    held: Held | None
    blob: str | None
    """Where the envelope is, if it was too long for the queue."""


class Delivery:
    """The way out of one hub, and its short cut back in. `control` are the receivers of the partitions this host owns.

    `room`: how many more control messages may be held; `arrived` takes one in.
    """

    def __init__(
        self,
        queues: Queues,
        names: HubNames,
        payloads: Payloads,
        clock: Clock,
        *,
        control_held: HeldMessages,
        work_held: HeldMessages,
        slots: ActivitySlots,
        arrived: Callable[[Held], None],
        room: Callable[[], int],
        is_base64: bool,
    ) -> None:
        self.control: dict[str, Receiver] = {}
        self.work: Receiver | None = None
        self._queues = queues
        self._names = names
        self._payloads = payloads
        self._clock = clock
        self._control_held = control_held
        self._work_held = work_held
        self._slots = slots
        self._arrived = arrived
        self._room = room
        self._is_base64 = is_base64
        self._sequence = itertools.count(1)

    async def send(self, message: TaskMessage) -> None:
        """Put a message into its queue, and see that it is worked on."""
        await self.deliver([await self.post(message)])

    async def send_all(self, messages: Sequence[TaskMessage]) -> None:
        """Put messages into their queues, at the same time; those for one instance are handed over in order.

        Raises HubError if one of them could not be put; the others are out.
        """
        outcomes = await asyncio.gather(*(self._post_and_fill(message) for message in messages), return_exceptions=True)
        await self.deliver([posted for posted in outcomes if isinstance(posted, Posted)])
        for problem in outcomes:
            if isinstance(problem, BaseException):
                raise problem

    async def _post_and_fill(self, message: TaskMessage) -> Posted:
        """Post a message; a request for an activity begins without waiting for the rest."""
        posted = await self.post(message)
        if posted.held is not None and message.is_activity_request:
            self._slots.fill(posted.held)
            return Posted(None, posted.blob)
        return posted

    async def post(self, message: TaskMessage) -> Posted:
        """Put a message into its queue: invisible if this host will work on it, which begins with `deliver`."""
        number = next(self._sequence)
        if message.is_activity_request:
            return await self._post_request(message, number)
        queue = self._names.control_queue_of(message.target.instance_id)
        receiver = self.control.get(queue)
        delay_s = self._delay_s(message)
        if delay_s is None and receiver is not None and not receiver.has_backlog and self._room() > 0:
            return await self._put(queue, message, number, self._control_held)
        posted = await self._put(queue, message, number, None, delay_s)
        if receiver is not None:
            receiver.wake() if not delay_s else receiver.wake_at(self._clock.now() + timedelta(seconds=delay_s))
        return posted

    async def _post_request(self, message: TaskMessage, number: int) -> Posted:
        if not self._slots.claim():
            posted = await self._put(self._names.work_item_queue, message, number, None)
            if self.work is not None:
                self.work.wake()
            return posted
        try:
            return await self._put(self._names.work_item_queue, message, number, self._work_held)
        except BaseException:
            self._slots.give_back()
            raise

    async def deliver(self, posted: Sequence[Posted]) -> None:
        """Hand over what this host put invisible."""
        for held in (one.held for one in posted if one.held is not None):
            if held.message.is_activity_request:
                self._slots.fill(held)
            elif held.queue in self.control:
                self._arrived(held)
            else:  # the partition changed hands meanwhile
                await self._control_held.release(held)

    async def take_back(self, posted: Posted) -> None:
        """Show a message that was put invisible to whoever polls."""
        if posted.held is not None:
            await self._control_held.release(posted.held)

    def _delay_s(self, message: TaskMessage) -> float | None:
        """For how long to hide a message that is for later; None for one that never is.

        Whole seconds, cut as the reference cuts them: whoever receives it early holds it back (`receiver.py`).
        """
        if message.due_at is None:
            return None
        return float(min(max(int((moment(message.due_at) - self._clock.now()).total_seconds()), 0), MAX_DELAY_S))

    async def _put(
        self, queue: str, message: TaskMessage, number: int, held_by: HeldMessages | None, delay_s: float | None = None
    ) -> Posted:
        envelope = Envelope(message, str(uuid.uuid4()), number)
        text, blob = envelopes.encode(envelope), None
        if envelopes.is_too_long(text):
            blob = message_blob(message.target.instance_id, envelope.activity_id, envelopes.event_type(message.event))
            await self._payloads.put(blob, text)
            text = envelopes.encode_wrapper(blob)
        if self._is_base64:
            text = base64.b64encode(text.encode("utf-8")).decode("ascii")
        now = self._clock.now()
        receipt = await self._queues.put(queue, text, held_by.hide_s if held_by is not None else delay_s)
        if held_by is None:
            return Posted(None, blob)
        held = Held(queue, message, receipt, 1, (now, number), now, is_own=True)
        held_by.add(held)
        return Posted(held, blob)

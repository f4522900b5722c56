"""A task hub on Azure Storage that the reference runtime could share or take over.

This file builds the parts and gives them a life; each part has its own file:
control queues and sessions (`receiver.py`, `sessions.py`, `orchestrations.py`), activities (`activities.py`), what leaves
(`delivery.py`), what is written (`checkpoints.py`), ownership (`partitions.py`, `app_lease.py`), and the control plane (`client.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from linarite.clock import Clock
from linarite.durable.decision import Decision
from linarite.durable.events import HistoryEvent, Status
from linarite.durable.instances import Instance
from linarite.durable.messages import TaskMessage
from linarite.errors import HubError
from linarite.settings import DurableSettings
from linarite.storage.account import Storage
from linarite.storage.queues import MAX_BATCH
from linarite.taskhub.azure.activities import ActivitySlots
from linarite.taskhub.azure.app_lease import AppLease
from linarite.taskhub.azure.background import Background
from linarite.taskhub.azure.checkpoints import Checkpoints
from linarite.taskhub.azure.client import Client
from linarite.taskhub.azure.delivery import CONTROL_BUFFER, Delivery
from linarite.taskhub.azure.held import Held, HeldMessages
from linarite.taskhub.azure.names import HubNames
from linarite.taskhub.azure.orchestrations import Orchestrations
from linarite.taskhub.azure.partitions import Partitions
from linarite.taskhub.azure.payloads import Payloads
from linarite.taskhub.azure.receiver import Receiver
from linarite.taskhub.azure.timing import Timing
from linarite.taskhub.protocol import ActivityWorkItem, InstanceQuery, OrchestrationWorkItem, Page

_log = logging.getLogger(__name__)

_PATIENCE_S = 1.0
"""How long a receiver that is to stop may wait for the answer to its last Get."""


class AzureHub:
    """One task hub in one or two storage accounts; implements TaskHub.

    `tracking`: the account of tables and blobs if it is not that of the queues. `worker_id` names this host among those that share the hub,
    and should stay the same over its restarts. `app_name`: hosts of other apps wait until this one is gone. The accounts are the caller's
    to close.
    """

    def __init__(
        self,
        storage: Storage,
        settings: DurableSettings,
        hub_name: str,
        worker_id: str,
        clock: Clock,
        timing: Timing,
        *,
        tracking: Storage | None = None,
        app_name: str = "",
    ) -> None:
        kept = tracking or storage
        self._names = HubNames(hub_name, settings.partition_count, settings.tracking_prefix if tracking else None)
        self._storage = storage
        self._tables = kept.tables
        self._timing = timing
        self._clock = clock
        self._background = Background()
        self._begun = Background()
        """Commits and the like, which go on to their end whatever becomes of who asked for them."""
        self._payloads = Payloads(kept.blobs, self._names.payload_container)
        self._control_held = HeldMessages(storage.queues, timing.control_hide_s, timing, clock)
        self._work_held = HeldMessages(storage.queues, timing.work_item_hide_s, timing, clock)
        self._slots = ActivitySlots(settings.max_concurrent_activities)
        self._delivery = Delivery(
            storage.queues,
            self._names,
            self._payloads,
            clock,
            control_held=self._control_held,
            work_held=self._work_held,
            slots=self._slots,
            arrived=self._arrived,
            room=self._free_buffer,
            is_base64=settings.queue_message_encoding == "Base64",
        )
        checkpoints = Checkpoints(self._tables, self._names, self._payloads, clock)
        self._orchestrations = Orchestrations(checkpoints, self._delivery, self._control_held, clock)
        self._client = Client(
            self._tables,
            self._names,
            self._payloads,
            checkpoints,
            self._delivery,
            clock,
            forget=self._orchestrations.forget,
            fetches_payloads=settings.fetch_large_messages,
        )
        self._partitions = Partitions(self._tables, self._names.partitions_table, worker_id, self, timing, clock)
        self._app_lease = AppLease(storage.blobs, self._names, app_name, timing, clock) if settings.use_app_lease else None
        self._batch_size = settings.control_queue_batch_size
        self._unsupported = [
            *(() if settings.use_table_partitions else ("useTablePartitionManagement: false",)),
            *(("useInstanceTableEtag",) if settings.use_instance_table_etag else ()),
        ]
        self._receiving: dict[str, tuple[Receiver, asyncio.Task[None]]] = {}
        self._is_working = False
        self._has_worked = False

    async def start(self) -> None:
        """Create what is missing. The app lease's container is made even for hosts that do without it, as others may not."""
        for name in self._unsupported:
            _log.warning("host.json sets durableTask.storageProvider.%s, which this host does not honour; it goes on without.", name)
        lease = self._app_lease or AppLease(self._storage.blobs, self._names, "", self._timing, self._clock)
        queues = self._storage.queues
        await lease.create()
        await asyncio.gather(
            self._tables.create(self._names.history_table),
            self._tables.create(self._names.instances_table),
            queues.create(self._names.work_item_queue),
            *(queues.create(queue) for queue in self._names.control_queues),
            self._partitions.create(self._names.control_queues),
        )

    async def start_work(self) -> None:
        """Begin to take work items, once the hub is this app's; returns before that if it is not yet."""
        self._is_working = self._has_worked = True
        self._background.spawn(self._control_held.keep(), "renew control messages")
        self._background.spawn(self._work_held.keep(), "renew activity requests")
        if self._app_lease is None or await self._app_lease.acquire():
            await self._begin()
        self._background.spawn(self._work(), "work on the task hub")

    async def _begin(self) -> None:
        """Claim what is free, and receive."""
        self._slots.open()
        if self._delivery.work is None:
            self._delivery.work = self._receiver(self._names.work_item_queue)
        with contextlib.suppress(HubError):
            await self._partitions.one_pass()

    async def _work(self) -> None:
        """Own partitions for as long as the app lease lasts, again and again."""
        if self._app_lease is None:
            await self._partitions.run()
            return
        while True:
            await self._app_lease.wait()
            await self._begin()
            owning = asyncio.ensure_future(self._partitions.run())
            try:
                await self._app_lease.keep()
                _log.warning("Another app took task hub %s over; this one waits.", self._names.hub)
            finally:
                owning.cancel()
                await asyncio.wait({owning})
            await self._pause()
            with contextlib.suppress(HubError):
                await self._partitions.give_up()

    async def _pause(self) -> None:
        """Receive nothing more, and let go of what nobody has begun."""
        await asyncio.gather(*(self.silence(queue) for queue in list(self._delivery.control)))
        if self._delivery.work is not None:
            self._delivery.work = None
            await self._stopped(self._names.work_item_queue)
        await asyncio.gather(*(self._work_held.release(held) for held in self._slots.close()), return_exceptions=True)

    async def _stopped(self, queue: str) -> None:
        """End a receiver: what it gets just now it may still take in."""
        receiver, loop = self._receiving.pop(queue)
        receiver.stop()
        await asyncio.wait({loop}, timeout=_PATIENCE_S)
        loop.cancel()
        await asyncio.wait({loop})

    async def stop_work(self) -> None:
        """Take no more work; items already handed out can still be committed."""
        self._is_working = False
        await self._pause()

    async def stop(self) -> None:
        """Release everything held: messages show again at once, partitions are anyone's."""
        await self.stop_work()
        await self._begun.settle()
        await self._background.close()
        await self._orchestrations.close()
        if self._has_worked:
            self._has_worked = False
            with contextlib.suppress(HubError):
                await self._partitions.give_up()
        await asyncio.gather(self._control_held.release_all(), self._work_held.release_all())

    # --- what Partitions asks of its listeners

    def listen(self, queue: str) -> None:
        """See Listeners."""
        if self._is_working and queue not in self._delivery.control:
            self._delivery.control[queue] = self._receiver(queue)

    async def silence(self, queue: str) -> None:
        """See Listeners."""
        if self._delivery.control.pop(queue, None) is not None:
            await self._stopped(queue)
            await self._orchestrations.drop(queue)

    def is_busy(self, queue: str) -> bool:
        """See Listeners."""
        return self._orchestrations.is_busy(queue)

    # --- WorkSource

    async def next_orchestration(self) -> OrchestrationWorkItem:
        return await self._orchestrations.next()

    async def commit(self, item: OrchestrationWorkItem, decision: Decision) -> None:
        await self._begun.finish(self._orchestrations.commit(item, decision), f"commit instance {item.instance_id}")
        self._room_made()

    async def abandon(self, item: OrchestrationWorkItem) -> None:
        await self._begun.finish(self._orchestrations.abandon(item), f"hand back instance {item.instance_id}")
        self._room_made()

    async def next_activity(self) -> ActivityWorkItem:
        held = await self._slots.take()
        return ActivityWorkItem(held.message, held.delivery, held)

    async def complete(self, item: ActivityWorkItem, answer: TaskMessage) -> None:
        await self._begun.finish(self._answered(item, answer), f"answer instance {item.message.target.instance_id}")

    async def _answered(self, item: ActivityWorkItem, answer: TaskMessage) -> None:
        try:
            await self._delivery.send(answer)
        except HubError:
            await self.abandon_activity(item)
            raise
        await self._finished(item.lock, self._work_held.delete(item.lock))

    async def abandon_activity(self, item: ActivityWorkItem) -> None:
        await self._finished(item.lock, self._work_held.abandon(item.lock))

    async def _finished(self, held: Held, letting_go: Coroutine[Any, Any, None]) -> None:
        """Let go of a request and free its slot. A request that cannot be let go comes again, and is answered twice."""
        if held.is_gone:
            letting_go.close()
            return
        try:
            await letting_go
        except HubError as problem:
            _log.warning("Could not let go of an activity request: %s", problem)
        finally:
            self._slots.give_back()
            if self._delivery.work is not None:
                self._delivery.work.room_made()

    # --- HubClient

    async def create(self, start: TaskMessage, overridable: frozenset[Status]) -> None:
        await self._client.create(start, overridable)

    async def send(self, message: TaskMessage) -> None:
        await self._delivery.send(message)

    async def instance(self, instance_id: str) -> Instance | None:
        return await self._client.instance(instance_id)

    async def instances(self, query: InstanceQuery) -> Page:
        return await self._client.instances(query)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        return await self._client.history(instance_id)

    async def rewind(self, instance_id: str, reason: str | None) -> None:
        await self._client.rewind(instance_id, reason)

    async def purge(self, instance_id: str) -> bool:
        return await self._client.purge(instance_id)

    # --- the parts' connections

    def _arrived(self, held: Held) -> None:
        self._orchestrations.add(held)

    def _receiver(self, queue: str) -> Receiver:
        """A running receiver of a control queue or of the work-item queue."""
        is_work = queue == self._names.work_item_queue
        receiver = Receiver(
            queue,
            self._storage,
            self._work_held if is_work else self._control_held,
            self._payloads,
            self._timing,
            self._clock,
            room=self._free_slots if is_work else self._free_buffer,
            batch_size=MAX_BATCH if is_work else self._batch_size,
            taken=self._requested if is_work else self._orchestrations.receive,
        )
        self._receiving[queue] = receiver, self._background.spawn(receiver.run(), f"receive from queue {queue}")
        return receiver

    async def _requested(self, batch: Sequence[Held]) -> None:
        for held in batch:
            self._slots.take_in(held)

    def _free_slots(self) -> int:
        return self._slots.free

    def _free_buffer(self) -> int:
        return CONTROL_BUFFER - len(self._control_held) + self._orchestrations.parked

    def _room_made(self) -> None:
        for receiver in self._delivery.control.values():
            receiver.room_made()

"""The blob trigger: a blob that is new or has changed becomes an invocation, once per version and function.

What a scan finds goes through a queue of the host's own, so that a failed invocation is tried again and a killed host loses nothing.
After the last attempt the message moves to `webjobs-blobtrigger-poison` in the blob's account.
Source: Storage blobs extension 5.x, BlobTriggerExecutor, BlobQueueTriggerExecutor and SharedBlobQueueListenerFactory; recorded runs.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Sequence

import msgspec

from linarite.bindings.blob_paths import BlobPath
from linarite.bindings.queue_messages import NotDecodable, decoded, encoded
from linarite.bindings.queue_writes import put_creating
from linarite.bindings.wakes import Wakes
from linarite.clock import Clock
from linarite.errors import LinariteError, StorageRefused, UserCodeFailed
from linarite.invoker import Invoker
from linarite.listeners.blob_receipts import Receipts, Taken
from linarite.listeners.blob_scan import ContainerScan
from linarite.listeners.blob_trigger import BlobMessage, BlobTrigger, blob_message
from linarite.listeners.queue import detail_text, message_details
from linarite.listeners.queue_pump import Outcome, PoisonQueue, QueuePump
from linarite.settings import BlobSettings, QueueSettings
from linarite.storage.account import Storage
from linarite.storage.blob_properties import BlobProperties
from linarite.storage.outages import Outages
from linarite.storage.queues import MAX_BATCH, QueueMessage

logger = logging.getLogger("Host.Triggers.Blobs")

POISON_QUEUE = "webjobs-blobtrigger-poison"


def blob_queue_settings(settings: BlobSettings) -> QueueSettings:
    """How the internal queue is emptied: as many at a time as blobs may be worked on, half of them in a batch."""
    batch_size = min(MAX_BATCH, settings.max_parallel // 2 + 1)
    return QueueSettings(
        batch_size=batch_size, new_batch_threshold=max(settings.max_parallel - batch_size, 0), max_dequeue_count=settings.poison_threshold
    )


class BlobListener:
    """Watches the containers of all functions with a blob trigger. `host_storage` is the account of `AzureWebJobsStorage`."""

    def __init__(
        self,
        triggers: Sequence[BlobTrigger],
        host_storage: Storage,
        host_id: str,
        settings: BlobSettings,
        invoker: Invoker,
        clock: Clock,
        wakes: Wakes,
        outages: Outages,
    ) -> None:
        self._host_storage = host_storage
        self._queue = f"azure-webjobs-blobtrigger-{host_id}"
        self._invoker = invoker
        self._wakes = wakes
        self._watched = {trigger.function_id: _Watched(trigger, host_storage, host_id) for trigger in triggers}
        self._scans = {
            place: ContainerScan(some[0].trigger.storage, some[0].container, _Finder(self, some).found, clock, wakes, outages)
            for place, some in _by_place([one for one in self._watched.values() if not one.trigger.is_by_event]).items()
        }
        self._pump = QueuePump(
            host_storage, self._queue, self._handle, blob_queue_settings(settings), self._poison_for, clock, wakes, outages
        )

    @property
    def function_ids(self) -> Sequence[str]:
        """What messages call the functions."""
        return list(self._watched)

    async def start(self) -> None:
        """See `Listener.start`. Containers that are not there yet are waited for."""
        await self._pump.start()
        for scan in self._scans.values():
            scan.start()

    async def stop(self) -> None:
        """See `Listener.stop`."""
        await asyncio.gather(*(scan.stop() for scan in self._scans.values()))
        await self._pump.stop()

    async def enqueue(self, message: BlobMessage) -> None:
        """Have a function started for a version of a blob."""
        await put_creating(self._host_storage, self._queue, encoded(message.text().encode(), "base64", self._queue))
        self._wakes.notify(self._host_storage.queues.url(self._queue))

    async def _handle(self, message: QueueMessage) -> Outcome:
        """Start the function, unless the blob is gone, or has changed since and its new version is found by itself."""
        found = self._read(message)
        if found is None:
            return Outcome.DONE
        watched, wanted = found
        path = BlobPath(wanted.container_name, wanted.blob_name)
        blobs = watched.trigger.storage.blobs
        try:
            properties = await blobs.properties(*path)
            if not watched.trigger.is_by_event and properties.etag != wanted.etag.strip('"'):
                self._look_again(blobs.url(path.container))
                return Outcome.DONE
            inputs, metadata = await watched.trigger.given(path, properties)
        except StorageRefused as refused:
            if refused.is_missing:
                return Outcome.DONE
            logger.error("Blob %s cannot be read for function '%s': %s.", path, watched.trigger.function.name, refused)
            return Outcome.FAILED
        except LinariteError as problem:
            logger.error("Blob %s cannot be read for function '%s': %s", path, watched.trigger.function.name, problem)
            return Outcome.FAILED
        try:
            await self._invoker.invoke(
                watched.trigger.function,
                inputs,
                metadata,
                reason=f"New blob detected({'EventGrid' if watched.trigger.is_by_event else 'LogsAndContainerScan'}): {path}",
                details={**message_details(message), **_blob_details(properties)},
            )
        except (UserCodeFailed, LinariteError):
            return Outcome.FAILED  # the invoker has said why
        return Outcome.DONE

    def _look_again(self, place: str) -> None:
        if scan := self._scans.get(place):
            scan.look_again()

    def _read(self, message: QueueMessage) -> tuple[_Watched, BlobMessage] | None:
        """The function and version a message is about; None if it is about nothing that is watched."""
        try:
            wanted = blob_message(decoded(message.text, "base64"))
        except (NotDecodable, msgspec.DecodeError) as problem:
            logger.warning("A message in queue '%s' is not about a blob and is dropped: %s.", self._queue, problem)
            return None
        watched = self._watched.get(wanted.function_id)
        return (watched, wanted) if watched else None

    def _poison_for(self, message: QueueMessage) -> PoisonQueue:
        found = self._read(message)
        return PoisonQueue(found[0].trigger.storage if found else self._host_storage, POISON_QUEUE)


class _Watched:
    """A trigger with its receipts; those that are complete are read once."""

    def __init__(self, trigger: BlobTrigger, host_storage: Storage, host_id: str) -> None:
        self.trigger = trigger
        self.container = trigger.pattern.container.lower()
        self.receipts = Receipts(host_storage, host_id, trigger.function_id)
        self._completed: set[str] | None = None
        self._lock = asyncio.Lock()

    async def is_done(self, receipt: str) -> bool:
        """Whether the receipt was complete when this process began."""
        async with self._lock:
            if self._completed is None:
                self._completed = await self.receipts.completed()
        return receipt in self._completed


@dataclasses.dataclass(frozen=True, slots=True)
class _Finder:
    """What becomes of a blob that a scan has found, for all functions that watch its container."""

    listener: BlobListener
    watched: Sequence[_Watched]

    async def found(self, path: BlobPath, properties: BlobProperties) -> bool:
        """See `Found`."""
        concerned = [watched for watched in self.watched if watched.trigger.is_for(path)]
        return all([await self._start(watched, path, properties) for watched in concerned])

    async def _start(self, watched: _Watched, path: BlobPath, properties: BlobProperties) -> bool:
        receipt = watched.receipts.name(path, properties.etag)
        if await watched.is_done(receipt):
            return True
        taken = await watched.receipts.take(receipt)
        if isinstance(taken, Taken):
            return taken is Taken.DONE
        await self.listener.enqueue(
            BlobMessage(
                function_id=watched.trigger.function_id,
                blob_type=properties.blob_type,
                container_name=path.container,
                blob_name=path.name,
                etag=properties.etag,
            )
        )
        await watched.receipts.complete(receipt, taken)
        return True


def _by_place(watched: Sequence[_Watched]) -> dict[str, list[_Watched]]:
    places: dict[str, list[_Watched]] = {}
    for one in watched:
        places.setdefault(one.trigger.storage.blobs.url(one.container), []).append(one)
    return places


def _blob_details(properties: BlobProperties) -> dict[str, str]:
    created = {"BlobCreated": detail_text(properties.created_at)} if properties.created_at else {}
    return {**created, "BlobLastModified": detail_text(properties.modified_at)}

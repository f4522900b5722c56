"""Which listener starts which function: made anew for every generation of an app."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import tzinfo

from linarite.bindings.connections import Connections
from linarite.bindings.manual import manual_trigger
from linarite.bindings.trigger_metadata import Metadata
from linarite.bindings.trigger_types import reason_not_started
from linarite.bindings.wakes import Wakes
from linarite.clock import Clock
from linarite.errors import LinariteError
from linarite.invocation import Datum
from linarite.invoker import Invoker
from linarite.listeners.blob import BlobListener
from linarite.listeners.blob_trigger import BlobTrigger, blob_by_hand, blob_trigger
from linarite.listeners.protocol import Listener
from linarite.listeners.queue import QueueListener
from linarite.listeners.schedule_monitor import BlobScheduleMonitor, ScheduleMonitor
from linarite.listeners.timer import TimerListener
from linarite.metadata import Function
from linarite.settings import AppSettings, HostSettings
from linarite.zones import schedule_zone

log = logging.getLogger("Host.Startup")

BLOBS = "WebJobs.Internal.Blobs"
"""Name of the one listener of all functions with a blob trigger."""


class Listening:
    """Makes listeners. `monitor`: where timers' status is kept, in the times of a zone; None: in the app's storage account."""

    def __init__(
        self,
        settings: AppSettings,
        host: HostSettings,
        connections: Connections,
        invoker: Invoker,
        clock: Clock,
        host_id: str,
        monitor: Callable[[tzinfo], ScheduleMonitor] | None,
        wakes: Wakes,
    ) -> None:
        self._settings = settings
        self._host = host
        self._connections = connections
        self._invoker = invoker
        self._clock = clock
        self._host_id = host_id
        self._kept_by = monitor
        self._wakes = wakes
        self.blobs: BlobListener | None = None
        """The blob triggers' listener of the latest generation, if it has any."""

    def listeners(self, functions: Sequence[Function]) -> dict[str, Listener]:
        """A listener for each function that one can start, by its name. What is wrong with one is logged, and concerns that one only."""
        found: dict[str, Listener] = {}
        blobs: list[BlobTrigger] = []
        for function in functions:
            if reason := reason_not_started(function):
                log.warning("Function '%s' is not started. %s", function.name, reason)
            try:
                if function.trigger_type == "blobtrigger":
                    blobs.append(blob_trigger(function, self._connections))
                elif (listener := self._listener(function)) is not None:
                    found[function.name] = listener
            except LinariteError as error:
                place = f" ({function.source})" if function.source else ""
                log.error("The '%s' function is in error: %s%s", function.name, error, place)
        self.blobs = self._blob_listener(blobs) if blobs else None
        if self.blobs is not None:
            found[BLOBS] = self.blobs
        return found

    async def by_hand(self, function: Function, value: str | None, listener: Listener | None) -> tuple[dict[str, Datum], Metadata]:
        """What a function fired by hand is given. Raises LinariteError if nothing can be made of `value`."""
        if isinstance(listener, TimerListener):
            return await listener.manual_trigger(value)
        if function.trigger_type == "blobtrigger":
            return await blob_by_hand(blob_trigger(function, self._connections), value)
        return manual_trigger(function, value, self._clock.now())

    def _listener(self, function: Function) -> Listener | None:
        if function.trigger_type == "timertrigger":
            return TimerListener(function, self._invoker, self._monitor(), self._clock, schedule_zone(self._settings))
        if function.trigger_type == "queuetrigger":
            outages = self._connections.storage(function.trigger.text("connection")).outages
            return QueueListener(function, self._connections, self._host.queues, self._invoker, self._clock, self._wakes, outages)
        return None

    def _blob_listener(self, triggers: Sequence[BlobTrigger]) -> BlobListener:
        storage = self._connections.storage()
        return BlobListener(triggers, storage, self._host_id, self._host.blobs, self._invoker, self._clock, self._wakes, storage.outages)

    def _monitor(self) -> ScheduleMonitor:
        zone = schedule_zone(self._settings)
        if self._kept_by is not None:
            return self._kept_by(zone)
        return BlobScheduleMonitor(self._connections.storage().blobs, self._host_id, zone)

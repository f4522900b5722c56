"""What an app may need besides HTTP: storage, listeners, task hubs, the durable client's doors.

Opened for what the loaded functions bind to, and extended when saved code binds to more. An app that is HTTP alone never imports this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from linarite.bindings.connections import DEFAULT, Connections
from linarite.bindings.protocol import BindingTypes
from linarite.bindings.storage_bindings import storage_bindings
from linarite.bindings.trigger_checks import missing_connections
from linarite.bindings.trigger_metadata import Metadata
from linarite.bindings.wakes import Wakes
from linarite.clock import Clock
from linarite.dialects.names import DurableFunctions
from linarite.dispatcher import Dispatcher
from linarite.durable_app import DurableCalls, DurableDoors
from linarite.event_grid import BlobEventReceiver, EventReceiver
from linarite.hubs import Hubs
from linarite.invocation import Datum
from linarite.invoker import Invoker
from linarite.listeners.schedule_monitor import FileScheduleMonitor, MemoryScheduleMonitor, ScheduleMonitor
from linarite.listening import Listening
from linarite.metadata import Function
from linarite.options import HostOptions
from linarite.settings_files import Configuration
from linarite.storage_resolution import StorageChoice, resolve
from linarite.taskhub.protocol import TaskHub
from linarite.web.app import Asgi
from linarite.web.durable_api.app import PUBLIC_PATH
from linarite.web.durable_api.urls import Webhook
from linarite.web.event_grid import EventGridDoor
from linarite.web.site import Site
from linarite.work import Work

log = logging.getLogger("Host.Startup")

_DURABLE_TRIGGERS = frozenset({"orchestrationtrigger", "activitytrigger", "entitytrigger"})
_DURABLE = _DURABLE_TRIGGERS | {"durableclient", "orchestrationclient"}
_STORAGE = frozenset({"queuetrigger", "queue", "blobtrigger", "blob", "table"})
"""Binding types that need a storage account."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the equipment stands on. `site`: the functions as they are now; `system_key`: the value of an extension's key."""

    configuration: Configuration
    options: HostOptions
    base_url: str
    host_id: str
    invoker: Invoker
    clock: Clock
    site: Callable[[], Site]
    system_key: Callable[[str], str]


class Equipment:
    """Belongs to one job host. `storage` says where durable work is kept, and why."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.storage = StorageChoice("embedded", "", "nothing needs storage")
        self.hubs: Hubs | None = None
        self.doors: DurableDoors | None = None
        self._connections = Connections(ground.configuration.app, usable=ground.options.uses_storage)
        self._listening: Listening | None = None
        self._statuses = MemoryScheduleMonitor()
        events = EventReceiver(lambda: runnable(ground.site()), ground.invoker, ground.clock)
        blobs = BlobEventReceiver(lambda: self._listening.blobs if self._listening is not None else None)
        self._event_doors = {"eventgridtrigger": ("eventgrid", EventGridDoor(events)), "blobtrigger": ("blobs", EventGridDoor(blobs))}

    async def extend(self) -> None:
        """Open what the functions need and is not open yet."""
        types = {binding.type.lower() for function in self._ground.site().functions for binding in function.bindings}
        if self._listening is None:
            await self._open_storage(needs_storage=bool(types & _STORAGE))
        if self.doors is None and types & _DURABLE:
            await self._open_doors()

    async def begin(self, work: Work) -> None:
        """Start the listeners and the durable work of the functions as they are now."""
        functions = runnable(self._ground.site())
        for function in functions:
            if objection := self._ground.invoker.objection(function):
                log.warning("Calls of function '%s' will fail. %s", function.name, objection)
        assert self._listening is not None
        uses_storage, settings = self._ground.options.uses_storage, self._ground.configuration.app
        for said in (said for function in functions if uses_storage for said in missing_connections(function, settings)):
            log.warning("%s", said)
        await work.listen(self._listening.listeners([one for one in functions if uses_storage or one.trigger_type not in _STORAGE]))
        if work.dispatcher is not None:
            work.dispatcher.functions = self._durable_functions()
        elif self.hubs is not None and any(function.trigger_type in _DURABLE_TRIGGERS for function in functions):
            await work.dispatch(self.hubs.own, self._dispatcher)

    async def by_hand(self, function: Function, value: str | None, work: Work) -> tuple[dict[str, Datum], Metadata]:
        """What a function fired by hand is given. Raises LinariteError if nothing can be made of `value`."""
        assert self._listening is not None
        return await self._listening.by_hand(function, value, work.listeners.get(function.name))

    def hurry(self) -> None:
        """The end is near: what is asked of storage from now on is a courtesy to other hosts."""
        self._connections.hurry()

    async def close(self) -> None:
        """Let go of everything."""
        if self.doors is not None:
            await self.doors.close()
        if self.hubs is not None:
            await self.hubs.stop()
        await self._connections.close()
        if self.storage.started is not None:
            await self.storage.started.stop()

    @property
    def webhooks(self) -> dict[str, Asgi]:
        """What answers below `/runtime/webhooks/`, by name in lower case."""
        found: dict[str, Asgi] = {}
        if self.doors is not None:
            found["durabletask"] = self.doors.api
        types = {function.trigger_type for function in runnable(self._ground.site())}
        for trigger_type, (name, door) in self._event_doors.items():
            if trigger_type in types:
                found[name] = door
                if self._ground.options.enable_auth:
                    self._ground.system_key(f"{name}_extension")  # made, so that it can be read and given to Event Grid
        return found

    def webhook(self) -> Webhook:
        """The durable client's public door."""
        assert self.hubs is not None
        return Webhook(
            base_url=f"{self._ground.base_url}{PUBLIC_PATH}",
            hub=self.hubs.name,
            connection=self._ground.configuration.host.durable.connection_name,
            key_query=f"code={self._ground.system_key('durabletask_extension')}",
        )

    async def _open_storage(self, *, needs_storage: bool) -> None:
        ground, options = self._ground, self._ground.options
        settings, host = ground.configuration.app, ground.configuration.host
        self.storage = await resolve(settings, options.storage, options.folder, needs_storage=needs_storage)
        if self.storage.started is not None:
            settings = settings.overlaid({DEFAULT: self.storage.connection})
            self._connections = Connections(settings)
        wakes = Wakes()
        ground.invoker.bindings = storage_bindings(self._connections, host.queues, ground.clock, wakes)
        monitor = self._monitor if self.storage.is_embedded else None
        self._listening = Listening(settings, host, self._connections, ground.invoker, ground.clock, ground.host_id, monitor, wakes)
        self.hubs = Hubs(self.storage, settings, host.durable, self._connections, options.working_folder, ground.clock)

    def _monitor(self, zone: tzinfo) -> ScheduleMonitor:
        folder = self._ground.options.working_folder
        return self._statuses if folder is None else FileScheduleMonitor(folder / "timers", zone)

    async def _open_doors(self) -> None:
        assert self.hubs is not None
        if self.hubs.warning:
            log.warning("%s", self.hubs.warning)
        ground = self._ground
        self.doors = DurableDoors(
            self.hubs,
            ground.configuration.app,
            ground.configuration.host.durable,
            self.webhook,
            self._durable_functions,
            self._is_disabled,
            ground.clock,
            ground.options.client_port,
        )
        if ground.options.client_port:
            await self.doors.open()
        types = ground.invoker.bindings
        client = {"durableclient": self.doors.client, "orchestrationclient": self.doors.client}
        ground.invoker.bindings = BindingTypes({**types.inputs, **client}, types.outputs)

    def _dispatcher(self, hub: TaskHub) -> Dispatcher:
        durable = self._ground.configuration.host.durable
        return Dispatcher(hub, self._durable_functions(), DurableCalls(self._ground.invoker), self._ground.clock, durable)

    def _durable_functions(self) -> DurableFunctions:
        return DurableFunctions(runnable(self._ground.site()), self._ground.configuration.app.expand)

    def _is_disabled(self, orchestrator: str) -> bool:
        site = self._ground.site()
        function = DurableFunctions(site.functions, self._ground.configuration.app.expand).get("orchestrator", orchestrator)
        return function is not None and function.name in site.disabled


def runnable(site: Site) -> Sequence[Function]:
    """The functions that may be started."""
    return [function for function in site.functions if function.name not in site.function_errors and function.name not in site.disabled]

"""The app at work under one reading of its settings: worker, invoker, task hubs, listeners.

A saved `.py` brings up new children and exchanges what is served (`reload`); changed settings make a new job host. `job host` is the
Functions runtime's word for the same thing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from linarite.bindings.connections import DEFAULT, Connections
from linarite.bindings.protocol import BindingTypes, InputBinding, OutputBinding
from linarite.bindings.storage_bindings import storage_bindings
from linarite.bindings.wakes import Wakes
from linarite.clock import Clock, within
from linarite.dialects.names import DurableFunctions
from linarite.dispatcher import Dispatcher
from linarite.durable_app import DurableCalls, DurableDoors
from linarite.errors import LinariteError, UserCodeFailed
from linarite.function_log import FunctionLog
from linarite.hubs import Hubs
from linarite.identity import host_id
from linarite.invoker import HOST_APIS, Invoker
from linarite.listeners.timer import TimerListener
from linarite.listening import Listening
from linarite.metadata import Function
from linarite.options import HostOptions
from linarite.settings_files import Configuration, worker_environment
from linarite.storage_resolution import StorageChoice, resolve
from linarite.taskhub.protocol import TaskHub
from linarite.web.assembly import announce, site_of
from linarite.web.durable_api.app import PUBLIC_PATH
from linarite.web.durable_api.urls import Webhook
from linarite.web.keys import Keys
from linarite.web.site import Site
from linarite.work import Work
from linarite.workers.interpreter import find_python
from linarite.workers.pool import WorkerPool
from linarite.workers.protocol import IndexedApp, WorkerChannel

log = logging.getLogger("Host.Startup")

_DURABLE_TRIGGERS = frozenset({"orchestrationtrigger", "activitytrigger", "entitytrigger"})
_DURABLE = _DURABLE_TRIGGERS | {"durableclient", "orchestrationclient"}
_STORAGE = frozenset({"queuetrigger", "queue", "blobtrigger", "blob", "table"})
"""Binding types that need a storage account."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the host is reached: `http://localhost:7071`, and its last part as the app sees it in WEBSITE_HOSTNAME."""

    base_url: str
    host_name: str


class JobHost:
    """One app under one configuration. `start` loads it, `begin` lets it act, `drain` and `stop` end it."""

    def __init__(
        self, configuration: Configuration, options: HostOptions, origin: Origin, clock: Clock, environment: Mapping[str, str]
    ) -> None:
        if options.functions:
            chosen = replace(configuration.host, functions=options.functions)
            configuration = replace(configuration, host=chosen)
        self._configuration = configuration
        self._options = options
        self._origin = origin
        self._clock = clock
        self.keys = Keys(options.keys_folder)
        self.id = host_id(configuration.app, socket.gethostname(), str(options.folder))
        self.app = IndexedApp()
        self.site = Site(state="Starting")
        self.storage = StorageChoice("embedded", "", "nothing needs storage")
        self.hubs: Hubs | None = None
        self._log = FunctionLog()
        self._channel = self._worker(environment)
        self._inputs: dict[str, InputBinding] = {}
        self._outputs: dict[str, OutputBinding] = {}
        self.invoker = Invoker(
            self._channel,
            clock,
            self._log,
            bindings=BindingTypes(self._inputs, self._outputs),
            timeout_s=configuration.host.timeout_s,
            retry=configuration.host.retry,
        )
        self.doors: DurableDoors | None = None
        self._work = Work(clock)
        self._connections: Connections | None = None
        self._listening: Listening | None = None

    # life

    async def start(self) -> None:
        """Load the app and prepare what it needs; `site` says what came of it. Raises OperatorError."""
        self.app = await self._channel.start()
        self.site = self._site(self.app)
        await self.invoker.start()
        await self._equip()
        announce(self.site)

    async def reload(self) -> bool:
        """Load the saved code. A code that does not load changes nothing but the log; whether it did load."""
        assert isinstance(self._channel, WorkerPool)
        app = await self._channel.reload()
        site = self._site(app)
        if site.errors:
            announce(site)
            if self.site.errors:
                self.site = site
            return False
        self.app, self.site = app, site
        await self._equip()
        announce(site)
        return True

    async def begin(self) -> None:
        """Start the listeners, and durable work if there is any, of what `site` holds."""
        if self._listening is not None:
            await self._work.listen(self._listening.listeners(self._runnable()))
        functions = self._durable_functions()
        if self._work.dispatcher is not None:
            self._work.dispatcher.functions = functions
        elif self.hubs is not None and any(function.trigger_type in _DURABLE_TRIGGERS for function in self._runnable()):
            await self._work.dispatch(self.hubs.own, self._dispatcher)

    async def pause(self) -> None:
        """Start nothing of the app's own accord any more; what runs goes on."""
        await self._work.drain()

    async def drain(self, grace_s: float) -> None:
        """Start nothing more; wait for what runs for up to `grace_s` seconds."""
        with contextlib.suppress(TimeoutError):
            await within(self._clock, grace_s, asyncio.gather(self._work.drain(), self.invoker.drain(grace_s)))

    async def stop(self) -> None:
        """End at once: what still runs is cut short, and durable work of it comes again."""
        await self._work.stop()
        await self.invoker.stop()
        await self._channel.stop(0)
        if self.doors is not None:
            await self.doors.close()
        if self.hubs is not None:
            await self.hubs.stop()
        if self._connections is not None:
            await self._connections.close()
        if self.storage.started is not None:
            await self.storage.started.stop()

    # what it shows

    @property
    def worker_pids(self) -> Sequence[int]:
        return self._channel.process_ids if isinstance(self._channel, WorkerPool) else []

    @property
    def next_times(self) -> dict[str, datetime]:
        """When each timer fires next, by function name."""
        timers = ((name, listener) for name, listener in self._work.listeners.items() if isinstance(listener, TimerListener))
        return {name: timer.next_due for name, timer in timers if timer.next_due is not None}

    async def fire(self, function: Function, value: str | None) -> None:
        """Run a function by hand; whatever goes wrong is in the log."""
        try:
            inputs, metadata = await self._listening_ready().by_hand(function, value, self._work.listeners.get(function.name))
        except LinariteError as error:
            logging.getLogger(f"Function.{function.name}").error("%s", error)
            return
        try:
            await self.invoker.invoke(function, inputs, metadata, reason=HOST_APIS)
        except (UserCodeFailed, LinariteError):
            return  # the invoker has logged it

    def webhook(self) -> Webhook:
        """The durable client's public door."""
        durable = self._configuration.host.durable
        return Webhook(
            base_url=f"{self._origin.base_url}{PUBLIC_PATH}",
            hub=self.hubs.name if self.hubs is not None else "",
            connection=durable.connection_name,
            key_query=f"code={self.keys.system_key('durabletask_extension')}",
        )

    # parts

    def _worker(self, environment: Mapping[str, str]) -> WorkerChannel:
        settings, folder = self._configuration.app, self._options.folder
        values = worker_environment(settings, folder, self._origin.host_name, self._options.user_log_level)
        if self._options.in_process:
            from linarite.workers.in_process import InProcessWorker

            return InProcessWorker(folder, values, self._log.forward)
        from linarite.workers.child import ChildWorker

        python = find_python(folder, self._options.python, environment)
        arguments = _debugger(self._options)
        count = 1 if arguments else _process_count(settings.get("FUNCTIONS_WORKER_PROCESS_COUNT", ""))

        def make() -> ChildWorker:
            return ChildWorker(python, folder, values, self._log.forward, arguments)

        return WorkerPool(make, count, self._clock, has_spare=self._options.reload and not arguments)

    def _site(self, app: IndexedApp) -> Site:
        for warning in app.warnings:
            log.warning("%s", warning)
        return site_of(app, self._configuration.host, self._configuration.app)

    def _runnable(self) -> list[Function]:
        return [f for f in self.site.functions if f.name not in self.site.function_errors and f.name not in self.site.disabled]

    def _durable_functions(self) -> DurableFunctions:
        return DurableFunctions(self._runnable(), self._configuration.app.expand)

    def _dispatcher(self, hub: TaskHub) -> Dispatcher:
        durable = self._configuration.host.durable
        return Dispatcher(hub, self._durable_functions(), DurableCalls(self.invoker), self._clock, durable)

    def _is_disabled(self, orchestrator: str) -> bool:
        every = DurableFunctions(self.site.functions, self._configuration.app.expand)
        function = every.get("orchestrator", orchestrator)
        return function is not None and function.name in self.site.disabled

    async def _equip(self) -> None:
        """Open what the loaded functions need and is not open yet: storage, listeners' ground, the durable client's doors."""
        types = {binding.type.lower() for function in self.site.functions for binding in function.bindings}
        if self._connections is None and types & (_DURABLE | _STORAGE | {"timertrigger"}):
            await self._open_storage(needs_storage=bool(types & _STORAGE))
        if self.doors is None and types & _DURABLE:
            await self._open_doors()

    async def _open_storage(self, *, needs_storage: bool) -> None:
        settings, options = self._configuration.app, self._options
        self.storage = await resolve(settings, options.storage, options.folder, needs_storage=needs_storage)
        if self.storage.started is not None:
            settings = settings.overlaid({DEFAULT: self.storage.connection})
        self._connections = Connections(settings)
        wakes = Wakes()
        types = storage_bindings(self._connections, self._configuration.host.queues, self._clock, wakes)
        self._inputs |= types.inputs
        self._outputs |= types.outputs
        keeps_in = options.working_folder / "timers" if self.storage.is_embedded else None
        host = self._configuration.host
        self._listening = Listening(settings, host, self._connections, self.invoker, self._clock, self.id, keeps_in, wakes)
        self.hubs = Hubs(self.storage, settings, host.durable, self._connections, options.working_folder, self._clock)

    async def _open_doors(self) -> None:
        assert self.hubs is not None
        if self.hubs.warning:
            log.warning("%s", self.hubs.warning)
        self.doors = DurableDoors(
            self.hubs,
            self._configuration.app,
            self._configuration.host.durable,
            self.webhook,
            self._durable_functions,
            self._is_disabled,
            self._clock,
        )
        await self.doors.open()
        self._inputs |= {"durableclient": self.doors.client, "orchestrationclient": self.doors.client}

    def _listening_ready(self) -> Listening:
        """For functions fired by hand in an app that has nothing to listen to."""
        if self._listening is not None:
            return self._listening
        configuration, connections = self._configuration, Connections(self._configuration.app)
        folder = self._options.working_folder / "timers"
        return Listening(configuration.app, configuration.host, connections, self.invoker, self._clock, self.id, folder, Wakes())


def _process_count(text: str) -> int:
    """FUNCTIONS_WORKER_PROCESS_COUNT: 1 to 10."""
    return min(max(int(text), 1), 10) if text.strip().isdigit() else 1


def _debugger(options: HostOptions) -> tuple[str, ...]:
    """The interpreter's arguments for a worker under debugpy."""
    if options.debug_port is None:
        return ()
    wait = ("--wait-for-client",) if options.debug_wait else ()
    return ("-m", "debugpy", "--listen", f"127.0.0.1:{options.debug_port}", *wait)

"""The app at work under one reading of its settings: worker, invoker, task hubs, listeners.

A saved `.py` brings up new children and exchanges what is served (`reload`); changed settings make a new job host. `job host` is the
Functions runtime's word for the same thing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from linarite.clock import Clock, within
from linarite.errors import LinariteError, UserCodeFailed
from linarite.function_log import FunctionLog
from linarite.identity import host_id
from linarite.invocation import Datum
from linarite.invoker import HOST_APIS, Invoker
from linarite.metadata import Function
from linarite.options import HostOptions
from linarite.settings import AppSettings
from linarite.settings_files import Configuration, worker_environment
from linarite.work import Work
from linarite.workers.interpreter import SETTING, find_python
from linarite.workers.interpreter_arguments import DEFAULT_DEBUG_PORT, InterpreterArguments, debugpy_arguments, parsed_arguments
from linarite.workers.pool import WorkerPool
from linarite.workers.protocol import IndexedApp, LogSink, WorkerChannel

if TYPE_CHECKING:
    from linarite.bindings.trigger_metadata import Metadata
    from linarite.equipment import Equipment
    from linarite.taskhub.sqlite.hub import SqliteHub
    from linarite.web.site import Site

log = logging.getLogger("Host.Startup")

_HTTP_ALONE = frozenset({"httptrigger", "http"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the host is reached: `http://localhost:7071`, and its last part as the app sees it in WEBSITE_HOSTNAME."""

    base_url: str
    host_name: str


MakeWorker = Callable[[Mapping[str, str], LogSink], WorkerChannel]
"""Makes a worker, given the app's environment variables and who hears its log lines."""


class JobHost:
    """One app under one configuration. `start` loads it, `begin` lets it act, `drain` and `stop` end it.

    The worker begins to load the app when the job host is made. `system_key` gives the value of an extension's key. `make_worker`: None
    leaves the choice of a worker to the options.
    """

    def __init__(
        self,
        configuration: Configuration,
        options: HostOptions,
        origin: Origin,
        system_key: Callable[[str], str],
        clock: Clock,
        environment: Mapping[str, str],
        make_worker: MakeWorker | None = None,
    ) -> None:
        if options.functions:
            chosen = replace(configuration.host, functions=options.functions)
            configuration = replace(configuration, host=chosen)
        self._configuration = configuration
        self._options = options
        self._origin = origin
        self._system_key = system_key
        self._clock = clock
        self.id = host_id(configuration.app, socket.gethostname(), str(options.folder))
        self.app = IndexedApp()
        self.site: Site
        self._log = FunctionLog()
        self._arguments = _arguments(options, configuration.app)
        self._channel = self._worker(environment, make_worker)
        timeout_s = None if self.is_debugged else configuration.host.timeout_s
        self.invoker = Invoker(self._channel, clock, self._log, timeout_s=timeout_s, retry=configuration.host.retry)
        self.equipment: Equipment | None = None
        self._work = Work(clock)
        self._loading = asyncio.create_task(self._channel.start(), name="load the app")

    # life

    async def start(self) -> None:
        """Wait for the app and prepare what it needs; `site` says what came of it. Raises OperatorError."""
        from linarite.web.assembly import announce

        self.app = await self._loading
        self.site = self._site(self.app)
        await self.invoker.start()
        await self._equip()
        announce(self.site)

    @property
    def is_debugged(self) -> bool:
        """Whether somebody may stop the app's code to look at it, for as long as it takes."""
        return self._options.in_process or self._arguments.debugger is not None

    @property
    def reloads(self) -> bool:
        """Whether `reload` can be called: there can be new code beside the old."""
        return isinstance(self._channel, WorkerPool) and not self.is_debugged

    async def reload(self) -> bool:
        """Load the saved code; whether it is served now. Code that cannot be loaded, or not be served, changes nothing but the log."""
        from linarite.web.assembly import announce

        assert isinstance(self._channel, WorkerPool)
        before, found = (self.app, self.site), None

        async def adopt(app: IndexedApp) -> bool:
            nonlocal found
            found = self._site(app)
            if found.errors:
                return False
            self.app, self.site = app, found
            await self._equip()
            return True

        try:
            app = await self._channel.reload(adopt)
        except BaseException:
            self.app, self.site = before
            raise
        if self.app is app:
            announce(self.site)
            return True
        self._say_why_not(found or self._site(app))
        return False

    def _say_why_not(self, refused: Site) -> None:
        from linarite.web.assembly import announce

        if self.site.errors:
            self.site = refused
            announce(refused)
        else:
            log.error("%s\nThe code that was saved before goes on serving.", "\n".join(refused.errors))

    async def begin(self) -> None:
        """Start the listeners, and durable work if there is any, of what `site` holds."""
        if self.equipment is not None:
            await self.equipment.begin(self._work)

    async def pause(self) -> None:
        """Start nothing of the app's own accord any more; what runs goes on."""
        await self._work.drain()

    async def drain(self, grace_s: float) -> None:
        """Start nothing more; wait for what runs for up to `grace_s` seconds."""
        with contextlib.suppress(TimeoutError):
            await within(self._clock, grace_s, asyncio.gather(self._work.drain(), self.invoker.drain(grace_s)))

    async def stop(self) -> None:
        """End at once: what still runs is cut short, and durable work of it comes again."""
        if self.equipment is not None:
            self.equipment.hurry()
        self._loading.cancel()
        await asyncio.gather(self._loading, return_exceptions=True)
        await self._work.stop()
        await self.invoker.stop()
        await self._channel.stop(0)
        if self.equipment is not None:
            await self.equipment.close()

    # what it shows

    @property
    def worker_pids(self) -> Sequence[int]:
        return self._channel.process_ids if isinstance(self._channel, WorkerPool) else []

    @property
    def next_times(self) -> dict[str, datetime]:
        """When each timer fires next, by function name."""
        due = ((name, getattr(listener, "next_due", None)) for name, listener in self._work.listeners.items())
        return {name: when for name, when in due if when is not None}

    @property
    def is_quiet(self) -> bool:
        """Nothing goes on but what waits: for a time, a message or a caller. Of hubs in a storage account nothing is known."""
        dispatcher, hubs = self._work.dispatcher, self._embedded_hubs
        is_running = bool(self.invoker.in_flight) or (dispatcher is not None and dispatcher.in_flight > 0)
        return self._loading.done() and not is_running and not any(hub.is_writing for hub in hubs)

    @property
    def has_embedded_storage(self) -> bool:
        """Whether all that is durable is known here."""
        return self.equipment is None or self.equipment.storage.is_embedded

    def next_due(self) -> datetime | None:
        """When the clock will bring durable work on an embedded hub, or None."""
        return min((due for hub in self._embedded_hubs if (due := hub.next_due()) is not None), default=None)

    async def fire(self, function: Function, value: str | None) -> None:
        """Run a function by hand; whatever goes wrong is in the log."""
        try:
            inputs, metadata = await self.by_hand(function, value)
        except LinariteError as error:
            logging.getLogger(f"Function.{function.name}").error("%s", error)
            return
        try:
            await self.invoker.invoke(function, inputs, metadata, reason=HOST_APIS)
        except (UserCodeFailed, LinariteError):
            return  # the invoker has logged it

    async def by_hand(self, function: Function, value: str | None) -> tuple[dict[str, Datum], Metadata]:
        """What a function fired by hand is given. Raises LinariteError if nothing can be made of `value`."""
        equipment = self.equipment or await self._open_equipment()
        return await equipment.by_hand(function, value, self._work)

    # parts

    @property
    def _embedded_hubs(self) -> Sequence[SqliteHub]:
        hubs = self.equipment.hubs if self.equipment is not None else None
        return hubs.embedded if hubs is not None else ()

    def _worker(self, environment: Mapping[str, str], make_worker: MakeWorker | None) -> WorkerChannel:
        settings, folder = self._configuration.app, self._options.folder
        values = worker_environment(settings, folder, self._origin.host_name, self._options.user_log_level)
        if make_worker is not None:
            return make_worker(values, self._log.forward)
        if self._options.in_process:
            from linarite.workers.in_process import InProcessWorker

            return InProcessWorker(folder, values, self._log.forward)
        from linarite.workers.child import ChildWorker

        python = find_python(folder, self._options.python, environment, settings.get(SETTING, ""))
        count = 1 if self.is_debugged else _process_count(settings.get("FUNCTIONS_WORKER_PROCESS_COUNT", ""))

        def make() -> ChildWorker:
            return ChildWorker(python, folder, values, self._log.forward, self._arguments)

        return WorkerPool(make, count, self._clock, has_spare=self._options.reload and not self.is_debugged)

    def _site(self, app: IndexedApp) -> Site:
        from linarite.web.assembly import site_of

        for warning in app.warnings:
            log.warning("%s", warning)
        return site_of(app, self._configuration.host, self._configuration.app, uses_storage=self._options.uses_storage)

    async def _equip(self) -> None:
        """Have what the functions need besides HTTP."""
        types = {binding.type.lower() for function in self.site.functions for binding in function.bindings}
        if self.equipment is not None:
            await self.equipment.extend()
        elif types - _HTTP_ALONE:
            await self._open_equipment()

    async def _open_equipment(self) -> Equipment:
        from linarite.equipment import Equipment, Ground

        ground = Ground(
            configuration=self._configuration,
            options=self._options,
            base_url=self._origin.base_url,
            host_id=self.id,
            invoker=self.invoker,
            clock=self._clock,
            site=lambda: self.site,
            system_key=self._system_key,
        )
        equipment = self.equipment = Equipment(ground)
        await equipment.extend()
        return equipment


def _process_count(text: str) -> int:
    """FUNCTIONS_WORKER_PROCESS_COUNT: 1 to 10."""
    return min(max(int(text), 1), 10) if text.strip().isdigit() else 1


def _arguments(options: HostOptions, settings: AppSettings) -> InterpreterArguments:
    """What the worker's interpreter is started with: what the command line says, or else the app's settings. Raises OperatorError."""
    if options.in_process:
        return InterpreterArguments()  # there is no interpreter to start
    if options.debug_port is not None:
        return debugpy_arguments(options.debug_port, waits=options.debug_wait)
    text = options.worker_arguments or settings.get("languageWorkers:python:arguments", "")
    if text.strip():
        return parsed_arguments(text, waits=options.debug_wait)
    return debugpy_arguments(DEFAULT_DEBUG_PORT, waits=True) if options.debug_wait else InterpreterArguments()

"""The host: a port that stays open while what is behind it comes, changes and goes.

It reads the settings, has a job host bring the app up, shows it to the web part, and exchanges it when files are saved. An app or a
setting that is wrong leaves the host up, answering as the Functions host does, so that saving a correction is enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linarite.clock import Clock, SystemClock, to_its_end
from linarite.errors import AppError, OperatorError, WorkerDied
from linarite.invocation import Datum, InvocationResult
from linarite.invoker import InFlight
from linarite.job_host import JobHost, MakeWorker, Origin
from linarite.metadata import Function
from linarite.options import HostOptions
from linarite.reload import Change, Reloader, Scope
from linarite.settings import AppSettings, HostSettings, LocalHttpSettings
from linarite.settings_files import Configuration, read_settings

# What serves HTTP is imported while the worker, a process of its own by then, is importing the app's packages.
if TYPE_CHECKING:
    from linarite.front import Front
    from linarite.web.app import Web
    from linarite.web.keys import Keys
    from linarite.web.site import Drain, Site

log = logging.getLogger("Host.Startup")

DEFAULT_PORT = 7071
DEFAULT_ADDRESS = "127.0.0.1"
_GRACE_S = 10.0
"""How long what is in flight may take when changed settings make a new job host."""
_DEBUGGED_GRACE_S = 86400.0
_NONE: Mapping[str, Datum] = {}


class NothingToServe(AppError):
    """The app has errors, which have been logged, and nothing watches for their correction."""

    def __init__(self) -> None:
        super().__init__("The app cannot be served as it is. Correct it and start again, or start without --no-reload to be reloaded.")


class Host:
    """One app, served. `environment` is what the app's settings are laid over; `on_site` is told of each generation that is shown,
    `on_settings` of each reading of the settings, before anything is done by them.

    `make_worker` makes what reaches user code, where the options are not to choose it.
    """

    def __init__(
        self,
        options: HostOptions,
        *,
        clock: Clock | None = None,
        environment: Mapping[str, str] | None = None,
        on_site: Callable[[Host], None] | None = None,
        on_settings: Callable[[Configuration], None] | None = None,
        make_worker: MakeWorker | None = None,
    ) -> None:
        self.options = options
        self._clock = clock or SystemClock()
        self._environment = os.environ if environment is None else environment
        self._on_site = on_site or (lambda _: None)
        self._on_settings = on_settings or (lambda _: None)
        self._make_worker = make_worker
        self.started_at = self._clock.now()
        self.base_url = "" if options.listens else "http://localhost"
        self.job: JobHost | None = None
        self._configuration: Configuration | None = None
        self._front: Front | None = None
        self._reloader = Reloader(options.folder, self._load)
        self._changing = asyncio.Lock()
        self._draining = False
        self._background: set[asyncio.Task[None]] = set()

    # life

    async def start(self) -> None:
        """Serve. Raises OperatorError for what no saved file mends and, where none is watched, NothingToServe."""
        problem = self._read()
        local = self._configuration.local if self._configuration else LocalHttpSettings()
        bound = self._bind(local) if self.options.listens else None
        try:
            async with self._changing:
                await self._start(problem, local, bound)
        except BaseException:
            if bound is not None:
                bound.close()
            await self._reloader.stop()
            await self._end_job()
            raise

    async def _start(self, problem: AppError | None, local: LocalHttpSettings, bound: socket.socket | None) -> None:
        """Bring the app up. What is saved from here on is noticed, and loaded afterwards."""
        job = self._spawn_job() if problem is None else None
        if self.options.reload:
            self._reloader.start(self.settings.watch_directories, self.settings.watch_files)
        front = await self._open_front(local)
        if job is not None:
            await self._bring_up(job)
        else:
            assert problem is not None
            self._show_broken(problem)
        if not self.options.reload and front.site.errors:
            raise NothingToServe
        if bound is not None:
            await front.start(bound)

    async def stop(self, grace_s: float) -> Sequence[InFlight]:
        """Refuse new work, let what runs end for up to `grace_s` seconds, end everything; what had not ended by then.

        No process is left behind. When this is cancelled, it has to be called again, with less patience.
        """
        began = self._clock.now()
        if self._front is not None:
            self._front.refuse()
        await self._reloader.stop()
        if self.job is not None:
            await self.job.drain(grace_s)
        left = self.in_flight
        if self._front is not None:
            await self._front.stop(max(grace_s - (self._clock.now() - began).total_seconds(), 0))
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._end_job()
        return left

    @property
    def site(self) -> Site:
        """What is served now; only once the host has started."""
        assert self._front is not None
        return self._front.site

    @property
    def web(self) -> Web:
        """The web application, for who calls it without a port; only once the host has started."""
        assert self._front is not None
        return self._front.web

    @cached_property
    def keys(self) -> Keys:
        """The app's keys."""
        from linarite.web.keys import Keys

        return Keys(self.options.keys_folder)

    @property
    def in_flight(self) -> Sequence[InFlight]:
        """Invocations that have not ended."""
        return self.job.invoker.in_flight if self.job is not None else ()

    @property
    def settings(self) -> HostSettings:
        return self._configuration.host if self._configuration else HostSettings()

    # what the web part asks

    @property
    def id(self) -> str:
        return self.job.id if self.job is not None else ""

    @property
    def folder(self) -> Path:
        return self.options.folder

    @property
    def worker_pids(self) -> Sequence[int]:
        return self.job.worker_pids if self.job is not None else ()

    async def restart(self) -> None:
        """Load everything anew, settings included."""
        self._spawn(self._load(Change(Scope.SETTINGS, self.options.folder)))

    async def drain(self) -> None:
        """Stop the listeners and durable work; what runs goes on."""
        self._draining = True
        if self.job is not None:
            self._spawn(self.job.pause())

    async def resume(self) -> None:
        """Let listeners and durable work go on after a drain."""
        if self._draining:
            self._draining = False
            await self._load(Change(Scope.SETTINGS, self.options.folder))

    def drain_status(self) -> Drain:
        from linarite.web.site import Drain

        running = len(self.in_flight)
        if not self._draining:
            return Drain("Disabled", running)
        return Drain("InProgress" if running else "Completed", running)

    async def set_offline(self, offline: bool) -> None:
        """Answer 503, or no longer."""
        if offline:
            from linarite.web.site import Site

            self._show(Site(state="Offline", host=self.settings))
        else:
            await self._load(Change(Scope.SETTINGS, self.options.folder))

    async def invoke(
        self,
        function: Function,
        inputs: Mapping[str, Datum],
        trigger_metadata: Mapping[str, Datum] = _NONE,
        *,
        reason: str,
        trace_parent: str = "",
        trace_state: str = "",
    ) -> InvocationResult:
        """The way in to user code, whichever job host runs it now."""
        if self.job is None:
            raise WorkerDied("The app is being loaded anew.")
        return await self.job.invoker.invoke(
            function, inputs, trigger_metadata, reason=reason, trace_parent=trace_parent, trace_state=trace_state
        )

    async def fire(self, function: Function, value: str | None) -> None:
        """Have a function run by hand; whoever asked does not wait for its end."""
        if self.job is not None:
            self._spawn(self.job.fire(function, value))

    # changes

    async def _load(self, change: Change) -> None:
        """Take over a saved change."""
        async with self._changing:
            if change.scope is Scope.CODE and self.job is not None and self.job.reloads:
                await self._reload(self.job)
            elif (problem := self._read()) is not None:
                self._refuse(problem)
            else:
                await self._replace_job(change)

    async def _reload(self, job: JobHost) -> None:
        """New code beside the old."""
        try:
            is_loaded = await job.reload()
        except OperatorError as error:
            log.error("%s\nThe code that was saved before goes on serving.", error)
            return
        if is_loaded:
            self._show(job.site)
            await job.begin()
        elif self.site.errors:
            self._show(job.site)

    async def _replace_job(self, change: Change) -> None:
        """A new job host in the place of the old; requests wait meanwhile. What runs may end, unless it takes too long."""
        assert self._front is not None
        if self.job is not None and self.job.is_debugged:
            await self._let_debugged_end(self.job, change)
        self._front.hold()
        await to_its_end(self._spawn(self._wind_up()))
        try:
            await self._bring_up(self._spawn_job())
        except OperatorError as error:
            self._show_broken(error)

    async def _wind_up(self) -> None:
        """Let what runs end, unless it takes too long, and end the job host."""
        if self.job is not None:
            await self.job.drain(_GRACE_S)
        await self._end_job()

    async def _let_debugged_end(self, job: JobHost, change: Change) -> None:
        """Let what runs end, and be served, for as long as somebody may be looking at where it stands."""
        if running := job.invoker.in_flight:
            names = ", ".join(sorted({invocation.function.name for invocation in running}))
            log.warning("%s has changed; it is loaded when %s has ended.", change.path.relative_to(self.folder), names)
        await job.drain(_DEBUGGED_GRACE_S)

    def _refuse(self, problem: AppError) -> None:
        """Settings that cannot be used: what runs goes on, unless nothing does."""
        if self.job is None:
            self._show_broken(problem)
        else:
            log.error("%s", problem)

    def _spawn_job(self) -> JobHost:
        """A job host for the settings that were read; its worker begins to load the app."""
        assert self._configuration is not None
        self.job = JobHost(
            *(self._configuration, self.options, self._origin(), self._system_key, self._clock, self._environment), self._make_worker
        )
        return self.job

    def _system_key(self, name: str) -> str:
        return self.keys.system_key(name)

    async def _bring_up(self, job: JobHost) -> None:
        try:
            await job.start()
        except AppError as error:
            await self._end_job()
            self._show_broken(error)
            return
        except BaseException:
            await self._end_job()
            raise
        self._show(job.site)
        await job.begin()

    async def _end_job(self) -> None:
        """End the job host, wholly: a reload that is called off half-way must not leave its processes behind."""
        job, self.job = self.job, None
        if job is not None:
            await to_its_end(job.stop())

    def _read(self) -> AppError | None:
        """Read the settings; what is wrong with them, if anything."""
        try:
            self._configuration = read_settings(self.options.folder, self._environment)
        except AppError as error:
            return error
        self._on_settings(self._configuration)
        return None

    def _show_broken(self, error: AppError | OperatorError) -> None:
        from linarite.web.assembly import announce, broken_site

        settings = self._configuration.app if self._configuration else AppSettings({})
        site = broken_site(error, self.settings, settings)
        announce(site)
        self._show(site)

    def _show(self, site: Site) -> None:
        assert self._front is not None
        equipment = self.job.equipment if self.job is not None else None
        self._front.show(site, equipment.webhooks if equipment is not None else {})
        _keep_out_of_git(self.options.working_folder)
        self._on_site(self)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def _open_front(self, local: LocalHttpSettings) -> Front:
        """Importing what serves HTTP takes a while; in a thread, so that this loop can start the worker meanwhile."""
        await asyncio.to_thread(import_module, "linarite.front")
        from linarite.front import Front

        if self.options.enable_auth:
            self.keys.load()
        self._front = Front(self, self, self.keys, self.options, local, self._clock)
        return self._front

    # where it listens

    def _bind(self, local: LocalHttpSettings) -> socket.socket:
        """The socket, bound but silent until the app is up: until then connections are refused, as on Azure."""
        port = self.options.port if self.options.port is not None else local.port if local.port is not None else DEFAULT_PORT
        address = self.options.address or local.address or DEFAULT_ADDRESS
        try:
            family, _, _, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)[0]
        except OSError:
            raise OperatorError(f"Invalid --address value '{address}'. Expected an IP address, for example 127.0.0.1 or 0.0.0.0.") from None
        bound = socket.socket(family, socket.SOCK_STREAM)
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(target)
        except OSError as error:
            bound.close()
            raise OperatorError(
                f"Port {port} is unavailable. Close the process using that port, or specify another port using --port [-p]. "
                f"({address}: {error.strerror})"
            ) from None
        scheme = "https" if self.options.use_https else "http"
        self.base_url = f"{scheme}://{display_host(address)}:{bound.getsockname()[1]}"
        return bound

    def _origin(self) -> Origin:
        return Origin(self.base_url, self.base_url.partition("://")[2])


def _keep_out_of_git(folder: Path | None) -> None:
    """Have git leave the app's `.linarite` alone, if there is one: there are keys in it."""
    with contextlib.suppress(OSError):
        if folder is not None and folder.is_dir() and not (ignore := folder / ".gitignore").exists():
            ignore.write_text("*\n", "utf-8")


def display_host(address: str) -> str:
    """How an address is shown in URLs: loopback and "everywhere" as `localhost`, IPv6 in brackets."""
    if address in ("0.0.0.0", "127.0.0.1", "::", "::1"):
        return "localhost"
    return f"[{address}]" if ":" in address else address

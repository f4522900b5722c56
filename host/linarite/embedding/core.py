"""A host inside a Python program: what it does on its own loop. Other threads and loops reach it by `hosts`."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, Union

from linarite.clock import Clock, ManualClock
from linarite.embedding.durable import Durable
from linarite.embedding.http import Asgi, Http
from linarite.embedding.loop import LoopThread
from linarite.errors import AppError, OperatorError
from linarite.host import Host, NothingToServe
from linarite.invoker import HOST_APIS
from linarite.job_host import JobHost
from linarite.metadata import Function
from linarite.options import HostOptions, StorageMode
from linarite.settings_files import LOCAL_SETTINGS, RUNTIME
from linarite.workers.in_process import InProcessWorker
from linarite.workers.protocol import LogSink, WorkerChannel
from linarite.workers.worlds import GuestWorld

T = TypeVar("T")
Span = Union[timedelta, float]  # noqa: UP007  evaluated
"""A time-span, or seconds."""


class AppNotLoaded(AppError):
    """The app has mistakes that keep all of it from running; the text is theirs."""


class NoSuchFunction(AppError):
    """A function was named that the app does not have."""

    def __init__(self, name: str, known: Mapping[str, object]) -> None:
        super().__init__(f"The app has no function {name!r}. It has: {', '.join(sorted(known)) or 'none'}.")


class NotSupported(OperatorError):
    """The host was started in a way that leaves this out."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How an app is to be run; see `hosts`."""

    app: object
    folder: Path | None
    settings: Mapping[str, str]
    clock: Clock
    storage: StorageMode
    port: int | None
    keeps: bool
    functions: tuple[str, ...]
    enable_auth: bool
    in_process: bool


class Replacement:
    """Other code in the place of a function's own, from now on until `undo`, or until the end of a `with` block."""

    def __init__(self, undo: Callable[[], None]) -> None:
        self.undo = undo

    def __enter__(self) -> Replacement:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.undo()


class Core:
    """One run of an app. Its coroutines belong to the loop of `thread`."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self.clock = choices.clock
        self.thread = LoopThread("linarite-host", self._is_quiet)
        self._nowhere: tempfile.TemporaryDirectory[str] | None = None
        self._worker: InProcessWorker | None = None
        self._host: Host | None = None
        self.http = Http(self._web, lambda: self.host.base_url, self.until)
        self.durable = Durable(Http(self._durable_api, lambda: self.host.base_url, self.until))
        self.time = Time(self)

    @property
    def host(self) -> Host:
        assert self._host is not None
        return self._host

    @property
    def job(self) -> JobHost:
        assert self.host.job is not None
        return self.host.job

    # life

    async def start(self) -> None:
        """Load the app and let it act. Raises AppNotLoaded for an app that has mistakes, OperatorError for what is around it."""
        options = self._options()
        self._host = Host(options, clock=self.clock, environment=self._environment(options.folder), make_worker=self._make_worker())
        try:
            await self._host.start()
        except NothingToServe:
            raise AppNotLoaded("\n".join(self._host.site.errors)) from None

    async def stop(self) -> None:
        """End at once."""
        if self._host is not None:
            await self._host.stop(0)

    def close(self) -> None:
        """End the loop. Called on another thread."""
        self.thread.close()
        if self._nowhere is not None:
            self._nowhere.cleanup()

    def _options(self) -> HostOptions:
        choices = self._choices
        return HostOptions(
            folder=self._folder(),
            port=choices.port,
            storage=choices.storage,
            functions=choices.functions,
            reload=False,
            enable_auth=choices.enable_auth,
            listens=choices.port is not None,
            keeps=choices.keeps,
            client_port=0,
            uses_storage=choices.storage != "embedded",
        )

    def _folder(self) -> Path:
        app, folder = self._choices.app, self._choices.folder
        if isinstance(app, (str, os.PathLike)):
            folder = Path(app)
        if folder is None:
            self._nowhere = tempfile.TemporaryDirectory(prefix="linarite-")
            return Path(self._nowhere.name)
        if not folder.is_dir():
            raise OperatorError(f"{folder} is no folder. Expected the folder of an app, with its host.json, or an app object.")
        return folder.absolute()

    def _environment(self, folder: Path) -> Mapping[str, str]:
        default = {} if (folder / LOCAL_SETTINGS).exists() else {RUNTIME: "python"}  # the file is no part of a checkout
        return {**default, **os.environ, **self._choices.settings}

    def _make_worker(self) -> Callable[[Mapping[str, str], LogSink], WorkerChannel] | None:
        return self._make_guest if self._choices.in_process else None

    def _make_guest(self, environment: Mapping[str, str], sink: LogSink) -> WorkerChannel:
        folder, app = self.host.folder, self._choices.app
        world = GuestWorld(folder, self._choices.settings, environment)
        is_folder = isinstance(app, (str, os.PathLike))
        self._worker = InProcessWorker(folder, environment, sink, world=world, app=None if is_folder else app)
        return self._worker

    # quiet, and the passing of time

    def _is_quiet(self) -> bool:
        job = self._host.job if self._host is not None else None
        return job is None or job.is_quiet

    async def settle(self) -> None:
        """Return once nothing goes on any more that does not wait for a later time."""
        if not self.job.has_embedded_storage:
            raise NotSupported("Whether work goes on in a storage account cannot be known. Use the embedded storage, or look at statuses.")
        await self.thread.quiet()

    async def run_until_idle(self, within: Span = 0.0) -> None:
        """Let all be done that can be done now or, with `within`, by then: the clock is moved on to where durable work goes on.

        Afterwards it stands where the last thing happened. A clock that is not a manual one takes its time.
        """
        end = self.clock.now() + as_span(within)
        await self.settle()
        while (due := self.job.next_due()) is not None and due <= end:
            await self._pass_until(due)
            await self.settle()

    async def _pass_until(self, due: datetime) -> None:
        """Let time pass until `due`, or until somebody wakes before."""
        if isinstance(self.clock, ManualClock):
            self.clock.advance_to(min(self.clock.next_wake() or due, due))
        else:
            await self.clock.sleep((due - self.clock.now()).total_seconds())

    async def until(self, work: Coroutine[Any, Any, T]) -> T:
        """What comes of `work`. It takes the time it takes: when everything waits, a manual clock is moved on."""
        doing = asyncio.ensure_future(work)
        try:
            while isinstance(self.clock, ManualClock) and self.job.has_embedded_storage and not doing.done():
                quiet = asyncio.ensure_future(self.thread.quiet())
                await asyncio.wait({doing, quiet}, return_when=asyncio.FIRST_COMPLETED)
                quiet.cancel()
                if not doing.done() and (wake := self.clock.next_wake()) is not None:
                    self.clock.advance_to(wake)
            return await doing
        finally:
            doing.cancel()

    # what can be done with the app

    async def fire(self, name: str, value: str | None = None) -> None:
        """Run a function as its trigger would, with `value` as the trigger's: a queue's message, say. Raises what it raises."""
        function = self._function(name)
        inputs, metadata = await self.job.by_hand(function, value)
        await self.until(self.job.invoker.invoke(function, inputs, metadata, reason=HOST_APIS))

    def replace(self, name: str, call: Callable[..., Any]) -> Replacement:
        """Have `call` called in the place of a function's own code, with the same arguments, until undone or the host's end."""
        function = self._function(name)
        if self._worker is None:
            raise NotSupported("Functions can be replaced only where they run in this process.")
        return Replacement(self._worker.replace(function.name, call))

    def _function(self, name: str) -> Function:
        function = self.host.site.function(name)
        if function is None:
            raise NoSuchFunction(name, {function.name: None for function in self.host.site.functions})
        return function

    def _web(self) -> Asgi:
        return self.host.web

    def _durable_api(self) -> Asgi:
        equipment = self.job.equipment
        if equipment is None or equipment.doors is None:
            raise NotSupported("The app has no durable functions.")
        return equipment.doors.api


class Time:
    """The time of a host."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def now(self) -> datetime:
        """The current instant of the host, UTC."""
        return self._core.clock.now()

    async def advance(self, span: Span) -> None:
        """Let so much time pass, and everything be done that is due on the way, in its order."""
        await self.advance_to(self.now() + as_span(span))

    async def advance_to(self, when: datetime) -> None:
        """Let time pass until `when`, and everything be done that is due on the way, in its order."""
        clock = self._core.clock
        if not isinstance(clock, ManualClock):
            raise NotSupported("This host runs on the machine's time. Give it a ManualClock to have time moved.")
        await self._core.settle()
        while (wake := clock.next_wake()) is not None and wake <= when:
            clock.advance_to(wake)
            await self._core.settle()
        clock.advance_to(when)


def as_span(span: Span) -> timedelta:
    """Seconds as a time-span."""
    return span if isinstance(span, timedelta) else timedelta(seconds=span)

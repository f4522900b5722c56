"""An app run inside a Python program: `EmbeddedHost` for plain code, `AsyncEmbeddedHost` for a program's own loop.

The two are alike but for `await`. The host has a thread and a loop of its own, so neither waits for the program's loop nor holds it up.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from linarite.clock import Clock, SystemClock
from linarite.embedding.core import Choices, Core, NotSupported, Replacement, Time
from linarite.embedding.crossing import Facade, awaitable, blocking
from linarite.embedding.durable import Durable
from linarite.embedding.http import Http
from linarite.options import StorageMode


class HttpClient(Facade):
    """Calls the app's HTTP functions, and everything else that the host serves."""

    request = blocking(Http.request)
    get = blocking(Http.get)
    post = blocking(Http.post)
    put = blocking(Http.put)
    patch = blocking(Http.patch)
    delete = blocking(Http.delete)


class AsyncHttpClient(Facade):
    """Calls the app's HTTP functions, and everything else that the host serves."""

    request = awaitable(Http.request)
    get = awaitable(Http.get)
    post = awaitable(Http.post)
    put = awaitable(Http.put)
    patch = awaitable(Http.patch)
    delete = awaitable(Http.delete)


class DurableClient(Facade):
    """Starts, watches and steers the app's orchestrations and entities."""

    start_new = blocking(Durable.start_new)
    get_status = blocking(Durable.get_status)
    get_status_all = blocking(Durable.get_status_all)
    raise_event = blocking(Durable.raise_event)
    terminate = blocking(Durable.terminate)
    suspend = blocking(Durable.suspend)
    resume = blocking(Durable.resume)
    rewind = blocking(Durable.rewind)
    restart = blocking(Durable.restart)
    purge_instance_history = blocking(Durable.purge_instance_history)
    signal_entity = blocking(Durable.signal_entity)
    read_entity_state = blocking(Durable.read_entity_state)


class AsyncDurableClient(Facade):
    """Starts, watches and steers the app's orchestrations and entities."""

    start_new = awaitable(Durable.start_new)
    get_status = awaitable(Durable.get_status)
    get_status_all = awaitable(Durable.get_status_all)
    raise_event = awaitable(Durable.raise_event)
    terminate = awaitable(Durable.terminate)
    suspend = awaitable(Durable.suspend)
    resume = awaitable(Durable.resume)
    rewind = awaitable(Durable.rewind)
    restart = awaitable(Durable.restart)
    purge_instance_history = awaitable(Durable.purge_instance_history)
    signal_entity = awaitable(Durable.signal_entity)
    read_entity_state = awaitable(Durable.read_entity_state)


class _Time(Facade):
    _inner: Time

    def now(self) -> datetime:
        """The current instant of the host, UTC."""
        return self._inner.now()


class HostTime(_Time):
    """The time of a host, which a test may move on if it runs on a `ManualClock`."""

    advance = blocking(Time.advance)
    advance_to = blocking(Time.advance_to)


class AsyncHostTime(_Time):
    """The time of a host, which a test may move on if it runs on a `ManualClock`."""

    advance = awaitable(Time.advance)
    advance_to = awaitable(Time.advance_to)


class _Host:
    """What the two kinds of host have in common.

    `app` is the app: an app object (`func.FunctionApp()`, `df.DFApp()`), or the folder of one. An app object has no host.json and no
    local.settings.json, unless `folder` says where they are. `settings` are app settings (environment variables of the app, and of nobody
    else) over all others. `clock` None is the machine's time; with a `ManualClock` time passes when it is told to. Durable work is kept in
    memory, or with `keeps` in the folder's `.linarite`. No storage account is touched, whatever the settings say, unless `storage` is not
    "embedded": "azurite" and "auto" are what they are for `linarite start --storage`. `port` None opens no port, 0 any free one.
    `functions`: the only ones to load. `in_process` False runs the app in a process of its own.
    """

    def __init__(
        self,
        app: object,
        *,
        folder: str | os.PathLike[str] | None = None,
        settings: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        storage: StorageMode = "embedded",
        port: int | None = None,
        keeps: bool = False,
        functions: tuple[str, ...] = (),
        enable_auth: bool = False,
        in_process: bool = True,
    ) -> None:
        self._choices = Choices(
            app=app,
            folder=Path(folder) if folder is not None else None,
            settings=dict(settings or {}),
            clock=clock or SystemClock(),
            storage=storage,
            port=port,
            keeps=keeps,
            functions=functions,
            enable_auth=enable_auth,
            in_process=in_process,
        )
        self._core: Core | None = None

    @property
    def base_url(self) -> str:
        """What the URLs of the host's answers begin with. Only with a `port` is anybody there."""
        return self._running.host.base_url

    def replace(self, name: str, call: Callable[..., Any]) -> Replacement:
        """Have `call` called in the place of a function's own code, with the same arguments, until the host's end.

        What is returned undoes it, as the end of a `with` block or by its method `undo`.
        """
        return self._running.replace(name, call)

    @property
    def _running(self) -> Core:
        if self._core is None:
            raise NotSupported("The host is not started.")
        return self._core


class EmbeddedHost(_Host):
    """An Azure Functions app, run inside this program: `with EmbeddedHost("path/to/app") as host: host.http.get("/api/hello")`."""

    __doc__ = f"{__doc__}\n{_Host.__doc__}"

    def start(self) -> None:
        """Load the app and let it act. Raises AppNotLoaded for an app that has mistakes, OperatorError for what is around it."""
        self._core = core = Core(self._choices)
        try:
            core.thread.submit(core.start()).result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the host, and what it is at; to let that be done first, call `run_until_idle`."""
        core, self._core = self._core, None
        if core is not None:
            try:
                core.thread.submit(core.stop()).result()
            finally:
                core.close()

    def __enter__(self) -> EmbeddedHost:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def aio(self) -> AsyncEmbeddedHost:
        """This host, while it runs, to be awaited from a loop."""
        other = AsyncEmbeddedHost(self._choices.app)
        other._core = self._running
        return other

    @property
    def http(self) -> HttpClient:
        return HttpClient(self._running.http, self._running.thread)

    @property
    def durable(self) -> DurableClient:
        return DurableClient(self._running.durable, self._running.thread)

    @property
    def time(self) -> HostTime:
        return HostTime(self._running.time, self._running.thread)

    def run_until_idle(self, within: timedelta | float = 0.0) -> None:
        """Let all be done that can be done now or, with `within`, by then: the clock is moved on to where durable work goes on.

        Afterwards it stands where the last thing happened. A clock that is not a manual one takes its time.
        """
        self._running.thread.submit(self._running.run_until_idle(within)).result()

    def fire(self, name: str, value: str | None = None) -> None:
        """Run a function as its trigger would, with `value` as the trigger's: a queue's message, say. Raises what it raises."""
        self._running.thread.submit(self._running.fire(name, value)).result()


class AsyncEmbeddedHost(_Host):
    """An Azure Functions app, run inside this program: `async with AsyncEmbeddedHost(app) as host: await host.http.get("/api/hello")`."""

    __doc__ = f"{__doc__}\n{_Host.__doc__}"

    async def start(self) -> None:
        """Load the app and let it act. Raises AppNotLoaded for an app that has mistakes, OperatorError for what is around it."""
        self._core = core = Core(self._choices)
        try:
            await asyncio.wrap_future(core.thread.submit(core.start()))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the host, and what it is at; to let that be done first, call `run_until_idle`."""
        core, self._core = self._core, None
        if core is not None:
            try:
                await asyncio.wrap_future(core.thread.submit(core.stop()))
            finally:
                await asyncio.to_thread(core.close)

    async def __aenter__(self) -> AsyncEmbeddedHost:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    @property
    def http(self) -> AsyncHttpClient:
        return AsyncHttpClient(self._running.http, self._running.thread)

    @property
    def durable(self) -> AsyncDurableClient:
        return AsyncDurableClient(self._running.durable, self._running.thread)

    @property
    def time(self) -> AsyncHostTime:
        return AsyncHostTime(self._running.time, self._running.thread)

    async def run_until_idle(self, within: timedelta | float = 0.0) -> None:
        """Let all be done that can be done now or, with `within`, by then: the clock is moved on to where durable work goes on.

        Afterwards it stands where the last thing happened. A clock that is not a manual one takes its time.
        """
        await asyncio.wrap_future(self._running.thread.submit(self._running.run_until_idle(within)))

    async def fire(self, name: str, value: str | None = None) -> None:
        """Run a function as its trigger would, with `value` as the trigger's: a queue's message, say. Raises what it raises."""
        await asyncio.wrap_future(self._running.thread.submit(self._running.fire(name, value)))

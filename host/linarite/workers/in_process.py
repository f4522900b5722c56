"""The worker in the host's own process, on a loop beside the host's: for tests, and for debugging everything at once.

Frames pass through memory. What the app sees of the process it shares, and whether others can be there too, is its world's affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any

from linarite.clock import SystemClock, within
from linarite.errors import WorkerDied
from linarite.invocation import Invocation, InvocationResult
from linarite.workers import app_loop, wire
from linarite.workers.conversation import Conversation
from linarite.workers.function_json import DEFAULT_SCRIPT, Declarations, declarations
from linarite.workers.protocol import IndexedApp, LogSink
from linarite.workers.worlds import OwnWorld, World
from linarite_worker import frames
from linarite_worker.worker import Worker

_LONGEST_END_S = 1.0
"""How long a web app of another framework may take to end."""


class InProcessWorker:
    """See the module. `environment`: the app's variables. `world`: by default the process is the app's while the worker is up.

    `app`: the app object itself, instead of what the folder has.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], sink: LogSink, *, world: World | None = None, app: object = None
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._world = world or OwnWorld(folder, environment)
        self._app = app
        self._sink = sink
        self._parser = wire.FrameParser()
        self._tasks = app_loop.Tasks()
        self._host_loop: asyncio.AbstractEventLoop
        self._host_context: Context
        self._conversation: Conversation
        self._worker: Worker | None = None

    async def start(self) -> IndexedApp:
        """See `WorkerChannel.start`."""
        self._host_loop = asyncio.get_running_loop()
        self._host_context = copy_context()
        self._world.enter()
        self._conversation = Conversation(self._to_worker, self._sink)
        context = self._world.context()
        context.run(app_loop.own_tasks, self._tasks)
        self._worker = Worker(
            *(str(self._folder), self._from_worker, self._end),
            is_shared=True,
            captures=self._world.captures,
            app=self._app,
            context=context,
        )
        self._worker.start(app_loop.enter())
        return await self._conversation.load(self._declared())

    def _declared(self) -> Declarations:
        if self._app is not None:
            return Declarations(DEFAULT_SCRIPT, None)
        return declarations(self._folder, {**os.environ, **self._environment})

    def replace(self, name: str, call: Callable[..., Any]) -> Callable[[], None]:
        """Have `call` called instead of a function's own code, until the function that this returns is called. See `Worker.replace`."""
        assert self._worker is not None
        return self._worker.replace(name, call)

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """See `WorkerChannel.invoke`."""
        return await self._conversation.invoke(invocation)

    async def abort(self, invocation_id: str) -> None:
        """See `WorkerChannel.abort`. Nothing can end a thread: the code runs on, and everyone who waits is told otherwise."""
        self._conversation.fail_all(WorkerDied("The worker was given up, since an invocation ran for too long."))

    async def stop(self, grace_s: float) -> None:
        """See `WorkerChannel.stop`. Threads that user code keeps busy go on: nothing can end them but the end of the process."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        try:
            if grace_s > 0:
                with contextlib.suppress(TimeoutError):
                    await within(SystemClock(), grace_s, self._conversation.idle())
            self._conversation.ended(WorkerDied("The worker was stopped."))
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._end_app(worker), app_loop.app_loop()))
        finally:  # cancelled or failed: the process is the next app's all the same
            worker.restore()
            self._world.leave()

    async def _end_app(self, worker: Worker) -> None:
        with contextlib.suppress(TimeoutError):
            await within(SystemClock(), _LONGEST_END_S, worker.shut_down())
        await app_loop.leave(self._tasks)

    def _to_worker(self, frame: bytes) -> None:
        assert self._worker is not None
        for header, body in frames.parse(frame):
            if header["op"] == "invoke":
                self._worker.invoke(header, body)
            elif header["op"] == "asgi":
                self._worker.exchange(header, body)
            else:
                app_loop.app_loop().call_soon_threadsafe(self._load, header)

    def _load(self, header: frames.Header) -> None:
        assert self._worker is not None
        with self._world.importing():
            indexed = self._worker.loaded(header)
        self._from_worker(indexed)

    def _from_worker(self, frame: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # the host's loop is closed: a thread of the app has outlived it
            self._on_host_loop(self._receive, frame)

    def _receive(self, frame: bytes) -> None:
        for message, body in self._parser.feed(frame):
            self._conversation.received(message, body)

    def _end(self, code: int) -> None:
        """User code wants the process gone. Ours stays; what was in flight fails as it would with a child."""
        self._on_host_loop(self._conversation.fail_all, WorkerDied(f"The app exited with code {code} (0x{code:X})."))

    def _on_host_loop(self, call: Callable[..., object], *arguments: object) -> None:
        """In the host's own context: in the app's, what the host logs would count as the app's, and come back here."""
        self._host_loop.call_soon_threadsafe(call, *arguments, context=self._host_context)

"""The worker in the host's own process, on a thread and a loop of its own: for tests, and for debugging everything at once.

Frames pass through memory. The process has one working directory, one environment and one table of modules, so one such worker can
be up at a time; they are put back when it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from linarite.errors import InternalError, WorkerDied
from linarite.invocation import Invocation, InvocationResult
from linarite.workers import wire
from linarite.workers.conversation import Conversation
from linarite.workers.function_json import declarations
from linarite.workers.protocol import IndexedApp, LogSink
from linarite_worker import frames
from linarite_worker.worker import Worker

_up = threading.Lock()


class InProcessWorker:
    """See the module. `environment` is laid over the process's own while the worker is up."""

    def __init__(self, folder: Path, environment: Mapping[str, str], sink: LogSink) -> None:
        self._folder = folder
        self._world = _World(folder, environment)
        self._sink = sink
        self._parser = wire.FrameParser()
        self._app_loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="linarite-worker", daemon=True)
        self._host_loop: asyncio.AbstractEventLoop
        self._conversation: Conversation
        self._worker: Worker | None = None

    async def start(self) -> IndexedApp:
        """See `WorkerChannel.start`."""
        if not _up.acquire(blocking=False):
            raise InternalError("A worker is up in this process already; stop it first, or use child processes.")
        self._host_loop = asyncio.get_running_loop()
        self._conversation = Conversation(self._to_worker, self._sink)
        self._worker = Worker(str(self._folder), self._from_worker, self._end, is_shared=True)
        try:
            self._world.enter()
        except OSError:
            _up.release()
            raise
        self._thread.start()
        return await self._conversation.load(declarations(self._folder, os.environ))

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
            self._close_unused()
            return
        if grace_s > 0:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._conversation.idle(), grace_s)
        self._conversation.ended(WorkerDied("The worker was stopped."))
        self._app_loop.call_soon_threadsafe(self._app_loop.stop)
        await asyncio.to_thread(self._thread.join)
        worker.restore()
        self._world.leave()
        _up.release()

    def _close_unused(self) -> None:
        if not self._thread.is_alive() and not self._app_loop.is_closed():
            self._app_loop.close()

    def _run(self) -> None:
        loop = self._app_loop
        asyncio.set_event_loop(loop)
        assert self._worker is not None
        self._worker.start(loop)
        loop.run_forever()
        loop.run_until_complete(_cancel_all(loop))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()

    def _to_worker(self, frame: bytes) -> None:
        assert self._worker is not None
        for header, body in frames.parse(frame):
            if header["op"] == "invoke":
                self._worker.invoke(header, body)
            else:
                self._app_loop.call_soon_threadsafe(self._worker.load, header)

    def _from_worker(self, frame: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # the host's loop is closed: a thread of the app has outlived it
            self._host_loop.call_soon_threadsafe(self._receive, frame)

    def _receive(self, frame: bytes) -> None:
        for message, body in self._parser.feed(frame):
            self._conversation.received(message, body)

    def _end(self, code: int) -> None:
        """User code wants the process gone. Ours stays; what was in flight fails as it would with a child."""
        self._host_loop.call_soon_threadsafe(self._conversation.fail_all, WorkerDied(f"The app exited with code {code} (0x{code:X})."))


async def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _World:
    """What an app sees of the process, lent to it for a time."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._before: tuple[dict[str, str], str, list[str], set[str]] | None = None

    def enter(self) -> None:
        self._before = (dict(os.environ), os.getcwd(), list(sys.path), set(sys.modules))
        os.environ.update(self._environment)
        os.chdir(self._folder)
        packages = self._folder / ".python_packages" / "lib" / "site-packages"
        sys.path[:0] = [str(self._folder), *([str(packages)] if packages.is_dir() else [])]

    def leave(self) -> None:
        assert self._before is not None
        environment, folder, path, modules = self._before
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if self._is_of_app(getattr(sys.modules[name], "__file__", None)):
                del sys.modules[name]  # the next app has a function_app of its own
        importlib.invalidate_caches()

    def _is_of_app(self, file: str | None) -> bool:
        return file is not None and file.startswith(str(self._folder) + os.sep) and "site-packages" not in Path(file).parts

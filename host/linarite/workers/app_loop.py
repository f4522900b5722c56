"""The event loop of apps that share a process with their host: one for all of them, on a thread of its own, until the process ends.

The Durable SDK keeps one HTTP session for a whole process, which belongs to the loop where it was first used; a loop for each app would
leave all but the first with a session that fails them.
"""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")
Tasks = weakref.WeakSet["asyncio.Task[Any]"]

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_apps = 0
_owner: ContextVar[Tasks | None] = ContextVar("tasks", default=None)


def app_loop() -> asyncio.AbstractEventLoop:
    """The loop, which runs."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _loop.set_task_factory(_make_task)
            _loop.set_default_executor(_ContextExecutor(thread_name_prefix="linarite-app"))
            thread = threading.Thread(target=_run, args=(_loop,), name="linarite-app", daemon=True)
            thread.start()
            atexit.register(_end, _loop, thread)
        return _loop


def own_tasks(tasks: Tasks) -> None:
    """Have the tasks that code in the running context makes, and theirs, added to a set."""
    _owner.set(tasks)


def enter() -> asyncio.AbstractEventLoop:
    """The loop, for one more app."""
    global _apps
    with _lock:
        _apps += 1
    return app_loop()


async def leave(tasks: Tasks) -> None:
    """Cancel what an app has left, and wait for it. The last one leaves nothing of the SDK's behind either. Called on the loop."""
    global _apps
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    with _lock:
        _apps -= 1
        is_last = not _apps
    if is_last:
        await _close_sdk_session()


async def _close_sdk_session() -> None:
    """Whoever uses the SDK's client next, on whatever loop, is to begin with a session of its own."""
    sdk = sys.modules.get("azure.durable_functions.models.utils.http_utils")
    session = getattr(sdk, "_client_session", None)
    if session is not None and getattr(session, "_loop", None) is asyncio.get_running_loop():
        await session.close()


def _make_task(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T] | Generator[Any, None, T], **more: Any) -> asyncio.Task[T]:
    task = asyncio.Task(work, loop=loop, **more)
    tasks = _owner.get()
    if tasks is not None:
        tasks.add(task)
    return task


class _ContextExecutor(ThreadPoolExecutor):
    """Threads for `run_in_executor`, where code runs in the context of whoever has it run."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return super().submit(copy_context().run, fn, *args, **kwargs)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """At the process's end."""
    loop.call_soon_threadsafe(loop.stop)
    thread.join(_PATIENCE_S)
    if not loop.is_running():
        loop.close()


_PATIENCE_S = 2.0
"""How long the end of the process waits for code that an app runs on the loop."""

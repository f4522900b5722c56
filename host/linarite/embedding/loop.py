"""An event loop on a thread of its own, which can tell when it has nothing to do but wait."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers on other threads, from when it is made until `close`.

    `is_quiet`, asked when the loop is about to wait, says whether whoever waits for quiet need not wait for something outside of the loop,
    a thread say, that will wake it.
    """

    def __init__(self, name: str, is_quiet: Callable[[], bool]) -> None:
        self._selector = _Selector(is_quiet)
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Have it run; the future may be waited for on any thread, or wrapped for another loop."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("The host has been stopped.")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def quiet(self) -> None:
        """Return once every task waits for something that nobody is about to bring. Called on this loop."""
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._selector.waiting.append(waiting)
        await waiting

    def close(self) -> None:
        """End the loop, with whatever still runs on it. Called on another thread."""
        with contextlib.suppress(RuntimeError):  # closed before
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        loop = self._loop
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


class _Selector(selectors.DefaultSelector):
    """A loop selects without a time-out of zero only if none of its callbacks can run: that is when it comes to rest."""

    def __init__(self, is_quiet: Callable[[], bool]) -> None:
        super().__init__()
        self._is_quiet = is_quiet
        self.waiting: list[asyncio.Future[None]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self.waiting or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        if found := super().select(0):
            return found
        if not self._is_quiet():
            return super().select(timeout)
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            if not one.done():
                one.set_result(None)
        return []

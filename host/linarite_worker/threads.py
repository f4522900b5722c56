"""The threads that plain functions run on.

`concurrent.futures` would do, but makes a future with locks of its own for each call, which nobody here asks for; that is a third of what
a worker spends on a small function.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

Call = Callable[[], None]
"""Deals with its own errors: what it raises ends its thread."""


class Threads:
    """Up to `limit` threads, made when there is work for them; what finds none free waits for one, in order.

    They end with the process, whatever they are doing, or after `stop` once what they run has returned.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = 0
        self._waiting = 0
        """Calls that no thread has taken, less threads that wait for one."""
        self._is_stopped = False

    def submit(self, call: Call) -> None:
        """Have `call` run. Any thread may ask. Raises RuntimeError after `stop`, and if the system allows not even one thread."""
        with self._lock:
            if self._is_stopped:
                raise RuntimeError("The worker has been stopped.")
            self._waiting += 1
            if self._waiting > 0 and self._count < self._limit:
                self._add_thread()
        self._calls.put(call)

    async def result(self, call: Callable[[], T]) -> T:
        """What `call` returns, or raises, on one of the threads. If nobody waits any more it is not begun; once begun it is not stopped."""
        outcome: Future[T] = Future()

        def run() -> None:
            if not outcome.set_running_or_notify_cancel():
                return
            try:
                outcome.set_result(call())
            except BaseException as error:
                outcome.set_exception(error)

        self.submit(run)
        return await asyncio.wrap_future(outcome)

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._work, name=f"linarite_{self._count}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._count:
                self._waiting -= 1
                raise
        else:
            self._count += 1

    def _work(self) -> None:
        while True:
            with self._lock:
                self._waiting -= 1
            if (call := self._calls.get()) is None:
                return
            call()
            del call  # or a thread that waits would keep the last call's values alive

    def stop(self) -> None:
        """Drop what waits, and let each thread end."""
        with self._lock:
            self._is_stopped = True
            with contextlib.suppress(Empty):
                while True:
                    self._calls.get_nowait()
            for _ in range(self._count):
                self._calls.put(None)

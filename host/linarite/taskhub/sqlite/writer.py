"""How the hub's file is read and written: in transactions, in the order in which they were asked for.

`ThreadWriter` has a thread for it, and groups commits: whatever waits when the thread is free becomes one transaction, so that many work
items share one flush to the disk. A group that fails is tried again one by one, so that only whoever is at fault hears of it. Outcomes are
handed back on the event loop, in the order of writing, whether or not the caller still waits.
`InlineWriter` is for a hub in memory, where there is nothing to wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from linarite.errors import HubUnavailable

Read = TypeVar("Read")
T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Job:
    """`work` runs in the thread, inside a transaction, perhaps more than once; then `apply` or `give_up` on the loop."""

    work: Callable[[sqlite3.Connection], Any]
    apply: Callable[[Any], Any]
    give_up: Callable[[], None]
    future: asyncio.Future[Any]
    outcome: Any = None
    error: Exception | None = None


class Writer(ABC):
    """One connection, made by `connect`. `explain` turns foreign errors into ours; `settled` is called after each group of writes."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        explain: Callable[[Exception], Exception],
        settled: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._explain = explain
        self._settled = settled
        self._is_open = False
        self.pending = 0
        """Jobs whose outcome is not yet known here."""

    @abstractmethod
    async def start(self) -> None:
        """Open the connection; raises what `connect` raises."""

    @abstractmethod
    async def stop(self) -> None:
        """Finish what is waiting, then close the connection."""

    @abstractmethod
    async def _do(self, job: _Job) -> Any:
        """Have the job done, and wait for what comes of it."""

    async def read(self, work: Callable[[sqlite3.Connection], Read]) -> Read:
        """What `work` finds. It sees everything that was handed in before it."""
        return await self.write(work, lambda found: found)

    async def write(
        self, work: Callable[[sqlite3.Connection], Read], apply: Callable[[Read], T], give_up: Callable[[], None] = lambda: None
    ) -> T:
        """Run `work`, then, when it is safely on the disk, `apply` to its outcome. Cancelling the wait stops neither.

        Raises what either of them raises; after an error of `work` nothing of it was written, and `give_up` has been called.
        """
        if not self._is_open:
            raise HubUnavailable("The task hub is not started, or has been stopped.")
        job = _Job(work, apply, give_up, asyncio.get_running_loop().create_future())
        self.pending += 1
        return await self._do(job)  # type: ignore[no-any-return]

    def _perform(self, connection: sqlite3.Connection, group: list[_Job]) -> None:
        try:
            connection.execute("BEGIN")
            for job in group:
                job.outcome = job.work(connection)
            connection.execute("COMMIT")
        except Exception as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if len(group) == 1:
                group[0].error = self._explain(error)
            else:
                for job in group:
                    self._perform(connection, [job])

    def _hand_back(self, group: list[_Job]) -> None:
        for job in group:
            self.pending -= 1
            if job.error is None:
                self._apply(job)
            else:
                job.give_up()
                _fail(job.future, job.error)
        self._settled()

    @staticmethod
    def _apply(job: _Job) -> None:
        try:
            outcome = job.apply(job.outcome)
        except Exception as error:
            _fail(job.future, error)
        else:
            if not job.future.done():
                job.future.set_result(outcome)


class InlineWriter(Writer):
    """Does each job at once, where it is asked for."""

    _connection: sqlite3.Connection

    async def start(self) -> None:
        self._connection = self._connect()
        self._is_open = True

    async def stop(self) -> None:
        if self._is_open:
            self._is_open = False
            self._connection.close()

    async def _do(self, job: _Job) -> Any:
        self._perform(self._connection, [job])
        self._hand_back([job])
        try:
            await asyncio.sleep(0)  # others get their turn, as they would during a real wait
        finally:
            job.future.exception()  # so that it counts as seen, even by a caller who is cancelled now
        return job.future.result()


class ThreadWriter(Writer):
    """Does the jobs in a thread of its own, in groups."""

    _thread: threading.Thread
    _ended: asyncio.Future[None]
    _jobs: queue.SimpleQueue[_Job | None]

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()
        self._ended = loop.create_future()
        self._jobs = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, args=(loop, opened), name="linarite-sqlite", daemon=True)
        self._thread.start()
        self._is_open = True
        try:
            await opened
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._is_open:
            self._is_open = False
            self._jobs.put(None)
            await asyncio.shield(self._ended)
            self._thread.join()

    async def _do(self, job: _Job) -> Any:
        self._jobs.put(job)
        return await job.future

    def _main(self, loop: asyncio.AbstractEventLoop, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._connect()
        except Exception as error:
            loop.call_soon_threadsafe(_fail, opened, error)
        else:
            loop.call_soon_threadsafe(_succeed, opened)
            with contextlib.closing(connection):
                while group := self._next_group():
                    self._perform(connection, group)
                    loop.call_soon_threadsafe(self._hand_back, group)
        loop.call_soon_threadsafe(_succeed, self._ended)

    def _next_group(self) -> list[_Job]:
        """All that waits, at least one; empty when it is time to end."""
        job = self._jobs.get()
        group: list[_Job] = []
        while job is not None:
            group.append(job)
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return group
        if group:
            self._jobs.put(None)
        return group


def _succeed(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)

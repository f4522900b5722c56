"""Children that run the same code: each is started again when it dies, until the generation retires."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta

from linarite.clock import Clock
from linarite.errors import OperatorError, WorkerDied
from linarite.workers.child import ChildWorker
from linarite.workers.protocol import IndexedApp

log = logging.getLogger("Worker.Python")
started = logging.getLogger("Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcFunctionInvocationDispatcher")
"""Editors wait for what is said here before they attach a debugger."""

PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
"""How long to wait after the first death, the second, ...; the last one from then on."""

_MEMORY = timedelta(minutes=30)
"""A death longer after the one before begins a new count. Azure's rule."""

TakeChild = Callable[[], ChildWorker]


class Deaths:
    """Counts deaths that follow each other, over all children of a pool."""

    def __init__(self, clock: Clock, children: int) -> None:
        self._clock = clock
        self._tolerated = 3 * children
        self._count = 0
        self._last = clock.now()
        self.standing_error: str | None = None
        """Set once Azure would have given up."""

    def another(self, reason: str) -> float:
        """Note a death; how long to wait before the next start, in seconds."""
        now = self._clock.now()
        self._count = self._count + 1 if now - self._last <= _MEMORY else 1
        self._last = now
        pause_s = PAUSES_S[min(self._count, len(PAUSES_S)) - 1]
        log.error("%s%s", reason, f" It is started again in {pause_s:g} s." if pause_s else "")
        if self._count == self._tolerated:
            self.standing_error = (
                f"The worker process died {self._count} times, last: {reason} On Azure the host would be recycled now "
                "(Exceeded language worker restart retry count for runtime:python). Here the worker is started again each time, "
                "after a pause of up to 10 s."
            )
            log.error("%s", self.standing_error)
        return pause_s


class Retired(Exception):
    """The generation starts nothing any more; there is another in its place, or none."""


class Generation:
    """`count` children over one version of the app. `take` gives a child that has not loaded it yet, spawned or not."""

    def __init__(self, take: TakeChild, count: int, clock: Clock, deaths: Deaths) -> None:
        self._take = take
        self._clock = clock
        self._deaths = deaths
        self._next = 0
        self._change = asyncio.Event()
        self._trouble: str | None = None
        self._is_up = False
        self._is_retiring = False
        self._workers: set[ChildWorker] = set()
        self._places = [_Place() for _ in range(count)]
        self._first: asyncio.Future[IndexedApp] = asyncio.get_running_loop().create_future()
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> IndexedApp:
        """Start all children; what the first to load the app has found. Raises OperatorError."""
        self._keepers = [asyncio.create_task(self._keep(place), name="worker keeper") for place in self._places]
        return await asyncio.shield(self._first)

    @property
    def process_ids(self) -> list[int]:
        """The children that are up."""
        return [place.worker.process_id for place in self._places if place.worker is not None]

    async def worker(self) -> ChildWorker:
        """The next child in turn of those that are ready; waits for one. Raises WorkerDied if there will be none, or Retired."""
        while not self._is_retiring:
            for _ in self._places:
                self._next = (self._next + 1) % len(self._places)
                place = self._places[self._next]
                if place.worker is not None and place.worker.is_alive and not place.is_aborted:
                    return place.worker
            if self._trouble is not None:
                raise WorkerDied(f"The app cannot be started again: {self._trouble}")
            self._change.clear()
            await self._change.wait()
        raise Retired

    async def abort(self, invocation_id: str) -> bool:
        """End the child that runs an invocation, if one here does; it counts as no death. Returns when there is another."""
        for place in self._places:
            if (worker := place.worker) is not None and worker.runs(invocation_id):
                place.is_aborted = True
                await worker.abort(invocation_id)
                with contextlib.suppress(Retired):
                    await self.worker()
                return True
        return False

    async def retire(self, grace_s: float | None) -> None:
        """Start nothing any more, let the children finish what they have for up to `grace_s` seconds (None: to its end), end them."""
        self._is_retiring = True
        self._change.set()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(worker.stop(grace_s) for worker in self._workers))
        if not self._first.done():
            self._first.cancel()

    async def _keep(self, place: _Place) -> None:
        """Keep one place filled. A generation whose first child cannot load the app is none: nothing is tried again."""
        pause_s = 0.0
        while True:
            if pause_s:
                await self._clock.sleep(pause_s)
            worker = self._take()
            self._workers.add(worker)
            self._trouble = await self._load(worker)
            self._change.set()
            if self._trouble is None:
                place.worker = worker
                started.info("Worker process started and initialized.")
                await worker.ended.wait()
                place.worker = None
                reason = worker.exit_text
            else:
                await worker.stop(0)
                reason = self._trouble
                if not self._is_up:
                    return
            self._workers.discard(worker)
            pause_s = 0.0 if place.is_aborted else self._deaths.another(reason)
            place.is_aborted = False

    async def _load(self, worker: ChildWorker) -> str | None:
        """Load the app in a child; why that failed, if it did."""
        try:
            app = await worker.start()
        except Exception as error:
            if not self._first.done():
                self._first.set_exception(error)
                self._first.exception()  # nobody waits if the start was cancelled
            if not isinstance(error, OperatorError):
                raise
            return str(error)
        if not self._first.done():
            self._first.set_result(app)
        self._is_up = self._is_up or app.failure is None
        return None if app.failure is None else f"{app.failure.type_name}: {app.failure.message}"


class _Place:
    """One child at a time."""

    def __init__(self) -> None:
        self.worker: ChildWorker | None = None
        self.is_aborted = False

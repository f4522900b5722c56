"""Several child processes that look like one worker, and that are exchanged as a whole when the app's code has changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from linarite.clock import Clock, call_off
from linarite.errors import OperatorError, WorkerDied
from linarite.invocation import Invocation, InvocationResult
from linarite.workers.child import ChildWorker
from linarite.workers.generation import Deaths, Generation, Retired
from linarite.workers.protocol import IndexedApp

log = logging.getLogger(__name__)

MakeChild = Callable[[], ChildWorker]
Accepts = Callable[[IndexedApp], Awaitable[bool]]
"""Whether an app that was loaded is to be served."""

SPARE_AFTER_S = 1.0
"""A spare child is started so long after the app has: by then the first requests have had the processor."""

_DURABLE_TYPES = frozenset({"orchestrationtrigger", "activitytrigger", "entitytrigger", "durableclient"})
_DURABLE_SDK = "azure.durable_functions"


class WorkerPool:
    """`count` children in turn. With `has_spare` one more waits with the SDKs imported, so that a reload takes no start of Python.

    `make` gives a child that is not spawned; `reload` may bring another. Belongs to the host's loop.
    """

    def __init__(self, make: MakeChild, count: int, clock: Clock, *, has_spare: bool) -> None:
        self._make = make
        self._count = count
        self._clock = clock
        self._has_spare = has_spare
        self._deaths = Deaths(clock, count)
        self._current: Generation | None = None
        self._retiring: dict[Generation, asyncio.Task[None]] = {}
        self._spare: ChildWorker | None = None
        self._spare_task: asyncio.Task[None] | None = None
        self._modules: tuple[str, ...] = ()
        self._reloading = asyncio.Lock()

    @property
    def standing_error(self) -> str | None:
        """What is wrong for good with the children, if they die again and again."""
        return self._deaths.standing_error

    @property
    def process_ids(self) -> list[int]:
        """The children that run the app; the spare is none of them."""
        return [process_id for generation in self._generations() for process_id in generation.process_ids]

    async def start(self) -> IndexedApp:
        """See `WorkerChannel.start`. If the app cannot be loaded, `reload` tries again."""
        return await self.reload()

    async def reload(self, accepts: Accepts | None = None) -> IndexedApp:
        """Load the app's code anew, in children beside the present ones, and change over if `accepts` says so (None: always).

        If it cannot be loaded, or is not accepted, the present children go on; the result says why it could not be loaded. Those that are
        replaced finish what they have. Nobody else runs between the change and the return.
        """
        async with self._reloading:
            self._deaths = Deaths(self._clock, self._count)
            new = Generation(self._take, self._count, self._clock, self._deaths)
            try:
                app = await new.start()
                is_good = app.failure is None and (accepts is None or await accepts(app))
            except BaseException:
                await new.retire(0)
                raise
            if is_good:
                self._change_over(new, app)
            else:
                await new.retire(0)
            self._prepare_spare()
            return app

    def _change_over(self, new: Generation, app: IndexedApp) -> None:
        old, self._current = self._current, new
        types = {binding.type.lower() for function in app.functions for binding in function.bindings}
        self._modules = (_DURABLE_SDK,) if types & _DURABLE_TYPES else ()
        if old is not None:
            task = asyncio.create_task(old.retire(None), name="retiring worker generation")
            self._retiring[old] = task
            task.add_done_callback(lambda _: self._retiring.pop(old, None))

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """See `WorkerChannel.invoke`."""
        while (generation := self._current) is not None:
            try:
                worker = await generation.worker()
            except Retired:  # while this waited for a child that had died
                continue
            return await worker.invoke(invocation)
        raise WorkerDied("The app is not loaded.")

    async def abort(self, invocation_id: str) -> None:
        """See `WorkerChannel.abort`."""
        for generation in self._generations():
            if await generation.abort(invocation_id):
                return

    def _generations(self) -> list[Generation]:
        return [*self._retiring, *([self._current] if self._current else [])]

    async def stop(self, grace_s: float) -> None:
        """See `WorkerChannel.stop`."""
        await self._drop_spare()
        generations = self._generations()
        for task in list(self._retiring.values()):
            task.cancel()
        self._current = None
        await asyncio.gather(*(generation.retire(grace_s) for generation in generations))

    def _take(self) -> ChildWorker:
        """The spare, if it is fit, else a new child."""
        spare, self._spare = self._spare, None
        if spare is None or spare.ended.is_set():
            return self._make()
        self._prepare_spare()
        return spare

    def _prepare_spare(self) -> None:
        if self._has_spare and (self._spare_task is None or self._spare_task.done()):
            self._spare_task = asyncio.create_task(self._spawn_spare(), name="spare worker")

    async def _spawn_spare(self) -> None:
        await self._clock.sleep(SPARE_AFTER_S)
        if self._spare is None or self._spare.ended.is_set():
            self._spare = self._make()
            try:
                await self._spare.spawn(self._modules)
            except OperatorError as error:
                log.warning("There is no spare worker: %s", error)

    async def _drop_spare(self) -> None:
        if self._spare_task is not None:
            await call_off(self._spare_task)
        spare, self._spare = self._spare, None
        if spare is not None:
            await spare.stop(0)

"""Tasks that run beside their owner: none is lost, none outlives it, and what goes wrong in one is said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from linarite.errors import HubError

_log = logging.getLogger(__name__)


class Background:
    """The background tasks of one owner."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        """Run `work`; a failure is logged as "could not {what}"."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, what))
        return task

    def _ended(self, task: asyncio.Task[None], what: str) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            known = isinstance(problem, HubError)
            _log.log(logging.WARNING if known else logging.ERROR, "Could not %s: %s", what, problem, exc_info=None if known else problem)

    async def finish(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Wait for `work`, which goes on to its end even if the wait is cancelled; a failure is then logged as "could not {what}"."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(lambda ended: self._ended(ended, what))
            raise

    async def settle(self) -> None:
        """Wait until all that was spawned has ended."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Cancel what still runs, and wait for its end."""
        for task in set(self._tasks):
            task.cancel()
        await self.settle()

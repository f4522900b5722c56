"""`maxOutstandingRequests` and `maxConcurrentRequests`: how many requests functions have at a time.

Source: WebJobs HTTP extension, HttpThrottleMiddleware; functions-host section 3.9.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from linarite.settings import HttpSettings


class Throttle:
    """Counts requests. Used as `async with`, it waits for its turn; `is_full` says beforehand that there is none to wait for."""

    def __init__(self, settings: HttpSettings) -> None:
        self._most = settings.max_outstanding_requests
        self._turns = asyncio.Semaphore(settings.max_concurrent_requests) if settings.max_concurrent_requests > 0 else None
        self.outstanding = 0

    @property
    def is_full(self) -> bool:
        return 0 < self._most <= self.outstanding

    async def __aenter__(self) -> None:
        self.outstanding += 1
        if self._turns is not None:
            try:
                await self._turns.acquire()
            except BaseException:
                self.outstanding -= 1
                raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.outstanding -= 1
        if self._turns is not None:
            self._turns.release()

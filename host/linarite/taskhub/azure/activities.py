"""Activity requests this host may work on at a time: slots that are free, promised, waiting to be taken, or taken.

No IO. A sender in this process claims a slot before it sends, so that the request can be put invisible and handed over without a poll.
"""

from __future__ import annotations

import asyncio
from collections import deque

from linarite.taskhub.azure.held import Held


class ActivitySlots:
    """At most `limit` requests at a time. Closed until `open`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._is_open = False
        self._used = 0
        self._ready: deque[Held] = deque()
        self._arrived = asyncio.Event()

    def open(self) -> None:
        """Begin to give out slots."""
        self._is_open = True

    def close(self) -> list[Held]:
        """Give out no more slots; returns the requests nobody has taken yet."""
        self._is_open = False
        left = list(self._ready)
        self._ready.clear()
        self._used -= len(left)
        return left

    @property
    def free(self) -> int:
        """Slots that can be claimed."""
        return self._limit - self._used if self._is_open else 0

    def claim(self) -> bool:
        """Reserve a slot for a request that is about to be sent."""
        if self.free <= 0:
            return False
        self._used += 1
        return True

    def give_back(self) -> None:
        """The request was done with, or never sent."""
        self._used -= 1

    def fill(self, held: Held) -> None:
        """Put a request into a claimed slot."""
        self._ready.append(held)
        self._arrived.set()

    def take_in(self, held: Held) -> None:
        """Put a request that was got from the queue into a slot of its own, were it one too many."""
        self._used += 1
        self.fill(held)

    async def take(self) -> Held:
        """The next request. Cancelling the wait loses nothing."""
        while not self._ready:
            self._arrived.clear()
            await self._arrived.wait()
        return self._ready.popleft()

"""Things that are ready, and those who wait for one."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Line(Generic[T]):
    """First come, first served. Gives nothing out while it is closed, as it is at first."""

    def __init__(self) -> None:
        self._things: deque[T] = deque()
        self._takers: deque[asyncio.Future[None]] = deque()
        self._is_open = False

    def __len__(self) -> int:
        return len(self._things)

    def open(self) -> None:
        """Begin to give out."""
        self._is_open = True
        for _ in self._things:
            self._wake_one()

    def close(self) -> None:
        """Keep what there is; who waits goes on waiting."""
        self._is_open = False

    def put(self, thing: T) -> None:
        """At the end."""
        self._things.append(thing)
        self._wake_one()

    def put_back(self, thing: T) -> None:
        """At the front."""
        self._things.appendleft(thing)
        self._wake_one()

    async def take(self) -> T:
        """The first, as soon as there is one. Cancelling the wait loses nothing."""
        while not (self._things and self._is_open):
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if not taker.cancelled():
                    self._wake_one()  # woken and cancelled at once: someone else may have it
                elif taker in self._takers:
                    self._takers.remove(taker)
                raise
        return self._things.popleft()

    def _wake_one(self) -> None:
        while self._is_open and self._things and self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

"""Who wants to know at once that this process wrote something: local work never waits for a poll.

Whoever writes calls `notify`; who polls the place waits on the event that `subscribe` gave out. Polling stays for other processes' writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Wakes:
    """Events by the URL of a queue or a container. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Event]] = {}

    @contextmanager
    def subscribe(self, place: str, event: asyncio.Event) -> Iterator[None]:
        """Have `event` set whenever this process writes to that place."""
        self._waiting.setdefault(place, []).append(event)
        try:
            yield
        finally:
            self._waiting[place].remove(event)

    def notify(self, place: str) -> None:
        """Something was written there."""
        for event in self._waiting.get(place, ()):
            event.set()

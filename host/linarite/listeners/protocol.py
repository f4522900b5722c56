"""The port between the host and whatever watches a source."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Watches one source for one function."""

    async def start(self) -> None:
        """Begin to watch; returns once it does. Raises LinariteError if it cannot, with what to do."""
        ...

    async def stop(self) -> None:
        """Stop watching; returns when what it started has drained."""
        ...

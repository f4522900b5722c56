"""Messages into queues, as the Storage extension puts them: kept for a week, the queue created on demand."""

from __future__ import annotations

from linarite.errors import StorageRefused
from linarite.storage.account import Storage

KEPT_S = 7 * 86400
"""How long a message stays if nobody takes it."""


async def put_creating(storage: Storage, queue: str, text: str) -> None:
    """Put a message; the queue is created if it is not there."""
    try:
        await storage.queues.put(queue, text, keep_s=KEPT_S)
    except StorageRefused as refused:
        if refused.code != "QueueNotFound":
            raise
        await storage.queues.create(queue)
        await storage.queues.put(queue, text, keep_s=KEPT_S)

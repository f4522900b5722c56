"""Messages into queues, as the Storage extension puts them: kept for a week, the queue created on demand."""

from __future__ import annotations

import re

from linarite.bindings.queue_messages import Encoding, contents, encoded
from linarite.bindings.wakes import Wakes
from linarite.errors import AppError, StorageRefused
from linarite.invocation import Datum
from linarite.storage.account import Storage

KEPT_S = 7 * 86400
"""How long a message stays if nobody takes it."""

_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9](?:-?[a-z0-9])*")


class BadQueueName(AppError):
    """A text cannot name a queue."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{name}' is not a valid queue name. Expected 3 to 63 lower-case letters, digits and single hyphens, "
            "with a letter or a digit at both ends."
        )


def queue_name(text: str) -> str:
    """The queue a binding's `queueName` names: upper-case letters are taken for lower-case ones. Raises BadQueueName."""
    name = text.lower()
    if not _NAME.fullmatch(name):
        raise BadQueueName(text)
    return name


async def write_output(storage: Storage, queue: str, output: Datum, encoding: Encoding, wakes: Wakes) -> None:
    """Put the messages of a function's output, in order. Raises BadMessage before the first is put if one cannot be."""
    texts = [encoded(content, encoding, queue) for content in contents(output)]
    for text in texts:
        await put_creating(storage, queue, text)
        wakes.notify(storage.queues.url(queue))


async def put_creating(storage: Storage, queue: str, text: str) -> None:
    """Put a message; the queue is created if it is not there."""
    try:
        await storage.queues.put(queue, text, keep_s=KEPT_S)
    except StorageRefused as refused:
        if refused.code != "QueueNotFound":
            raise
        await storage.queues.create(queue)
        await storage.queues.put(queue, text, keep_s=KEPT_S)

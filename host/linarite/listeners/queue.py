"""The queue trigger: a message in a queue becomes an invocation.

The message is deleted when the function has succeeded. Otherwise it is shown again, or moved to `<queue>-poison` after the last attempt.
Source: Storage queues extension 5.x, QueueTriggerBinding and QueueTriggerExecutor; recorded invocations.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone

from linarite.bindings.connections import Connections
from linarite.bindings.queue_messages import Encoding, NotDecodable, as_text, decoded
from linarite.bindings.queue_writes import queue_name
from linarite.bindings.trigger_metadata import queue_metadata
from linarite.bindings.wakes import Wakes
from linarite.clock import Clock
from linarite.errors import LinariteError, UserCodeFailed
from linarite.invocation import Datum, string
from linarite.invoker import Invoker
from linarite.listeners.queue_pump import Outcome, PoisonQueue, QueuePump, poison_queue_name
from linarite.metadata import Function
from linarite.settings import QueueSettings
from linarite.storage.outages import Outages
from linarite.storage.queues import QueueMessage

logger = logging.getLogger("Host.Triggers.Queue")


class QueueListener:
    """Watches the queue of one function. Raises BadQueueName, NoConnection or InvalidConnectionString when it is made."""

    def __init__(
        self,
        function: Function,
        connections: Connections,
        settings: QueueSettings,
        invoker: Invoker,
        clock: Clock,
        wakes: Wakes,
        outages: Outages,
    ) -> None:
        self._function = function
        self._invoker = invoker
        self._encoding: Encoding = settings.encoding
        self.queue = queue_name(function.trigger.text("queueName"))
        storage = connections.storage(function.trigger.text("connection"))
        poison_name = poison_queue_name(self.queue)
        poison = PoisonQueue(storage, poison_name) if poison_name else None
        self._pump = QueuePump(storage, self.queue, self._handle, settings, lambda message: poison, clock, wakes, outages)

    async def start(self) -> None:
        """See `Listener.start`. A queue that is not there yet, or a service that does not answer, is waited for."""
        await self._pump.start()

    async def stop(self) -> None:
        """See `Listener.stop`."""
        await self._pump.stop()

    async def _handle(self, message: QueueMessage) -> Outcome:
        try:
            content = decoded(message.text, self._encoding)
            value = self._value(content)
        except NotDecodable as problem:
            identity = message.receipt.message_id
            logger.warning(
                "Message decoding has failed! Check MessageEncoding settings. MessageId=%s of queue '%s': %s.",
                identity,
                self.queue,
                problem,
            )
            return Outcome.HOPELESS
        try:
            await self._invoker.invoke(
                self._function,
                {self._function.trigger.name: value},
                queue_metadata(message, content),
                reason=f"New queue message detected on '{self.queue}'.",
                details=message_details(message),
            )
        except (UserCodeFailed, LinariteError):
            return Outcome.FAILED  # the invoker has said why
        return Outcome.DONE

    def _value(self, content: bytes) -> Datum:
        if self._function.trigger.text("dataType").lower() == "binary":
            return Datum("bytes", content)
        return string(as_text(content))


def message_details(message: QueueMessage) -> dict[str, str]:
    """What the log says about a message."""
    return {
        "MessageId": message.receipt.message_id,
        "DequeueCount": str(message.dequeue_count),
        "InsertedOn": detail_text(message.inserted_at),
    }


def detail_text(instant: datetime) -> str:
    """An instant in the log's details, e.g. `2026-11-23T05:57:51.000+00:00`."""
    return instant.astimezone(timezone.utc).isoformat(timespec="milliseconds")

"""What becomes of a delivery of Azure Event Grid: functions with its trigger are called, blob triggers are told of blobs.

Source: azure-sdk-for-net, EventGridExtensionConfigProvider and BlobsExtensionConfigProvider (5.x).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from linarite.bindings.blob_paths import BadBlobPath, blob_path
from linarite.bindings.manual import event_trigger
from linarite.clock import Clock
from linarite.errors import LinariteError, UserCodeFailed
from linarite.listeners.blob import BlobListener
from linarite.listeners.blob_trigger import BlobMessage
from linarite.listeners.protocol import Invoker
from linarite.metadata import Function
from linarite.timestamps import timestamp
from linarite.web.event_grid import BadEvents, Event
from linarite.web.reply import Reply, empty, text

log = logging.getLogger("Host.Triggers.EventGrid")


class EventReceiver:
    """Calls functions with an Event Grid trigger, each event by itself, and waits for them. `functions`: those that may be called now."""

    def __init__(self, functions: Callable[[], Sequence[Function]], invoker: Invoker, clock: Clock) -> None:
        self._functions = functions
        self._invoker = invoker
        self._clock = clock

    def refusal(self, function_name: str) -> Reply | None:
        """See `Receiver`. Names are compared exactly."""
        known = self._known()
        if function_name in known:
            return None
        log.warning("An event was sent to function '%s'. Functions with an Event Grid trigger: %s.", function_name, ", ".join(known))
        return text(404, f"cannot find function: '{function_name}'")

    async def receive(self, function_name: str, events: Sequence[Event]) -> Reply:
        """See `Receiver`. 500 if one call fails: Event Grid then sends all of them again."""
        function = self._known()[function_name]
        succeeded = await asyncio.gather(*(self._call(function, event) for event in events))
        return empty(202) if all(succeeded) else text(500, f"Exception while executing function: Functions.{function_name}")

    def _known(self) -> Mapping[str, Function]:
        return {function.name: function for function in self._functions() if function.trigger_type == "eventgridtrigger"}

    async def _call(self, function: Function, event: Event) -> bool:
        value, metadata = event_trigger(event)
        reason = f"EventGrid trigger fired at {timestamp(self._clock.now())}"
        try:
            await self._invoker.invoke(function, {function.trigger.name: value}, metadata, reason=reason)
        except (UserCodeFailed, LinariteError):
            return False  # the invoker has said why
        return True


class BlobEventReceiver:
    """Queues blobs that Event Grid tells of for their function, named by its id. `listener`: the one that runs now."""

    def __init__(self, listener: Callable[[], BlobListener | None]) -> None:
        self._listener = listener

    def refusal(self, function_name: str) -> Reply | None:
        """See `Receiver`. Names are not looked at before there is a blob."""
        return None

    async def receive(self, function_name: str, events: Sequence[Event]) -> Reply:
        """See `Receiver`. An unknown function is told at the terminal only, as 202 is what Azure answers."""
        listener = self._listener()
        if listener is None:
            return text(500, "The app's blob triggers are not running; the log says why.")
        messages = [_message(event, function_name) for event in events]
        if function_name not in listener.function_ids:
            known = ", ".join(listener.function_ids)
            log.warning("A blob event names function '%s' and starts none. Expected functionName to be one of: %s.", function_name, known)
        try:
            for message in messages:
                await listener.enqueue(message)
        except LinariteError as problem:
            log.error("A blob event for '%s' cannot be kept: %s", function_name, problem)
            return text(500, str(problem))
        return empty(202)


def _message(event: Event, function_id: str) -> BlobMessage:
    data = event.get("data")
    url, etag, kind = (data.get(name) for name in ("url", "eTag", "blobType")) if isinstance(data, Mapping) else (None, None, None)
    if not (isinstance(url, str) and isinstance(etag, str) and isinstance(kind, str)):
        raise BadEvents("Expected the data of a blob's event to have the texts url, eTag and blobType.")
    try:
        path = blob_path(url)
    except BadBlobPath as problem:
        raise BadEvents(str(problem)) from None
    return BlobMessage(function_id=function_id, blob_type=kind, container_name=path.container, blob_name=path.name, etag=f'"{etag}"')

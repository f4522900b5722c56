"""Queue outputs of functions."""

from __future__ import annotations

from collections.abc import Mapping

from linarite.bindings.newtonsoft import NotJson, parse
from linarite.bindings.protocol import Call
from linarite.bindings.queue_messages import Encoding
from linarite.bindings.queue_writes import queue_name, write_output
from linarite.bindings.resolver import Resolver, for_binding
from linarite.bindings.wakes import Wakes
from linarite.invocation import Datum
from linarite.metadata import Binding


class QueueOutput:
    """Puts what a function gave out into a queue: see `queue_messages` for what becomes a message."""

    def __init__(self, resolver: Resolver, encoding: Encoding, wakes: Wakes) -> None:
        self._resolver = resolver
        self._encoding = encoding
        self._wakes = wakes

    async def write(self, binding: Binding, value: Datum, call: Call) -> None:
        """See `OutputBinding`."""
        await for_binding(binding, self._write(binding, value, call))

    async def _write(self, binding: Binding, value: Datum, call: Call) -> None:
        queue = queue_name(self._resolver.text(binding, "queueName", call))
        if _holds_wrappers(value):
            self._resolver.warn(
                binding,
                call,
                f"A QueueMessage given to output '{binding.name}' goes into queue '{queue}' as JSON with its id and body, on Azure too. "
                "Give the body itself (str or bytes).",
            )
        await write_output(self._resolver.storage(binding), queue, value, self._encoding, self._wakes)


def _holds_wrappers(value: Datum) -> bool:
    """Whether an output is made of the SDK's QueueMessages, which it turns into `{"id", "body"}`."""
    if value.kind != "json":
        return False
    try:
        given = parse(value.value)
    except NotJson:
        return False
    return any(isinstance(item, Mapping) and set(item) == {"id", "body"} for item in (given if isinstance(given, list) else [given]))

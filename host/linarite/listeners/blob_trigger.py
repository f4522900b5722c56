"""A function with a blob trigger: which blobs it is for, and what it is given of one.

Source: Storage blobs extension 5.x, BlobTriggerBinding and BlobTriggerMessage; recorded invocations and poison messages.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from linarite.bindings.blob_access import blob_url
from linarite.bindings.blob_content import is_deferred, reference, value_of
from linarite.bindings.blob_paths import BlobPath, BlobPattern, blob_path, blob_pattern
from linarite.bindings.connections import DEFAULT, Connections
from linarite.bindings.manual import CannotFire
from linarite.bindings.newtonsoft import indented
from linarite.bindings.trigger_metadata import Metadata, blob_metadata, overlaid
from linarite.bindings.trigger_types import is_by_event
from linarite.errors import StorageRefused
from linarite.invocation import Datum, string
from linarite.metadata import Function
from linarite.storage.account import Storage
from linarite.storage.blob_properties import BlobProperties


@dataclass(frozen=True, slots=True)
class BlobTrigger:
    """One function and the container it watches, in the account of its connection."""

    function: Function
    storage: Storage
    pattern: BlobPattern

    @property
    def function_id(self) -> str:
        """What receipts and messages call the function."""
        return f"Host.Functions.{self.function.name}"

    @property
    def is_by_event(self) -> bool:
        """Whether Event Grid tells of blobs, so that none are looked for."""
        return is_by_event(self.function)

    def is_for(self, path: BlobPath) -> bool:
        """Whether the trigger's path is a pattern of that path."""
        return self.pattern.captures(path.container, path.name) is not None

    async def given(self, path: BlobPath, properties: BlobProperties) -> tuple[dict[str, Datum], Metadata]:
        """What an invocation for a blob is given: the trigger's value by its name, and its metadata."""
        trigger = self.function.trigger
        if is_deferred(trigger):
            value = reference(path, trigger.text("connection") or DEFAULT)
        else:
            value = value_of(await self.storage.blobs.get(path.container, path.name), trigger)
        captures = self.pattern.captures(path.container, path.name) or {}
        return {trigger.name: value}, blob_metadata(path, blob_url(self.storage, path), properties, captures)


def blob_trigger(function: Function, connections: Connections) -> BlobTrigger:
    """The trigger of a function. Raises BadBlobPath, NoConnection or InvalidConnectionString."""
    storage = connections.storage(function.trigger.text("connection"))
    return BlobTrigger(function, storage, blob_pattern(function.trigger.text("path")))


async def blob_by_hand(trigger: BlobTrigger, given: str | None) -> tuple[dict[str, Datum], Metadata]:
    """What a function fired by hand is given: `given` is the path of a blob that is there. Raises CannotFire or BadBlobPath."""
    name = trigger.function.name
    if given is None:
        raise CannotFire(f'Function \'{name}\' was fired by hand without an input. Send {{"input": "container/blob"}}.')
    path = blob_path(given)
    try:
        properties = await trigger.storage.blobs.properties(path.container, path.name)
        inputs, metadata = await trigger.given(path, properties)
    except StorageRefused as refused:
        if not refused.is_missing:
            raise
        raise CannotFire(f"Function '{name}' was fired by hand for blob {path}, which does not exist. Upload it first.") from None
    return inputs, overlaid({trigger.function.trigger.name: string(given)}, metadata)


class BlobMessage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A version of a blob that a function is to be started for, as it lies in the internal queue, and in the poison queue at last."""

    type: str = "BlobTrigger"
    function_id: str
    blob_type: str | int
    container_name: str
    blob_name: str
    etag: str = msgspec.field(name="ETag")

    def text(self) -> str:
        """JSON, indented."""
        return indented(msgspec.to_builtins(self))


def blob_message(text: bytes) -> BlobMessage:
    """The message in a text. Raises msgspec.DecodeError (a ValidationError included) if there is none."""
    return msgspec.json.decode(text, type=BlobMessage)

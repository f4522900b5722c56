"""The blobs that hold what is too long for a queue message or a table column.

The container is made when the first of them is written. Message blobs live until their instance is purged; those of history rows go with
their generation.
Source: DurableTask.AzureStorage, MessageManager.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from linarite.errors import StorageRefused
from linarite.storage.blobs import Blobs
from linarite.storage.tables import Row
from linarite.taskhub.azure import envelopes
from linarite.taskhub.azure.envelopes import Envelope, UndecodableMessage
from linarite.taskhub.azure.names import START_BLOB_SUFFIX, escape_blob, escape_key
from linarite.taskhub.azure.spill import compress, decompress, pointers, restored


class Payloads:
    """One hub's container of long texts."""

    def __init__(self, blobs: Blobs, container: str) -> None:
        self._blobs = blobs
        self._container = container

    async def put(self, name: str, text: str) -> None:
        """Write a text."""
        content = await asyncio.to_thread(compress, text)
        try:
            await self._blobs.put(self._container, name, content)
        except StorageRefused as refused:
            if refused.code != "ContainerNotFound":
                raise
            await self._blobs.create_container(self._container)
            await self._blobs.put(self._container, name, content)

    async def put_all(self, texts: Mapping[str, str]) -> None:
        """Write texts by name."""
        await asyncio.gather(*(self.put(name, text) for name, text in texts.items()))

    async def get(self, name: str) -> str:
        """Read a text."""
        return await asyncio.to_thread(decompress, await self._blobs.get(self._container, name))

    async def envelope(self, text: str) -> Envelope:
        """The envelope of a queue message, from its blob if that is where it is. Raises UndecodableMessage."""
        found = envelopes.decode(text)
        if isinstance(found, str):
            found = envelopes.decode(await self.get(found))
        if isinstance(found, str):
            raise UndecodableMessage(f"the blob it names only names another, {found}")
        return found

    async def restore(self, row: Row) -> Row:
        """The row with the texts it points to."""
        blobs = pointers(row)
        if not blobs:
            return row
        texts = await asyncio.gather(*(self.get(name) for name in blobs.values()))
        return restored(row, dict(zip(blobs, texts, strict=True)))

    def url(self, name: str) -> str:
        """Absolute URL of a blob, as the instance row holds it in place of a long text."""
        return self._blobs.url(self._container, escape_blob(name))

    async def behind(self, text: str | None) -> str | None:
        """The text itself, or what it stands for if it is the URL of one of this hub's blobs."""
        name = self._name_in(text)
        if text is None or name is None:
            return text
        content = await self.get(name)
        if not text.endswith(START_BLOB_SUFFIX):
            return content
        started = envelopes.decode(content)
        return getattr(started.message.event, "input", None) if isinstance(started, Envelope) else text

    def _name_in(self, text: str | None) -> str | None:
        """The blob a URL names, if it is one of ours. An emulator is known by many addresses, so only its path counts."""
        if text is None or not text.startswith(("http://", "https://")):
            return None
        own, asked = urlsplit(self._blobs.url(self._container) + "/"), urlsplit(text)
        is_ours = asked.path.startswith(own.path) and (self._blobs.is_emulator or asked.netloc == own.netloc)
        return unquote(asked.path.removeprefix(own.path)) if is_ours else None

    async def delete(self, names: Iterable[str]) -> None:
        """Delete blobs; those that are not there are no error."""
        await asyncio.gather(*(self._blobs.delete(self._container, name) for name in names))

    async def delete_of(self, instance_id: str) -> None:
        """Delete all blobs of an instance: message blobs are named after its id, the others after its key."""
        for prefix in {f"{instance_id}/", f"{escape_key(instance_id)}/"}:
            await self.delete([name async for name in self._blobs.names(self._container, prefix)])

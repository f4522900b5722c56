"""Blobs read and written for functions."""

from __future__ import annotations

from urllib.parse import quote

from linarite.bindings.blob_paths import BlobPath
from linarite.bindings.wakes import Wakes
from linarite.errors import StorageRefused
from linarite.storage.account import Storage

WRITER = "AzureWebJobsParentId"
"""Metadata of a blob that a function wrote: the id of the invocation."""


def blob_url(storage: Storage, path: BlobPath) -> str:
    """A blob's URL, escaped."""
    return storage.blobs.url(path.container, quote(path.name, safe="/~!$&'()*+,;=:@"))


async def read(storage: Storage, path: BlobPath) -> bytes | None:
    """A blob's content, or None if there is no such blob or container."""
    try:
        return await storage.blobs.get(path.container, path.name)
    except StorageRefused as refused:
        if refused.is_missing:
            return None
        raise


async def write(storage: Storage, path: BlobPath, content: bytes, invocation_id: str, wakes: Wakes) -> None:
    """Write a whole blob; its container is created if it is not there, metadata of an older version stays."""
    metadata = {**await _metadata(storage, path), WRITER: invocation_id}
    try:
        await storage.blobs.put(path.container, path.name, content, metadata=metadata)
    except StorageRefused as refused:
        if refused.code != "ContainerNotFound":
            raise
        await storage.blobs.create_container(path.container)
        await storage.blobs.put(path.container, path.name, content, metadata=metadata)
    wakes.notify(storage.blobs.url(path.container))


async def _metadata(storage: Storage, path: BlobPath) -> dict[str, str]:
    try:
        properties = await storage.blobs.properties(path.container, path.name)
    except StorageRefused as refused:
        if refused.is_missing:
            return {}
        raise
    return {name: value for name, value in (properties.metadata or {}).items() if name.lower() != WRITER.lower()}

"""Which versions of blobs a function has been started for: an empty blob each, so that no restart starts it again.

A receipt is made when a version is found, and is complete when the message that starts the function is in the queue.
Source: Storage blobs extension 5.x, BlobReceiptManager and BlobReceipt; recorded storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from linarite.bindings.blob_paths import BlobPath
from linarite.errors import StorageRefused
from linarite.storage.account import Storage

CONTAINER = "azure-webjobs-hosts"
_LEASE_S = 30
_INCOMPLETE = "Incomplete"
_PAGE = 5000


class Taken(Enum):
    """Why a version of a blob is not ours to start a function for."""

    DONE = "done"
    BUSY = "busy"
    """Another host is at it; worth another look later."""


class Receipts:
    """The receipts of one function, in the host's own account."""

    def __init__(self, storage: Storage, host_id: str, function_id: str) -> None:
        self._blobs = storage.blobs
        self._prefix = f"blobreceipts/{host_id}/{function_id}/"

    async def completed(self) -> set[str]:
        """The names of all that are complete."""
        found: set[str] = set()
        after: str | None = None
        while True:
            try:
                page = await self._blobs.page(CONTAINER, after, _PAGE, prefix=self._prefix)
            except StorageRefused as refused:
                if refused.is_missing:
                    return found
                raise
            found.update(name for name, properties in page.blobs.items() if not _is_incomplete(properties.metadata))
            if (after := page.continuation) is None:
                return found

    def name(self, path: BlobPath, etag: str) -> str:
        """The name of a version's receipt."""
        return f"{self._prefix}{etag}/{path}"

    async def take(self, name: str) -> str | Taken:
        """Make the receipt ours; returns the id of its lease."""
        is_new = await self._create(name)
        try:
            lease_id = await self._blobs.lease_blob(CONTAINER, name, _LEASE_S)
        except StorageRefused as refused:
            if refused.is_conflict or refused.is_missing:
                return Taken.BUSY
            raise
        if not is_new and await self._is_completed(name):
            await self._release(name, lease_id)
            return Taken.DONE
        return lease_id

    async def complete(self, name: str, lease_id: str) -> None:
        """Mark the receipt complete and let it go."""
        try:
            await self._blobs.set_metadata(CONTAINER, name, {}, lease_id)
        except StorageRefused as refused:
            if not (refused.is_conflict or refused.is_missing):  # the lease ran out, or somebody deleted the receipt
                raise
        await self._release(name, lease_id)

    async def _create(self, name: str) -> bool:
        """Whether the receipt was not there before."""
        try:
            await self._put(name)
        except StorageRefused as refused:
            if refused.is_conflict:
                return False
            if refused.code != "ContainerNotFound":
                raise
            await self._blobs.create_container(CONTAINER)
            return await self._create(name)
        return True

    async def _put(self, name: str) -> None:
        await self._blobs.put(CONTAINER, name, b"", overwrite=False, metadata={_INCOMPLETE: _INCOMPLETE})

    async def _is_completed(self, name: str) -> bool:
        try:
            return not _is_incomplete((await self._blobs.properties(CONTAINER, name)).metadata)
        except StorageRefused as refused:
            if refused.is_missing:
                return False
            raise

    async def _release(self, name: str, lease_id: str) -> None:
        try:
            await self._blobs.release_blob(CONTAINER, name, lease_id)
        except StorageRefused as refused:
            if not (refused.is_conflict or refused.is_missing):
                raise


def _is_incomplete(metadata: Mapping[str, str] | None) -> bool:
    return any(name.lower() == _INCOMPLETE.lower() for name in metadata or {})

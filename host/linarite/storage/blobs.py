"""Azure Storage blobs and leases, through the SDK's `aio` client.

The SDK is imported when the first blob is asked for. Its exceptions end here; a time-out of its own never does: this file asks it to try
again only as often as `wire.py` does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from linarite.errors import StorageRefused
from linarite.storage.blob_properties import BlobPage, BlobProperties, blob_properties
from linarite.storage.connection import Account
from linarite.storage.sdk import RETRIES, be_quiet, credential, translated
from linarite.storage.wire import VERSION

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient

T = TypeVar("T")


class Blobs:
    """The containers and blobs of one account. Belongs to one event loop; `close` ends it."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._opened: BlobServiceClient | None = None

    @property
    def is_emulator(self) -> bool:
        """Whether the account is an emulator's."""
        return self._account.is_emulator

    def url(self, container: str, escaped_name: str = "") -> str:
        """Absolute URL of a container, or of a blob whose name is already escaped."""
        return f"{self._account.blob_url}/{container}" + (f"/{escaped_name}" if escaped_name else "")

    async def create_container(self, container: str) -> None:
        """Create the container unless it is there."""
        try:
            await self._ask(lambda: self._client.create_container(container), f"create container {container}")
        except StorageRefused as refused:
            if refused.code != "ContainerAlreadyExists":
                raise

    async def drop_container(self, container: str) -> None:
        """Delete the container and all that is in it."""
        await self._ask(lambda: self._client.delete_container(container), f"delete container {container}")

    async def put(
        self, container: str, name: str, content: bytes, *, overwrite: bool = True, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Write a whole blob; with `overwrite` off an existing one is a conflict."""
        blob, facts = self._client.get_blob_client(container, name), dict(metadata or {})
        await self._ask(lambda: blob.upload_blob(content, overwrite=overwrite, metadata=facts), f"write blob {container}/{name}")

    async def get(self, container: str, name: str) -> bytes:
        """A whole blob."""
        blob = self._client.get_blob_client(container, name)

        async def read() -> bytes:
            return bytes(await (await blob.download_blob()).readall())

        return await self._ask(read, f"read blob {container}/{name}")

    async def properties(self, container: str, name: str) -> BlobProperties:
        """What there is to know of a blob besides its content."""
        blob = self._client.get_blob_client(container, name)
        return blob_properties(await self._ask(blob.get_blob_properties, f"read the properties of blob {container}/{name}"))

    async def set_metadata(self, container: str, name: str, metadata: Mapping[str, str], lease_id: str | None = None) -> None:
        """Replace a blob's metadata; under a lease only its holder may."""
        blob = self._client.get_blob_client(container, name)
        await self._ask(lambda: blob.set_blob_metadata(dict(metadata), lease=lease_id), f"set metadata of blob {container}/{name}")

    async def page(self, container: str, after: str | None, size: int, *, prefix: str = "") -> BlobPage:
        """Up to `size` (at most 5,000) of a container's blobs in the order of their names; `after` is a page's continuation."""
        client = self._client.get_container_client(container)
        pages = client.list_blobs(prefix, include=["metadata"], results_per_page=size).by_page(after)

        async def read() -> BlobPage:
            blobs = {blob.name: blob_properties(blob) async for blob in await anext(pages)}
            return BlobPage(blobs, getattr(pages, "continuation_token", None) or None)

        return await self._ask(read, f"list blobs in {container}")

    async def lease_blob(self, container: str, name: str, duration_s: int) -> str:
        """Take a blob's lease; returns its id. A conflict if others hold it."""
        blob = self._client.get_blob_client(container, name)
        lease = await self._ask(lambda: blob.acquire_lease(duration_s), f"lease blob {container}/{name}")
        return str(lease.id)

    async def release_blob(self, container: str, name: str, lease_id: str) -> None:
        """Give a blob's lease back; a conflict if it is no longer ours."""
        from azure.storage.blob.aio import BlobLeaseClient

        lease = BlobLeaseClient(self._client.get_blob_client(container, name), lease_id)
        await self._ask(lease.release, f"release the lease of blob {container}/{name}")

    async def delete(self, container: str, name: str) -> None:
        """Delete a blob with its snapshots; one that is not there is no error."""
        blob = self._client.get_blob_client(container, name)
        try:
            await self._ask(lambda: blob.delete_blob(delete_snapshots="include"), f"delete blob {container}/{name}")
        except StorageRefused as refused:
            if not refused.is_missing:
                raise

    async def names(self, container: str, prefix: str) -> AsyncIterator[str]:
        """Names of the blobs that begin with `prefix`; none if there is no such container."""
        pages = self._client.get_container_client(container).list_blob_names(name_starts_with=prefix).by_page()
        while True:
            try:
                page = await self._ask(lambda: anext(pages, None), f"list blobs in {container}")
            except StorageRefused as refused:
                if refused.is_missing:
                    return
                raise
            if page is None:
                return
            async for name in page:
                yield name

    async def acquire_lease(self, container: str, lease_id: str, duration_s: int) -> None:
        """Take the container's lease under a known id (again, if it is already held under that id). A conflict if others hold it."""
        client = self._client.get_container_client(container)
        await self._ask(lambda: client.acquire_lease(duration_s, lease_id), f"lease container {container}")

    async def renew_lease(self, container: str, lease_id: str) -> None:
        """Extend the container's lease; a conflict if it is no longer ours."""
        lease = await self._lease(container, lease_id)
        await self._ask(lease.renew, f"renew the lease of container {container}")

    async def change_lease(self, container: str, held_id: str, wanted_id: str) -> None:
        """Take the container's lease over from its holder."""
        lease = await self._lease(container, held_id)
        await self._ask(lambda: lease.change(wanted_id), f"change the lease of container {container}")

    async def close(self) -> None:
        """Close all connections."""
        client, self._opened = self._opened, None
        if client is not None:
            await client.close()

    async def _lease(self, container: str, lease_id: str) -> Any:
        from azure.storage.blob.aio import BlobLeaseClient

        return BlobLeaseClient(self._client.get_container_client(container), lease_id)

    @property
    def _client(self) -> BlobServiceClient:
        if self._opened is None:
            from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry

            be_quiet()
            self._opened = BlobServiceClient(
                self._account.blob_url,
                credential=credential(self._account),
                api_version=VERSION,
                retry_policy=ExponentialRetry(initial_backoff=0, increment_base=1, retry_total=RETRIES, random_jitter_range=0),
                max_single_put_size=256 * 1024 * 1024,
            )
        return self._opened

    async def _ask(self, call: Callable[[], Awaitable[T]], what: str) -> T:
        async with self._translated(what):
            return await call()

    def _translated(self, what: str) -> AbstractAsyncContextManager[None]:
        return translated(self._account, "blob", what)

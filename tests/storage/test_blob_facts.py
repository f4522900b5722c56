"""What triggers and bindings ask of the blob service, and of queues besides what durable work needs."""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta

import pytest

from linarite.errors import StorageRefused
from linarite.storage.account import Storage

pytestmark = pytest.mark.azurite


@pytest.fixture
async def container(storage: Storage) -> str:
    name = f"facts-{uuid.uuid4().hex}"
    await storage.blobs.create_container(name)
    return name


async def test_properties_tell_versions_apart(storage: Storage, container: str) -> None:
    await storage.blobs.put(container, "a/b.txt", b"one", metadata={"Writer": "me"})
    first = await storage.blobs.properties(container, "a/b.txt")
    assert (first.size_bytes, first.blob_type, first.metadata) == (3, "BlockBlob", {"Writer": "me"})
    assert first.content_md5 == hashlib.md5(b"one").digest()
    assert '"' not in first.etag
    assert first.modified_at.tzinfo is not None
    await storage.blobs.set_metadata(container, "a/b.txt", {})
    second = await storage.blobs.properties(container, "a/b.txt")
    assert second.metadata == {}
    assert second.etag != first.etag


async def test_a_missing_blob_has_none(storage: Storage, container: str) -> None:
    with pytest.raises(StorageRefused) as refused:
        await storage.blobs.properties(container, "nothing")
    assert refused.value.is_missing


async def test_a_container_is_listed_page_by_page(storage: Storage, container: str) -> None:
    for name in ("a", "b", "c"):
        await storage.blobs.put(container, name, name.encode())
    first = await storage.blobs.page(container, None, 2)
    second = await storage.blobs.page(container, first.continuation, 2)
    assert (list(first.blobs), list(second.blobs), second.continuation) == (["a", "b"], ["c"], None)
    assert first.blobs["a"].etag == (await storage.blobs.properties(container, "a")).etag


async def test_listing_what_is_empty_or_missing(storage: Storage, container: str) -> None:
    assert (await storage.blobs.page(container, None, 2)).blobs == {}
    with pytest.raises(StorageRefused) as refused:
        await storage.blobs.page("nothing-here", None, 2)
    assert refused.value.is_missing


async def test_a_leased_blob_is_its_holders(storage: Storage, container: str) -> None:
    await storage.blobs.put(container, "receipt", b"", overwrite=False)
    with pytest.raises(StorageRefused) as exists:
        await storage.blobs.put(container, "receipt", b"", overwrite=False)
    lease = await storage.blobs.lease_blob(container, "receipt", 30)
    for attempt in (storage.blobs.lease_blob(container, "receipt", 30), storage.blobs.set_metadata(container, "receipt", {"a": "b"})):
        with pytest.raises(StorageRefused) as refused:
            await attempt
        assert refused.value.is_conflict
    assert exists.value.is_conflict
    await storage.blobs.set_metadata(container, "receipt", {"a": "b"}, lease)
    await storage.blobs.release_blob(container, "receipt", lease)
    await storage.blobs.set_metadata(container, "receipt", {})


async def test_a_message_says_when_it_expires(storage: Storage) -> None:
    queue = f"facts-{uuid.uuid4().hex}"
    await storage.queues.create(queue)
    await storage.queues.put(queue, "a week", keep_s=7 * 86400)
    [message] = await storage.queues.get(queue, 1, 1)
    assert message.expires_at - message.inserted_at == timedelta(days=7)

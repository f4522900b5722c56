"""The blob trigger against the real emulator."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from linarite.bindings.blob_paths import BadBlobPath, BlobPath
from linarite.bindings.manual import CannotFire
from linarite.errors import StorageRefused
from linarite.invocation import Datum, InvocationResult, json_text, string
from linarite.listeners.blob import POISON_QUEUE, BlobListener, blob_queue_settings
from linarite.listeners.blob_receipts import CONTAINER, Receipts, Taken
from linarite.listeners.blob_trigger import BlobMessage, blob_by_hand, blob_message, blob_trigger
from linarite.metadata import Function
from linarite.settings import BlobSettings, NoConnection
from tests.bindings.functions import binding, function
from tests.listeners.app import App, failing
from tests.waiting import until

pytestmark = pytest.mark.azurite

MIB = 1024 * 1024


def fresh() -> str:
    return f"c{uuid.uuid4().hex[:20]}"


def on_blob(path: str, *others: Any, name: str = "f", **properties: Any) -> Function:
    return function(name, binding("blobTrigger", "b", path=path, **properties), *others)


class Site:
    """An app with one container, and a host id of its own."""

    def __init__(self, app: App, container: str) -> None:
        self.app = app
        self.container = container
        self.host_id = fresh()

    async def upload(self, name: str, content: bytes, **metadata: str) -> None:
        await self.app.storage.blobs.put(self.container, name, content, metadata=metadata)
        self.app.wakes.notify(self.app.storage.blobs.url(self.container))

    @asynccontextmanager
    async def running(self, *functions: Function) -> AsyncIterator[None]:
        app = self.app
        triggers = [blob_trigger(each, app.connections) for each in functions]
        listener = BlobListener(triggers, app.storage, self.host_id, BlobSettings(), app.invoker, app.clock, app.wakes, app.outages)
        await listener.start()
        try:
            yield
        finally:
            await listener.stop()

    async def receipts(self) -> list[str]:
        """Names of the receipts, without what comes before the function's."""
        prefix = f"blobreceipts/{self.host_id}/"
        return [name.removeprefix(prefix) async for name in self.app.storage.blobs.names(CONTAINER, prefix)]

    async def waiting(self) -> int:
        """How many messages lie in the internal queue."""
        try:
            return len(await self.app.storage.queues.get(f"azure-webjobs-blobtrigger-{self.host_id}", 32, 1))
        except StorageRefused:
            return 0


@pytest.fixture
async def site(connection: str) -> AsyncIterator[Site]:
    app = App(connection)
    made = Site(app, fresh())
    await app.storage.blobs.create_container(made.container)
    yield made
    await app.connections.close()


async def test_what_a_function_is_given(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await site.upload("pre one.txt", b"preexisting", origin="here")
    async with site.running(on_blob(site.container + "/{name}.{ext}")):
        [invocation] = await site.app.channel.called(1)
    path = f"{site.container}/pre one.txt"
    metadata = invocation.trigger_metadata
    assert invocation.inputs == {"b": Datum("bytes", b"preexisting")}
    assert metadata["BlobTrigger"] == string(path)
    assert metadata["Uri"] == json_text(f'"{site.app.storage.account.blob_url}/{site.container}/pre%20one.txt"')
    assert (metadata["name"], metadata["ext"]) == (string("pre one"), string("txt"))
    assert json.loads(metadata["Metadata"].value) == {"origin": "here"}
    assert json.loads(metadata["Properties"].value)["ContentLength"] == 11
    said = [message for message in caplog.messages if message.startswith(("Executing", "Trigger Details"))]
    assert said[0] == f"Executing 'Functions.f' (Reason='New blob detected(LogsAndContainerScan): {path}', Id={invocation.id})"
    assert [part.split(":")[0] for part in said[1].removeprefix("Trigger Details: ").split(", ")] == [
        *("MessageId", "DequeueCount", "InsertedOn", "BlobCreated", "BlobLastModified")
    ]


async def test_each_version_starts_each_function_once(site: Site) -> None:
    functions = on_blob(site.container, name="all"), on_blob(site.container + "/{name}.txt", name="texts")
    await site.upload("a.txt", b"1")
    async with site.running(*functions):
        await site.app.channel.called(2)
        await site.upload("a.txt", b"2")
        await site.upload("b.bin", b"3")
        await site.app.channel.called(5)
    seen = sorted((invocation.function_name, invocation.inputs["b"].value) for invocation in site.app.channel.seen)
    assert seen == [("all", b"1"), ("all", b"2"), ("all", b"3"), ("texts", b"1"), ("texts", b"2")]


async def test_after_a_restart_only_what_is_new_starts(site: Site) -> None:
    watched = on_blob(site.container)
    await site.upload("old", b"1")
    async with site.running(watched):
        await site.app.channel.called(1)
    async with site.running(watched):
        await site.upload("new", b"2")
        await site.app.channel.called(2)
    assert [invocation.inputs["b"].value for invocation in site.app.channel.seen] == [b"1", b"2"]


async def test_receipts_name_function_version_and_blob(site: Site) -> None:
    await site.upload("dir/a.txt", b"1")
    async with site.running(on_blob(site.container)):
        await site.app.channel.called(1)
    etag = (await site.app.storage.blobs.properties(site.container, "dir/a.txt")).etag
    name = f"Host.Functions.f/{etag}/{site.container}/dir/a.txt"
    assert await site.receipts() == [name]
    receipt = await site.app.storage.blobs.properties(CONTAINER, f"blobreceipts/{site.host_id}/{name}")
    assert (receipt.size_bytes, receipt.metadata, receipt.lease_state) == (0, {}, "available")
    assert await site.waiting() == 0


async def test_an_incomplete_receipt_of_a_killed_host_is_taken_up(site: Site) -> None:
    await site.upload("a", b"1")
    etag = (await site.app.storage.blobs.properties(site.container, "a")).etag
    receipts = Receipts(site.app.storage, site.host_id, "Host.Functions.f")
    lease_id = await receipts.take(receipts.name(BlobPath(site.container, "a"), etag))
    assert isinstance(lease_id, str)
    assert await receipts.take(receipts.name(BlobPath(site.container, "a"), etag)) is Taken.BUSY
    await site.app.storage.blobs.release_blob(CONTAINER, receipts.name(BlobPath(site.container, "a"), etag), lease_id)
    async with site.running(on_blob(site.container)):
        await site.app.channel.called(1)
    assert await receipts.take(receipts.name(BlobPath(site.container, "a"), etag)) is Taken.DONE


async def test_five_failures_and_the_blob_is_poison(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.app.channel.bodies["f"] = failing
    await site.upload("z", b"zz")
    async with site.running(on_blob(site.container)):
        await until(lambda: f"Moving message to queue '{POISON_QUEUE}'" in caplog.text)
        await site.app.channel.called(5)
    etag = (await site.app.storage.blobs.properties(site.container, "z")).etag
    poison = [base64.b64decode(message.text).decode() for message in await site.app.storage.queues.get(POISON_QUEUE, 32, 1)]
    [mine] = [text for text in poison if site.container in text]
    assert mine == (
        '{\n  "Type": "BlobTrigger",\n  "FunctionId": "Host.Functions.f",\n  "BlobType": "BlockBlob",\n'
        f'  "ContainerName": "{site.container}",\n  "BlobName": "z",\n  "ETag": "{etag}"\n}}'
    )
    assert len(site.app.channel.seen) == 5
    assert len(await site.receipts()) == 1


async def test_a_blob_that_is_gone_or_has_changed_is_dropped(site: Site) -> None:
    held = asyncio.Event()
    site.app.channel.hold = held
    message = BlobMessage(
        function_id="Host.Functions.f", blob_type="BlockBlob", container_name=site.container, blob_name="gone", etag="0x1"
    )
    stale = BlobMessage(function_id="Host.Functions.f", blob_type="BlockBlob", container_name=site.container, blob_name="a", etag="0x1")
    stranger = BlobMessage(function_id="Host.Functions.other", blob_type=0, container_name=site.container, blob_name="a", etag="0x1")
    queue = f"azure-webjobs-blobtrigger-{site.host_id}"
    await site.app.storage.queues.create(queue)
    for text in (message.text(), stale.text(), stranger.text(), "no JSON"):
        await site.app.storage.queues.put(queue, base64.b64encode(text.encode()).decode())
    await site.upload("a", b"now")
    async with site.running(on_blob(site.container)):
        [invocation] = await site.app.channel.called(1)
        held.set()
    assert invocation.inputs["b"].value == b"now"
    assert len(site.app.channel.seen) == 1
    assert await site.waiting() == 0


async def test_a_blob_a_function_writes_starts_the_next(site: Site) -> None:
    copied = fresh()
    copy = on_blob(site.container + "/{name}.{ext}", binding("blob", "o", "out", path=copied + "/{name}-copy.{ext}"), name="copy")
    site.app.channel.bodies["copy"] = lambda invocation: InvocationResult(outputs={"o": invocation.inputs["b"]})
    await site.upload("new.bin", b"\x00\x01")
    async with site.running(copy, on_blob(copied + "/{name}", name="next")):
        await site.app.channel.called(2)
    assert site.app.channel.seen[1].trigger_metadata["BlobTrigger"] == string(f"{copied}/new-copy.bin")
    assert site.app.channel.seen[1].inputs["b"].value == b"\x00\x01"


@pytest.mark.parametrize(("data_type", "value"), [("STRING", string("hé")), ("BINARY", Datum("bytes", b"h\xc3\xa9")), (None, None)])
async def test_content_in_the_form_that_is_asked_for(site: Site, data_type: str | None, value: Datum | None) -> None:
    await site.upload("a", "hé".encode())
    async with site.running(on_blob(site.container, dataType=data_type)):
        [invocation] = await site.app.channel.called(1)
    assert invocation.inputs["b"] == (value or Datum("bytes", b"h\xc3\xa9"))


async def test_a_client_is_made_in_the_worker(site: Site) -> None:
    await site.upload("a", b"1")
    async with site.running(on_blob(site.container, properties={"SupportsDeferredBinding": True})):
        [invocation] = await site.app.channel.called(1)
    content = json.loads(invocation.inputs["b"].value["content"])
    assert content == {"Connection": "AzureWebJobsStorage", "ContainerName": site.container, "BlobName": "a"}


async def test_a_large_blob(site: Site) -> None:
    content = bytes(range(256)) * (27 * MIB // 256)
    await site.upload("large", content)
    async with site.running(on_blob(site.container)):
        [invocation] = await site.app.channel.called(1)
    assert len(invocation.inputs["b"].value) == 27 * MIB
    assert invocation.inputs["b"].value == content


async def test_fired_by_hand(site: Site) -> None:
    await site.upload("pre.txt", b"preexisting")
    trigger = blob_trigger(on_blob(site.container + "/{name}.{ext}"), site.app.connections)
    inputs, metadata = await blob_by_hand(trigger, f"{site.container}/pre.txt")
    assert inputs == {"b": Datum("bytes", b"preexisting")}
    assert metadata["b"] == metadata["BlobTrigger"] == string(f"{site.container}/pre.txt")
    assert (metadata["name"], metadata["ext"]) == (string("pre"), string("txt"))
    with pytest.raises(CannotFire, match="does not exist"):
        await blob_by_hand(trigger, f"{site.container}/nosuch.txt")
    with pytest.raises(BadBlobPath, match="'nonsense'"):
        await blob_by_hand(trigger, "nonsense")
    with pytest.raises(CannotFire, match="without an input"):
        await blob_by_hand(trigger, None)


async def test_what_cannot_be_watched(site: Site) -> None:
    with pytest.raises(NoConnection, match="'AzureWebJobsMissing' does not exist"):
        blob_trigger(on_blob("c/{name}", connection="Missing"), site.app.connections)
    with pytest.raises(BadBlobPath, match="must be a name"):
        blob_trigger(on_blob("{container}/x"), site.app.connections)


def test_how_many_blobs_at_a_time() -> None:
    for most in (1, 2, 8, 16, 64, 100):
        settings = blob_queue_settings(BlobSettings(max_parallel=most, poison_threshold=3))
        assert settings.new_batch_threshold is not None
        assert 1 <= settings.batch_size <= 32
        assert settings.batch_size + settings.new_batch_threshold == max(most, settings.batch_size)
        assert settings.max_dequeue_count == 3


def test_a_message_reads_back() -> None:
    message = BlobMessage(function_id="f", blob_type="BlockBlob", container_name="c", blob_name='a "b"', etag="0x1")
    assert blob_message(message.text().encode()) == message

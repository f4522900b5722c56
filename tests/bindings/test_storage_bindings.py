"""Queue, blob and table bindings against the real emulator."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linarite.bindings.connections import Connections
from linarite.bindings.protocol import BindingTypes, Call
from linarite.bindings.resolver import BindingFailed
from linarite.bindings.storage_bindings import storage_bindings
from linarite.bindings.wakes import Wakes
from linarite.clock import SystemClock
from linarite.invocation import NONE, Datum, json_text, string
from linarite.metadata import Binding
from linarite.settings import AppSettings, QueueSettings
from linarite.storage.account import Storage
from tests.bindings.functions import binding, function

pytestmark = pytest.mark.azurite

MIB = 1024 * 1024


def fresh(prefix: str = "b") -> str:
    return f"{prefix}{uuid.uuid4().hex[:20]}"


@pytest.fixture
async def connections(connection: str) -> AsyncIterator[Connections]:
    settings = {"AzureWebJobsStorage": connection, "AzureWebJobsOther": connection, "Managed__serviceUri": "https://x"}
    opened = Connections(AppSettings(settings))
    yield opened
    await opened.close()


@pytest.fixture
def storage(connections: Connections) -> Storage:
    return connections.storage()


@pytest.fixture
def types(connections: Connections) -> BindingTypes:
    return storage_bindings(connections, QueueSettings(), SystemClock(), Wakes())


def call(*bindings: Binding, **metadata: Datum) -> Call:
    return Call("invocation-1", function("f", binding("queueTrigger", "msg"), *bindings), {"msg": string("x")}, metadata)


async def texts(storage: Storage, queue: str) -> list[str]:
    return [base64.b64decode(message.text).decode() for message in await storage.queues.get(queue, 32, 30)]


async def test_a_queue_is_created_for_its_first_message(types: BindingTypes, storage: Storage) -> None:
    queue = fresh()
    out = binding("queue", "o", "out", queueName=queue.upper())
    await types.outputs["queue"].write(out, json_text('["a", {"b": 2}]'), call(out))
    [first, second] = await storage.queues.get(queue, 32, 30)
    assert [base64.b64decode(message.text).decode() for message in (first, second)] == ["a", '{\n  "b": 2\n}']
    assert (first.expires_at - first.inserted_at).days == 7


async def test_a_queues_name_can_come_from_the_trigger(types: BindingTypes, storage: Storage) -> None:
    queue = fresh()
    out = binding("queue", "o", "out", queueName="{order.queue}", connection="Other")
    await types.outputs["queue"].write(out, string("hello"), call(out, order=json_text(json.dumps({"Queue": queue}))))
    assert await texts(storage, queue) == ["hello"]


@pytest.mark.parametrize(
    ("properties", "value", "said"),
    [
        ({"queueName": "q"}, "x", "'q' is not a valid queue name"),
        ({"queueName": "{nothing}"}, "x", "No value for named parameter 'nothing'"),
        ({"queueName": "some-queue", "connection": "Missing"}, "x", "'AzureWebJobsMissing' does not exist"),
        ({"queueName": "some-queue", "connection": "Managed"}, "x", "set by identity (Managed__serviceUri), which needs Azure"),
        ({"queueName": "some-queue"}, "x" * 49153, "49153 bytes, 65540 as Base64 is too long for queue 'some-queue'"),
    ],
)
async def test_what_cannot_be_put_is_said(types: BindingTypes, properties: dict[str, Any], value: str, said: str) -> None:
    out = binding("queue", "o", "out", **properties)
    with pytest.raises(BindingFailed) as failed:
        await types.outputs["queue"].write(out, string(value), call(out))
    assert "Exception binding parameter 'o' of type queue: " in str(failed.value)
    assert said in str(failed.value)


async def test_the_longest_message_goes_through(types: BindingTypes, storage: Storage) -> None:
    out = binding("queue", "o", "out", queueName=(queue := fresh()))
    await types.outputs["queue"].write(out, string("x" * 49152), call(out))
    assert [len(text) for text in await texts(storage, queue)] == [49152]


async def test_a_queue_messages_wrapper_is_said_once(types: BindingTypes, caplog: pytest.LogCaptureFixture) -> None:
    out = binding("queue", "o", "out", queueName=fresh())
    for _ in range(2):
        await types.outputs["queue"].write(out, json_text('{"id": "x", "body": "hello"}'), call(out))
    [record] = caplog.records
    assert record.name == "Function.f"
    assert "Give the body itself" in record.getMessage()


async def test_a_blob_written_says_who_wrote_it(types: BindingTypes, storage: Storage) -> None:
    container = fresh()
    out = binding("blob", "o", "out", path=container + "/{name}-copy.{ext}")
    await types.outputs["blob"].write(out, string("héllo"), call(out, name=string("a b"), ext=string("txt")))
    assert await storage.blobs.get(container, "a b-copy.txt") == "héllo".encode()
    properties = await storage.blobs.properties(container, "a b-copy.txt")
    assert properties.metadata == {"AzureWebJobsParentId": "invocation-1"}
    assert properties.content_type == "application/octet-stream"


async def test_other_metadata_of_a_blob_stays(types: BindingTypes, storage: Storage) -> None:
    container = fresh()
    await storage.blobs.create_container(container)
    await storage.blobs.put(container, "x", b"old", metadata={"kept": "yes", "azurewebjobsparentid": "before"})
    out = binding("blob", "o", "out", path=f"{container}/x")
    await types.outputs["blob"].write(out, Datum("bytes", b"new"), call(out))
    metadata = (await storage.blobs.properties(container, "x")).metadata or {}
    assert {name.lower(): value for name, value in metadata.items()} == {"kept": "yes", "azurewebjobsparentid": "invocation-1"}


@pytest.mark.parametrize(("data_type", "kind"), [("BINARY", "bytes"), ("STREAM", "bytes"), ("STRING", "string"), (None, "string")])
async def test_a_blob_is_read_as_its_data_type(types: BindingTypes, storage: Storage, data_type: str | None, kind: str) -> None:
    container = fresh()
    await storage.blobs.create_container(container)
    await storage.blobs.put(container, "x", b"\xef\xbb\xbfh\xc3\xa9")
    given = binding("blob", "i", path=f"{container}/x", dataType=data_type)
    value = await types.inputs["blob"].read(given, call(given))
    assert value == (Datum("bytes", b"\xef\xbb\xbfh\xc3\xa9") if kind == "bytes" else string("hé"))


async def test_bytes_lost_in_text_are_said_once(types: BindingTypes, storage: Storage, caplog: pytest.LogCaptureFixture) -> None:
    container = fresh()
    await storage.blobs.create_container(container)
    await storage.blobs.put(container, "x", b"\x89PNG\xff")
    given = binding("blob", "i", path=f"{container}/x")
    for _ in range(2):
        assert await types.inputs["blob"].read(given, call(given)) == string("\ufffdPNG\ufffd")
    [message] = caplog.messages
    assert 'data_type="BINARY"' in message


@pytest.mark.parametrize("is_container_there", [True, False])
async def test_a_missing_blob_is_none(types: BindingTypes, storage: Storage, is_container_there: bool) -> None:
    container = fresh()
    if is_container_there:
        await storage.blobs.create_container(container)
    given = binding("blob", "i", path=f"{container}/nothing")
    assert await types.inputs["blob"].read(given, call(given)) == NONE


async def test_a_client_is_made_in_the_worker(types: BindingTypes) -> None:
    given = binding("blob", "i", path="docs/{name}", connection="Other", properties={"SupportsDeferredBinding": True})
    value = await types.inputs["blob"].read(given, call(given, name=string("a")))
    assert value.kind == "model_binding_data"
    assert (value.value["source"], value.value["version"]) == ("AzureStorageBlobs", "1.0")
    assert json.loads(value.value["content"]) == {"Connection": "Other", "ContainerName": "docs", "BlobName": "a"}


async def test_a_path_without_a_blob_is_an_error(types: BindingTypes) -> None:
    out = binding("blob", "o", "out", path="container")
    with pytest.raises(BindingFailed, match="must be in the format 'container/blob'"):
        await types.outputs["blob"].write(out, string("x"), call(out))


@pytest.mark.slow
async def test_large_blobs_out_and_in(types: BindingTypes) -> None:
    content = bytes(range(256)) * (27 * MIB // 256)
    container = fresh()
    out = binding("blob", "o", "out", path=f"{container}/large")
    await types.outputs["blob"].write(out, Datum("bytes", content), call(out))
    given = binding("blob", "i", path=f"{container}/large", dataType="BINARY")
    value = await types.inputs["blob"].read(given, call(given))
    assert len(value.value) == 27 * MIB
    assert value.value == content


async def test_each_rand_guid_is_another(types: BindingTypes, storage: Storage) -> None:
    container = fresh()
    out = binding("blob", "o", "out", path=container + "/{rand-guid}")
    for _ in range(2):
        await types.outputs["blob"].write(out, string("x"), call(out))
    names = [name async for name in storage.blobs.names(container, "")]
    assert len({uuid.UUID(name) for name in names}) == 2


async def test_rows_are_inserted_and_read_back(types: BindingTypes) -> None:
    table = fresh("T")
    out = binding("table", "o", "out", tableName=table, partitionKey="{kind}")
    rows = [{"RowKey": f"{number:03}", "Number": number, "Name": "o'brien", "Real": 1.5} for number in range(150)]
    metadata = {"kind": string("o'rders")}
    await types.outputs["table"].write(out, json_text(json.dumps(rows)), call(out, **metadata))
    one = binding("table", "i", tableName=table, partitionKey="{kind}", rowKey="007")
    value = await types.inputs["table"].read(one, call(one, **metadata))
    assert json.loads(value.value) == {"PartitionKey": "o'rders", "RowKey": "007", "Number": 7, "Name": "o'brien", "Real": 1.5}
    some = binding("table", "i", tableName=table, partitionKey="{kind}", filter="Name eq '{who}' and Number ge 100", take=20)
    value = await types.inputs["table"].read(some, call(some, who=string("o'brien"), **metadata))
    assert [row["Number"] for row in json.loads(value.value)] == list(range(100, 120))
    everything = binding("table", "i", tableName=table)
    assert len(json.loads((await types.inputs["table"].read(everything, call(everything))).value)) == 150


async def test_rows_that_are_not_there(types: BindingTypes) -> None:
    one = binding("table", "i", tableName=(table := fresh("T")), partitionKey="p", rowKey="r")
    assert await types.inputs["table"].read(one, call(one)) == NONE
    many = binding("table", "i", tableName=table)
    assert await types.inputs["table"].read(many, call(many)) == json_text("[]")


async def test_an_instant_comes_back_with_an_offset(types: BindingTypes) -> None:
    out = binding("table", "o", "out", tableName=(table := fresh("T")), partitionKey="p", rowKey="r")
    await types.outputs["table"].write(out, string('{"When": "2020-01-02T03:04:05Z"}'), call(out))
    one = binding("table", "i", tableName=table, partitionKey="p", rowKey="r")
    assert json.loads((await types.inputs["table"].read(one, call(one))).value)["When"] == "2020-01-02T03:04:05+00:00"


@pytest.mark.parametrize("rows", [[{"RowKey": "1"}], [{"RowKey": "0"}, {"RowKey": "1"}]])
async def test_a_row_that_is_there_already_fails_the_call(types: BindingTypes, rows: list[dict[str, str]]) -> None:
    out = binding("table", "o", "out", tableName=fresh("T"), partitionKey="p")
    await types.outputs["table"].write(out, json_text('{"RowKey": "1"}'), call(out))
    with pytest.raises(BindingFailed, match=r"with these keys already: .*\(p, 1\)"):
        await types.outputs["table"].write(out, json_text(json.dumps(rows)), call(out))


async def test_take_is_a_number(types: BindingTypes) -> None:
    given = binding("table", "i", tableName="Table", take="many")
    with pytest.raises(BindingFailed, match="take is 'many'"):
        await types.inputs["table"].read(given, call(given))


async def test_one_account_is_opened_once(connections: Connections) -> None:
    assert connections.storage("Other") is connections.storage()


async def test_writes_of_this_process_are_told(connections: Connections, storage: Storage) -> None:
    wakes, woken = Wakes(), asyncio.Event()
    types = storage_bindings(connections, QueueSettings(), SystemClock(), wakes)
    queue, container = fresh(), fresh()
    for place, out in (
        (storage.queues.url(queue), binding("queue", "o", "out", queueName=queue)),
        (storage.blobs.url(container), binding("blob", "o", "out", path=f"{container}/x")),
    ):
        with wakes.subscribe(place, woken):
            woken.clear()
            await types.outputs[out.type].write(out, string("x"), call(out))
            assert woken.is_set()

"""The door against the real emulator: what durable work asks of queues, tables and blobs."""

from __future__ import annotations

import base64
import uuid

import pytest

from linarite.azurite import Ports
from linarite.errors import StorageRefused, StorageUnavailable
from linarite.storage.account import Storage
from linarite.storage.connection import Account, account
from linarite.storage.tables import Change, Instant, Long, Row, literal

pytestmark = pytest.mark.azurite

TEXT = '{"a": "<&>\'\\" \r\né 日本 😀"}'


def fresh(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


async def test_a_message_keeps_its_text(storage: Storage) -> None:
    queue = fresh("text-")
    await storage.queues.create(queue)
    await storage.queues.create(queue)
    await storage.queues.put(queue, TEXT)
    [message] = await storage.queues.get(queue, 32, 30)
    assert (message.text, message.dequeue_count) == (TEXT, 1)
    await storage.queues.delete(queue, message.receipt)


async def test_a_message_put_invisible_is_its_senders_alone(storage: Storage) -> None:
    queue = fresh("invisible-")
    await storage.queues.create(queue)
    receipt = await storage.queues.put(queue, "mine", 30)
    assert await storage.queues.get(queue, 1, 1) == []
    renewed = await storage.queues.update(queue, receipt, 60)
    assert renewed.visible_at > receipt.visible_at
    await storage.queues.delete(queue, renewed)
    with pytest.raises(StorageRefused) as raised:
        await storage.queues.delete(queue, renewed)
    assert raised.value.is_missing


async def test_an_old_receipt_no_longer_deletes(storage: Storage) -> None:
    queue = fresh("stale-")
    await storage.queues.create(queue)
    stale = await storage.queues.put(queue, "shared", 30)
    await storage.queues.update(queue, stale, 0)
    [message] = await storage.queues.get(queue, 1, 30)
    with pytest.raises(StorageRefused) as raised:
        await storage.queues.delete(queue, stale)
    assert raised.value.code == "PopReceiptMismatch"
    await storage.queues.delete(queue, message.receipt)


ROW = Row(
    "o'brien ^0é%|:+ 日本",
    "",
    {"Small": 5, "Large": Long(2**40), "When": Instant("2026-11-23T05:39:39.5817770Z"), "Yes": True, "Text": "ü", "Real": 1.5},
)


async def test_a_row_keeps_its_keys_values_and_types(storage: Storage) -> None:
    table = fresh("T")
    await storage.tables.create(table)
    await storage.tables.create(table)
    await storage.tables.change(table, Change("insert", ROW))
    [read] = [row async for row in storage.tables.rows(table, f"PartitionKey eq {literal(ROW.partition_key)}")]
    assert (read.partition_key, read.row_key, read.columns) == (ROW.partition_key, ROW.row_key, ROW.columns)
    assert {name: type(value) for name, value in read.columns.items()} == {name: type(value) for name, value in ROW.columns.items()}


async def test_a_stale_etag_changes_nothing(storage: Storage) -> None:
    table = fresh("T")
    await storage.tables.create(table)
    first = await storage.tables.change(table, Change("insert", ROW))
    second = await storage.tables.change(table, Change("merge", Row(ROW.partition_key, "", {"Small": 6}), first))
    with pytest.raises(StorageRefused) as raised:
        await storage.tables.change(table, Change("replace", ROW, first))
    assert raised.value.is_conflict
    [row] = (await storage.tables.page(table, top=1)).rows
    assert (row.columns["Small"], row.columns["Text"], row.etag) == (6, "ü", second)


async def test_a_transaction_is_all_or_nothing(storage: Storage) -> None:
    table = fresh("T")
    await storage.tables.create(table)
    rows = [Change("replace", Row("p", f"{number:03}", {"Number": number})) for number in range(99)]
    etags = await storage.tables.transaction(table, [*rows, Change("insert", Row("p", "sentinel", {}))])
    assert len(etags) == 100
    changed = [Change("replace", Row("p", "000", {"Number": -1})), Change("merge", Row("p", "sentinel", {}), etags[0])]
    with pytest.raises(StorageRefused) as raised:
        await storage.tables.transaction(table, changed)
    assert raised.value.status == 412
    [first] = (await storage.tables.page(table, "RowKey eq '000'")).rows
    assert first.columns["Number"] == 0


async def test_pages_follow_each_other_to_the_end(storage: Storage) -> None:
    table = fresh("T")
    await storage.tables.create(table)
    await storage.tables.transaction(table, [Change("replace", Row("p", f"{number:03}", {})) for number in range(5)])
    first = await storage.tables.page(table, top=2, select=["RowKey"])
    second = await storage.tables.page(table, top=2, after=first.continuation)
    third = await storage.tables.page(table, top=2, after=second.continuation)
    assert [row.row_key for page in (first, second, third) for row in page.rows] == ["000", "001", "002", "003", "004"]
    assert third.continuation is None


async def test_blobs_are_written_listed_and_deleted(storage: Storage) -> None:
    container = fresh("blobs-")
    await storage.blobs.create_container(container)
    await storage.blobs.create_container(container)
    await storage.blobs.put(container, "a b/é.json.gz", b"\x1f\x8b content")
    with pytest.raises(StorageRefused) as raised:
        await storage.blobs.put(container, "a b/é.json.gz", b"other", overwrite=False)
    assert raised.value.is_conflict
    assert await storage.blobs.get(container, "a b/é.json.gz") == b"\x1f\x8b content"
    assert [name async for name in storage.blobs.names(container, "a b/")] == ["a b/é.json.gz"]
    await storage.blobs.delete(container, "a b/é.json.gz")
    await storage.blobs.delete(container, "a b/é.json.gz")
    assert [name async for name in storage.blobs.names(container, "")] == []


async def test_a_container_that_is_not_there_holds_no_blobs(storage: Storage) -> None:
    missing = fresh("missing-")
    assert [name async for name in storage.blobs.names(missing, "")] == []
    with pytest.raises(StorageRefused) as raised:
        await storage.blobs.get(missing, "x")
    assert raised.value.code == "ContainerNotFound"


async def test_a_lease_is_shared_by_its_id_and_closed_to_others(storage: Storage) -> None:
    container = fresh("lease-")
    mine, theirs = str(uuid.uuid4()), str(uuid.uuid4())
    await storage.blobs.create_container(container)
    await storage.blobs.acquire_lease(container, mine, 15)
    await storage.blobs.acquire_lease(container, mine, 15)
    with pytest.raises(StorageRefused) as raised:
        await storage.blobs.acquire_lease(container, theirs, 15)
    assert raised.value.is_conflict
    await storage.blobs.change_lease(container, mine, theirs)
    with pytest.raises(StorageRefused):
        await storage.blobs.renew_lease(container, mine)
    await storage.blobs.renew_lease(container, theirs)


async def test_a_wrong_key_is_said_and_not_shown(azurite: Ports) -> None:
    right = account(azurite.connection_string())
    wrong = base64.b64encode(b"wrong").decode()
    door = Storage(Account(right.name, right.blob_url, right.queue_url, right.table_url, wrong))
    for ask in (door.queues.create("queue"), door.tables.create("Table"), door.blobs.create_container("container")):
        with pytest.raises(StorageUnavailable, match=r"devstoreaccount1.*Correct the connection string") as raised:
            await ask
        assert wrong not in str(raised.value)
    await door.close()

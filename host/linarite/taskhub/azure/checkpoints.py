"""History and instance rows: read for a work item, written by a commit.

A commit writes all new rows of the history in transactions that each end with the sentinel under its known ETag, so that of two hosts one
wins and the other changes nothing; then the instance row, without a condition.
Source: DurableTask.AzureStorage, AzureTableTrackingStore.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from linarite.clock import Clock
from linarite.durable.decision import Decision
from linarite.durable.delivery import same_id
from linarite.durable.events import HistoryEvent
from linarite.durable.instances import Instance, InstanceUpdate, instance_update, row_repair
from linarite.errors import StorageRefused, WorkItemLockLost
from linarite.storage.tables import Change, Row, Tables, Value
from linarite.taskhub.azure import history_rows, instance_rows
from linarite.taskhub.azure.names import SENTINEL, HubNames, escape_key
from linarite.taskhub.azure.payloads import Payloads
from linarite.taskhub.azure.sessions import Checkpoint
from linarite.taskhub.azure.spill import BLOB_NAME, is_too_long, spilt
from linarite.timestamps import timestamp

_URL_COLUMNS = ("Input", "Output")
"""Columns of the instance row that hold a blob's URL when their text is too long; any other gets a pointer column beside it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a commit left: the new checkpoint, and whether the instance is over."""

    checkpoint: Checkpoint
    is_over: bool


class Checkpoints:
    """The tracking tables of one hub."""

    def __init__(self, tables: Tables, names: HubNames, payloads: Payloads, clock: Clock) -> None:
        self._tables = tables
        self._names = names
        self._payloads = payloads
        self._clock = clock

    async def load(self, instance_id: str, execution_id: str | None) -> Checkpoint:
        """The instance's checkpoint, with the history if the generation asked for (None: any) is the current one."""
        condition = instance_rows.of_instance(instance_id)
        if execution_id is not None:
            quoted = execution_id.replace("'", "''")
            condition += f" and (RowKey eq '{SENTINEL}' or ExecutionId eq '{quoted}')"
        rows = [row async for row in self._tables.rows(self._names.history_table, condition)]
        found = history_rows.generation(rows, execution_id)
        if found.execution_id is not None and execution_id is not None and not same_id(execution_id, found.execution_id):
            return Checkpoint(found.execution_id, found.etag, None)
        restored = await asyncio.gather(*(self._payloads.restore(row) for row in found.rows))
        return Checkpoint(found.execution_id, found.etag, tuple(history_rows.event(row) for row in restored), found.blobs)

    async def generation_rows(self, instance_id: str) -> Sequence[Row]:
        """The rows of the current generation as they are, in order."""
        rows = [row async for row in self._tables.rows(self._names.history_table, instance_rows.of_instance(instance_id))]
        return history_rows.generation(rows, None).rows

    async def write(self, instance_id: str, base: Checkpoint, read: Sequence[HistoryEvent], decision: Decision) -> Written:
        """Commit a decision that has new events, made on the history that was `read`.

        Raises WorkItemLockLost if the history is no longer what `base` says.
        """
        kept = () if decision.replaces_history else tuple(read)
        etag, blobs = await self._write_history(instance_id, base.etag, len(kept), decision)
        now = timestamp(self._clock.now())
        update = instance_update(decision.new_events, execution_id=decision.execution_id, custom_status=decision.custom_status, now=now)
        await self.merge_row(instance_id, update, known={text: blob for blob, text in blobs.items()})
        superseded = frozenset() if kept else base.blobs
        await self._payloads.delete(superseded)
        checkpoint = Checkpoint(decision.execution_id, etag, kept + decision.new_events, base.blobs - superseded | blobs.keys())
        return Written(checkpoint, is_over=update.status is not UNSET and update.status.is_terminal)

    async def _write_history(self, instance_id: str, etag: str | None, position: int, decision: Decision) -> tuple[str, dict[str, str]]:
        """Write the rows; returns the sentinel's new ETag, and the long texts by the blobs they went to."""
        key = escape_key(instance_id)
        rows: list[Row] = []
        blobs: dict[str, str] = {}
        for number, event in enumerate(decision.new_events, start=position):
            row, texts = spilt(history_rows.event_row(key, number, event, decision.execution_id), _unique)
            rows.append(row)
            blobs |= texts
        await self._payloads.put_all(blobs)
        batches = list(history_rows.transactions(rows))
        for batch in batches:
            completed_at = timestamp(self._clock.now()) if batch is batches[-1] else None
            marker = history_rows.sentinel(key, decision.execution_id, completed_at)
            lock = Change("insert", marker) if etag is None else Change("merge", marker, etag)
            etag = await self._transact(instance_id, [*(Change("replace", row) for row in batch), lock])
        assert etag is not None, "a decision with new events has rows"
        return etag, blobs

    async def _transact(self, instance_id: str, changes: Sequence[Change]) -> str:
        try:
            return (await self._tables.transaction(self._names.history_table, changes))[-1]
        except StorageRefused as refused:
            if refused.is_conflict or refused.is_missing:
                raise WorkItemLockLost(f"Another host went on with instance {instance_id}, or purged it; nothing was written.") from None
            raise

    async def merge_row(self, instance_id: str, update: InstanceUpdate, *, known: dict[str, str] | None = None) -> None:
        """Create or change the instance row. `known`: blobs that hold a long text already, by text."""
        columns = await self._shortened(instance_id, instance_rows.columns(update, self._names.hub), known or {})
        await self._tables.change(self._names.instances_table, Change("merge", Row(escape_key(instance_id), "", columns)))

    async def change_row(self, instance_id: str, update: InstanceUpdate) -> None:
        """Change the instance row if there is one."""
        columns = await self._shortened(instance_id, instance_rows.columns(update), {})
        try:
            await self._tables.change(self._names.instances_table, Change("merge", Row(escape_key(instance_id), "", columns), "*"))
        except StorageRefused as refused:
            if not refused.is_missing:
                raise

    async def repair_row(self, instance_id: str, checkpoint: Checkpoint) -> None:
        """Bring a row up to date that missed the last commit."""
        if not checkpoint.history or checkpoint.execution_id is None:
            return
        row = await self.row(instance_id, with_input=False)
        update = row_repair(checkpoint.history, row, execution_id=checkpoint.execution_id)
        if update is not None:
            await self.merge_row(instance_id, update)

    async def row(self, instance_id: str, *, with_input: bool) -> Instance | None:
        """The instance as its row has it; long texts only `with_input`."""
        row = await self.raw_row(instance_id, with_input=with_input)
        return instance_rows.instance(row) if row is not None else None

    async def raw_row(self, instance_id: str, *, with_input: bool) -> Row | None:
        """The row itself."""
        select = instance_rows.selection(with_input=with_input, with_output=True)
        page = await self._tables.page(self._names.instances_table, instance_rows.of_instance(instance_id), select=select, top=1)
        return page.rows[0] if page.rows else None

    async def pending_columns(self, instance_id: str, pending: InstanceUpdate, start_blob: str | None) -> Mapping[str, Value]:
        """The columns of a new instance's row. `start_blob`: where its start message is, if that was too long for the queue."""
        if start_blob is not None:
            pending = msgspec.structs.replace(pending, input=self._payloads.url(start_blob))
        row, blobs = spilt(Row(escape_key(instance_id), "", instance_rows.columns(pending, self._names.hub)), _unique)
        await self._payloads.put_all(blobs)
        return row.columns

    async def _shortened(self, instance_id: str, columns: dict[str, Value], known: dict[str, str]) -> dict[str, Value]:
        """The columns with long texts in blobs: `Input` and `Output` become a URL, others leave a pointer."""
        found = dict(columns)
        for name in (name for name, value in columns.items() if is_too_long(value)):
            text = str(columns[name])
            blob = known.get(text)
            if blob is None:
                _, blobs = spilt(Row(escape_key(instance_id), "", {name: text}), _unique)
                await self._payloads.put_all(blobs)
                blob = next(iter(blobs))
            found |= {name: self._payloads.url(blob)} if name in _URL_COLUMNS else {name: "", name + BLOB_NAME: blob}
        return found


def _unique() -> str:
    return uuid.uuid4().hex[:8].upper()

"""The control plane of a hub on Azure Storage: create, query, rewind and purge instances.

Source: DurableTask.AzureStorage, AzureStorageOrchestrationService (client region) and AzureTableTrackingStore.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from linarite.clock import Clock
from linarite.durable.events import ExecutionStarted, GenericEvent, HistoryEvent, OrchestrationInstance, Status
from linarite.durable.instances import Instance, InstanceUpdate
from linarite.durable.messages import TaskMessage
from linarite.errors import HubError, InstanceExists, StorageRefused
from linarite.storage.tables import MAX_TRANSACTION, Change, Row, Tables
from linarite.taskhub.azure import instance_rows
from linarite.taskhub.azure.checkpoints import Checkpoints
from linarite.taskhub.azure.delivery import Delivery, Posted
from linarite.taskhub.azure.names import HubNames, escape_key
from linarite.taskhub.azure.payloads import Payloads
from linarite.taskhub.azure.rewind import plan
from linarite.taskhub.protocol import InstanceQuery, Page
from linarite.timestamps import timestamp

MAX_PAGE = 1000
"""The service hands out no more rows at a time."""


class Client:
    """The client half of a hub. `forget` is told of instances whose history was changed."""

    def __init__(
        self,
        tables: Tables,
        names: HubNames,
        payloads: Payloads,
        checkpoints: Checkpoints,
        delivery: Delivery,
        clock: Clock,
        *,
        forget: Callable[[str], None],
        fetches_payloads: bool,
    ) -> None:
        self._tables = tables
        self._names = names
        self._payloads = payloads
        self._checkpoints = checkpoints
        self._delivery = delivery
        self._clock = clock
        self._forget = forget
        self._fetches_payloads = fetches_payloads

    async def create(self, start: TaskMessage, overridable: frozenset[Status]) -> None:
        """See HubClient. The message goes out before the row is written; of two racing clients the one whose row stays wins."""
        instance_id = start.target.instance_id
        row = await self._checkpoints.raw_row(instance_id, with_input=False)
        old = instance_rows.instance(row) if row is not None else None
        if old is not None and old.status not in overridable:
            raise InstanceExists(instance_id, old.status.label)
        event = start.event
        assert isinstance(event, ExecutionStarted), "only a start creates an instance"
        generation = 0 if old is None else (old.generation or 0) + 1
        event = msgspec.structs.replace(event, generation=generation if event.generation is None else event.generation)
        posted = await self._delivery.post(msgspec.structs.replace(start, event=event))
        is_ours = False
        try:
            is_ours = await self._write_pending(event, posted, row)
        finally:
            await (self._delivery.deliver([posted]) if is_ours else self._delivery.take_back(posted))

    async def _write_pending(self, event: ExecutionStarted, posted: Posted, old: Row | None) -> bool:
        """Write the row of a new instance; False if another client was quicker."""
        target = event.orchestration_instance
        pending = InstanceUpdate(
            execution_id=target.execution_id or "",
            last_updated_at=timestamp(self._clock.now()),
            name=event.name,
            version=event.version,
            created_at=event.timestamp,
            status=Status.PENDING,
            tags=event.tags,
            generation=event.generation or 0,
            scheduled_start=event.scheduled_start_time or msgspec.UNSET,
            input=event.input,
        )
        columns = await self._checkpoints.pending_columns(target.instance_id, pending, posted.blob)
        row = Row(escape_key(target.instance_id), "", columns)
        change = Change("insert", row) if old is None else Change("replace", row, old.etag)
        try:
            await self._tables.change(self._names.instances_table, change)
        except StorageRefused as refused:
            if refused.is_conflict or refused.is_missing:
                return False
            raise
        return True

    async def instance(self, instance_id: str) -> Instance | None:
        """See HubClient."""
        row = await self._checkpoints.raw_row(instance_id, with_input=True)
        return await self._shown(row) if row is not None else None

    async def instances(self, query: InstanceQuery) -> Page:
        """See HubClient."""
        page = await self._tables.page(
            self._names.instances_table,
            instance_rows.condition(query),
            select=instance_rows.selection(with_input=query.with_input, with_output=query.with_output),
            top=min(query.page_size, MAX_PAGE),
            after=query.after,
        )
        return Page(tuple(await asyncio.gather(*(self._shown(row) for row in page.rows))), page.continuation)

    async def _shown(self, row: Row) -> Instance:
        """The instance of a row, with the texts its row only points to."""
        if not self._fetches_payloads:
            return instance_rows.instance(row)
        instance = instance_rows.instance(await self._payloads.restore(row))
        started, ended = await asyncio.gather(self._payloads.behind(instance.input), self._payloads.behind(instance.output))
        return msgspec.structs.replace(instance, input=started, output=ended)

    async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
        """See HubClient."""
        return (await self._checkpoints.load(instance_id, None)).history or ()

    async def rewind(self, instance_id: str, reason: str | None) -> None:
        """See HubClient. Children are rewound before their parents; who has no failed child is woken."""
        leaves: list[str] = []
        await self._rewind(instance_id, leaves)
        for leaf in leaves:
            event = GenericEvent(data=reason, timestamp=timestamp(self._clock.now()))
            await self._delivery.send(TaskMessage(event=event, target=OrchestrationInstance(instance_id=leaf)))

    async def _rewind(self, instance_id: str, leaves: list[str]) -> None:
        rows = await self._checkpoints.generation_rows(instance_id)
        if not rows:
            raise HubError(f"Instance {instance_id} has no history to rewind.")
        has_failed_child = False
        for step in plan(rows):
            if isinstance(step, str):
                has_failed_child = True
                await self._rewind(step, leaves)
            else:
                await self._tables.change(self._names.history_table, Change("replace", step, step.etag))
        now = timestamp(self._clock.now())
        await self._checkpoints.change_row(instance_id, InstanceUpdate(status=Status.PENDING, last_updated_at=now))
        self._forget(instance_id)
        if not has_failed_child:
            leaves.append(instance_id)

    async def purge(self, instance_id: str) -> bool:
        """See HubClient. The row goes last, so that a purge that died can be repeated."""
        condition = instance_rows.of_instance(instance_id)
        if not (await self._tables.page(self._names.instances_table, condition, top=1)).rows:
            return False
        keys = [
            row async for row in self._tables.rows(self._names.history_table, condition, select=("RowKey", "PartitionKey", "Timestamp"))
        ]
        batches = [keys[start : start + MAX_TRANSACTION] for start in range(0, len(keys), MAX_TRANSACTION)]
        await asyncio.gather(*(self._delete_rows(batch) for batch in batches), self._payloads.delete_of(instance_id))
        self._forget(instance_id)
        await self._delete(self._names.instances_table, Row(escape_key(instance_id), "", {}))
        return True

    async def _delete_rows(self, rows: Sequence[Row]) -> None:
        try:
            await self._tables.transaction(self._names.history_table, [Change("delete", row) for row in rows])
        except StorageRefused as refused:
            if not refused.is_missing:
                raise
            for row in rows:
                await self._delete(self._names.history_table, row)

    async def _delete(self, table: str, row: Row) -> None:
        try:
            await self._tables.change(table, Change("delete", row))
        except StorageRefused as refused:
            if not refused.is_missing:
                raise

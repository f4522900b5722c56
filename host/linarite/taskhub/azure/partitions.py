"""The partitions this host owns: claimed, renewed, balanced with other hosts, drained for them, and given up at the end.

What a pass decides is `partition_rules.py`; this file reads, writes, waits, and tells its user which queues to listen to.
Source: DurableTask.AzureStorage, TablePartitionManager.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from linarite.clock import Clock
from linarite.errors import HubError, StorageRefused
from linarite.storage.tables import Change, Tables
from linarite.taskhub.azure.background import Background
from linarite.taskhub.azure.partition_rules import (
    Drain,
    Partition,
    after_pass,
    is_changing_hands,
    partition_of,
    released,
    row_of,
    to_steal,
)
from linarite.taskhub.azure.timing import Timing

_log = logging.getLogger(__name__)

_PATIENCE = 10
"""Passes that may fail in a row before the usual wait between passes."""


class Listeners(Protocol):
    """Who receives from the queues that are owned."""

    def listen(self, queue: str) -> None:
        """Receive from a queue, if that is not done already."""
        ...

    async def silence(self, queue: str) -> None:
        """Receive no more from a queue, and let go of what waits from it."""
        ...

    def is_busy(self, queue: str) -> bool:
        """Whether an instance of that partition is being worked on."""
        ...


class Partitions:
    """This host's part in sharing out the control queues."""

    def __init__(self, tables: Tables, table: str, me: str, listeners: Listeners, timing: Timing, clock: Clock) -> None:
        self._tables = tables
        self._table = table
        self._me = me
        self._listeners = listeners
        self._timing = timing
        self._clock = clock
        self._heard: set[str] = set()
        self._drains: dict[str, asyncio.Task[None]] = {}
        self._background = Background()

    async def create(self, queues: Sequence[str]) -> None:
        """Make the table and a row for each queue, unless they are there."""
        await self._tables.create(self._table)
        await asyncio.gather(*(self._create_row(queue) for queue in queues))

    async def _create_row(self, queue: str) -> None:
        try:
            await self._tables.change(self._table, Change("insert", row_of(Partition(queue))))
        except StorageRefused as refused:
            if not refused.is_conflict:
                raise

    async def run(self) -> None:
        """Pass over the partitions, for ever."""
        failures = 0
        while True:
            try:
                is_busy = await self.one_pass()
                failures = 0
            except HubError as problem:
                _log.debug("A pass over the partitions failed: %s", problem)
                failures += 1
                is_busy = False
            if 0 < failures < _PATIENCE:
                continue
            await self._clock.sleep(self._timing.busy_pass_s if is_busy else self._timing.lease_s / 3)

    async def one_pass(self) -> bool:
        """Claim, renew, drain and balance once; whether a partition is changing hands. Raises HubError if another host was quicker."""
        found = [partition_of(row) async for row in self._tables.rows(self._table)]
        now, lease = self._clock.now(), timedelta(seconds=self._timing.lease_s)
        passed = []
        for partition in found:
            if partition.owner != self._me:
                await self._silence(partition.queue)
            changed = after_pass(partition, self._me, now, lease, self._drain(partition))
            passed.append(await self._write(partition, changed))
            await self._follow(passed[-1])
        for queue in to_steal(passed, self._me):
            wanted = next(partition for partition in passed if partition.queue == queue)
            passed[passed.index(wanted)] = await self._write(wanted, replace(wanted, next_owner=self._me))
        return is_changing_hands(passed, self._me)

    async def give_up(self) -> None:
        """Let go of every partition, so that others need not wait for the lease to run out."""
        await self._background.close()
        for queue in list(self._heard):
            await self._silence(queue)
        async for row in self._tables.rows(self._table):
            partition = partition_of(row)
            if partition.owner == self._me:
                await self._write(partition, released(partition))

    async def _write(self, before: Partition, after: Partition) -> Partition:
        if after == before:
            return before
        etag = await self._tables.change(self._table, Change("replace", row_of(after), before.etag))
        return replace(after, etag=etag)

    async def _follow(self, partition: Partition) -> None:
        """Listen to what is ours, and begin to drain what someone waits for."""
        if partition.is_ours(self._me):
            self._heard.add(partition.queue)
            self._listeners.listen(partition.queue)
        elif partition.owner == self._me and partition.queue not in self._drains:
            work = self._drained(partition.queue)
            self._drains[partition.queue] = self._background.spawn(work, f"hand over partition {partition.queue}")
        elif partition.owner != self._me:
            self._drains.pop(partition.queue, None)

    def _drain(self, partition: Partition) -> Drain:
        task = self._drains.get(partition.queue)
        if task is None:
            return Drain.NOT_BEGUN
        return Drain.DONE if task.done() else Drain.RUNNING

    async def _drained(self, queue: str) -> None:
        """Return when nothing of the partition is being worked on, or when that takes too long."""
        await self._silence(queue)
        waited_s = 0.0
        while self._listeners.is_busy(queue) and waited_s < self._timing.drain_s:
            await self._clock.sleep(self._timing.busy_pass_s / 2)
            waited_s += self._timing.busy_pass_s / 2

    async def _silence(self, queue: str) -> None:
        if queue in self._heard:
            self._heard.discard(queue)
            await self._listeners.silence(queue)

"""Commits of the embedded hub, without workers or HTTP: chains of activities, one at a time and many together.

    python -m bench.hub_commits [ACTIVITIES]

Each activity is two commits: the episode that asks for it (history, row, request out, input deleted) and its answer (answer out, request
deleted). Together, they share flushes to the disk. The raw rate beside them is SQLite's own, for one small row per transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import table
from linarite.clock import SystemClock
from linarite.durable.decision import Decision
from linarite.durable.events import (
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    Status,
    TaskCompleted,
    TaskScheduled,
)
from linarite.durable.messages import TaskMessage
from linarite.taskhub.protocol import OrchestrationWorkItem
from linarite.taskhub.sqlite.hub import SqliteHub

NOW = "2026-01-01T00:00:00.123456Z"
INPUT = '"' + "x" * 200 + '"'


def decide(item: OrchestrationWorkItem, length: int) -> Decision:
    """Ask for the next activity, or be done."""
    target = item.messages[0].target
    task_id = item.history[-2].event_id + 1 if item.history else 0
    asked: HistoryEvent = TaskScheduled(name="work", input=INPUT, event_id=task_id, timestamp=NOW)
    if task_id == length:
        asked = ExecutionCompleted(orchestration_status=Status.COMPLETED, result=INPUT, event_id=task_id, timestamp=NOW)
    return Decision(
        execution_id="e",
        new_events=(OrchestratorStarted(timestamp=NOW), item.messages[0].event, asked, OrchestratorCompleted(timestamp=NOW)),
        outbound=(TaskMessage(event=asked, target=target, sender=target, episode=task_id),) if task_id < length else (),
    )


async def orchestrate(hub: SqliteHub, length: int) -> None:
    while True:
        item = await hub.next_orchestration()
        await hub.commit(item, decide(item, length))


async def act(hub: SqliteHub) -> None:
    while True:
        request = await hub.next_activity()
        answer = TaskCompleted(task_scheduled_id=request.message.event.event_id, result=INPUT, timestamp=NOW)
        await hub.complete(request, TaskMessage(event=answer, target=request.message.target))


async def commits_per_second(path: Path | None, chains: int, activities: int) -> float:
    """Over `chains` chains at once that call `activities` activities altogether."""
    hub = SqliteHub(path, SystemClock())
    await hub.start()
    length = activities // chains
    for n in range(chains):
        me = OrchestrationInstance(instance_id=f"chain-{n}", execution_id="e")
        start = ExecutionStarted(orchestration_instance=me, name="chain", input=INPUT, timestamp=NOW)
        await hub.create(TaskMessage(event=start, target=me), frozenset())
    workers = [asyncio.ensure_future(work) for _ in range(chains) for work in (orchestrate(hub, length), act(hub))]
    begin = time.perf_counter()
    await hub.start_work()
    await hub.idle()
    seconds = time.perf_counter() - begin
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    await hub.stop()
    return chains * (2 * length + 1) / seconds


def raw_per_second(path: Path) -> float:
    """Transactions of one small row, as durable as the hub's."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, text)")
    begin = time.perf_counter()
    for n in range(2000):
        database.execute("INSERT INTO rows VALUES (?, ?)", (n, INPUT))
    seconds = time.perf_counter() - begin
    database.close()
    return 2000 / seconds


def main(activities: int) -> None:
    rows = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # where hubs live, not in a memory file system
        rows.append(("SQLite, one row a transaction", f"{raw_per_second(Path(folder) / 'raw.db'):,.0f}"))
        for chains in (1, 4, 32, 256):
            path = Path(folder) / f"{chains}.db"
            rows.append((f"hub on a file, {chains} at once", f"{asyncio.run(commits_per_second(path, chains, activities)):,.0f}"))
    for chains in (1, 32):
        rows.append((f"hub in memory, {chains} at once", f"{asyncio.run(commits_per_second(None, chains, activities)):,.0f}"))
    table(("", "commits/s"), rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5120)

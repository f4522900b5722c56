"""A host that is killed: runs a chain on a hub file and is sent SIGKILL by itself before its nth statement, if it gets that far.

Usage: crash_worker FILE N. Prints "at work" when it begins, a line for each commit that was acknowledged, and "done" at the end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

from linarite.clock import SystemClock
from linarite.durable.events import ExecutionCompleted
from linarite.taskhub.sqlite import hub as hub_module
from linarite.taskhub.sqlite.file import open_file
from linarite.taskhub.sqlite.hub import SqliteHub
from tests.conformance.chains import next_step
from tests.conformance.episodes import answer


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def doomed(path: Path | None, statements: int) -> sqlite3.Connection:
    """A connection before whose nth statement the process is killed; those that open the file do not count."""
    left = [statements]

    def count(_: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    database = open_file(path)
    database.set_trace_callback(count)
    return database


async def work(path: Path, statements: int) -> None:
    setattr(hub_module, "open_file", lambda path: doomed(path, statements))  # noqa: B010 - the module's own name is meant
    hub = SqliteHub(path, SystemClock())
    await hub.start()
    await hub.start_work()
    say("at work")
    acting = asyncio.ensure_future(act(hub))
    while True:
        item = await hub.next_orchestration()
        decision = next_step(item, SystemClock().now())
        await hub.commit(item, decision)
        say(f"{len(item.history)} {len(decision.new_events)}")
        if any(isinstance(event, ExecutionCompleted) for event in decision.new_events):
            break
    acting.cancel()
    await asyncio.wait([acting])
    await hub.stop()
    say("done")


async def act(hub: SqliteHub) -> None:
    while True:
        request = await hub.next_activity()
        await hub.complete(request, answer(request, SystemClock().now(), '"did"'))


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2])))

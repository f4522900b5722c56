"""5,000 queue messages through the queue trigger, against a bare loop of the storage SDK in the same run.

    python -m bench.queue_drain [MESSAGES]

The bare loop gets 32 messages at a time and deletes each, 16 at once, and does nothing with them. The trigger runs a function in a worker
process for every message. Aim: none lost, and half of the bare loop's rate.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from azure.storage.queue.aio import QueueClient

from bench.measure import APPS, table
from linarite.azurite import Azurite, Ports, install
from linarite.bindings.connections import Connections
from linarite.bindings.storage_bindings import storage_bindings
from linarite.bindings.wakes import Wakes
from linarite.clock import SystemClock
from linarite.function_log import FunctionLog
from linarite.invocation import Invocation, InvocationResult
from linarite.invoker import Invoker
from linarite.listeners.queue import QueueListener
from linarite.settings import AppSettings, QueueSettings
from linarite.storage.outages import Outages
from linarite.workers.child import ChildWorker
from linarite.workers.protocol import WorkerChannel

QUEUE = "drain"


async def fill(connection: str, messages: int) -> None:
    async with QueueClient.from_connection_string(connection, QUEUE) as queue:
        await queue.create_queue()
        for start in range(0, messages, 100):
            texts = [base64.b64encode(str(number).encode()).decode() for number in range(start, min(start + 100, messages))]
            await asyncio.gather(*(queue.send_message(text) for text in texts))


async def bare(connection: str, messages: int) -> collections.Counter[str]:
    """The SDK alone."""
    seen: collections.Counter[str] = collections.Counter()
    async with QueueClient.from_connection_string(connection, QUEUE) as queue:

        async def drain() -> None:
            while seen.total() < messages:
                async for message in queue.receive_messages(messages_per_page=32, max_messages=32, visibility_timeout=600):
                    await queue.delete_message(message)
                    seen[message.content] += 1

        await asyncio.gather(*(drain() for _ in range(16)))
    return seen


class Counting:
    """A worker whose invocations are counted by what they were given."""

    def __init__(self, worker: WorkerChannel) -> None:
        self._worker = worker
        self.start, self.abort, self.stop = worker.start, worker.abort, worker.stop
        self.seen: collections.Counter[str] = collections.Counter()
        self.more = asyncio.Event()

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        result = await self._worker.invoke(invocation)
        self.seen[invocation.trigger_metadata["QueueTrigger"].value] += 1
        self.more.set()
        return result


async def triggered(connection: str, messages: int) -> collections.Counter[str]:
    """The queue trigger with the defaults of host.json, the worker's start not counted."""
    settings = AppSettings({"AzureWebJobsStorage": connection})
    connections, clock, wakes = Connections(settings), SystemClock(), Wakes()
    environment = {"AzureWebJobsStorage": connection}
    worker = Counting(ChildWorker(Path(sys.executable), APPS / "drain", environment, lambda line: None))
    [function] = (await worker.start()).functions
    invoker = Invoker(worker, clock, FunctionLog(), bindings=storage_bindings(connections, QueueSettings(), clock, wakes))
    listener = QueueListener(function, connections, QueueSettings(), invoker, clock, wakes, Outages())
    await listener.start()
    while worker.seen.total() < messages:
        worker.more.clear()
        await worker.more.wait()
    await listener.stop()
    await worker.stop(5)
    await connections.close()
    return worker.seen


async def measure(drain: Callable[[str, int], Awaitable[collections.Counter[str]]], messages: int) -> tuple[float, int, int]:
    """Messages a second, how many were lost, how many came more than once. Each measurement has an emulator of its own."""
    with tempfile.TemporaryDirectory() as folder:
        emulator = Azurite(Path(folder), Ports(0, 0, 0))
        await emulator.start()
        try:
            connection = emulator.ports.connection_string()
            await fill(connection, messages)
            begin = time.perf_counter()
            seen = await drain(connection, messages)
            seconds = time.perf_counter() - begin
        finally:
            await emulator.stop()
    return messages / seconds, messages - len(seen), seen.total() - len(seen)


async def main(messages: int) -> None:
    install()
    rows = []
    for name, drain in (("bare SDK loop", bare), ("queue trigger", triggered)):
        rate, lost, twice = await measure(drain, messages)
        rows.append((name, f"{rate:,.0f}/s", str(lost), str(twice)))
    table(("", f"{messages:,} messages", "lost", "more than once"), rows)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))

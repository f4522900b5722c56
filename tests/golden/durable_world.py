"""Both doors over a hub, with a dispatcher and the recorded functions on the real SDK behind it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TypeVar

from azure.storage.queue.aio import QueueServiceClient

from linarite.clock import Clock, ManualClock, SystemClock
from linarite.dialects.names import DurableFunctions
from linarite.dispatcher import Dispatcher
from linarite.durable.events import Status
from linarite.errors import HubUnavailable
from linarite.invocation import Datum, Invocation, string
from linarite.metadata import Function
from linarite.settings import DurableSettings
from linarite.storage.account import Storage
from linarite.storage.connection import account
from linarite.taskhub.azure.hub import AzureHub
from linarite.taskhub.azure.names import HubNames
from linarite.taskhub.azure.timing import Timing
from linarite.taskhub.protocol import HubClient, InstanceQuery, TaskHub
from linarite.taskhub.sqlite.hub import SqliteHub
from linarite.web.durable_api.app import PUBLIC_PATH, RPC_PATH, DurableApi
from linarite.web.durable_api.call import DurableHost
from linarite.web.durable_api.urls import Webhook
from linarite.workers.in_process import InProcessWorker
from linarite.workers.protocol import WorkerChannel
from tests.web.durable_api.asgi import Answer, ask

APP = Path(__file__).parent.parent / "apps" / "management"
HOSTS = {"public": "localhost:7071", "rpc": "127.0.0.1:17071", "rpc-root": "127.0.0.1:17071"}


class WorkerCalls:
    """Durable functions, run by a worker."""

    def __init__(self, worker: WorkerChannel) -> None:
        self._worker = worker

    async def call(self, function: Function, value: str, metadata: Mapping[str, Datum]) -> str | None:
        result = await self._worker.invoke(
            Invocation(
                id=str(uuid.uuid4()),
                function_id=function.id,
                function_name=function.name,
                inputs={function.trigger.name: string(value)},
                trigger_metadata=dict(metadata),
            )
        )
        returned = result.return_value
        return None if returned is None or returned.value is None else str(returned.value)

    async def place(self, function: Function, value: str, task_id: int | None) -> None:
        """Only the log would say it."""


class _World:
    """Both doors over a hub that works, and over others, empty, that requests name."""

    def __init__(self, functions: DurableFunctions, hub: TaskHub, clock: Clock) -> None:
        self._hub = hub
        self._others: dict[tuple[str | None, str | None], SqliteHub] = {}
        self.host = DurableHost(
            webhook=lambda: Webhook(base_url=f"http://localhost:7071{PUBLIC_PATH}", hub="Ext319", key_query="code=testkey"),
            settings=DurableSettings(),
            hubs=self._find,
            functions=lambda: functions,
            is_disabled=lambda _: False,
            clock=clock,
        )
        rpc = DurableApi(self.host, RPC_PATH)
        self._doors = {"public": DurableApi(self.host, PUBLIC_PATH), "rpc": rpc, "rpc-root": rpc}

    async def ask(self, via: str, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """Ask a door."""
        return await ask(self._doors[via], method, url, body, headers, HOSTS[via])

    async def clear(self, prefix: str) -> None:
        """Delete all instances whose ids begin like this."""
        page = await self._hub.instances(InstanceQuery(id_prefix=prefix or None, page_size=1000))
        for instance in page.instances:
            await self._hub.purge(instance.instance_id)

    async def stop(self) -> None:
        await self._hub.stop_work()
        for hub in (self._hub, *self._others.values()):
            await hub.stop()

    async def _find(self, hub: str | None, connection: str | None) -> HubClient:
        if hub is None and connection is None:
            return self._hub
        if connection is not None:
            raise HubUnavailable(f"Unable to resolve the Azure Storage connection named '{connection}'.")
        if (hub, connection) not in self._others:
            other = self._others[hub, connection] = SqliteHub(None, self.host.clock)
            await other.start()
        return self._others[hub, connection]


class EmbeddedWorld(_World):
    """On an embedded hub in memory. Time stands still until somebody waits for it."""

    def __init__(self, functions: DurableFunctions) -> None:
        self._clock = ManualClock()
        self.hub = SqliteHub(None, self._clock)
        super().__init__(functions, self.hub, self._clock)

    async def ask(self, via: str, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """Ask a door; time goes on only for a request that waits for its instance."""
        asking = asyncio.create_task(super().ask(via, method, url, body, headers))
        while "pollingInterval=" in url and not asking.done():
            await self.hub.idle()
            await asyncio.sleep(0)
            if self.hub.is_idle and (wake := self._clock.next_wake()) is not None:
                self._clock.advance_to(wake)
        return await asking

    async def settle(self) -> None:
        """Wait until the hub has no work for now."""
        await self.hub.idle()

    async def pass_time(self, seconds: float) -> None:
        """Let time go by, and what is due then happen."""
        self._clock.advance(seconds)
        await self.hub.idle()


class AzuriteWorld(_World):
    """On the storage emulator, in real time."""

    def __init__(self, functions: DurableFunctions, connection: str) -> None:
        self._storage = Storage(account(connection))
        self._queues = QueueServiceClient.from_connection_string(connection)
        self._names = HubNames("G" + uuid.uuid4().hex[:20], 4)
        clock = SystemClock()
        self._left_behind = 0
        self.hub = AzureHub(self._storage, DurableSettings(), self._names.hub, "host", clock, Timing())
        super().__init__(functions, self.hub, clock)

    async def settle(self) -> None:
        """Wait until no message waits but the starts of instances whose version this host does not run."""
        seen_empty = 0
        while seen_empty < 2:  # one look may miss work that passes from a queue not yet looked at to one that was
            waiting = await self._messages()
            if waiting and waiting > self._left_behind + await self._rejected():
                seen_empty = 0
                await asyncio.sleep(0.02)  # nobody tells when a queue has become empty
            else:
                seen_empty += 1

    async def clear(self, prefix: str) -> None:
        before = await self._rejected()
        await super().clear(prefix)
        self._left_behind += before - await self._rejected()

    async def pass_time(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def stop(self) -> None:
        await super().stop()
        await self._queues.close()
        await self._storage.close()

    async def _messages(self) -> int:
        """All there are, those that somebody holds included."""
        counts = [
            (await self._queues.get_queue_client(queue).get_queue_properties()).approximate_message_count or 0
            for queue in (*self._names.control_queues, self._names.work_item_queue)
        ]
        return sum(counts)

    async def _rejected(self) -> int:
        page = await self.hub.instances(InstanceQuery(statuses=frozenset({Status.PENDING}), page_size=1000))
        return sum(instance.version is not None for instance in page.instances)


World = TypeVar("World", EmbeddedWorld, AzuriteWorld)


@contextlib.asynccontextmanager
async def at_work(make: Callable[[DurableFunctions], World]) -> AsyncIterator[World]:
    """A world whose functions run; everything is stopped at the end."""
    worker = InProcessWorker(APP, {}, lambda line: None)
    functions = DurableFunctions((await worker.start()).functions, resolve=str)
    world = make(functions)
    await world.hub.start()
    dispatcher = Dispatcher(world.hub, functions, WorkerCalls(worker), world.host.clock, DurableSettings())
    await dispatcher.start()
    await world.hub.start_work()
    try:
        yield world
    finally:
        await dispatcher.stop()
        await world.stop()
        await worker.stop(0)

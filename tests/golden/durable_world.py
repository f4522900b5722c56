"""Both doors over an embedded hub in memory, with a dispatcher and the recorded functions on the real SDK behind it."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from linarite.clock import ManualClock
from linarite.dialects.names import DurableFunctions
from linarite.dispatcher import Dispatcher
from linarite.errors import HubUnavailable
from linarite.invocation import Datum, Invocation, string
from linarite.metadata import Function
from linarite.settings import DurableSettings
from linarite.taskhub.protocol import HubClient, InstanceQuery
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


class EmbeddedWorld:
    """One hub that works, and others, empty, that requests name. Time stands still until somebody waits for it."""

    def __init__(self, functions: DurableFunctions) -> None:
        self.clock = ManualClock()
        self.hub = SqliteHub(None, self.clock)
        self._others: dict[tuple[str | None, str | None], SqliteHub] = {}
        self.host = DurableHost(
            webhook=lambda: Webhook(base_url=f"http://localhost:7071{PUBLIC_PATH}", hub="Ext319", key_query="code=testkey"),
            settings=DurableSettings(),
            hubs=self._find,
            functions=lambda: functions,
            is_disabled=lambda _: False,
            clock=self.clock,
        )
        rpc = DurableApi(self.host, RPC_PATH)
        self._doors = {"public": DurableApi(self.host, PUBLIC_PATH), "rpc": rpc, "rpc-root": rpc}

    async def ask(self, via: str, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """Ask a door; time goes on only for a request that waits for its instance."""
        asking = asyncio.create_task(ask(self._doors[via], method, url, body, headers, HOSTS[via]))
        while "pollingInterval=" in url and not asking.done():
            await self.hub.idle()
            await asyncio.sleep(0)
            if self.hub.is_idle and (wake := self.clock.next_wake()) is not None:
                self.clock.advance_to(wake)
        return await asking

    async def settle(self) -> None:
        """Wait until the hub has no work for now."""
        await self.hub.idle()

    async def pass_time(self, seconds: float) -> None:
        """Let time go by, and what is due then happen."""
        self.clock.advance(seconds)
        await self.hub.idle()

    async def clear(self, prefix: str) -> None:
        """Delete all instances whose ids begin like this."""
        page = await self.hub.instances(InstanceQuery(id_prefix=prefix or None, page_size=1000))
        for instance in page.instances:
            await self.hub.purge(instance.instance_id)

    async def stop(self) -> None:
        for hub in (self.hub, *self._others.values()):
            await hub.stop()

    async def _find(self, hub: str | None, connection: str | None) -> HubClient:
        if hub is None and connection is None:
            return self.hub
        if connection is not None:
            raise HubUnavailable(f"Unable to resolve the Azure Storage connection named '{connection}'.")
        if (hub, connection) not in self._others:
            other = self._others[hub, connection] = SqliteHub(None, self.clock)
            await other.start()
        return self._others[hub, connection]


@contextlib.asynccontextmanager
async def embedded_world() -> AsyncIterator[EmbeddedWorld]:
    """A world at work; everything is stopped at the end."""
    worker = InProcessWorker(APP, {}, lambda line: None)
    functions = DurableFunctions((await worker.start()).functions, resolve=lambda name: name)
    world = EmbeddedWorld(functions)
    await world.hub.start()
    dispatcher = Dispatcher(world.hub, functions, WorkerCalls(worker), world.clock, DurableSettings())
    await dispatcher.start()
    await world.hub.start_work()
    try:
        yield world
    finally:
        await dispatcher.stop()
        await world.hub.stop_work()
        await world.stop()
        await worker.stop(0)

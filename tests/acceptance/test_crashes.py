"""`kill -9` of a host, at every storage write of an order and at random moments: what was started is finished by the next host."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import aiohttp
import pytest

from linarite.azurite import Ports
from linarite.storage.account import Storage
from linarite.storage.connection import account
from linarite.taskhub.azure.names import SENTINEL, HubNames
from tests.acceptance.orders import STEPS, check, is_known, place
from tests.acceptance.sample import copy_of_the_sample
from tests.host_process import PATIENCE_S, HostProcess, client
from tests.processes import descendants, gone
from tests.storage_proxy import Exchange, Fault, StorageProxy

IMPATIENT = (str(Path(__file__).parent / "impatient_host.py"),)
AS_IT_IS = ("-m", "linarite")
CHAINS = 4
"""Hubs that are crashed side by side."""

_MESSAGE = re.compile(rb"<QueueMessage>.*?</QueueMessage>", re.DOTALL)
_MESSAGE_ID = re.compile(rb"<MessageId>(.*?)</MessageId>")


@dataclass(frozen=True)
class CrashPoint:
    """The moment before the n-th write of an order is made, or after it, before its answer."""

    write: int
    is_after: bool

    @property
    def order(self) -> str:
        """The id of the order during which this crash happens."""
        return f"killed-{'after' if self.is_after else 'before'}-write-{self.write:02}"


@dataclass
class OrderWrites:
    """Tells the writes that move `order` on from whatever else a host writes: leases, renewals, what is left of other orders."""

    proxy: StorageProxy
    order: str = ""
    found: list[str] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _read: int = 0
    _messages: dict[str, bytes] = field(default_factory=dict)

    def begin(self, order: str, fault: Fault | None) -> None:
        self.order, self.found = order, []
        self.proxy.writes, self.proxy.fault = 0, fault

    def __call__(self, exchange: Exchange) -> bool:
        if not self.order or exchange.method in ("GET", "HEAD") or (exchange.service, exchange.method) == ("queue", "PUT"):
            return False  # a message is updated when time has passed, not when the order moves on
        if not self._text(exchange).count(self.order.encode()):
            return False
        self.found.append(f"{exchange.method} {exchange.path}")
        self._more.set()
        return True

    async def deleted(self, count: int) -> None:
        """Wait until the order has deleted that many messages, the last of which it deletes after it has completed."""
        while sum(write.startswith("DELETE") for write in self.found) < count:
            self._more.clear()
            await self._more.wait()

    def _text(self, exchange: Exchange) -> bytes:
        """All that says for which instance a write is; of a message that is deleted, what was put."""
        if exchange.service == "queue" and exchange.method == "DELETE":
            self._learn()
            return self._messages.get(exchange.path.rpartition("/")[2], b"")
        return unquote(exchange.path).encode() + exchange.body

    def _learn(self) -> None:
        for past in self.proxy.requests[self._read :]:
            if past.service == "queue":
                for message in _MESSAGE.findall(past.answer):
                    for message_id in _MESSAGE_ID.findall(message):
                        self._messages[message_id.decode()] = message + past.body
        self._read = len(self.proxy.requests)


@dataclass
class Stage:
    """One hub behind a proxy of its own, and the folder of the hosts that come and go on it, unless they are given another."""

    proxy: StorageProxy
    writes: OrderWrites
    folder: Path
    hub: str

    @contextlib.asynccontextmanager
    async def host(
        self, program: Sequence[str] = IMPATIENT, folder: Path | None = None
    ) -> AsyncIterator[tuple[HostProcess, aiohttp.ClientSession]]:
        environment = {
            "AzureWebJobsStorage": self.proxy.connection_string(),
            "AzureFunctionsJobHost__extensions__durableTask__hubName": self.hub,
        }
        process = HostProcess(folder or self.folder, "--no-reload", environment=environment, program=program)
        async with process, client(process) as session:
            yield process, session


@contextlib.asynccontextmanager
async def stage(azurite: Ports, folder: Path, hub: str) -> AsyncIterator[Stage]:
    folder.mkdir()
    proxy = StorageProxy(azurite)
    await proxy.start()
    proxy.counts = writes = OrderWrites(proxy)
    try:
        yield Stage(proxy, writes, copy_of_the_sample(folder), hub)
    finally:
        await proxy.stop()


async def killed_at(point: CrashPoint, on: Stage, host: HostProcess, session: aiohttp.ClientSession) -> bool:
    """Place an order and kill the host at that point; whether the order was accepted before. The host's children end by themselves."""
    children = descendants(host.pid)
    assert children
    dead = asyncio.Event()

    async def kill(_: Exchange) -> None:
        host.kill()
        await host.exit_code()
        dead.set()

    on.writes.begin(point.order, Fault(point.write, point.is_after, kill))
    is_accepted = await place(session, point.order)
    try:
        await asyncio.wait_for(dead.wait(), PATIENCE_S)
    except asyncio.TimeoutError:
        raise AssertionError(f"{point.order}: there were only {on.writes.found}\n{host.output}") from None
    await asyncio.wait_for(asyncio.gather(*(gone(child) for child in children)), PATIENCE_S)
    return is_accepted


async def check_survivor(point: CrashPoint, is_accepted: bool, on: Stage, session: aiohttp.ClientSession, azurite: Ports) -> None:
    """An order comes through, unless the host died before it had written that there is one."""
    if not await is_known(session, point.order):
        assert not is_accepted, point.order
        assert point.write <= 2
        return
    await check(session, point.order)
    await check_rows(azurite, on.hub, point.order)


async def check_rows(azurite: Ports, hub: str, order: str) -> None:
    """The history as it lies in the table: numbered without a gap, each task asked for once and answered once."""
    storage = Storage(account(azurite.connection_string()))
    try:
        found = [row async for row in storage.tables.rows(HubNames(hub, 4).history_table, f"PartitionKey eq '{order}'")]
    finally:
        await storage.close()
    rows = [row.columns for row in found if row.row_key != SENTINEL]
    assert sorted(int(row.row_key, 16) for row in found if row.row_key != SENTINEL) == list(range(len(rows))), order
    scheduled = [(row["EventId"], row["Name"]) for row in rows if row["EventType"] == "TaskScheduled"]
    assert scheduled == list(enumerate(STEPS)), order
    assert [row["TaskScheduledId"] for row in rows if row["EventType"] == "TaskCompleted"] == [0, 1, 2, 3], order
    kinds = [row["EventType"] for row in rows]
    assert (kinds.count("ExecutionStarted"), kinds.count("ExecutionCompleted")) == (1, 1), order
    assert kinds.count("OrchestratorStarted") == kinds.count("OrchestratorCompleted"), order


async def writes_of_an_order(azurite: Ports, folder: Path) -> int:
    """How many writes an order makes that nobody disturbs: the fewest of three, since a slow machine repeats some."""
    counts: list[int] = []
    async with stage(azurite, folder, "Undisturbed") as on, on.host() as (_, session):
        for number in range(3):
            order = f"undisturbed-{number}"
            on.writes.begin(order, None)
            assert await place(session, order)
            await check(session, order)
            await on.writes.deleted(9)  # a message that starts, four that ask, four that answer
            counts.append(len(on.writes.found))
    return min(counts)


async def crash_again_and_again(azurite: Ports, folder: Path, hub: str, points: Sequence[CrashPoint]) -> None:
    """Each host finishes what the one before it was killed at, and is then killed itself, during an order of its own."""
    before: tuple[CrashPoint, bool] | None = None
    async with stage(azurite, folder, hub) as on:
        for point in points:
            async with on.host() as (host, session):
                if before is not None:
                    await check_survivor(*before, on, session, azurite)
                before = point, await killed_at(point, on, host, session)
        async with on.host() as (_, session):
            assert before is not None
            await check_survivor(*before, on, session, azurite)


@pytest.mark.slow
@pytest.mark.azurite
async def test_a_host_that_is_killed_at_any_write_of_an_order_leaves_it_to_the_next_one(azurite: Ports, tmp_path: Path) -> None:
    count = await writes_of_an_order(azurite, tmp_path / "undisturbed")
    points = [CrashPoint(write, is_after) for write in range(1, count + 1) for is_after in (False, True)]
    chains = (
        crash_again_and_again(azurite, tmp_path / f"chain{number}", f"Crashes{number}", points[number::CHAINS]) for number in range(CHAINS)
    )
    await asyncio.gather(*chains)


async def owners(azurite: Ports, hub: str) -> set[object]:
    """Who holds the control queues."""
    storage = Storage(account(azurite.connection_string()))
    try:
        return {row.columns.get("CurrentOwner") async for row in storage.tables.rows(HubNames(hub, 4).partitions_table)}
    finally:
        await storage.close()


async def finished_after(on: Stage, folder: Path, azurite: Ports) -> float:
    """Kill a host in the midst of eight orders; the seconds until a host in that folder, which may be the other's, has finished them."""
    orders = [f"order-{number}" for number in range(8)]
    dead = asyncio.Event()

    async def kill(_: Exchange) -> None:
        host.kill()
        dead.set()

    async with contextlib.AsyncExitStack() as stack:
        async with on.host(AS_IT_IS) as (host, session):
            if folder != on.folder:
                _, heir = await stack.enter_async_context(on.host(AS_IT_IS, folder))
            on.writes.begin("order-", Fault(write=60, is_after=True, action=kill))
            accepted = await asyncio.gather(*(place(session, order) for order in orders))
            await dead.wait()
            killed_at = time.monotonic()
        name = (on.folder / ".linarite" / "worker-id").read_text("utf-8").strip()
        assert name in await owners(azurite, on.hub), "it held none of the partitions"
        if folder == on.folder:
            _, heir = await stack.enter_async_context(on.host(AS_IT_IS))
        known = [order for order, is_accepted in zip(orders, accepted, strict=True) if is_accepted or await is_known(heir, order)]
        assert known
        await asyncio.gather(*(check(heir, order) for order in known))
        return time.monotonic() - killed_at


@pytest.mark.slow
@pytest.mark.azurite
async def test_what_a_killed_host_held_goes_on_within_45_seconds(azurite: Ports, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    copy_of_the_sample(other)
    async with stage(azurite, tmp_path / "one", "Restarted") as one, stage(azurite, tmp_path / "two", "TakenOver") as two:
        restarted, taken_over = await asyncio.gather(finished_after(one, one.folder, azurite), finished_after(two, other, azurite))
    assert restarted < 45
    assert taken_over < 45


@pytest.mark.slow
@pytest.mark.parametrize("seed", [7071])
async def test_a_host_on_the_embedded_hub_may_be_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    die = random.Random(seed)
    folder = copy_of_the_sample(tmp_path)
    accepted: dict[str, bool] = {}
    for number in range(30):
        async with HostProcess(folder, "--storage", "embedded", "--no-reload") as host, client(host) as session:
            children = descendants(host.pid)
            order = f"order-{number:02}"
            placing = asyncio.ensure_future(place(session, order))
            await asyncio.sleep(die.uniform(0, 0.25))
            host.kill()
            accepted[order] = await placing
            await asyncio.wait_for(asyncio.gather(*(gone(child) for child in children)), PATIENCE_S)
    async with HostProcess(folder, "--storage", "embedded", "--no-reload") as host, client(host) as session:
        for order, is_accepted in accepted.items():
            if is_accepted or await is_known(session, order):
                await check(session, order)
    assert any(accepted.values())

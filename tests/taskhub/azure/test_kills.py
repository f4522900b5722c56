"""A host that is killed at any of its writes loses nothing: another one finishes what it began, and does nothing twice in history.

The kill is made where the storage sees it: a proxy cuts the host off before, or right after, the n-th write, for good. What remains of
the host then does no more, and another one starts under its name.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from linarite.azurite import Ports
from linarite.durable.events import Status, TaskCompleted, TaskScheduled
from linarite.errors import HubError
from linarite.taskhub.azure.timing import Timing
from tests.golden import engine_orchestrators as does
from tests.golden.engine_player import Player
from tests.storage_proxy import Exchange, Fault, StorageProxy

pytestmark = [pytest.mark.azurite, pytest.mark.slow]

QUICK = Timing(control_hide_s=1, work_item_hide_s=1, lease_s=3, max_back_off_s=1)
AT_ONCE = 8
"""Kills tried at the same time, each on a hub of its own."""


def is_of_the_order(exchange: Exchange) -> bool:
    """Whether a request writes for the order, rather than for the host: renewals come when they come."""
    if exchange.service == "queue":
        return exchange.method in ("POST", "DELETE")
    return exchange.is_write and "Partitions" not in exchange.path and "applease" not in exchange.path


def host(connection: str, hub_name: str) -> Player:
    return Player(connection, {"PlaceOrder": does.chain}, [], hub_name, timing=QUICK)


async def order(azurite: Ports, fault: Fault | None) -> int:
    """Place an order, kill the host at the fault, and let another one finish it. The number of writes it took without a fault."""
    proxy = StorageProxy(azurite)
    await proxy.start()
    proxy.counts = is_of_the_order
    first = host(proxy.connection_string(), f"K{id(proxy):x}")
    await first.start()
    placing = asyncio.ensure_future(placed(first))

    async def cut(_: Exchange) -> None:
        proxy.is_cut = True
        placing.cancel()

    if fault is not None:
        proxy.fault = Fault(fault.write, fault.is_after, cut)
    [outcome] = await asyncio.gather(placing, return_exceptions=True)
    if proxy.is_cut:
        await first.kill()
        await finished_by_another(azurite, first.hub_name)
    else:
        assert outcome is None, outcome
        await first.stop()
    await proxy.stop()
    return proxy.writes


async def placed(player: Player) -> None:
    await player.create("PlaceOrder", "order", '"book"')
    await player.until("order", Status.COMPLETED)


async def finished_by_another(azurite: Ports, hub_name: str) -> None:
    second = host(azurite.connection_string(), hub_name)
    await second.start()
    try:
        if await second.hub.instance("order") is None:
            return  # killed before the order was placed: its client was told so
        await second.until("order", Status.COMPLETED)
        history = await second.hub.history("order")
        answered = Counter(event.task_scheduled_id for event in history if isinstance(event, TaskCompleted))
        assert answered == Counter([0, 1, 2])
        assert [event.event_id for event in history if isinstance(event, TaskScheduled)] == [0, 1, 2]
        instance = await second.hub.instance("order")
        assert instance is not None
        assert instance.output == '["Hello Tokyo","Hello Seattle","Hello London"]'
    finally:
        await second.stop()


async def test_an_order_survives_a_kill_at_every_write(azurite: Ports) -> None:
    writes = await order(azurite, None)
    assert writes > 20
    faults = [Fault(number, is_after, nobody) for number in range(1, writes + 1) for is_after in (False, True)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def tried(fault: Fault) -> str | None:
        async with gate:
            try:
                await order(azurite, fault)
            except (AssertionError, HubError, asyncio.TimeoutError) as problem:
                return f"killed {'after' if fault.is_after else 'before'} write {fault.write}: {problem!r}"
        return None

    failures = [failure for failure in await asyncio.gather(*(tried(fault) for fault in faults)) if failure is not None]
    assert failures == []


async def nobody(_: Exchange) -> None:
    """Replaced by what a fault is to do."""

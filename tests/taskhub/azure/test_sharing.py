"""Several hosts on one hub: who owns what, and what happens when one leaves or dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from linarite.taskhub.azure.partition_rules import partition_of
from linarite.taskhub.azure.timing import Timing
from tests.taskhub.azure.conftest import Hubs
from tests.taskhub.azure.scripted import NOBODY, finish, start
from tests.taskhub.azure.test_hub import PATIENCE_S, kill, soon

pytestmark = [pytest.mark.azurite, pytest.mark.slow]


async def owners(hubs: Hubs) -> dict[str, str | None]:
    rows = (await hubs.storage.tables.page(hubs.names.partitions_table)).rows
    return {row.row_key: partition_of(row).owner for row in rows}


async def shared_out(hubs: Hubs, expected: dict[str, int]) -> None:
    """Wait until every host owns so many partitions."""

    async def poll() -> None:
        while Counter(owner for owner in (await owners(hubs)).values() if owner) != Counter(expected):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    await asyncio.wait_for(poll(), PATIENCE_S)


async def finish_all(hub_ids: list[str], hubs: Hubs) -> set[str]:
    """Let every host finish what it is handed until all those instances are done."""
    done: set[str] = set()

    async def serve(number: int) -> None:
        hub = hubs.opened[number]
        while True:
            item = await hub.next_orchestration()
            await hub.commit(item, finish(item))
            done.add(item.instance_id)
            if done >= set(hub_ids):
                everyone.set()

    everyone = asyncio.Event()
    serving = [asyncio.ensure_future(serve(number)) for number in range(len(hubs.opened))]
    await soon(everyone.wait())
    for task in serving:
        task.cancel()
    await asyncio.wait(serving)
    return done


async def test_one_host_owns_all_at_once(hubs: Hubs) -> None:
    await hubs.working("one")
    assert set((await owners(hubs)).values()) == {"one"}


async def test_two_hosts_share_and_none_is_heard_twice(hubs: Hubs, quick: Timing) -> None:
    first = await hubs.working("one", quick)
    second = await hubs.working("two", quick)
    await shared_out(hubs, {"one": 2, "two": 2})
    listened = [queue for hub in (first, second) for queue in hub._delivery.control]
    assert len(listened) == len(set(listened))
    ids = [f"shared-{number}" for number in range(12)]
    for instance_id in ids:
        await first.create(start(instance_id), NOBODY)
    assert await finish_all(ids, hubs) == set(ids)


async def test_a_host_that_leaves_is_succeeded_at_once(hubs: Hubs) -> None:
    slow = Timing(lease_s=300, busy_pass_s=0.2)
    leaving = await hubs.working("one", slow)
    await leaving.stop()
    await hubs.working("two", slow)
    assert set((await owners(hubs)).values()) == {"two"}


async def test_a_killed_hosts_partitions_are_taken_when_its_lease_ends(hubs: Hubs, quick: Timing) -> None:
    lasting = replace(quick, lease_s=8)  # it has not ended when the heir begins, however busy the machine is
    killed = await hubs.working("one", lasting)
    await kill(hubs, killed)
    heir = await hubs.working("two", lasting)
    assert set((await owners(hubs)).values()) == {"one"}
    await heir.create(start("inherited"), NOBODY)
    await shared_out(hubs, {"two": 4})
    item = await soon(heir.next_orchestration())
    assert item.instance_id == "inherited"
    await heir.commit(item, finish(item))


async def test_a_host_that_comes_back_under_its_old_id_need_not_wait(hubs: Hubs) -> None:
    slow = Timing(lease_s=300, control_hide_s=2)
    killed = await hubs.working("one", slow)
    await kill(hubs, killed)
    again = await hubs.working("one", slow)
    await again.create(start("mine"), NOBODY)
    item = await soon(again.next_orchestration())
    await again.commit(item, finish(item))

"""What every task hub promises through cancellations, stops, restarts and mishaps: nothing that was committed or sent is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from linarite.durable.events import Status, TaskCompleted, TaskScheduled
from linarite.errors import WorkItemLockLost
from linarite.taskhub.protocol import InstanceQuery
from linarite.timestamps import timestamp
from tests.conformance.chains import LENGTH, Crew
from tests.conformance.episodes import ANY_STATUS, answer, call, episode, kinds, names, raised, start, timer
from tests.conformance.stage import AHEAD, Stage

CHAINS = 6
SEEDS = range(3)


# waits


async def test_waits_that_are_cancelled_take_nothing_with_them(stage: Stage) -> None:
    waits = [asyncio.ensure_future(stage.hub.next_orchestration()) for _ in range(5)]
    waits += [asyncio.ensure_future(stage.hub.next_activity()) for _ in range(5)]  # type: ignore[arg-type]
    await asyncio.sleep(0)
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now())))
    assert (await stage.activity()).message.target.instance_id == "order-7"


async def test_of_several_who_wait_each_gets_another_item(stage: Stage) -> None:
    waits = [asyncio.ensure_future(stage.hub.next_orchestration()) for _ in range(4)]
    await asyncio.sleep(0)
    waits.pop(1).cancel()
    for n in range(3):
        await stage.hub.create(start(f"order-{n}", stage.now()), ANY_STATUS)
    items = await stage.until(asyncio.gather(*waits))
    assert sorted(item.instance_id for item in items) == ["order-0", "order-1", "order-2"]


# stops


async def test_what_is_held_can_be_committed_after_no_more_is_taken(stage: Stage) -> None:
    held = await stage.begin("order-7")
    await stage.hub.commit(held, episode(held, stage.now(), call(held, 0, "pack", stage.now())))
    request = await stage.activity()
    await stage.hub.send(raised("order-7", "go", stage.now()))
    held = await stage.item()
    await stage.hub.stop_work()
    await stage.hub.complete(request, answer(request, stage.now()))
    await stage.hub.commit(held, episode(held, stage.now()))
    assert kinds(await stage.hub.history("order-7")).count("EventRaised") == 1
    assert (await stage.hub.instance("order-7")) is not None


async def test_what_was_held_at_the_stop_comes_again_to_the_next_host(lasting: Stage) -> None:
    first = await lasting.begin("order-7")
    await lasting.hub.commit(first, episode(first, lasting.now(), call(first, 0, "pack", lasting.now())))
    request = await lasting.activity()
    await lasting.hub.send(raised("order-7", "go", lasting.now()))
    held = await lasting.item()
    await lasting.restart()
    again = await lasting.item()
    assert (names(again), list(again.history)) == (names(held), list(held.history))
    assert (await lasting.activity()).message == request.message


async def test_who_lost_the_lock_can_no_longer_commit(lasting: Stage) -> None:
    old_host = lasting.hub
    stale = await lasting.begin("order-7")
    await lasting.restart()
    held = await lasting.item()
    decision = episode(held, lasting.now())
    await lasting.hub.commit(held, decision)
    with pytest.raises(WorkItemLockLost):
        await old_host.commit(stale, episode(stale, lasting.now(), ends=Status.FAILED, output="late"))
    await old_host.stop()
    row = await lasting.hub.instance("order-7")
    assert row is not None
    assert row.status is Status.RUNNING
    assert tuple(await lasting.hub.history("order-7")) == decision.new_events


async def test_everything_outlives_its_host(lasting: Stage) -> None:
    item = await lasting.begin("order-7")
    due = lasting.now() + AHEAD
    asked = (call(item, 0, "pack", lasting.now(), '"🦄"'), timer(item, 1, due, lasting.now()))
    await lasting.hub.commit(item, episode(item, lasting.now(), *asked, custom_status='"half way"'))
    await lasting.hub.send(raised("order-7", "first", lasting.now()))
    await lasting.hub.send(raised("order-7", "second", lasting.now()))
    await lasting.hub.create(start("later", lasting.now(), at=timestamp(due + timedelta(seconds=1))), ANY_STATUS)
    history, row = await lasting.hub.history("order-7"), await lasting.hub.instance("order-7")
    await lasting.restart()
    assert list(await lasting.hub.history("order-7")) == list(history)
    assert await lasting.hub.instance("order-7") == row
    item = await lasting.item()
    assert (item.instance_id, names(item), list(item.history)) == ("order-7", ["first", "second"], list(history))
    await lasting.hub.commit(item, episode(item, lasting.now()))
    assert (await lasting.activity()).message == asked[0][1]
    assert names(await lasting.item()) == ["TimerFired"]
    assert lasting.now() >= due
    assert (await lasting.item()).instance_id == "later"


# mishaps


async def expect_each_chain_whole(stage: Stage) -> None:
    """Every chain has completed, and each of its activities is asked for and answered once in its history."""
    for n in range(CHAINS):
        row = await stage.hub.instance(f"chain-{n}")
        assert row is not None
        assert (row.status, row.output) == (Status.COMPLETED, '"done"')
        history = await stage.hub.history(f"chain-{n}")
        assert [event.event_id for event in history if isinstance(event, TaskScheduled)] == list(range(LENGTH))
        assert [event.task_scheduled_id for event in history if isinstance(event, TaskCompleted)] == list(range(LENGTH))


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_done_twice_to_history_by_mishaps(stage: Stage, seed: int) -> None:
    crew = Crew(stage, CHAINS, seed, percent=20)
    crew.begin()
    for n in range(CHAINS):
        await stage.hub.create(start(f"chain-{n}", stage.now()), ANY_STATUS)
    await stage.until(crew.all_done.wait())
    await crew.end()
    await expect_each_chain_whole(stage)


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_done_twice_to_history_by_a_restart(lasting: Stage, seed: int) -> None:
    crew = Crew(lasting, CHAINS, seed, percent=10)
    crew.begin()
    for n in range(CHAINS):
        await lasting.hub.create(start(f"chain-{n}", lasting.now()), ANY_STATUS)
    await lasting.until(crew.half_done.wait())
    await crew.end()
    await lasting.restart()
    for instance in (await lasting.hub.instances(InstanceQuery(statuses=frozenset({Status.COMPLETED})))).instances:
        crew.note(instance.instance_id)  # its commit may have been cut short after it was handed in
    crew.begin()
    await lasting.until(crew.all_done.wait())
    await crew.end()
    await expect_each_chain_whole(lasting)

"""What is the embedded hub's own, beyond the conformance suite."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from linarite.clock import ManualClock, SystemClock, run_until_idle, within
from linarite.durable.events import HistoryEvent, Status
from linarite.errors import HubFileUnusable, HubUnavailable, WorkItemLockLost
from linarite.taskhub.protocol import OrchestrationWorkItem
from linarite.taskhub.sqlite import deliveries
from linarite.taskhub.sqlite import hub as hub_module
from linarite.taskhub.sqlite.file import open_file
from linarite.taskhub.sqlite.hub import SqliteHub
from linarite.timestamps import timestamp
from tests.conformance.episodes import (
    ANY_STATUS,
    answer,
    call,
    episode,
    kinds,
    names,
    new_generation,
    next_task_id,
    nothing,
    raised,
    start,
    timer,
)

LONG = '"' + "x" * 200_000 + '"'


class World:
    """A hub on a file, with a manual clock; `file` is that file."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.file = folder / "hub.db"
        self.hub = SqliteHub(self.file, self.clock)

    async def open(self) -> None:
        await self.hub.start()
        await self.hub.start_work()

    async def reopen(self) -> None:
        await self.hub.stop()
        self.hub = SqliteHub(self.file, self.clock)
        await self.open()

    async def begin(self, instance_id: str, execution_id: str = "e1") -> OrchestrationWorkItem:
        await self.hub.create(start(instance_id, self.clock.now(), execution_id), ANY_STATUS)
        return await self.hub.next_orchestration()

    def execute(self, sql: str) -> None:
        """Meddle with the file from outside."""
        with closing(sqlite3.connect(self.file)) as database, database:
            database.execute(sql)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.open()
    yield world
    await world.hub.stop()


# overtaken


async def test_a_start_over_ends_the_right_to_commit_the_old_generation(world: World) -> None:
    held = await world.begin("order-7", "e1")
    await world.hub.create(start("order-7", world.clock.now(), "e2"), ANY_STATUS)
    with pytest.raises(WorkItemLockLost, match="started anew"):
        await world.hub.commit(held, episode(held, world.clock.now()))
    item = await world.hub.next_orchestration()
    assert item.messages[0].target.execution_id == "e2"
    await world.hub.commit(item, episode(item, world.clock.now()))
    row = await world.hub.instance("order-7")
    assert row is not None
    assert (row.execution_id, row.status) == ("e2", Status.RUNNING)


async def test_a_rewind_ends_the_right_to_commit(world: World) -> None:
    item = await world.begin("order-7")
    await world.hub.commit(item, episode(item, world.clock.now(), ends=Status.FAILED, output="no"))
    await world.hub.send(raised("order-7", "late", world.clock.now()))
    held = await world.hub.next_orchestration()
    await world.hub.rewind("order-7", "again")
    with pytest.raises(WorkItemLockLost, match="rewound"):
        await world.hub.commit(held, nothing())
    assert names(await world.hub.next_orchestration()) == ["late", "GenericEvent"]


async def test_an_item_of_before_a_purge_and_a_new_start_cannot_be_committed(world: World) -> None:
    held = await world.begin("order-7", "e1")
    await world.hub.purge("order-7")
    await world.hub.create(start("order-7", world.clock.now(), "e1"), ANY_STATUS)
    with pytest.raises(WorkItemLockLost):
        await world.hub.commit(held, episode(held, world.clock.now()))
    assert list(await world.hub.history("order-7")) == []
    assert names(await world.hub.next_orchestration()) == ["ExecutionStarted"]


async def test_after_the_stop_nothing_held_can_be_committed(world: World) -> None:
    item = await world.begin("order-7")
    await world.hub.commit(item, episode(item, world.clock.now(), call(item, 0, "pack", world.clock.now())))
    request = await world.hub.next_activity()
    await world.hub.send(raised("order-7", "go", world.clock.now()))
    held = await world.hub.next_orchestration()
    await world.hub.stop()
    with pytest.raises(WorkItemLockLost, match="stopped"):
        await world.hub.commit(held, episode(held, world.clock.now()))
    with pytest.raises(WorkItemLockLost, match="stopped"):
        await world.hub.complete(request, answer(request, world.clock.now()))
    await world.hub.abandon(held)
    await world.hub.abandon_activity(request)
    with pytest.raises(HubUnavailable, match="stopped"):
        await world.hub.instance("order-7")


async def test_what_stays_unread_does_not_hold_up_what_is_for_an_old_generation(world: World) -> None:
    now = world.clock.now()
    item = await world.begin("order-7")
    await world.hub.commit(item, episode(item, now, call(item, 0, "pack", now)))
    request = await world.hub.next_activity()
    await world.hub.send(raised("order-7", "again", now))
    item = await world.hub.next_orchestration()
    await world.hub.send(raised("order-7", "not yet", now))
    await world.hub.complete(request, answer(request, now))
    await world.hub.commit(item, new_generation(item, now, "e2"))
    item = await world.hub.next_orchestration()
    assert names(item) == ["not yet"]
    await world.hub.commit(item, nothing(unread={0}))
    item = await world.hub.next_orchestration()
    assert (names(item), list(item.history)) == (["TaskCompleted"], [])
    await world.hub.commit(item, nothing())
    item = await world.hub.next_orchestration()
    await world.hub.commit(item, nothing(unread={0}))
    await world.hub.idle()
    await world.hub.send(raised("order-7", "news", now))
    assert names(await world.hub.next_orchestration()) == ["not yet", "news"]


# what goes wrong below


async def test_a_commit_that_fails_in_its_middle_leaves_nothing_behind_and_comes_again(world: World) -> None:
    item = await world.begin("order-7")
    world.execute("CREATE TRIGGER fault BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'fault on purpose'); END")
    decision = episode(item, world.clock.now(), timer(item, 0, world.clock.now(), world.clock.now()))
    with pytest.raises(HubUnavailable, match="fault on purpose"):
        await world.hub.commit(item, decision)
    await world.hub.abandon(item)
    assert list(await world.hub.history("order-7")) == []
    row = await world.hub.instance("order-7")
    assert row is not None
    assert row.status is Status.PENDING
    world.execute("DROP TRIGGER fault")
    world.clock.advance(2)
    again = await world.hub.next_orchestration()
    assert again.messages == item.messages
    await world.hub.commit(again, decision)
    assert names(await world.hub.next_orchestration()) == ["TimerFired"]


async def test_an_answer_that_cannot_be_written_leaves_the_request_waiting(world: World) -> None:
    item = await world.begin("order-7")
    await world.hub.commit(item, episode(item, world.clock.now(), call(item, 0, "pack", world.clock.now())))
    request = await world.hub.next_activity()
    world.execute("CREATE TRIGGER fault BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'fault on purpose'); END")
    with pytest.raises(HubUnavailable, match="fault on purpose"):
        await world.hub.complete(request, answer(request, world.clock.now()))
    world.execute("DROP TRIGGER fault")
    world.clock.advance(2)
    again = await world.hub.next_activity()
    assert (again.message, again.delivery) == (request.message, 2)


async def test_an_answer_is_handed_out_while_it_is_still_being_written(world: World) -> None:
    item = await world.begin("order-7")
    await world.hub.commit(item, episode(item, world.clock.now(), call(item, 0, "pack", world.clock.now())))
    request = await world.hub.next_activity()
    with closing(sqlite3.connect(world.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # now nobody else can write
        completing = asyncio.ensure_future(world.hub.complete(request, answer(request, world.clock.now())))
        item = await world.hub.next_orchestration()
        committing = asyncio.ensure_future(world.hub.commit(item, episode(item, world.clock.now(), ends=Status.COMPLETED)))
        await asyncio.sleep(0)
        assert names(item) == ["TaskCompleted"]
        assert not any((completing.done(), committing.done(), world.hub.is_idle))
    await completing
    await committing
    await world.reopen()
    row = await world.hub.instance("order-7")
    assert row is not None
    assert row.status is Status.COMPLETED
    assert world.hub.is_idle


async def test_a_decision_on_an_answer_that_could_not_be_written_stands_and_the_activity_runs_again(world: World) -> None:
    item = await world.begin("order-7")
    await world.hub.commit(item, episode(item, world.clock.now(), call(item, 0, "pack", world.clock.now())))
    request = await world.hub.next_activity()
    world.execute("CREATE TRIGGER fault BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'fault on purpose'); END")
    completing = asyncio.ensure_future(world.hub.complete(request, answer(request, world.clock.now())))
    item = await world.hub.next_orchestration()
    await world.hub.commit(item, episode(item, world.clock.now()))
    with pytest.raises(HubUnavailable, match="fault on purpose"):
        await completing
    world.execute("DROP TRIGGER fault")
    world.clock.advance(2)
    again = await world.hub.next_activity()
    assert again.message == request.message
    await world.hub.complete(again, answer(again, world.clock.now()))
    item = await world.hub.next_orchestration()
    assert kinds(item.history).count("TaskCompleted") == 1
    assert names(item) == ["TaskCompleted"]


async def fill(world: World, committed: list[HistoryEvent], item: OrchestrationWorkItem) -> None:
    """Episode after episode, until something gives."""
    while True:
        decision = episode(item, world.clock.now(), custom_status=LONG[:9_000])
        await world.hub.commit(item, decision)
        committed += decision.new_events
        await world.hub.send(raised("order-7", f"event-{len(committed)}", world.clock.now(), LONG[:9_000]))
        item = await world.hub.next_orchestration()


async def test_a_full_disk_is_named_loses_nothing_and_work_goes_on_once_there_is_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spare_pages = 40

    def open_small(path: Path | None) -> sqlite3.Connection:
        database = open_file(path)
        (size,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {size + spare_pages}")
        return database

    monkeypatch.setattr(hub_module, "open_file", open_small)
    world = World(tmp_path)
    await world.open()
    committed: list[HistoryEvent] = []
    first = await world.begin("order-7")
    with pytest.raises(HubUnavailable, match=r"no space left for the task hub .*hub\.db: .* Free some space"):
        await fill(world, committed, first)
    assert list(await world.hub.history("order-7")) == committed
    spare_pages = 1000
    await world.reopen()
    assert list(await world.hub.history("order-7")) == committed
    row = await world.hub.instance("order-7")
    assert row is not None
    assert row.status is Status.RUNNING
    await world.hub.send(raised("order-7", "go", world.clock.now()))
    item = await world.hub.next_orchestration()
    assert names(item)[-1] == "go"
    await world.hub.commit(item, episode(item, world.clock.now()))
    assert (await world.hub.history("order-7"))[: len(committed)] == tuple(committed)
    await world.hub.stop()


async def test_a_message_that_cannot_be_read_does_not_stop_the_others(world: World) -> None:
    await world.hub.create(start("broken", world.clock.now(), input=LONG), ANY_STATUS)
    world.execute("UPDATE messages SET message = '{'")
    await world.hub.create(start("whole", world.clock.now()), ANY_STATUS)
    with pytest.raises(HubFileUnusable, match="damaged"):
        await world.hub.next_orchestration()
    assert (await world.hub.next_orchestration()).instance_id == "whole"


async def test_text_that_is_no_text_is_refused_and_the_item_stays_held(world: World) -> None:
    item = await world.begin("order-7")
    with pytest.raises(UnicodeEncodeError):
        await world.hub.commit(item, episode(item, world.clock.now(), ends=Status.COMPLETED, output='"\ud800"'))
    await world.hub.commit(item, episode(item, world.clock.now(), ends=Status.COMPLETED))


# memory


async def test_histories_that_are_not_remembered_are_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_REMEMBERED", 0)
    await world.reopen()
    item = await world.begin("order-7")
    for n in range(3):
        await world.hub.commit(item, episode(item, world.clock.now(), custom_status=f'"{n}"'))
        await world.hub.send(raised("order-7", f"event-{n}", world.clock.now()))
        item = await world.hub.next_orchestration()
    assert kinds(item.history).count("EventRaised") == 2
    await world.hub.commit(item, new_generation(item, world.clock.now(), "e2"))
    assert kinds(await world.hub.history("order-7")) == ["OrchestratorStarted", "ExecutionStarted", "OrchestratorCompleted"]


async def test_long_messages_wait_in_the_file(world: World) -> None:
    await world.hub.create(start("order-7", world.clock.now(), input=LONG), ANY_STATUS)
    await world.hub.send(raised("order-7", "long", world.clock.now(), LONG))
    item = await world.hub.next_orchestration()
    assert [message.event.input for message in item.messages] == [LONG, LONG]  # type: ignore[union-attr]
    await world.hub.commit(item, episode(item, world.clock.now(), call(item, 0, "pack", world.clock.now(), LONG)))
    request = await world.hub.next_activity()
    assert request.message.event.input == LONG  # type: ignore[union-attr]


async def test_of_many_messages_only_the_first_wait_in_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_KEPT_MESSAGES", 2)
    now = world.clock.now()
    item = await world.begin("order-7")
    timers = [timer(item, n, now + timedelta(seconds=n), now) for n in range(5, 10)]
    await world.hub.commit(item, episode(item, now, *(call(item, n, "pack", now, f'"{n}"') for n in range(5)), *timers))
    requests = [await world.hub.next_activity() for _ in range(5)]
    assert [request.message.event.input for request in requests] == [f'"{n}"' for n in range(5)]  # type: ignore[union-attr]
    for request in requests:
        await world.hub.complete(request, answer(request, now))
    world.clock.advance(10)
    await world.hub.send(raised("order-7", "last", now))
    seen: list[str] = []
    while "last" not in seen:
        item = await world.hub.next_orchestration()
        seen += names(item)
        await world.hub.commit(item, episode(item, now))
    assert sorted(seen) == ["TaskCompleted"] * 5 + ["TimerFired"] * 5 + ["last"]


async def test_a_start_that_is_taken_back_while_it_is_read_is_not_handed_out(world: World) -> None:
    await world.hub.create(start("order-7", world.clock.now(), "e1", input=LONG), ANY_STATUS)
    wait, purge = asyncio.ensure_future(world.hub.next_orchestration()), asyncio.ensure_future(world.hub.purge("order-7"))
    assert await purge
    await world.hub.create(start("order-8", world.clock.now()), ANY_STATUS)
    item = await wait
    if item.instance_id == "order-7":  # it had been read before the purge
        with pytest.raises(WorkItemLockLost):
            await world.hub.commit(item, episode(item, world.clock.now()))
        item = await world.hub.next_orchestration()
    assert item.instance_id == "order-8"


# time and rest


async def test_it_is_idle_when_nothing_can_be_done_now(world: World) -> None:
    assert world.hub.is_idle
    await world.hub.create(start("order-7", world.clock.now()), ANY_STATUS)
    assert not world.hub.is_idle
    item = await world.hub.next_orchestration()
    assert not world.hub.is_idle
    due = world.clock.now() + timedelta(days=1)
    await world.hub.commit(item, episode(item, world.clock.now(), timer(item, 0, due, world.clock.now())))
    assert world.hub.is_idle
    assert world.hub.next_due() == due


async def test_who_waits_for_idleness_is_told_when_the_last_item_is_done(world: World) -> None:
    item = await world.begin("order-7")
    await world.hub.commit(item, episode(item, world.clock.now(), call(item, 0, "pack", world.clock.now())))
    request = await world.hub.next_activity()
    idle = asyncio.ensure_future(world.hub.idle())
    await world.hub.complete(request, answer(request, world.clock.now()))
    item = await world.hub.next_orchestration()
    assert not idle.done()
    await world.hub.commit(item, episode(item, world.clock.now(), ends=Status.COMPLETED))
    await idle
    assert world.hub.next_due() is None


async def test_what_rests_after_it_was_handed_back_is_due_at_the_end_of_its_rest(world: World) -> None:
    item = await world.begin("order-7")
    await world.hub.abandon(item)
    await world.hub.idle()
    assert world.hub.next_due() == world.clock.now() + timedelta(seconds=2)


async def test_time_moves_past_a_start_that_was_taken_back(world: World) -> None:
    due = world.clock.now() + timedelta(days=1)
    await world.hub.create(start("order-7", world.clock.now(), at=timestamp(due)), ANY_STATUS)
    await world.hub.purge("order-7")
    await run_until_idle(world.clock, world.hub, due + timedelta(days=1))
    assert world.hub.is_idle
    assert world.hub.next_due() is None


async def watch(hub: SqliteHub, clock: ManualClock, looks: int) -> None:
    """Runs orchestrations that look at something every half an hour, `looks` times."""
    while True:
        item = await hub.next_orchestration()
        now, task_id = clock.now(), next_task_id(item)
        if names(item) != ["TaskCompleted"]:
            decision = episode(item, now, call(item, task_id, "look", now))
        elif task_id < 2 * looks - 1:
            decision = episode(item, now, timer(item, task_id, now + timedelta(minutes=30), now))
        else:
            decision = episode(item, now, ends=Status.COMPLETED)
        await hub.commit(item, decision)


async def look(hub: SqliteHub, clock: ManualClock) -> None:
    """Answers every activity."""
    while True:
        request = await hub.next_activity()
        await hub.complete(request, answer(request, clock.now(), '"nothing new"'))


async def test_a_monitor_of_thirty_days_runs_without_waiting() -> None:
    clock = ManualClock()
    hub = SqliteHub(None, clock)
    await hub.start()
    await hub.start_work()
    begin = clock.now()
    workers = [asyncio.ensure_future(watch(hub, clock, 30 * 48 + 1)), asyncio.ensure_future(look(hub, clock))]
    await hub.create(start("monitor", begin), ANY_STATUS)
    await run_until_idle(clock, hub, begin + timedelta(days=365))
    row = await hub.instance("monitor")
    assert row is not None
    assert row.status is Status.COMPLETED
    assert clock.now() == begin + timedelta(days=30)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    await hub.stop()


async def test_in_real_time_it_wakes_by_itself() -> None:
    clock = SystemClock()
    hub = SqliteHub(None, clock)
    await hub.start()
    await hub.start_work()
    due = clock.now() + timedelta(seconds=0.05)
    await hub.create(start("order-7", clock.now(), at=timestamp(due)), ANY_STATUS)
    await within(clock, 30, hub.next_orchestration())
    assert clock.now() >= due
    await hub.stop()

"""What is Azure's own about a hub: hand-off by receipt, leases, spilling, rows. What every hub promises is in tests/conformance."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from typing import TypeVar

import msgspec
import pytest

from linarite.azurite import Ports
from linarite.durable.decision import Decision
from linarite.durable.events import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionTerminated,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    Status,
    TaskCompleted,
    TimerCreated,
    TimerFired,
)
from linarite.durable.instances import InstanceUpdate
from linarite.durable.messages import TaskMessage
from linarite.errors import HubUnavailable, WorkItemLockLost
from linarite.storage.account import Storage
from linarite.storage.connection import account
from linarite.storage.tables import Change, Row
from linarite.taskhub.azure import envelopes
from linarite.taskhub.azure.envelopes import Envelope
from linarite.taskhub.azure.hub import AzureHub
from linarite.taskhub.azure.timing import Timing
from linarite.taskhub.protocol import InstanceQuery
from linarite.timestamps import moment, timestamp
from tests.storage_proxy import StorageProxy
from tests.taskhub.azure.conftest import Hubs
from tests.taskhub.azure.scripted import FINISHED, NOBODY, answer, ask, episode, finish, generation, now, start, to

pytestmark = pytest.mark.azurite

T = TypeVar("T")


PATIENCE_S = 60
"""After so long what has to happen has not."""


async def soon(work: Awaitable[T]) -> T:
    """The result, or a failed test."""
    return await asyncio.wait_for(work, PATIENCE_S)


async def nothing(work: Awaitable[object], seconds: float = 1.0) -> None:
    """Fails if there is a result after all."""
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(work, seconds)


async def texts(hubs: Hubs, queue: str) -> list[str]:
    """What anyone could get from a queue right now; it is hidden for a second only."""
    return [message.text for message in await hubs.storage.queues.get(queue, 32, 1)]


async def until(holds: Callable[[], bool]) -> None:
    """Return once the condition holds, which nothing announces."""

    async def poll() -> None:
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    await asyncio.wait_for(poll(), PATIENCE_S)


async def settled(hubs: Hubs, *, own: str) -> None:
    """Wait until the host has polled its queue once and found it empty: from then on it hands messages over itself."""
    receiver = hubs.opened[-1]._delivery.control[hubs.names.control_queue_of(own)]
    await until(lambda: not receiver.has_backlog)


async def test_an_instance_goes_through_activity_and_completion(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.create(start("a/b #1"), NOBODY)
    first = await soon(hub.next_orchestration())
    assert (first.instance_id, list(first.history)) == ("a/b #1", [])
    await hub.commit(first, ask(first))
    request = await soon(hub.next_activity())
    await hub.complete(request, answer(request))
    second = await soon(hub.next_orchestration())
    assert [type(event).__name__ for event in second.history] == [
        "OrchestratorStarted",
        "ExecutionStarted",
        "TaskScheduled",
        "OrchestratorCompleted",
    ]
    assert [type(message.event) for message in second.messages] == [TaskCompleted]
    await hub.commit(second, finish(second))
    instance = await hub.instance("a/b #1")
    assert instance is not None
    assert (instance.status, instance.input, instance.output, instance.generation) == (Status.COMPLETED, '"in"', '"out"', 0)
    assert len(await hub.history("a/b #1")) == 8
    for queue in (*hubs.names.control_queues, hubs.names.work_item_queue):
        assert await texts(hubs, queue) == []


async def test_what_is_handed_over_here_is_invisible_to_everyone_else(hubs: Hubs) -> None:
    hub = await hubs.working()
    await settled(hubs, own="order")
    await hub.create(start("order"), NOBODY)
    item = await soon(hub.next_orchestration())
    await hub.commit(item, ask(item))
    request = await soon(hub.next_activity())
    assert await texts(hubs, hubs.names.work_item_queue) == []
    await hub.complete(request, answer(request))
    second = await soon(hub.next_orchestration())
    assert await texts(hubs, hubs.names.control_queue_of("order")) == []
    await hub.commit(second, finish(second))


async def test_with_no_slot_free_requests_stay_in_the_queue_until_one_is(hubs: Hubs) -> None:
    hub = await hubs.working(max_concurrent_activities=1)
    await hub.create(start("wide"), NOBODY)
    item = await soon(hub.next_orchestration())
    both = [ask(item, number).outbound[0] for number in range(2)]
    await hub.commit(item, episode(item, outbound=tuple(both)))
    first = await soon(hub.next_activity())
    await nothing(hub.next_activity(), 0.5)
    await hub.complete(first, answer(first))
    second = await soon(hub.next_activity())
    assert {first.message.event.event_id, second.message.event.event_id} == {0, 1}
    await hub.complete(second, answer(second))


async def test_a_killed_hosts_messages_come_back(hubs: Hubs, quick: Timing) -> None:
    killed = await hubs.working("one", quick)
    await killed.create(start("lost"), NOBODY)
    item = await soon(killed.next_orchestration())
    await killed.commit(item, ask(item))
    await soon(killed.next_activity())
    await kill(hubs, killed)
    again = await hubs.working("one", quick)
    request = await soon(again.next_activity())
    await again.complete(request, answer(request))
    second = await soon(again.next_orchestration())
    await again.commit(second, finish(second))
    instance = await again.instance("lost")
    assert instance is not None
    assert instance.status is Status.COMPLETED


async def kill(hubs: Hubs, hub: AzureHub) -> None:
    """What a kill leaves: nothing is renewed, nothing is released."""
    hubs.opened.remove(hub)
    for running in (hub._begun, hub._background, hub._orchestrations):
        await running.close()


@pytest.mark.slow
async def test_what_is_held_is_renewed(hubs: Hubs, quick: Timing) -> None:
    hub = await hubs.working("one", quick)
    await hub.create(start("slow"), NOBODY)
    item = await soon(hub.next_orchestration())
    await hub.commit(item, ask(item))
    request = await soon(hub.next_activity())
    hidden_until = request.lock.receipt.visible_at + timedelta(seconds=quick.work_item_hide_s)
    await until(lambda: request.lock.receipt.visible_at > hidden_until)
    assert await texts(hubs, hubs.names.work_item_queue) == []
    await hub.complete(request, answer(request))


async def test_stopping_shows_what_was_held_at_once(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.create(start("stopped"), NOBODY)
    await soon(hub.next_orchestration())
    await hub.stop()
    [text] = await texts(hubs, hubs.names.control_queue_of("stopped"))
    assert '"InstanceId":"stopped"' in text
    rows = (await hubs.storage.tables.page(hubs.names.partitions_table)).rows
    assert [row.columns.get("CurrentOwner") for row in rows] == [None] * 4


async def test_of_two_holders_one_wins(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.create(start("fought-over"), NOBODY)
    item = await soon(hub.next_orchestration())
    other = hubs.build("two")
    await other._orchestrations._checkpoints.write("fought-over", item.lock.checkpoint, (), finish(item, '"theirs"'))
    with pytest.raises(WorkItemLockLost):
        await hub.commit(item, finish(item, '"ours"'))
    instance = await hub.instance("fought-over")
    assert instance is not None
    assert instance.output == '"theirs"'
    await nothing(hub.next_activity(), 0.2)


async def test_an_answer_that_overtakes_its_question_waits(hubs: Hubs) -> None:
    hub = await hubs.working("one", Timing(max_back_off_s=1))
    await hub.create(start("early"), NOBODY)
    item = await soon(hub.next_orchestration())
    me = OrchestrationInstance(instance_id="early", execution_id=generation(item))
    early = TaskMessage(event=TaskCompleted(task_scheduled_id=7, result='"quick"', timestamp=now()), target=me)
    await hub.commit(item, episode(item))
    await hub.send(early)
    await nothing(hub.next_orchestration(), 0.5)
    await hub.send(to("early", EventRaised(name="go", timestamp=now())))
    second = await soon(hub.next_orchestration())
    await hub.commit(second, ask(second, 7))
    third = await soon(hub.next_orchestration())
    assert [message.event for message in third.messages] == [early.event]
    await hub.commit(third, finish(third))


async def test_unread_messages_are_the_next_item_at_once(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.create(start("picky"), NOBODY)
    await hub.send(to("picky", EventRaised(name="later", timestamp=now())))
    item = await soon(hub.next_orchestration())
    while len(item.messages) < 2:
        await hub.abandon(item)
        item = await soon(hub.next_orchestration())
    read = msgspec.structs.replace(item.messages[0].event, is_played=True)
    new = (OrchestratorStarted(timestamp=now()), read, OrchestratorCompleted(timestamp=now()))
    await hub.commit(item, Decision(generation(item), new_events=new, unread=frozenset({1})))
    second = await soon(hub.next_orchestration())
    assert second.lock.batch.messages == item.lock.batch.messages[1:]  # held all the time, not got again
    await hub.commit(second, finish(second))


async def test_messages_that_wait_for_others_do_not_keep_those_out(hubs: Hubs) -> None:
    hub = await hubs.working()
    before = hub._free_buffer()
    await hub.create(start("parked"), NOBODY)
    first = await soon(hub.next_orchestration())
    await hub.commit(first, episode(first))
    await hub.send(to("parked", EventRaised(name="not yet", timestamp=now())))
    second = await soon(hub.next_orchestration())
    await hub.commit(second, Decision(generation(second), unread=frozenset({0})))
    assert (hub._free_buffer(), len(hub._control_held)) == (before, 1)
    await hub.send(to("parked", EventRaised(name="go", timestamp=now())))
    third = await soon(hub.next_orchestration())
    assert len(third.messages) == 2
    await hub.commit(third, finish(third))
    assert hub._free_buffer() == before


async def test_an_outage_of_the_storage_is_said_once_and_outlived(azurite: Ports, hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    proxy = StorageProxy(azurite)
    await proxy.start()
    hubs.storage = Storage(account(proxy.connection_string()))
    hub = await hubs.working(use_app_lease=False)
    caplog.set_level(logging.INFO)
    proxy.is_cut = True
    await until(lambda: "What depends on it goes on by itself" in caplog.text)
    with pytest.raises(HubUnavailable):
        await hub.instance("anyone")
    proxy.is_cut = False
    await until(lambda: "answers again." in caplog.text)
    said = [record for record in caplog.records if record.name == "linarite.storage.outages"]
    assert len(said) == 2
    await hub.create(start("afterwards"), NOBODY)
    item = await soon(hub.next_orchestration())
    await hub.commit(item, finish(item))
    await hub.stop()
    await hubs.storage.close()
    await proxy.stop()


async def test_settings_that_are_not_honoured_are_said(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    hub = hubs.build(use_table_partitions=False, use_instance_table_etag=True)
    await hub.start()
    assert "useTablePartitionManagement" in caplog.text
    assert "useInstanceTableEtag" in caplog.text


async def test_long_texts_are_kept_in_blobs_and_go_with_the_instance(hubs: Hubs) -> None:
    hub = await hubs.working()
    long = '"' + "x" * 2_000_000 + '"'
    await hub.create(start("big", long), NOBODY)
    pending = await hub.instance("big")
    assert pending is not None
    assert pending.input == long
    first = await soon(hub.next_orchestration())
    await hub.commit(first, ask(first, input=long))
    request = await soon(hub.next_activity())
    assert request.message.event.input == long  # type: ignore[union-attr]
    await hub.complete(request, answer(request, long))
    second = await soon(hub.next_orchestration())
    await hub.commit(second, finish(second, long))
    row = (await hubs.storage.tables.page(hubs.names.instances_table)).rows[0]
    assert str(row.columns["Output"]).endswith("-Result.json.gz")
    assert str(row.columns["Input"]).endswith("-Input.json.gz")
    instance = await hub.instance("big")
    assert instance is not None
    assert (instance.input, instance.output) == (long, long)
    assert [event.result for event in await hub.history("big") if isinstance(event, TaskCompleted)] == [long]
    assert len([name async for name in hubs.storage.blobs.names(hubs.names.payload_container, "big/")]) == 6
    assert await hub.purge("big")
    assert [name async for name in hubs.storage.blobs.names(hubs.names.payload_container, "")] == []
    assert await hub.instance("big") is None
    assert await hub.history("big") == ()


async def test_an_input_between_the_limits_is_shown_while_it_is_pending(hubs: Hubs) -> None:
    hub = hubs.build()
    await hub.start()
    between = '"' + "y" * 35_000 + '"'
    await hub.create(start("between", between), NOBODY)
    row = (await hubs.storage.tables.page(hubs.names.instances_table)).rows[0]
    assert (row.columns["Input"], str(row.columns["InputBlobName"])[-14:]) == ("", "-Input.json.gz")
    instance = await hub.instance("between")
    assert instance is not None
    assert instance.input == between


async def test_purging_one_instance_leaves_those_whose_ids_begin_alike(hubs: Hubs) -> None:
    hub = hubs.build()
    await hub.start()
    long = '"' + "z" * 60_000 + '"'
    await hub.create(start("job1", long), NOBODY)
    await hub.create(start("job10", long), NOBODY)
    assert await hub.purge("job1")
    other = await hub.instance("job10")
    assert other is not None
    assert other.input == long
    assert not await hub.purge("job1")


async def test_a_new_generation_replaces_the_old_ones_rows_and_blobs(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.create(start("again", '"' + "a" * 50_000 + '"'), NOBODY)
    first = await soon(hub.next_orchestration())
    await hub.commit(first, episode(first))
    await hub.send(to("again", EventRaised(name="go", timestamp=now())))
    second = await soon(hub.next_orchestration())
    fresh = OrchestrationInstance(instance_id="again", execution_id="f" * 32)
    restarted = ExecutionStarted(orchestration_instance=fresh, name="Main", input='"short"', timestamp=now())
    events = (OrchestratorStarted(timestamp=now()), restarted, OrchestratorCompleted(timestamp=now()))
    await hub.commit(second, Decision("f" * 32, new_events=events, replaces_history=True))
    assert [type(event) for event in await hub.history("again")] == [OrchestratorStarted, ExecutionStarted, OrchestratorCompleted]
    instance = await hub.instance("again")
    assert instance is not None
    assert (instance.execution_id, instance.input, instance.status) == ("f" * 32, '"short"', Status.RUNNING)
    left = [name async for name in hubs.storage.blobs.names(hubs.names.payload_container, "again/")]
    assert [name for name in left if "/history-" in name] == []


async def test_a_commit_of_many_rows_takes_several_transactions(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.create(start("many"), NOBODY)
    item = await soon(hub.next_orchestration())
    timers = [TimerCreated(fire_at=now(), event_id=number, timestamp=now()) for number in range(250)]
    await hub.commit(item, episode(item, *timers))
    assert len(await hub.history("many")) == 253
    assert await hub.purge("many")
    assert await hub.history("many") == ()


async def test_a_row_of_an_instance_nobody_has_is_not_made(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.send(to("nobody", ExecutionTerminated(input="why", timestamp=now())))
    item = await soon(hub.next_orchestration())
    await hub.commit(item, Decision("", row=InstanceUpdate(status=Status.TERMINATED)))
    assert await hub.instance("nobody") is None


async def test_a_row_that_missed_the_last_commit_is_repaired_by_the_next_message(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.create(start("stale"), NOBODY)
    item = await soon(hub.next_orchestration())
    done = ExecutionCompleted(orchestration_status=Status.COMPLETED, result='"out"', event_id=0, timestamp="2026-01-02T03:04:05Z")
    await hub.commit(item, episode(item, done))
    stale = Change("merge", Row("stale", "", {"RuntimeStatus": "Running", "Output": "old"}), "*")
    await hubs.storage.tables.change(hubs.names.instances_table, stale)
    await hub.send(to("stale", EventRaised(name="late", timestamp=now())))
    late = await soon(hub.next_orchestration())
    await hub.commit(late, Decision(generation(late)))
    instance = await hub.instance("stale")
    assert instance is not None
    assert (instance.status, instance.output, instance.completed_at) == (Status.COMPLETED, '"out"', "2026-01-02T03:04:05Z")


async def test_a_start_that_lost_its_race_never_runs(hubs: Hubs) -> None:
    hub = await hubs.working("one", Timing(max_back_off_s=1))
    await hub.create(start("twice", '"first"'), NOBODY)
    item = await soon(hub.next_orchestration())
    await hub.commit(item, finish(item))
    loser = start("twice", '"loser"')
    late = msgspec.structs.replace(loser.event, generation=0, timestamp=timestamp(datetime.now(timezone.utc) - timedelta(hours=1)))
    await put(hubs, msgspec.structs.replace(loser, event=late))
    await nothing(hub.next_orchestration(), 2)


async def put(hubs: Hubs, message: TaskMessage) -> None:
    """Put a message into its queue as another process would."""
    text = envelopes.encode(Envelope(message, "0" * 8, 1))
    await hubs.storage.queues.put(hubs.names.control_queue_of(message.target.instance_id), text)


async def test_what_another_host_shows_early_is_held_back_until_it_is_due(hubs: Hubs) -> None:
    hub = await hubs.working()
    await hub.create(start("timed"), NOBODY)
    item = await soon(hub.next_orchestration())
    due = timestamp(datetime.now(timezone.utc) + timedelta(seconds=1.5))
    await hub.commit(item, episode(item, TimerCreated(fire_at=due, event_id=0, timestamp=now())))
    await put(hubs, to("timed", TimerFired(timer_id=0, fire_at=due, timestamp=now()), generation(item)))
    fired = await soon(hub.next_orchestration())
    assert datetime.now(timezone.utc) >= moment(due)
    await hub.commit(fired, finish(fired))


async def test_a_timer_is_delivered_when_it_is_due(hubs: Hubs) -> None:
    hub = await hubs.working("one", Timing(max_poll_s=10 * PATIENCE_S))
    await hub.create(start("alarm"), NOBODY)
    item = await soon(hub.next_orchestration())
    due = timestamp(datetime.now(timezone.utc) + timedelta(seconds=2.5))
    me = OrchestrationInstance(instance_id="alarm", execution_id=generation(item))
    fires = TaskMessage(event=TimerFired(timer_id=0, fire_at=due, timestamp=now()), target=me)
    await hub.commit(item, episode(item, TimerCreated(fire_at=due, event_id=0, timestamp=now()), outbound=(fires,)))
    fired = await soon(hub.next_orchestration())
    assert datetime.now(timezone.utc) >= moment(due)
    assert [message.event for message in fired.messages] == [fires.event]
    await hub.commit(fired, finish(fired))


async def test_an_unreadable_message_is_put_back(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    hub = await hubs.working()
    await hubs.storage.queues.put(hubs.names.control_queues[0], "not an envelope")
    await until(lambda: "cannot be read" in caplog.text)
    await hub.create(start("after"), NOBODY)
    item = await soon(hub.next_orchestration())
    await hub.commit(item, finish(item))


async def test_base64_hubs_are_written_and_read_as_such(hubs: Hubs) -> None:
    sender = hubs.build("client", queue_message_encoding="Base64")
    await sender.start()
    await sender.create(start("coded"), NOBODY)
    [message] = await hubs.storage.queues.get(hubs.names.control_queue_of("coded"), 1, 1)
    assert message.text.startswith("ey")
    hub = await hubs.working()
    item = await soon(hub.next_orchestration())
    assert item.instance_id == "coded"
    await hub.commit(item, finish(item))


async def test_pages_of_instances_come_by_id(hubs: Hubs) -> None:
    hub = hubs.build()
    await hub.start()
    for number in range(5):
        await hub.create(start(f"list-{number}", f'"{number}"'), NOBODY)
    first = await hub.instances(InstanceQuery(id_prefix="list-", page_size=3, with_input=False))
    second = await hub.instances(InstanceQuery(id_prefix="list-", page_size=3, after=first.continuation))
    assert [i.instance_id for page in (first, second) for i in page.instances] == [f"list-{n}" for n in range(5)]
    assert [i.input for i in first.instances] == [None] * 3
    assert [i.input for i in second.instances] == ['"3"', '"4"']
    assert second.continuation is None
    assert (await hub.instances(InstanceQuery(after="rubbish"))).instances == ()
    assert (await hub.instances(InstanceQuery(statuses=FINISHED))).instances == ()


async def test_another_app_waits_for_the_hub(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    timing = Timing(app_lease_s=15, app_lease_retry_s=0.2)
    first = hubs.build("one", timing, app_name="shop")
    await first.start()
    await first.start_work()
    second = hubs.build("two", timing, app_name="office")
    await second.start()
    await second.start_work()
    await until(lambda: "Another app holds task hub" in caplog.text)
    await second.create(start("shared"), NOBODY)
    item = await soon(first.next_orchestration())
    await first.commit(item, finish(item))
    await nothing(second.next_activity(), 0.2)

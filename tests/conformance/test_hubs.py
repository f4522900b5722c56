"""What every task hub promises about work items, whatever it is made of. Only the port is used; see linarite.taskhub.protocol.

Negative statements are made with a canary (`expect_nothing_else`): an instance started afterwards is the next to come.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from linarite.durable.decision import Decision
from linarite.durable.events import ExecutionStarted, OrchestrationInstance, Status, TaskCompleted
from linarite.durable.instances import InstanceUpdate
from linarite.durable.messages import TaskMessage
from linarite.errors import WorkItemLockLost
from linarite.taskhub.protocol import OrchestrationWorkItem
from linarite.timestamps import timestamp
from tests.conformance.episodes import (
    ANY_STATUS,
    call,
    episode,
    kinds,
    me,
    names,
    new_generation,
    nothing,
    raised,
    start,
    terminated,
    timer,
)
from tests.conformance.stage import AHEAD, Stage


async def running(stage: Stage, instance_id: str = "order-7") -> OrchestrationWorkItem:
    """An instance that has done its first episode; gives the item of that."""
    item = await stage.begin(instance_id)
    await stage.hub.commit(item, episode(item, stage.now()))
    return item


# delivery


async def test_a_start_is_delivered_with_no_history(stage: Stage) -> None:
    await stage.hub.create(start("order-7", stage.now(), input='{"n": 1}', tags={"colour": "blue"}), ANY_STATUS)
    item = await stage.item()
    assert (item.instance_id, list(item.history), len(item.messages)) == ("order-7", [], 1)
    event = item.messages[0].event
    assert isinstance(event, ExecutionStarted)
    assert (event.name, event.input, event.tags, event.generation) == ("chain", '{"n": 1}', {"colour": "blue"}, 0)
    assert item.messages[0].target == OrchestrationInstance(instance_id="order-7", execution_id="e1")


async def test_what_was_committed_is_the_history_of_the_next_item(stage: Stage) -> None:
    first = await stage.begin("order-7")
    decision = episode(first, stage.now())
    await stage.hub.commit(first, decision)
    await stage.hub.send(raised("order-7", "go", stage.now()))
    second = await stage.item()
    assert tuple(second.history) == decision.new_events
    await stage.hub.commit(second, episode(second, stage.now(), ends=Status.COMPLETED))
    assert kinds(await stage.hub.history("order-7")) == [
        *("OrchestratorStarted", "ExecutionStarted", "OrchestratorCompleted"),
        *("OrchestratorStarted", "EventRaised", "ExecutionCompleted", "OrchestratorCompleted"),
    ]


async def test_an_instance_has_one_holder_at_a_time(stage: Stage) -> None:
    held = await stage.begin("order-7")
    await stage.hub.send(raised("order-7", "early", stage.now()))
    await stage.expect_nothing_else()
    await stage.hub.commit(held, episode(held, stage.now()))
    assert names(await stage.item()) == ["early"]


async def test_different_instances_are_held_side_by_side(stage: Stage) -> None:
    held = [await stage.begin(f"order-{n}") for n in range(5)]
    for item in reversed(held):
        await stage.hub.commit(item, episode(item, stage.now(), ends=Status.COMPLETED))
    for item in held:
        row = await stage.hub.instance(item.instance_id)
        assert row is not None
        assert row.status is Status.COMPLETED


async def test_an_instances_messages_come_in_the_order_in_which_they_were_sent(stage: Stage) -> None:
    await running(stage)
    sent = [f"event-{n:02}" for n in range(20)]
    for name in sent:
        await stage.hub.send(raised("order-7", name, stage.now()))
    seen: list[str] = []
    while len(seen) < len(sent):
        item = await stage.item()
        seen += names(item)
        await stage.hub.commit(item, episode(item, stage.now()))
    assert seen == sent


async def test_what_arrives_while_an_instance_is_held_comes_together_afterwards(stage: Stage) -> None:
    held = await stage.begin("order-7")
    for name in ("a", "b", "c"):
        await stage.hub.send(raised("order-7", name, stage.now()))
    await stage.expect_nothing_else()
    await stage.hub.commit(held, episode(held, stage.now()))
    assert names(await stage.item()) == ["a", "b", "c"]


# unread


async def test_what_is_left_unread_comes_again_at_once_before_what_came_later(stage: Stage) -> None:
    held = await stage.begin("order-7")
    for name in ("a", "b", "c"):
        await stage.hub.send(raised("order-7", name, stage.now()))
    await stage.expect_nothing_else()
    await stage.hub.commit(held, episode(held, stage.now()))
    item = await stage.item()
    await stage.hub.send(raised("order-7", "later", stage.now()))
    await stage.hub.commit(item, episode(item, stage.now(), unread={1, 2}))
    seen: list[str] = []
    while len(seen) < 3:
        item = await stage.item()
        seen += names(item)[:1]
        await stage.hub.commit(item, episode(item, stage.now(), unread=set(range(1, len(item.messages)))))
    assert seen == ["b", "c", "later"]
    assert kinds(await stage.hub.history("order-7")).count("EventRaised") == 4


async def test_unread_messages_go_to_the_generation_that_follows(stage: Stage) -> None:
    held = await stage.begin("order-7")
    await stage.hub.send(raised("order-7", "a", stage.now()))
    await stage.hub.send(raised("order-7", "b", stage.now()))
    await stage.expect_nothing_else()
    await stage.hub.commit(held, episode(held, stage.now()))
    item = await stage.item()
    await stage.hub.commit(item, new_generation(item, stage.now(), "e2", unread={1}))
    item = await stage.item()
    assert (names(item), me(item).execution_id) == (["b"], "e2")


async def test_a_decision_that_reads_and_writes_nothing_is_asked_for_again_only_with_something_new(stage: Stage) -> None:
    await running(stage)
    await stage.hub.send(raised("order-7", "not yet", stage.now()))
    item = await stage.item()
    await stage.hub.commit(item, nothing(unread={0}))
    await stage.expect_nothing_else()
    await stage.hub.send(raised("order-7", "news", stage.now()))
    assert names(await stage.item()) == ["not yet", "news"]


# nobody there


async def test_a_message_to_nobody_comes_with_no_history_and_is_gone_once_consumed(stage: Stage) -> None:
    await stage.hub.send(raised("nobody", "hello", stage.now()))
    item = await stage.item()
    assert (item.instance_id, list(item.history), names(item)) == ("nobody", [], ["hello"])
    await stage.hub.commit(item, nothing())
    await stage.expect_nothing_else()
    assert await stage.hub.instance("nobody") is None


async def test_an_instance_terminated_before_it_began_keeps_its_row_and_never_begins(stage: Stage) -> None:
    due = stage.now() + AHEAD
    await stage.hub.create(start("order-7", stage.now(), at=timestamp(due)), ANY_STATUS)
    await stage.hub.send(terminated("order-7", "changed my mind", stage.now()))
    item = await stage.item()
    assert (names(item), list(item.history)) == (["ExecutionTerminated"], [])
    now = timestamp(stage.now())
    row = InstanceUpdate(status=Status.TERMINATED, last_updated_at=now, completed_at=now, output="changed my mind")
    await stage.hub.commit(item, Decision(execution_id="", row=row))
    instance = await stage.hub.instance("order-7")
    assert instance is not None
    assert (instance.status, instance.output, instance.name) == (Status.TERMINATED, "changed my mind", "chain")
    await stage.hub.create(start("later", stage.now(), at=timestamp(due + timedelta(seconds=1))), ANY_STATUS)
    assert (await stage.item()).instance_id == "later"
    assert list(await stage.hub.history("order-7")) == []


async def test_a_row_that_is_not_there_is_not_made_by_a_change_of_it(stage: Stage) -> None:
    await stage.hub.send(terminated("nobody", "why not", stage.now()))
    item = await stage.item()
    await stage.hub.commit(item, Decision(execution_id="", row=InstanceUpdate(status=Status.TERMINATED)))
    assert await stage.hub.instance("nobody") is None
    await stage.expect_nothing_else()


# due messages


async def test_a_timer_comes_when_it_is_due_and_not_before(stage: Stage) -> None:
    item = await stage.begin("order-7")
    due = stage.now() + AHEAD
    await stage.hub.commit(item, episode(item, stage.now(), timer(item, 0, due, stage.now())))
    await stage.expect_nothing_else()
    item = await stage.item()
    assert names(item) == ["TimerFired"]
    assert stage.now() >= due


async def test_timers_come_in_the_order_in_which_they_are_due(stage: Stage) -> None:
    now = stage.now()
    for instance_id, wait_s in (("third", 6), ("first", 0), ("second", 3)):
        item = await stage.begin(instance_id)
        await stage.hub.commit(item, episode(item, now, timer(item, 0, now + AHEAD + timedelta(seconds=wait_s), now)))
    assert [(await stage.item()).instance_id for _ in range(3)] == ["first", "second", "third"]


async def test_what_was_due_long_ago_comes_at_once(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), timer(item, 0, stage.now() - timedelta(days=1), stage.now())))
    assert names(await stage.item()) == ["TimerFired"]


async def test_a_scheduled_start_waits_as_a_pending_row(stage: Stage) -> None:
    due = stage.now() + AHEAD
    await stage.hub.create(start("order-7", stage.now(), at=timestamp(due)), ANY_STATUS)
    instance = await stage.hub.instance("order-7")
    assert instance is not None
    assert (instance.status, instance.scheduled_start) == (Status.PENDING, timestamp(due))
    await stage.expect_nothing_else()
    assert names(await stage.item()) == ["ExecutionStarted"]
    assert stage.now() >= due


async def test_a_delayed_signal_to_an_entity_waits(stage: Stage) -> None:
    due = stage.now() + AHEAD
    await stage.hub.send(raised("@counter@a", f"op@{timestamp(due)}", stage.now(), '{"op":"add"}'))
    await stage.expect_nothing_else()
    assert (await stage.item()).instance_id == "@counter@a"
    assert stage.now() >= due


# early answers


async def test_an_answer_that_is_faster_than_its_question_waits_for_it(stage: Stage) -> None:
    held = await stage.begin("order-7")
    event, request = call(held, 0, "pack", stage.now())
    early = TaskCompleted(task_scheduled_id=0, result='"quick"', timestamp=timestamp(stage.now()))
    await stage.hub.send(TaskMessage(event=early, target=me(held), sender=me(held), episode=1))
    await stage.expect_nothing_else()
    await stage.hub.commit(held, episode(held, stage.now(), (event, request)))
    item = await stage.item()
    assert names(item) == ["TaskCompleted"]
    assert "TaskScheduled" in kinds(item.history)


# locks


async def test_a_purge_ends_the_right_to_commit(stage: Stage) -> None:
    await running(stage)
    await stage.hub.send(raised("order-7", "go", stage.now()))
    held = await stage.item()
    assert await stage.hub.purge("order-7")
    with pytest.raises(WorkItemLockLost):
        await stage.hub.commit(held, episode(held, stage.now(), call(held, 0, "pack", stage.now())))
    assert list(await stage.hub.history("order-7")) == []


async def test_an_item_can_be_committed_once(stage: Stage) -> None:
    held = await stage.begin("order-7")
    await stage.hub.commit(held, episode(held, stage.now()))
    with pytest.raises(WorkItemLockLost):
        await stage.hub.commit(held, episode(held, stage.now()))
    assert kinds(await stage.hub.history("order-7")) == ["OrchestratorStarted", "ExecutionStarted", "OrchestratorCompleted"]


async def test_an_abandoned_item_comes_again_as_it_was(stage: Stage) -> None:
    await running(stage)
    await stage.hub.send(raised("order-7", "a", stage.now()))
    held = await stage.item()
    before = stage.now()
    await stage.hub.abandon(held)
    await stage.expect_nothing_else()
    again = await stage.item()
    assert again.instance_id == "order-7"
    assert stage.now() - before >= timedelta(seconds=1)
    assert (names(again), list(again.history)) == (names(held), list(held.history))


async def test_who_hands_back_again_and_again_waits_longer_each_time(stage: Stage) -> None:
    item = await stage.begin("order-7")
    waits: list[float] = []
    for _ in range(3):
        before = stage.now()
        await stage.hub.abandon(item)
        item = await stage.item()
        waits.append((stage.now() - before).total_seconds())
    assert waits[2] > waits[0] + 1
    await stage.hub.commit(item, episode(item, stage.now()))


async def test_history_moves_only_by_commits(stage: Stage) -> None:
    held = await stage.begin("order-7")
    await stage.hub.abandon(held)
    assert list(await stage.hub.history("order-7")) == []
    instance = await stage.hub.instance("order-7")
    assert instance is not None
    assert instance.status is Status.PENDING

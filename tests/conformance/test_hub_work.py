"""What every task hub promises about the work that instances ask for: activities, children, generations, whatever their ids and sizes."""

from __future__ import annotations

import pytest

from linarite.durable.events import ExecutionStarted, Status, TaskCompleted, TaskScheduled
from tests.conformance.episodes import (
    ANY_STATUS,
    answer,
    call,
    child,
    child_completed,
    episode,
    kinds,
    me,
    names,
    new_generation,
    nothing,
    raised,
    start,
)
from tests.conformance.stage import Stage

TWO_MEGABYTES = '"' + "0123456789abcdef" * (2**17) + '"'

ODD_IDS = {
    "slashes": "a/b\\c",
    "table keys": "#1?%25+^",
    "quotes": 'it\'s "quoted" `twice`',
    "sql": "x'; DROP TABLE instances; --",
    "spaces": " two  words ",
    "punctuation": "2026-01-01T00:00:00Z|(a),[b];{c}=~!$&*<>",
    "umlauts": "Bestellung für Müller",
    "japanese": "注文-七",
    "emoji": "🦄 and 👩‍🚀",
    "child's": "0123456789abcdef0123456789abcdef:12",
    "entity's": "@counter@key with / and @",
    "long": "i" * 200,
}


# activities


async def test_an_activity_is_asked_for_and_its_answer_comes_back(stage: Stage) -> None:
    first = await stage.begin("order-7")
    await stage.hub.commit(first, episode(first, stage.now(), call(first, 0, "pack", stage.now(), '["box"]')))
    request = await stage.activity()
    event = request.message.event
    assert isinstance(event, TaskScheduled)
    assert (event.name, event.input, event.event_id, request.delivery) == ("pack", '["box"]', 0, 1)
    assert request.message.target == me(first)
    await stage.hub.complete(request, answer(request, stage.now(), '"packed"'))
    second = await stage.item()
    result = second.messages[0].event
    assert isinstance(result, TaskCompleted)
    assert (result.task_scheduled_id, result.result) == (0, '"packed"')


async def test_an_answered_request_does_not_come_again(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now())))
    request = await stage.activity()
    await stage.hub.complete(request, answer(request, stage.now()))
    item = await stage.item()
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 1, "ship", stage.now())))
    assert (await stage.activity()).message.event.event_id == 1


async def test_an_abandoned_request_comes_again_and_its_deliveries_are_counted(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now())))
    request = await stage.activity()
    await stage.hub.abandon_activity(request)
    again = await stage.activity()
    assert (again.message, request.delivery, again.delivery) == (request.message, 1, 2)
    await stage.hub.complete(again, answer(again, stage.now()))
    assert names(await stage.item()) == ["TaskCompleted"]


async def test_a_wide_fan_out_comes_back_whole(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), *(call(item, n, "pack", stage.now(), str(n)) for n in range(150))))
    for _ in range(150):
        request = await stage.activity()
        await stage.hub.complete(request, answer(request, stage.now(), str(request.message.event.event_id)))
    answered: set[int] = set()
    while len(answered) < 150:
        item = await stage.item()
        answered |= {message.event.task_scheduled_id for message in item.messages if isinstance(message.event, TaskCompleted)}
        await stage.hub.commit(item, episode(item, stage.now()))
    assert answered == set(range(150))


async def test_an_activitys_answer_that_comes_after_a_purge_brings_nothing_back(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now())))
    request = await stage.activity()
    assert await stage.hub.purge("order-7")
    await stage.hub.complete(request, answer(request, stage.now()))
    await stage.hub.create(start("order-8", stage.now()), ANY_STATUS)
    item = await stage.item_with_a_start()
    assert item.instance_id == "order-8"
    assert await stage.hub.instance("order-7") is None
    assert list(await stage.hub.history("order-7")) == []


# children and generations


async def test_a_child_starts_with_its_parent_named_and_its_answer_wakes_the_parent(stage: Stage) -> None:
    parent = await stage.begin("order-7")
    await stage.hub.commit(parent, episode(parent, stage.now(), child(parent, 0, "order-7:0", stage.now())))
    kid = await stage.item()
    event = kid.messages[0].event
    assert isinstance(event, ExecutionStarted)
    assert event.parent_instance is not None
    assert (kid.instance_id, event.parent_instance.orchestration_instance, event.parent_instance.task_schedule_id) == (
        "order-7:0",
        me(parent),
        0,
    )
    await stage.hub.commit(kid, episode(kid, stage.now(), child_completed(kid, stage.now(), '"grown"'), ends=Status.COMPLETED))
    parent = await stage.item()
    assert (parent.instance_id, names(parent)) == ("order-7", ["SubOrchestrationInstanceCompleted"])


async def test_a_childs_row_appears_with_its_first_commit(stage: Stage) -> None:
    parent = await stage.begin("order-7")
    await stage.hub.commit(parent, episode(parent, stage.now(), child(parent, 0, "kid", stage.now())))
    kid = await stage.item()
    assert await stage.hub.instance("kid") is None
    await stage.hub.commit(kid, episode(kid, stage.now()))
    row = await stage.hub.instance("kid")
    assert row is not None
    assert (row.status, row.execution_id) == (Status.RUNNING, "kid-e1")


async def test_a_child_under_an_id_in_use_begins_anew(stage: Stage) -> None:
    old = await stage.begin("kid")
    await stage.hub.commit(old, episode(old, stage.now(), ends=Status.COMPLETED, output='"old"'))
    parent = await stage.begin("order-7")
    await stage.hub.commit(parent, episode(parent, stage.now(), child(parent, 0, "kid", stage.now())))
    kid = await stage.item()
    assert (names(kid), list(kid.history)) == (["ExecutionStarted"], [])
    await stage.hub.commit(kid, episode(kid, stage.now()))
    assert kinds(await stage.hub.history("kid")) == ["OrchestratorStarted", "ExecutionStarted", "OrchestratorCompleted"]
    row = await stage.hub.instance("kid")
    assert row is not None
    assert (row.status, row.execution_id) == (Status.RUNNING, "kid-e1")


async def test_a_new_generation_replaces_the_history(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), custom_status='"half way"'))
    await stage.hub.send(raised("order-7", "again", stage.now()))
    item = await stage.item()
    decision = new_generation(item, stage.now(), "e2")
    await stage.hub.commit(item, decision)
    assert tuple(await stage.hub.history("order-7")) == decision.new_events
    row = await stage.hub.instance("order-7")
    assert row is not None
    assert (row.status, row.execution_id, row.input, row.generation, row.custom_status) == (Status.RUNNING, "e2", '"e2"', 0, '"half way"')
    await stage.hub.send(raised("order-7", "go", stage.now()))
    item = await stage.item()
    assert tuple(item.history) == decision.new_events
    await stage.hub.commit(item, episode(item, stage.now()))
    assert len(await stage.hub.history("order-7")) == 6


async def test_an_answer_to_an_old_generation_changes_nothing_and_hides_no_event(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now())))
    request = await stage.activity()
    await stage.hub.send(raised("order-7", "again", stage.now()))
    item = await stage.item()
    await stage.hub.complete(request, answer(request, stage.now()))
    await stage.hub.send(raised("order-7", "go", stage.now()))
    await stage.expect_nothing_else()
    await stage.hub.commit(item, new_generation(item, stage.now(), "e2"))
    seen: list[str] = []
    while "go" not in seen:
        item = await stage.item()
        if item.history:
            seen += names(item)
        await stage.hub.commit(item, episode(item, stage.now()) if item.history else nothing())
    assert (me(item).execution_id, kinds(await stage.hub.history("order-7")).count("EventRaised")) == ("e2", 1)


# sizes and names


async def test_two_megabytes_pass_through_every_place(stage: Stage) -> None:
    await stage.hub.create(start("order-7", stage.now(), input=TWO_MEGABYTES), ANY_STATUS)
    item = await stage.item()
    started = item.messages[0].event
    assert isinstance(started, ExecutionStarted)
    assert started.input == TWO_MEGABYTES
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now(), TWO_MEGABYTES), custom_status='"big"'))
    request = await stage.activity()
    scheduled = request.message.event
    assert isinstance(scheduled, TaskScheduled)
    assert scheduled.input == TWO_MEGABYTES
    await stage.hub.complete(request, answer(request, stage.now(), TWO_MEGABYTES))
    item = await stage.item()
    await stage.hub.commit(item, episode(item, stage.now(), ends=Status.COMPLETED, output=TWO_MEGABYTES))
    row = await stage.hub.instance("order-7")
    assert row is not None
    assert row.input == row.output == TWO_MEGABYTES
    result = next(event for event in await stage.hub.history("order-7") if isinstance(event, TaskCompleted))
    assert result.result == TWO_MEGABYTES
    assert await stage.hub.purge("order-7")
    assert list(await stage.hub.history("order-7")) == []


@pytest.mark.parametrize("instance_id", ODD_IDS.values(), ids=ODD_IDS.keys())
async def test_an_id_may_hold_anything(stage: Stage, instance_id: str) -> None:
    item = await stage.begin(instance_id)
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now(), '"🦄"')))
    request = await stage.activity()
    await stage.hub.complete(request, answer(request, stage.now(), '"ß"'))
    item = await stage.item()
    await stage.hub.send(raised(instance_id, "weiter – los", stage.now(), '"é"'))
    await stage.hub.commit(item, episode(item, stage.now()))
    item = await stage.item()
    assert names(item) == ["weiter – los"]
    await stage.hub.commit(item, episode(item, stage.now(), ends=Status.COMPLETED, output='"日本"'))
    row = await stage.hub.instance(instance_id)
    assert row is not None
    assert (row.instance_id, row.status, row.output) == (instance_id, Status.COMPLETED, '"日本"')
    assert len(await stage.hub.history(instance_id)) == 11
    assert await stage.hub.instance(instance_id + "x") is None
    assert await stage.hub.purge(instance_id)
    assert await stage.hub.instance(instance_id) is None

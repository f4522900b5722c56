"""What every task hub promises to clients: starting over, rows, queries, history, purge, rewind."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from linarite.durable.events import ExecutionStarted, GenericEvent, Status, SubOrchestrationInstanceCreated
from linarite.durable.instances import Instance
from linarite.errors import HubError, InstanceExists
from linarite.taskhub.protocol import InstanceQuery
from linarite.timestamps import moment, timestamp
from tests.conformance.episodes import (
    ANY_STATUS,
    FINISHED,
    call,
    child,
    child_failed,
    episode,
    failure,
    kinds,
    me,
    names,
    raised,
    start,
    suspended,
)
from tests.conformance.stage import AHEAD, Stage

LONG_AGO = datetime(2024, 2, 29, 12, 0, 0, 123456, timezone.utc)


async def row(stage: Stage, instance_id: str) -> Instance:
    found = await stage.hub.instance(instance_id)
    assert found is not None
    return found


async def finished(stage: Stage, instance_id: str, status: Status = Status.COMPLETED, output: str | None = '"done"') -> None:
    """An instance that has run and ended so."""
    item = await stage.begin(instance_id)
    await stage.hub.commit(item, episode(item, stage.now(), ends=status, output=output, custom_status='"was here"'))


# starting


async def test_a_created_instance_is_pending_before_anyone_has_run_it(stage: Stage) -> None:
    now = stage.now()
    await stage.hub.create(start("order-7", LONG_AGO, "e1", input="[1]", tags={"a": "b"}), frozenset())
    pending = await row(stage, "order-7")
    assert (pending.instance_id, pending.execution_id, pending.name, pending.status) == ("order-7", "e1", "chain", Status.PENDING)
    assert (pending.input, pending.output, pending.custom_status, pending.tags) == ("[1]", None, None, {"a": "b"})
    assert pending.created_at == timestamp(LONG_AGO)
    assert moment(pending.last_updated_at) >= now
    assert (pending.completed_at, pending.scheduled_start, pending.generation) == (None, None, 0)
    assert list(await stage.hub.history("order-7")) == []


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.TERMINATED])
async def test_an_instance_that_may_be_replaced_begins_anew_with_nothing_of_the_old(stage: Stage, status: Status) -> None:
    await finished(stage, "order-7", status)
    await stage.hub.create(start("order-7", stage.now(), "e2", input='"new"'), FINISHED)
    pending = await row(stage, "order-7")
    assert (pending.execution_id, pending.status, pending.generation) == ("e2", Status.PENDING, 1)
    assert (pending.input, pending.output, pending.custom_status, pending.completed_at) == ('"new"', None, None, None)
    item = await stage.item()
    assert (names(item), list(item.history), me(item).execution_id) == (["ExecutionStarted"], [], "e2")
    await stage.hub.commit(item, episode(item, stage.now()))
    started = [event for event in await stage.hub.history("order-7") if isinstance(event, ExecutionStarted)]
    assert [event.orchestration_instance.execution_id for event in started] == ["e2"]
    assert [event.generation for event in started] == [1]
    begun = await row(stage, "order-7")
    assert (begun.execution_id, begun.status, begun.output, begun.generation) == ("e2", Status.RUNNING, None, 1)


async def test_an_instance_that_may_not_be_replaced_is_left_alone_and_its_status_named(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now()))
    with pytest.raises(InstanceExists) as refusal:
        await stage.hub.create(start("order-7", stage.now(), "e2"), FINISHED)
    assert (refusal.value.instance_id, refusal.value.status_label) == ("order-7", "Running")
    assert (await row(stage, "order-7")).execution_id == "e1"
    await stage.expect_nothing_else()


async def test_a_start_that_was_replaced_before_it_was_read_never_runs(stage: Stage) -> None:
    due = stage.now() + AHEAD
    await stage.hub.create(start("order-7", stage.now(), "e1", at=timestamp(due)), ANY_STATUS)
    await stage.hub.create(start("order-7", stage.now() + timedelta(seconds=1), "e2", at=timestamp(due)), ANY_STATUS)
    item = await stage.item()
    assert me(item).execution_id == "e2"
    await stage.hub.commit(item, episode(item, stage.now(), ends=Status.COMPLETED))
    await stage.expect_nothing_else()
    assert (await row(stage, "order-7")).execution_id == "e2"


# rows


async def test_the_row_follows_the_instance_through_its_life(stage: Stage) -> None:
    item = await stage.begin("order-7")
    await stage.hub.commit(item, episode(item, stage.now(), custom_status='"one"'))
    one = await row(stage, "order-7")
    assert (one.status, one.custom_status, one.output) == (Status.RUNNING, '"one"', None)

    await stage.hub.send(suspended("order-7", "lunch", stage.now()))
    item = await stage.item()
    await stage.hub.commit(item, episode(item, stage.now()))
    two = await row(stage, "order-7")
    assert (two.status, two.custom_status, two.output) == (Status.SUSPENDED, '"one"', "lunch")

    await stage.hub.send(raised("order-7", "go", stage.now()))
    item = await stage.item()
    await stage.hub.commit(item, episode(item, stage.now(), ends=Status.COMPLETED, output="[1]", custom_status='"two"'))
    three = await row(stage, "order-7")
    assert (three.status, three.custom_status, three.output, three.name) == (Status.COMPLETED, '"two"', "[1]", "chain")
    assert three.completed_at is not None
    assert moment(three.completed_at) >= moment(three.created_at)
    assert three.created_at == one.created_at


async def test_an_instance_that_ends_in_its_first_episode_has_all_of_it_in_its_row(stage: Stage) -> None:
    await finished(stage, "order-7", output='"at once"')
    done = await row(stage, "order-7")
    assert (done.status, done.output, done.custom_status, done.input) == (Status.COMPLETED, '"at once"', '"was here"', None)


async def test_nobody_has_neither_row_nor_history(stage: Stage) -> None:
    assert await stage.hub.instance("nobody") is None
    assert list(await stage.hub.history("nobody")) == []


# queries


async def populate(stage: Stage) -> None:
    """Ten instances, created a minute apart, in three statuses; one of them an entity."""
    for n, instance_id in enumerate(["a-0", "a-1", "a-2", "a-3", "a", "b-0", "b-1", "ba", "c", "@counter@k"]):
        await stage.hub.create(start(instance_id, LONG_AGO + timedelta(minutes=n), input=f'"{n}"'), ANY_STATUS)
    for _ in range(10):
        item = await stage.item()
        if item.instance_id.startswith("a-"):
            await stage.hub.commit(item, episode(item, stage.now(), ends=Status.COMPLETED, output='"out"'))
        elif item.instance_id.startswith("b"):
            await stage.hub.commit(item, episode(item, stage.now()))


async def listed(stage: Stage, query: InstanceQuery) -> list[Instance]:
    """All pages of a query."""
    page = await stage.hub.instances(query)
    found = list(page.instances)
    while page.continuation is not None:
        assert len(page.instances) <= query.page_size
        page = await stage.hub.instances(replace(query, after=page.continuation))
        found += page.instances
    return found


def minute(n: int) -> str:
    return timestamp(LONG_AGO + timedelta(minutes=n))


QUERIES = {
    "all": (InstanceQuery(), ["@counter@k", "a", "a-0", "a-1", "a-2", "a-3", "b-0", "b-1", "ba", "c"]),
    "pages of three": (InstanceQuery(page_size=3), ["@counter@k", "a", "a-0", "a-1", "a-2", "a-3", "b-0", "b-1", "ba", "c"]),
    "a page that just holds all": (InstanceQuery(page_size=10), ["@counter@k", "a", "a-0", "a-1", "a-2", "a-3", "b-0", "b-1", "ba", "c"]),
    "created from, inclusive": (InstanceQuery(created_from=minute(7)), ["@counter@k", "ba", "c"]),
    "created to, inclusive": (InstanceQuery(created_to=minute(1)), ["a-0", "a-1"]),
    "created between": (InstanceQuery(created_from=minute(1), created_to=minute(2)), ["a-1", "a-2"]),
    "a status": (InstanceQuery(statuses=frozenset({Status.COMPLETED})), ["a-0", "a-1", "a-2", "a-3"]),
    "two statuses": (
        InstanceQuery(statuses=frozenset({Status.PENDING, Status.RUNNING}), exclude_entities=True),
        ["a", "b-0", "b-1", "ba", "c"],
    ),
    "a status nobody has": (InstanceQuery(statuses=frozenset({Status.FAILED})), []),
    "a prefix": (InstanceQuery(id_prefix="a"), ["a", "a-0", "a-1", "a-2", "a-3"]),
    "a longer prefix": (InstanceQuery(id_prefix="b-"), ["b-0", "b-1"]),
    "an entity's prefix": (InstanceQuery(id_prefix="@counter@"), ["@counter@k"]),
    "a prefix nobody has": (InstanceQuery(id_prefix="d"), []),
    "no entities": (InstanceQuery(exclude_entities=True, page_size=4), ["a", "a-0", "a-1", "a-2", "a-3", "b-0", "b-1", "ba", "c"]),
    "everything at once": (
        InstanceQuery(
            created_from=minute(1),
            created_to=minute(3),
            statuses=frozenset({Status.COMPLETED, Status.FAILED}),
            id_prefix="a-",
            page_size=2,
        ),
        ["a-1", "a-2", "a-3"],
    ),
}


async def test_queries_find_what_they_ask_for_in_the_order_of_ids(stage: Stage) -> None:
    await populate(stage)
    found = {name: [instance.instance_id for instance in await listed(stage, query)] for name, (query, _) in QUERIES.items()}
    assert found == {name: expected for name, (_, expected) in QUERIES.items()}


async def test_a_query_leaves_out_the_texts_that_are_not_wanted(stage: Stage) -> None:
    await populate(stage)
    for with_input, with_output in ((True, True), (True, False), (False, True), (False, False)):
        (instance,) = await listed(stage, InstanceQuery(id_prefix="a-0", with_input=with_input, with_output=with_output))
        assert (instance.input, instance.output) == ('"0"' if with_input else None, '"out"' if with_output else None)
        assert instance.status is Status.COMPLETED


async def test_an_empty_hub_has_one_empty_page(stage: Stage) -> None:
    page = await stage.hub.instances(InstanceQuery())
    assert (page.instances, page.continuation) == ((), None)


# purge


async def test_a_purge_leaves_nothing_and_says_whether_there_was_something(stage: Stage) -> None:
    await finished(stage, "order-7")
    await finished(stage, "order-77")
    assert await stage.hub.purge("order-7")
    assert await stage.hub.instance("order-7") is None
    assert list(await stage.hub.history("order-7")) == []
    assert [instance.instance_id for instance in await listed(stage, InstanceQuery())] == ["order-77"]
    assert not await stage.hub.purge("order-7")
    assert not await stage.hub.purge("nobody")


async def test_a_purged_id_can_be_used_again_from_the_beginning(stage: Stage) -> None:
    await finished(stage, "order-7")
    assert await stage.hub.purge("order-7")
    item = await stage.begin("order-7", "e2")
    await stage.hub.commit(item, episode(item, stage.now()))
    again = await row(stage, "order-7")
    assert (again.execution_id, again.generation, again.custom_status, again.output) == ("e2", 0, None, None)


async def test_a_start_that_was_purged_before_it_was_due_never_runs(stage: Stage) -> None:
    due = stage.now() + AHEAD
    await stage.hub.create(start("order-7", stage.now(), at=timestamp(due)), ANY_STATUS)
    assert await stage.hub.purge("order-7")
    await stage.hub.create(start("later", stage.now(), at=timestamp(due + timedelta(seconds=1))), ANY_STATUS)
    assert (await stage.item()).instance_id == "later"
    assert await stage.hub.instance("order-7") is None


# rewind


async def failed_by_an_activity(stage: Stage, instance_id: str) -> None:
    """An instance that failed because its one activity did."""
    item = await stage.begin(instance_id)
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now())))
    request = await stage.activity()
    await stage.hub.complete(request, failure(request, stage.now(), "no paper"))
    item = await stage.item()
    await stage.hub.commit(item, episode(item, stage.now(), ends=Status.FAILED, output="no paper"))


async def test_a_rewind_takes_the_failure_back_and_wakes_the_instance(stage: Stage) -> None:
    await failed_by_an_activity(stage, "order-7")
    await stage.hub.rewind("order-7", "paper bought")
    assert (await row(stage, "order-7")).status is Status.PENDING
    history = await stage.hub.history("order-7")
    assert kinds(history) == [
        *("OrchestratorStarted", "ExecutionStarted", "GenericEvent", "OrchestratorCompleted"),
        *("OrchestratorStarted", "GenericEvent", "GenericEvent", "OrchestratorCompleted"),
    ]
    item = await stage.item()
    (message,) = item.messages
    assert isinstance(message.event, GenericEvent)
    assert message.event.data == "paper bought"
    assert kinds(item.history) == kinds(history)
    await stage.hub.commit(item, episode(item, stage.now(), call(item, 0, "pack", stage.now())))
    assert (await stage.activity()).message.event.event_id == 0


async def test_a_rewind_goes_down_to_the_children_that_failed(stage: Stage) -> None:
    parent = await stage.begin("order-7")
    await stage.hub.commit(parent, episode(parent, stage.now(), child(parent, 0, "kid", stage.now())))
    kid = await stage.item()
    await stage.hub.commit(kid, episode(kid, stage.now(), child_failed(kid, stage.now(), "no"), ends=Status.FAILED, output="no"))
    parent = await stage.item()
    await stage.hub.commit(parent, episode(parent, stage.now(), ends=Status.FAILED, output="no"))
    await stage.hub.rewind("order-7", None)
    assert [(await row(stage, instance_id)).status for instance_id in ("order-7", "kid")] == [Status.PENDING, Status.PENDING]
    asked = [event for event in await stage.hub.history("order-7") if isinstance(event, SubOrchestrationInstanceCreated)]
    assert [event.instance_id for event in asked] == ["kid"]
    item = await stage.item()
    assert (item.instance_id, names(item)) == ("kid", ["GenericEvent"])
    await stage.expect_nothing_else()


async def test_who_has_no_history_cannot_be_rewound(stage: Stage) -> None:
    with pytest.raises(HubError):
        await stage.hub.rewind("nobody", None)

"""What is told to begin more than once begins once: a child's parent may die while it tells it, and any start can be delivered again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from linarite.durable.decision import Decision
from linarite.durable.events import EventRaised, ExecutionStarted, OrchestrationInstance, ParentInstance
from linarite.durable.messages import TaskMessage
from linarite.taskhub.azure import envelopes
from linarite.taskhub.azure.envelopes import Envelope
from linarite.taskhub.azure.held import Held
from linarite.taskhub.azure.hub import AzureHub
from linarite.taskhub.azure.sessions import Session
from linarite.taskhub.protocol import OrchestrationWorkItem
from tests.taskhub.azure.conftest import Hubs
from tests.taskhub.azure.scripted import NOBODY, episode, finish, generation, now, start, to

pytestmark = pytest.mark.azurite

PATIENCE_S = 60

PARENT = ParentInstance(
    name="Main", orchestration_instance=OrchestrationInstance(instance_id="order", execution_id="order-1"), task_schedule_id=0, version=""
)


def child_start(task_id: int = 0) -> TaskMessage:
    """What the parent sends for this task, each time under another execution id."""
    message = start("order-1:0", name="Sub")
    parent = msgspec.structs.replace(PARENT, task_schedule_id=task_id)
    return msgspec.structs.replace(message, event=msgspec.structs.replace(message.event, parent_instance=parent))


async def put(hubs: Hubs, message: TaskMessage) -> None:
    """Put a message into its queue as another host would."""
    text = envelopes.encode(Envelope(message, "0" * 8, 1))
    await hubs.storage.queues.put(hubs.names.control_queue_of(message.target.instance_id), text)


@pytest_asyncio.fixture
async def hub(hubs: Hubs) -> AsyncIterator[AzureHub]:
    yield await hubs.working()


async def next_item(hub: AzureHub) -> OrchestrationWorkItem:
    return await asyncio.wait_for(hub.next_orchestration(), PATIENCE_S)


async def begun(hubs: Hubs, hub: AzureHub, message: TaskMessage) -> OrchestrationWorkItem:
    await put(hubs, message)
    item = await next_item(hub)
    assert generation(item) == message.target.execution_id
    return item


def continued(item: OrchestrationWorkItem) -> Decision:
    """The child goes on as another generation, which has the same parent."""
    [message] = item.messages
    assert isinstance(message.event, ExecutionStarted)
    again = OrchestrationInstance(instance_id=item.instance_id, execution_id="next")
    first = episode(item)
    began, _, ended = first.new_events
    started = msgspec.structs.replace(message.event, orchestration_instance=again, input='"next"')
    return Decision("next", new_events=(began, started, ended), replaces_history=True)


async def told_again(hubs: Hubs, hub: AzureHub, message: TaskMessage) -> OrchestrationWorkItem:
    """What the child gets to see when it is told to begin once more, and then something else."""
    await put(hubs, message)
    await put(hubs, to("order-1:0", EventRaised(name="after", timestamp=now())))
    return await next_item(hub)


async def test_a_start_that_comes_again_after_the_child_continued_as_new_is_dropped(hubs: Hubs, hub: AzureHub) -> None:
    told = child_start()
    item = await begun(hubs, hub, told)
    await hub.commit(item, continued(item))
    seen = await told_again(hubs, hub, told)
    assert generation(seen) == "next"
    assert [type(message.event) for message in seen.messages] == [EventRaised]


@pytest.mark.parametrize("is_over", [False, True])
async def test_a_second_start_for_the_same_task_is_dropped(hubs: Hubs, hub: AzureHub, is_over: bool) -> None:
    first = child_start()
    item = await begun(hubs, hub, first)
    await hub.commit(item, finish(item) if is_over else episode(item))
    seen = await told_again(hubs, hub, child_start())
    assert generation(seen) == first.target.execution_id
    assert [type(message.event) for message in seen.messages] == [EventRaised]


async def test_a_start_for_another_task_begins_the_child_anew(hubs: Hubs, hub: AzureHub) -> None:
    item = await begun(hubs, hub, child_start())
    await hub.commit(item, finish(item))
    await begun(hubs, hub, child_start(task_id=1))


async def test_a_host_that_knows_nothing_yet_drops_a_second_start_too(hubs: Hubs, hub: AzureHub) -> None:
    first = child_start()
    item = await begun(hubs, hub, first)
    await hub.commit(item, episode(item))
    hub._orchestrations.forget("order-1:0")
    seen = await told_again(hubs, hub, child_start())
    assert generation(seen) == first.target.execution_id


async def test_a_start_that_came_again_before_its_generation_continued_as_new_is_dropped(hubs: Hubs, hub: AzureHub) -> None:
    told = start("order")
    await hub.create(told, NOBODY)
    item = await next_item(hub)
    take_in = hub._orchestrations._sessions.add  # what a second delivery comes to, once the row has confirmed it
    taken_in = asyncio.Event()

    def add(held: Held) -> Session:
        session = take_in(held)
        taken_in.set()
        return session

    hub._orchestrations._sessions.add = add  # type: ignore[method-assign]
    await put(hubs, told)
    await asyncio.wait_for(taken_in.wait(), PATIENCE_S)
    await hub.commit(item, continued(item))
    await put(hubs, to("order", EventRaised(name="after", timestamp=now())))
    seen = await next_item(hub)
    assert generation(seen) == "next"
    assert [type(message.event) for message in seen.messages] == [EventRaised]

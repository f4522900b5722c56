"""What every task hub promises, whatever it is made of. Only the port is used; see linarite.taskhub.protocol.

Negative statements are made with a canary (`expect_nothing_else`): an instance started afterwards is the next to come.
"""

from __future__ import annotations

from linarite.durable.events import Status
from tests.conformance.episodes import ANY_STATUS, episode, kinds, names, raised, start
from tests.conformance.stage import Stage


async def test_a_start_is_delivered_with_no_history(stage: Stage) -> None:
    await stage.hub.create(start("order-7", stage.now(), input='{"n": 1}'), ANY_STATUS)
    item = await stage.item()
    assert (item.instance_id, list(item.history), names(item)) == ("order-7", [], ["ExecutionStarted"])
    assert item.messages[0].event.input == '{"n": 1}'  # type: ignore[union-attr]
    assert item.messages[0].event.generation == 0  # type: ignore[union-attr]


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

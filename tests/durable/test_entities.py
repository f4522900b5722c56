"""Turns of entities."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from linarite.durable.decision import Decision
from linarite.durable.entities import Batch, BatchReply, Result, Signal, take_entity_turn
from linarite.durable.entity_messages import UNSTAMPED, EntityName, Release, Request, to_text
from linarite.durable.events import (
    EventRaised,
    ExecutionStarted,
    ExecutionTerminated,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    Status,
)
from linarite.durable.instances import instance_update
from linarite.durable.messages import TaskMessage
from linarite.settings import DurableSettings

NOW = "2026-01-01T12:00:00.5Z"
ME = "@counter@k"
IDS = "00000000000000000000000000000001"


def client(op: str, text: str | None = None, **members: Any) -> Request:
    return Request(op=op, signal=True, input=text, id=f"id-{op}", **members)


def call(op: str, at: str = "", after: str = "", parent: str = "order-7", **members: Any) -> Request:
    return Request(
        op=op,
        id=f"id-{op}{at}",
        parent=parent,
        parent_execution="e1",
        stamp=at or UNSTAMPED,
        predecessor=after or UNSTAMPED,
        **members,
    )


def lock(*keys: str, pos: int = 0, parent: str = "order-7") -> Request:
    return Request(
        op=None, id="lock-id", parent=parent, parent_execution="e1", lockset=tuple(EntityName(name="counter", key=k) for k in keys), pos=pos
    )


def raised(message: Request | Release, name: str = "") -> TaskMessage:
    name = name or ("op" if isinstance(message, Request) else "release")
    event = EventRaised(name=name, input=to_text(message), timestamp=NOW)
    return TaskMessage(event=event, target=OrchestrationInstance(instance_id=ME))


class Entity:
    """An entity on a hub of its own; its operations answer with their own names."""

    def __init__(self, **settings: Any) -> None:
        self.settings = DurableSettings(**settings)
        self.history: tuple[HistoryEvent, ...] = ()
        self.batches: list[Batch] = []
        self.signals: tuple[Signal, ...] = ()
        self.decision = Decision(execution_id="")

    def turn(self, *messages: TaskMessage, now: str = NOW) -> Decision:
        ids = iter(f"{n:032x}" for n in range(1, 50))
        turn = take_entity_turn(ME, self.history, messages, now, lambda: next(ids), self.settings)
        try:
            batch = next(turn)
            while True:
                self.batches.append(batch)
                results = tuple(Result(f'"{operation.op}"', operation.op == "fail") for operation in batch.operations)
                batch = turn.send(BatchReply(True, str(len(self.batches)), results, self.signals, now))
        except StopIteration as end:
            self.decision = end.value
        if self.decision.new_events:
            self.history = self.decision.new_events
        return self.decision

    @property
    def state(self) -> Any:
        started = self.history[1]
        assert isinstance(started, ExecutionStarted)
        return json.loads(started.input or "")

    def ran(self) -> list[str | None]:
        return [operation.op for operation in self.batches[-1].operations]

    def sent(self) -> list[tuple[str, str, Any]]:
        events = [(m.target.instance_id, m.event) for m in self.decision.outbound]
        return [(to, e.name, json.loads(e.input or "null")) for to, e in events if isinstance(e, EventRaised)]


def test_the_first_message_brings_an_entity_into_being() -> None:
    entity = Entity()
    decision = entity.turn(raised(client("add", '"5"')))
    assert entity.batches == [Batch("counter", "k", False, None, (client("add", '"5"'),))]
    begun, started, done = decision.new_events
    assert (type(begun), type(done), begun.is_played, done.is_played) == (OrchestratorStarted, OrchestratorCompleted, False, True)
    assert isinstance(started, ExecutionStarted)
    assert (started.name, started.version, started.generation, started.is_played) == (ME, "", None, True)
    assert started.input == '{"exists":true,"state":"1","sorter":{}}'
    assert (decision.replaces_history, decision.custom_status) == (True, '{"entityExists":true}')


def test_the_row_of_an_entity_stays_running_and_learns_its_state() -> None:
    decision = Entity().turn(raised(client("add")))
    update = instance_update(decision.new_events, execution_id=decision.execution_id, custom_status=decision.custom_status, now=NOW)
    assert (update.status, update.name, update.input) == (Status.RUNNING, ME, '{"exists":true,"state":"1","sorter":{}}')


def test_a_key_may_hold_more_at_signs() -> None:
    turn = take_entity_turn("@counter@a@b", (), [raised(client("add"))], NOW, lambda: IDS, DurableSettings())
    batch = next(turn)
    assert (batch.name, batch.key) == ("counter", "a@b")


def test_a_call_is_answered_and_a_signal_is_not() -> None:
    entity = Entity()
    entity.turn(raised(client("add")), raised(call("get")), raised(call("fail")))
    assert entity.ran() == ["add", "get", "fail"]
    response = "Microsoft.Azure.WebJobs.Extensions.DurableTask.ResponseMessage, Microsoft.Azure.WebJobs.Extensions.DurableTask"
    assert entity.sent() == [
        ("order-7", "id-get", {"$type": response, "result": '"get"'}),
        ("order-7", "id-fail", {"$type": response, "result": '"fail"', "exceptionType": "Error"}),
    ]
    message = entity.decision.outbound[0]
    assert message.target == OrchestrationInstance(instance_id="order-7", execution_id="e1")
    assert message.sender is not None
    assert (message.sender.instance_id, message.episode) == (ME, 1)


def test_the_state_goes_from_batch_to_batch() -> None:
    entity = Entity()
    entity.turn(raised(client("add")))
    entity.turn(raised(client("get")))
    assert (entity.batches[1].exists, entity.batches[1].state) == (True, "1")
    assert entity.state["state"] == "2"


def test_one_senders_messages_are_put_in_order_and_repeats_are_dropped() -> None:
    t1, t2, t3 = "2026-01-01T12:00:00.1Z", "2026-01-01T12:00:00.2Z", "2026-01-01T12:00:00.3Z"
    entity = Entity()
    entity.turn(raised(call("third", t3, t2)), raised(call("first", t1)))
    assert entity.ran() == ["first"]
    entity.turn(raised(call("second", t2, t1)), raised(call("first", t1)), raised(call("second", t2, t1)))
    assert entity.ran() == ["second", "third"]
    received = entity.state["sorter"]["ReceivedFromInstance"]
    assert received == {"order-7": {"Last": t3, "ExecutionId": "e1"}}
    assert entity.state["sorter"]["ReceiveHorizon"] == "2026-01-01T11:30:00.3Z"


def test_what_waits_for_a_predecessor_is_kept_with_the_state() -> None:
    entity = Entity()
    entity.turn(raised(call("late", "2026-01-01T12:00:00.2Z", "2026-01-01T12:00:00.1Z")))
    assert not entity.batches
    assert list(entity.state["sorter"]["ReceivedFromInstance"]["order-7"]["Buffered"]) == ["2026-01-01T12:00:00.2Z"]


def test_a_sender_that_continued_as_new_counts_anew() -> None:
    entity = Entity()
    entity.turn(raised(call("old", "2026-01-01T12:00:00.5Z")))
    again = Request(op="new", id="n", parent="order-7", parent_execution="e2", stamp="2026-01-01T12:00:00.1Z")
    entity.turn(raised(again))
    assert entity.ran() == ["new"]


def test_the_end_of_a_chain_that_its_sender_died_in_is_dropped_once_it_is_sent_again() -> None:
    """Whoever sends it again uses later stamps; what was lost of the first attempt never comes."""
    lost, again = ("2026-01-01T12:00:00.1Z", "2026-01-01T12:00:00.2Z"), ("2026-01-01T12:00:00.5Z", "2026-01-01T12:00:00.6Z")
    entity = Entity()
    entity.turn(raised(call("read", lost[1], lost[0])))
    entity.turn(raised(call("read", again[1], again[0])), raised(call("add", again[0])))
    assert entity.ran() == ["add", "read"]
    assert entity.state["sorter"]["ReceivedFromInstance"] == {"order-7": {"Last": again[1], "ExecutionId": "e1"}}


def test_what_comes_late_of_a_generation_that_is_over_does_not_hold_up_the_next() -> None:
    def of(generation: str, op: str, at: str, after: str = "") -> TaskMessage:
        return raised(msgspec.structs.replace(call(op, at, after), parent_execution=generation))

    first, second, third = (f"2026-01-01T12:00:00.{n}Z" for n in range(1, 4))
    entity = Entity()
    entity.turn(of("e2", "second", second), of("e1", "first", first), of("e2", "third", third, second))
    assert entity.ran() == ["second", "first", "third"]


def test_generations_that_begin_at_one_time_do_not_hold_each_other_up() -> None:
    """On a clock that stands still."""
    at, after = "2026-01-01T12:00:00Z", "2026-01-01T12:00:00.0000001"
    entity = Entity()
    for generation in ("e1", "e2"):
        told, asked = call("add", at), call("read", after, at)
        entity.turn(*(raised(msgspec.structs.replace(one, parent_execution=generation)) for one in (told, asked)))
        assert entity.ran() == ["add", "read"]


def test_a_predecessor_out_of_the_window_is_not_waited_for() -> None:
    entity = Entity()
    entity.turn(raised(call("x", "2026-01-01T12:00:00Z", "2026-01-01T10:00:00Z")))
    assert entity.ran() == ["x"]


def test_without_a_window_nothing_is_sorted() -> None:
    entity = Entity(entity_reorder_window_s=0.0)
    entity.turn(raised(call("x", "2026-01-01T12:00:00.2Z", "2026-01-01T12:00:00.1Z")))
    assert entity.ran() == ["x"]
    assert entity.state["sorter"] == {}


def test_a_batch_is_no_larger_than_the_setting_and_the_rest_follows() -> None:
    entity = Entity(max_entity_batch=2)
    entity.turn(*(raised(client(name)) for name in "abc"))
    assert entity.ran() == ["a", "b"]
    assert [(to, name) for to, name, _ in entity.sent()] == [(ME, "continue")]
    assert entity.decision.custom_status == '{"entityExists":true,"queueSize":1}'
    wake = TaskMessage(event=EventRaised(name="continue", timestamp=NOW), target=OrchestrationInstance(instance_id=ME))
    entity.turn(wake)
    assert entity.ran() == ["c"]


def test_a_lock_is_granted_and_holds_others_off_until_it_is_given_back() -> None:
    entity = Entity()
    entity.turn(raised(lock("k")))
    assert [(to, name, text["result"]) for to, name, text in entity.sent()] == [("order-7", "lock-id", "Lock Acquisition Completed")]
    assert entity.decision.custom_status == '{"lockedBy":"order-7"}'
    entity.turn(raised(client("other")), raised(call("mine")))
    assert entity.ran() == ["mine"]
    assert entity.state["queue"][0]["op"] == "other"
    entity.turn(raised(Release(parent="somebody", id="lock-id")))
    assert entity.state["lockedBy"] == "order-7"
    entity.turn(raised(Release(parent="order-7", id="lock-id")))
    assert entity.ran() == ["other"]
    assert "lockedBy" not in entity.state


def test_a_lock_request_ends_a_batch_and_waits_for_its_turn() -> None:
    entity = Entity()
    entity.turn(raised(client("before")), raised(lock("k")), raised(client("after")))
    assert entity.ran() == ["before"]
    assert [queued["op"] for queued in entity.state["queue"]] == ["after"]


def test_a_lock_request_is_passed_on_to_the_next_of_its_set() -> None:
    entity = Entity()
    entity.turn(raised(lock("k", "l")))
    assert [(to, name, text["pos"]) for to, name, text in entity.sent()] == [("@counter@l", "op", 1)]


def test_a_scheduled_request_waits_for_its_time_and_is_sent_again_if_it_comes_early() -> None:
    entity = Entity()
    due = "2026-01-01T13:00:00Z"
    entity.turn(raised(client("later", due=due), "op@2026-01-01T13:00:00.0000000Z"))
    assert not entity.batches
    assert [(to, name) for to, name, _ in entity.sent()] == [(ME, "op@2026-01-01T13:00:00.0000000Z")]
    assert entity.decision.outbound[0].due_at == due
    entity.turn(raised(client("later", due=due), "op@2026-01-01T13:00:00.0000000Z"), now=due)
    assert entity.ran() == ["later"]


def test_a_request_for_next_month_travels_in_legs_of_six_days() -> None:
    entity = Entity()
    entity.turn(raised(client("later", due="2026-02-01T00:00:00Z"), "op@x"))
    assert entity.decision.outbound[0].due_at == "2026-01-07T12:00:00.5Z"


def test_operations_may_signal_other_entities_in_order() -> None:
    entity = Entity()
    entity.signals = (Signal("@counter@other", "add", '"5"'), Signal("@counter@other", "add", '"6"'))
    entity.turn(raised(client("x")))
    first, second = (text for _, _, text in entity.sent())
    assert (first["parent"], first["signal"], first["input"], first["Timestamp"]) == (ME, True, '"5"', NOW)
    assert (second["Timestamp"], second["Predecessor"]) == ("2026-01-01T12:00:00.5000001", NOW)
    assert entity.state["sorter"]["LastSentToInstance"] == {"@counter@other": "2026-01-01T12:00:00.5000001"}


def test_a_message_that_is_none_changes_nothing() -> None:
    entity = Entity()
    broken = TaskMessage(event=EventRaised(name="op", input="{", timestamp=NOW), target=OrchestrationInstance(instance_id=ME))
    entity.turn(raised(client("a")), broken)
    assert entity.ran() == ["a"]


def test_a_terminated_entity_does_nothing_more() -> None:
    entity = Entity()
    entity.turn(raised(client("a")))
    ended = TaskMessage(event=ExecutionTerminated(input="why", timestamp=NOW), target=OrchestrationInstance(instance_id=ME))
    decision = entity.turn(ended)
    update = instance_update(decision.new_events, execution_id=decision.execution_id, custom_status=None, now=NOW)
    assert (update.status, update.output) == (Status.TERMINATED, "why")
    assert not decision.replaces_history
    entity.history = (*entity.history, *decision.new_events)
    assert not entity.turn(raised(client("b"))).new_events


def test_nothing_comes_of_control_messages_to_an_entity_that_is_not() -> None:
    ended = TaskMessage(event=ExecutionTerminated(timestamp=NOW), target=OrchestrationInstance(instance_id=ME))
    assert Entity().turn(ended) == Decision(execution_id="")


@pytest.mark.parametrize("name", ["op", "op@2026-01-01T13:00:00.0000000Z"])
def test_only_a_scheduled_request_to_an_entity_waits(name: str) -> None:
    message = raised(client("x"), name)
    assert message.due_at == (None if name == "op" else "2026-01-01T13:00:00Z")

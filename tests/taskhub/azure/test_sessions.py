from __future__ import annotations

from datetime import datetime, timedelta, timezone

from linarite.durable.events import (
    EventRaised,
    ExecutionStarted,
    OrchestrationInstance,
    OrchestratorStarted,
    ParentInstance,
    TaskCompleted,
    TaskScheduled,
)
from linarite.durable.messages import TaskMessage
from linarite.storage.queues import Receipt
from linarite.taskhub.azure.held import Held
from linarite.taskhub.azure.sessions import Batch, Checkpoint, Session, Sessions, in_order, split, without_repeated_starts

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
AT = "2026-01-01T00:00:00Z"


def held(event: object, execution_id: str | None = None, instance_id: str = "i", delivery: int = 1) -> Held:
    message = TaskMessage(event=event, target=OrchestrationInstance(instance_id=instance_id, execution_id=execution_id))  # type: ignore[arg-type]
    return Held("q", message, Receipt("id", "receipt", NOW + timedelta(seconds=30)), delivery, (NOW, 0), NOW)


def raised(name: str = "go", execution_id: str | None = None) -> Held:
    return held(EventRaised(name=name, timestamp=AT), execution_id)


def started(execution_id: str) -> Held:
    target = OrchestrationInstance(instance_id="i", execution_id=execution_id)
    return held(ExecutionStarted(orchestration_instance=target, name="Main", timestamp=AT), execution_id)


def child_started(execution_id: str) -> Held:
    target = OrchestrationInstance(instance_id="i", execution_id=execution_id)
    parent = ParentInstance(
        name="Main", orchestration_instance=OrchestrationInstance(instance_id="p", execution_id="p1"), task_schedule_id=3, version=""
    )
    return held(ExecutionStarted(orchestration_instance=target, parent_instance=parent, name="Sub", timestamp=AT), execution_id)


def completed(task_id: int, execution_id: str | None = None, delivery: int = 1) -> Held:
    return held(TaskCompleted(task_scheduled_id=task_id, timestamp=AT), execution_id, delivery=delivery)


def batches(session: Session) -> list[tuple[str | None, int]]:
    return [(batch.execution_id, len(batch.messages)) for batch in session.waiting]


def test_messages_of_one_generation_wait_together() -> None:
    sessions = Sessions()
    for one in (raised(), completed(0, "one"), raised()):
        session = sessions.add(one)
    assert batches(session) == [("one", 3)]


def test_a_start_opens_a_batch_of_its_own_that_later_events_join() -> None:
    sessions = Sessions()
    for one in (raised(), started("two"), raised(), completed(0, "one")):
        session = sessions.add(one)
    assert batches(session) == [("one", 2), ("two", 2)]


def test_what_arrives_while_an_instance_is_out_waits_for_its_return() -> None:
    sessions = Sessions()
    session = sessions.add(started("one"))
    sessions.activate(session)
    sessions.add(raised())
    sessions.add(started("two"))
    assert batches(session) == [("two", 1)]
    sessions.release(session, Checkpoint("one", "etag", (OrchestratorStarted(timestamp=AT),)))
    assert batches(session) == [(None, 1), ("two", 1)]


def test_unread_messages_come_first_again() -> None:
    sessions = Sessions()
    session = sessions.add(started("one"))
    sessions.activate(session)
    unread, later = completed(0, "one"), raised()
    sessions.add(later)
    sessions.release(session, None, [unread])
    assert session.waiting[0].messages == [unread, later]


def test_an_instance_with_nothing_to_do_is_kept_only_with_its_history() -> None:
    sessions = Sessions()
    session = sessions.add(started("one"))
    sessions.activate(session)
    sessions.release(session, Checkpoint("one", "etag", (OrchestratorStarted(timestamp=AT),)))
    assert list(sessions) == [session]
    sessions.forget("i")
    assert list(sessions) == []


def test_the_histories_used_longest_ago_are_let_go_first() -> None:
    sessions = Sessions(max_idle_events=2)
    for instance_id in ("a", "b", "c"):
        session = sessions.add(held(EventRaised(name="go", timestamp=AT), instance_id=instance_id))
        sessions.activate(session)
        sessions.release(session, Checkpoint("one", "etag", (OrchestratorStarted(timestamp=AT),)))
    assert [session.instance_id for session in sessions] == ["b", "c"]


def test_a_lost_partition_keeps_only_what_is_out() -> None:
    sessions = Sessions()
    out = sessions.add(started("one"))
    sessions.activate(out)
    waiting = held(EventRaised(name="go", timestamp=AT), instance_id="other")
    sessions.add(waiting)
    assert sessions.drop_queue("q") == [waiting]
    assert list(sessions) == [out]
    assert sessions.active_in("q")
    assert not sessions.active_in("p")


def test_messages_for_the_current_generation_do_not_go_down_with_an_old_ones() -> None:
    sessions = Sessions()
    stale, current = completed(0, "old"), raised()
    sessions.add(stale)
    session = sessions.add(current)
    batch = sessions.activate(session)
    assert split(batch, Checkpoint("new", "etag", None)) == ([stale], [current])
    assert split(batch, Checkpoint("old", "etag", ())) == ([stale, current], [])


def test_a_new_start_takes_its_events_along() -> None:
    sessions = Sessions()
    start, event = started("new"), raised()
    sessions.add(start)
    session = sessions.add(event)
    assert split(sessions.activate(session), Checkpoint("old", "etag", None)) == ([start, event], [])


def test_a_history_serves_only_the_generation_it_holds() -> None:
    whole, marker_only = Checkpoint("one", "etag", ()), Checkpoint("one", "etag", None)
    assert whole.serves(Batch(None, [raised()]))
    assert whole.serves(Batch("ONE", [raised()]))
    assert marker_only.serves(Batch("two", [raised()]))
    assert not marker_only.serves(Batch(None, [raised()]))


def test_a_childs_start_needs_the_current_history_whichever_that_is() -> None:
    batch = Batch("two", [child_started("two")])
    assert batch.wanted is None
    assert not Checkpoint("one", "etag", None).serves(batch)
    assert Batch("two", [started("two")]).wanted == "two"


def test_the_start_of_a_child_that_has_begun_is_told_apart() -> None:
    again, event = child_started("two"), raised()
    begun = child_started("one").message.event
    assert without_repeated_starts([again, event], Checkpoint("one", "etag", (begun,)), ()) == ([event], [again])
    assert without_repeated_starts([again, event], Checkpoint(None, None, ()), ()) == ([again, event], [])


def test_the_start_of_a_generation_that_another_has_replaced_is_told_apart() -> None:
    again, event = started("one"), raised()
    assert without_repeated_starts([again, event], Checkpoint("two", "etag", None), ["one"]) == ([event], [again])
    assert without_repeated_starts([again, event], Checkpoint("two", "etag", None), ["other"]) == ([again, event], [])


def test_answers_wait_for_their_questions() -> None:
    history = [TaskScheduled(name="Work", event_id=0, timestamp=AT)]
    asked, early, event = completed(0), completed(1), raised()
    assert in_order([asked, early, event], history) == ([asked, event], [early])
    assert in_order([completed(1, delivery=6)], [])[1] == []

from __future__ import annotations

import pytest

from linarite.durable.delivery import StartVerdict, is_out_of_order, is_repeated_start, judge_start, start_is_void
from linarite.durable.events import (
    EventRaised,
    EventSent,
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    ParentInstance,
    Status,
    SubOrchestrationInstanceCreated,
    SubOrchestrationInstanceFailed,
    TaskCompleted,
    TaskScheduled,
    TimerCreated,
    TimerFired,
)
from linarite.durable.instances import Instance
from linarite.durable.messages import TaskMessage

T0 = "2026-01-01T00:00:00Z"
T1 = "2026-01-01T00:00:00.0000001Z"
ME = OrchestrationInstance(instance_id="order-7", execution_id="e1")
ENTITY = OrchestrationInstance(instance_id="@counter@k", execution_id="x")
STARTED = ExecutionStarted(orchestration_instance=ME, name="chain", generation=0, timestamp=T0)


def to_me(event: HistoryEvent, sender: OrchestrationInstance | None = None) -> TaskMessage:
    return TaskMessage(event=event, target=ME, sender=sender)


def row(**changes: object) -> Instance:
    values = {
        "instance_id": "order-7", "execution_id": "e1", "name": "chain", "version": None, "status": Status.PENDING, "input": None,
        "output": None, "custom_status": None, "created_at": T0, "last_updated_at": T0, "completed_at": None, "scheduled_start": None,
        "generation": 0, "tags": None,
    }  # fmt: skip
    return Instance(**{**values, **changes})  # type: ignore[arg-type]


ANSWERS = [
    (TaskScheduled(name="a", event_id=3, timestamp=T0), TaskCompleted(task_scheduled_id=3, timestamp=T0)),
    (TimerCreated(fire_at=T0, event_id=3, timestamp=T0), TimerFired(timer_id=3, fire_at=T0, timestamp=T0)),
    (
        SubOrchestrationInstanceCreated(name="c", instance_id="i", event_id=3, timestamp=T0),
        SubOrchestrationInstanceFailed(task_scheduled_id=3, timestamp=T0),
    ),
]


@pytest.mark.parametrize(("question", "answer"), ANSWERS)
def test_an_answer_waits_until_its_question_is_in_history(question: HistoryEvent, answer: HistoryEvent) -> None:
    assert is_out_of_order(to_me(answer), [STARTED], delivery=1)
    assert not is_out_of_order(to_me(answer), [STARTED, question], delivery=1)


def test_an_answer_to_an_instance_that_exists_waits_for_ever() -> None:
    answer = to_me(TaskCompleted(task_scheduled_id=0, timestamp=T0))
    assert is_out_of_order(answer, [STARTED], delivery=100)


def test_an_answer_to_nobody_is_let_through_after_five_deliveries() -> None:
    answer = to_me(TaskCompleted(task_scheduled_id=0, timestamp=T0))
    assert is_out_of_order(answer, [], delivery=5)
    assert not is_out_of_order(answer, [], delivery=6)


def test_an_entitys_answer_waits_for_the_request_it_is_named_after() -> None:
    answer = to_me(EventRaised(name="5a1c2f4e-7c1d-5a0b-8000-00000000aa01", timestamp=T0), sender=ENTITY)
    request = EventSent(
        instance_id="@counter@k", name="op", input='{"op":"add","id":"5A1C2F4E-7C1D-5A0B-8000-00000000AA01"}', event_id=0, timestamp=T0
    )
    assert is_out_of_order(answer, [STARTED], delivery=1)
    assert not is_out_of_order(answer, [STARTED, request], delivery=1)


def test_what_answers_nothing_is_never_out_of_order() -> None:
    raised = EventRaised(name="Approval", timestamp=T0)
    other = OrchestrationInstance(instance_id="other", execution_id="x")
    for message in (to_me(STARTED), to_me(raised), to_me(raised, sender=other)):
        assert not is_out_of_order(message, [], delivery=1)


def test_an_event_sent_to_an_orchestration_may_hold_any_text() -> None:
    answer = to_me(EventRaised(name="id", timestamp=T0), sender=ENTITY)
    sent = [EventSent(instance_id="x", name="e", input=text, event_id=0, timestamp=T0) for text in ("plain", "5", '{"id":7}', "")]
    assert is_out_of_order(answer, [STARTED, *sent], delivery=1)


def test_the_start_that_the_row_names_is_taken() -> None:
    assert judge_start(to_me(STARTED), row(execution_id="E1"), 1, T0) is StartVerdict.TAKE
    assert judge_start(to_me(STARTED), row(execution_id=""), 1, T0) is StartVerdict.TAKE


def test_a_childs_start_is_always_taken() -> None:
    parent = ParentInstance(name="p", orchestration_instance=ME, task_schedule_id=0, version=None)
    child = ExecutionStarted(orchestration_instance=ME, parent_instance=parent, name="c", timestamp=T0)
    assert judge_start(to_me(child), None, 1, T0) is StartVerdict.TAKE


def test_a_start_without_a_row_waits_and_is_dropped_at_the_tenth_delivery() -> None:
    assert judge_start(to_me(STARTED), None, 9, T0) is StartVerdict.WAIT
    assert judge_start(to_me(STARTED), None, 10, T0) is StartVerdict.DROP


def test_the_loser_of_a_race_for_one_id_is_dropped() -> None:
    loser = ExecutionStarted(orchestration_instance=ME, name="chain", generation=0, timestamp=T1)
    assert judge_start(to_me(loser), row(execution_id="other"), 1, T0) is StartVerdict.DROP


def test_a_start_older_than_the_row_is_dropped_only_once_it_was_seen_before() -> None:
    others = row(execution_id="other", created_at=T0, status=Status.RUNNING)
    assert judge_start(to_me(STARTED), others, 1, T1) is StartVerdict.WAIT
    assert judge_start(to_me(STARTED), others, 2, T0) is StartVerdict.WAIT
    assert judge_start(to_me(STARTED), others, 2, T1) is StartVerdict.DROP


def test_a_start_of_another_generation_waits_for_its_row() -> None:
    assert judge_start(to_me(STARTED), row(execution_id="other", generation=1), 2, T1) is StartVerdict.WAIT


def test_a_start_is_void_once_its_instance_was_terminated_before_it() -> None:
    terminated = row(status=Status.TERMINATED)
    assert start_is_void(to_me(STARTED), [], terminated)
    assert not start_is_void(to_me(STARTED), [], row())
    assert not start_is_void(to_me(STARTED), [], row(status=Status.TERMINATED, execution_id="older"))
    assert not start_is_void(to_me(STARTED), [STARTED], terminated)
    assert not start_is_void(to_me(STARTED), [], None)


def child_start(execution_id: str, *, name: str = "sub", parent: OrchestrationInstance = ME, task_id: int = 3) -> ExecutionStarted:
    child = OrchestrationInstance(instance_id="e1:3", execution_id=execution_id)
    by = ParentInstance(name="p", orchestration_instance=parent, task_schedule_id=task_id, version=None)
    return ExecutionStarted(orchestration_instance=child, parent_instance=by, name=name, timestamp=T0)


def test_a_child_that_its_parent_asked_for_twice_begins_once() -> None:
    assert is_repeated_start(to_me(child_start("second", name="SUB")), [child_start("first")])


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param([], id="none"),
        pytest.param([child_start("FIRST")], id="the same message: the core knows it"),
        pytest.param([child_start("older", name="other")], id="another orchestrator"),
        pytest.param([child_start("older", task_id=2)], id="an earlier task of the parent, with an id that the author chose"),
        pytest.param(
            [child_start("older", parent=OrchestrationInstance(instance_id="order-7", execution_id="e0"))],
            id="the parent's last generation, likewise",
        ),
        pytest.param([STARTED], id="a client's"),
    ],
)
def test_a_child_that_was_not_begun_for_this_task_begins(begun: list[HistoryEvent]) -> None:
    assert not is_repeated_start(to_me(child_start("first")), begun)


def test_only_childrens_starts_can_be_repeated_starts() -> None:
    assert not is_repeated_start(to_me(STARTED), [child_start("first")])
    assert not is_repeated_start(to_me(TaskCompleted(task_scheduled_id=3, timestamp=T0)), [child_start("first")])
    of_an_entity = child_start("second", parent=ENTITY)
    assert not is_repeated_start(to_me(of_an_entity), [child_start("first", parent=ENTITY)])

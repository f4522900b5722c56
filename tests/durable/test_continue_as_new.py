"""Continue-as-new: the next generation, and what it inherits."""

from __future__ import annotations

from linarite.durable.actions import Answer, CallActivity, ContinueAsNew
from linarite.durable.decision import Decision
from linarite.durable.events import (
    EventRaised,
    ExecutionStarted,
    OrchestrationInstance,
    TaskCompleted,
    TaskScheduled,
)
from linarite.durable.messages import TaskMessage
from tests.durable.turns import T0, Context, Steps, hello, kinds, run, started, to_me
from tests.durable.world import World


def test_a_continued_child_keeps_its_parent() -> None:
    def parent(context: Context) -> Steps:
        return (yield context.call_sub_orchestrator("child", 0))

    def child(context: Context) -> Steps:
        step = context.get_input()
        yield context.call_activity("hello", step)
        if step < 2:
            context.continue_as_new(step + 1)
            return None
        return "end"

    world = World({"parent": parent, "child": child}, {"hello": hello})
    world.start("parent")
    world.run()
    assert world.output() == "end"


def test_a_new_action_beside_the_final_answer_is_carried_out_first() -> None:
    episodes = iter(
        [
            Answer(actions=(CallActivity(name="a", input="[]"),)),
            Answer(actions=(CallActivity(name="a", input="[]"), CallActivity(name="b", input="[]")), is_done=True, output="1"),
        ]
    )
    history = list(run([started()], [], next(episodes)).decision.new_events)
    outcome = run([to_me(TaskCompleted(task_scheduled_id=0, timestamp=T0))], history, next(episodes))
    assert kinds(outcome.decision.new_events) == ["OrchestratorStarted", "TaskCompleted", "TaskScheduled", "OrchestratorCompleted"]


def test_continue_as_new_begins_a_generation_with_its_own_id_and_ids_from_zero() -> None:
    def again(context: Context) -> Steps:
        step = context.get_input() or 0
        yield context.call_activity("hello", step)
        context.set_custom_status(f"gen{step}")
        if step < 2:
            context.continue_as_new(step + 1)
            return None
        return f"done {step}"

    world = World({"again": again}, {"hello": hello})
    world.start("again")
    first = world.waiting[0].target.execution_id
    world.run()
    assert world.output() == "done 2"
    assert kinds(world.history()) == [
        *("OrchestratorStarted", "ExecutionStarted", "OrchestratorCompleted", "TaskScheduled", "OrchestratorCompleted"),
        *("OrchestratorStarted", "TaskCompleted", "ExecutionCompleted", "OrchestratorCompleted"),
    ]
    begun = world.history()[1]
    assert isinstance(begun, ExecutionStarted)
    assert (begun.input, begun.generation, begun.is_played) == ('"2"', None, True)
    assert world.instances["i"].execution_id != first
    assert world.history()[2].is_played
    assert world.history()[3].event_id == 0


def test_the_first_episode_after_continue_as_new_has_three_events_and_is_not_replaying() -> None:
    def again(context: Context) -> Steps:
        if not context.get_input():
            context.continue_as_new(1)
            return
        yield context.call_activity("hello", 1)

    world = World({"again": again}, {"hello": hello})
    world.start("again")
    world.settle()
    request = world.payloads[1]
    assert [event["EventType"] for event in request["history"]] == [12, 0, 13]
    assert [event["IsPlayed"] for event in request["history"]] == [False, False, False]
    assert (request["isReplaying"], request["input"]) == (False, "1")


def test_a_custom_status_stays_until_the_next_generation_sets_one() -> None:
    replies = [
        Answer(actions=(ContinueAsNew(input='"1"'),), is_done=True, custom_status='"old"'),
        Answer(actions=(CallActivity(name="a"),)),
    ]
    outcome = run([started()], [], *replies)
    assert outcome.decision.custom_status == '"old"'
    assert outcome.decision.replaces_history


def test_events_that_came_after_the_call_are_carried_to_the_next_generation() -> None:
    def collect(context: Context) -> Steps:
        seen = context.get_input() or []
        seen.append((yield context.wait_for_external_event("add")))
        if len(seen) < 3:
            context.continue_as_new(seen)
            return None
        return seen

    world = World({"collect": collect})
    world.start("collect")
    world.settle()
    for value in (1, 0, 2):
        world.raise_event("add", value)
    world.run()
    assert world.output() == [1, 0, 2]
    carried = [event for event in world.history() if isinstance(event, EventRaised)]
    assert [(event.input, event.is_played) for event in carried] == [("2", True)]


def test_what_was_asked_for_before_continue_as_new_is_sent() -> None:
    outcome = run(
        [started()],
        [],
        Answer(actions=(CallActivity(name="a", input="[]"), ContinueAsNew(input='"1"')), is_done=True),
        Answer(actions=(CallActivity(name="b", input="[]"),)),
    )
    assert [m.event.name for m in outcome.decision.outbound if isinstance(m.event, TaskScheduled)] == ["a", "b"]
    assert [e.name for e in outcome.decision.new_events if isinstance(e, TaskScheduled)] == ["b"]
    assert {m.episode for m in outcome.decision.outbound} == {1}


def test_late_answers_of_an_old_generation_are_dropped() -> None:
    history = list(run([started()], [], Answer(actions=(CallActivity(name="a"),))).decision.new_events)
    stray = TaskMessage(
        event=TaskCompleted(task_scheduled_id=0, timestamp=T0), target=OrchestrationInstance(instance_id="i", execution_id="older")
    )
    decision = run([stray], history).decision
    assert decision == Decision(execution_id="e1")


def test_a_second_start_of_the_same_generation_is_dropped() -> None:
    history = list(run([started()], [], Answer(actions=(CallActivity(name="a"),))).decision.new_events)
    assert not run([started()], history).decision.new_events


def test_an_event_that_came_along_with_a_late_answer_is_kept_for_the_generation_there_is() -> None:
    late = TaskMessage(
        event=TaskCompleted(task_scheduled_id=0, timestamp=T0), target=OrchestrationInstance(instance_id="i", execution_id="older")
    )
    event = to_me(EventRaised(name="e", timestamp=T0))
    assert run([event, late, event], []).decision == Decision(execution_id="", unread=frozenset({0, 2}))

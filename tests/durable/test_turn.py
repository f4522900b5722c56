"""Turns of orchestrations: activities, children, retries, timers; with the real SDK on the other side."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import pytest

from linarite.durable.actions import Answer, CallActivity, CallSubOrchestration, CreateTimer, Failure
from linarite.durable.decision import Decision
from linarite.durable.events import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorCompleted,
    OrchestratorStarted,
    Status,
    SubOrchestrationInstanceCompleted,
    SubOrchestrationInstanceCreated,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
)
from linarite.settings import DurableSettings
from tests.durable.turns import T0, Context, Steps, boom, hello, kinds, run, started, to_me
from tests.durable.world import World


def test_a_chain_schedules_one_activity_an_episode_and_completes_with_its_output() -> None:
    def chain(context: Context) -> Steps:
        first = yield context.call_activity("hello", "Tokyo")
        second = yield context.call_activity("hello", {"n": 1})
        return [first, second, context.get_input()]

    world = World({"chain": chain}, {"hello": hello})
    world.start("chain", {"n": 7})
    world.run()
    assert world.output() == ["Hello Tokyo!", "Hello {'n': 1}!", {"n": 7}]
    assert kinds(world.history()) == [
        *("OrchestratorStarted", "ExecutionStarted", "TaskScheduled", "OrchestratorCompleted"),
        *("OrchestratorStarted", "TaskCompleted", "TaskScheduled", "OrchestratorCompleted"),
        *("OrchestratorStarted", "TaskCompleted", "ExecutionCompleted", "OrchestratorCompleted"),
    ]
    assert [event.event_id for event in world.history()] == [-1, -1, 0, -1, -1, -1, 1, -1, -1, -1, 2, -1]


def test_delivered_messages_count_as_played_and_the_rest_does_not() -> None:
    def chain(context: Context) -> Steps:
        yield context.call_activity("hello", 1)

    world = World({"chain": chain}, {"hello": hello})
    world.start("chain")
    world.run()
    assert {type(event) for event in world.history() if event.is_played} == {ExecutionStarted, TaskCompleted}


def test_a_wide_fan_out_is_answered_in_one_episode() -> None:
    def fan(context: Context) -> Steps:
        results = yield context.task_all([context.call_activity("double", n) for n in range(20)])
        return sum(results)

    world = World({"fan": fan}, {"double": lambda n: 2 * n})
    world.start("fan")
    world.run()
    assert world.output() == 380
    assert len(world.payloads) == 2


def test_inputs_travel_in_messages_and_stay_out_of_history_unless_asked_for() -> None:
    def parent(context: Context) -> Steps:
        yield context.call_activity("hello", "x")
        yield context.call_sub_orchestrator("child", 5)

    def child(context: Context) -> Steps:
        yield context.call_activity("hello", context.get_input())

    for keeps in (False, True):
        world = World({"parent": parent, "child": child}, {"hello": hello}, DurableSettings(store_inputs=keeps))
        world.start("parent")
        world.run()
        inputs = [e.input for e in world.history() if isinstance(e, TaskScheduled | SubOrchestrationInstanceCreated)]
        assert inputs == (['["\\"x\\""]', '"5"'] if keeps else [None, None])
        assert world.ran == [("hello", "x"), ("hello", 5)]


def test_a_child_is_named_after_its_parents_execution_and_task() -> None:
    def parent(context: Context) -> Steps:
        yield context.call_activity("hello", 0)
        first = yield context.call_sub_orchestrator("child", 1)
        second = yield context.call_sub_orchestrator("child", 2, "kid")
        return [first, second]

    def child(context: Context) -> Steps:
        done = yield context.call_activity("hello", context.get_input())
        return [done, context.parent_instance_id]

    world = World({"parent": parent, "child": child}, {"hello": hello})
    world.start("parent")
    world.run()
    execution_id = world.instances["i"].execution_id
    assert set(world.instances) == {"i", f"{execution_id}:1", "kid"}
    assert world.output() == [["Hello 1!", "i"], ["Hello 2!", "i"]]


def test_a_failing_child_tells_its_parent_text_and_details() -> None:
    def parent(context: Context) -> Steps:
        try:
            yield context.call_sub_orchestrator("child", None)
        except Exception as error:
            return str(error)

    def child(context: Context) -> Steps:
        yield context.call_activity("hello", 1)
        raise ValueError("child bad")

    world = World({"parent": parent, "child": child}, {"hello": hello})
    world.start("parent")
    world.run()
    text, details = world.output().split(" \n ", 1)
    assert text == "Orchestrator function 'child' failed: child bad"
    assert details.startswith("Message: child bad, StackTrace: ")


def test_a_retry_takes_its_ids_when_failure_and_timer_are_delivered() -> None:
    def retry(context: Context) -> Steps:
        try:
            yield context.call_activity_with_retry("boom", df.RetryOptions(5000, 2), "x")
        except Exception as error:
            caught = str(error).split(" \n ")[0]
        after = yield context.call_activity("hello", "after")
        return [caught, after]

    world = World({"retry": retry}, {"hello": hello, "boom": boom})
    world.start("retry")
    world.run()
    assert world.output() == ["Activity function 'boom' failed: ValueError: boom x", "Hello after!"]
    scheduled = [(type(e).__name__, e.event_id) for e in world.history() if isinstance(e, TaskScheduled | TimerCreated)]
    assert scheduled == [("TaskScheduled", 0), ("TimerCreated", 1), ("TaskScheduled", 2), ("TimerCreated", 3), ("TaskScheduled", 4)]


def test_a_retry_waits_from_the_episodes_time_and_the_last_timer_is_due_at_once() -> None:
    def retry(context: Context) -> Steps:
        yield context.call_activity_with_retry("boom", df.RetryOptions(5000, 2), "x")

    world = World({"retry": retry}, {"boom": boom})
    world.start("retry")
    world.run()
    begun = [e.timestamp for e in world.history() if isinstance(e, OrchestratorStarted)]
    due = [e.fire_at for e in world.history() if isinstance(e, TimerCreated)]
    assert due == [begun[1].replace(":00.", ":05."), begun[3]]


def test_retries_in_parallel_come_out_right_even_when_their_failures_arrive_together() -> None:
    counts: dict[int, int] = {}

    def flaky(n: int) -> int:
        counts[n] = counts.get(n, 0) + 1
        if counts[n] < 3:
            raise ValueError("not yet")
        return n

    def fan(context: Context) -> Steps:
        options = df.RetryOptions(1000, 3)
        tasks = [context.call_activity_with_retry("flaky", options, n) for n in range(4)] + [context.call_activity("hello", "x")]
        return (yield context.task_all(tasks))

    for forgets in (False, True):
        counts.clear()
        world = World({"fan": fan}, {"flaky": flaky, "hello": hello})
        world.forgets = forgets
        world.start("fan")
        world.run()
        assert world.output() == [0, 1, 2, 3, "Hello x!"]


def test_an_answer_that_takes_an_id_waits_for_the_episode_after_an_event_that_lets_code_run_on() -> None:
    def race(context: Context) -> Steps:
        event = context.wait_for_external_event("Go")
        flaky = context.call_activity_with_retry("boom", df.RetryOptions(1000, 1), "x")
        yield context.task_any([event, flaky])
        return (yield context.call_activity("hello", "after"))

    for forgets in (False, True):
        world = World({"race": race}, {"boom": boom, "hello": hello})
        world.forgets = forgets
        world.start("race")
        world.step()
        world.raise_event("Go")
        world.run()  # the failure arrives while the event still waits
        assert world.output() == "Hello after!"
        scheduled = [(type(e).__name__, e.event_id) for e in world.history() if isinstance(e, TaskScheduled | TimerCreated)]
        assert scheduled == [("TaskScheduled", 0), ("TaskScheduled", 1), ("TimerCreated", 2)]


def test_an_uncancelled_timer_keeps_the_instance_running_and_a_cancelled_one_does_not() -> None:
    def race(cancels: bool) -> Any:
        def code(context: Context) -> Steps:
            event = context.wait_for_external_event("Go")
            timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
            yield context.task_any([event, timer])
            if cancels:
                timer.cancel()
            return event.result

        return code

    world = World({"patient": race(False), "brisk": race(True)})
    for name in ("patient", "brisk"):
        world.start(name, instance_id=name)
        world.settle()
        world.raise_event("Go", 1, name)
        world.settle()
    assert world.status("brisk") is Status.COMPLETED
    assert world.status("patient") is Status.RUNNING
    world.run()
    assert world.status("patient") is Status.COMPLETED


def test_a_long_timer_of_schema_v3_is_made_of_segments() -> None:
    def sleepy(context: Context) -> Steps:
        yield context.create_timer(context.current_utc_datetime + timedelta(days=10))
        return "up"

    world = World({"sleepy": sleepy})
    world.start("sleepy")
    world.run()
    assert world.output() == "up"
    assert len([e for e in world.history() if isinstance(e, TimerCreated)]) == 3


def test_a_labelled_failure_waits_for_what_is_outstanding_and_an_unlabelled_one_does_not() -> None:
    asks = (CallActivity(name="a", input="[]"),)
    history = list(run([started()], [], Answer(actions=asks)).decision.new_events)
    event = to_me(EventRaised(name="e", timestamp=T0))
    labelled = run([event], history, Answer(actions=asks, failure=Failure(text="f")))
    assert not any(isinstance(e, ExecutionCompleted) for e in labelled.decision.new_events)
    unlabelled = run([event], history, Answer(failure=Failure(text="f", is_labelled=False)))
    assert [e.result for e in unlabelled.decision.new_events if isinstance(e, ExecutionCompleted)] == ["f"]


def test_messages_to_nobody_and_to_a_finished_instance_are_consumed() -> None:
    event = to_me(EventRaised(name="e", timestamp=T0))
    assert run([event], []).decision == Decision(execution_id="")
    finished = list(run([started()], [], Answer(is_done=True)).decision.new_events)
    assert run([event], finished).decision == Decision(execution_id="e1")


def test_the_start_comes_first_whatever_was_waiting() -> None:
    outcome = run([to_me(EventRaised(name="early", timestamp=T0)), started()], [], Answer())
    assert kinds(outcome.decision.new_events) == ["OrchestratorStarted", "ExecutionStarted", "EventRaised", "OrchestratorCompleted"]


def test_a_fire_and_forget_child_neither_holds_its_parent_nor_reports() -> None:
    child = CallSubOrchestration(name="c", instance_id="kid", tags={"FireAndForget": ""})
    outcome = run([started(tags={"team": "blue"})], [], Answer(actions=(child,), is_done=True))
    assert kinds(outcome.decision.new_events)[-2:] == ["ExecutionCompleted", "OrchestratorCompleted"]
    message = outcome.decision.outbound[0]
    assert isinstance(message.event, ExecutionStarted)
    assert message.event.tags == {"team": "blue", "FireAndForget": ""}
    assert message.sender_tags == {"team": "blue"}
    done = run([message], [], Answer(is_done=True))
    assert not done.decision.outbound


def test_the_fire_and_forget_tag_is_not_inherited() -> None:
    outcome = run([started(tags={"FireAndForget": ""})], [], Answer(actions=(CallSubOrchestration(name="c"),)))
    message = outcome.decision.outbound[0]
    assert isinstance(message.event, ExecutionStarted)
    assert message.event.tags is None
    assert message.sender_tags == {"FireAndForget": ""}


def test_an_orchestrators_clock_never_goes_back() -> None:
    history = list(run([started()], [], Answer(actions=(CallActivity(name="a"),)), now="2026-06-01T00:00:00Z").decision.new_events)
    outcome = run([to_me(TaskCompleted(task_scheduled_id=0, timestamp=T0))], history, Answer(actions=(CallActivity(name="a"),)), now=T0)
    assert outcome.decision.new_events[0].timestamp == "2026-06-01T00:00:00Z"


def test_a_repeated_prefix_of_a_torn_commit_is_harmless() -> None:
    asks = (CallActivity(name="a"), CallActivity(name="b"))
    whole = list(run([started()], [], Answer(actions=asks)).decision.new_events)
    torn = [*whole[:3], *run([to_me(EventRaised(name="x", timestamp=T0))], whole[:3], Answer(actions=asks)).decision.new_events]
    outcome = run([to_me(EventRaised(name="y", timestamp=T0))], torn, Answer(actions=asks))
    assert [e.event_id for e in torn if isinstance(e, TaskScheduled)] == [0, 1]
    assert kinds(outcome.decision.new_events) == ["OrchestratorStarted", "EventRaised", "OrchestratorCompleted"]


def test_a_second_answer_to_a_task_is_dropped() -> None:
    ask = Answer(actions=(CallActivity(name="a"), CallActivity(name="b")))
    asked = list(run([started()], [], ask).decision.new_events)
    twice = [to_me(TaskCompleted(task_scheduled_id=0, result="1", timestamp=T0)) for _ in range(2)]
    once = run(twice, asked, ask).decision.new_events
    assert kinds(once) == ["OrchestratorStarted", "TaskCompleted", "OrchestratorCompleted"]
    again = run(twice[:1], [*asked, *once])
    assert again.decision == Decision("e1")
    late = run([*twice, to_me(TaskCompleted(task_scheduled_id=1, timestamp=T0))], [*asked, *once], ask)
    assert [e.task_scheduled_id for e in late.decision.new_events if isinstance(e, TaskCompleted)] == [1]


@pytest.mark.parametrize(
    "answer",
    [
        TimerFired(timer_id=0, fire_at=T0, timestamp=T0),
        SubOrchestrationInstanceCompleted(task_scheduled_id=0, result="1", timestamp=T0),
        TaskFailed(task_scheduled_id=1, reason="no", timestamp=T0),
        TimerFired(timer_id=1, fire_at="2026-01-01T00:00:01Z", timestamp=T0),
    ],
)
def test_an_answer_to_what_a_lost_attempt_asked_for_is_no_answer_to_what_has_that_id_now(answer: HistoryEvent) -> None:
    history: list[HistoryEvent] = [
        OrchestratorStarted(timestamp=T0),
        started().event,
        TaskScheduled(name="a", event_id=0, timestamp=T0),
        TimerCreated(fire_at="2026-01-01T00:00:02Z", event_id=1, timestamp=T0),
        OrchestratorCompleted(timestamp=T0),
    ]
    assert run([to_me(answer)], history).decision == Decision(execution_id="e1")


def test_an_answer_whose_episode_was_cut_short_is_delivered_again() -> None:
    ask = Answer(actions=(CallActivity(name="a"),))
    asked = list(run([started()], [], ask).decision.new_events)
    answer = to_me(TaskCompleted(task_scheduled_id=0, result="1", timestamp=T0))
    torn = [*asked, *run([answer], asked, ask).decision.new_events[:-1]]
    outcome = run([answer], torn, Answer(actions=ask.actions, is_done=True, output="1"))
    assert kinds(outcome.decision.new_events)[-2:] == ["ExecutionCompleted", "OrchestratorCompleted"]


def test_a_start_whose_episode_was_cut_short_begins_again() -> None:
    done = Answer(is_done=True, output="1")
    torn = list(run([started()], [], done).decision.new_events[:2])
    outcome = run([started()], torn, done)
    assert kinds(outcome.decision.new_events) == ["OrchestratorStarted", "ExecutionCompleted", "OrchestratorCompleted"]


def test_messages_of_one_episode_name_sender_and_episode() -> None:
    asks = (CallActivity(name="a"), CreateTimer(fire_at="2026-01-02T00:00:00Z"))
    outcome = run([started()], [], Answer(actions=asks))
    activity, timer = outcome.decision.outbound
    me = OrchestrationInstance(instance_id="i", execution_id="e1")
    assert (activity.sender, activity.episode, activity.sender_tags, activity.target) == (me, 1, {}, me)
    assert (timer.sender, timer.episode, timer.sender_tags, timer.target) == (me, 1, None, me)
    assert timer.due_at == "2026-01-02T00:00:00Z"
    assert isinstance(timer.event, TimerFired)

"""Instances that are held, ended or rewound from outside."""

from __future__ import annotations

import azure.durable_functions as df

from linarite.durable.actions import Answer, CallActivity
from linarite.durable.events import (
    ExecutionCompleted,
    ExecutionResumed,
    ExecutionSuspended,
    ExecutionTerminated,
    GenericEvent,
    HistoryEvent,
    Status,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
)
from tests.durable.turns import T0, Context, Steps, hello, kinds, run, started, to_me
from tests.durable.world import World


def test_a_terminated_child_fails_its_parent_without_details() -> None:
    def parent(context: Context) -> Steps:
        try:
            yield context.call_sub_orchestrator("child", None, "kid")
        except Exception as error:
            return str(error)

    def child(context: Context) -> Steps:
        yield context.wait_for_external_event("never")

    world = World({"parent": parent, "child": child})
    world.start("parent")
    world.settle()
    world.send(ExecutionTerminated(input="enough", timestamp=world.now()), "kid")
    world.run()
    assert world.output() == "enough \n None"


def test_terminate_ends_the_instance_whatever_else_arrived() -> None:
    history = list(run([started()], [], Answer(actions=(CallActivity(name="a"),))).decision.new_events)
    done = to_me(TaskCompleted(task_scheduled_id=0, timestamp=T0))
    outcome = run([done, to_me(ExecutionTerminated(input="why", timestamp=T0))], history)
    assert kinds(outcome.decision.new_events)[2:] == ["ExecutionTerminated", "ExecutionCompleted", "OrchestratorCompleted"]
    completed = outcome.decision.new_events[3]
    assert isinstance(completed, ExecutionCompleted)
    assert (completed.orchestration_status, completed.result, completed.event_id) == (Status.TERMINATED, "why", 1)


def test_terminate_before_the_start_changes_the_row_alone() -> None:
    decision = run([to_me(ExecutionTerminated(input="tt", timestamp=T0))], []).decision
    assert decision.row is not None
    assert (decision.row.status, decision.row.output, decision.row.last_updated_at) == (Status.TERMINATED, "tt", T0)
    assert not decision.new_events


def test_while_suspended_nothing_runs_and_what_arrives_is_written_down() -> None:
    def wait(context: Context) -> Steps:
        return (yield context.wait_for_external_event("go"))

    world = World({"wait": wait})
    world.start("wait")
    world.settle()
    world.send(ExecutionSuspended(reason="maint", timestamp=world.now()))
    world.settle()
    assert (world.status(), world.output()) == (Status.SUSPENDED, "maint")
    world.raise_event("go", "while suspended")
    world.settle()
    assert world.status() is Status.SUSPENDED
    assert len(world.payloads) == 1
    world.send(ExecutionResumed(reason="ok", timestamp=world.now()))
    world.run()
    assert world.output() == "while suspended"
    assert kinds(world.history()) == [
        *("OrchestratorStarted", "ExecutionStarted", "OrchestratorCompleted"),
        *("OrchestratorStarted", "ExecutionSuspended", "OrchestratorCompleted"),
        *("OrchestratorStarted", "EventRaised", "OrchestratorCompleted"),
        *("OrchestratorStarted", "ExecutionResumed", "ExecutionCompleted", "OrchestratorCompleted"),
    ]


def test_a_failed_attempt_waits_unread_while_suspended_and_is_retried_after() -> None:
    def retry(context: Context) -> Steps:
        event = context.wait_for_external_event("go")
        task = context.call_activity_with_retry("flaky", df.RetryOptions(1000, 3), 1)
        yield context.task_any([event])
        after = yield context.call_activity("hello", "x")
        return [(yield task), after]

    tries = iter([False, True])

    def flaky(n: int) -> int:
        if not next(tries):
            raise ValueError("no")
        return n

    world = World({"retry": retry}, {"flaky": flaky, "hello": hello})
    world.start("retry")
    world.settle()
    world.send(ExecutionSuspended(timestamp=world.now()))
    world.raise_event("go")
    world.run()
    world.send(ExecutionResumed(timestamp=world.now()))
    world.run()
    assert world.output() == [1, "Hello x!"]


def test_terminate_works_while_suspended() -> None:
    def wait(context: Context) -> Steps:
        yield context.wait_for_external_event("go")

    world = World({"wait": wait})
    world.start("wait")
    world.settle()
    world.send(ExecutionSuspended(timestamp=world.now()))
    world.settle()
    world.send(ExecutionTerminated(input="bye", timestamp=world.now()))
    world.settle()
    assert (world.status(), world.output()) == (Status.TERMINATED, "bye")


def test_the_custom_status_is_left_alone_where_no_episode_runs() -> None:
    def wait(context: Context) -> Steps:
        context.set_custom_status("here")
        yield context.wait_for_external_event("go")

    world = World({"wait": wait})
    world.start("wait")
    world.settle()
    world.send(ExecutionSuspended(timestamp=world.now()))
    world.settle()
    assert world.instances["i"].row["custom_status"] == '"here"'


def test_a_rewound_activity_is_asked_for_again_under_its_old_id() -> None:
    def two(context: Context) -> Steps:
        first = yield context.call_activity("hello", "first")
        return [first, (yield context.call_activity("flaky", "x"))]

    tries = iter([False, True])

    def flaky(what: str) -> str:
        if not next(tries):
            raise ValueError("flaky first time")
        return "ok"

    world = World({"two": two}, {"hello": hello, "flaky": flaky})
    world.start("two")
    world.run()
    assert world.status() is Status.FAILED
    neutralised = [rewound(event) for event in world.history()]
    world.instances["i"].history[:] = neutralised
    world.send(GenericEvent(timestamp=world.now()))
    world.run()
    assert world.output() == ["Hello first!", "ok"]
    assert [e.event_id for e in world.history() if isinstance(e, TaskScheduled)] == [0, 1]
    assert world.completion().event_id == 2


def rewound(event: HistoryEvent) -> HistoryEvent:
    if isinstance(event, TaskFailed | ExecutionCompleted) or (isinstance(event, TaskScheduled) and event.name == "flaky"):
        return GenericEvent(event_id=event.event_id, is_played=event.is_played, timestamp=event.timestamp)
    return event

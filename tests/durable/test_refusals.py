"""What fails an instance although its orchestrator did not: changed code, limits, versions, ids."""

from __future__ import annotations

from typing import Any

import pytest

from linarite.durable.actions import Answer, CallActivity, CallSubOrchestration, CreateTimer, Failure
from linarite.durable.checks import VersionRejected
from linarite.durable.events import (
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    OrchestrationInstance,
    ParentInstance,
    TaskCompleted,
)
from linarite.settings import DurableSettings
from tests.durable.turns import T0, failure_of, run, started, to_me


def test_other_actions_than_the_history_has_fail_the_instance_and_nothing_new_is_asked_for() -> None:
    history = list(run([started()], [], Answer(actions=(CallActivity(name="say_hello", input="[]"),))).decision.new_events)
    done = to_me(TaskCompleted(task_scheduled_id=0, timestamp=T0))
    outcome = run([done], history, Answer(actions=(CallActivity(name="add", input="[]"),), is_done=True))
    completed = outcome.decision.new_events[-2]
    assert isinstance(completed, ExecutionCompleted)
    assert completed.result == (
        "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity task with sequence "
        "number 0 named 'say_hello', but the current orchestration replay instead scheduled an activity task named 'add' with this "
        "sequence number.  Was a change made to the orchestrator code after this instance had already started running?"
    )
    assert not outcome.decision.outbound
    assert outcome.non_deterministic is not None
    assert outcome.non_deterministic.row == 2


def test_a_missing_action_is_non_deterministic_too_and_case_is_not() -> None:
    history = list(run([started()], [], Answer(actions=(CallActivity(name="say_hello", input="[]"),))).decision.new_events)
    done = to_me(TaskCompleted(task_scheduled_id=0, timestamp=T0))
    outcome = run([done], history, Answer(failure=Failure(text="labelled boom")))
    assert "(version ''), but the current replay execution hasn't (yet?) scheduled this task." in str(outcome.non_deterministic)
    fine = run([done], history, Answer(actions=(CallActivity(name="SAY_HELLO", input="[]"),), is_done=True))
    assert fine.non_deterministic is None


@pytest.mark.parametrize(
    ("recorded", "now", "words"),
    [
        (CreateTimer(fire_at=T0), CallActivity(name="a"), "a timer task with sequence number 0, but"),
        (CallActivity(name="a"), CreateTimer(fire_at=T0), "instead scheduled a timer task with this sequence number."),
        (CallSubOrchestration(name="c"), CallActivity(name="c"), "a sub-orchestration task with sequence number 0 named 'c', but"),
    ],
)
def test_another_kind_of_action_is_non_deterministic(recorded: Any, now: Any, words: str) -> None:
    history = list(run([started()], [], Answer(actions=(recorded,))).decision.new_events)
    outcome = run([to_me(EventRaised(name="e", timestamp=T0))], history, Answer(actions=(now,)))
    assert words in str(outcome.non_deterministic)


def test_a_custom_status_over_16_kb_fails_the_orchestration() -> None:
    fits = run([started()], [], Answer(custom_status='"' + "x" * 8190 + '"'))
    assert not any(isinstance(event, ExecutionCompleted) for event in fits.decision.new_events)
    outcome = run([started()], [], Answer(custom_status='"' + "x" * 9000 + '"'))
    completed = outcome.decision.new_events[-2]
    assert isinstance(completed, ExecutionCompleted)
    assert completed.result == (
        "Orchestrator function 'o' failed: The UTF-16 size of the JSON-serialized payload must not exceed 16 KB. "
        "The current payload size is 17 KB."
    )
    assert outcome.decision.custom_status is None


def test_too_many_actions_fail_the_instance() -> None:
    actions = tuple(CallActivity(name="a") for _ in range(3))
    outcome = run([started()], [], Answer(actions=actions), settings=DurableSettings(max_actions=2))
    assert failure_of(outcome) == (
        "Orchestrator function 'o' failed: Maximum amount of orchestration actions (2) has been reached. "
        "This value can be configured in host.json file as MaxOrchestrationActions."
    )
    assert not outcome.decision.outbound


@pytest.mark.parametrize("child", ["i", "the-parent"])
def test_a_child_may_not_have_the_id_of_its_parent_or_grandparent(child: str) -> None:
    parent = ParentInstance(
        name="p", orchestration_instance=OrchestrationInstance(instance_id="the-parent"), task_schedule_id=0, version=None
    )
    outcome = run([started(parent_instance=parent)], [], Answer(actions=(CallSubOrchestration(name="c", instance_id=child),)))
    assert failure_of(outcome).endswith(
        "The instance ID of a sub-orchestration must be different than the instance ID of a parent orchestration."
    )


def test_a_childs_id_may_not_look_like_an_entitys() -> None:
    outcome = run([started()], [], Answer(actions=(CallSubOrchestration(name="c", instance_id="@c@1"),)))
    assert failure_of(outcome).endswith("failed: Orchestration instance ids must not start with @.")


def test_a_child_gets_the_default_version_unless_it_is_given_one() -> None:
    actions = (CallSubOrchestration(name="c"), CallSubOrchestration(name="c", version="1.5"), CallSubOrchestration(name="c", version=""))
    outcome = run([started()], [], Answer(actions=actions), settings=DurableSettings(default_version="2.0"))
    assert [m.event.version for m in outcome.decision.outbound if isinstance(m.event, ExecutionStarted)] == ["2.0", "1.5", ""]


@pytest.mark.parametrize(
    ("version", "own", "match", "runs"),
    [
        (None, None, "CurrentOrOlder", True),
        ("1.0", None, "CurrentOrOlder", False),
        ("", "1.0", "CurrentOrOlder", True),
        ("0.9", "1.0", "CurrentOrOlder", True),
        ("1.10", "1.9", "CurrentOrOlder", False),
        ("abc", "1.0", "CurrentOrOlder", False),
        ("ABC", "abc", "CurrentOrOlder", True),
        ("0.9", "1.0", "Strict", False),
        ("1.0", "1.0", "Strict", True),
        ("9.9", "1.0", "None", True),
    ],
)
def test_versions_that_a_host_may_run(version: str | None, own: str | None, match: Any, runs: bool) -> None:
    settings = DurableSettings(default_version=own, version_match=match, version_failure="Fail")
    if runs:
        assert not any(
            isinstance(e, ExecutionCompleted) for e in run([started(version=version)], [], Answer(), settings=settings).decision.new_events
        )
    else:
        completed = run([started(version=version)], [], settings=settings).decision.new_events[-2]
        assert isinstance(completed, ExecutionCompleted)
        assert completed.failure_details is not None
        assert (completed.result, completed.failure_details.error_type) == (None, "VersionMismatch")


def test_a_version_that_may_not_run_is_left_to_others_by_default() -> None:
    with pytest.raises(VersionRejected, match=r"Instance 'i' of 'o' has version '9.0'"):
        run([started(version="9.0")], [])

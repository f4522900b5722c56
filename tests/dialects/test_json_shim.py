"""The JSON shim: documents for the SDK, and what is made of its answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from linarite.dialects.json_shim import activities, answers
from linarite.dialects.json_shim.requests import EncodedHistory, input_value, request
from linarite.durable.actions import CallActivity, CallEntity, CallSubOrchestration, ContinueAsNew, CreateTimer, WaitForEvent
from linarite.durable.events import (
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorStarted,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
)
from linarite.durable.turn import Episode
from linarite.errors import UserCodeFailed

T0 = "2026-01-01T00:00:00.1234567Z"
STARTED = ExecutionStarted(
    orchestration_instance=OrchestrationInstance(instance_id="abc", execution_id="e1"), name="o", generation=0, timestamp=T0
)


def test_members_of_the_request_come_in_the_recorded_order() -> None:
    episode = Episode(STARTED, (), (OrchestratorStarted(timestamp=T0), STARTED))
    document = json.loads(request(episode, EncodedHistory(), 30000))
    assert list(document) == [
        *("history", "input", "instanceId", "isReplaying", "parentInstanceId", "sourceInstanceId", "upperSchemaVersion"),
        *("upperSchemaVersionNew", "longRunningTimerIntervalDuration", "maximumShortTimerDuration"),
        "defaultHttpAsyncRequestSleepTimeMillseconds",
    ]
    assert (document["upperSchemaVersion"], document["upperSchemaVersionNew"]) == (1, 3)


def test_the_start_event_has_its_type_behind_its_instance_and_the_others_in_front() -> None:
    episode = Episode(STARTED, (), (OrchestratorStarted(timestamp=T0), STARTED))
    begun, started = json.loads(request(episode, EncodedHistory(), 30000))["history"]
    assert list(begun) == ["EventType", "EventId", "IsPlayed", "Timestamp"]
    assert list(started) == [
        *("OrchestrationInstance", "EventType", "ParentInstance", "Name", "Version", "Input", "Tags", "Correlation"),
        *("ParentTraceContext", "ScheduledStartTime", "Generation", "GenerateNewTrace", "EventId", "IsPlayed", "Timestamp"),
    ]


def test_an_instance_made_by_a_restart_names_its_source() -> None:
    started = ExecutionStarted(
        orchestration_instance=OrchestrationInstance(instance_id="abc", execution_id="e1"),
        name="o",
        tags={"MS_DurableFunctions_SourceInstanceId": "old"},
        timestamp=T0,
    )
    document = json.loads(request(Episode(started, (), (OrchestratorStarted(timestamp=T0), started)), EncodedHistory(), 30000))
    assert document["sourceInstanceId"] == "old"


def test_committed_events_are_encoded_once_and_a_rewind_is_noticed() -> None:
    encoded = EncodedHistory()
    past: list[HistoryEvent] = [OrchestratorStarted(timestamp=T0), STARTED, TaskScheduled(name="a", event_id=0, timestamp=T0)]
    done = TaskCompleted(task_scheduled_id=0, timestamp=T0)
    first = json.loads(encoded.text(past[:2], past[2:]))
    assert json.loads(encoded.text(past, [done]))[:3] == first
    past[2] = TaskScheduled(name="b", event_id=0, timestamp=T0)
    assert json.loads(encoded.text(past, [done]))[2]["Name"] == "b"


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        (None, None),
        ("null", None),
        ('"{\\"n\\": 1}"', '{"n": 1}'),
        ('{"n": 1.10}', {"n": 1.1}),
        ("[1, 2]", "[1, 2]"),
        ("5", "5"),
        ('"abc"', '"abc"'),
        ("not json", '"not json"'),
    ],
)
def test_every_stored_input_reaches_the_orchestrator(stored: str | None, seen: Any) -> None:
    assert json.loads(input_value(stored)) == seen


def leaves(*actions: dict[str, Any], schema: int | None = 2) -> tuple[Any, ...]:
    document = {"isDone": False, "actions": [list(actions)], **({} if schema is None else {"schemaVersion": schema})}
    answer = answers.answer("o", json.dumps(document), T0)
    assert answer.failure is None, answer.failure
    return answer.actions


def test_compound_actions_are_taken_apart_depth_first() -> None:
    a, b, c = ({"actionType": 0, "functionName": name, "input": "1"} for name in "abc")
    found = leaves({"actionType": 12, "compoundActions": [a, {"actionType": 11, "compoundActions": [b]}]}, c)
    assert [leaf.name for leaf in found] == ["a", "b", "c"]


def test_inputs_get_the_form_in_which_they_are_stored() -> None:
    activity, child, again, signal = leaves(
        {"actionType": 0, "functionName": "a", "input": '"Tokyo"'},
        {"actionType": 2, "functionName": "c", "input": '{"k": 1}', "instanceId": None, "version": "1"},
        {"actionType": 4, "input": "2"},
        {"actionType": 9, "instanceId": "@counter@k", "operation": "add", "input": "3"},
    )
    assert activity == CallActivity(name="a", input='["\\"Tokyo\\""]')
    assert child == CallSubOrchestration(name="c", input='"{\\"k\\": 1}"', version="1")
    assert again == ContinueAsNew(input='"2"')
    assert signal == CallEntity(instance_id="@counter@k", operation="add", input='"3"', is_signal=True)
    assert activities.trigger_value(activity.input) == '"Tokyo"'


def test_a_retry_comes_with_its_policy() -> None:
    options = {"firstRetryIntervalInMilliseconds": 1500, "maxNumberOfAttempts": 3}
    (leaf,) = leaves({"actionType": 12, "compoundActions": [{"actionType": 1, "functionName": "a", "input": "1", "retryOptions": options}]})
    assert leaf.retry is not None
    assert (leaf.retry.first_interval_s, leaf.retry.max_attempts, leaf.retry.backoff) == (1.5, 3, 1.0)


def test_waits_and_timers() -> None:
    found = leaves(
        {"actionType": 6, "externalEventName": "Go", "reason": "ExternalEvent"},
        {"actionType": 5, "fireAt": "2026-01-02T00:00:00.120000Z", "isCanceled": True},
    )
    assert found == (WaitForEvent(name="Go"), CreateTimer(fire_at="2026-01-02T00:00:00.12Z", is_canceled=True))


@pytest.mark.parametrize("schema", [None, 1])
def test_a_timer_over_six_days_fails_the_older_schemas(schema: int | None) -> None:
    document = {"actions": [[{"actionType": 5, "fireAt": "2026-01-09T00:00:00Z"}]], **({} if schema is None else {"schemaVersion": schema})}
    answer = answers.answer("o", json.dumps(document), T0)
    assert answer.failure is not None
    assert answer.failure.text == (
        "Orchestrator function 'o' failed: The Azure Storage provider supports a maximum of 6 days for time-based delays "
        "(Parameter 'fireAt')"
    )


def test_output_and_status_are_stored_compact_and_with_plain_letters() -> None:
    answer = answers.answer("o", '{"isDone": true, "actions": [[]], "output": ["\\u00e9", 1.50], "customStatus": {"at": 1}}', T0)
    assert (answer.output, answer.custom_status) == ('["é",1.5]', '{"at":1}')


def test_what_is_null_or_absent_is_nothing_and_what_is_false_is_something() -> None:
    nothing = answers.answer("o", '{"isDone": true, "actions": [[]], "output": null}', T0)
    assert (nothing.output, nothing.custom_status, nothing.is_done) == (None, None, True)
    false = answers.answer("o", '{"isDone": true, "actions": [[]], "output": false, "customStatus": false}', T0)
    assert (false.output, false.custom_status) == ("false", "false")
    assert answers.answer("o", "null", T0).is_done


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1]", "The data returned by the out-of-process function execution was not valid json."),
        ('"text"', "Out of proc orchestrators must return a valid JSON schema"),
        (
            '{"isDone": true}',
            "Value cannot be null. (Parameter 'Out-of-proc orchestrator schema must have a non-null actions property.')",
        ),
        (
            '{"schemaVersion": 2, "actions": [[], []]}',
            "With OOProc schema V3, expected actions array to be of length 1 in outer layer but got size: 2",
        ),
        (
            '{"schemaVersion": 2, "actions": []}',
            "With OOProc schema V3, expected actions array to be of length 1 in outer layer but got size: 0",
        ),
        (
            '{"schemaVersion": 9, "actions": [[]]}',
            'The OOProc schema of of version "9" is unsupported by this durable-extension version.',
        ),
        ('{"actions": [[{"actionType": 99}]]}', "Received an unexpected action type from the out-of-proc function: '$99'."),
        ('{"actions": [[]], "error": "said so"}', "said so"),
    ],
)
def test_answers_that_cannot_be_taken_fail_the_orchestration(text: str, sentence: str) -> None:
    failure = answers.answer("o", text, T0).failure
    assert failure is not None
    assert failure.text == f"Orchestrator function 'o' failed: {sentence}"


def raised(message: str, type_name: str = "Exception") -> Any:
    return answers.failure("o", UserCodeFailed(type_name, message, "stack"), T0)


def test_a_labelled_failure_carries_actions_status_and_text() -> None:
    answer = raised(
        'kaboom\n\n$OutOfProcData$:{"isDone": false, "schemaVersion": 2, "actions": '
        '[[{"actionType": 0, "functionName": "A", "input": "1"}]], '
        '"error": "kaboom", "customStatus": "s"}'
    )
    assert answer.failure.text == "Orchestrator function 'o' failed: kaboom"
    assert answer.failure.details == "Message: kaboom, StackTrace: stack"
    assert answer.failure.is_labelled
    assert (len(answer.actions), answer.custom_status) == (1, '"s"')


def test_the_last_label_counts() -> None:
    payload = '{"actions": [[]], "error": "real"}'
    answer = raised(f"a\n\n$OutOfProcData$:nothing\n\n$OutOfProcData$:{payload}")
    assert answer.failure.text == "Orchestrator function 'o' failed: real"


@pytest.mark.parametrize(
    "payload",
    ["{", '{"error": "x"}', '{"actions": [[]], "error": "x", "error": "y"}', '{"actions": [[1]], "error": "x"}'],
)
def test_what_is_no_payload_behind_the_label_makes_the_failure_unlabelled(payload: str) -> None:
    answer = raised(f"boom\n\n$OutOfProcData$:{payload}", "RuntimeError")
    assert not answer.failure.is_labelled
    assert answer.failure.text == f"Orchestrator function 'o' failed: RuntimeError: boom\n\n$OutOfProcData$:{payload}"


def test_a_failure_that_says_it_is_done_is_a_failure() -> None:
    answer = raised('x\n\n$OutOfProcData$:{"isDone": true, "actions": [[]], "error": "not serializable"}')
    assert answer.failure.text == "Orchestrator function 'o' failed: not serializable"


def test_an_empty_error_is_named_by_its_type() -> None:
    for payload in ('{"actions": [[]], "error": ""}', '{"actions": [[]]}'):
        assert raised(f"\n\n$OutOfProcData$:{payload}", "ValueError").failure.text.endswith("failed: ValueError")


def test_structured_failures_are_kept() -> None:
    details = {
        "ErrorType": "MyError",
        "ErrorMessage": "m",
        "IsNonRetriable": True,
        "InnerFailure": {"ErrorType": "Inner", "ErrorMessage": "in"},
    }
    failure = raised("x\n\n$OutOfProcData$:" + json.dumps({"actions": [[]], "error": "boom", "failureDetails": details})).failure
    assert (failure.failure_details.error_type, failure.failure_details.is_non_retriable) == ("MyError", True)
    assert failure.failure_details.inner_failure.error_message == "in"


def test_an_activitys_result_is_compact_and_none_is_nothing() -> None:
    done = activities.completed(3, '{"x": [1, "\\u00e9"]}', T0)
    assert isinstance(done, TaskCompleted)
    assert (done.task_scheduled_id, done.result) == (3, '{"x":[1,"é"]}')
    nothing = activities.completed(3, "null", T0)
    assert isinstance(nothing, TaskCompleted)
    assert nothing.result is None


def test_a_failed_activity_says_what_apps_take_apart() -> None:
    failed = activities.failed(0, "Flaky", UserCodeFailed("ValueError", "boom", "  File x"), T0)
    assert isinstance(failed, TaskFailed)
    assert failed.reason == "Activity function 'Flaky' failed: ValueError: boom"
    seen_by_app = f"{failed.reason} \n {failed.details}"
    details = json.loads(seen_by_app.split("\n")[1])
    assert details["Message"] == "ValueError: boom"
    assert list(details) == [
        *("$type", "ClassName", "Message", "Data", "InnerException", "HelpURL", "StackTraceString", "RemoteStackTraceString"),
        *("RemoteStackIndex", "ExceptionMethod", "HResult", "Source", "WatsonBuckets"),
    ]
    assert list(details["InnerException"]) == [
        *("$type", "IsUserException", "RemoteStackTrace", "RemoteMessage", "RemoteTypeName", "Message", "Data", "InnerException"),
        *("HelpLink", "Source", "HResult", "StackTrace"),
    ]
    assert details["InnerException"]["Message"] == "Result: Failure\nException: ValueError: boom\nStack:   File x"


@pytest.mark.parametrize(
    ("stored", "value"),
    [('["\\"Tokyo\\""]', '"Tokyo"'), ('["null"]', "null"), ('[{"a":1}]', '{"a":1}'), (None, "null"), ("[1,2]", "[1,2]")],
)
def test_an_activity_is_given_the_one_element_of_its_stored_input(stored: str | None, value: str) -> None:
    assert activities.trigger_value(stored) == value


def test_call_http_becomes_the_built_in_activity() -> None:
    (leaf,) = leaves(
        {
            "actionType": 8,
            "httpRequest": {
                "method": "GET",
                "uri": "http://x",
                "content": None,
                "headers": None,
                "tokenSource": {"resource": "https://graph.microsoft.com/", "kind": "AzureManagedIdentity"},
            },
        }
    )
    assert leaf.name == "BuiltIn::HttpActivity"
    (http,) = json.loads(leaf.input)
    assert list(http) == [
        *("$type", "method", "uri", "headers", "content", "tokenSource", "asynchronousPatternEnabled", "retryOptions", "timeout"),
    ]
    assert http["tokenSource"] == {"kind": "AzureManagedIdentity", "resource": "https://graph.microsoft.com/.default"}
    assert http["headers"] == {}

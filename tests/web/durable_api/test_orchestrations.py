from __future__ import annotations

import asyncio
import re

import msgspec
import pytest

from linarite.durable.events import (
    EventRaised,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSuspended,
    ExecutionTerminated,
    Status,
)
from linarite.settings import DurableSettings
from tests.web.durable_api.asgi import Answer, ask
from tests.web.durable_api.conftest import Doors

BASE = "/runtime/webhooks/durabletask"
JSON = {"Content-Type": "application/json"}
FINISHED = [Status.COMPLETED, Status.FAILED, Status.TERMINATED, Status.CANCELED]


async def post(doors: Doors, path: str, body: bytes | str = b"", headers: dict[str, str] | None = None) -> Answer:
    return await ask(doors.public, "POST", f"{BASE}/{path}", body, headers)


def started_event(doors: Doors) -> ExecutionStarted:
    (message,) = doors.hub.created
    assert isinstance(message.event, ExecutionStarted)
    return message.event


async def test_a_start_answers_with_the_urls_of_the_instance(doors: Doors) -> None:
    answer = await post(doors, "orchestrators/wait/order-7")
    assert answer.status == 202
    assert answer.json["id"] == "order-7"
    assert answer.headers["location"] == answer.json["statusQueryGetUri"]
    assert answer.headers["location"] == f"http://localhost:7071{BASE}/instances/order-7?taskHub=Shop&connection=Storage&code=k"
    assert answer.headers["retry-after"] == "10"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_start_sends_execution_started(doors: Doors) -> None:
    await post(doors, "orchestrators/wait/order-7", '{ "n" : 1.10 }')
    event = started_event(doors)
    assert event.name == "wait"
    assert event.input == '{ "n" : 1.10 }'  # kept as it came
    assert event.version is None
    assert event.tags is None
    assert event.timestamp == "2026-01-01T00:00:00Z"
    assert event.orchestration_instance == doors.hub.created[0].target
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", event.orchestration_instance.execution_id or ""
    )


async def test_an_id_is_made_up_where_none_is_given(doors: Doors) -> None:
    answer = await post(doors, "orchestrators/wait")
    assert re.fullmatch(r"[0-9a-f]{32}", answer.json["id"])


@pytest.mark.parametrize(("query", "version"), [("", "2.0"), ("?version=1.5", "1.5"), ("?version=", "")])
async def test_a_version_in_the_query_wins_over_the_default(query: str, version: str) -> None:
    doors = Doors(settings=DurableSettings(default_version="2.0"))
    await post(doors, f"orchestrators/wait{query}")
    assert started_event(doors).version == version


@pytest.mark.parametrize("body", ["{bad", "[1,2", "NaN", "1 trailing", "// c\n1", "   "])
async def test_a_body_that_is_not_strict_json_starts_nothing(doors: Doors, body: str) -> None:
    answer = await post(doors, "orchestrators/wait/b", body, JSON)
    assert answer.status == 400
    assert answer.json["Message"] == "Invalid JSON content"
    assert answer.json["ExceptionMessage"]
    assert not doors.hub.created


@pytest.mark.parametrize(
    ("body", "content_type", "stored"),
    [
        (b'"x"', "text/plain", '"x"'),
        (b'\xef\xbb\xbf{"a":1}', "application/json", '{"a":1}'),
        ('{"a":1}'.encode("utf-16"), "application/json; charset=utf-16", '{"a":1}'),
        ('{"a":"é"}'.encode("latin-1"), 'application/json; charset="latin-1"', '{"a":"é"}'),
        (b'{"a":"\xff"}', "application/json", '{"a":"\ufffd"}'),
    ],
)
async def test_any_content_type_and_charset_will_do(doors: Doors, body: bytes, content_type: str, stored: str) -> None:
    assert (await post(doors, "orchestrators/wait/b", body, {"Content-Type": content_type})).status == 202
    assert started_event(doors).input == stored


async def test_an_unknown_charset_is_said(doors: Doors) -> None:
    answer = await post(doors, "orchestrators/wait/b", b"1", {"Content-Type": "application/json; charset=klingon"})
    assert answer.status == 400
    assert "klingon" in answer.json["ExceptionMessage"]


@pytest.mark.parametrize("bad", ["@x", "a%5Cb", "a%0Ab", "my%3Fid", "x" * 257])
async def test_an_id_that_may_not_be_is_refused_in_both_members_that_are_read(doors: Doors, bad: str) -> None:
    answer = await post(doors, f"orchestrators/wait/{bad}")
    assert answer.status == 400
    assert answer.json["Message"] == answer.json["ExceptionMessage"]
    assert not doors.hub.created


async def test_a_plus_sign_in_an_id_stays_one(doors: Doors) -> None:
    assert (await post(doors, "orchestrators/wait/a+b%20c%2Bd")).json["id"] == "a+b c+d"


async def test_a_disabled_orchestrator_is_not_started() -> None:
    doors = Doors(disabled=frozenset({"wait"}))
    answer = await post(doors, "orchestrators/wait/x")
    assert answer.status == 400
    assert "AzureWebJobs.wait.Disabled" in answer.json["ExceptionMessage"]


@pytest.mark.parametrize("status", [Status.RUNNING, Status.PENDING, Status.SUSPENDED, Status.CONTINUED_AS_NEW])
async def test_an_id_in_use_is_a_conflict(doors: Doors, status: Status) -> None:
    doors.hub.keep("x", status)
    answer = await post(doors, "orchestrators/wait/x")
    assert answer.status == 409
    assert answer.json == {"Message": f"An Orchestration instance with the status {status.label} already exists."}


@pytest.mark.parametrize("status", FINISHED)
async def test_a_finished_instance_is_replaced(doors: Doors, status: Status) -> None:
    doors.hub.keep("x", status)
    assert (await post(doors, "orchestrators/wait/x")).status == 202


async def test_any_state_lets_a_running_instance_be_replaced() -> None:
    doors = Doors(settings=DurableSettings(overridable_states="AnyState"))
    doors.hub.keep("x", Status.RUNNING)
    assert (await post(doors, "orchestrators/wait/x")).status == 202


async def test_a_start_can_wait_for_the_output(doors: Doors) -> None:
    asking = asyncio.create_task(post(doors, "orchestrators/wait/x?timeout=10&pollingInterval=4"))
    await slept(doors, 4)
    assert not asking.done()
    doors.hub.keep("x", Status.COMPLETED, output='{ "a": 1e3 }')
    await slept(doors, 4)
    answer = await asking
    assert (answer.status, answer.body) == (200, b'{"a":1000.0}')


async def test_a_start_that_waits_shows_how_it_failed(doors: Doors) -> None:
    asking = asyncio.create_task(post(doors, "orchestrators/wait/x?timeout=1&pollingInterval=1&returnInternalServerErrorOnFailure=true"))
    await turns()
    doors.hub.keep("x", Status.FAILED, output="kaboom")
    await slept(doors, 1)
    answer = await asking
    assert answer.status == 200
    assert answer.json["output"] == "kaboom"


async def test_a_start_that_waits_in_vain_answers_with_the_urls(doors: Doors) -> None:
    asking = asyncio.create_task(post(doors, "orchestrators/wait/x?timeout=1&pollingInterval=0.7"))
    await slept(doors, 0.7)
    await slept(doors, 0.3)
    answer = await asking
    assert answer.status == 202
    assert answer.json["id"] == "x"


async def test_looking_less_than_once_is_refused_before_anything_starts(doors: Doors) -> None:
    answer = await post(doors, "orchestrators/wait/x?timeout=1&pollingInterval=5")
    assert answer.status == 400
    assert answer.json == {"Message": "Total timeout 1 should be bigger than retry timeout 5"}
    assert not doors.hub.created


@pytest.mark.parametrize("query", ["timeout=1", "pollingInterval=1", "timeout=x&pollingInterval=1"])
async def test_half_a_wait_is_none(doors: Doors, query: str) -> None:
    assert (await post(doors, f"orchestrators/wait/x?{query}")).status == 202


async def turns() -> None:
    """Let everything run that does not wait for time."""
    for _ in range(20):
        await asyncio.sleep(0)


async def slept(doors: Doors, seconds: float) -> None:
    await turns()
    doors.clock.advance(seconds)
    await turns()


@pytest.mark.parametrize("status", list(Status))
async def test_a_status_is_200_once_finished_and_202_with_a_way_back_before(doors: Doors, status: Status) -> None:
    doors.hub.keep("x", status)
    answer = await ask(doors.public, "GET", f"{BASE}/instances/x?showInput=false")
    assert answer.status == (200 if status.is_terminal else 202)
    assert answer.json["runtimeStatus"] == status.label
    way_back = {"location": f"http://localhost:7071{BASE}/instances/x?showInput=false", "retry-after": "5"}
    assert {name: answer.headers.get(name) for name in way_back} == (dict.fromkeys(way_back) if status.is_terminal else way_back)


async def test_a_failed_status_is_500_if_asked_for(doors: Doors) -> None:
    doors.hub.keep("x", Status.FAILED)
    assert (await ask(doors.public, "GET", f"{BASE}/instances/x?returnInternalServerErrorOnFailure=true")).status == 500


async def test_a_text_that_is_not_json_is_shown_and_breaks_nothing(doors: Doors) -> None:
    doors.hub.keep("x", input='// c\n{"a":1}', version="1.2")
    answer = await ask(doors.public, "GET", f"{BASE}/instances/x")
    assert answer.json == {
        "name": "wait",
        "version": "1.2",
        "instanceId": "x",
        "runtimeStatus": "Running",
        "input": '// c\n{"a":1}',
        "customStatus": None,
        "output": None,
        "createdTime": "2026-01-01T00:00:00Z",
        "lastUpdatedTime": "2026-01-01T00:00:05Z",
    }


async def test_history_is_shown_if_asked_for_and_there_is_any(doors: Doors) -> None:
    doors.hub.keep("x")
    doors.hub.keep("pending", Status.PENDING)
    doors.hub.histories["x"] = [ExecutionSuspended(reason="r", timestamp="2026-01-01T00:00:00Z")]
    assert (await ask(doors.public, "GET", f"{BASE}/instances/x?showHistory=True")).json["historyEvents"] == [
        {"EventType": "ExecutionSuspended", "Reason": "r", "Timestamp": "2026-01-01T00:00:00Z"}
    ]
    assert "historyEvents" not in (await ask(doors.public, "GET", f"{BASE}/instances/x")).json
    assert "historyEvents" not in (await ask(doors.public, "GET", f"{BASE}/instances/pending?showHistory=true")).json


async def test_an_event_is_sent_with_its_json_rewritten(doors: Doors) -> None:
    doors.hub.keep("x")
    answer = await post(doors, "instances/x/raiseEvent/my%20event", '{ "a": 1e3 }', {"Content-Type": "Application/JSON; charset=utf-8"})
    assert (answer.status, answer.body) == (202, b"")
    (message,) = doors.hub.sent
    assert isinstance(message.event, EventRaised)
    assert (message.event.name, message.event.input) == ("my event", '{"a":1000.0}')
    assert message.target.execution_id is None


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/vnd.x+json"])
async def test_an_event_is_json_by_its_content_type(doors: Doors, content_type: str) -> None:
    doors.hub.keep("x")
    answer = await post(doors, "instances/x/raiseEvent/e", "1", {"Content-Type": content_type} if content_type else None)
    assert (answer.status, answer.json) == (400, {"Message": "Only application/json request content is supported"})
    assert not doors.hub.sent


@pytest.mark.parametrize("body", ["", "  ", "{bad"])
async def test_an_event_needs_a_json_body(doors: Doors, body: str) -> None:
    doors.hub.keep("x")
    answer = await post(doors, "instances/x/raiseEvent/e", body, JSON)
    assert (answer.status, answer.json["Message"]) == (400, "Invalid JSON content")


@pytest.mark.parametrize("verb", ["raiseEvent/e", "terminate", "suspend", "resume"])
async def test_nobody_is_404_and_the_finished_are_410_before_anything_else_is_looked_at(doors: Doors, verb: str) -> None:
    doors.hub.keep("gone", Status.COMPLETED)
    assert (await post(doors, f"instances/nobody/{verb}", "{bad")).status == 404
    assert (await post(doors, f"instances/gone/{verb}", "{bad")).status == 410
    assert not doors.hub.sent


@pytest.mark.parametrize(("query", "reason"), [("", None), ("?reason=", ""), ("?reason=why%20%C3%BC", "why ü")])
async def test_reasons_travel_with_terminate_suspend_and_resume(doors: Doors, query: str, reason: str | None) -> None:
    doors.hub.keep("x")
    doors.hub.keep("held", Status.SUSPENDED)
    for path in ("x/terminate", "x/suspend", "held/resume"):
        assert (await post(doors, f"instances/{path}{query}")).status == 202
    now = "2026-01-01T00:00:00Z"
    assert [message.event for message in doors.hub.sent] == [
        ExecutionTerminated(input=reason, timestamp=now),
        ExecutionSuspended(reason=reason, timestamp=now),
        ExecutionResumed(reason=reason, timestamp=now),
    ]


async def test_what_is_suspended_cannot_be_suspended_and_what_runs_not_resumed(doors: Doors) -> None:
    doors.hub.keep("held", Status.SUSPENDED)
    doors.hub.keep("x", Status.PENDING)
    held, running = await post(doors, "instances/held/suspend"), await post(doors, "instances/x/resume")
    assert (held.status, running.status) == (500, 500)
    assert held.json["ExceptionMessage"] == "Cannot suspend the orchestration instance held because instance is in the Suspended state."
    assert running.json["ExceptionMessage"] == "Cannot resume the orchestration instance x because instance is in the Pending state."


async def test_only_the_failed_are_rewound(doors: Doors) -> None:
    doors.hub.keep("bad", Status.FAILED)
    doors.hub.keep("good", Status.COMPLETED)
    assert (await post(doors, "instances/bad/rewind?reason=why")).status == 202
    assert doors.hub.rewound == [("bad", "why")]
    nobody, good = await post(doors, "instances/nobody/rewind"), await post(doors, "instances/good/rewind")
    assert (nobody.status, nobody.json) == (404, 'No orchestration with instance ID "$nobody" found.')
    assert (good.status, good.json) == (
        412,
        'This orchestration has status Completed, but only orchestrations in the "Failed" state can be rewound.',
    )


async def test_a_restart_starts_the_same_under_a_new_id_and_says_whence(doors: Doors) -> None:
    doors.hub.keep("x", name="order", input='{ "k": 1e0 }', version="1.0")
    answer = await post(doors, "instances/x/restart")
    event = started_event(doors)
    assert answer.status == 202
    assert answer.json["id"] == event.orchestration_instance.instance_id
    assert re.fullmatch(r"[0-9a-f]{32}", answer.json["id"])
    assert re.fullmatch(r"[0-9a-f]{32}", event.orchestration_instance.execution_id or "")
    assert (event.name, event.input, event.version) == ("order", '{"k":1.0}', None)
    assert event.tags == {"MS_DurableFunctions_SourceInstanceId": "x"}


async def test_a_restart_without_input_restarts_with_null_and_under_the_same_id_without_a_tag(doors: Doors) -> None:
    doors.hub.keep("x", Status.FAILED)
    answer = await post(doors, "instances/x/restart?restartWithNewInstanceId=False")
    event = started_event(doors)
    assert answer.json["id"] == "x"
    assert (event.input, event.tags) == ("null", None)


async def test_a_restart_of_nobody_or_over_the_running_is_refused(doors: Doors) -> None:
    doors.hub.keep("x")
    nobody = await post(doors, "instances/nobody/restart")
    running = await post(doors, "instances/x/restart?restartWithNewInstanceId=false")
    assert (nobody.status, nobody.json["Message"]) == (400, "InstanceId does not match a valid orchestration instance.")
    assert (running.status, running.json["Message"]) == (409, "A non-terminal instance with this instance ID already exists.")
    assert running.json["ExceptionMessage"] == "An Orchestration instance with the status Running already exists."


async def test_a_restart_with_options_takes_id_and_version(doors: Doors) -> None:
    doors.hub.keep("x", Status.COMPLETED)
    answer = await post(doors, "instances/x/restartWithOptions?newInstanceId=y&version=3.1")
    event = started_event(doors)
    assert answer.json["id"] == "y"
    assert (event.version, event.tags) == ("3.1", {"MS_DurableFunctions_SourceInstanceId": "x"})


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "A new orchestration instance ID must be provided."),
        ("?newInstanceId=@x", "Orchestration instance IDs must not start with @. (Parameter 'newInstanceId')"),
        ("?newInstanceId=a%2Fb", "Orchestration instance ids must not contain /, \\, #, ?, or control characters."),
    ],
)
async def test_a_restart_with_options_needs_a_good_id(doors: Doors, query: str, sentence: str) -> None:
    doors.hub.keep("x", Status.COMPLETED)
    answer = await post(doors, f"instances/x/restartWithOptions{query}")
    assert (answer.status, answer.json["Message"]) == (400, sentence)


async def test_every_body_is_json_or_empty(doors: Doors) -> None:
    """The SDK parses whatever comes back."""
    doors.hub.keep("x")
    for path in ("instances/x/suspend", "instances/nobody/rewind", "instances/x/raiseEvent/e", "nothing", "orchestrators/wait/x"):
        body = (await post(doors, path)).body
        assert body == b"" or msgspec.json.decode(body) is not None

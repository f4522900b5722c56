"""The SDK's own client, through a real socket."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import aiohttp
import azure.durable_functions as df
import pytest
import pytest_asyncio
from azure.durable_functions.models.OrchestrationRuntimeStatus import OrchestrationRuntimeStatus
from azure.durable_functions.models.utils import http_utils

from linarite.durable.events import EventRaised, ExecutionResumed, ExecutionStarted, ExecutionSuspended, ExecutionTerminated, Status
from linarite.web.durable_api.rpc import RpcEndpoint
from linarite.web.durable_api.urls import client_binding
from tests.web.durable_api.conftest import WEBHOOK, Doors

Client = Any
"""The SDK ships no types."""


@pytest_asyncio.fixture
async def client(doors: Doors) -> AsyncIterator[Client]:
    """The client that a function gets from its binding."""
    endpoint = RpcEndpoint(doors.host, preferred_port=0)
    await endpoint.start()
    yield df.DurableOrchestrationClient(client_binding(WEBHOOK, endpoint.base_url))
    await http_utils._close_session()
    await endpoint.stop()


async def test_start_new_sends_the_input_as_text_within_text(client: Client, doors: Doors) -> None:
    assert await client.start_new("chain", "order 7", {"n": 1}) == "order 7"
    event = doors.hub.created[0].event
    assert isinstance(event, ExecutionStarted)
    assert (event.name, event.input, event.version) == ("chain", '"{\\"n\\": 1}"', None)


async def test_start_new_without_id_input_or_with_version(client: Client, doors: Doors) -> None:
    made_up = await client.start_new("chain", version="1.0 beta")
    event = doors.hub.created[0].event
    assert isinstance(event, ExecutionStarted)
    assert made_up == event.orchestration_instance.instance_id
    assert (event.input, event.version) == (None, "1.0 beta")


async def test_start_new_raises_what_is_wrong_with_an_id(client: Client) -> None:
    with pytest.raises(Exception, match=r"^Orchestration instance ids must not start with @\.$"):
        await client.start_new("chain", "@bad")


async def test_start_new_raises_if_the_id_is_in_use(client: Client, doors: Doors) -> None:
    doors.hub.keep("x")
    with pytest.raises(Exception, match="An Orchestration instance with the status Running already exists"):
        await client.start_new("chain", "x")


async def test_get_status(client: Client, doors: Doors) -> None:
    doors.hub.keep("x", Status.COMPLETED, output='["é", 1.50]', input='"{\\"n\\": 1}"', custom_status='{"at":1}')
    doors.hub.histories["x"] = [EventRaised(name="go", input='"1"', timestamp="2026-01-01T00:00:00Z")]
    status = await client.get_status("x", show_history=True, show_history_output=True, show_input=True)
    assert status.runtime_status is OrchestrationRuntimeStatus.Completed
    assert (status.output, status.input_, status.custom_status) == (["é", 1.5], '{"n": 1}', {"at": 1})
    assert status.created_time == datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    assert status.historyEvents[0]["Name"] == "go"


async def test_get_status_of_nobody_is_falsy(client: Client) -> None:
    assert not await client.get_status("nobody")


async def test_lists(client: Client, doors: Doors) -> None:
    doors.hub.keep("a", Status.COMPLETED)
    doors.hub.keep("b", Status.FAILED)
    assert [status.instance_id for status in await client.get_status_all()] == ["a", "b"]
    failed = await client.get_status_by(
        created_time_from=datetime(2020, 1, 1), created_time_to=datetime(2027, 1, 1), runtime_status=[OrchestrationRuntimeStatus.Failed]
    )
    assert [status.instance_id for status in failed] == ["b"]
    assert [status.instance_id for status in await client.get_status_by(instance_id_prefix="a")] == ["a"]


async def test_raise_event(client: Client, doors: Doors) -> None:
    doors.hub.keep("x")
    doors.hub.keep("done", Status.COMPLETED)
    await client.raise_event("x", "go", {"d": 1})
    await client.raise_event("x", "go")
    inputs = [message.event.input for message in doors.hub.sent if isinstance(message.event, EventRaised)]
    assert inputs == ['"{\\"d\\": 1}"', '"null"']
    with pytest.raises(Exception, match="Instance with ID done is gone"):
        await client.raise_event("done", "go", 1)
    with pytest.raises(Exception, match="No instance with ID nobody found"):
        await client.raise_event("nobody", "go", 1)


async def test_raise_event_in_another_hub(client: Client, doors: Doors) -> None:
    with pytest.raises(Exception, match="No instance with ID x found"):
        await client.raise_event("x", "go", 1, task_hub_name="Other", connection_name="Elsewhere")
    assert list(doors.others) == [("Other", "Elsewhere")]


async def test_control(client: Client, doors: Doors) -> None:
    doors.hub.keep("x")
    doors.hub.keep("held", Status.SUSPENDED)
    await client.suspend("x", "why ü/?")
    await client.resume("held", "go on")
    await client.terminate("x", "enough")
    now = "2026-01-01T00:00:00Z"
    assert [message.event for message in doors.hub.sent] == [
        ExecutionSuspended(reason="why ü/?", timestamp=now),
        ExecutionResumed(reason="go on", timestamp=now),
        ExecutionTerminated(input="enough", timestamp=now),
    ]
    with pytest.raises(Exception, match="unexpected status code 500"):
        await client.suspend("held", "again")
    with pytest.raises(Exception, match="No instance with ID 'nobody' found"):
        await client.terminate("nobody", "t")


async def test_control_of_the_finished_does_nothing(client: Client, doors: Doors) -> None:
    doors.hub.keep("done", Status.COMPLETED)
    await client.terminate("done", "t")
    await client.suspend("done", "s")
    await client.resume("done", "r")
    assert not doors.hub.sent


async def test_rewind(client: Client, doors: Doors) -> None:
    doors.hub.keep("bad", Status.FAILED)
    doors.hub.keep("good", Status.COMPLETED)
    await client.rewind("bad", "try again")
    assert doors.hub.rewound == [("bad", "try again")]
    with pytest.raises(Exception, match="This orchestration has status Completed, but only"):
        await client.rewind("good", "why")
    with pytest.raises(Exception, match="No instance with ID nobody found"):
        await client.rewind("nobody", "why")


async def test_restart(client: Client, doors: Doors) -> None:
    doors.hub.keep("x", Status.COMPLETED, input="1")
    again = await client.restart("x")
    same = await client.restart("x", restart_with_new_instance_id=False)
    assert again["id"] == doors.hub.created[0].target.instance_id
    assert same["id"] == "x"
    with pytest.raises(Exception):  # noqa: B017 - the SDK raises a bare one
        await client.restart("nobody")


async def test_purge(client: Client, doors: Doors) -> None:
    for name in ("a", "b", "c"):
        doors.hub.keep(name, Status.COMPLETED)
    doors.hub.keep("r")
    assert (await client.purge_instance_history("a")).instances_deleted == 1
    assert (await client.purge_instance_history("a")).instances_deleted == 0
    with pytest.raises(Exception, match="unexpected status code 412"):
        await client.purge_instance_history("r")
    window = datetime(2020, 1, 1), datetime(2027, 1, 1)
    assert (await client.purge_instance_history_by(*window, [OrchestrationRuntimeStatus.Failed])).instances_deleted == 0
    assert (await client.purge_instance_history_by(*window)).instances_deleted == 2
    assert list(doors.hub.kept) == ["r"]


async def test_entities(client: Client, doors: Doors) -> None:
    counter = df.EntityId("Counter", "k 1")
    doors.hub.keep("@counter@k 1", input='{"exists":true,"state":"5","sorter":{}}')
    read = await client.read_entity_state(counter)
    assert (read.entity_exists, read.entity_state) == (True, 5)
    assert not (await client.read_entity_state(df.EntityId("Counter", "none"))).entity_exists
    await client.signal_entity(counter, "add", 5)
    assert doors.hub.sent[0].target.instance_id == "@counter@k 1"
    with pytest.raises(Exception, match="unexpected status code 400"):
        await client.signal_entity(df.EntityId("Nope", "x"), "add", 5)


async def test_wait_for_completion(client: Client, doors: Doors) -> None:
    doors.hub.keep("x", Status.COMPLETED, output='"done"')
    doors.hub.keep("r")
    done = await client.wait_for_completion_or_create_check_status_response(None, "x", 100, 50)
    assert (done.status_code, done.get_body()) == (200, b"done")
    waiting = await client.wait_for_completion_or_create_check_status_response(None, "r", 2, 1)
    assert waiting.status_code == 202


async def test_check_status_response(client: Client) -> None:
    response = client.create_check_status_response(None, "x")
    assert response.headers["Location"] == f"{WEBHOOK.base_url}/instances/x?taskHub=Shop&connection=Storage&code=k"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:17071"}, 200),
        ({"Origin": "https://page.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "page.example:17071"}, 403),
    ],
)
async def test_web_pages_are_refused(doors: Doors, headers: dict[str, str], status: int) -> None:
    endpoint = RpcEndpoint(doors.host, preferred_port=0)
    await endpoint.start()
    async with aiohttp.ClientSession() as session, session.get(f"{endpoint.base_url}instances/", headers=headers) as answer:
        assert answer.status == status
    await endpoint.stop()


async def test_a_taken_port_is_said_and_another_one_used(doors: Doors, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = RpcEndpoint(doors.host, preferred_port=taken.getsockname()[1])
        with caplog.at_level(logging.WARNING):
            await endpoint.start()
        assert endpoint.base_url is not None
        assert f":{taken.getsockname()[1]}/" not in endpoint.base_url
        assert str(taken.getsockname()[1]) in caplog.text
        await endpoint.stop()
        assert endpoint.base_url is None

from __future__ import annotations

from collections.abc import Sequence

import pytest

from linarite.durable.events import HistoryEvent
from linarite.errors import HubUnavailable
from linarite.settings import DurableSettings
from tests.web.durable_api.asgi import ask
from tests.web.durable_api.conftest import Doors
from tests.web.durable_api.hub_double import HubDouble

BASE = "/runtime/webhooks/durabletask"


@pytest.mark.parametrize(
    "path", ["/instances/x", "/Instances/x", "/instances/x/", "//instances//x", "/INSTANCES/x?code=wrong", "/instances/x?nosuch=1&x"]
)
async def test_paths_are_matched_in_any_case_and_forgive_slashes(doors: Doors, path: str) -> None:
    doors.hub.keep("x")
    assert (await ask(doors.public, "GET", f"{BASE}{path}")).status == 202
    assert (await ask(doors.public, "GET", f"/Runtime/WebHooks/DurableTask{path}")).status == 202


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/nothing"),
        ("GET", "x/instances/x"),
        ("PUT", "/instances/x"),
        ("POST", "/instances/x"),
        ("OPTIONS", "/instances/x"),
        ("HEAD", "/instances/x"),
        ("PATCH", "/instances/x"),
        ("POST", "/instances/"),
        ("GET", "/instances/x/terminate"),
        ("POST", "/instances/x/nosuchop"),
        ("POST", "/instances/x/raiseEvent/"),
        ("POST", "/instances/x/raiseEvent/a/b"),
        ("POST", "/instances/x/raiseEvent/a%2Fb"),
        ("GET", "/orchestrators/wait/x"),
        ("POST", "/orchestrators/"),
        ("POST", "/orchestrators/wait/a/b"),
        ("POST", "/orchestrators/wait/a%2fb"),
        ("PUT", "/entities/Counter/x"),
        ("POST", "/entities/Counter/a%2Fb"),
        ("GET", "/instances/X"),
    ],
)
async def test_everything_else_is_404_without_a_body(doors: Doors, method: str, path: str) -> None:
    doors.hub.keep("x")
    answer = await ask(doors.public, method, f"{BASE}{path}")
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize(
    ("target", "status"), [("/", 400), ("/other/instances/", 404), ("/durabletask/", 404), ("/durabletaskx/instances", 404)]
)
async def test_beside_the_endpoints_path_there_is_nothing(doors: Doors, target: str, status: int) -> None:
    assert (await ask(doors.rpc, "GET", target)).status == status


async def test_both_doors_lead_to_the_same(doors: Doors) -> None:
    await ask(doors.rpc, "POST", "/durabletask/orchestrators/wait/x", '"{}"')
    assert (await ask(doors.public, "GET", f"{BASE}/instances/x")).json["input"] == "{}"


async def test_the_endpoints_answers_point_to_the_public_door(doors: Doors) -> None:
    answer = await ask(doors.rpc, "POST", "/durabletask/orchestrators/wait/x", host="127.0.0.1:17071")
    assert answer.headers["location"].startswith(f"http://localhost:7071{BASE}/instances/x?")


async def test_public_answers_use_the_name_under_which_the_client_knows_us(doors: Doors) -> None:
    answer = await ask(doors.public, "POST", f"{BASE}/orchestrators/wait/x", host="192.168.1.5:7080")
    assert answer.headers["location"].startswith(f"http://192.168.1.5:7080{BASE}/instances/x?")


@pytest.mark.parametrize(("is_used", "begins"), [(True, "https://proxy.example/"), (False, "http://localhost:7071/")])
async def test_a_proxys_name_counts_if_the_app_says_so(is_used: bool, begins: str) -> None:
    doors = Doors(settings=DurableSettings(use_forwarded_host=is_used))
    headers = {"X-Forwarded-Host": "proxy.example", "X-Forwarded-Proto": "https"}
    answer = await ask(doors.public, "POST", f"{BASE}/orchestrators/wait/x", headers=headers)
    assert answer.headers["location"].startswith(begins)


async def test_a_request_may_name_hub_and_connection(doors: Doors) -> None:
    answer = await ask(doors.public, "POST", f"{BASE}/orchestrators/wait/x?taskHub=Other&CONNECTION=MyStorage")
    assert "taskHub=Other&connection=MyStorage&code=k" in answer.headers["location"]
    assert list(doors.others) == [("Other", "MyStorage")]
    assert not doors.hub.created


@pytest.mark.parametrize("query", ["taskHub=Shop", "taskHub=shop", "taskHub=", "connection=Storage", "connection=AzureWebJobsStorage"])
async def test_its_own_hub_may_be_named_too(doors: Doors, query: str) -> None:
    await ask(doors.public, "POST", f"{BASE}/orchestrators/wait/x?{query}")
    assert len(doors.hub.created) == 1


@pytest.mark.parametrize("name", ["..%2F..%2Fhome", "a", "1abc", "a-b-c"])
async def test_a_hub_that_cannot_be_is_refused(doors: Doors, name: str) -> None:
    answer = await ask(doors.public, "GET", f"{BASE}/instances/?taskHub={name}")
    assert answer.status == 400
    assert "should contain only alphanumeric characters" in answer.json["ExceptionMessage"]
    assert not doors.others


async def test_a_connection_that_is_not_there_is_a_500_that_says_so(doors: Doors) -> None:
    answer = await ask(doors.public, "GET", f"{BASE}/instances/x?connection=Nope")
    assert answer.status == 500
    assert answer.json["Message"] == "Something went wrong while processing your request"
    assert answer.json["ExceptionMessage"] == "Unable to resolve the Azure Storage connection named 'Nope'."


@pytest.mark.parametrize("problem", [HubUnavailable("storage is away"), RuntimeError("storage is away")])
async def test_a_failing_hub_is_a_500(doors: Doors, problem: Exception) -> None:
    class Failing(HubDouble):
        async def history(self, instance_id: str) -> Sequence[HistoryEvent]:
            raise problem

    doors.hub = Failing()
    doors.hub.keep("x")
    answer = await ask(doors.public, "GET", f"{BASE}/instances/x?showHistory=true")
    assert (answer.status, answer.json["ExceptionMessage"]) == (500, "storage is away")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_anyone_may_be_primary(doors: Doors, method: str) -> None:
    assert (await ask(doors.public, method, f"{BASE}/makePrimary/")).status == 200


async def test_without_an_app_lease_nobody_is_primary() -> None:
    answer = await ask(Doors(settings=DurableSettings(use_app_lease=False)).public, "POST", f"{BASE}/makeprimary")
    assert answer.status == 400
    assert answer.json["Message"] == "Cannot make current app primary. This app is not using the AppLease feature."

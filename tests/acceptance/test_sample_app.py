"""Each pattern of the sample app, driven as its comments say, through a host started as the README says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from linarite.azurite import Ports
from tests.acceptance.sample import copy_of_the_sample
from tests.host_process import HostProcess, client, finished


@pytest.fixture(params=["embedded", "in process", pytest.param("azurite", marks=pytest.mark.azurite)])
def storage(request: pytest.FixtureRequest) -> tuple[tuple[str, ...], dict[str, str]]:
    """Where the hub and the code are: flags, and the environment that goes with them."""
    if request.param != "azurite":
        return ("--storage", "embedded", *(("--in-process",) if request.param == "in process" else ())), {}
    ports: Ports = request.getfixturevalue("azurite")
    hub = {"AzureFunctionsJobHost__extensions__durableTask__hubName": "Acceptance"}
    return ("--storage", "azurite"), {"AzureWebJobsStorage": ports.connection_string(), **hub}


@pytest.fixture
async def sample(storage: tuple[tuple[str, ...], dict[str, str]], tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """The sample app, in a folder of its own, served on either hub."""
    folder = copy_of_the_sample(tmp_path)
    flags, environment = storage
    async with HostProcess(folder, *flags, "--no-reload", environment=environment) as host, client(host) as session:
        yield session


async def started(session: aiohttp.ClientSession, path: str, body: object) -> dict[str, object]:
    async with session.post(path, json=body) as answer:
        assert answer.status == 202
        urls: dict[str, object] = await answer.json()
        return urls


async def test_the_plain_function_greets(sample: aiohttp.ClientSession) -> None:
    async with sample.get("/api/hello/ada") as answer:
        assert await answer.text() == "Hello, ada!"


async def test_an_order_goes_through_all_its_steps(sample: aiohttp.ClientSession) -> None:
    urls = await started(sample, "/api/orders", {"customer": "ada@example.com", "item": "kettle", "quantity": 2})
    status = await finished(sample, str(urls["statusQueryGetUri"]))
    assert (status["runtimeStatus"], status["customStatus"]) == ("Completed", "shipped")
    assert status["output"] == {"payment": "P-ada@example.com-59.00", "tracking": "T-R-kettle-2", "amount": 59.0}


async def test_an_order_that_cannot_be_filled_fails_with_the_activity_s_text(sample: aiohttp.ClientSession) -> None:
    urls = await started(sample, "/api/orders", {"customer": "ada@example.com", "item": "teapot", "quantity": 4})
    status = await finished(sample, str(urls["statusQueryGetUri"]))
    assert status["runtimeStatus"] == "Failed"
    reason = "Activity function 'CheckAndReserveInventory' failed: ValueError: 4 x teapot wanted, 3 in stock"
    assert str(status["output"]).startswith(f"Orchestrator function 'PlaceOrder' failed: {reason}")


async def test_a_fan_out_comes_back_within_the_request(sample: aiohttp.ClientSession) -> None:
    async with sample.post("/api/sales", json=["north", "south"]) as answer:
        assert answer.status == 200
        assert await answer.json() == {"regions": 2, "total": 111800}


async def test_a_monitor_ends_when_time_is_up_or_the_price_has_moved(sample: aiohttp.ClientSession) -> None:
    urls = await started(sample, "/api/stock/contoso", {"percent": 0.0001, "every_seconds": 1, "for_minutes": 1})
    async with sample.post("/api/stock/contoso", json={}) as again:
        assert again.status == 409
    status = await finished(sample, str(urls["statusQueryGetUri"]))
    assert status["runtimeStatus"] == "Completed"
    output = status["output"]
    assert isinstance(output, dict)
    assert (output["symbol"], output["moved"]) == ("CONTOSO", True)


@pytest.mark.parametrize(("verdict", "outcome"), [("approve", "approved"), ("reject", "rejected")])
async def test_a_person_decides(sample: aiohttp.ClientSession, verdict: str, outcome: str) -> None:
    urls = await started(sample, "/api/expenses", {"who": "ada", "amount": 120, "within_seconds": 600})
    async with sample.post(f"/api/expenses/{urls['id']}/{verdict}") as answer:
        assert answer.status == 202
    status = await finished(sample, str(urls["statusQueryGetUri"]))
    assert (status["runtimeStatus"], status["output"]) == ("Completed", outcome)


async def test_nobody_decides_in_time(sample: aiohttp.ClientSession) -> None:
    urls = await started(sample, "/api/expenses", {"who": "ada", "amount": 120, "within_seconds": 1})
    status = await finished(sample, str(urls["statusQueryGetUri"]))
    assert (status["runtimeStatus"], status["output"]) == ("Completed", "escalated")

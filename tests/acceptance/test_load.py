"""Much at once, and much at a time: on either hub, over HTTP and through the SDK's client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.conftest import Storage
from tests.acceptance.orders import check, place
from tests.acceptance.sample import copy_of_the_sample
from tests.host_process import HostProcess, client, finished

DURABLE = "/runtime/webhooks/durabletask"
MB = 1_000_000

ECHO_APP = """
import hashlib
import json

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="start/{id}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    await client.start_new("relay", req.route_params["id"], req.get_json())
    return await client.wait_for_completion_or_create_check_status_response(req, req.route_params["id"], 60_000, 100)


@app.route(route="status/{id}")
@app.durable_client_input(client_name="client")
async def status(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    found = await client.get_status(req.route_params["id"], show_input=True)
    return func.HttpResponse(json.dumps({"input": json.loads(found.input_), "output": found.output}))


@app.orchestration_trigger(context_name="context")
def relay(context):
    text = context.get_input()
    return (yield context.call_activity("turn_round", text))


@app.activity_trigger(input_name="text")
def turn_round(text: str) -> str:
    return text[::-1]
"""


@pytest.mark.slow
async def test_200_orders_that_come_at_once_are_all_completed(storage: Storage, tmp_path: Path) -> None:
    flags, environment = storage
    orders = [f"order-{number:03}" for number in range(200)]
    async with HostProcess(copy_of_the_sample(tmp_path), "--no-reload", *flags, environment=environment) as host, client(host) as session:
        assert all(await asyncio.gather(*(place(session, order) for order in orders)))
        for order in orders:
            await check(session, order)


@pytest.fixture
async def echo(storage: Storage, app_folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """An app that sends a text through an orchestration and an activity, and back turned round."""
    flags, environment = storage
    (app_folder / "function_app.py").write_text(ECHO_APP, "utf-8")
    async with HostProcess(app_folder, "--no-reload", *flags, environment=environment) as host, client(host) as session:
        yield session


@pytest.fixture(params=["ascii", "beyond"])
def text(request: pytest.FixtureRequest) -> str:
    """2 MB, of one byte a character or of several."""
    return ("abcdefghij" if request.param == "ascii" else "é€𝄞abc") * (2 * MB // 10)


async def test_two_megabytes_go_in_and_out_over_http(echo: aiohttp.ClientSession, text: str) -> None:
    async with echo.post(f"{DURABLE}/orchestrators/relay/big", data=json.dumps(text)) as answer:
        assert answer.status == 202
        status = await finished(echo, (await answer.json())["statusQueryGetUri"])
    assert status["runtimeStatus"] == "Completed"
    assert (status["input"], status["output"]) == (text, text[::-1])


async def test_two_megabytes_go_in_and_out_through_the_sdk_s_client(echo: aiohttp.ClientSession, text: str) -> None:
    async with echo.post("/api/start/big", data=json.dumps(text)) as answer:
        assert (answer.status, await answer.text()) == (200, text[::-1])
    async with echo.get("/api/status/big") as answer:
        assert json.loads(await answer.text()) == {"input": text, "output": text[::-1]}

"""An app with storage triggers and bindings, through a host started as the README says, on the real Azurite."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from linarite.azurite import Azurite, Ports
from tests.host_process import HostProcess, client

pytestmark = pytest.mark.azurite

APP = """
import hashlib
import json
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="say/{word}", methods=["POST"])
@app.queue_output(arg_name="out", queue_name="%Words%", connection="")
def say(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set(json.dumps({"word": req.route_params["word"]}))
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="message", queue_name="%Words%", connection="")
@app.blob_output(arg_name="out", path="words/{word}.txt", connection="")
def write_down(message: func.QueueMessage, out: func.Out[str]) -> None:
    out.set(message.get_json()["word"].upper())


@app.blob_trigger(arg_name="blob", path="words/{name}.txt", connection="")
@app.table_output(arg_name="row", table_name="Words", connection="")
def index(blob: func.InputStream, row: func.Out[str]) -> None:
    name = blob.name.rpartition("/")[2]
    row.set(json.dumps({"PartitionKey": "words", "RowKey": name, "text": blob.read().decode()}))
    logging.info("indexed %s", name)


@app.route(route="words/{word}", methods=["GET"])
@app.table_input(arg_name="row", table_name="Words", partition_key="words", row_key="{word}.txt", connection="")
def look_up(req: func.HttpRequest, row: str) -> str:
    return json.loads(row)["text"] if row else "nothing"


@app.route(route="echo", methods=["POST"])
def echo(req: func.HttpRequest) -> func.HttpResponse:
    body = req.get_body()
    return func.HttpResponse(body, headers={"x-digest": hashlib.sha256(body).hexdigest()}, mimetype="application/octet-stream")


@app.service_bus_queue_trigger(arg_name="message", queue_name="orders", connection="Bus")
def ordered(message: func.ServiceBusMessage) -> None:
    logging.info("ordered %s", message.get_body().decode())
"""


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Azurite]:
    """An Azurite of the test's own: the app's containers and its queue have fixed names."""
    emulator = Azurite(tmp_path / "azurite", Ports(0, 0, 0))
    await emulator.start()
    yield emulator
    await emulator.stop()


def words_app(folder: Path) -> Path:
    (folder / "function_app.py").write_text(APP, "utf-8")
    return folder


async def looked_up(session: aiohttp.ClientSession, word: str) -> str:
    async with session.get(f"/api/words/{word}") as answer:
        return await answer.text()


async def test_a_word_goes_through_queue_blob_and_table(app_folder: Path, emulator: Azurite) -> None:
    environment = {"AzureWebJobsStorage": emulator.ports.connection_string(), "Words": "words-to-write"}
    async with HostProcess(words_app(app_folder), "--no-reload", environment=environment) as host, client(host) as session:
        await host.said("Function 'ordered' is not started. Its trigger serviceBusTrigger needs Azure Service Bus")
        assert await looked_up(session, "kettle") == "nothing"
        async with session.post("/api/say/kettle") as answer:
            assert answer.status == 202
        await host.said("indexed kettle.txt")
        await host.said(r"Executed 'Functions.index' \(Succeeded")
        assert await looked_up(session, "kettle") == "KETTLE"
        async with session.post("/admin/functions/ordered", json={"input": "a mug"}) as answer:
            assert answer.status == 202
        await host.said("ordered a mug")


async def test_listeners_go_on_with_saved_code(app_folder: Path, emulator: Azurite) -> None:
    environment = {"AzureWebJobsStorage": emulator.ports.connection_string(), "Words": "words-reloaded"}
    async with HostProcess(words_app(app_folder), environment=environment) as host, client(host) as session:
        async with session.post("/api/say/kettle") as answer:
            assert answer.status == 202
        await host.said("indexed kettle.txt")
        changed = APP.replace('"indexed %s"', '"noted %s"').replace(".upper()", ".title()")
        (app_folder / "function_app.py").write_text(changed, "utf-8")
        await host.said("Reloaded: 6 functions loaded")
        async with session.post("/api/say/mug") as answer:
            assert answer.status == 202
        await host.said("noted mug.txt")
        await host.said(r"Executed 'Functions.index' \(Succeeded", next(n for n, line in enumerate(host.lines) if "noted mug" in line))
        assert await looked_up(session, "mug") == "Mug"
        assert sum("indexed" in line or "noted" in line for line in host.lines) == 2


async def test_27_mib_go_through_http_and_come_back(app_folder: Path, emulator: Azurite) -> None:
    body = os.urandom(27 * 1024 * 1024)
    environment = {"AzureWebJobsStorage": emulator.ports.connection_string(), "Words": "w-27"}
    async with HostProcess(words_app(app_folder), "--no-reload", environment=environment) as host, client(host) as session:
        answer = await session.post("/api/echo", data=body)
        assert answer.headers["x-digest"] == hashlib.sha256(body).hexdigest()
        assert await answer.read() == body


async def test_an_emulator_that_goes_and_comes_back_is_said_once_and_triggers_go_on(app_folder: Path, emulator: Azurite) -> None:
    environment = {"AzureWebJobsStorage": emulator.ports.connection_string(), "Words": "words-in-between"}
    async with HostProcess(words_app(app_folder), "--no-reload", environment=environment) as host, client(host) as session:
        await emulator.stop()
        await host.said("The queue service .* does not answer")
        async with session.post("/api/echo", data=b"x") as answer:
            assert answer.status == 200
        again = Azurite(app_folder / "azurite", emulator.ports)
        await again.start()
        try:
            await host.said("Storage at .* answers again")
            async with session.post("/api/say/mug") as answer:
                assert answer.status == 202
            await host.said("indexed mug.txt")
        finally:
            await again.stop()
        assert sum("The queue service" in line and "does not answer" in line for line in host.lines) == 1


async def test_without_an_emulator_one_is_started_and_stopped(app_folder: Path, emulator: Azurite) -> None:
    ports = emulator.ports
    await emulator.stop()
    environment = {"AzureWebJobsStorage": ports.connection_string(), "Words": "words-of-our-own"}
    async with HostProcess(words_app(app_folder), "--no-reload", environment=environment) as host, client(host) as session:
        await host.said("Starting Azurite: nothing listens on port")
        await host.said("Storage: azurite: nothing listens on port .*, so it was started here")
        async with session.post("/api/say/teapot") as answer:
            assert answer.status == 202
        await host.said("indexed teapot.txt")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", ports.queue)

"""What becomes of events: through a whole host, on the real Azurite."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.host_process import HostProcess, client

APP = """
import logging

import azure.functions as func

app = func.FunctionApp()


@app.event_grid_trigger(arg_name="event")
@app.blob_output(arg_name="out", path="{container}-seen/{{data.name}}.txt", connection="")
def ordered(event: func.EventGridEvent, out: func.Out[str]) -> None:
    if event.get_json()["name"] == "broken":
        raise ValueError("no such order")
    out.set(event.subject)
    logging.info("ordered %s by %s at %s", event.get_json()["name"], event.subject, event.event_time)


@app.blob_trigger(arg_name="blob", path="{container}/{{name}}.txt", connection="", source="EventGrid")
def uploaded(blob: func.InputStream) -> None:
    logging.info("uploaded %s: %s", blob.name, blob.read().decode())
"""
NOTIFIED = {"aeg-event-type": "Notification"}


@pytest.fixture
async def host(app_folder: Path, connection: str) -> AsyncIterator[HostProcess]:
    (app_folder / "function_app.py").write_text(APP.format(container=app_folder.name.replace("_", "-")), "utf-8")
    async with HostProcess(app_folder, "--no-reload", environment={"AzureWebJobsStorage": connection}) as running:
        yield running


@pytest.fixture
def container(app_folder: Path) -> str:
    return app_folder.name.replace("_", "-")


def order(name: str) -> dict[str, Any]:
    times = {"eventTime": "2026-11-26T08:00:00.5Z", "eventType": "Order.Placed", "dataVersion": "1.0"}
    return {"id": name, "topic": "t", "subject": "ada", "data": {"name": name}, **times}


async def sent(session: aiohttp.ClientSession, path: str, *events: Any) -> tuple[int, str]:
    async with session.post(f"/runtime/webhooks/{path}", json=events, headers=NOTIFIED) as answer:
        return answer.status, await answer.text()


@pytest.mark.azurite
async def test_each_event_is_a_call_and_its_data_fills_expressions(host: HostProcess, container: str, connection: str) -> None:
    from azure.storage.blob.aio import ContainerClient

    async with client(host) as session:
        assert await sent(session, "EventGrid?functionName=ordered", order("kettle"), order("mug")) == (202, "")
    await host.said(r"ordered kettle by ada at 2026-11-26 08:00:00.500000\+00:00")
    await host.said(r"Executing 'Functions.ordered' \(Reason='EventGrid trigger fired at 20")
    async with ContainerClient.from_connection_string(connection, f"{container}-seen") as seen:
        assert {blob.name async for blob in seen.list_blobs()} == {"kettle.txt", "mug.txt"}


@pytest.mark.azurite
async def test_one_call_that_fails_is_500_for_all(host: HostProcess) -> None:
    async with client(host) as session:
        answer = await sent(session, "eventgrid?functionName=ordered", order("kettle"), order("broken"))
        assert answer == (500, "Exception while executing function: Functions.ordered")
        assert await sent(session, "eventgrid?functionName=Ordered") == (404, "cannot find function: 'Ordered'")
    await host.said("An event was sent to function 'Ordered'. Functions with an Event Grid trigger: ordered.")


@pytest.mark.azurite
async def test_a_blob_is_told_of_and_not_looked_for(host: HostProcess, container: str, connection: str) -> None:
    from azure.storage.blob.aio import BlobServiceClient

    async with BlobServiceClient.from_connection_string(connection) as service:
        blobs = await service.create_container(container)
        for name in ("untold.txt", "told.txt"):
            await blobs.upload_blob(name, f"the content of {name}")
        url = f"{service.url}{container}/told.txt"
    await host.said("Function 'uploaded' is not started. .* POST /runtime/webhooks/blobs\\?functionName=Host.Functions.uploaded")
    data = {"api": "PutBlob", "contentType": "text/plain", "eTag": "0x8D", "blobType": "BlockBlob", "url": url}
    async with client(host) as session:
        event = {"id": "1", "eventType": "Microsoft.Storage.BlobCreated", "data": data}
        assert await sent(session, "blobs?functionName=Host.Functions.uploaded", event) == (202, "")
        await host.said(rf"Reason='New blob detected\(EventGrid\): {container}/told\.txt'")
        await host.said(f"uploaded {container}/told.txt: the content of told.txt")
        assert await sent(session, "blobs?functionName=uploaded", event) == (202, "")
        await host.said("names function 'uploaded' and starts none. Expected functionName to be one of: Host.Functions.uploaded")
        assert (await sent(session, "blobs?functionName=x", {"id": "1"}))[0] == 400
    assert not any("untold" in line for line in host.lines)


async def test_an_app_without_such_functions_has_no_such_door(app_folder: Path) -> None:
    (app_folder / "function_app.py").write_text(
        "import azure.functions as func\n\napp = func.FunctionApp()\n\n\n@app.route()\ndef f(req): ...\n"
    )
    async with HostProcess(app_folder, "--no-reload") as host, client(host) as session:
        assert (await sent(session, "EventGrid?functionName=f", json.loads("{}")))[0] == 404

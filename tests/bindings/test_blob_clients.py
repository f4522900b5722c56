"""`BlobClient`, `ContainerClient` and `StorageStreamDownloader` of the real extension."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from linarite.bindings.protocol import Call
from linarite.bindings.storage_bindings import storage_bindings
from linarite.invocation import string
from linarite.settings import QueueSettings
from linarite.workers.in_process import InProcessWorker
from tests.listeners.app import App
from tests.workers.calls import function, invocation, up, write_app

pytestmark = pytest.mark.azurite

SOURCE = """
    import json
    import azure.functions as func
    import azurefunctions.extensions.bindings.blob as blob

    app = func.FunctionApp()

    @app.queue_trigger(arg_name="msg", queue_name="queue", connection="AzureWebJobsStorage")
    @app.blob_input(arg_name="one", path="{container}/a.txt", connection="AzureWebJobsStorage")
    @app.blob_input(arg_name="all", path="{container}/a.txt", connection="AzureWebJobsStorage")
    @app.blob_input(arg_name="stream", path="{container}/a.txt", connection="AzureWebJobsStorage")
    @app.queue_output(arg_name="$return", queue_name="out", connection="AzureWebJobsStorage")
    def look(msg: str, one: blob.BlobClient, all: blob.ContainerClient, stream: blob.StorageStreamDownloader) -> str:
        names = [each.name for each in all.list_blobs()]
        return json.dumps([one.download_blob().readall().decode(), names, stream.readall().decode()])
"""


async def test_the_worker_makes_clients(connection: str, tmp_path: Path) -> None:
    app, container = App(connection), f"c{uuid.uuid4().hex[:20]}"
    await app.storage.blobs.create_container(container)
    await app.storage.blobs.put(container, "a.txt", b"content")
    worker = InProcessWorker(write_app(tmp_path, SOURCE), {"AzureWebJobsStorage": connection}, lambda line: None)
    async with up(worker, 5) as loaded:
        look = function(loaded, "look")
        blobs = storage_bindings(app.connections, QueueSettings(), app.clock, app.wakes).inputs["blob"]
        metadata = {"container": string(container)}
        call = Call("1", look, {}, metadata)
        inputs = {binding.name: await blobs.read(binding, call) for binding in look.bindings if binding.type == "blob"}
        result = await worker.invoke(invocation(look, {"msg": string("x"), **inputs}, metadata))
    await app.connections.close()
    assert result.return_value is not None
    assert json.loads(result.return_value.value) == ["content", ["a.txt"], "content"]

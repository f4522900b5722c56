"""Large blobs through a real worker: the trigger's content, an input and an output."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import uuid
from pathlib import Path

import pytest

from linarite.bindings.storage_bindings import storage_bindings
from linarite.function_log import FunctionLog
from linarite.invoker import Invoker
from linarite.listeners.blob import BlobListener
from linarite.listeners.blob_trigger import blob_trigger
from linarite.settings import BlobSettings
from linarite.workers.in_process import InProcessWorker
from tests.listeners.app import App
from tests.workers.calls import up, write_app

pytestmark = pytest.mark.azurite

SIZE = 27 * 1024 * 1024
SOURCE = """
    import hashlib, json
    import azure.functions as func

    app = func.FunctionApp()

    @app.blob_trigger(arg_name="b", path="CONTAINER/in/{name}", connection="AzureWebJobsStorage")
    @app.blob_input(arg_name="again", path="CONTAINER/in/{name}", connection="AzureWebJobsStorage", data_type=func.DataType.BINARY)
    @app.blob_output(arg_name="copy", path="CONTAINER/out/{name}", connection="AzureWebJobsStorage")
    @app.queue_output(arg_name="$return", queue_name="CONTAINER", connection="AzureWebJobsStorage")
    def large(b: func.InputStream, again: bytes, copy: func.Out[func.InputStream]) -> str:
        content = b.read()
        copy.set(content)
        return json.dumps({"length": b.length, "hash": hashlib.sha256(content).hexdigest(), "is_same": content == again})
"""


async def test_large_blobs_through_a_worker(connection: str, tmp_path: Path) -> None:
    container = f"c{uuid.uuid4().hex[:20]}"
    app = App(connection)
    await app.storage.blobs.create_container(container)
    await app.storage.queues.create(container)
    content = bytes(range(256)) * (SIZE // 256)
    await app.storage.blobs.put(container, "in/large", content)
    folder = write_app(tmp_path, SOURCE.replace("CONTAINER", container))
    worker = InProcessWorker(folder, {"AzureWebJobsStorage": connection}, lambda line: None)
    async with up(worker, 5) as loaded:
        [large] = loaded.functions
        bindings = storage_bindings(app.connections, app.queues, app.clock, app.wakes)
        invoker = Invoker(worker, app.clock, FunctionLog(), bindings=bindings)
        triggers = [blob_trigger(large, app.connections)]
        listener = BlobListener(triggers, app.storage, container, BlobSettings(), invoker, app.clock, app.wakes, app.outages)
        written = asyncio.Event()
        with app.wakes.subscribe(app.storage.queues.url(container), written):
            await listener.start()
            await written.wait()
        await listener.stop()
    [message] = await app.storage.queues.get(container, 32, 30)
    copy = await app.storage.blobs.get(container, "out/large")
    await app.connections.close()
    said = json.loads(base64.b64decode(message.text))
    assert said == {"length": SIZE, "hash": hashlib.sha256(content).hexdigest(), "is_same": True}
    assert hashlib.sha256(copy).hexdigest() == said["hash"]

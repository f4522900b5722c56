"""The queue trigger against the real emulator."""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import json
import logging
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from linarite.azurite import Azurite, Ports
from linarite.bindings.queue_writes import BadQueueName
from linarite.errors import StorageRefused
from linarite.invocation import Datum, InvocationResult, string
from linarite.listeners.queue import QueueListener
from linarite.metadata import Function
from linarite.settings import NoConnection, QueueSettings
from tests.bindings.functions import binding, function
from tests.listeners.app import App, failing
from tests.waiting import until

pytestmark = pytest.mark.azurite


def fresh() -> str:
    return f"q{uuid.uuid4().hex[:20]}"


def on_queue(queue: str, *, data_type: str | None = None) -> Function:
    return function("f", binding("queueTrigger", "msg", queueName=queue, dataType=data_type))


def listener(app: App, watched: Function) -> QueueListener:
    return QueueListener(watched, app.connections, app.queues, app.invoker, app.clock, app.wakes, app.outages)


@pytest.fixture
async def app(connection: str) -> AsyncIterator[App]:
    made = App(connection)
    yield made
    await made.connections.close()


async def put(app: App, queue: str, *contents: bytes) -> None:
    await app.storage.queues.create(queue)
    for content in contents:
        await app.storage.queues.put(queue, base64.b64encode(content).decode())
    app.wakes.notify(app.storage.queues.url(queue))


async def lying(app: App, queue: str) -> list[str]:
    """The texts in a queue, once it is there and there are any."""
    while True:
        with contextlib.suppress(StorageRefused):
            if messages := await app.storage.queues.get(queue, 32, 30):
                return [message.text for message in messages]


async def test_what_a_function_is_given(app: App, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await put(app, queue := fresh(), b'{"a": 1}')
    watching = listener(app, on_queue(queue))
    await watching.start()
    [invocation] = await app.channel.called(1)
    await watching.stop()
    assert invocation.inputs == {"msg": string('{"a": 1}')}
    metadata = invocation.trigger_metadata
    assert set(metadata) == {
        *("QueueTrigger", "DequeueCount", "ExpirationTime", "Id", "InsertionTime", "NextVisibleTime", "PopReceipt", "a")
    }
    identity = metadata["Id"].value
    started = [message for message in caplog.messages if message.startswith(("Executing", "Trigger Details"))]
    assert started[0] == f"Executing 'Functions.f' (Reason='New queue message detected on '{queue}'.', Id={invocation.id})"
    inserted = json.loads(metadata["InsertionTime"].value).replace("+00:00", ".000+00:00")
    assert started[1] == f"Trigger Details: MessageId: {identity}, DequeueCount: 1, InsertedOn: {inserted}"
    assert await app.storage.queues.get(queue, 1, 1) == []


async def test_binary_data(app: App) -> None:
    await put(app, queue := fresh(), b"\x00\xff")
    watching = listener(app, on_queue(queue, data_type="BINARY"))
    await watching.start()
    [invocation] = await app.channel.called(1)
    await watching.stop()
    assert invocation.inputs == {"msg": Datum("bytes", b"\x00\xff")}
    assert "QueueTrigger" not in invocation.trigger_metadata


async def test_five_failures_and_the_message_is_poison(app: App) -> None:
    app.channel.bodies["f"] = failing
    await put(app, queue := fresh(), b"poison me")
    watching = listener(app, on_queue(queue))
    await watching.start()
    assert await lying(app, f"{queue}-poison") == [base64.b64encode(b"poison me").decode()]
    await watching.stop()
    assert [invocation.trigger_metadata["DequeueCount"].value for invocation in app.channel.seen] == ["1", "2", "3", "4", "5"]
    assert len({invocation.trigger_metadata["Id"].value for invocation in app.channel.seen}) == 1


@pytest.mark.parametrize("text", ["plain not base64!", '{"raw":"json"}', "//4A"])
async def test_what_cannot_be_decoded_is_poison_at_once(app: App, text: str, caplog: pytest.LogCaptureFixture) -> None:
    await app.storage.queues.create(queue := fresh())
    await app.storage.queues.put(queue, text)
    watching = listener(app, on_queue(queue))
    await watching.start()
    assert await lying(app, f"{queue}-poison") == [text]
    await watching.stop()
    assert app.channel.seen == []
    assert "Message decoding has failed! Check MessageEncoding settings. MessageId=" in caplog.text


async def test_plain_messages_where_host_json_says_so(connection: str) -> None:
    app = App(connection, QueueSettings(encoding="none"))
    await app.storage.queues.create(queue := fresh())
    await app.storage.queues.put(queue, "plain not base64!")
    watching = listener(app, on_queue(queue))
    await watching.start()
    [invocation] = await app.channel.called(1)
    await watching.stop()
    await app.connections.close()
    assert invocation.inputs == {"msg": string("plain not base64!")}


async def test_what_one_function_puts_out_starts_the_next(app: App) -> None:
    first, second, third = fresh(), fresh(), fresh()
    copy = binding("queue", "$return", "out", queueName=second)
    one = function("one", binding("queueTrigger", "msg", queueName=first), copy)
    two = function("two", binding("queueTrigger", "msg", queueName=second), binding("queue", "o", "out", queueName=third))
    app.channel.bodies["one"] = lambda invocation: InvocationResult(return_value=string("ret:" + invocation.inputs["msg"].value))
    app.channel.bodies["two"] = lambda invocation: InvocationResult(outputs={"o": string('["a", "b"]')})
    watching = [listener(app, watched) for watched in (one, two)]
    for each in watching:
        await each.start()
    await put(app, first, b"x")
    assert base64.b64decode((await lying(app, third))[0]) == b"a"
    for each in watching:
        await each.stop()
    assert [invocation.inputs["msg"].value for invocation in app.channel.seen] == ["x", "ret:x"]


@pytest.mark.slow
async def test_500_messages_are_drained_and_none_is_lost(app: App) -> None:
    queue = fresh()
    await app.storage.queues.create(queue)
    numbers = [str(number) for number in range(500)]
    for start in range(0, 500, 50):
        texts = [base64.b64encode(number.encode()).decode() for number in numbers[start : start + 50]]
        await asyncio.gather(*(app.storage.queues.put(queue, text) for text in texts))
    watching = listener(app, on_queue(queue))
    await watching.start()
    await app.channel.called(500)
    await watching.stop()
    counts = collections.Counter(invocation.inputs["msg"].value for invocation in app.channel.seen)
    assert sorted(counts, key=int) == numbers
    assert set(counts.values()) == {1}
    assert await app.storage.queues.get(queue, 1, 1) == []


@pytest.mark.slow
async def test_the_emulator_goes_and_comes_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    emulator = Azurite(tmp_path, Ports(0, 0, 0))
    await emulator.start()
    ports = emulator.ports
    app = App(ports.connection_string())
    queue = fresh()
    await put(app, queue, b"before")
    watching = listener(app, on_queue(queue))
    await watching.start()
    await app.channel.called(1)
    app.channel.hold = asyncio.Event()
    await put(app, queue, b"during")
    await app.channel.called(2)
    await emulator.stop()
    app.channel.hold.set()  # the function succeeds while nobody can be told
    await until(lambda: any("does not answer" in message for message in caplog.messages))
    again = Azurite(tmp_path, ports)
    await again.start()
    await put(app, queue, b"after")
    await app.channel.called(3)
    await watching.stop()
    left = await app.storage.queues.get(queue, 32, 1)
    await app.connections.close()
    await again.stop()
    assert [invocation.inputs["msg"].value for invocation in app.channel.seen] == ["before", "during", "after"]
    assert left == []
    said = [record.getMessage() for record in caplog.records if record.name == "linarite.storage.outages"]
    assert len([message for message in said if "does not answer" in message]) == 1
    assert len([message for message in said if "answers again" in message]) == 1


async def test_what_cannot_be_watched(app: App) -> None:
    with pytest.raises(BadQueueName, match="'my_queue' is not a valid queue name"):
        listener(app, on_queue("my_queue"))
    with pytest.raises(NoConnection, match="'AzureWebJobsMissing' does not exist"):
        listener(app, function("f", binding("queueTrigger", "msg", queueName="queue", connection="Missing")))

"""What every way to reach user code must carry: values, failures, logs, many invocations at once."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from linarite.clock import ManualClock
from linarite.errors import UserCodeFailed
from linarite.invocation import Datum, HttpResponse, InvocationResult, RetryAttempt, json_text, string
from linarite.workers.child import ChildWorker
from linarite.workers.in_process import InProcessWorker
from linarite.workers.pool import WorkerPool
from linarite.workers.protocol import IndexedApp, LogSink, WorkerChannel
from tests.workers.calls import APPS, TIMER, Lines, function, invocation, request
from tests.workers.calls import request as http_request

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20


def in_process(folder: Path, sink: LogSink) -> WorkerChannel:
    return InProcessWorker(folder, {}, sink)


def child(folder: Path, sink: LogSink) -> WorkerChannel:
    return ChildWorker(Path(sys.executable), folder, os.environ, sink)


def pool_of_2(folder: Path, sink: LogSink) -> WorkerChannel:
    return WorkerPool(lambda: ChildWorker(Path(sys.executable), folder, os.environ, sink), 2, ManualClock(), has_spare=False)


CHANNELS: list[Callable[[Path, LogSink], WorkerChannel]] = [in_process, child, pool_of_2]


@dataclasses.dataclass
class Running:
    """A channel with the test app loaded, and what it said so far."""

    channel: WorkerChannel
    app: IndexedApp
    lines: Lines
    processes: int = 1

    async def call(self, name: str, **inputs: Datum) -> InvocationResult:
        return await self.channel.invoke(invocation(function(self.app, name), inputs))

    async def returned(self, name: str, **inputs: Datum) -> Any:
        datum = (await self.call(name, **inputs)).return_value
        assert datum is not None
        return json.loads(datum.value) if datum.kind == "json" else datum.value


@pytest_asyncio.fixture(params=CHANNELS, ids=lambda make: make.__name__, scope="module", loop_scope="module")
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[Running]:
    lines = Lines()
    channel = request.param(APPS / "worker", lines)
    app = await channel.start()
    assert app.failure is None, app.failure
    running = Running(channel, app, lines)
    if request.param is pool_of_2:
        running.processes = 2
        seen: set[str] = set()
        while len(seen) < 2:  # the second is ready a little later
            seen.add(await running.returned("pid", req=http_request()))
    yield running
    await channel.stop(5)


async def test_the_index_tells_names_bindings_and_places(worker: Running) -> None:
    hello = function(worker.app, "hello")
    assert (hello.entry_point, hello.def_name) == ("hello", "hello")
    assert hello.script_file == "function_app.py"
    assert hello.directory == str(APPS / "worker")
    assert hello.source is not None
    assert Path(hello.source.file).read_text("utf-8").splitlines()[hello.source.line - 1] == '@app.route(route="hello/{name}")'
    assert [binding.name for binding in hello.bindings] == ["req", "$return"]
    assert hello.trigger.raw == {
        "direction": "IN",
        "type": "httpTrigger",
        "name": "req",
        "authLevel": "ANONYMOUS",
        "route": "hello/{name}",
    }
    assert worker.app.sdk_versions["azure-functions"]
    assert worker.app.python_version == ".".join(map(str, sys.version_info[:3]))


async def test_a_function_id_is_made_of_its_name(worker: Running) -> None:
    import uuid

    assert function(worker.app, "hello").id == str(uuid.uuid5(uuid.NAMESPACE_OID, "hello"))


async def test_a_request_arrives_and_a_response_comes_back(worker: Running) -> None:
    response = await worker.returned("hello", req=request(body=b"12345", method="POST", query={"q": "1"}, name="Ann"))
    assert isinstance(response, HttpResponse)
    assert (response.status, response.headers["X-Seen"], response.headers["content-type"]) == ("201", "yes", "application/json")
    assert json.loads(response.body) == {
        "method": "POST",
        "url": "http://localhost:7071/api/x",
        "headers": {"host": "localhost"},
        "query": {"q": "1"},
        "params": {"name": "Ann"},
        "size": 5,
    }


async def test_an_async_function_is_awaited(worker: Running) -> None:
    response = await worker.returned("hello_async", req=request(body=b"\x00\xff"))
    assert response.body == b"\x00\xff"


@pytest.mark.parametrize("length", [0, 1, 512, 513, 100_000])
async def test_text_comes_back_whole_whatever_its_length(worker: Running, length: int) -> None:
    text = "é" * length
    assert await worker.returned("text", req=request(body=text.encode())) == (text or "text")


async def test_a_body_of_27_mib_goes_both_ways(worker: Running) -> None:
    body = os.urandom(MIB) * 27
    response = await worker.returned("hello_async", req=request(body=body))
    assert response.body == body


async def test_cookies_are_taken_apart(worker: Running) -> None:
    response = await worker.returned("cookies", req=request(query={"expires": "Thu, 21 Oct 2027 07:28:00 GMT"}))
    assert "Set-Cookie" not in response.headers
    assert response.cookies == [
        {"name": "a", "value": "1", "path": "/", "httponly": True, "samesite": "Lax"},
        {
            "name": "b",
            "value": "2",
            "expires": "Thu, 21 Oct 2027 07:28:00 GMT",
            "domain": "example.com",
            "max-age": "10",
            "secure": True,
        },
    ]


async def test_a_cookie_that_expires_on_no_date_fails(worker: Running) -> None:
    with pytest.raises(UserCodeFailed, match="'tomorrow' is not a date"):
        await worker.call("cookies", req=request(query={"expires": "tomorrow"}))


@pytest.mark.parametrize(("kind", "type_name"), [("none", "NoneType"), ("bytes", "bytes"), ("dict", "dict"), ("int", "int")])
async def test_what_http_cannot_return_fails_in_the_words_of_the_original(worker: Running, kind: str, type_name: str) -> None:
    with pytest.raises(UserCodeFailed) as failed:
        await worker.call("value", req=request(kind=kind))
    assert str(failed.value) == (
        "TypeError: unable to encode outgoing TypedData: unsupported type \"<class 'azure.functions.http.HttpResponseConverter'>\" "
        f'for Python type "{type_name}"'
    )
    place, hint = failed.value.stack.splitlines()
    assert re.fullmatch(r'  File ".*function_app\.py", line \d+, in value', place)
    assert hint.startswith("    An HTTP function returns a str or a func.HttpResponse.")


async def test_a_value_without_a_return_binding_fails(worker: Running) -> None:
    with pytest.raises(UserCodeFailed) as failed:
        await worker.call("returns_something", timer=TIMER)
    assert str(failed.value) == "RuntimeError: function 'returns_something' without a $return binding returned a non-None value"
    assert "in returns_something\n    It has no binding for what it returns" in failed.value.stack


async def test_a_failure_has_the_apps_own_stack_and_its_cause(worker: Running) -> None:
    with pytest.raises(UserCodeFailed) as failed:
        await worker.call("raises", req=request())
    error = failed.value
    assert (error.type_name, error.message) == ("ValueError", "my secret message")
    assert 'raise KeyError("missing")' in error.stack
    assert "The above exception was the direct cause of the following exception" in error.stack
    assert error.stack.rstrip().endswith('raise ValueError("my secret message") from error')
    assert "linarite" not in error.stack.replace(str(APPS), "")


async def test_an_async_failure_has_only_frames_of_the_app(worker: Running) -> None:
    with pytest.raises(UserCodeFailed) as failed:
        await worker.call("raises_async", req=request())
    assert failed.value.type_name == "ZeroDivisionError"
    assert failed.value.stack.count("File ") == 1
    assert "in raises_async" in failed.value.stack


async def test_the_context_is_complete(worker: Running) -> None:
    one = msgspec.structs.replace(
        invocation(function(worker.app, "context"), {"req": request()}),
        trace_parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        trace_state="a=b",
        retry=RetryAttempt(retry_count=2, max_retry_count=3, failure="it broke"),
    )
    answer = (await worker.channel.invoke(one)).return_value
    assert answer is not None
    assert json.loads(answer.value) == {
        "is_context": True,
        "function_name": "context",
        "function_directory": str(APPS / "worker"),
        "invocation_id": one.id,
        "trace": [one.trace_parent, "a=b", {}, one.trace_parent, "a=b"],
        "retry": [2, 3, "it broke"],
        "local": one.id,
        "cwd": str(APPS / "worker"),
        "first_on_path": str(APPS / "worker"),
    }


async def test_outputs_that_were_set_come_back_and_no_others(worker: Running) -> None:
    result = await worker.call("outputs", timer=json_text('{"IsPastDue": true}'))
    assert result.return_value is None
    assert result.outputs == {"one": string("past due: True"), "blob": Datum("bytes", b"\x00\xff")}


async def test_a_queue_message_has_its_metadata(worker: Running) -> None:
    metadata = {"Id": string("m1"), "DequeueCount": json_text("3")}
    one = invocation(function(worker.app, "queue"), {"message": string("héllo")}, metadata)
    assert await worker.channel.invoke(one) == InvocationResult(return_value=string('["m1", 3, "h\\u00e9llo"]'))


async def test_a_blob_passes_as_bytes(worker: Running) -> None:
    result = await worker.call("blob", blob=Datum("bytes", b"\x00" * 1000))
    assert result.return_value == Datum("bytes", b"\x00" * 1000)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        (string("a"), ["str", "a"]),
        (string("b" * 1000), ["str", "b" * 1000]),
        (json_text('{"a":1}'), ["str", '{"a":1}']),
        (json_text("[" + "1," * 500 + "1]"), ["str", "[" + "1," * 500 + "1]"]),
        (Datum("bytes", b"bytes"), ["bytes", "bytes"]),
        (Datum("none"), ["NoneType", None]),
    ],
)
async def test_a_generic_binding_takes_text_and_bytes(worker: Running, given: Datum, seen: list[Any]) -> None:
    assert await worker.returned("generic", value=given) == seen


@pytest.mark.parametrize(
    "given", [Datum("int", 1), Datum("double", 1.5), Datum("collection_string", ["a"]), Datum("collection_bytes", [b"a", b"bc"])]
)
async def test_a_generic_binding_refuses_other_kinds(worker: Running, given: Datum) -> None:
    with pytest.raises(UserCodeFailed, match=f"'{given.kind}'"):
        await worker.call("generic", value=given)


@pytest.mark.parametrize(
    ("value", "datum"),
    [
        ("1", Datum("int", 1)),
        ("1.5", Datum("double", 1.5)),
        ("true", Datum("int", 1)),
        ("null", Datum("none")),
        ('"text"', string("text")),
        ('{"a": [1]}', json_text('{"a": [1]}')),
        ("[]", json_text("[]")),
    ],
)
async def test_an_implicit_return_is_encoded_by_the_generic_binding(worker: Running, value: str, datum: Datum) -> None:
    assert await worker.call("generic", value=string(f"return {value}")) == InvocationResult(return_value=datum)


async def test_text_that_is_no_unicode_fails_and_nothing_breaks(worker: Running) -> None:
    with pytest.raises(UserCodeFailed, match="UnicodeEncodeError"):
        await worker.call("generic", value=string('return "\\ud800"'))
    assert await worker.returned("text", req=request()) == "text"


async def test_logs_and_prints_belong_to_their_invocation_and_keep_their_order(worker: Running) -> None:
    one = invocation(function(worker.app, "logs"), {"timer": TIMER})
    await worker.channel.invoke(one)
    lines = worker.lines.of(one.id)
    assert [(line.level, line.logger, line.message.splitlines()[0], line.origin) for line in lines] == [
        ("Information", "my.logger", "one 1", "user"),
        ("Warning", "my.logger", "two", "user"),
        ("Information", "", "printed line", "console"),
        ("Error", "", "error on stderr", "console"),
        ("Error", "my.logger", "three", "user"),
        ("Information", "my.logger", "from a thread", "user"),
        ("Information", "", "unfinished", "console"),
    ]
    assert lines[4].message.endswith("ZeroDivisionError: division by zero")


async def test_logs_of_tasks_belong_to_the_invocation_that_began_them(worker: Running) -> None:
    many = [invocation(function(worker.app, "logs_async"), {"timer": TIMER}) for _ in range(20)]
    await asyncio.gather(*(worker.channel.invoke(one) for one in many))
    for one in many:
        messages = [line.message for line in worker.lines.of(one.id)]
        assert messages == ["from a task", "from a task", "from to_thread", "at the end"]


async def test_nothing_an_invocation_leaves_in_its_context_is_seen_by_the_next(worker: Running) -> None:
    assert [await worker.returned("remember", req=request()) for _ in range(3)] == ["", "", ""]


@pytest.mark.parametrize("name", ["meet", "meet_async"])
async def test_200_invocations_run_at_once(worker: Running, name: str) -> None:
    count = str(200 // worker.processes)
    answers = await asyncio.gather(*(worker.returned(name, req=request(count=count)) for _ in range(200)))
    assert answers == ["met"] * 200


async def test_cancelling_the_wait_does_not_stop_the_code(worker: Running) -> None:
    held = asyncio.create_task(worker.call("hold", req=request()))
    await worker.lines.until("holding")
    held.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held
    for _ in range(worker.processes):
        assert await worker.returned("release", req=request()) == "ok"


async def test_a_function_that_is_no_more_fails_and_nothing_else(worker: Running) -> None:
    gone = msgspec.structs.replace(invocation(function(worker.app, "text"), {"req": request()}), function_id="gone", function_name="gone")
    for _ in range(worker.processes):
        with pytest.raises(UserCodeFailed, match="FunctionNotLoaded: The app has no function gone any more"):
            await worker.channel.invoke(gone)
    assert await worker.returned("text", req=request()) == "text"


async def test_prints_of_many_threads_do_not_get_into_each_others_lines(worker: Running) -> None:
    many = [invocation(function(worker.app, "prints"), {"req": request()}) for _ in range(50)]
    await asyncio.gather(*(worker.channel.invoke(one) for one in many))
    for one in many:
        assert [line.message for line in worker.lines.of(one.id)] == [f"{one.id} {number} end" for number in range(20)] + ["last"]

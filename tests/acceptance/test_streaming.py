"""HTTP functions of the FastAPI extension through a host: every kind of response, and streams in both directions."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest
from azure.storage.queue.aio import QueueClient

from tests.host_process import HostProcess, client

pytestmark = pytest.mark.slow

APP = Path(__file__).parent.parent / "apps" / "streaming"


def copy_of_the_app(folder: Path, values: dict[str, str] | None = None) -> Path:
    shutil.copytree(APP, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    settings = {"IsEncrypted": False, "Values": {"FUNCTIONS_WORKER_RUNTIME": "python", **(values or {})}}
    (folder / "local.settings.json").write_text(json.dumps(settings), "utf-8")
    return folder


@pytest.fixture(params=[(), ("--in-process",)], ids=["child", "in process"])
async def host(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HostProcess]:
    flags: Sequence[str] = request.param
    async with HostProcess(copy_of_the_app(tmp_path), "--no-reload", *flags) as host:
        yield host


@pytest.fixture
async def session(host: HostProcess) -> AsyncIterator[aiohttp.ClientSession]:
    async with client(host) as session:
        yield session


ANSWERS = {
    "str": (200, "application/json", b'"text"'),
    "dict": (200, "application/json", b'{"a":[1,null]}'),
    "list": (200, "application/json", b'[1,"two"]'),
    "bool": (200, "application/json", b"true"),
    "int": (200, "application/json", b"7"),
    "float": (200, "application/json", b"1.5"),
    "model": (200, "application/json", b'{"name":"tea","price":1.5}'),
    "response": (201, "application/octet-stream", b"\x00\xff"),
    "html": (200, "text/html; charset=utf-8", b"<p>hi</p>"),
    "plain": (200, "text/plain; charset=utf-8", b"plain"),
    "json": (202, "application/json", b'{"a":1}'),
    "file": (200, "application/json", (APP / "host.json").read_bytes()),
    "missing": (404, "application/json", b'{"detail":"no such thing"}'),
    "none": (500, "text/plain; charset=utf-8", b"Internal Server Error"),
}


async def test_whatever_the_extension_takes_is_a_response(session: aiohttp.ClientSession) -> None:
    for path, (status, content_type, body) in ANSWERS.items():
        async with session.get(f"/api/{path}") as answer:
            assert (path, answer.status, answer.headers["content-type"], await answer.read()) == (path, status, content_type, body)


async def test_redirections_headers_and_cookies_leave_as_the_function_made_them(session: aiohttp.ClientSession) -> None:
    async with session.get("/api/redirect", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (307, "/api/plain")
    async with session.get("/api/response") as answer:
        assert answer.headers["x-mine"] == "yes"
    async with session.get("/api/cookies") as answer:
        assert answer.headers.getall("set-cookie") == ["seen=once; Path=/; SameSite=lax", "other=two; Path=/; SameSite=lax"]


async def test_a_function_without_annotations_has_the_extension_s_request_with_route_and_context(session: aiohttp.ClientSession) -> None:
    async with session.post("/api/untyped/5/x?a=1&b=%C3%BC", data="body", headers={"X-Mine": "yes"}) as answer:
        assert await answer.json() == {
            "type": "starlette.requests",
            "method": "POST",
            "path": "/api/untyped/5/x",
            "query": {"a": "1", "b": "ü"},
            "params": {"id": "5", "rest": "x"},
            "mine": "yes",
            "id": True,
            "body": "body",
        }
    async with session.post("/api/untyped/5", data=b"") as answer:
        assert (await answer.json())["params"] == {"id": "5"}


async def test_a_piece_of_the_answer_arrives_before_the_next_is_made(host: HostProcess, session: aiohttp.ClientSession) -> None:
    async with session.get("/api/two") as answer:
        assert (answer.status, answer.headers["x-mine"], answer.content_type) == (203, "yes", "text/csv")
        assert await answer.content.readany() == b"first,"
        async with session.get("/api/go-on") as other:
            assert await other.json() == "gone on"
        assert await answer.content.read() == b"second"
    await host.said("told to go on")
    await host.said(r"Executed 'Functions\.two' \(Succeeded")


async def test_a_piece_of_the_request_is_seen_before_the_next_is_sent(host: HostProcess, session: aiohttp.ClientSession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a" * 3
        await host.said("a piece of 3")
        yield b"b" * 5
        await host.said("a piece of 5")

    async with session.post("/api/pieces", data=pieces()) as answer:
        assert await answer.json() == [3, 5]


async def test_a_plain_generator_streams_from_a_thread(session: aiohttp.ClientSession) -> None:
    async with session.get("/api/threads") as answer:
        assert " and " in await answer.text()


async def test_a_large_body_arrives_whole_with_its_length_or_without(session: aiohttp.ClientSession) -> None:
    size = 27 * 1024 * 1024

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(27):
            yield bytes(1024 * 1024)

    for body in (bytes(size), pieces()):
        async with session.post("/api/count", data=body) as answer:
            assert await answer.json() == size


async def test_an_answer_without_end_ends_with_its_client(host: HostProcess, session: aiohttp.ClientSession) -> None:
    answer = await session.get("/api/endless")
    assert (await answer.content.readexactly(1_000_000)).startswith(b"tick\n")
    answer.close()
    await host.said(r"Executed 'Functions\.endless' \(Succeeded")


async def test_a_failure_is_500_with_the_app_s_traceback_in_the_log(host: HostProcess, session: aiohttp.ClientSession) -> None:
    async with session.get("/api/fails") as answer:
        assert answer.status == 500
        assert "luck" not in await answer.text()
    await host.said("Exception: ValueError: no such luck")
    await host.said(r'raise ValueError\("no such luck"\)')
    assert "fastapi" not in host.output.partition("Result: Failure")[2]


async def test_an_answer_that_breaks_off_is_no_whole_answer(host: HostProcess, session: aiohttp.ClientSession) -> None:
    async with session.get("/api/breaks") as answer:
        assert answer.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
    await host.said("Exception: ValueError: broken off")
    await host.said(r'raise ValueError\("broken off"\)')
    assert "fastapi" not in host.output.partition("Result: Failure")[2]
    assert "ASGI" not in host.output


async def test_none_is_no_response_and_the_log_says_so(host: HostProcess, session: aiohttp.ClientSession) -> None:
    async with session.get("/api/none") as answer:
        assert answer.status == 500
    await host.said("Exception: ValueError: function 'returns_none' returned None, which is no HTTP response")


async def test_a_body_that_is_too_long_is_cut_off_whether_it_says_so_or_not(tmp_path: Path) -> None:
    app = copy_of_the_app(tmp_path, {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"})

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(500)

    async with HostProcess(app, "--no-reload") as host, client(host) as session:
        for body in (bytes(1500), pieces()):
            async with session.post("/api/count", data=body) as answer:
                assert answer.status == 500
        async with session.post("/api/count", data=bytes(1000)) as answer:
            assert await answer.json() == 1000
        await host.said(r"declares a body of 1500 bytes; the limit is 1000")
        await host.said(r"sent more than 1000 bytes and was cut off")


async def test_a_deadline_ends_a_stream(tmp_path: Path) -> None:
    app = copy_of_the_app(tmp_path)
    (app / "host.json").write_text('{"version": "2.0", "functionTimeout": "00:00:01"}', "utf-8")
    async with HostProcess(app, "--no-reload") as host, client(host) as session, session.get("/api/two") as answer:
        assert await answer.content.readany() == b"first,"
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
        await host.said("Timeout value of 00:00:01 exceeded by function 'Functions.two'")


MIXED = """

@app.route(route="old")
def old(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("old")
"""


async def test_mixed_kinds_of_requests_are_the_functions_worker_s_error(tmp_path: Path) -> None:
    app = copy_of_the_app(tmp_path)
    with (app / "function_app.py").open("a", encoding="utf-8") as file:
        file.write(MIXED)
    async with HostProcess(app, "--no-reload", listens=False) as host:
        assert await host.exit_code() == 1
    assert (
        "FunctionLoadError: cannot load the old function: type of req binding in the binding decorator "
        '"httpTrigger" does not match its Python annotation "HttpRequest"'
    ) in host.output


QUEUED = """

@app.route(route="queued")
@app.queue_output(arg_name="out", queue_name="streaming-greetings", connection="AzureWebJobsStorage")
def queued(req: Request, out: func.Out[str]) -> str:
    out.set(f"hello {req.query_params['name']}")
    return "queued"
"""


@pytest.mark.azurite
async def test_other_outputs_are_written_too(tmp_path: Path, connection: str) -> None:
    app = copy_of_the_app(tmp_path, {"AzureWebJobsStorage": connection})
    with (app / "function_app.py").open("a", encoding="utf-8") as file:
        file.write(QUEUED)
    async with HostProcess(app, "--no-reload") as host, client(host) as session, session.get("/api/queued?name=ada") as answer:
        assert await answer.json() == "queued"
    async with QueueClient.from_connection_string(connection, "streaming-greetings") as queue:
        messages = [message.content async for message in queue.receive_messages()]
    assert messages == ["aGVsbG8gYWRh"]


async def test_a_hundred_streams_at_once(session: aiohttp.ClientSession) -> None:
    async def one(number: int) -> int:
        async with session.post("/api/count", data=bytes(number * 1000)) as answer:
            size: int = await answer.json()
            return size

    assert await asyncio.gather(*(one(number) for number in range(100))) == [number * 1000 for number in range(100)]

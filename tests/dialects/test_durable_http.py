from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from linarite.clock import ManualClock, SystemClock
from linarite.dialects.durable_http import run_http_activity
from linarite.durable.events import TaskCompleted, TaskFailed, TaskScheduled
from tests.waiting import until

T0 = "2026-01-01T00:00:00Z"


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """Echoes what it is sent; `/202` asks for patience, `/slow` never answers."""

    async def echo(request: web.Request) -> web.StreamResponse:
        if request.path == "/202":
            return web.Response(status=202, headers={"Location": "/done", "Retry-After": "1"})
        if request.path == "/moved":
            raise web.HTTPFound("/end")
        if request.path == "/slow":
            await asyncio.Event().wait()
        body = json.dumps({"method": request.method, "headers": dict(request.headers), "body": await request.text()})
        response = web.Response(status=500 if request.path == "/500" else 200, text=body)
        response.headers.add("X-Multi", "a")
        response.headers.add("X-Multi", "b")
        return response

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def asked(uri: str, **members: Any) -> TaskScheduled:
    request = {"$type": "x", "method": "GET", "uri": uri, "headers": {}, "content": None, "tokenSource": None, "timeout": None, **members}
    return TaskScheduled(name="BuiltIn::HttpActivity", input=json.dumps([request]), event_id=4, timestamp=T0)


async def result(event: TaskScheduled) -> dict[str, Any]:
    answer = await run_http_activity(event, SystemClock())
    assert isinstance(answer, TaskCompleted), answer
    assert answer.task_scheduled_id == 4
    found: dict[str, Any] = json.loads(answer.result or "")
    return found


async def failure(event: TaskScheduled) -> TaskFailed:
    answer = await run_http_activity(event, SystemClock())
    assert isinstance(answer, TaskFailed), answer
    assert json.loads(answer.details or "")["Message"] == answer.reason
    return answer


async def test_status_headers_and_content_come_back(server: str) -> None:
    found = await result(asked(server, method="POST", content='{"a": 1}', headers={"X-H": "v"}))
    assert list(found) == ["statusCode", "headers", "content"]
    assert found["statusCode"] == 200
    assert found["headers"]["X-Multi"] == ["a", "b"]
    assert "Server" in found["headers"]
    assert not {name for name in found["headers"] if name.lower().startswith("content-")}
    sent = json.loads(found["content"])
    assert (sent["method"], sent["body"]) == ("POST", '{"a": 1}')
    assert (sent["headers"]["X-H"], sent["headers"]["Content-Type"]) == ("v", "text/plain")


async def test_what_the_app_sets_is_not_overwritten(server: str) -> None:
    headers = {"content-type": "application/json", "user-agent": "mine"}
    sent = json.loads((await result(asked(server, method="PUT", content="{}", headers=headers)))["content"])
    seen = {name.lower(): value for name, value in sent["headers"].items()}
    assert (seen["content-type"], seen["user-agent"]) == ("application/json", "mine")


async def test_an_error_status_is_a_result(server: str) -> None:
    assert (await result(asked(f"{server}/500")))["statusCode"] == 500


async def test_a_202_is_not_polled(server: str) -> None:
    found = await result(asked(f"{server}/202"))
    assert (found["statusCode"], found["headers"]["Location"], found["content"]) == (202, "/done", "")


async def test_redirects_are_followed(server: str) -> None:
    assert (await result(asked(f"{server}/moved")))["statusCode"] == 200


async def test_a_refused_connection_fails_the_task(unused_port: int) -> None:
    assert (await failure(asked(f"http://127.0.0.1:{unused_port}/none"))).reason == f"Connection refused (127.0.0.1:{unused_port})"


@pytest.mark.parametrize("uri", ["notauri", "ftp://x", "http://"])
async def test_an_invalid_uri_fails_the_task(uri: str) -> None:
    assert str((await failure(asked(uri))).reason).startswith("An invalid request URI was provided.")


async def test_a_users_timeout_is_named(server: str) -> None:
    clock = ManualClock()
    waiting = asyncio.ensure_future(run_http_activity(asked(f"{server}/slow", timeout="00:00:01"), clock))
    await until(lambda: clock.next_wake() is not None)
    clock.advance(1)
    answer = await waiting
    assert isinstance(answer, TaskFailed)
    assert answer.reason == "The operation was canceled. Reached user specified timeout: 00:00:01."


async def test_multipart_content_is_refused() -> None:
    reason = (await failure(asked("http://x", content="a", headers={"Content-Type": "multipart/form-data"}))).reason
    assert str(reason).startswith("Multipart content is not supported")


async def test_a_token_without_credentials_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)
    reason = (await failure(asked("http://x", tokenSource={"kind": "AzureManagedIdentity", "resource": "https://r"}))).reason
    assert "pip install azure-identity" in str(reason)


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port

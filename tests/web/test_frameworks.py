"""ASGI and WSGI apps behind one function, as frameworks make them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.golden.http_exchanges import Answer, ask
from tests.golden.http_world import served

EMPTY_PREFIX = '{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}'

ASGI = """
import json
import azure.functions as func

started = []

async def framework(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        started.append("startup")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = (await receive()).get("body", b"")
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    seen = {"method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode(), "body": body.decode(),
            "x": headers.get("x-test"), "started": started}
    missing = scope["path"].startswith("/missing")
    await send({"type": "http.response.start", "status": 404 if missing else 200,
                "headers": [(b"content-type", b"application/json"), (b"x-mine", b"yes"), (b"set-cookie", b"a=1; Path=/")]})
    await send({"type": "http.response.body", "body": json.dumps({"detail": "Not Found"} if missing else seen).encode()})

app = func.AsgiFunctionApp(app=framework, http_auth_level=func.AuthLevel.ANONYMOUS)
"""

WSGI = """
import azure.functions as func

def framework(environ, start_response):
    if environ["PATH_INFO"] == "/broken":
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [b"oops"]
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("201 Created", [("Content-Type", "text/html; charset=utf-8"), ("X-Mine", "yes")])
    return [environ["REQUEST_METHOD"].encode(), b" ", environ["PATH_INFO"].encode(), b"?", environ["QUERY_STRING"].encode(), b" ", body]

app = func.WsgiFunctionApp(app=framework, http_auth_level=func.AuthLevel.ANONYMOUS)
"""

Ask = Callable[..., Coroutine[Any, Any, Answer]]


@asynccontextmanager
async def running(source: str, root: Path, host_json: str = EMPTY_PREFIX) -> AsyncIterator[Ask]:
    folder = root / "apps" / "framework"
    folder.mkdir(parents=True)
    (folder / "function_app.py").write_text(dedent(source), "utf-8")
    (folder / "host.json").write_text(host_json, "utf-8")
    async with served(folder, in_child=True) as world:  # such an app object wants a loop of its own when it is forgotten

        async def request(method: str, target: str, body: str = "", *headers: str) -> Answer:
            lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers, "", body]
            return await ask(world.port, "\r\n".join(lines).encode(), world.root)

        yield request


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_an_asgi_app_sees_the_whole_request(method: str, tmp_path: Path) -> None:
    async with running(ASGI, tmp_path) as request:
        answer = await request(method, "/items/5?q=a%20b", "text", "X-Test: 1")
    assert answer.status == 200
    assert dict(answer.headers) == {"content-type": "application/json", "x-mine": "yes", "set-cookie": "a=1; domain=; path=/"}
    seen = json.loads(answer.body)
    assert seen == {"method": method, "path": "/items/5", "query": "q=a%20b", "body": "text", "x": "1", "started": ["startup"]}


async def test_an_asgi_app_answers_at_the_root_and_for_itself(tmp_path: Path) -> None:
    async with running(ASGI, tmp_path) as request:
        assert json.loads((await request("GET", "/")).body)["path"] == "/"
        missing = await request("GET", "/missing")
        head = await request("HEAD", "/x")
    assert (missing.status, missing.body) == (404, '{"detail": "Not Found"}')
    assert head.status == 200


async def test_below_the_default_prefix_such_an_app_is_refused(tmp_path: Path) -> None:
    async with running(ASGI, tmp_path, '{"version": "2.0"}') as request:
        answers = [await request("GET", target) for target in ("/api/x", "/")]
    assert [answer.status for answer in answers] == [503, 503]
    assert "function &#x27;http_app_func&#x27;" in answers[1].body
    assert "routePrefix" in answers[1].body


async def test_a_wsgi_app(tmp_path: Path) -> None:
    async with running(WSGI, tmp_path) as request:
        answer = await request("POST", "/form?a=1", "text")
        broken = await request("GET", "/broken")
    assert (answer.status, answer.body) == (201, "POST /form?a=1 text")
    assert dict(answer.headers) == {"content-type": "text/html; charset=utf-8", "x-mine": "yes"}
    assert (broken.status, broken.body) == (500, "")

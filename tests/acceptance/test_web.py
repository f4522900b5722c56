"""Keys, HTTPS and functions fired by hand, as a user has them."""

from __future__ import annotations

import ssl
from pathlib import Path

import aiohttp
import pytest

from tests.host_process import HostProcess, client

APP = """
import asyncio
import os

import azure.functions as func

app = func.FunctionApp()


@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
async def waits(timer: func.TimerRequest) -> None:
    while not os.path.exists("go"):
        await asyncio.sleep(0.01)
"""


@pytest.fixture
def app(app_folder: Path) -> Path:
    (app_folder / "function_app.py").write_text(APP, "utf-8")
    return app_folder


async def test_keys_are_asked_for_and_shown_once(app: Path) -> None:
    async with HostProcess(app, "--no-reload", "--enable-auth", "--storage", "embedded") as host, client(host) as session:
        master = (await host.said(r"master (\S{56}) ")).group(1)
        assert (app / ".linarite" / ".gitignore").read_text("utf-8") == "*\n"
        for headers, status in (({}, 401), ({"x-functions-key": "wrong"}, 401), ({"x-functions-key": master}, 200)):
            async with session.get("/api/hello", headers=headers) as answer:
                assert answer.status == status
        async with session.get("/admin/functions/hello/keys", headers={"x-functions-key": master}) as listed:
            own = (await listed.json())["keys"][0]["value"]
    async with HostProcess(app, "--no-reload", "--enable-auth", "--storage", "embedded") as host, client(host) as session:
        async with session.get("/api/hello", params={"code": own}) as answer:
            assert await answer.text() == "hello"
        assert master not in host.output
        assert own not in host.output


async def test_https_with_a_certificate_that_can_be_trusted(app: Path) -> None:
    async with HostProcess(app, "--no-reload", "--use-https", "--storage", "embedded") as host:
        assert host.base_url.startswith("https://localhost:")
        trusting = ssl.create_default_context(cafile=app / ".linarite" / "certificate.pem")
        async with aiohttp.ClientSession(host.base_url) as session, session.get("/", ssl=trusting) as page:
            assert "is up and running" in await page.text()


async def test_a_function_fired_by_hand_is_not_waited_for(app: Path) -> None:
    async with HostProcess(app, "--no-reload", "--storage", "embedded") as host, client(host) as session:
        async with session.post("/admin/functions/waits", json={"input": ""}) as answer:
            assert answer.status == 202
        await host.said(r"Executing 'Functions\.waits'")
        (app / "go").touch()
        await host.said(r"Executed 'Functions\.waits' \(Succeeded")

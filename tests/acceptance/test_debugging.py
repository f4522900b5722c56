"""Breakpoints in functions that are served over HTTP, set over the protocol that editors speak, with the real debugpy."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import signal
import socket
import venv
from pathlib import Path

import pytest

from tests.debug_client import DebugClient, free_port
from tests.host_process import HostProcess, client

pytestmark = pytest.mark.slow

APP = """
import azure.functions as func

GREETING = "hello"
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="greet/{name}")
def greet(req: func.HttpRequest) -> str:
    name = req.route_params["name"]
    return f"{GREETING} {name}"


@app.route(route="sleep")
def sleep(req: func.HttpRequest) -> str:
    import time

    print("sleeping")
    time.sleep(600)
    return "slept"
"""
LINE_IN_MODULE = 4
LINE_IN_FUNCTION = 11


@pytest.fixture
def app(app_folder: Path) -> Path:
    (app_folder / "function_app.py").write_text(APP, "utf-8")
    return app_folder


def debugpy_folder() -> str:
    """Where debugpy is, as an editor names the copy that it brings along."""
    spec = importlib.util.find_spec("debugpy")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent)


async def text(host: HostProcess, path: str) -> str:
    async with client(host) as session, session.get(path) as answer:
        assert answer.status == 200
        return await answer.text()


async def a_call_stops(host: HostProcess, debugger: DebugClient, line: int = LINE_IN_FUNCTION, said: str = "hello ada") -> None:
    """Call the function, see it stop, look into it and let it go on."""
    answer = asyncio.ensure_future(text(host, "/api/greet/ada"))
    stop = await debugger.stopped_at()
    assert (stop.function, stop.line, await stop.value("name")) == ("greet", line, "'ada'")
    assert not answer.done()
    await stop.go_on()
    assert await answer == said


async def test_a_breakpoint_in_a_function_is_hit(app: Path) -> None:
    port = free_port()
    async with HostProcess(app, "--debug", str(port)) as host:
        await host.said(rf"A debugger can attach on 127\.0\.0\.1:{port}\.")
        await host.said(r"Worker process started and initialized\.")
        async with DebugClient(port, (app / "function_app.py", LINE_IN_FUNCTION)) as debugger:
            await a_call_stops(host, debugger)
        assert await text(host, "/api/greet/bob") == "hello bob"  # the editor is gone, the app goes on


async def test_an_editor_s_own_debugpy_is_used_as_the_functions_extension_asks_for_it(app: Path) -> None:
    port = free_port()
    asked = {"languageWorkers__python__arguments": f"{debugpy_folder()} --listen 127.0.0.1:{port}"}
    async with (
        HostProcess(app, environment=asked, program=("-m", "linarite", "host")) as host,
        DebugClient(port, (app / "function_app.py", LINE_IN_FUNCTION)) as debugger,
    ):
        await a_call_stops(host, debugger)


async def test_the_arguments_may_stand_in_local_settings(app: Path) -> None:
    port = free_port()
    values = {"FUNCTIONS_WORKER_RUNTIME": "python", "languageWorkers:python:arguments": f"-m debugpy --listen 127.0.0.1:{port}"}
    (app / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}), "utf-8")
    async with HostProcess(app) as host, DebugClient(port, (app / "function_app.py", LINE_IN_FUNCTION)) as debugger:
        await a_call_stops(host, debugger)


async def test_the_app_waits_for_the_debugger_so_that_its_import_can_be_looked_at(app: Path) -> None:
    port = free_port()
    asked = ("--language-worker", "--", f"-m debugpy --listen {port} --wait-for-client")
    async with HostProcess(app, *asked, listens=False) as host:
        await host.said(rf"Waiting for a debugger to attach on 127\.0\.0\.1:{port}\.")
        async with DebugClient(port, (app / "function_app.py", LINE_IN_MODULE)) as debugger:
            stop = await debugger.stopped_at()
            assert (stop.function, stop.line) == ("<module>", LINE_IN_MODULE)
            assert "Listening on" not in host.output
            await stop.go_on()
            await host.said(r"Listening on")


async def test_ctrl_c_ends_the_wait_for_a_debugger(app: Path) -> None:
    async with HostProcess(app, "--debug", str(free_port()), "--debug-wait", listens=False) as host:
        await host.said(r"Waiting for a debugger to attach")
        host.signal(signal.SIGINT)
        assert await host.exit_code() == 0


async def test_a_save_while_a_function_stands_still_is_loaded_when_it_has_ended(app: Path) -> None:
    port = free_port()
    async with HostProcess(app, "--debug", str(port)) as host:
        async with DebugClient(port, (app / "function_app.py", LINE_IN_FUNCTION)) as debugger:
            answer = asyncio.ensure_future(text(host, "/api/greet/ada"))
            stop = await debugger.stopped_at()
            (app / "function_app.py").write_text(APP.replace("hello", "good day"), "utf-8")
            await host.said(r"function_app\.py has changed; it is loaded when greet has ended\.")
            since = len(host.lines)
            await stop.go_on()
            assert await answer == "hello ada"
            await debugger.event("terminated")
        await host.said(rf"A debugger can attach on 127\.0\.0\.1:{port}\.", since)
        await host.said(r"Reloaded: 2 functions loaded", since)
        async with DebugClient(port, (app / "function_app.py", LINE_IN_FUNCTION)) as debugger:
            await a_call_stops(host, debugger, said="good day ada")


async def test_an_app_without_debugpy_says_what_to_install(app: Path) -> None:
    venv.create(app / ".venv")
    async with HostProcess(app, "--debug", str(free_port()), listens=False) as host:
        assert await host.exit_code() == 1
    python = re.escape(str(app / ".venv" / "bin" / "python"))
    assert re.search(rf"{python} has no debugpy\. Run `{python} -m pip install debugpy`", host.output)
    assert "Traceback" not in host.output


async def test_a_debugger_s_port_that_is_taken_is_named(app: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with HostProcess(app, "--debug", str(port), listens=False) as host:
            assert await host.exit_code() == 1
    assert f"The debugger cannot listen on 127.0.0.1:{port}: Address already in use. End what uses that port" in host.output
    assert "Traceback" not in host.output


async def test_in_process_a_debugger_of_the_host_is_one_of_the_app_and_outlives_reloads(app: Path) -> None:
    port = free_port()
    under = ("-X", "frozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{port}", "-m", "linarite")
    async with (
        HostProcess(app, "--in-process", program=under) as host,
        DebugClient(port, (app / "function_app.py", LINE_IN_FUNCTION)) as debugger,
    ):
        await a_call_stops(host, debugger)
        since = len(host.lines)
        (app / "function_app.py").write_text(APP.replace("hello", "good day"), "utf-8")
        await host.said(r"Reloaded: 2 functions loaded", since)
        await a_call_stops(host, debugger, said="good day ada")


async def test_in_process_saved_settings_are_taken_over_and_a_mistake_is_mended(app: Path) -> None:
    async with HostProcess(app, "--in-process") as host:
        assert await text(host, "/api/greet/ada") == "hello ada"
        since = len(host.lines)
        (app / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": "v1"}}}', "utf-8")
        await host.said(r"Reloaded: 2 functions loaded", since)
        assert await text(host, "/v1/greet/ada") == "hello ada"
        since = len(host.lines)
        (app / "function_app.py").write_text(APP + "\nx = (\n", "utf-8")
        await host.said(r"function_app\.py:\d+: SyntaxError: '\(' was never closed", since)
        async with client(host) as session, session.get("/v1/greet/ada") as answer:
            assert answer.status == 404  # an app without functions, as on Azure
        since = len(host.lines)
        (app / "function_app.py").write_text(APP.replace("hello", "welcome back"), "utf-8")
        await host.said(r"Reloaded: 2 functions loaded", since)
        assert await text(host, "/v1/greet/ada") == "welcome back ada"


async def test_in_process_a_second_ctrl_c_does_not_wait_for_the_app_s_threads(app: Path) -> None:
    async with HostProcess(app, "--in-process") as host, client(host) as session:
        call = asyncio.ensure_future(session.get("/api/sleep"))
        await host.said(r"sleeping")
        host.signal(signal.SIGINT)
        await host.said(r"Waiting up to 10 s for 1 in flight: sleep")
        host.signal(signal.SIGINT)
        assert await host.exit_code() == 0
        await asyncio.gather(call, return_exceptions=True)

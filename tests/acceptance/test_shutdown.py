"""Ctrl+C and SIGTERM: idle, with work in flight, twice, and while the host is starting. Nothing is left behind, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import aiohttp
import pytest

from linarite.azurite import Ports
from tests.acceptance.conftest import Storage
from tests.acceptance.gate import WAIT_AT_THE_GATE, Gate
from tests.acceptance.sample import copy_of_the_sample
from tests.host_process import PATIENCE_S, HostProcess, client, fetch, finished
from tests.processes import descendant, descendants, gone
from tests.storage_proxy import StorageProxy

DURABLE = "/runtime/webhooks/durabletask"
SIGNALS = [signal.SIGINT, signal.SIGTERM]

APP = f"""
import asyncio

import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

{WAIT_AT_THE_GATE}

@app.route(route="quick")
def quick_request(req: func.HttpRequest) -> str:
    return "quick"


@app.route(route="slow")
def slow(req: func.HttpRequest) -> str:
    return wait_at_the_gate("slow")


@app.route(route="slow_async")
async def slow_async(req: func.HttpRequest) -> str:
    return await asyncio.to_thread(wait_at_the_gate, "slow_async")


@app.orchestration_trigger(context_name="context")
def steps(context):
    first = yield context.call_activity("quick", 1)
    second = yield context.call_activity("gated", 2)
    third = yield context.call_activity("quick", 3)
    return [first, second, third]


@app.activity_trigger(input_name="number")
def quick(number: int) -> int:
    return number


@app.activity_trigger(input_name="number")
def gated(number: int) -> str:
    return wait_at_the_gate("gated")
"""


@pytest.fixture
def folder(app_folder: Path) -> Path:
    """An app whose functions wait at a gate."""
    (app_folder / "function_app.py").write_text(APP, "utf-8")
    return app_folder


async def all_gone(processes: Iterable[int]) -> None:
    await asyncio.wait_for(asyncio.gather(*(gone(pid) for pid in processes)), PATIENCE_S)


async def ends_quietly(host: HostProcess) -> None:
    """The host ends well, and says nothing that looks like a mishap."""
    assert await host.exit_code() == 0, host.output
    assert "Traceback" not in host.output
    assert "error" not in host.output.lower()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("flags", [(), ("--no-reload",), ("--in-process",)], ids=["reload", "no-reload", "in-process"])
async def test_an_idle_host_ends_at_once_and_leaves_nothing_behind(
    storage: Storage, tmp_path: Path, number: signal.Signals, flags: tuple[str, ...]
) -> None:
    where, environment = storage
    async with HostProcess(copy_of_the_sample(tmp_path), *where, *flags, environment=environment) as host, client(host) as session:
        assert (await fetch(session, "/api/hello"))[0] == 200
        children = descendants(host.pid)
        assert bool(children) is (flags != ("--in-process",))
        host.signal(number)
        await ends_quietly(host)
        await all_gone(children)


async def test_an_idle_host_is_gone_within_a_second(folder: Path) -> None:
    took_s: list[float] = []
    for _ in range(3):
        async with HostProcess(folder, "--storage", "embedded") as host:
            told_at = time.monotonic()
            host.signal(signal.SIGINT)
            await ends_quietly(host)
            took_s.append(time.monotonic() - told_at)
    assert min(took_s) < 1  # the machine may be busy once


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", ["slow", "slow_async"])
async def test_a_host_with_work_in_flight_says_for_what_it_waits_and_the_request_ends_well(
    folder: Path, gate: Gate, number: signal.Signals, name: str
) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host, client(host) as session:
        children = descendants(host.pid)
        request = asyncio.ensure_future(fetch(session, f"/api/{name}"))
        caller = await gate.visitor(name)
        host.signal(number)
        await host.said(rf"Waiting up to 10 s for 1 in flight: {name}\. Press Ctrl\+C again to stop now\.")
        caller.let_through()
        assert await request == (200, "through")
        await ends_quietly(host)
        await all_gone(children)


async def test_no_request_gets_in_while_the_host_waits(folder: Path, gate: Gate) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host, client(host) as session:
        request = asyncio.ensure_future(fetch(session, "/api/slow"))
        caller = await gate.visitor("slow")
        host.signal(signal.SIGINT)
        await host.said("Waiting up to 10 s for 1 in flight")
        while True:  # the door closes a moment after the host has said so
            try:
                assert await fetch(session, "/api/quick") == (200, "quick")
            except aiohttp.ClientConnectionError:
                break
        caller.let_through()
        assert await request == (200, "through")
        assert gate.is_deserted


async def cut_short(host: HostProcess, name: str, children: Sequence[int], request: asyncio.Future[tuple[int, str]]) -> None:
    """The host ends without the answer, and says so; whoever waits for it is told."""
    assert await host.exit_code() == 0, host.output
    assert "Traceback" not in host.output
    await host.said(rf"Stopped without waiting for {name}\.")
    await all_gone(children)
    try:
        status, _ = await request
    except aiohttp.ClientError:
        return
    assert status >= 500


@pytest.mark.parametrize("name", ["slow", "slow_async"])
async def test_a_second_ctrl_c_does_not_wait(folder: Path, gate: Gate, name: str) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host, client(host) as session:
        children = descendants(host.pid)
        request = asyncio.ensure_future(fetch(session, f"/api/{name}"))
        await gate.visitor(name)
        host.signal(signal.SIGINT)
        await host.said("Waiting up to 10 s")
        host.signal(signal.SIGINT)
        await cut_short(host, name, children, request)


@pytest.mark.slow
async def test_what_does_not_end_in_ten_seconds_is_cut_short(folder: Path, gate: Gate) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host, client(host) as session:
        children = descendants(host.pid)
        request = asyncio.ensure_future(fetch(session, "/api/slow"))
        await gate.visitor("slow")
        host.signal(signal.SIGINT)
        await cut_short(host, "slow", children, request)


async def test_an_orchestration_that_a_stop_interrupts_goes_on_at_the_next_start(storage: Storage, folder: Path, gate: Gate) -> None:
    flags, environment = storage
    environment = environment | gate.environment
    async with HostProcess(folder, *flags, environment=environment) as host, client(host) as session:
        async with session.post(f"{DURABLE}/orchestrators/steps/interrupted") as answer:
            assert answer.status == 202
        await gate.visitor("gated")
        host.signal(signal.SIGINT)
        await host.said("Waiting up to 10 s for 1 in flight: gated")
        host.signal(signal.SIGINT)
        assert await host.exit_code() == 0
        assert "Traceback" not in host.output
    async with HostProcess(folder, *flags, environment=environment) as host, client(host) as session:
        (await gate.visitor("gated")).let_through("second time")
        status = await finished(session, f"{DURABLE}/instances/interrupted")
        assert (status["runtimeStatus"], status["output"]) == ("Completed", [1, "second time", 3])


async def test_an_activity_that_ends_while_the_host_waits_is_not_run_again(storage: Storage, folder: Path, gate: Gate) -> None:
    flags, environment = storage
    environment = environment | gate.environment
    async with HostProcess(folder, *flags, environment=environment) as host, client(host) as session:
        async with session.post(f"{DURABLE}/orchestrators/steps/drained") as answer:
            assert answer.status == 202
        caller = await gate.visitor("gated")
        host.signal(signal.SIGINT)
        await host.said("Waiting up to 10 s for 1 in flight: gated")
        caller.let_through("once")
        await ends_quietly(host)
    async with HostProcess(folder, *flags, environment=environment) as host, client(host) as session:
        status = await finished(session, f"{DURABLE}/instances/drained")
        assert (status["runtimeStatus"], status["output"]) == ("Completed", [1, "once", 3])
        assert gate.is_deserted


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("flags", [(), ("--no-reload",)], ids=["reload", "no-reload"])
async def test_a_host_that_is_stopped_while_the_app_loads_ends_at_once(
    folder: Path, gate: Gate, number: signal.Signals, flags: tuple[str, ...]
) -> None:
    (folder / "function_app.py").write_text(f"{APP}\nwait_at_the_gate('import')\n", "utf-8")
    async with HostProcess(folder, "--storage", "embedded", *flags, environment=gate.environment, listens=False) as host:
        await gate.visitor("import")
        children = descendants(host.pid)
        host.signal(number)
        await ends_quietly(host)
        await all_gone(children)


@pytest.mark.azurite
async def test_a_host_that_is_stopped_while_its_azurite_starts_leaves_none_behind(folder: Path, azurite: Ports) -> None:
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(3)]
    environment = {"AzureWebJobsStorage": Ports(*free).connection_string()}
    async with HostProcess(folder, "--storage", "azurite", environment=environment, listens=False) as host:
        emulator = await asyncio.wait_for(descendant(host.pid, "azurite.js"), PATIENCE_S)
        children = descendants(host.pid)
        host.signal(signal.SIGINT)
        await ends_quietly(host)
        await all_gone([emulator, *children])


@pytest.mark.azurite
@pytest.mark.parametrize("answers", [True, False], ids=["gone", "silent"])
async def test_storage_that_is_away_keeps_no_host_from_ending(folder: Path, azurite: Ports, answers: bool) -> None:
    proxy = StorageProxy(azurite)
    await proxy.start()
    hub = {"AzureFunctionsJobHost__extensions__durableTask__hubName": f"Away{os.urandom(6).hex()}"}
    try:
        async with HostProcess(folder, environment={"AzureWebJobsStorage": proxy.connection_string(), **hub}) as host:
            children = descendants(host.pid)
            if answers:
                await proxy.stop()
                await host.said("does not answer")
            else:
                proxy.lets_through.clear()
            host.signal(signal.SIGINT)
            assert await host.exit_code() == 0
            assert "Traceback" not in host.output
            assert "answers again" not in host.output
            await all_gone(children)
    finally:
        await proxy.stop()


async def test_a_host_that_is_stopped_while_it_reloads_ends_at_once(folder: Path, gate: Gate) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host:
        (folder / "function_app.py").write_text(f"{APP}\nwait_at_the_gate('import')\n", "utf-8")
        await gate.visitor("import")
        children = descendants(host.pid)
        assert len(children) >= 2, "the old code and the new"
        host.signal(signal.SIGINT)
        await ends_quietly(host)
        await all_gone(children)

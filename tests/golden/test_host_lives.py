"""Recorded attempts, edits and ends: what the Functions host did over time, and what a host as a user runs it does.

How long things took is not compared: between an edit and the first answer of the new code there may be any number of answers of the old.
"""

from __future__ import annotations

import asyncio
import collections
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.golden.http_exchanges import Answer, Exchange, ask, exchanges, recorded, request_bytes
from tests.golden.http_world import app_folder
from tests.host_process import HostProcess

pytestmark = pytest.mark.slow

_SOURCE = "function_app.py"


def port_of(host: HostProcess) -> int:
    return int(host.base_url.rpartition(":")[2])


async def answer_to(host: HostProcess, exchange: Exchange, root: Path) -> Answer:
    return await ask(port_of(host), request_bytes(exchange.request), root)


def case(topic: str, begin: str) -> Exchange:
    """The last exchange whose name begins so."""
    return [exchange for exchange in exchanges(topic) if exchange.case.startswith(begin)][-1]


async def test_attempts_are_those_that_were_recorded(tmp_path: Path) -> None:
    folder, seen = app_folder("retry", tmp_path), tmp_path / "seen.jsonl"
    exchange = case("retry", "http with retry attr")
    wanted = next(line["lines"] for line in recorded("retry") if "lines" in line)
    async with HostProcess(folder, "--no-reload", "--storage", "embedded", environment={"REF_OBS": str(seen)}) as host:
        assert await answer_to(host, exchange, tmp_path) == exchange.answer
        await host.said("Function execution failed after '3' retries")  # the function that takes longest
        assert host.output.count("Function execution failed after '") == 3
        assert host.output.count("Executing 'Functions.") == len(wanted)
    assert attempts([json.loads(line) for line in seen.read_text("utf-8").splitlines()], observed) == attempts(wanted, dict)


def observed(line: dict[str, Any]) -> dict[str, Any]:
    """A line of the app's, in the form of the recording's; that has no exception as an empty text."""
    context = line["rc"]
    return {"fn": line["fn"], "count": context["count"], "max": context["max"], "has_exception": "ValueError" in context["exc"]}


def attempts(lines: list[dict[str, Any]], read: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The attempts of each function in their order; those of different functions are not ordered among each other."""
    found = collections.defaultdict(list)
    for line in map(read, lines):
        found[line["fn"]].append(line)
    return found


async def test_edits_take_effect_and_no_request_fails(tmp_path: Path) -> None:
    folder = app_folder("retry", tmp_path)
    before = case("restart", "before edit")
    async with HostProcess(folder, "--storage", "embedded", environment={"REF_OBS": str(tmp_path / "seen.jsonl")}) as host:
        assert await answer_to(host, before, tmp_path) == before.answer
        source = (folder / _SOURCE).read_text("utf-8")
        (folder / _SOURCE).write_text(source.replace("pong1", "pong2"), "utf-8")
        edited = case("restart", "after function_app.py edit")
        assert edited.answer.body == "pong2"
        await changes(host, edited, {before.answer}, tmp_path)
        (folder / _SOURCE).write_text(source, "utf-8")
        await changes(host, before, {edited.answer}, tmp_path)
        (folder / "host.json").write_text(json.dumps({"version": "2.0", "extensions": {"http": {"routePrefix": "zz"}}}), "utf-8")
        first = next(exchange for exchange in exchanges("restart") if exchange.case.startswith("after host.json edit"))
        moved = case("restart", "after host.json edit")
        assert (first.answer.status, moved.answer.status) == (404, 200)
        await changes(host, moved, {first.answer}, tmp_path)


async def changes(host: HostProcess, wanted: Exchange, old: set[Answer], root: Path) -> None:
    """Ask until the wanted answer comes; until then there are old ones, and no others."""
    while (answer := await answer_to(host, wanted, root)) != wanted.answer:
        assert answer in old


async def refuses(host: HostProcess, root: Path) -> None:
    """Ask until nobody takes requests any more: the door closes a moment after the host has said that it waits."""
    try:
        while True:
            await ask(port_of(host), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", root)
    except (ConnectionError, asyncio.IncompleteReadError):
        return


async def test_a_request_in_flight_ends_well_when_the_host_is_told_to_stop(tmp_path: Path) -> None:
    exchange = case("restart", "in-flight")
    async with HostProcess(app_folder("var", tmp_path), "--no-reload", "--storage", "embedded") as host:
        asked = asyncio.ensure_future(answer_to(host, exchange, tmp_path))
        await host.said("Executing 'Functions.sleep_'")
        host.signal(signal.SIGTERM)
        await host.said("Waiting up to 10 s for 1 in flight: sleep_")
        await refuses(host, tmp_path)
        assert await asked == exchange.answer
        assert await host.exit_code() == next(
            line["exit"] for line in recorded("restart") if line["case"] == "SIGTERM with in-flight request"
        )


async def test_an_idle_host_ends_with_0_when_it_is_told_to_stop(tmp_path: Path) -> None:
    async with HostProcess(app_folder("hello", tmp_path), "--no-reload", "--storage", "embedded") as host:
        host.signal(signal.SIGTERM)
        assert await host.exit_code() == next(line["exit"] for line in recorded("restart") if line["case"] == "SIGTERM")

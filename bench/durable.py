"""Durable work on either hub, through the child worker with the official SDK.

    python -m bench.durable [--storage embedded|azurite]

Four figures: 100 orchestrations of ten sequential activities at once; 1,000 of three at once; one fan-out of 500; the latency of one
orchestration of three activities on an idle host (median of 50). The bodies do nothing, so the figures are the host's, the worker's and
the SDK's own cost.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.measure import APPS, host, table

API = "/runtime/webhooks/durabletask"
STARTERS = 16


async def start(session: aiohttp.ClientSession, name: str, body: object = None) -> str:
    async with session.post(f"{API}/orchestrators/{name}", json=body) as answer:
        return str((await answer.json())["id"])


async def status(session: aiohttp.ClientSession, instance_id: str) -> str:
    async with session.get(f"{API}/instances/{instance_id}", params={"showInput": "false"}) as answer:
        found = await answer.json()
    if found["runtimeStatus"] in ("Failed", "Terminated"):
        raise RuntimeError(found)
    return str(found["runtimeStatus"])


async def until_complete(session: aiohttp.ClientSession, instance_ids: list[str], pause_s: float) -> None:
    """Wait for all. The last one started is asked first, so that few requests are made while work is going on."""
    for instance_id in reversed(instance_ids):
        while await status(session, instance_id) != "Completed":  # noqa: ASYNC110 - the API has nothing to wait on
            await asyncio.sleep(pause_s)


async def at_once(session: aiohttp.ClientSession, name: str, count: int) -> float:
    """Orchestrations per second of `count` started together."""
    waiting = list(range(count))
    instance_ids: list[str] = []

    async def starter() -> None:
        while waiting:
            waiting.pop()
            instance_ids.append(await start(session, name))

    begin = time.perf_counter()
    await asyncio.gather(*(starter() for _ in range(STARTERS)))
    await until_complete(session, instance_ids, 0.02)
    return count / (time.perf_counter() - begin)


async def one(session: aiohttp.ClientSession, name: str, body: object, pause_s: float) -> float:
    """Seconds from start to completion of one."""
    begin = time.perf_counter()
    await until_complete(session, [await start(session, name, body)], pause_s)
    return time.perf_counter() - begin


async def figures(port: int) -> list[tuple[str, str]]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        await at_once(session, "hello", 20)  # imports, connections
        ten = await at_once(session, "ten", 100)
        hello = await at_once(session, "hello", 1000)
        fan = await one(session, "fan", 500, 0.005)
        idle = []
        for _ in range(50):
            await asyncio.sleep(0.05)
            idle.append(await one(session, "hello", None, 0.001))
    return [
        ("100 x 10 sequential activities", f"{ten:,.1f} orchestrations/s, {ten * 10:,.0f} activities/s"),
        ("1,000 x 3 activities", f"{hello:,.1f} orchestrations/s"),
        ("fan-out of 500", f"{fan:.2f} s, {500 / fan:,.0f} activities/s"),
        ("3 activities, idle host", f"{statistics.median(idle) * 1000:.1f} ms (median of {len(idle)})"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", choices=["embedded", "azurite"], default="embedded")
    storage = parser.parse_args().storage
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "app"
        shutil.copytree(APPS / "durable", folder)
        with host(folder, "--storage", storage) as port:
            table((f"on the {storage} hub", ""), asyncio.run(figures(port)))


if __name__ == "__main__":
    main()

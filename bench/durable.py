"""Durable work on either hub, through the child worker with the official SDK; and the same work on other engines.

    python -m bench.durable [--storage embedded|azurite] [--peers] [--runs N]

`bench.orchestrations` says what is measured. `--peers` installs Restate and dbos into `.bench/`, which is all they leave behind, and
measures them in the same run. With more than one run the engines take turns, and each figure is its median.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import aiohttp

from bench.measure import APPS, host, table
from bench.orchestrations import LABELS, Figures, measure
from bench.peers import dbos, restate

API = "/runtime/webhooks/durabletask"


class OverHttp:
    """The API that clients of Durable Functions use."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def start(self, name: str, argument: int | None = None) -> str:
        async with self._session.post(f"{API}/orchestrators/{name}", json=argument) as answer:
            return str((await answer.json())["id"])

    async def finish(self, handle: str, pause_s: float) -> None:
        while await self._status(handle) != "Completed":  # noqa: ASYNC110 - the API has nothing to wait on
            await asyncio.sleep(pause_s)

    async def _status(self, instance_id: str) -> str:
        async with self._session.get(f"{API}/instances/{instance_id}", params={"showInput": "false"}) as answer:
            found = await answer.json()
        if found["runtimeStatus"] in ("Failed", "Terminated"):
            raise RuntimeError(found)
        return str(found["runtimeStatus"])


def linarite(storage: str, scratch: Path) -> Figures:
    """Our own figures."""

    async def through(port: int) -> Figures:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            return await measure(OverHttp(session))

    folder = scratch / "app"
    shutil.copytree(APPS / "durable", folder)
    with host(folder, "--storage", storage) as served:
        return asyncio.run(through(served.port))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", choices=["embedded", "azurite"], default="embedded")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--runs", type=int, default=1)
    options = parser.parse_args()
    engines: dict[str, Callable[[Path], Figures]] = {f"linarite, {options.storage} hub": lambda scratch: linarite(options.storage, scratch)}
    if options.peers:
        engines |= {restate.NAME: restate.figures, dbos.NAME: dbos.figures}
    found: dict[str, list[Figures]] = {name: [] for name in engines}
    for _ in range(options.runs):
        for name, engine in engines.items():
            with tempfile.TemporaryDirectory() as scratch:
                found[name].append(engine(Path(scratch)))
    columns = [Figures(*map(statistics.median, zip(*map(astuple, runs), strict=True))).cells() for runs in found.values()]
    table(("", *engines), list(zip(LABELS, *columns, strict=True)))


if __name__ == "__main__":
    main()

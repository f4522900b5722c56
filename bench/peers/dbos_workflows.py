"""The orchestrations of `bench/apps/durable` as dbos workflows; runs in dbos's own environment.

    python -m bench.peers.dbos_workflows DATABASE_URL FIGURES_FILE

Each in the form that is the fastest for it: plain steps one after the other, async ones side by side.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from dbos import DBOS

from bench.orchestrations import measure


@DBOS.step()
def double(number: int) -> int:
    return number * 2


@DBOS.step()
async def double_async(number: int) -> int:
    return number * 2


@DBOS.step()
def greet(city: str) -> str:
    return f"Hello, {city}!"


@DBOS.workflow()
def ten(_: None) -> int:
    return sum(double(number) for number in range(10))


@DBOS.workflow()
def hello(_: None) -> list[str]:
    return [greet(city) for city in ("Tokyo", "Seattle", "London")]


@DBOS.workflow()
async def fan(count: int) -> int:
    return sum(await asyncio.gather(*(double_async(number) for number in range(count))))


class InProcess:
    """dbos called as a library."""

    async def start(self, name: str, argument: int | None = None) -> Any:
        if name == "fan":
            return await DBOS.start_workflow_async(fan, argument)
        return await asyncio.to_thread(DBOS.start_workflow, {"ten": ten, "hello": hello}[name], None)

    async def finish(self, handle: Any, pause_s: float) -> None:
        if asyncio.iscoroutinefunction(handle.get_result):
            await handle.get_result()
        else:
            await asyncio.to_thread(handle.get_result)


def main(database: str, figures: Path) -> None:
    DBOS(config={"name": "bench", "system_database_url": database})
    DBOS.launch()
    figures.write_text(json.dumps(dataclasses.asdict(asyncio.run(measure(InProcess())))), "utf-8")
    DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

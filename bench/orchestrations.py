"""The four figures of durable work, for whatever engine runs it. Standard library only: it also runs inside a peer's environment.

100 orchestrations of ten sequential activities at once; 1,000 of three at once, by 16 starters; one fan-out of 500; the latency of one
orchestration of three activities on an idle engine (median of 50). The bodies do nothing, so the figures are the engine's own cost.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass
from typing import Any, Protocol

STARTERS = 16


class Engine(Protocol):
    """Runs `ten`, `hello` and `fan`."""

    async def start(self, name: str, argument: int | None = None) -> Any:
        """Start an orchestration; a handle on it."""

    async def finish(self, handle: Any, pause_s: float) -> None:
        """Return once it is complete. An engine that has to be asked again and again is asked every `pause_s` seconds."""


@dataclass(frozen=True)
class Figures:
    """Orchestrations a second, twice; seconds, twice."""

    ten_per_s: float
    hello_per_s: float
    fan_s: float
    idle_s: float

    def cells(self) -> tuple[str, str, str, str]:
        """For a table, in the order of LABELS."""
        return (
            f"{self.ten_per_s:,.1f}/s, {self.ten_per_s * 10:,.0f} activities/s",
            f"{self.hello_per_s:,.0f}/s",
            f"{self.fan_s:.2f} s",
            f"{self.idle_s * 1000:.1f} ms",
        )


LABELS = ("100 x 10 sequential activities", "1,000 x 3 activities, 16 starters", "fan-out of 500", "3 activities, idle engine")


async def measure(engine: Engine) -> Figures:
    """All four, after a few that import and connect."""
    await _at_once(engine, "hello", 20)
    ten = await _at_once(engine, "ten", 100)
    hello = await _at_once(engine, "hello", 1000)
    fan = await _one(engine, "fan", 500, 0.005)
    idle = []
    for _ in range(50):
        await asyncio.sleep(0.05)
        idle.append(await _one(engine, "hello", None, 0.001))
    return Figures(ten, hello, fan, statistics.median(idle))


async def _at_once(engine: Engine, name: str, count: int) -> float:
    """Orchestrations per second of `count` started together. The last one is waited for first, so that little is asked meanwhile."""
    waiting = list(range(count))
    handles: list[Any] = []

    async def starter() -> None:
        while waiting:
            waiting.pop()
            handles.append(await engine.start(name))

    begin = time.perf_counter()
    await asyncio.gather(*(starter() for _ in range(STARTERS)))
    for handle in reversed(handles):
        await engine.finish(handle, 0.02)
    return count / (time.perf_counter() - begin)


async def _one(engine: Engine, name: str, argument: int | None, pause_s: float) -> float:
    """Seconds from start to completion of one."""
    begin = time.perf_counter()
    await engine.finish(await engine.start(name, argument), pause_s)
    return time.perf_counter() - begin

"""What large orchestrations cost: one fan-out and one loop of sequential activities, each in several sizes, each in a host of its own.

    python -m bench.scale [--storage embedded|azurite] [--fan 1000 10000] [--steps 125 500]

Prints time, processor time and peak memory of host and worker (which runs the SDK), before the orchestration and after it, and what
memory grew by per activity, of which a history has two to five events. Reads /proc, so it needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.durable import API, OverHttp
from bench.measure import APPS, host, table

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """What a process has used so far."""

    cpu_s: float
    peak_mib: float

    @classmethod
    def of(cls, pid: int) -> Usage:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        peak_kib = int(status.partition("VmHWM:")[2].split()[0])
        return cls((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, peak_kib / 1024)


def worker_of(host: int) -> int:
    """The host's child that runs the app: the one that is a Python too."""
    children = [int(pid) for task in Path(f"/proc/{host}/task").iterdir() for pid in (task / "children").read_text().split()]
    return next(pid for pid in children if b"linarite_worker" in Path(f"/proc/{pid}/cmdline").read_bytes())


@dataclass(frozen=True)
class Cost:
    """Of one orchestration; of each process the usage before and after."""

    activities: int
    seconds: float
    host: tuple[Usage, Usage]
    worker: tuple[Usage, Usage]

    def cells(self) -> tuple[str, ...]:
        return (f"{self.seconds:.1f} s", *_cells(self.host, self.activities), *_cells(self.worker, self.activities))


def _cells(usage: tuple[Usage, Usage], activities: int) -> tuple[str, str]:
    before, after = usage
    each_kib = (after.peak_mib - before.peak_mib) * 1024 / activities
    return f"{after.cpu_s - before.cpu_s:.1f} s", f"{before.peak_mib:.0f} to {after.peak_mib:.0f} MiB, {each_kib:.1f} KiB each"


async def run(port: int, host: int, name: str, size: int) -> Cost:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=aiohttp.ClientTimeout(600)) as session:
        engine = OverHttp(session)
        await engine.finish(await engine.start("hello"), 0.01)
        worker = worker_of(host)
        before = Usage.of(host), Usage.of(worker)
        begin = time.perf_counter()
        instance_id = await engine.start(name, size)
        await engine.finish(instance_id, 0.1)
        seconds = time.perf_counter() - begin
        after = Usage.of(host), Usage.of(worker)
        async with session.get(f"{API}/instances/{instance_id}") as answer:
            output = (await answer.json())["output"]
    if output != size * (size - 1):
        raise RuntimeError(f"{name} of {size} came to {output}")
    return Cost(size, seconds, (before[0], after[0]), (before[1], after[1]))


def cost(storage: str, name: str, size: int) -> Cost:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "app"
        shutil.copytree(APPS / "durable", folder)
        with host(folder, "--storage", storage) as served:
            return asyncio.run(run(*served, name, size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--storage", choices=["embedded", "azurite"], default="embedded")
    parser.add_argument("--fan", type=int, nargs="*", default=[1000, 10000])
    parser.add_argument("--steps", type=int, nargs="*", default=[125, 500])
    options = parser.parse_args()
    rows = []
    for name, sizes in (("fan", options.fan), ("loop", options.steps)):
        for size in sizes:
            rows.append((f"{name} of {size:,}", *cost(options.storage, name, size).cells()))
    table(("", "time", "host CPU", "host's peak", "worker CPU", "worker's peak"), rows)


if __name__ == "__main__":
    main()

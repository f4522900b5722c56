"""A host with nothing to do sleeps: no thread of it, nor of its workers, wakes up to look for something."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.acceptance.sample import copy_of_the_sample
from tests.acceptance.test_sample_app import started
from tests.host_process import HostProcess, client, finished

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="read from /proc")]

MOST_WAKE_UPS = 2
"""In ten seconds, of a thread."""


def processes(pid: int) -> list[int]:
    """A process and all below it."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text("ascii").split()]
    return [pid, *(below for child in children for below in processes(child))]


def wake_ups(processes: list[int]) -> dict[str, int]:
    """How often each thread has gone to sleep, and so been woken, by process, thread and name."""
    found: dict[str, int] = {}
    for process in processes:
        for task in Path(f"/proc/{process}/task").iterdir():
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text("utf-8").splitlines() if ":\t" in line)
            found[f"{process}/{task.name} {status['Name']}"] = int(status["voluntary_ctxt_switches"])
    return found


async def restless(processes: list[int]) -> dict[str, int]:
    """Threads that wake up more often than they may in ten seconds, once what had to be done has been done."""
    before = await _settled(processes)
    await asyncio.sleep(10)
    counts = {name: count - before.get(name, 0) for name, count in wake_ups(processes).items()}
    return {name: count for name, count in counts.items() if count > MOST_WAKE_UPS}


async def _settled(processes: list[int]) -> dict[str, int]:
    before = wake_ups(processes)
    for _ in range(30):
        await asyncio.sleep(2)
        now = wake_ups(processes)
        if now == before:
            return now
        before = now
    raise AssertionError(f"No rest within a minute: {before}")


async def test_an_idle_host_with_durable_functions_does_not_wake_up(tmp_path: Path) -> None:
    async with HostProcess(copy_of_the_sample(tmp_path), "--storage", "embedded") as host:
        assert not await restless(processes(host.pid))
        async with client(host) as session:
            order = await started(session, "/api/orders", {"customer": "ada@example.com", "item": "kettle", "quantity": 2})
            await finished(session, str(order["statusQueryGetUri"]))
            await started(session, "/api/expenses", {"who": "ada", "amount": 120, "within_seconds": 3600})
        await asyncio.sleep(20)  # the SDK's client closes its connections after 15
        # Its worker counts no more: the HTTP session that the client has there wakes up every two seconds on some Pythons.
        assert not await restless([host.pid])

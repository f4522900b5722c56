"""An idle hub does nothing at all: nobody polls."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from linarite.clock import SystemClock
from tests.taskhub.sqlite.processes import ENVIRONMENT

IDLER = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from linarite.clock import SystemClock
from linarite.taskhub.sqlite.hub import SqliteHub
from linarite.timestamps import timestamp
from tests.conformance.episodes import ANY_STATUS, start

async def main():
    clock = SystemClock()
    hub = SqliteHub(Path(sys.argv[1]), clock)
    await hub.start()
    await hub.start_work()
    await hub.create(start("tomorrow", clock.now(), at=timestamp(clock.now() + timedelta(days=1))), ANY_STATUS)
    waits = [asyncio.ensure_future(wait()) for wait in [hub.next_orchestration] * 5 + [hub.next_activity] * 5]
    await hub.idle()
    asyncio.get_running_loop().call_later(0.1, print, "at rest")
    await asyncio.gather(*waits)

sys.stdout.reconfigure(line_buffering=True)
asyncio.run(main())
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def idler(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with a hub at rest: everyone waits for work, and there is none until tomorrow."""
    command = [sys.executable, "-c", IDLER, str(tmp_path / "hub.db")]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "at rest\n"
    yield process
    process.kill()
    process.communicate()


def voluntary_switches(pid: int) -> int:
    """How often the threads of a process have gone to sleep by themselves."""
    statuses = [(task / "status").read_text("ascii") for task in Path(f"/proc/{pid}/task").iterdir()]
    lines = [line for status in statuses for line in status.splitlines() if line.startswith("voluntary_ctxt_switches")]
    return sum(int(line.split()[1]) for line in lines)


@pytest.mark.slow
async def test_an_idle_hub_wakes_up_at_most_twice_in_ten_seconds(idler: subprocess.Popen[str]) -> None:
    before = voluntary_switches(idler.pid)
    await SystemClock().sleep(10)
    assert idler.poll() is None
    assert voluntary_switches(idler.pid) - before <= 2

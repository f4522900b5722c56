"""`kill -9` at any moment loses nothing that was acknowledged, and leaves nothing half done."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from linarite.clock import SystemClock
from linarite.durable.events import OrchestratorCompleted, Status, TaskCompleted, TaskScheduled
from linarite.taskhub.sqlite.hub import SqliteHub
from tests.conformance.chains import LENGTH
from tests.conformance.episodes import ANY_STATUS, start
from tests.taskhub.sqlite.processes import ENVIRONMENT, ROOT

SEED = 20260101


@dataclass
class Life:
    """What one host said before its end. `acknowledged`: how many events the last acknowledged commit left in history."""

    is_done: bool
    acknowledged: int


def command(path: Path, statements: int) -> list[str]:
    return [sys.executable, "-m", "tests.taskhub.sqlite.crash_worker", str(path), str(statements)]


def live(path: Path, statements: int) -> Life:
    """Run a host on that file until it is done or killed before its nth statement."""
    command = [sys.executable, "-m", "tests.taskhub.sqlite.crash_worker", str(path), str(statements)]
    ended = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT / "host")}, capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode in (0, -9), ended.stderr
    lines = ended.stdout.splitlines()
    sums = [sum(map(int, line.split())) for line in lines if line[0].isdigit()]
    return Life(lines[-1:] == ["done"], sums[-1] if sums else 0)


async def begun(path: Path) -> None:
    """A hub file with one chain that is to be run."""
    clock = SystemClock()
    hub = SqliteHub(path, clock)
    await hub.start()
    await hub.create(start("chain", clock.now()), ANY_STATUS)
    await hub.stop()


async def examine(path: Path, acknowledged: int) -> bool:
    """Check what a host left behind; whether the chain has completed."""
    hub = SqliteHub(path, SystemClock())
    await hub.start()
    history, row = await hub.history("chain"), await hub.instance("chain")
    await hub.stop()
    assert row is not None
    assert len(history) >= acknowledged
    assert not history or isinstance(history[-1], OrchestratorCompleted)  # a whole episode, or none of it
    assert [event.event_id for event in history if isinstance(event, TaskScheduled)] == sorted(
        {event.event_id for event in history if isinstance(event, TaskScheduled)}
    )
    if row.status is Status.COMPLETED:
        assert [event.task_scheduled_id for event in history if isinstance(event, TaskCompleted)] == list(range(LENGTH))
    return row.status is Status.COMPLETED


async def survive(path: Path, deaths: list[int]) -> None:
    """Let hosts die, one after the other, before these statements; the one after them finishes."""
    await begun(path)
    for statements in deaths:
        life = live(path, statements)
        if await examine(path, life.acknowledged):
            return
    assert live(path, 1_000_000).is_done
    assert await examine(path, 0)


def dice(seed: int) -> list[int]:
    die = random.Random(seed)
    return [die.randrange(2, 30) for _ in range(4)]


@pytest.mark.parametrize("deaths", [dice(SEED + n) for n in range(3)], ids=str)
async def test_a_host_that_dies_again_and_again_is_carried_on_from(tmp_path: Path, deaths: list[int]) -> None:
    await survive(tmp_path / "hub.db", deaths)


def live_until_killed(path: Path, lines: int) -> int:
    """Run a host on that file and kill it after so many acknowledged commits; how many events the last of them left."""
    with subprocess.Popen(command(path, 1_000_000), cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == "at work\n"
        said = [host.stdout.readline() for _ in range(lines)]
        host.kill()
    return sum(map(int, said[-1].split())) if said else 0


@pytest.mark.parametrize("lines", range(LENGTH + 1))
async def test_a_host_that_is_killed_from_outside_is_carried_on_from(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "hub.db"
    await begun(path)
    is_completed = await examine(path, live_until_killed(path, lines))
    assert is_completed or live(path, 1_000_000).is_done
    assert await examine(path, 0)


@pytest.mark.slow
async def test_there_is_no_statement_before_which_death_does_harm(tmp_path: Path) -> None:
    statements, is_done = 1, False
    while not is_done:
        path = tmp_path / f"{statements}.db"
        await begun(path)
        life = live(path, statements)
        is_done = life.is_done
        is_completed = await examine(path, life.acknowledged)
        assert is_completed or live(path, 1_000_000).is_done
        assert await examine(path, 0)
        statements += 1
    assert statements > 30

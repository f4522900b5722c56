"""The hubs of the suite: `stage` is a test's own storage with a host that has begun to work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from linarite.clock import ManualClock, SystemClock
from linarite.taskhub.sqlite.hub import SqliteHub
from tests.conformance.stage import Stage


def sqlite_file(request: pytest.FixtureRequest) -> Stage:
    """A file, in real time."""
    folder: Path = request.getfixturevalue("tmp_path")
    clock = SystemClock()
    return Stage(lambda: SqliteHub(folder / "hub.db", clock), clock, outlives_its_host=True)


def sqlite_memory(request: pytest.FixtureRequest) -> Stage:
    """Memory, in a time that only moves when told to."""
    clock = ManualClock()
    return Stage(lambda: SqliteHub(None, clock), clock, outlives_its_host=False)


HUBS = [pytest.param(sqlite_file, id="sqlite-file"), pytest.param(sqlite_memory, id="sqlite-memory")]


@pytest.fixture(params=HUBS)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    build: Callable[[pytest.FixtureRequest], Stage] = request.param
    stage = build(request)
    await stage.open()
    yield stage
    await stage.close()


@pytest.fixture
def lasting(stage: Stage) -> Stage:
    """A stage whose storage another host can take over."""
    if not stage.outlives_its_host:
        pytest.skip("a hub in memory ends with its host")
    return stage

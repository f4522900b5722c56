"""The hubs of the suite: `stage` is a test's own storage with a host that has begun to work."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from linarite.clock import ManualClock, SystemClock
from linarite.settings import DurableSettings
from linarite.storage.account import Storage
from linarite.storage.connection import account
from linarite.taskhub.azure.hub import AzureHub
from linarite.taskhub.azure.timing import Timing
from linarite.taskhub.sqlite.hub import SqliteHub
from tests.conformance.stage import Stage


def sqlite_file(request: pytest.FixtureRequest) -> Stage:
    """A file, in a time that only moves when told to."""
    folder: Path = request.getfixturevalue("tmp_path")
    clock = ManualClock()
    return Stage(lambda: SqliteHub(folder / "hub.db", clock), clock, outlives_its_host=True)


def sqlite_memory(request: pytest.FixtureRequest) -> Stage:
    """Memory, likewise."""
    clock = ManualClock()
    return Stage(lambda: SqliteHub(None, clock), clock, outlives_its_host=False)


class _AzureHub(AzureHub):
    """A host with a storage account to itself, closed when it stops."""

    def __init__(self, connection: str, hub_name: str, clock: SystemClock) -> None:
        self._account = Storage(account(connection))
        timing = Timing(control_hide_s=2, work_item_hide_s=2, lease_s=3, busy_pass_s=0.2)
        super().__init__(self._account, DurableSettings(), hub_name, "host", clock, timing)

    async def stop(self) -> None:
        await super().stop()
        await self._account.close()


def azurite(request: pytest.FixtureRequest) -> Stage:
    """A task hub on the emulator, in real time; leases and hidden messages run out soon."""
    connection: str = request.getfixturevalue("connection")
    clock = SystemClock()
    hub_name = "C" + uuid.uuid4().hex[:20]
    return Stage(lambda: _AzureHub(connection, hub_name, clock), clock, outlives_its_host=True)


HUBS = [
    pytest.param(sqlite_file, id="sqlite-file"),
    pytest.param(sqlite_memory, id="sqlite-memory"),
    pytest.param(azurite, id="azurite", marks=pytest.mark.azurite),
]


@pytest.fixture(params=HUBS)
def closed_stage(request: pytest.FixtureRequest) -> Stage:
    """Not yet begun: what it is built on may need a loop of its own to come up."""
    build: Callable[[pytest.FixtureRequest], Stage] = request.param
    return build(request)


@pytest.fixture
async def stage(closed_stage: Stage) -> AsyncIterator[Stage]:
    await closed_stage.open()
    yield closed_stage
    await closed_stage.close()


@pytest.fixture
def lasting(stage: Stage) -> Stage:
    """A stage whose storage another host can take over."""
    if not stage.outlives_its_host:
        pytest.skip("a hub in memory ends with its host")
    return stage

"""Fixtures every test may use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from linarite.azurite import Azurite, Ports, install


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def azurite(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ports]:
    """The real Azurite on free ports, one for the whole run; tests keep apart by hub, queue, table and container names."""
    install()
    emulator = Azurite(tmp_path_factory.mktemp("azurite"), Ports(0, 0, 0))
    await emulator.start()
    yield emulator.ports
    await emulator.stop()


@pytest.fixture
def connection(azurite: Ports) -> str:
    """Connection string of the run's Azurite."""
    return azurite.connection_string()


@pytest.fixture
def app_folder(tmp_path: Path) -> Path:
    """An empty function app: host.json and nothing else."""
    (tmp_path / "host.json").write_text('{"version": "2.0"}', "utf-8")
    return tmp_path

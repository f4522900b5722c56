from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from linarite.clock import SystemClock
from linarite.settings import DurableSettings
from linarite.storage.account import Storage
from linarite.storage.connection import account
from linarite.taskhub.azure.hub import AzureHub
from linarite.taskhub.azure.names import HubNames
from linarite.taskhub.azure.timing import Timing


@dataclass
class Hubs:
    """Hosts on one task hub of the run's Azurite, and the storage beneath them."""

    storage: Storage
    name: str = field(default_factory=lambda: "H" + uuid.uuid4().hex[:20])
    opened: list[AzureHub] = field(default_factory=list)

    @property
    def names(self) -> HubNames:
        return HubNames(self.name, 4)

    def build(self, worker_id: str = "one", timing: Timing | None = None, *, app_name: str = "", **settings: Any) -> AzureHub:
        """One more host; it is stopped at the test's end."""
        hub = AzureHub(
            self.storage, DurableSettings(**settings), self.name, worker_id, SystemClock(), timing or Timing(), app_name=app_name
        )
        self.opened.append(hub)
        return hub

    async def working(self, worker_id: str = "one", timing: Timing | None = None, **settings: Any) -> AzureHub:
        """One more host, at work."""
        hub = self.build(worker_id, timing, **settings)
        await hub.start()
        await hub.start_work()
        return hub


@pytest_asyncio.fixture
async def hubs(connection: str) -> AsyncIterator[Hubs]:
    storage = Storage(account(connection))
    made = Hubs(storage)
    yield made
    for hub in made.opened:
        await hub.stop()
    await storage.close()


@pytest.fixture
def quick() -> Timing:
    """Leases and hidden messages that run out within a test's patience."""
    return Timing(control_hide_s=2, work_item_hide_s=2, lease_s=3, busy_pass_s=0.2, app_lease_s=15, app_lease_retry_s=0.5)


Build = Callable[..., AzureHub]

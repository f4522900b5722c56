"""Where hosts live and die: a task hub whose storage outlives them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path

from linarite.clock import Clock, ManualClock, SystemClock
from linarite.settings import DurableSettings
from linarite.storage.account import Storage
from linarite.storage.connection import account
from linarite.taskhub.azure.hub import AzureHub
from linarite.taskhub.azure.timing import Timing
from linarite.taskhub.protocol import TaskHub
from linarite.taskhub.sqlite.hub import SqliteHub
from tests.conformance.shaky_hub import Fate, ShakyHub
from tests.storage_proxy import Exchange, Fault, StorageProxy


class Ground(ABC):
    """Where hosts live and die: a storage that outlives them, and whose time it is."""

    clock: Clock

    @abstractmethod
    def hub(self) -> TaskHub:
        """The hub of another host."""

    @abstractmethod
    async def bury(self, hub: TaskHub) -> None:
        """Leave of a host what a kill leaves."""

    @abstractmethod
    def threaten(self, host: ShakyHub, fate: Fate) -> None:
        """Whatever may befall this host from below."""

    @abstractmethod
    async def pause(self, hub: TaskHub) -> None:
        """Let time pass."""

    async def close(self, hub: TaskHub) -> None:
        """Stop a host in good order."""
        await hub.stop_work()
        await hub.stop()


class FileGround(Ground):
    """A file, in a time that moves whenever nothing happens by itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock: ManualClock = ManualClock()

    def hub(self) -> TaskHub:
        return SqliteHub(self._path, self.clock)

    def threaten(self, host: ShakyHub, fate: Fate) -> None:
        pass  # a write to a file happens or does not

    async def bury(self, hub: TaskHub) -> None:
        await hub.stop()  # which writes nothing of its own

    async def pause(self, hub: TaskHub) -> None:
        for _ in range(3):  # what was in the file's queue before has then been seen by whoever waits for it
            await hub.instance("nobody")
        if (wake := self.clock.next_wake()) is not None:
            self.clock.advance_to(wake)


class AzureGround(Ground):
    """A task hub behind a proxy that can break any write, in real time; what a dead host held is free again soon."""

    def __init__(self, proxy: StorageProxy, name: str) -> None:
        self._proxy = proxy
        self._name = name
        self._account: Storage | None = None
        self.clock: SystemClock = SystemClock()

    def hub(self) -> TaskHub:
        timing = Timing(control_hide_s=2, work_item_hide_s=2, lease_s=3, busy_pass_s=0.2)
        self._account = Storage(account(self._proxy.connection_string()))
        return AzureHub(self._account, DurableSettings(), self._name, "host", self.clock, timing)

    def threaten(self, host: ShakyHub, fate: Fate) -> None:
        async def cut(_: Exchange) -> None:
            self._proxy.is_cut = True
            host.dead.set()

        async def break_once(_: Exchange) -> None:
            pass

        threat = fate.choose("storage", "is cut off before a write", "is cut off after a write", "breaks before", "breaks after")
        if threat:
            action = cut if "cut off" in threat else break_once
            self._proxy.fault = Fault(self._proxy.writes + fate.random.randint(1, 200), "after" in threat, action)

    async def bury(self, hub: TaskHub) -> None:
        assert isinstance(hub, AzureHub)
        self._proxy.is_cut = True
        for running in (hub._begun, hub._background, hub._orchestrations):
            await running.close()
        self._proxy.is_cut = False
        await self._end()

    async def close(self, hub: TaskHub) -> None:
        await super().close(hub)
        await self._end()

    async def pause(self, hub: TaskHub) -> None:
        await asyncio.sleep(0.05)

    async def _end(self) -> None:
        self._proxy.fault = None
        assert self._account is not None
        await self._account.close()

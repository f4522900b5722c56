"""The task hubs of one host: the app's own, and those that a binding or a URL names beside it.

A hub is opened when it is first needed and stays open until the host stops, whatever is loaded anew meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from linarite.bindings.connections import Connections
from linarite.clock import Clock
from linarite.errors import HubUnavailable
from linarite.identity import task_hub_name
from linarite.settings import AppSettings, DurableSettings
from linarite.storage_resolution import StorageChoice
from linarite.taskhub.azure.worker_id import WorkerId, new_name
from linarite.taskhub.protocol import HubClient, TaskHub

if TYPE_CHECKING:
    from linarite.taskhub.sqlite.hub import SqliteHub

_Key = tuple[str, str]


class Hubs:
    """Opens hubs by name and connection; the accounts are those of `connections`.

    `folder` is the app's `.linarite`; None keeps embedded hubs in memory.
    """

    def __init__(
        self,
        choice: StorageChoice,
        settings: AppSettings,
        durable: DurableSettings,
        connections: Connections,
        folder: Path | None,
        clock: Clock,
    ) -> None:
        self._choice = choice
        self._settings = settings
        self._durable = durable
        self._connections = connections
        self._folder = folder
        self._clock = clock
        self._lock = asyncio.Lock()
        self._hubs: dict[_Key, TaskHub] = {}
        self._worker_id: WorkerId | None = None
        named = task_hub_name(durable.hub_name, settings)
        self.name = named.name
        """The app's own hub."""
        self.warning = named.warning

    async def own(self) -> TaskHub:
        """The app's own hub, started."""
        return await self._open(self.name, self._durable.connection_name)

    async def __call__(self, hub: str | None, connection: str | None) -> HubClient:
        """The hub of that name in the storage of that connection; None stands for the app's own."""
        return await self._open(hub or self.name, connection or self._durable.connection_name)

    @property
    def embedded(self) -> Sequence[SqliteHub]:
        """The embedded hubs that are open."""
        from linarite.taskhub.sqlite.hub import SqliteHub

        return [hub for hub in self._hubs.values() if isinstance(hub, SqliteHub)] if self._choice.is_embedded else []

    async def stop(self) -> None:
        """Close every hub that was opened."""
        for hub in reversed(self._hubs.values()):
            await hub.stop()
        self._hubs.clear()
        if self._worker_id is not None:
            self._worker_id.close()
            self._worker_id = None

    async def _open(self, name: str, connection: str) -> TaskHub:
        key = (name.lower(), connection.lower())
        async with self._lock:
            if key not in self._hubs:
                hub = self._embedded(name) if self._choice.is_embedded else self._on_storage(name, connection)
                try:
                    await hub.start()
                except BaseException:
                    await hub.stop()
                    raise
                self._hubs[key] = hub
            return self._hubs[key]

    def _embedded(self, name: str) -> TaskHub:
        from linarite.taskhub.sqlite.hub import SqliteHub

        if self._folder is None:
            return SqliteHub(None, self._clock)
        return SqliteHub(working_folder(self._folder) / f"{name.lower()}.db", self._clock)

    def _on_storage(self, name: str, connection: str) -> TaskHub:
        from linarite.taskhub.azure.hub import AzureHub
        from linarite.taskhub.azure.timing import Timing

        is_own = connection.lower() == self._durable.connection_name.lower()
        tracking = self._durable.tracking_connection_name if is_own else None
        return AzureHub(
            self._connections.storage(connection),
            self._durable,
            name,
            self._my_name(),
            self._clock,
            Timing.of(self._durable),
            tracking=self._connections.storage(tracking) if tracking else None,
            app_name=self._settings.get("WEBSITE_SITE_NAME", ""),
        )

    def _my_name(self) -> str:
        """The name of this host among those that share a hub; the same after a restart, unlike that of another host in this folder."""
        if self._folder is None:
            return new_name()
        if self._worker_id is None:
            self._worker_id = WorkerId(working_folder(self._folder))
        return self._worker_id.name


def working_folder(folder: Path) -> Path:
    """The app's `.linarite`, made if it is not there, and kept out of git."""
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", "utf-8")
    except OSError as error:
        raise HubUnavailable(
            f"{folder} cannot be written: {error.strerror}. Durable work is kept there; make the app's folder writable."
        ) from None
    return folder

"""Storage accounts by the names that bindings give their connections.

An account is opened when it is first asked for, once however many names lead to it.
"""

from __future__ import annotations

from linarite.settings import AppSettings, NoConnection
from linarite.storage.account import Storage
from linarite.storage.connection import Account, account

DEFAULT = "AzureWebJobsStorage"
"""The connection of a binding that names none."""


class Connections:
    """The app's storage accounts, which nobody gets at unless they are `usable`. Belongs to one event loop; `close` ends it."""

    def __init__(self, settings: AppSettings, *, usable: bool = True) -> None:
        self._settings = settings
        self._usable = usable
        self._opened: dict[Account, Storage] = {}

    def storage(self, name: str = "") -> Storage:
        """The account behind a connection's name. Raises NoConnection or InvalidConnectionString."""
        if not self._usable:
            raise NoConnection(
                f"{name or DEFAULT}: this host uses no storage account, whatever the settings say. To let functions at queues, blobs and "
                'tables, start it with storage="azurite", or with storage="auto" for the account that the settings name.'
            )
        found = account(self._settings.connection(name), name or DEFAULT)
        if found not in self._opened:
            self._opened[found] = Storage(found)
        return self._opened[found]

    def hurry(self) -> None:
        """Wait no longer for an account that is away."""
        for storage in self._opened.values():
            storage.hurry()

    async def close(self) -> None:
        """Close all that were opened."""
        opened, self._opened = self._opened, {}
        for storage in opened.values():
            await storage.close()

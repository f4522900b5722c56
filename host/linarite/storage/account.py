"""One storage account, opened: the door everything else goes through."""

from __future__ import annotations

from linarite.storage.blobs import Blobs
from linarite.storage.connection import Account
from linarite.storage.outages import Outages
from linarite.storage.queues import Queues
from linarite.storage.tables import Tables
from linarite.storage.wire import Wire


class Storage:
    """Queues, tables and blobs of an account. Nothing is connected before it is used; `close` ends it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._wire = Wire(account)
        self.queues = Queues(self._wire)
        self.tables = Tables(self._wire)
        self.blobs = Blobs(account)
        self.outages = Outages()
        """For whoever polls the account."""

    def hurry(self) -> None:
        """Wait no longer for a service that is away."""
        self._wire.hurry()

    async def close(self) -> None:
        """Close all connections. The door opens again if it is used again."""
        for part in (self._wire, self.queues, self.tables, self.blobs):
            await part.close()

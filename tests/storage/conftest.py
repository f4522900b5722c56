from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from linarite.storage.account import Storage
from linarite.storage.connection import account


@pytest_asyncio.fixture
async def storage(connection: str) -> AsyncIterator[Storage]:
    """The run's Azurite, opened."""
    opened = Storage(account(connection))
    yield opened
    await opened.close()

"""What the SDK's clients of an account have in common: credentials, quiet logs, and exceptions that end here."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from linarite.errors import StorageRefused, StorageUnavailable
from linarite.storage.connection import Account

RETRIES = 3
"""How often a client asks again, as `wire.py` does."""


def credential(account: Account) -> dict[str, str] | str | None:
    """What the storage clients take: name and key, or a signature, or nothing."""
    if account.key:
        return {"account_name": account.name, "account_key": account.key}
    return account.sas or None


def be_quiet() -> None:
    """Keep the clients from logging a page per request."""
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)


@asynccontextmanager
async def translated(account: Account, service: str, what: str) -> AsyncIterator[None]:
    """Turn the SDK's exceptions into ours. `service`: blob, queue or table; `what` was asked for, e.g. `create queue x`."""
    from azure.core.exceptions import AzureError, HttpResponseError

    url = {"blob": account.blob_url, "queue": account.queue_url, "table": account.table_url}[service]
    where = f"The {service} service of storage account {account.name} at {url}"
    try:
        yield
    except HttpResponseError as problem:
        said = getattr(problem, "error_code", None) or problem.reason or "unknown error"
        status, code = problem.status_code or 0, str(getattr(said, "value", said))
        if status in (401, 403):
            raise StorageUnavailable(f"{where} does not accept our key or signature ({code}). Correct the connection string.") from None
        if status >= 500:
            raise StorageUnavailable(f"{where} is failing (HTTP {status} {code}). Try again.") from None
        raise StorageRefused(status, code, what) from None
    except AzureError as problem:
        start = "Start Azurite there" if account.is_emulator else "Check the network"
        raise StorageUnavailable(f"{where} does not answer ({problem}). {start}, or correct the connection string.") from None

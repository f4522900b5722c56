"""Decides where durable work and the host's own records are kept, and says why.

`auto`: a real account, or an emulator that answers, is used; development storage with nobody listening means the embedded store, or, if
the app's own bindings need storage, an Azurite started here. `embedded` and `azurite` force the one or the other.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from linarite.azurite import Azurite, Ports, find_azurite
from linarite.clock import SystemClock, within
from linarite.errors import OperatorError
from linarite.options import StorageMode
from linarite.settings import AppSettings
from linarite.storage.connection import Account, account

log = logging.getLogger("Host.Startup")

MODE_SETTING = "LINARITE_STORAGE"
"""App setting or environment variable that `--storage` overrides."""


@dataclass(frozen=True, slots=True)
class StorageChoice:
    """Where things are kept. `connection` is empty for the embedded store; `started` is the Azurite this host owns, if it does."""

    kind: Literal["embedded", "azurite", "account"]
    connection: str
    reason: str
    started: Azurite | None = None

    @property
    def is_embedded(self) -> bool:
        return self.kind == "embedded"


async def resolve(
    settings: AppSettings, mode: StorageMode | None, folder: Path, *, setting: str = "AzureWebJobsStorage", needs_storage: bool = False
) -> StorageChoice:
    """The storage of one host. `folder` is the app's; an Azurite started here keeps its data below it.

    Raises OperatorError if what was asked for cannot be had, InvalidConnectionString for a connection string that is none.
    """
    mode = mode or _mode(settings)
    connection = settings.get(setting, "").strip()
    if mode == "embedded":
        return StorageChoice("embedded", "", "asked for")
    if not connection:
        if mode == "azurite" or needs_storage:
            return await _start(folder, Ports(), f"{setting} is not set")
        return StorageChoice("embedded", "", f"{setting} is not set")
    found = account(connection, setting)
    ports = _loopback_ports(found)
    if ports is None:
        if mode == "azurite":
            raise OperatorError(
                f"--storage azurite was asked for, but {setting} names the account {found.name}. Use UseDevelopmentStorage=true."
            )
        return StorageChoice("account", connection, f"{setting} names the account {found.name}")
    silent = [port for port in (ports.blob, ports.queue, ports.table) if not await _answers(port)]
    if not silent:
        return StorageChoice("azurite", connection, f"Azurite answers on ports {ports.blob}, {ports.queue} and {ports.table}")
    if len(silent) < 3:
        said = " and ".join(map(str, silent))
        raise OperatorError(
            f"Part of Azurite answers, but nothing listens on port {said}. Start all of it (`azurite`, not `azurite-queue`), or stop it."
        )
    why = f"nothing listens on port {ports.queue}"
    if mode == "azurite" or needs_storage:
        return await _start(folder, ports, why)
    return StorageChoice("embedded", "", why)


def _mode(settings: AppSettings) -> StorageMode:
    given = settings.get(MODE_SETTING, "auto").strip().lower() or "auto"
    for mode in ("auto", "embedded", "azurite"):
        if given == mode:
            return mode
    raise OperatorError(f"{MODE_SETTING} is {given!r}; it takes auto, embedded or azurite.")


def _loopback_ports(found: Account) -> Ports | None:
    """The emulator's ports, if the account is on this machine."""
    addresses = [urlsplit(url) for url in (found.blob_url, found.queue_url, found.table_url)]
    if any(address.hostname not in ("127.0.0.1", "localhost", "::1") for address in addresses):
        return None
    blob, queue, table = (address.port or 80 for address in addresses)
    return Ports(blob, queue, table)


async def _answers(port: int) -> bool:
    try:
        _, writer = await within(SystemClock(), 2, asyncio.open_connection("127.0.0.1", port))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _start(folder: Path, ports: Ports, why: str) -> StorageChoice:
    if find_azurite() is None:
        raise OperatorError(
            f"The app needs a storage emulator and {why}. Run `linarite azurite install` once (it takes npm's azurite package), "
            "or start an Azurite yourself, or name a storage account."
        )
    log.info("Starting Azurite: %s.", why)  # it takes some seconds, and nothing else is said meanwhile
    emulator = Azurite(folder / ".linarite" / "azurite", ports)
    await emulator.start()
    return StorageChoice("azurite", emulator.ports.connection_string(), f"{why}, so it was started here", emulator)

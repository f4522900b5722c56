"""Where the status of timers is kept: in the app's storage account, in a folder of the app, or in memory.

Source: azure-functions-host, AzureStorageScheduleMonitor: container, blob names and content are those of the real host.
"""

from __future__ import annotations

import logging
import os
from datetime import tzinfo
from pathlib import Path
from typing import Protocol

from linarite.errors import OperatorError, StorageRefused
from linarite.listeners.schedule_status import ScheduleStatus, parse_status, status_json
from linarite.storage.blobs import Blobs

log = logging.getLogger(__name__)

CONTAINER = "azure-webjobs-hosts"


class ScheduleMonitor(Protocol):
    """Remembers one status per timer. Both methods raise LinariteError if the place does not answer."""

    async def get(self, function_name: str) -> ScheduleStatus | None:
        """The stored status; None if there is none, or none that can be read."""
        ...

    async def put(self, function_name: str, status: ScheduleStatus) -> None:
        """Store a status in the place of the one before."""
        ...


class BlobScheduleMonitor:
    """Statuses in blobs, one per timer. `zone` is the one their times are written in."""

    def __init__(self, blobs: Blobs, host_id: str, zone: tzinfo) -> None:
        self._blobs = blobs
        self._host_id = host_id
        self._zone = zone

    async def get(self, function_name: str) -> ScheduleStatus | None:
        name = self._name(function_name)
        try:
            content = await self._blobs.get(CONTAINER, name)
        except StorageRefused as refused:
            if refused.is_missing:
                return None
            raise
        return _parsed(content, f"blob {CONTAINER}/{name}")

    async def put(self, function_name: str, status: ScheduleStatus) -> None:
        name, content = self._name(function_name), status_json(status, self._zone).encode()
        try:
            await self._blobs.put(CONTAINER, name, content)
        except StorageRefused as refused:
            if not refused.is_missing:
                raise
            await self._blobs.create_container(CONTAINER)
            await self._blobs.put(CONTAINER, name, content)

    def _name(self, function_name: str) -> str:
        return f"timers/{self._host_id}/Host.Functions.{function_name}/status"


class FileScheduleMonitor:
    """Statuses in files, `<function>.json` in `folder`, which is made when the first is written."""

    def __init__(self, folder: Path, zone: tzinfo) -> None:
        self._folder = folder
        self._zone = zone

    async def get(self, function_name: str) -> ScheduleStatus | None:
        path = self._path(function_name)
        try:
            return _parsed(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise OperatorError(f"{path} cannot be read: {problem}") from None

    async def put(self, function_name: str, status: ScheduleStatus) -> None:
        path = self._path(function_name)
        written = path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            written.write_text(status_json(status, self._zone) + "\n", "utf-8")
            os.replace(written, path)  # whole or not at all
        except OSError as problem:
            raise OperatorError(f"{path} cannot be written: {problem}") from None

    def _path(self, function_name: str) -> Path:
        return self._folder / f"{function_name}.json"


class MemoryScheduleMonitor:
    """Statuses that end with the host."""

    def __init__(self) -> None:
        self._statuses: dict[str, ScheduleStatus] = {}

    async def get(self, function_name: str) -> ScheduleStatus | None:
        return self._statuses.get(function_name)

    async def put(self, function_name: str, status: ScheduleStatus) -> None:
        self._statuses[function_name] = status


def _parsed(content: bytes, place: str) -> ScheduleStatus | None:
    try:
        return parse_status(content.decode("utf-8"))
    except ValueError as problem:
        log.warning("The timer status in %s cannot be read (%s); it begins anew.", place, problem)
        return None

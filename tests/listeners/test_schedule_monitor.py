"""Every place where statuses are kept keeps them; the blob's is the real host's."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from linarite.errors import LinariteError, OperatorError, StorageRefused
from linarite.listeners.schedule_monitor import CONTAINER, BlobScheduleMonitor, FileScheduleMonitor, ScheduleMonitor
from linarite.listeners.schedule_status import ScheduleStatus
from linarite.storage.account import Storage
from linarite.storage.connection import account

ZONE = ZoneInfo("Europe/Berlin")
STATUS = ScheduleStatus(None, datetime(2027, 1, 1, tzinfo=timezone.utc), datetime(2026, 11, 23, 5, 57, 51, 5, tzinfo=timezone.utc))
LATER = ScheduleStatus(STATUS.next, None, STATUS.next)


@pytest_asyncio.fixture
async def storage(connection: str) -> AsyncIterator[Storage]:
    opened = Storage(account(connection))
    yield opened
    await opened.close()


@pytest.fixture(params=["file", pytest.param("blob", marks=pytest.mark.azurite)])
def monitor(request: pytest.FixtureRequest, tmp_path: Path) -> ScheduleMonitor:
    if request.param == "file":
        return FileScheduleMonitor(tmp_path / ".linarite" / "timers", ZONE)
    opened: Storage = request.getfixturevalue("storage")
    return BlobScheduleMonitor(opened.blobs, f"host-{uuid.uuid4().hex[:8]}", ZONE)


async def test_a_timer_not_seen_before_has_no_status(monitor: ScheduleMonitor) -> None:
    assert await monitor.get("tick") is None


async def test_a_status_is_kept_and_replaced(monitor: ScheduleMonitor) -> None:
    await monitor.put("tick", STATUS)
    await monitor.put("other", LATER)
    assert (await monitor.get("tick"), await monitor.get("other")) == (STATUS, LATER)
    await monitor.put("tick", LATER)
    assert await monitor.get("tick") == LATER


@pytest.mark.azurite
async def test_the_blob_is_named_and_written_as_the_real_host_does(storage: Storage) -> None:
    host = f"host-{uuid.uuid4().hex[:8]}"
    await BlobScheduleMonitor(storage.blobs, host, ZONE).put("tick", STATUS)
    assert (await storage.blobs.get(CONTAINER, f"timers/{host}/Host.Functions.tick/status")).decode() == (
        '{"Last":"0001-01-01T00:00:00+00:00","Next":"2027-01-01T01:00:00+01:00","LastUpdated":"2026-11-23T06:57:51.000005+01:00"}'
    )


class Blobs:
    """A blob service without containers, or one that refuses."""

    def __init__(self, status: int = 404) -> None:
        self.status = status
        self.containers: set[str] = set()
        self.blobs: dict[str, bytes] = {}

    async def get(self, container: str, name: str) -> bytes:
        if name not in self.blobs:
            raise StorageRefused(self.status, "BlobNotFound", "read")
        return self.blobs[name]

    async def put(self, container: str, name: str, content: bytes) -> None:
        if container not in self.containers:
            raise StorageRefused(self.status, "ContainerNotFound", "write")
        self.blobs[name] = content

    async def create_container(self, container: str) -> None:
        self.containers.add(container)


async def test_a_missing_container_is_created() -> None:
    blobs = Blobs()
    monitor = BlobScheduleMonitor(blobs, "h", ZONE)  # type: ignore[arg-type]
    await monitor.put("tick", STATUS)
    assert (blobs.containers, await monitor.get("tick")) == ({CONTAINER}, STATUS)


async def test_a_refusal_of_another_kind_is_not_taken_for_absence() -> None:
    monitor = BlobScheduleMonitor(Blobs(status=409), "h", ZONE)  # type: ignore[arg-type]
    with pytest.raises(LinariteError):
        await monitor.get("tick")
    with pytest.raises(LinariteError):
        await monitor.put("tick", STATUS)


async def test_a_status_that_cannot_be_read_counts_as_none_and_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "tick.json").write_text("{", "utf-8")
    assert await FileScheduleMonitor(tmp_path, ZONE).get("tick") is None
    assert "it begins anew" in caplog.text


async def test_a_folder_that_cannot_be_written_to_is_an_operator_s_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(OperatorError, match="cannot be written"):
        await FileScheduleMonitor(tmp_path / "file", ZONE).put("tick", STATUS)

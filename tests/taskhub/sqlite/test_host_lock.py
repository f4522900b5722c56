from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from linarite.clock import SystemClock
from linarite.errors import HubFileUnusable
from linarite.taskhub.sqlite.host_lock import HostLock
from linarite.taskhub.sqlite.hub import SqliteHub
from tests.taskhub.sqlite.processes import ENVIRONMENT

NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)

HOLDER = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from linarite.taskhub.sqlite.host_lock import HostLock
lock = HostLock(Path(sys.argv[1]))
lock.acquire(datetime(2026, 1, 1, 12, tzinfo=timezone.utc))
print("held", flush=True)
sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_has_it_and_since_when(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    with holder(path) as process:
        expected = rf"hub\.db is in use by another host \(process {process.pid}, since 2026-01-01 12:00:00 UTC\)\. Stop that one, or "
        with pytest.raises(HubFileUnusable, match=expected):
            HostLock(path).acquire(NOON)
        process.communicate("")


def test_what_a_killed_host_held_is_free_at_once(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    with holder(path) as process:
        process.kill()
        process.wait()
    lock = HostLock(path)
    lock.acquire(NOON)
    lock.release()


def test_two_in_one_process_are_told_apart_too(tmp_path: Path) -> None:
    first, second = HostLock(tmp_path / "hub.db"), HostLock(tmp_path / "hub.db")
    first.acquire(NOON)
    with pytest.raises(HubFileUnusable, match=f"process {os.getpid()}"):
        second.acquire(NOON)
    first.release()
    second.acquire(NOON)
    second.release()


def test_a_holder_that_has_not_written_its_name_yet_is_another_host(tmp_path: Path) -> None:
    first = HostLock(tmp_path / "hub.db")
    first.acquire(NOON)
    (tmp_path / "hub.db.lock").write_bytes(b"")
    with pytest.raises(HubFileUnusable, match=r"in use by another host\. Stop"):
        HostLock(tmp_path / "hub.db").acquire(NOON)
    first.release()


async def test_a_hub_that_cannot_have_its_file_holds_nothing(tmp_path: Path) -> None:
    first, second = SqliteHub(tmp_path / "hub.db", SystemClock()), SqliteHub(tmp_path / "hub.db", SystemClock())
    await first.start()
    with pytest.raises(HubFileUnusable):
        await second.start()
    await first.stop()
    await second.start()
    await second.stop()

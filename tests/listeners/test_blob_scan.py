"""What counts as a new blob, on a manual clock and a container in memory."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from linarite.bindings.blob_paths import BlobPath
from linarite.bindings.wakes import Wakes
from linarite.clock import ManualClock
from linarite.errors import StorageRefused, StorageUnavailable
from linarite.listeners import blob_scan
from linarite.listeners.blob_scan import ContainerScan
from linarite.storage.account import Storage
from linarite.storage.blob_properties import BlobPage, BlobProperties
from linarite.storage.blobs import Blobs
from linarite.storage.connection import account
from linarite.storage.outages import Outages


class FakeBlobs(Blobs):
    """One container, listed in pages of two names; `before_page` runs before each listing."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(account("UseDevelopmentStorage=true"))
        self._clock = clock
        self._versions = 0
        self.blobs: dict[str, BlobProperties] | None = {}
        self.is_down = False
        self.listings = 0

    def write(self, *names: str) -> None:
        assert self.blobs is not None
        for name in names:
            self._versions += 1
            self.blobs[name] = BlobProperties(f"0x{self._versions}", 1, self._clock.now().replace(microsecond=0))

    async def page(self, container: str, after: str | None, size: int, *, prefix: str = "") -> BlobPage:
        self.listings += 1
        if self.is_down:
            raise StorageUnavailable("The blob service does not answer.")
        if self.blobs is None:
            raise StorageRefused(404, "ContainerNotFound", container)
        names = sorted(name for name in self.blobs if name > (after or ""))
        return BlobPage({name: self.blobs[name] for name in names[:2]}, names[1] if names[2:] else None)


class Bench:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.blobs = FakeBlobs(self.clock)
        self.wakes = Wakes()
        self.found: list[str] = []
        self.refuse: set[str] = set()
        storage = Storage(account("UseDevelopmentStorage=true"))
        storage.blobs = self.blobs
        self.scan = ContainerScan(storage, "c", self._found, self.clock, self.wakes, Outages())

    async def _found(self, path: BlobPath, properties: BlobProperties) -> bool:
        if path.name in self.refuse:
            return False
        self.found.append(path.name)
        return True

    async def settle(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def look(self, times: int = 1) -> list[str]:
        """What the next looks find."""
        self.found.clear()
        for _ in range(times):
            self.clock.advance(blob_scan.EMULATOR_INTERVAL_S)
            await self.settle()
        return self.found


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.scan.stop()


async def test_what_is_there_at_first_is_new(bench: Bench) -> None:
    bench.blobs.write("a", "b", "c")
    bench.scan.start()
    await bench.settle()
    assert bench.found == ["a", "b", "c"]
    assert await bench.look(3) == []


async def test_a_changed_blob_is_new_again(bench: Bench) -> None:
    bench.blobs.write("a", "b")
    bench.scan.start()
    await bench.look()
    bench.blobs.write("b", "x")
    assert await bench.look() == ["b", "x"]
    assert await bench.look(3) == []


async def test_two_versions_in_one_second_are_both_found(bench: Bench) -> None:
    bench.blobs.write("a")
    bench.scan.start()
    await bench.settle()
    bench.blobs.write("a", "b")  # the clock has not moved: modified in the second already seen
    assert await bench.look() == ["a", "b"]
    assert await bench.look(3) == []


async def test_a_second_that_was_looked_at_already_can_bring_more(bench: Bench) -> None:
    bench.blobs.write("a")
    bench.scan.start()
    await bench.settle()
    for name in ("b", "c", "d"):  # the clock stands still: all within one second
        bench.blobs.write(name)
        bench.scan.look_again()
        await bench.settle()
    assert bench.found == ["a", "b", "c", "d"]


async def test_what_changes_behind_the_place_of_the_look_is_found_by_the_next(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.blobs.write("a", "b", "y", "z")
    monkeypatch.setattr(blob_scan, "_BUDGET", 2)  # a look goes through one page
    bench.scan.start()
    await bench.settle()
    assert bench.found == ["a", "b"]
    bench.found.clear()
    bench.clock.advance(1)
    bench.blobs.write("a")
    bench.clock.advance(1)  # the second look is due, and has not begun
    bench.blobs.write("z")
    await bench.settle()
    assert bench.found == ["y", "z"]
    assert await bench.look(2) == ["a"]
    assert await bench.look(6) == []


async def test_what_is_refused_is_offered_again(bench: Bench) -> None:
    bench.refuse.add("a")
    bench.blobs.write("a", "b")
    bench.scan.start()
    await bench.settle()
    assert bench.found == ["b"]
    bench.clock.advance(3600)
    bench.blobs.write("c")
    assert await bench.look() == ["c"]
    bench.refuse.clear()
    assert await bench.look() == ["a"]
    assert await bench.look(3) == []


async def test_a_write_of_this_process_is_seen_at_once(bench: Bench) -> None:
    bench.scan.start()
    await bench.settle()
    bench.blobs.write("a")
    bench.wakes.notify(bench.blobs.url("c"))
    await bench.settle()
    assert bench.found == ["a"]


async def test_a_container_that_is_not_there_is_empty(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.blobs.blobs = None
    bench.scan.start()
    assert await bench.look(3) == []
    assert caplog.records == []
    bench.blobs.blobs = {}
    bench.blobs.write("a")
    assert await bench.look() == ["a"]


async def test_an_outage_is_said_once_and_nothing_is_lost(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench.scan.start()
    await bench.settle()
    bench.blobs.is_down = True
    bench.blobs.write("a")
    assert await bench.look(5) == []
    assert [message.split(".")[0] for message in caplog.messages] == ["The blob service does not answer"]
    bench.blobs.is_down = False
    assert await bench.look() == ["a"]
    assert len(caplog.messages) == 2


async def test_looks_are_two_seconds_apart_on_an_emulator(bench: Bench) -> None:
    bench.scan.start()
    await bench.settle()
    bench.clock.advance(1.9)
    await bench.settle()
    assert bench.blobs.listings == 1
    bench.clock.advance(0.1)
    await bench.settle()
    assert bench.blobs.listings == 2

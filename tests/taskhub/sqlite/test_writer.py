from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from linarite.errors import HubUnavailable
from linarite.taskhub.sqlite.writer import InlineWriter, ThreadWriter


class Probe:
    """A writer on a file with one table, whose transactions are counted; `gate` holds its thread up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gate = threading.Event()
        self.gate.set()
        self.commits = 0
        self.settled = 0
        self.writer = ThreadWriter(self._connect, lambda error: HubUnavailable(str(error)), self._count)

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None)
        database.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
        database.set_trace_callback(self._trace)
        return database

    def _trace(self, statement: str) -> None:
        if statement == "BEGIN":
            self.gate.wait()
        self.commits += statement == "COMMIT"

    def _count(self) -> None:
        self.settled += 1

    async def insert(self, number: int) -> int:
        def work(database: sqlite3.Connection) -> int:
            database.execute("INSERT INTO numbers VALUES (?)", (number,))
            return number

        return await self.writer.write(work, lambda n: n)

    async def numbers(self) -> list[int]:
        return await self.writer.read(lambda database: [n for (n,) in database.execute("SELECT n FROM numbers ORDER BY n")])


@pytest.fixture
async def probe(tmp_path: Path) -> AsyncIterator[Probe]:
    probe = Probe(tmp_path / "probe.db")
    await probe.writer.start()
    yield probe
    probe.gate.set()
    await probe.writer.stop()


async def test_what_waits_becomes_one_transaction(probe: Probe) -> None:
    probe.gate.clear()
    writes = [asyncio.ensure_future(probe.insert(n)) for n in range(50)]
    await asyncio.sleep(0)
    assert probe.writer.pending == 50
    probe.gate.set()
    assert await asyncio.gather(*writes) == list(range(50))
    assert probe.commits <= 2  # the first may have gone alone
    assert probe.writer.pending == 0


async def test_whoever_is_at_fault_fails_alone(probe: Probe) -> None:
    probe.gate.clear()
    writes = [asyncio.ensure_future(probe.insert(n)) for n in (1, 2, 2, 3)]
    await asyncio.sleep(0)
    probe.gate.set()
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [outcome if isinstance(outcome, int) else type(outcome) for outcome in outcomes] == [1, 2, HubUnavailable, 3]
    assert await probe.numbers() == [1, 2, 3]


async def test_after_a_failure_nothing_of_it_is_written_and_it_is_given_up_once(probe: Probe) -> None:
    given_up: list[bool] = []

    def half(database: sqlite3.Connection) -> None:
        database.execute("INSERT INTO numbers VALUES (7)")
        raise LookupError("half way")

    with pytest.raises(HubUnavailable, match="half way"):
        await probe.writer.write(half, lambda _: None, lambda: given_up.append(True))
    assert given_up == [True]
    assert await probe.numbers() == []


async def test_a_cancelled_wait_stops_neither_the_write_nor_what_follows_it(probe: Probe) -> None:
    applied = asyncio.Event()
    probe.gate.clear()
    write = asyncio.ensure_future(
        probe.writer.write(lambda database: database.execute("INSERT INTO numbers VALUES (1)"), lambda _: applied.set())
    )
    await asyncio.sleep(0)
    write.cancel()
    probe.gate.set()
    await applied.wait()
    assert write.cancelled()
    assert await probe.numbers() == [1]


async def test_outcomes_are_applied_in_the_order_of_writing(probe: Probe) -> None:
    applied: list[int] = []

    async def write(number: int) -> None:
        await probe.writer.write(lambda database: number, applied.append)

    await asyncio.gather(*(write(n) for n in range(20)))
    assert applied == list(range(20))


async def test_what_was_handed_in_is_written_before_the_stop(tmp_path: Path) -> None:
    probe = Probe(tmp_path / "probe.db")
    await probe.writer.start()
    writes = [asyncio.ensure_future(probe.insert(n)) for n in range(10)]
    await asyncio.sleep(0)
    await probe.writer.stop()
    assert await asyncio.gather(*writes) == list(range(10))
    with pytest.raises(HubUnavailable, match="stopped"):
        await probe.insert(11)
    assert not [thread for thread in threading.enumerate() if thread.name == "linarite-sqlite"]


async def test_a_connection_that_cannot_be_made_is_reported_and_leaves_no_thread() -> None:
    def refuse() -> sqlite3.Connection:
        raise HubUnavailable("no")

    for kind in (ThreadWriter, InlineWriter):
        writer = kind(refuse, lambda error: error, lambda: None)
        with pytest.raises(HubUnavailable, match="no"):
            await writer.start()
        await writer.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "linarite-sqlite"]


async def test_in_memory_a_job_is_done_before_the_first_turn_of_the_loop() -> None:
    settled: list[int] = []
    writer = InlineWriter(lambda: sqlite3.connect(":memory:", isolation_level=None), lambda error: error, lambda: settled.append(1))
    await writer.start()
    write = asyncio.ensure_future(writer.write(lambda database: database.execute("CREATE TABLE t (n)"), lambda _: "made"))
    await asyncio.sleep(0)
    assert settled == [1]
    assert await write == "made"
    with pytest.raises(sqlite3.OperationalError):
        await writer.read(lambda database: database.execute("SELECT * FROM nowhere"))
    await writer.stop()


async def test_a_failure_in_memory_is_given_up_even_if_the_caller_is_cancelled() -> None:
    given_up: list[bool] = []
    writer = InlineWriter(lambda: sqlite3.connect(":memory:", isolation_level=None), lambda error: error, lambda: None)
    await writer.start()
    write = asyncio.ensure_future(writer.write(lambda database: database.execute("no SQL"), lambda _: None, lambda: given_up.append(True)))
    await asyncio.sleep(0)
    write.cancel()
    await asyncio.wait([write])
    assert write.cancelled()
    assert given_up == [True]
    await writer.stop()


async def test_it_is_told_when_a_group_is_done(probe: Probe) -> None:
    before = probe.settled
    await probe.insert(1)
    assert probe.settled == before + 1

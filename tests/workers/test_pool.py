"""Children that come and go behind one channel: deaths, pauses, reloads, the spare."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from linarite.clock import ManualClock
from linarite.errors import OperatorError, WorkerDied
from linarite.workers.child import ChildWorker
from linarite.workers.generation import Deaths
from linarite.workers.pool import SPARE_AFTER_S, WorkerPool
from linarite.workers.protocol import IndexedApp
from tests.workers.calls import Lines, function, invocation, request, write_app

APP = """\
import os
import azure.functions as func

app = func.FunctionApp()

@app.route()
async def pid(req: func.HttpRequest) -> str:
    return f"pid {os.getpid()} version VERSION"

@app.route()
async def hold(req: func.HttpRequest) -> str:
    print(f"holding {os.getpid()}")
    while not os.path.exists("released"):
        await __import__("asyncio").sleep(0.01)
    return f"released VERSION"
"""


class WatchedClock(ManualClock):
    """Tells when somebody has gone to sleep on it."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await super().sleep(seconds)

    async def sleeper(self) -> float:
        """Wait until somebody sleeps; for how long."""
        while (wake := self.next_wake()) is None:
            self.asleep.clear()
            await self.asleep.wait()
        return (wake - self.now()).total_seconds()


@dataclass
class Running:
    pool: WorkerPool
    app: IndexedApp
    folder: Path
    clock: WatchedClock
    lines: Lines
    made: list[ChildWorker]
    one_more: asyncio.Event

    async def call(self, name: str) -> str:
        answer = (await self.pool.invoke(invocation(function(self.app, name), {"req": request()}))).return_value
        assert answer is not None
        return str(answer.value)

    async def process_id(self) -> int:
        return int((await self.call("pid")).split()[1])

    async def version(self) -> str:
        return (await self.call("pid")).split()[-1]

    async def holding(self) -> int:
        """Wait until an invocation holds; in which process."""
        while True:
            for line in self.lines.all:
                if line.message.startswith("holding"):
                    return int(line.message.split()[1])
            await self.lines.more()

    def write(self, version: str) -> None:
        write_app(self.folder, APP.replace("VERSION", version))

    async def spare(self, number: int) -> ChildWorker:
        """The child of that number, once it is made."""
        while len(self.made) < number:
            await self.one_more.wait()
        return self.made[number - 1]


@asynccontextmanager
async def running(folder: Path, *, count: int = 1, has_spare: bool = False, source: str | None = None) -> AsyncIterator[Running]:
    clock, lines = WatchedClock(), Lines()
    made: list[ChildWorker] = []

    one_more = asyncio.Event()

    def make() -> ChildWorker:
        one_more.set()
        one_more.clear()
        made.append(ChildWorker(Path(sys.executable), folder, os.environ, lines))
        return made[-1]

    write_app(folder, APP.replace("VERSION", "1") if source is None else source)
    pool = WorkerPool(make, count, clock, has_spare=has_spare)
    try:
        yield Running(pool, await pool.start(), folder, clock, lines, made, one_more)
    finally:
        (folder / "released").touch()
        await pool.stop(5)
    assert not [worker for worker in made if worker.is_alive]


async def test_children_take_turns(tmp_path: Path) -> None:
    async with running(tmp_path, count=2) as its:
        seen: list[int] = []
        while len(set(seen)) < 2:  # the second is ready a little later
            seen.append(await its.process_id())
        four = [await its.process_id() for _ in range(4)]
        assert four[0] != four[1]
        assert four[:2] == four[2:]


async def test_after_a_first_death_requests_wait_for_the_next_child(tmp_path: Path) -> None:
    async with running(tmp_path) as its:
        first = await its.process_id()
        os.kill(first, signal.SIGKILL)
        await its.made[0].ended.wait()
        assert await its.process_id() != first
        assert its.pool.standing_error is None


async def test_after_more_deaths_the_next_child_takes_its_time_on_the_clock(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(tmp_path) as its:
        for pause_s in (0, 0.5, 1):
            os.kill(await its.process_id(), signal.SIGKILL)
            await its.made[-1].ended.wait()
            if pause_s:
                assert await its.clock.sleeper() == pause_s
                waiting = asyncio.create_task(its.process_id())
                its.clock.advance(pause_s)
                assert await waiting == its.made[-1].process_id
        assert its.pool.standing_error is not None
        assert its.pool.standing_error.startswith("The worker process died 3 times, last: ")
        assert "On Azure the host would be recycled now" in its.pool.standing_error
        said = [record.getMessage() for record in caplog.records if record.name == "Worker.Python"]
        assert said[0] == f"{sys.executable} was ended by SIGKILL."
        assert said[1] == f"{sys.executable} was ended by SIGKILL. It is started again in 0.5 s."
        assert its.pool.standing_error in said
        await its.pool.reload()
        assert its.pool.standing_error is None


def test_pauses_grow_to_ten_seconds() -> None:
    deaths = Deaths(ManualClock(), 1)
    assert [deaths.another("x") for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 10, 10, 10]


def test_a_death_long_after_the_last_counts_as_the_first() -> None:
    clock = ManualClock()
    deaths = Deaths(clock, 1)
    deaths.another("x")
    deaths.another("x")
    clock.advance(31 * 60)
    assert deaths.another("x") == 0
    assert deaths.standing_error is None


def test_with_more_children_more_deaths_are_tolerated() -> None:
    deaths = Deaths(ManualClock(), 2)
    for _ in range(5):
        deaths.another("x")
    assert deaths.standing_error is None
    deaths.another("x")
    assert deaths.standing_error is not None


async def test_a_reload_brings_the_new_code_while_the_old_finishes_what_it_has(tmp_path: Path) -> None:
    async with running(tmp_path) as its:
        held = asyncio.create_task(its.call("hold"))
        old = await its.holding()
        its.write("2")
        app = await its.pool.reload()
        assert app.failure is None
        assert await its.version() == "2"
        assert await its.process_id() != old
        assert its.made[0].is_alive
        (tmp_path / "released").touch()
        assert await held == "released 1"
        await its.made[0].ended.wait()


async def test_a_broken_file_leaves_the_old_child_serving(tmp_path: Path) -> None:
    async with running(tmp_path) as its:
        before = await its.process_id()
        (tmp_path / "function_app.py").write_text("x = = 1\n", "utf-8")
        app = await its.pool.reload()
        assert app.failure is not None
        assert (app.failure.type_name, app.failure.caret) == ("SyntaxError", 5)
        assert await its.process_id() == before
        assert not its.made[1].is_alive
        its.write("2")
        assert (await its.pool.reload()).failure is None
        assert await its.version() == "2"


async def test_an_app_that_was_broken_from_the_start_is_served_once_it_is_mended(tmp_path: Path) -> None:
    async with running(tmp_path, source="import nothing_here\n") as its:
        assert its.app.failure is not None
        with pytest.raises(WorkerDied, match="The app is not loaded"):
            await its.pool.invoke(invocation(function(await sample(tmp_path / "other"), "pid"), {}))
        its.write("2")
        its.app = await its.pool.reload()
        assert await its.version() == "2"


async def sample(folder: Path) -> IndexedApp:
    """What the app looks like when it loads."""
    worker = ChildWorker(Path(sys.executable), write_app(folder, APP), os.environ, Lines())
    app = await worker.start()
    await worker.stop(0)
    return app


async def test_a_restart_that_fails_is_told_to_who_waits_until_a_reload_mends_it(tmp_path: Path) -> None:
    async with running(tmp_path) as its:
        (tmp_path / "function_app.py").write_text("import nothing_here\n", "utf-8")
        os.kill(await its.process_id(), signal.SIGKILL)
        await its.made[0].ended.wait()
        with pytest.raises(WorkerDied, match="The app cannot be started again: ModuleNotFoundError: No module named 'nothing_here'"):
            await its.process_id()
        its.write("2")
        await its.pool.reload()
        assert await its.version() == "2"


async def test_who_waits_for_a_child_that_died_is_served_by_the_code_that_is_loaded_meanwhile(tmp_path: Path) -> None:
    async with running(tmp_path) as its:
        for _ in range(2):
            os.kill(await its.process_id(), signal.SIGKILL)
            await its.made[-1].ended.wait()
        await its.clock.sleeper()
        waiting = asyncio.create_task(its.version())
        await asyncio.sleep(0)
        its.write("2")
        await its.pool.reload()
        assert await asyncio.wait_for(waiting, 20) == "2"


async def test_a_reload_uses_the_spare_and_prepares_another(tmp_path: Path) -> None:
    async with running(tmp_path, has_spare=True) as its:
        assert await its.clock.sleeper() == SPARE_AFTER_S
        its.clock.advance(SPARE_AFTER_S)
        spare = await its.spare(2)
        its.write("2")
        await its.pool.reload()
        assert await its.process_id() == spare.process_id
        assert await its.version() == "2"
        await its.clock.sleeper()
        its.clock.advance(SPARE_AFTER_S)
        await its.spare(3)


async def test_code_that_is_not_accepted_leaves_the_old_child_serving(tmp_path: Path) -> None:
    async with running(tmp_path) as its:
        before = await its.process_id()

        async def accepts(app: IndexedApp) -> bool:
            assert {one.name for one in app.functions} == {"hold", "pid"}
            assert await its.version() == "1", "the old code serves until the new one is accepted"
            return False

        its.write("2")
        assert (await its.pool.reload(accepts)).failure is None
        assert (await its.process_id(), await its.version()) == (before, "1")
        assert not its.made[1].is_alive


async def test_aborting_ends_the_child_that_runs_the_invocation_and_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    async with running(tmp_path, count=2) as its:
        seen: set[int] = set()
        while len(seen) < 2:
            seen.add(await its.process_id())
        one = invocation(function(its.app, "hold"), {"req": request()})
        held = asyncio.create_task(its.pool.invoke(one))
        process_id = await its.holding()
        held.cancel()  # as the invoker does when it is too late
        with pytest.raises(asyncio.CancelledError):
            await held
        await its.pool.abort(one.id)
        after = {await its.process_id() for _ in range(4)}
        assert process_id not in after
        assert seen - {process_id} <= after
        assert its.clock.next_wake() is None
        assert [record.getMessage() for record in caplog.records if record.name == "Worker.Python"] == []


async def test_what_an_aborted_child_ran_besides_fails(tmp_path: Path) -> None:
    async with running(tmp_path) as its:
        one = invocation(function(its.app, "hold"), {"req": request()})
        held = [asyncio.create_task(its.pool.invoke(one)), asyncio.create_task(its.call("hold"))]
        await its.holding()
        await its.pool.abort(one.id)
        with pytest.raises(WorkerDied, match="was ended, since an invocation ran for too long"):
            await held[1]
        with pytest.raises(WorkerDied):
            await held[0]


async def test_no_interpreter_is_the_operators_concern(tmp_path: Path) -> None:
    pool = WorkerPool(lambda: ChildWorker(tmp_path / "none", tmp_path, {}, Lines()), 2, ManualClock(), has_spare=True)
    with pytest.raises(OperatorError, match="cannot be started"):
        await pool.start()
    await pool.stop(0)


async def test_stopping_waits_for_generations_that_are_retiring(tmp_path: Path) -> None:
    async with running(tmp_path) as its:
        held = asyncio.create_task(its.call("hold"))
        await its.holding()
        its.write("2")
        await its.pool.reload()
        stopping = asyncio.create_task(its.pool.stop(30))
        await asyncio.sleep(0)
        (tmp_path / "released").touch()
        await stopping
        assert await held == "released 1"

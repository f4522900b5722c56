"""The worker in this process: what it borrows it gives back, and what is the host's stays the host's."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

import pytest

from linarite.errors import InternalError, WorkerDied
from linarite.invocation import Datum
from linarite.workers.in_process import InProcessWorker
from tests.workers.calls import APPS, TIMER, Lines, function, invocation, request, up, write_app


def world() -> tuple[object, ...]:
    """What an app could change of this process."""
    root = logging.getLogger()
    return (
        dict(os.environ),
        os.getcwd(),
        list(sys.path),
        sys.stdout,
        sys.stderr,
        root.level,
        list(root.handlers),
        "function_app" in sys.modules,
    )


async def test_the_process_is_as_it_was_when_the_worker_has_stopped(tmp_path: Path) -> None:
    before = world()
    source = """\
        import os, sys
        import azure.functions as func
        import helper
        app = func.FunctionApp()
        os.environ["LEFT"] = "behind"
        sys.path.append("/somewhere")
    """
    write_app(tmp_path, "", "helper.py")
    worker = InProcessWorker(write_app(tmp_path, source), {"SETTING": "1"}, Lines())
    async with up(worker) as app:
        assert app.failure is None
        assert (os.environ["SETTING"], Path.cwd(), "helper" in sys.modules) == ("1", tmp_path, True)
    assert world() == before
    assert "helper" not in sys.modules


async def test_the_next_app_is_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        source = f"import azure.functions as func\napp = func.FunctionApp()\n@app.route()\ndef {name}(req): ...\n"
        worker = InProcessWorker(write_app(tmp_path / name, source), {}, Lines())
        async with up(worker) as app:
            assert [found.name for found in app.functions] == [name]


async def test_two_at_once_are_refused() -> None:
    worker, other = (InProcessWorker(APPS / "worker", {}, Lines()) for _ in range(2))
    async with up(worker):
        with pytest.raises(InternalError, match="A worker is up in this process already"):
            await other.start()
        await other.stop(0)


class Recording(logging.Handler):
    """Stands for the host's own handler."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


async def test_records_and_prints_of_the_host_and_of_the_app_go_their_own_ways(capsys: pytest.CaptureFixture[str]) -> None:
    host, lines = Recording(), Lines()
    logging.getLogger().addHandler(host)
    worker = InProcessWorker(APPS / "worker", {}, lines)
    try:
        app = await worker.start()
        logging.getLogger("linarite.something").warning("the host's")
        sys.stdout.write("the host's print\n")
        await worker.invoke(invocation(function(app, "logs"), {"timer": TIMER}))
    finally:
        await worker.stop(0)
        logging.getLogger().removeHandler(host)
    assert host.said == ["the host's"]
    messages = [line.message.splitlines()[0] for line in lines.all]
    assert messages == ["one 1", "two", "printed line", "error on stderr", "three", "from a thread", "unfinished"]
    assert capsys.readouterr().out == "the host's print\n"


async def test_sys_exit_fails_what_is_in_flight_and_the_process_goes_on() -> None:
    lines = Lines()
    worker = InProcessWorker(APPS / "worker", {}, lines)
    async with up(worker) as app:
        held = asyncio.create_task(worker.invoke(invocation(function(app, "hold"), {"req": request()})))
        await lines.until("holding")
        with pytest.raises(WorkerDied, match=r"The app exited with code 7 \(0x7\)"):
            await worker.invoke(invocation(function(app, "leave"), {"req": request(code="7")}))
        with pytest.raises(WorkerDied):
            await held
        assert (await worker.invoke(invocation(function(app, "text"), {"req": request()}))).return_value == Datum("string", "text")


async def test_aborting_gives_up_on_what_cannot_be_ended() -> None:
    lines = Lines()
    worker = InProcessWorker(APPS / "worker", {}, lines)
    async with up(worker) as app:
        one = invocation(function(app, "hold"), {"req": request()})
        held = asyncio.create_task(worker.invoke(one))
        await lines.until("holding")
        await worker.abort(one.id)
        with pytest.raises(WorkerDied, match="since an invocation ran for too long"):
            await held


async def test_stopping_does_not_wait_for_code_that_goes_on() -> None:
    lines = Lines()
    worker = InProcessWorker(APPS / "worker", {}, lines)
    app = await worker.start()
    held = asyncio.create_task(worker.invoke(invocation(function(app, "hold"), {"req": request()})))
    await lines.until("holding")
    await worker.stop(0)
    with pytest.raises(WorkerDied, match="The worker was stopped"):
        await held

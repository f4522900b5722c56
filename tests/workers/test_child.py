"""A worker that is a process: how it starts, what it sees, how it ends."""

from __future__ import annotations

import ast
import asyncio
import os
import signal
import socket
import sys
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from linarite.errors import OperatorError, WorkerDied
from linarite.invocation import Datum
from linarite.workers.child import ChildWorker
from linarite.workers.process import Channel
from linarite.workers.protocol import IndexedApp, LogLine
from tests.workers.calls import APPS, Lines, function, invocation, request, write_app

PYTHON = Path(sys.executable)


@asynccontextmanager
async def running(
    folder: Path = APPS / "worker", lines: Lines | None = None, **environment: str
) -> AsyncIterator[tuple[ChildWorker, IndexedApp]]:
    worker = ChildWorker(PYTHON, folder, {**os.environ, **environment}, lines or Lines())
    try:
        yield worker, await worker.start()
    finally:
        await worker.stop(0)


async def call(worker: ChildWorker, app: IndexedApp, name: str, req: Datum | None = None) -> Datum | None:
    return (await worker.invoke(invocation(function(app, name), {"req": req or request()}))).return_value


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def test_nothing_of_the_hosts_is_on_the_apps_path(tmp_path: Path) -> None:
    folder = write_app(tmp_path / "app", "import sys\nraise Exception(repr([sys.path, 'linarite' in sys.modules]))\n")
    packages = sysconfig.get_path("purelib")  # by PYTHONPATH, since the tests' own environment has an editable linarite
    worker = ChildWorker(script(tmp_path, f'exec {PYTHON} -S "$@"'), folder, {"PYTHONPATH": packages}, Lines())
    app = await worker.start()
    await worker.stop(0)
    assert app.failure is not None
    path, host_is_imported = ast.literal_eval(app.failure.message)
    assert path[:2] == [str(folder), packages]
    assert not host_is_imported
    assert not [entry for entry in path if Path(entry).joinpath("linarite_worker").exists()]


async def test_a_killed_child_fails_what_it_ran_and_what_comes_later() -> None:
    lines = Lines()
    async with running(lines=lines) as (worker, app):
        held = asyncio.create_task(call(worker, app, "hold"))
        await lines.until("holding")
        os.kill(worker.process_id, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="was ended by SIGKILL"):
            await held
        await worker.ended.wait()
        with pytest.raises(WorkerDied, match="SIGKILL"):
            await call(worker, app, "text")
        assert not is_running(worker.process_id)


@pytest.mark.parametrize(("code", "text"), [("7", r"exited with code 7 \(0x7\)"), ("0", r"exited with code 0 \(0x0\)")])
async def test_sys_exit_in_a_function_ends_the_child_with_its_code(code: str, text: str) -> None:
    async with running() as (worker, app):
        with pytest.raises(WorkerDied, match=text):
            await call(worker, app, "leave", request(code=code))


async def test_a_child_that_dies_while_it_loads_is_the_apps_failure(tmp_path: Path) -> None:
    async with running(write_app(tmp_path, "import os\nos._exit(3)\n")) as (_, app):
        assert app.failure is not None
        assert app.failure.message.endswith("exited with code 3 (0x3). It was loading the app.")


async def test_raw_output_is_read_too() -> None:
    lines = Lines()
    async with running(lines=lines) as (worker, app):
        await call(worker, app, "raw")
        assert await lines.until("raw output") == LogLine(
            invocation_id="", level="Information", logger="", message="raw output", origin="console"
        )
        assert (await lines.until("a raw failure")).level == "Error"


async def test_what_a_dying_child_says_is_not_lost() -> None:
    lines = Lines()
    async with running(lines=lines, PYTHONFAULTHANDLER="1") as (worker, app):
        held = asyncio.create_task(call(worker, app, "hold"))
        await lines.until("holding")
        os.kill(worker.process_id, signal.SIGSEGV)
        with pytest.raises(WorkerDied, match="SIGSEGV"):
            await held
    assert "Fatal Python error: Segmentation fault" in [line.message for line in lines.all]


async def test_stopping_waits_for_what_is_in_flight() -> None:
    lines = Lines()
    async with running(lines=lines) as (worker, app):
        held = asyncio.create_task(call(worker, app, "hold"))
        await lines.until("holding")
        stopping = asyncio.create_task(worker.stop(30))
        assert await call(worker, app, "release") == Datum("string", "ok")
        assert await held == Datum("string", "released")
        await stopping
        assert not is_running(worker.process_id)


async def test_stopping_without_grace_fails_what_is_in_flight() -> None:
    lines = Lines()
    async with running(lines=lines) as (worker, app):
        held = asyncio.create_task(call(worker, app, "hold"))
        await lines.until("holding")
        await worker.stop(0)
        with pytest.raises(WorkerDied):
            await held


async def test_a_child_whose_host_is_gone_ends_itself_though_its_loop_is_blocked(tmp_path: Path) -> None:
    source = """\
        import time
        import azure.functions as func
        app = func.FunctionApp()
        @app.route()
        async def block(req: func.HttpRequest) -> str:
            print("blocked")
            time.sleep(600)
    """
    host = """\
        import asyncio, os, sys
        from pathlib import Path
        from linarite.workers.child import ChildWorker
        from tests.workers.calls import Lines, function, invocation, request
        async def main():
            lines = Lines()
            worker = ChildWorker(Path(sys.executable), Path(sys.argv[1]), os.environ, lines)
            app = await worker.start()
            asyncio.create_task(worker.invoke(invocation(function(app, "block"), {"req": request()})))
            await lines.until("blocked")
            print(worker.process_id, flush=True)
            os.kill(os.getpid(), 9)
        asyncio.run(main())
    """
    folder = write_app(tmp_path / "app", source)
    script = write_app(tmp_path, host, "host.py") / "host.py"
    root = Path(__file__).parent.parent.parent
    process = await asyncio.create_subprocess_exec(
        *(str(PYTHON), str(script), str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'host'}"},
    )
    assert process.stdout is not None
    child = int(await process.stdout.readline())
    await process.wait()
    while is_running(child):  # noqa: ASYNC110  # it is nobody's child any more: nothing says when it ends
        await asyncio.sleep(0.01)


async def test_a_missing_interpreter_is_told(tmp_path: Path) -> None:
    worker = ChildWorker(tmp_path / "python", APPS / "worker", {}, Lines())
    with pytest.raises(OperatorError, match="python cannot be started: No such file or directory"):
        await worker.start()


def script(folder: Path, text: str) -> Path:
    """A program that stands for an interpreter."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)
    return path


async def test_an_interpreter_that_is_too_old_is_told(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; sys.version_info = (3, 8); sys.version = '3.8.1 (x)'; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    python = script(tmp_path, f'exec {PYTHON} -c "{code}" "$@"')
    worker = ChildWorker(python, APPS / "worker", os.environ, Lines())
    with pytest.raises(OperatorError, match=r"is Python 3\.8\.1; 3\.10 or later is needed"):
        await worker.start()
    await worker.stop(0)


async def test_an_interpreter_without_the_sdk_is_told(tmp_path: Path) -> None:
    lines = Lines()
    worker = ChildWorker(script(tmp_path, f'exec {PYTHON} -S "$@"'), APPS / "worker", {}, lines)
    with pytest.raises(OperatorError, match=r"has no azure-functions .* -m pip install -r requirements\.txt"):
        await worker.start()
    await worker.stop(0)
    assert lines.all == []


async def test_a_program_that_is_no_python_is_told(tmp_path: Path) -> None:
    worker = ChildWorker(script(tmp_path, "echo this is no Python >&2; exit 5"), APPS / "worker", os.environ, Lines())
    with pytest.raises(OperatorError, match=r"exited with code 5 \(0x5\) before it loaded anything\. It said: this is no Python"):
        await worker.start()
    await worker.stop(0)


async def test_threads_are_as_many_as_the_app_asks_for(tmp_path: Path) -> None:
    source = """\
        import threading
        import azure.functions as func
        app = func.FunctionApp()
        @app.route()
        def name(req: func.HttpRequest) -> str:
            return f"thread {threading.current_thread().name}"
    """
    async with running(write_app(tmp_path, source), PYTHON_THREADPOOL_THREAD_COUNT="2") as (worker, app):
        names = await asyncio.gather(*(call(worker, app, "name") for _ in range(50)))
    assert len({datum.value for datum in names if datum}) <= 2


async def test_a_thread_count_that_is_none_is_told() -> None:
    lines = Lines()
    async with running(lines=lines, PYTHON_THREADPOOL_THREAD_COUNT="many"):
        assert (await lines.until("PYTHON_THREADPOOL_THREAD_COUNT is 'many', not a number; 1000 threads are used")).level == "Warning"


async def test_a_child_over_tcp_is_known_by_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Channel] = []
    over_tcp = Channel.over_tcp

    def open_and_intrude() -> Channel:
        opened.append(over_tcp())
        intruders.append(socket.create_connection(opened[0].ours.getsockname()))
        intruders[0].sendall(b"0" * len(opened[0].token))
        return opened[0]

    intruders: list[socket.socket] = []
    monkeypatch.setattr(Channel, "open", open_and_intrude)
    async with running() as (worker, app):
        assert await call(worker, app, "text") == Datum("string", "text")
        assert await asyncio.to_thread(intruders[0].recv, 1) == b""
        intruders[0].close()
        assert opened[0].ours.fileno() == -1  # nobody else can call any more


async def test_a_child_over_tcp_that_never_calls_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Channel, "open", Channel.over_tcp)
    worker = ChildWorker(script(tmp_path, "exit 5"), APPS / "worker", os.environ, Lines())
    with pytest.raises(OperatorError, match="exited with code 5"):
        await worker.start()
    await worker.stop(0)

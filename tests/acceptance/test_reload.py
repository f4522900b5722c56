"""Saved files under a running host: what is asked meanwhile is answered, what runs goes on, and a mistake changes nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import Storage
from tests.acceptance.gate import WAIT_AT_THE_GATE, Gate
from tests.host_process import PATIENCE_S, HostProcess, client, fetch, finished
from tests.processes import descendants, gone

DURABLE = "/runtime/webhooks/durabletask"

TEMPLATE = f"""
import os

import azure.durable_functions as df
import azure.functions as func

VERSION = "one"
app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

{WAIT_AT_THE_GATE}

@app.route(route="version")
def version(req: func.HttpRequest) -> str:
    return VERSION


@app.route(route="setting")
async def setting(req: func.HttpRequest) -> str:
    return os.environ.get("COLOUR", "none")


@app.route(route="slow")
def slow(req: func.HttpRequest) -> str:
    return VERSION + wait_at_the_gate("slow")


@app.timer_trigger(arg_name="timer", schedule="* * * * * *", use_monitor=False)
def tick(timer: func.TimerRequest) -> None:
    print(f"tick of {{VERSION}}")


@app.orchestration_trigger(context_name="context")
def long(context):
    begun = yield context.call_activity("which", None)
    yield context.wait_for_external_event("Go")
    over = yield context.call_activity("which", None)
    return [begun, over, VERSION]


@app.orchestration_trigger(context_name="context")
def gated(context):
    over = yield context.call_activity("wait", None)
    return [over, VERSION]


@app.activity_trigger(input_name="nothing")
def which(nothing: None) -> str:
    return VERSION


@app.activity_trigger(input_name="nothing")
def wait(nothing: None) -> str:
    return VERSION + wait_at_the_gate("activity")
"""
RELOADED = r"Reloaded: \d+ functions? loaded"


def code(version: str = "one") -> str:
    return TEMPLATE.replace('VERSION = "one"', f'VERSION = "{version}"')


@pytest.fixture
def folder(app_folder: Path) -> Path:
    (app_folder / "function_app.py").write_text(code(), "utf-8")
    return app_folder


async def save(host: HostProcess, path: Path, content: str, says: str = RELOADED) -> None:
    """Save a file, and wait for what the host says of it."""
    since = len(host.lines)
    path.write_text(content, "utf-8")
    await host.said(says, since)


async def test_requests_that_run_while_code_is_exchanged_are_all_answered(folder: Path, gate: Gate) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host, client(host) as session:
        answers: list[tuple[int, str]] = []
        is_over = asyncio.Event()

        async def keep_asking() -> None:
            while not is_over.is_set():
                answers.append(await fetch(session, "/api/version"))

        askers = [asyncio.ensure_future(keep_asking()) for _ in range(8)]
        versions = ["one", *(f"version{number}" for number in range(5))]
        for version in versions[1:]:
            await save(host, folder / "function_app.py", code(version))
            assert await fetch(session, "/api/version") == (200, version)
        is_over.set()
        await asyncio.gather(*askers)
        assert {status for status, _ in answers} == {200}
        assert {text for _, text in answers} <= set(versions)


async def test_a_request_that_began_on_old_code_ends_on_it_and_the_old_process_with_it(folder: Path, gate: Gate) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host, client(host) as session:
        old = descendants(host.pid)
        request = asyncio.ensure_future(fetch(session, "/api/slow"))
        caller = await gate.visitor("slow")
        await save(host, folder / "function_app.py", code("two"))
        assert await fetch(session, "/api/version") == (200, "two")
        caller.let_through(" at last")
        assert await request == (200, "one at last")
        worker = min(old)
        await asyncio.wait_for(gone(worker), PATIENCE_S)


@pytest.mark.parametrize(
    ("broken", "place", "line", "has_caret"),
    [
        ("import nowhere_at_all\n", "function_app.py:1", "import nowhere_at_all", False),
        ('x = {"a": 1\ny = 2\n', "function_app.py:1", 'x = {"a": 1', True),
        ("def f():\n    return 1 +\n", "function_app.py:2", "return 1 +", True),
        ("import os\n\nvalue = os.environ['NOT_SET']\n", "function_app.py:3", "value = os.environ['NOT_SET']", False),
    ],
)
async def test_code_that_does_not_load_is_shown_with_its_line_and_the_old_code_serves(
    folder: Path, broken: str, place: str, line: str, has_caret: bool
) -> None:
    async with HostProcess(folder, "--storage", "embedded") as host, client(host) as session:
        since = len(host.lines)
        await save(host, folder / "function_app.py", broken, "The code that was saved before goes on serving")
        said = host.lines[since:]
        assert any(place in one for one in said), said
        shown = next(number for number, one in enumerate(said) if one.rstrip().endswith(line))
        assert ("^" in said[shown + 1]) is has_caret, said
        assert await fetch(session, "/api/version") == (200, "one")
        await save(host, folder / "function_app.py", code("two"))
        assert await fetch(session, "/api/version") == (200, "two")
        assert "linarite/" not in host.output.replace(str(folder), "")  # no frame of ours


async def test_code_that_loads_and_cannot_be_served_changes_nothing(folder: Path) -> None:
    async with HostProcess(folder, "--storage", "embedded") as host, client(host) as session:
        unroutable = code("two").replace('route="setting"', 'route="/setting"')
        await save(host, folder / "function_app.py", unroutable, "The code that was saved before goes on serving")
        assert await fetch(session, "/api/version") == (200, "one")
        assert await fetch(session, "/api/setting") == (200, "none")
        await save(host, folder / "function_app.py", code("two"))
        assert await fetch(session, "/api/version") == (200, "two")


async def test_a_deleted_function_s_route_is_404_and_a_new_one_s_is_there(folder: Path) -> None:
    async with HostProcess(folder, "--storage", "embedded") as host, client(host) as session:
        assert (await fetch(session, "/api/version"))[0] == 200
        renamed = code().replace('route="version"', 'route="edition"').replace("def version", "def edition")
        await save(host, folder / "function_app.py", renamed, r"Reloaded: .*new: edition; gone: version")
        assert (await fetch(session, "/api/version"))[0] == 404
        assert await fetch(session, "/api/edition") == (200, "one")


async def test_a_function_that_comes_and_goes_is_there_or_404_and_nothing_between(folder: Path) -> None:
    without = code("two").replace('@app.route(route="version")\n', "")
    async with HostProcess(folder, "--storage", "embedded") as host, client(host) as session:
        answers: set[tuple[int, str]] = set()
        is_over = asyncio.Event()

        async def keep_asking() -> None:
            while not is_over.is_set():
                answers.add(await fetch(session, "/api/version"))

        askers = [asyncio.ensure_future(keep_asking()) for _ in range(8)]
        for _ in range(3):
            await save(host, folder / "function_app.py", without)
            assert await fetch(session, "/api/version") == (404, "")
            await save(host, folder / "function_app.py", code())
            assert await fetch(session, "/api/version") == (200, "one")
        is_over.set()
        await asyncio.gather(*askers)
        assert answers <= {(200, "one"), (404, "")}


async def test_host_json_and_local_settings_take_effect(folder: Path, gate: Gate) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host, client(host) as session:
        assert await fetch(session, "/api/setting") == (200, "none")
        await save(host, folder / "local.settings.json", json.dumps({"IsEncrypted": False, "Values": {"COLOUR": "blue"}}))
        assert await fetch(session, "/api/setting") == (200, "blue")
        request = asyncio.ensure_future(fetch(session, "/api/slow"))
        caller = await gate.visitor("slow")
        since = len(host.lines)
        prefixed = {"version": "2.0", "extensions": {"http": {"routePrefix": "shop"}}}
        (folder / "host.json").write_text(json.dumps(prefixed), "utf-8")
        held = asyncio.ensure_future(fetch(session, "/shop/setting"))
        caller.let_through()
        assert await request == (200, "onethrough")
        await host.said(RELOADED, since)
        assert (await held)[0] in (200, 404)  # asked before or after the change was noticed
        assert await fetch(session, "/shop/setting") == (200, "blue")
        assert (await fetch(session, "/api/setting"))[0] == 404


async def test_a_timer_goes_on_with_the_new_code(folder: Path) -> None:
    async with HostProcess(folder, "--storage", "embedded") as host:
        await host.said("tick of one")
        await save(host, folder / "function_app.py", code("two"))
        since = len(host.lines)
        await host.said("tick of two", since)
        await host.said("tick of two", len(host.lines))
        assert not any("tick of one" in line for line in host.lines[since:])


@pytest.mark.parametrize("name", ["function_app.py", "local.settings.json"])
async def test_an_orchestration_goes_on_with_the_new_code(storage: Storage, folder: Path, name: str) -> None:
    flags, environment = storage
    async with HostProcess(folder, *flags, environment=environment) as host, client(host) as session:
        async with session.post(f"{DURABLE}/orchestrators/long/running") as answer:
            assert answer.status == 202
        await host.said("Executed 'Functions.which' .Succeeded")
        if name == "function_app.py":
            await save(host, folder / name, code("two"))
        else:
            await save(host, folder / name, '{"IsEncrypted": false, "Values": {"COLOUR": "blue"}}')
        async with session.post(f"{DURABLE}/instances/running/raiseEvent/Go", json=1) as answer:
            assert answer.status == 202
        now = "two" if name == "function_app.py" else "one"
        status = await finished(session, f"{DURABLE}/instances/running")
        assert (status["runtimeStatus"], status["output"]) == ("Completed", ["one", now, now])


async def test_an_activity_that_runs_across_a_reload_counts(storage: Storage, folder: Path, gate: Gate) -> None:
    flags, environment = storage
    async with HostProcess(folder, *flags, environment=environment | gate.environment) as host, client(host) as session:
        async with session.post(f"{DURABLE}/orchestrators/gated/running") as answer:
            assert answer.status == 202
        caller = await gate.visitor("activity")
        await save(host, folder / "function_app.py", code("two"))
        caller.let_through(" and done")
        status = await finished(session, f"{DURABLE}/instances/running")
        assert (status["runtimeStatus"], status["output"]) == ("Completed", ["one and done", "two"])
        assert gate.is_deserted


async def test_a_burst_of_saves_is_loaded_a_few_times_at_most_and_the_last_one_wins(folder: Path) -> None:
    async with HostProcess(folder, "--storage", "embedded") as host, client(host) as session:
        since = len(host.lines)
        for number in range(100):
            (folder / f"module{number}.py").write_text(f"VALUE = {number}\n", "utf-8")
            (folder / "function_app.py").write_text(code(f"draft{number}"), "utf-8")
        await host.said(RELOADED, since)
        while await fetch(session, "/api/version") != (200, "draft99"):
            since += 1
            await host.said(RELOADED, since)
        assert sum("Reloaded:" in line for line in host.lines) <= 3


async def test_files_that_editors_move_into_place_and_new_folders_are_noticed(folder: Path) -> None:
    async with HostProcess(folder, "--storage", "embedded") as host, client(host) as session:
        draft = folder / "function_app.py.tmp"
        draft.write_text(code("moved"), "utf-8")
        since = len(host.lines)
        draft.replace(folder / "function_app.py")
        await host.said(RELOADED, since)
        assert await fetch(session, "/api/version") == (200, "moved")
        package = folder / "shop"
        package.mkdir()
        (package / "__init__.py").write_text('VERSION = "of a package"\n', "utf-8")
        await save(host, folder / "function_app.py", code().replace('VERSION = "one"', "from shop import VERSION"))
        assert await fetch(session, "/api/version") == (200, "of a package")
        await save(host, package / "__init__.py", 'VERSION = "changed"\n')
        assert await fetch(session, "/api/version") == (200, "changed")


async def test_code_that_never_ends_loading_is_given_up_when_the_next_is_saved(folder: Path, gate: Gate) -> None:
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment) as host, client(host) as session:
        (folder / "function_app.py").write_text(f"{code('stuck')}\nwait_at_the_gate('import')\n", "utf-8")
        await gate.visitor("import")
        assert await fetch(session, "/api/version") == (200, "one")
        await save(host, folder / "function_app.py", code("two"))
        assert await fetch(session, "/api/version") == (200, "two")


async def test_what_is_saved_while_the_host_starts_is_not_missed(folder: Path, gate: Gate) -> None:
    (folder / "function_app.py").write_text(f"{code()}\nwait_at_the_gate('import')\n", "utf-8")
    async with HostProcess(folder, "--storage", "embedded", environment=gate.environment, listens=False) as host:
        loading = await gate.visitor("import")
        (folder / "function_app.py").write_text(code("two"), "utf-8")
        loading.let_through()
        await host.said(RELOADED)
        await host.said("tick of two", len(host.lines))

"""What the end-to-end tests of the Functions host, its worker and Core Tools assert of an app, asserted of a host as a user runs it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.host_process import HostProcess, client, fetch

APP = """
import asyncio
import json
import logging
import os
import threading
import typing

import azure.functions as func

from jobs.reports import reports

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(reports)
forgotten = func.Blueprint()
meeting = threading.Barrier(2)


@forgotten.route(route="forgotten")
def unregistered(req: func.HttpRequest) -> str:
    return "never"


@app.route(route="context")
def return_context(req: func.HttpRequest, context: func.Context) -> str:
    trace = context.trace_context
    return json.dumps(
        {
            "method": req.method,
            "ctx_func_name": context.function_name,
            "ctx_func_dir": context.function_directory,
            "ctx_invocation_id": context.invocation_id,
            "trace": [trace.Traceparent, trace.Tracestate],
        }
    )


@app.route(route="user_event_loop")
def user_event_loop(req: func.HttpRequest) -> str:
    async def logs():
        logging.info("logged on a loop of its own")

    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(logs())
    loop.close()
    return "OK-user-event-loop"


@app.route(route="logs")
async def logs(req: func.HttpRequest, context: func.Context) -> str:
    async def child():
        logging.warning("logged by a task")

    def thread():
        context.thread_local_storage.invocation_id = context.invocation_id
        logging.getLogger("mine").error("logged by a thread")

    await asyncio.create_task(child())
    await asyncio.to_thread(thread)
    logging.debug("not to be seen")
    print("printed")
    return context.invocation_id


@app.route(route="meet")
def meet(req: func.HttpRequest) -> str:
    meeting.wait(60)
    return "met"


@app.route(route="meet_processes")
async def meet_processes(req: func.HttpRequest) -> str:
    open(f"here-{os.getpid()}", "w").close()
    while len([name for name in os.listdir() if name.startswith("here-")]) < 2:
        pass  # blocks this worker: only another one can make the second file
    return str(os.getpid())


@app.route(route="divide")
def divide(req: func.HttpRequest) -> str:
    return str(1 / 0)


@app.route(route="lazy")
def lazy(req: func.HttpRequest) -> str:
    import no_such_module

    return "never"


@app.route(route="tried")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
def tried(req: func.HttpRequest, context: func.Context) -> str:
    retry = context.retry_context
    logging.info("Current retry count: %s of %s", retry.retry_count, retry.max_retry_count)
    if retry.retry_count == retry.max_retry_count:
        return "at last"
    raise ValueError("not yet")


@app.warm_up_trigger(arg_name="warmup")
def warm(warmup) -> None:
    logging.info("warmed up")


@app.generic_trigger(arg_name="event", type="myOwnTrigger")
def generic(event: str) -> None:
    logging.info("generic: %s", event)


@app.event_hub_message_trigger(arg_name="events", event_hub_name="hub", connection="Hub", cardinality="many")
def hub(events: typing.List[func.EventHubEvent]) -> None:
    logging.info("hub: %s", [event.get_body().decode() for event in events])


@app.cosmos_db_trigger(arg_name="documents", connection="Cosmos", database_name="d", container_name="c")
def cosmos(documents: func.DocumentList) -> None:
    logging.info("cosmos: %s", documents[0]["id"])


@app.sql_trigger(arg_name="changes", table_name="t", connection_string_setting="Sql")
def sql(changes: str) -> None:
    logging.info("sql: %s", changes)


@app.kafka_trigger(arg_name="record", topic="t", broker_list="b")
def kafka(record: func.KafkaEvent) -> None:
    logging.info("kafka: %s", record.get_body().decode())


@app.service_bus_topic_trigger(arg_name="message", topic_name="t", subscription_name="s", connection="Bus")
def bus(message: func.ServiceBusMessage) -> None:
    logging.info("bus: %s", message.get_body().decode())
"""
BLUEPRINT = """
import azure.functions as func

reports = func.Blueprint()


@reports.route(route="reports/{year:int}")
def yearly(req: func.HttpRequest) -> str:
    return "of " + req.route_params["year"]
"""


@pytest.fixture
def folder(app_folder: Path) -> Path:
    (app_folder / "jobs").mkdir()
    (app_folder / "jobs" / "reports.py").write_text(BLUEPRINT, "utf-8")
    (app_folder / "function_app.py").write_text(APP, "utf-8")
    return app_folder


@pytest.fixture
async def host(folder: Path) -> AsyncIterator[HostProcess]:
    async with HostProcess(folder, "--no-reload") as running:
        yield running


@pytest.fixture
async def session(host: HostProcess) -> AsyncIterator[aiohttp.ClientSession]:
    async with client(host) as session:
        yield session


async def test_a_blueprint_of_another_folder_is_served_and_one_that_is_not_registered_is_not(session: aiohttp.ClientSession) -> None:
    assert await fetch(session, "/api/reports/2026") == (200, "of 2026")
    assert await fetch(session, "/api/reports/x") == (404, "")
    assert await fetch(session, "/api/forgotten") == (404, "")


async def test_the_context_says_who_runs_and_where(folder: Path, session: aiohttp.ClientSession) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with session.get("/api/context", headers={"traceparent": trace, "tracestate": "a=b"}) as answer:
        context = await answer.json(content_type="text/plain")
    assert (context["method"], context["ctx_func_name"], context["ctx_func_dir"]) == ("GET", "return_context", str(folder))
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", context["ctx_invocation_id"])
    parent, state = context["trace"]
    assert re.fullmatch(r"00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01", parent)
    assert parent != trace
    assert state == "a=b"


async def test_a_function_may_run_an_event_loop_of_its_own(host: HostProcess, session: aiohttp.ClientSession) -> None:
    assert await fetch(session, "/api/user_event_loop") == (200, "OK-user-event-loop")
    await host.said("logged on a loop of its own")


async def test_what_tasks_and_threads_log_stands_between_the_lines_of_the_invocation(
    host: HostProcess, session: aiohttp.ClientSession
) -> None:
    _, invocation_id = await fetch(session, "/api/logs")
    await host.said(rf"Executed 'Functions\.logs' \(Succeeded, Id={invocation_id}")
    texts = [line.partition("] ")[2] for line in host.lines]
    begin = next(number for number, text in enumerate(texts) if text.startswith("Executing 'Functions.logs'"))
    assert texts[begin + 1 : begin + 4] == ["logged by a task", "logged by a thread", "printed"]
    assert "not to be seen" not in host.output


async def test_functions_that_are_not_async_run_at_the_same_time(session: aiohttp.ClientSession) -> None:
    one, other = await asyncio.gather(fetch(session, "/api/meet"), fetch(session, "/api/meet"))
    assert one == other == (200, "met")


@pytest.mark.parametrize(
    ("route", "exception"),
    [("divide", "ZeroDivisionError: division by zero"), ("lazy", "ModuleNotFoundError: No module named 'no_such_module'")],
)
async def test_what_a_function_raises_is_500_and_told(
    host: HostProcess, session: aiohttp.ClientSession, route: str, exception: str
) -> None:
    assert await fetch(session, f"/api/{route}") == (500, "")
    await host.said(f"Exception: {exception}")
    await host.said(f"in {route}")


async def test_retries_are_told_to_the_function_and_hold_for_http(host: HostProcess, session: aiohttp.ClientSession) -> None:
    await host.said("Soon retries will not be supported for function 'Functions.tried'")
    assert await fetch(session, "/api/tried") == (200, "at last")
    await host.said("Current retry count: 2 of 2")
    assert re.findall(r"Current retry count: (\d of 2)", host.output) == ["0 of 2", "1 of 2", "2 of 2"]


async def test_a_warm_up_is_called_by_its_route(host: HostProcess, session: aiohttp.ClientSession) -> None:
    assert (await fetch(session, "/admin/warmup"))[0] == 200
    await host.said("warmed up")


@pytest.mark.parametrize(
    ("function", "given", "said"),
    [
        ("generic", "a text", "generic: a text"),
        ("hub", '["one", "two"]', r"hub: \['one', 'two'\]"),
        ("cosmos", '[{"id": "7"}]', "cosmos: 7"),
        ("sql", '[{"Operation": 0, "Item": {"id": 1}}]', "sql: .*Operation"),
        ("kafka", "a record", "kafka: a record"),
        ("bus", "a message", "bus: a message"),
    ],
)
async def test_what_nothing_starts_here_is_named_and_fired_by_hand(
    host: HostProcess, session: aiohttp.ClientSession, function: str, given: str, said: str
) -> None:
    await host.said(f"Function '{function}' is not started. .* POST /admin/functions/{function} ")
    async with session.post(f"/admin/functions/{function}", json={"input": given}) as answer:
        assert answer.status == 202
    await host.said(said)


async def test_only_the_functions_that_are_named_are_loaded(folder: Path) -> None:
    async with HostProcess(folder, "--no-reload", "--functions", "yearly", "divide") as host, client(host) as session:
        assert await fetch(session, "/api/reports/1") == (200, "of 1")
        assert await fetch(session, "/api/context") == (404, "")
        assert re.findall(r"^\t(\w+):", host.output, re.MULTILINE) == ["divide", "yearly"]


async def test_worker_processes_share_the_work(folder: Path) -> None:
    environment = {"FUNCTIONS_WORKER_PROCESS_COUNT": "2"}
    async with HostProcess(folder, "--no-reload", environment=environment) as host, client(host) as session:
        one, other = await asyncio.gather(fetch(session, "/api/meet_processes"), fetch(session, "/api/meet_processes"))
        assert (one[0], other[0]) == (200, 200)
        assert one[1] != other[1]


async def test_an_app_may_have_another_main_file(folder: Path) -> None:
    (folder / "function_app.py").rename(folder / "main.py")
    async with HostProcess(folder, "--no-reload", environment={"PYTHON_SCRIPT_FILE_NAME": "main.py"}) as host, client(host) as session:
        assert await fetch(session, "/api/reports/3") == (200, "of 3")


async def test_host_json_can_silence_functions(folder: Path) -> None:
    (folder / "host.json").write_text('{"version": "2.0", "logging": {"logLevel": {"default": "None"}}}', "utf-8")
    async with HostProcess(folder, "--no-reload") as host, client(host) as session:
        assert (await fetch(session, "/api/logs"))[0] == 200
        assert (await fetch(session, "/api/divide"))[0] == 500
    assert "Execut" not in host.output
    assert "logged by a task" not in host.output

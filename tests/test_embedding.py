# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Apps run inside this process: what can be done with them, and that they leave the process and each other alone."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from textwrap import dedent
from typing import Any
from unittest.mock import Mock

import azure.durable_functions as df
import azure.functions as func
import pytest

from linarite import AsyncEmbeddedHost, EmbeddedHost, ManualClock
from linarite.azurite import Ports
from linarite.embedding.core import AppNotLoaded, NoSuchFunction, NotSupported
from linarite.embedding.durable import DurableRequestRefused
from linarite.embedding.http import RequestFailed
from linarite.errors import LinariteError, OperatorError, UserCodeFailed

T0 = datetime(2026, 1, 1, tzinfo=timezone.utc)


def durable_app() -> Any:
    """An app object with a bit of everything."""
    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="echo/{name}", methods=["POST"])
    def echo(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse(f"{req.route_params['name']} {req.params.get('q')} {req.get_json()}", headers={"x-seen": req.url})

    @app.route(route="flaky")
    @app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:10")
    def flaky(req: func.HttpRequest, context: func.Context) -> str:
        if context.retry_context.retry_count < 2:
            raise ValueError("not yet")
        return "at last"

    @app.route(route="start/{name}", methods=["POST"])
    @app.durable_client_input(client_name="client")
    async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
        return client.create_check_status_response(req, await client.start_new(req.route_params["name"], client_input=req.get_json()))

    @app.orchestration_trigger(context_name="context")
    def shouting(context: df.DurableOrchestrationContext) -> Any:
        return (yield context.call_activity("shout", context.get_input()))

    @app.orchestration_trigger(context_name="context")
    def asking(context: df.DurableOrchestrationContext) -> Any:
        deadline = context.create_timer(context.current_utc_datetime + timedelta(days=3))
        answer = context.wait_for_external_event("Answer")
        winner = yield context.task_any([answer, deadline])
        if winner is deadline:
            return "nobody answered"
        deadline.cancel()
        return answer.result

    @app.orchestration_trigger(context_name="context")
    def watching(context: df.DurableOrchestrationContext) -> Any:
        looks_left = context.get_input()
        if not looks_left:
            return "nothing happened"
        yield context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        context.continue_as_new(looks_left - 1)

    @app.orchestration_trigger(context_name="context")
    def insisting(context: df.DurableOrchestrationContext) -> Any:
        return (yield context.call_activity_with_retry("shout", df.RetryOptions(60_000, 4), context.get_input()))

    @app.orchestration_trigger(context_name="context")
    def calling(context: df.DurableOrchestrationContext) -> Any:
        answer = yield context.call_http("GET", context.get_input())
        return answer["content"]

    @app.activity_trigger(input_name="word")
    def shout(word: str) -> str:
        return word.upper()

    @app.entity_trigger(context_name="context")
    def counter(context: df.DurableEntityContext) -> None:
        context.set_state(context.get_state(lambda: 0) + int(context.get_input() or 1))

    @app.timer_trigger(arg_name="timer", schedule="0 0 * * * *", use_monitor=False)
    def hourly(timer: func.TimerRequest) -> None:
        logging.getLogger("the.app").warning("an hour has passed")

    return app


@pytest.fixture
def host() -> Iterator[EmbeddedHost]:
    with EmbeddedHost(durable_app(), clock=ManualClock(T0)) as running:
        yield running


def write(folder: Path, **files: str) -> Path:
    """An app's folder; `a__b` is the file b.py in the folder a."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "host.json").write_text('{"version": "2.0"}', "utf-8")
    for name, source in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(source), "utf-8")
    return folder


# HTTP


def test_a_request_has_a_body_a_query_and_headers_and_so_has_its_answer(host: EmbeddedHost) -> None:
    answer = host.http.post("/api/echo/a%20b", json={"n": 1}, params={"q": "x y"})
    assert (answer.status_code, answer.text) == (200, "a b x y {'n': 1}")
    assert answer.headers["X-Seen"] == "http://localhost/api/echo/a%20b?q=x+y"


def test_an_address_of_the_host_itself_may_be_whole_and_no_other(host: EmbeddedHost) -> None:
    assert host.http.post(f"{host.base_url}/api/echo/x?q=1", json=0).text == "x 1 0"
    with pytest.raises(ValueError, match="http://elsewhere/api/echo/x is not of this host, which is http://localhost"):
        host.http.post("http://elsewhere/api/echo/x", json=0)


def test_an_error_is_an_answer_until_it_is_asked_for(host: EmbeddedHost) -> None:
    answer = host.http.get("/api/nowhere")
    assert answer.status_code == 404
    with pytest.raises(RequestFailed, match=r"The answer is 404: \(no body\)"):
        answer.raise_for_status()


def test_a_request_takes_the_time_it_takes(host: EmbeddedHost) -> None:
    assert host.http.get("/api/flaky").text == "at last"
    assert host.time.now() == T0 + timedelta(seconds=20)


def test_there_is_a_port_for_who_asks_for_one() -> None:
    from urllib.request import urlopen

    with EmbeddedHost(durable_app(), port=0) as host, urlopen(f"{host.base_url}/admin/host/ping") as answer:
        assert answer.status == 200


# durable work and time


def test_an_orchestration_runs_until_nothing_is_left_to_do(host: EmbeddedHost) -> None:
    started = host.http.post("/api/start/shouting", json="hello").json()
    host.run_until_idle()
    assert host.http.get(started["statusQueryGetUri"]).json()["output"] == "HELLO"
    status = host.durable.get_status(started["id"], show_history=True)
    assert status is not None
    assert (status.runtime_status, status.output, status.created_time) == ("Completed", "HELLO", T0)
    assert [event["EventType"] for event in status.history] == ["ExecutionStarted", "TaskCompleted", "ExecutionCompleted"]


def test_time_passes_as_far_as_it_is_let(host: EmbeddedHost) -> None:
    instance = host.durable.start_new("asking")
    host.run_until_idle(within=timedelta(days=2))
    assert (statuses(host), host.time.now()) == ({instance: "Running"}, T0)
    host.run_until_idle(within=timedelta(days=30))
    assert (statuses(host), host.time.now()) == ({instance: "Completed"}, T0 + timedelta(days=3))


def test_what_is_due_on_the_way_is_done_in_its_order(host: EmbeddedHost, caplog: pytest.LogCaptureFixture) -> None:
    host.durable.start_new("asking", instance_id="a")
    host.time.advance(timedelta(hours=2, minutes=30))
    assert caplog.messages.count("an hour has passed") == 2
    assert host.time.now() == T0 + timedelta(hours=2, minutes=30)
    host.time.advance_to(T0 + timedelta(days=3))
    assert caplog.messages.count("an hour has passed") == 72
    assert statuses(host) == {"a": "Completed"}


def test_a_monitor_of_thirty_days_is_over_in_a_moment(host: EmbeddedHost) -> None:
    host.durable.start_new("watching", instance_id="a", client_input=30 * 24)
    host.time.advance(timedelta(days=30))
    status = host.durable.get_status("a")
    assert status is not None
    assert (status.output, status.last_updated_time) == ("nothing happened", T0 + timedelta(days=30))


def test_retries_of_an_activity_wait_on_the_clock(host: EmbeddedHost) -> None:
    shout = Mock(side_effect=[OSError("1"), OSError("2"), "heard"])
    host.replace("shout", shout)
    host.durable.start_new("insisting", instance_id="a", client_input="x")
    host.run_until_idle()
    assert (shout.call_count, statuses(host)) == (1, {"a": "Running"})
    host.time.advance(60)
    assert shout.call_count == 2
    host.run_until_idle(within=60)
    assert (statuses(host), host.time.now()) == ({"a": "Completed"}, T0 + timedelta(minutes=2))


def test_requests_of_an_orchestration_are_waited_for(host: EmbeddedHost) -> None:
    with EmbeddedHost(durable_app(), port=0) as other:
        other.replace("flaky", lambda req, context: "here")
        assert output(host, "calling", f"{other.base_url}/api/flaky") == "here"


def test_an_instance_is_told_things(host: EmbeddedHost) -> None:
    durable = host.durable
    for name in ("answered", "ended", "held"):
        durable.start_new("asking", instance_id=name)
    host.run_until_idle()
    durable.raise_event("answered", "Answer", {"yes": True})
    durable.terminate("ended", "enough")
    durable.suspend("held", "later")
    host.run_until_idle()
    assert statuses(host) == {"answered": "Completed", "ended": "Terminated", "held": "Suspended"}
    durable.raise_event("held", "Answer", 1)
    host.run_until_idle()
    assert statuses(host)["held"] == "Suspended"
    durable.resume("held")
    host.run_until_idle()
    again = durable.restart("answered")
    host.run_until_idle()
    assert statuses(host) == {"answered": "Completed", "ended": "Terminated", "held": "Completed", again: "Running"}
    durable.purge_instance_history("ended")
    assert durable.get_status("ended") is None
    assert [status.instance_id for status in durable.get_status_all(runtime_status=["Completed"], id_prefix="an")] == ["answered"]


def statuses(host: EmbeddedHost) -> dict[str, str]:
    return {status.instance_id: status.runtime_status for status in host.durable.get_status_all()}


def test_what_an_instance_cannot_do_is_said(host: EmbeddedHost) -> None:
    with pytest.raises(DurableRequestRefused, match="There is no such instance"):
        host.durable.raise_event("nobody", "Answer")
    host.durable.start_new("asking", instance_id="a")
    with pytest.raises(DurableRequestRefused, match="already exists"):
        host.durable.start_new("asking", instance_id="a")
    host.time.advance(timedelta(days=3))
    with pytest.raises(DurableRequestRefused, match="The instance has ended"):
        host.durable.terminate("a")


def test_an_entity_is_signalled_and_read(host: EmbeddedHost) -> None:
    assert host.durable.read_entity_state("counter", "a") is None
    host.durable.signal_entity("counter", "a", "add", 5)
    host.durable.signal_entity("counter", "a", "add")
    host.run_until_idle()
    assert host.durable.read_entity_state("counter", "a") == 6


def test_on_the_machines_clock_work_takes_its_time_and_nobody_moves_it() -> None:
    with EmbeddedHost(durable_app()) as host:
        instance = host.durable.start_new("shouting", client_input="x")
        host.run_until_idle(within=10)
        assert statuses(host) == {instance: "Completed"}
        with pytest.raises(NotSupported, match="Give it a ManualClock"):
            host.time.advance(1)


def test_no_storage_account_is_touched_unless_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.queue_trigger(arg_name="message", queue_name="orders", connection="AzureWebJobsStorage")
    @app.queue_output(arg_name="out", queue_name="answers", connection="AzureWebJobsStorage")
    def take(message: func.QueueMessage, out: func.Out[str]) -> None:
        out.set("answer")

    @app.blob_trigger(arg_name="blob", path="container/{name}", connection="AzureWebJobsStorage")
    def look(blob: func.InputStream) -> None: ...

    with EmbeddedHost(app, clock=ManualClock(T0), settings={"AzureWebJobsStorage": "UseDevelopmentStorage=true"}) as host:
        host.time.advance(timedelta(hours=1))
        assert {record.name for record in caplog.records} <= {"root"}  # nobody has looked for the queue or the container
        for name, value in (("take", "message"), ("look", "container/blob")):
            with pytest.raises(LinariteError, match="AzureWebJobsStorage: this host uses no storage account"):
                host.fire(name, value)


@pytest.mark.azurite
def test_with_azurite_queues_are_listened_to(azurite: Ports) -> None:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    taken = threading.Event()

    @app.route(route="send")
    @app.queue_output(arg_name="out", queue_name="embedded-orders", connection="AzureWebJobsStorage")
    def send(req: func.HttpRequest, out: func.Out[str]) -> str:
        out.set("order")
        return "sent"

    @app.queue_trigger(arg_name="message", queue_name="embedded-orders", connection="AzureWebJobsStorage")
    def take(message: func.QueueMessage) -> None:
        taken.set()

    with EmbeddedHost(app, storage="auto", settings={"AzureWebJobsStorage": azurite.connection_string()}) as host:
        assert host.http.get("/api/send").text == "sent"
        assert taken.wait(30)
        with pytest.raises(NotSupported, match="cannot be known"):
            host.run_until_idle()


# functions by hand, and other code in their place


def test_a_function_is_fired_by_hand(host: EmbeddedHost, caplog: pytest.LogCaptureFixture) -> None:
    host.fire("hourly")
    assert "an hour has passed" in caplog.messages
    with pytest.raises(NoSuchFunction, match=r"no function 'minutely'. It has: asking, calling, counter, echo, .*"):
        host.fire("minutely")


def test_what_a_function_fired_by_hand_raises_is_raised() -> None:
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="message", queue_name="q", connection="AzureWebJobsStorage")
    def take(message: func.QueueMessage) -> None:
        raise ValueError(message.get_body().decode())

    with EmbeddedHost(app) as host, pytest.raises(UserCodeFailed, match="ValueError: this one"):
        host.fire("take", "this one")


def test_other_code_stands_for_a_function_while_it_is_wanted(host: EmbeddedHost) -> None:
    shout = Mock(return_value="quiet")
    with host.replace("shout", shout):
        assert output(host, "shouting", "hello") == "quiet"
    shout.assert_called_once_with(word="hello")
    assert output(host, "shouting", "hello") == "HELLO"
    replaced = host.replace("echo", lambda req: "not an echo")
    assert host.http.post("/api/echo/x", json=1).text == "not an echo"
    replaced.undo()
    assert host.http.post("/api/echo/x", json=1).text == "x None 1"


def test_a_failing_stand_in_fails_as_the_function_would(host: EmbeddedHost) -> None:
    host.replace("shout", Mock(side_effect=OSError("no line")))
    instance = host.durable.start_new("shouting", client_input="hello")
    host.run_until_idle()
    status = host.durable.get_status(instance)
    assert status is not None
    assert status.runtime_status == "Failed"
    assert "OSError: no line" in status.output


def test_an_orchestrator_is_replaced_as_the_sdk_makes_them(host: EmbeddedHost) -> None:
    def other(context: df.DurableOrchestrationContext) -> Any:
        return (yield context.call_activity("shout", "instead"))

    host.replace("shouting", df.Orchestrator.create(other))
    assert output(host, "shouting", "hello") == "INSTEAD"


def test_code_that_cannot_stand_for_a_function_is_refused(host: EmbeddedHost) -> None:
    with pytest.raises(TypeError, match="cannot stand for shout, which is called with word"):
        host.replace("shout", lambda: None)
    with pytest.raises(NoSuchFunction):
        host.replace("whisper", lambda word: None)


def output(host: EmbeddedHost, name: str, client_input: Any) -> Any:
    instance = host.durable.start_new(name, client_input=client_input)
    host.run_until_idle()
    status = host.durable.get_status(instance)
    assert status is not None
    return status.output


# life


async def test_a_program_with_a_loop_of_its_own_awaits_the_same() -> None:
    async with AsyncEmbeddedHost(durable_app(), clock=ManualClock(T0)) as host:
        started = (await host.http.post("/api/start/shouting", json="hello")).json()
        await host.run_until_idle()
        status = await host.durable.get_status(started["id"])
        assert status is not None
        assert status.output == "HELLO"
        await host.time.advance(3600)
        assert host.time.now() == T0 + timedelta(hours=1)
        await host.fire("hourly")


async def test_a_host_does_not_hold_up_the_loop_that_waits_for_it() -> None:
    """The function waits for what only this loop can bring."""
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    released = threading.Event()

    @app.route(route="wait")
    def wait(req: func.HttpRequest) -> str:
        return str(released.wait(30))

    async with AsyncEmbeddedHost(app) as host:
        answering = asyncio.ensure_future(host.http.get("/api/wait"))
        await asyncio.sleep(0)
        released.set()
        assert (await answering).text == "True"


def test_an_app_with_mistakes_does_not_start(tmp_path: Path) -> None:
    folder = write(tmp_path, function_app="import nowhere_at_all\n")
    with pytest.raises(AppNotLoaded, match=r"function_app.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'"):
        EmbeddedHost(folder).start()
    with pytest.raises(OperatorError, match="is no folder"):
        EmbeddedHost(tmp_path / "missing").start()


def test_a_host_that_is_not_started_says_so() -> None:
    host = EmbeddedHost(durable_app())
    host.stop()
    with pytest.raises(NotSupported, match="The host is not started"):
        host.run_until_idle()


def test_a_host_may_start_again_with_nothing_left_of_before() -> None:
    host = EmbeddedHost(durable_app())
    for _ in range(2):
        with host:
            host.durable.start_new("shouting", instance_id="same", client_input="x")
            host.run_until_idle()
            assert statuses(host) == {"same": "Completed"}


def test_what_is_to_be_kept_is_kept(tmp_path: Path) -> None:
    folder = write(tmp_path)
    for expected in ({}, {"same": "Completed"}):
        with EmbeddedHost(durable_app(), folder=folder, keeps=True) as host:
            assert statuses(host) == expected
            if not expected:
                host.durable.start_new("shouting", instance_id="same", client_input="x")
                host.run_until_idle()
    assert (folder / ".linarite" / "testhubname.db").exists()


def test_nothing_is_written_into_the_folder_otherwise(tmp_path: Path) -> None:
    folder = write(tmp_path / "app")
    with EmbeddedHost(durable_app(), folder=folder) as host:
        host.durable.start_new("shouting", client_input="x")
        host.run_until_idle()
        host.fire("hourly")
    assert [path.name for path in folder.iterdir()] == ["host.json"]


def test_a_worker_process_does_as_well(tmp_path: Path) -> None:
    source = """
        import os
        import azure.functions as func
        app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
        @app.route(route="pid")
        def pid(req: func.HttpRequest) -> str:
            return str(os.getpid())
    """
    with EmbeddedHost(write(tmp_path, function_app=source), in_process=False) as host:
        assert int(host.http.get("/api/pid").text) != os.getpid()
        with pytest.raises(NotSupported, match="only where they run in this process"):
            host.replace("pid", lambda req: "x")


# several at once

NEIGHBOUR = """
    import os
    import azure.functions as func
    import shared
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="who")
    def who(req: func.HttpRequest) -> str:
        from late import WHO
        return f"{shared.WHO} {WHO} {os.environ['WHO']} {os.environ.get('ONLY_A')}"

    @app.route(route="async")
    async def who_async(req: func.HttpRequest) -> str:
        import asyncio
        loop = asyncio.get_running_loop()
        os.environ["SEEN"] = os.environ["WHO"]
        looked_up = [await asyncio.to_thread(os.getenv, "SEEN"), await loop.run_in_executor(None, os.getenv, "SEEN")]
        return f"{os.environ.pop('SEEN')} {looked_up}"
"""


def neighbours(folder: Path) -> tuple[Path, Path]:
    """Two apps with the same names for their modules."""
    a, b = (write(folder / name, function_app=NEIGHBOUR, shared=f"WHO = {name!r}", late=f"WHO = {name!r}") for name in "ab")
    return a, b


def test_two_folders_at_once_keep_their_modules_and_variables_apart(tmp_path: Path) -> None:
    a, b = neighbours(tmp_path)
    with EmbeddedHost(a, settings={"WHO": "A", "ONLY_A": "1"}) as one, EmbeddedHost(b, settings={"WHO": "B"}) as other:
        for _ in range(2):
            assert one.http.get("/api/who").text == "a a A 1"
            assert other.http.get("/api/who").text == "b b B None"
            assert one.http.get("/api/async").text == "A ['A', 'A']"
            assert other.http.get("/api/async").text == "B ['B', 'B']"


def test_the_process_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = neighbours(tmp_path)
    monkeypatch.setenv("WHO", "nobody")

    def process() -> tuple[object, ...]:
        root = logging.getLogger()
        return dict(os.environ), type(os.environ), os.getcwd(), list(sys.path), root.level, list(root.handlers), sys.stdout, __import__

    before = process()
    path, entries = sys.path, list(sys.path)
    with EmbeddedHost(a, settings={"WHO": "A"}) as one, EmbeddedHost(b, settings={"WHO": "B"}) as other:
        assert (one.http.get("/api/who").status_code, other.http.get("/api/who").status_code) == (200, 200)
        assert (os.environ["WHO"], os.environ.get("FUNCTIONS_WORKER_RUNTIME"), os.getcwd()) == ("nobody", None, before[2])
    assert process() == before
    assert path == entries  # a thread that looks along it misses nothing


def test_the_processs_variables_are_seen_as_they_are_now_unless_a_setting_is_over_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _ = neighbours(tmp_path)
    (a / "local.settings.json").write_text('{"IsEncrypted": false, "Values": {"WHO": "file", "ONLY_A": "file"}}', "utf-8")
    with EmbeddedHost(a, settings={"ONLY_A": "setting"}) as host:
        assert host.http.get("/api/who").text == "a a file setting"
        monkeypatch.setenv("WHO", "test")
        monkeypatch.setenv("ONLY_A", "test")
        assert host.http.get("/api/who").text == "a a test setting"
        monkeypatch.delenv("WHO")
        assert host.http.get("/api/who").text == "a a file setting"


def test_a_test_and_its_app_share_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, _ = neighbours(tmp_path)
    (a / "shared.py").rename(a / "uniquely_named.py")
    (a / "function_app.py").write_text((a / "function_app.py").read_text("utf-8").replace("shared", "uniquely_named"), "utf-8")
    monkeypatch.syspath_prepend(str(a))
    import uniquely_named  # type: ignore[import-not-found]  # made above

    monkeypatch.setattr(uniquely_named, "WHO", "patched")
    for _ in range(2):
        with EmbeddedHost(a, settings={"WHO": "A"}) as host:
            assert host.http.get("/api/who").text.startswith("patched")


def test_a_file_that_was_saved_meanwhile_is_loaded_anew(tmp_path: Path) -> None:
    a, _ = neighbours(tmp_path)
    with EmbeddedHost(a, settings={"WHO": "A"}) as host:
        assert host.http.get("/api/who").text == "a a A None"
    (a / "shared.py").write_text("WHO = 'another'", "utf-8")
    with EmbeddedHost(a, settings={"WHO": "A"}) as host:
        assert host.http.get("/api/who").text == "another a A None"


def test_hosts_of_one_app_object_have_nothing_in_common_but_its_code() -> None:
    app = durable_app()
    with EmbeddedHost(app) as one, EmbeddedHost(app) as other:
        for host in (one, other):
            started = host.http.post("/api/start/shouting", json=host is one).json()
            host.run_until_idle()
            assert statuses(host) == {started["id"]: "Failed"}  # bool has no upper
        one.replace("shout", lambda word: "replaced")
        assert (output(one, "shouting", "x"), output(other, "shouting", "x")) == ("replaced", "X")


def test_a_web_app_of_another_framework_is_told_of_every_beginning_and_end() -> None:
    told: list[str] = []

    async def web(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                told.append(message["type"])
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"web"})

    app = func.AsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
    for _ in range(2):
        with EmbeddedHost(app, settings={"AzureFunctionsJobHost__extensions__http__routePrefix": ""}) as host:
            assert host.http.get("/x").text == "web"
    assert told == ["lifespan.startup", "lifespan.shutdown"] * 2

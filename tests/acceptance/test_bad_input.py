"""What is wrong is said in a sentence that says where and what to do; the host stays up where saving a correction is enough."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from linarite.azurite import Ports
from tests.host_process import HostProcess, client, finished

DURABLE_APP = """
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="start/{name}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    return client.create_check_status_response(req, await client.start_new(req.route_params["name"]))


@app.orchestration_trigger(context_name="context")
def calls_nobody(context):
    try:
        yield context.call_activity("nobody")
    except Exception as error:
        return str(error)


@app.orchestration_trigger(context_name="context")
def calls_strange(context):
    yield context.call_activity("strange")


@app.activity_trigger(input_name="unused")
def strange(unused: str):
    return object()
"""

HTTP_APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="hello", methods=["GET"])
def hello(req: func.HttpRequest) -> str:
    return "hello"
"""

TWICE = """

@app.route(route="{route}")
@app.function_name("{name}")
def other(req: func.HttpRequest) -> str:
    return "other"
"""

BROKEN = {
    "no function_app.py": (None, r"No functions? found|function_app\.py|No job functions found"),
    "import error": ("import nowhere_at_all\n", r"function_app\.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
    "syntax error": ("app = (\n", r"function_app\.py:1: SyntaxError: '\(' was never closed"),
    "no app": ("x = 1\n", r"Could not find top level function app instances in function_app\.py"),
    "two apps": (HTTP_APP + "\nsecond = func.FunctionApp()\n", r"More than one FunctionApp or other top level function app instances"),
    "duplicate function": (HTTP_APP + TWICE.format(route="other", name="hello"), r"hello does not have a unique function name"),
}


def app_with(folder: Path, code: str | None, **files: str) -> Path:
    if code is not None:
        (folder / "function_app.py").write_text(code, "utf-8")
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content, "utf-8")
    return folder


@pytest.mark.parametrize("case", BROKEN)
async def test_an_app_that_does_not_load_leaves_the_host_up_and_is_mended_by_saving(app_folder: Path, case: str) -> None:
    code, sentence = BROKEN[case]
    app_with(app_folder, code)
    async with HostProcess(app_folder) as host, client(host) as session:
        await host.said(sentence)
        async with session.get("/api/hello") as answer:
            assert answer.status == 404
        async with session.get("/") as page:
            assert page.status == 200
        mended = len(host.lines)
        await _save_until(host, app_folder / "function_app.py", HTTP_APP, r"Reloaded: 1 function loaded", mended)
        async with session.get("/api/hello") as answer:
            assert await answer.text() == "hello"
        assert "linarite/" not in host.output.replace(str(app_folder), "")  # no frame of ours


@pytest.mark.parametrize("case", [case for case in BROKEN if case != "no function_app.py"])
async def test_without_reload_an_app_that_does_not_load_ends_the_start(app_folder: Path, case: str) -> None:
    code, sentence = BROKEN[case]
    app_with(app_folder, code)
    async with HostProcess(app_folder, "--no-reload", listens=False) as host:
        assert await host.exit_code() == 1
        await host.said(sentence)


async def test_a_duplicate_route_leaves_out_the_later_function_only(app_folder: Path) -> None:
    app_with(app_folder, HTTP_APP + TWICE.format(route="hello", name="zother"))
    async with HostProcess(app_folder, "--no-reload") as host, client(host) as session:
        await host.said("The 'zother' function is in error: The route specified conflicts with the route defined by function 'hello'")
        async with session.get("/api/hello") as answer:
            assert await answer.text() == "hello"


@pytest.mark.parametrize(
    ("decorator", "sentence"),
    [
        ('@app.generic_input_binding(arg_name="x", type="madeUp")', r"The binding type\(s\) 'madeUp' are not registered"),
        ('@app.queue_output(arg_name="x", queue_name="%NotThere%", connection="")', r"'%NotThere%' does not resolve to a value"),
        ('@app.queue_output(arg_name="my_queue", queue_name="q", connection="")', r"The binding name my_queue is invalid"),
    ],
)
async def test_a_binding_that_is_wrong_is_the_error_of_its_function(app_folder: Path, decorator: str, sentence: str) -> None:
    name = "my_queue" if "my_queue" in decorator else "x"
    kind = "func.Out[str]" if "output" in decorator else "str"
    code = f'\n\n@app.route(route="bad")\n{decorator}\ndef bad(req: func.HttpRequest, {name}: {kind}) -> str:\n    return ""\n'
    app_with(app_folder, HTTP_APP + code)
    async with HostProcess(app_folder, "--no-reload", "--storage", "embedded") as host, client(host) as session:
        await host.said(f"The 'bad' function is in error: .*{sentence}")
        async with session.get("/api/hello") as answer:
            assert await answer.text() == "hello"


async def test_a_schedule_that_is_none_is_the_error_of_its_function(app_folder: Path) -> None:
    code = '\n\n@app.timer_trigger(arg_name="t", schedule="every day")\ndef tick(t: func.TimerRequest) -> None: ...\n'
    app_with(app_folder, HTTP_APP + code)
    async with HostProcess(app_folder, "--no-reload") as host, client(host) as session:
        await host.said(r"'tick'.*'every day' was not recognized as a valid cron expression or timespan string")
        async with session.get("/api/hello") as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("host.json", '{\n  "version": "2.0",\n  "extensions": [}\n}', r"host\.json.*3"),
        ("host.json", '{"version": "1.0"}', r"'1\.0' is an invalid value for host\.json 'version' property"),
        ("host.json", '{"version": "2.0", "extensions": {"http": {"maxOutstandingRequests": "many"}}}', r"maxOutstandingRequests"),
        ("local.settings.json", '{\n  "IsEncrypted": false,\n  "Values": {"A" "B"}\n}', r"local\.settings\.json.*3"),
        ("local.settings.json", '{"Values": {"A": "B"}}', r"IsEncrypted"),
    ],
)
async def test_a_settings_file_that_cannot_be_used_is_503_until_it_is_mended(
    app_folder: Path, name: str, content: str, sentence: str
) -> None:
    app_with(app_folder, HTTP_APP)
    good = (app_folder / name).read_text("utf-8") if (app_folder / name).exists() else '{"IsEncrypted": false, "Values": {}}'
    (app_folder / name).write_text(content, "utf-8")
    async with HostProcess(app_folder) as host, client(host) as session:
        await host.said(sentence)
        async with session.get("/api/hello") as answer:
            assert (answer.status, await answer.text()) == (503, "Function host is not running.")
        async with session.get("/admin/host/status") as status:
            assert (await status.json())["state"] == "Error"
        await _save_until(host, app_folder / name, good, r"Reloaded: 1 function loaded", len(host.lines))
        async with session.get("/api/hello") as answer:
            assert await answer.text() == "hello"


async def test_a_port_in_use_ends_the_start_in_func_s_words(app_folder: Path) -> None:
    app_with(app_folder, HTTP_APP)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with HostProcess(app_folder, "--port", port, listens=False) as host:
            assert await host.exit_code() == 1
            await host.said(f"Port {port} is unavailable. Close the process using that port, or specify another port")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--address", "example.com"), "Invalid --address value 'example.com'"),
        (("--python", "/no/such/python"), "--python /no/such/python: there is no such interpreter"),
    ],
)
async def test_a_flag_that_cannot_be_followed_ends_the_start(app_folder: Path, flags: tuple[str, ...], sentence: str) -> None:
    app_with(app_folder, HTTP_APP)
    async with HostProcess(app_folder, *flags, listens=False) as host:
        assert await host.exit_code() == 1
        await host.said(sentence)
        assert "Traceback" not in host.output


async def test_a_storage_emulator_that_is_not_there_is_said_where_it_is_demanded(app_folder: Path) -> None:
    app_with(app_folder, DURABLE_APP)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        half = Ports(one.getsockname()[1], two.getsockname()[1], 1)
        environment = {"AzureWebJobsStorage": half.connection_string()}
        async with HostProcess(app_folder, environment=environment, listens=False) as host:
            assert await host.exit_code() == 1
            await host.said("nothing listens on port 1")


@pytest.mark.azurite
async def test_a_wrong_account_key_is_said_without_the_key(app_folder: Path, azurite: Ports) -> None:
    app_with(app_folder, DURABLE_APP)
    key = "c2VjcmV0c2VjcmV0c2VjcmV0"
    connection = ";".join(
        f"AccountKey={key}" if part.startswith("AccountKey=") else part for part in azurite.connection_string().split(";")
    )
    async with HostProcess(app_folder, "--no-reload", environment={"AzureWebJobsStorage": connection}) as host:
        await host.said(r"Durable functions are not started\. .* does not accept our key or signature .* Correct the connection string")
        assert key not in host.output
        assert "Traceback" not in host.output


async def test_a_body_over_the_limit_is_500_and_the_limit_is_named(app_folder: Path) -> None:
    app_with(app_folder, HTTP_APP.replace('["GET"]', '["POST"]'))
    environment = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000"}
    async with HostProcess(app_folder, "--no-reload", environment=environment) as host, client(host) as session:
        async with session.post("/api/hello", data=b"x" * 1001) as answer:
            assert answer.status == 500
        await host.said("declares a body of 1001 bytes; the limit is 1000")


async def test_durable_mistakes_are_sentences(app_folder: Path) -> None:
    app_with(app_folder, DURABLE_APP)
    async with HostProcess(app_folder, "--no-reload", "--storage", "embedded") as host, client(host) as session:

        async def outcome(name: str) -> tuple[object, str]:
            async with session.get(f"/api/start/{name}") as answer:
                status = await finished(session, (await answer.json())["statusQueryGetUri"])
            return status["runtimeStatus"], str(status["output"])

        status, output = await outcome("nowhere")
        assert status == "Failed"
        assert "The function 'nowhere' doesn't exist, is disabled, or is not an orchestrator function" in output
        assert "'calls_nobody', 'calls_strange'" in output
        status, output = await outcome("calls_nobody")
        assert status == "Completed"
        assert "The function 'nobody' doesn't exist, is disabled, or is not an activity function" in output
        status, output = await outcome("calls_strange")
        assert status == "Failed"
        assert "activity trigger output must be json serializable" in output
        async with session.post("/runtime/webhooks/durabletask/orchestrators/calls_nobody/@bad") as answer:
            assert answer.status == 400
            assert "Orchestration instance ids must not start with @" in (await answer.json())["Message"]


async def _save_until(host: HostProcess, path: Path, content: str, pattern: str, since: int) -> None:
    """Save, again if the watcher was not there yet: it gives no sign when it is."""
    waiting = asyncio.ensure_future(host.said(pattern, since))
    for attempt in range(40):
        path.write_text(content + " " * attempt if path.suffix != ".py" else f"{content}# {attempt}\n", "utf-8")
        done, _ = await asyncio.wait({waiting}, timeout=1.0)
        if done:
            break
    await waiting

"""What every channel says of an app that cannot be loaded: what is wrong, where, and nothing of ours."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from linarite.metadata import RetrySettings, SourceLine
from linarite.workers.child import ChildWorker
from linarite.workers.in_process import InProcessWorker
from linarite.workers.protocol import IndexedApp, LoadFailure, LogSink, WorkerChannel
from tests.workers.calls import Lines, function, invocation, write_app
from tests.workers.calls import request as http_request

PREAMBLE = """\
import azure.functions as func

app = func.FunctionApp()
"""


def in_process(folder: Path, sink: LogSink, environment: dict[str, str]) -> WorkerChannel:
    return InProcessWorker(folder, environment, sink)


def child(folder: Path, sink: LogSink, environment: dict[str, str]) -> WorkerChannel:
    return ChildWorker(Path(sys.executable), folder, {**os.environ, **environment}, sink)


MakeChannel = Callable[[Path, LogSink, dict[str, str]], WorkerChannel]


@pytest.fixture(params=[in_process, child], ids=["in_process", "child"])
def make(request: pytest.FixtureRequest) -> MakeChannel:
    made: MakeChannel = request.param
    return made


@asynccontextmanager
async def loading(make: MakeChannel, folder: Path, source: str, **environment: str) -> AsyncIterator[IndexedApp]:
    channel = make(write_app(folder, source), Lines(), environment)
    try:
        yield await channel.start()
    finally:
        await channel.stop(0)


async def failure_of(make: MakeChannel, folder: Path, source: str, **environment: str) -> LoadFailure:
    async with loading(make, folder, source, **environment) as app:
        assert app.functions == ()
        assert app.failure is not None
        assert "linarite" not in app.failure.traceback
        return app.failure


def place(folder: Path, line: int, name: str = "function_app.py") -> SourceLine:
    return SourceLine(file=str(folder / name), line=line)


async def test_a_syntax_error_points_at_the_column(make: MakeChannel, tmp_path: Path) -> None:
    failure = await failure_of(make, tmp_path, "import azure.functions\nx = = 1\n")
    assert failure.type_name == "SyntaxError"
    assert failure.message == "invalid syntax"
    assert (failure.source, failure.text, failure.caret) == (place(tmp_path, 2), "x = = 1", 5)


async def test_a_syntax_error_in_an_imported_file_points_there(make: MakeChannel, tmp_path: Path) -> None:
    write_app(tmp_path, "def broken(:\n", "helper.py")
    failure = await failure_of(make, tmp_path, "import helper\n")
    assert (failure.type_name, failure.source) == ("SyntaxError", place(tmp_path, 1, "helper.py"))
    assert f'File "{tmp_path / "function_app.py"}", line 1' in failure.traceback


async def test_a_missing_module_is_told_with_the_hint_of_the_original(make: MakeChannel, tmp_path: Path) -> None:
    failure = await failure_of(make, tmp_path, "import os\nimport no_such_module\n")
    assert failure.type_name == "ModuleNotFoundError"
    assert failure.message.startswith(
        "No module named 'no_such_module' Cannot find module. Please check the requirements.txt file for the missing module. "
        "For more info, please refer the troubleshooting guide: https://aka.ms/functions-modulenotfound. Current sys.path: ['"
        + str(tmp_path)
    )
    assert (failure.source, failure.text) == (place(tmp_path, 2), "import no_such_module")
    assert failure.traceback == f'  File "{tmp_path}/function_app.py", line 2, in <module>\n    import no_such_module\n'
    assert f"run `{sys.executable} -m pip install -r requirements.txt` in {tmp_path}" in failure.hint


async def test_an_exception_at_import_points_at_the_apps_last_line(make: MakeChannel, tmp_path: Path) -> None:
    failure = await failure_of(make, tmp_path, "import json\n\ndef read():\n    return json.loads('{')\n\nread()\n")
    assert (failure.type_name, failure.source) == ("JSONDecodeError", place(tmp_path, 4))
    assert failure.traceback.count("File ") == 2


async def test_sys_exit_at_import_is_a_failure(make: MakeChannel, tmp_path: Path) -> None:
    failure = await failure_of(make, tmp_path, "import sys\nsys.exit('no configuration')\n")
    assert (failure.type_name, failure.message) == ("SystemExit", "The app called sys.exit('no configuration') while it was being loaded.")
    assert failure.source == place(tmp_path, 2)


@pytest.mark.parametrize("source", ["import azure.functions as func\n", "import azure.functions as func\nblueprint = func.Blueprint()\n"])
async def test_no_app_object(make: MakeChannel, tmp_path: Path, source: str) -> None:
    failure = await failure_of(make, tmp_path, source)
    assert (failure.type_name, failure.message) == ("ValueError", "Could not find top level function app instances in function_app.py.")
    assert failure.hint.startswith("Assign one to a name in it: app = func.FunctionApp()")


@pytest.mark.parametrize("second", ["func.FunctionApp()", "app"])
async def test_two_names_for_app_objects(make: MakeChannel, tmp_path: Path, second: str) -> None:
    failure = await failure_of(make, tmp_path, f"{PREAMBLE}other = {second}\n")
    assert failure.message == "More than one FunctionApp or other top level function app instances are defined."
    assert failure.hint.startswith("They are app, other; leave one of them.")


async def test_duplicate_names_point_at_the_later_function(make: MakeChannel, tmp_path: Path) -> None:
    source = PREAMBLE + '@app.route()\ndef same(req): ...\n\n@app.function_name("same")\n@app.route(route="b")\ndef other(req): ...\n'
    failure = await failure_of(make, tmp_path, source)
    assert failure.message == (
        "Function same does not have a unique function name. Please change @app.function_name() or the function method name to be unique."
    )
    assert failure.source == place(tmp_path, 7)


async def test_a_function_without_trigger_is_pointed_at(make: MakeChannel, tmp_path: Path) -> None:
    failure = await failure_of(
        make, tmp_path, PREAMBLE + '@app.queue_output(arg_name="o", queue_name="q", connection="C")\ndef f(o): ...\n'
    )
    assert failure.message.startswith("Function f does not have a trigger.")
    assert failure.source == place(tmp_path, 4)


async def test_a_bad_decorator_argument_points_at_the_apps_line(make: MakeChannel, tmp_path: Path) -> None:
    failure = await failure_of(make, tmp_path, PREAMBLE + '@app.route(methods=["FETCH"])\ndef f(req): ...\n')
    assert failure.type_name == "KeyError"
    assert failure.source in (place(tmp_path, 4), place(tmp_path, 5))  # the decorator; CPython before 3.11 says the function


TIMER = '@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")\n'
QUEUE_OUT = '@app.queue_output(arg_name="o", queue_name="q", connection="C")\n'


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            TIMER + "def f(timer, extra): ...",
            "the following parameters are declared in Python but not in the function definition "
            "(function.json or function decorators):  {'extra'}",
        ),
        (
            TIMER + QUEUE_OUT + "def f(timer): ...",
            "Extra parameters in binding definition — "
            "the following parameters are declared as bindings but are not present in Python: {'o'}",
        ),
        (TIMER + "def f(timer: 3): ...", "binding timer has invalid non-type annotation 3"),
        (
            TIMER + "def f(timer: func.HttpRequest): ...",
            'type of timer binding in the binding decorator "timerTrigger" does not match its Python annotation "HttpRequest"',
        ),
        (
            TIMER + QUEUE_OUT + "def f(timer, o: str): ...",
            'binding o is declared to have the "out" direction, but its annotation in Python is not a subclass of azure.functions.Out',
        ),
        (
            TIMER + "def f(timer: func.Out[str]): ...",
            'binding timer is declared to have the "in" direction in the binding decorator, '
            "but its annotation is azure.functions.Out in Python",
        ),
        (TIMER + QUEUE_OUT + "def f(timer, o: func.Out): ...", "binding o has invalid Out annotation <class 'azure.functions._abc.Out'>"),
        (
            TIMER + QUEUE_OUT + "def f(timer, o: func.Out[int]): ...",
            'type of o binding in the binding decorator "queue" does not match its Python annotation "int"',
        ),
        (
            '@app.queue_trigger(arg_name="m", queue_name="q", connection="C", data_type=func.DataType.BINARY)\ndef f(m: int): ...',
            'binding type "m" and dataType "queueTrigger" in the binding decorator do not match the corresponding function parameter\'s '
            "Python type annotation int",
        ),
        (
            TIMER + "def f(timer, context: int): ...",
            "the \"context\" parameter is expected to be of type azure.functions.Context, got <class 'int'>",
        ),
        ("@app.route()\ndef f(req) -> None: ...", 'Python return annotation "NoneType" does not match binding type "http"'),
        ("@app.route()\ndef f(req) -> func.Out[str]: ...", "return annotation should not be azure.functions.Out"),
        (
            "import typing\n@app.route()\ndef f(req) -> typing.List[str]: ...",
            "has invalid non-type return annotation typing.List[str]",
        ),
        (
            '@app.generic_trigger(arg_name="g", type="t")\ndef f(g: dict): ...',
            'type of g binding in the binding decorator "t" does not match its Python annotation "dict"',
        ),
    ],
)
async def test_a_signature_that_does_not_fit_fails_the_app_in_the_words_of_the_original(tmp_path: Path, source: str, message: str) -> None:
    failure = await failure_of(in_process, tmp_path, PREAMBLE + source + "\n")
    assert failure.message == f"cannot load the f function: {message}"
    assert failure.source is not None
    assert failure.source.file == str(tmp_path / "function_app.py")
    assert failure.text.startswith("@app.")


async def test_names_that_do_not_fit_are_shown_side_by_side(tmp_path: Path) -> None:
    source = f"{PREAMBLE}{TIMER}def f(t: func.TimerRequest, more: str): ...\n"
    failure = await failure_of(in_process, tmp_path, source)
    assert failure.hint.startswith("Its bindings are timer, its parameters t, more: each arg_name has to be the name of a parameter")


async def test_a_route_that_is_said_to_return_nothing_is_told_what_to_do(tmp_path: Path) -> None:
    failure = await failure_of(in_process, tmp_path, PREAMBLE + "@app.route()\ndef f(req: func.HttpRequest) -> None: ...\n")
    assert failure.message.endswith('Python return annotation "NoneType" does not match binding type "http"')
    assert failure.hint == "Remove the annotation, or return a response and annotate that."


async def test_what_fits_loads(make: MakeChannel, tmp_path: Path) -> None:
    source = PREAMBLE + (
        "import typing\n"
        "@app.route()\ndef http(req: func.HttpRequest) -> func.HttpResponse: ...\n"
        "@app.route(route='s')\ndef text(req: func.HttpRequest) -> str: ...\n"
        f"{TIMER}{QUEUE_OUT}def outs(timer: func.TimerRequest, o: func.Out[typing.List[str]], context): ...\n"
        '@app.generic_trigger(arg_name="g", type="t")\ndef generic(g: bytes) -> dict: ...\n'
        '@app.generic_trigger(arg_name="g", type="activityTrigger")\ndef activity(g: dict) -> typing.List[str]: ...\n'
    )
    async with loading(make, tmp_path, source) as app:
        assert app.failure is None
        assert [one.name for one in app.functions] == ["http", "text", "outs", "generic", "activity"]


async def test_the_app_sees_its_own_script_under_its_own_name(make: MakeChannel, tmp_path: Path) -> None:
    write_app(tmp_path, "def late():\n    import function_app\n    return function_app.app\n", "helper.py")
    async with loading(make, tmp_path, "import helper\n" + PREAMBLE + "assert helper.late() is app\n") as app:
        assert app.failure is None


async def test_the_script_may_have_another_name(make: MakeChannel, tmp_path: Path) -> None:
    write_app(tmp_path, PREAMBLE + "@app.route()\ndef f(req): ...\n", "main.py")
    async with loading(make, tmp_path, "raise SystemExit", PYTHON_SCRIPT_FILE_NAME="main.py") as app:
        assert [one.script_file for one in app.functions] == ["main.py"]


async def test_a_script_name_that_is_none_is_refused(make: MakeChannel, tmp_path: Path) -> None:
    failure = await failure_of(make, tmp_path, "", PYTHON_SCRIPT_FILE_NAME="../x.py")
    assert failure.type_name == "InvalidFileNameError"
    assert failure.message.startswith("Invalid file name: ../x.py")


async def test_packages_published_with_the_app_are_found(make: MakeChannel, tmp_path: Path) -> None:
    packages = tmp_path / ".python_packages" / "lib" / "site-packages"
    write_app(packages, "VALUE = 1", "only_there.py")
    async with loading(make, tmp_path, PREAMBLE + "import only_there\n") as app:
        assert app.failure is None


async def test_a_retry_policy_is_reported_in_seconds(make: MakeChannel, tmp_path: Path) -> None:
    source = PREAMBLE + (
        '@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:01:30")\n'
        f"{TIMER}def fixed(timer): ...\n"
        '@app.retry(strategy="exponential_backoff", max_retry_count="-1", minimum_interval="00:00:04", maximum_interval="00:15:00")\n'
        f"{TIMER}def exponential(timer): ...\n"
    )
    async with loading(make, tmp_path, source) as app:
        assert function(app, "fixed").retry == RetrySettings(strategy="fixedDelay", max_retries=3, delay_s=90)
        exponential = RetrySettings(strategy="exponentialBackoff", max_retries=-1, minimum_s=4, maximum_s=900)
        assert function(app, "exponential").retry == exponential


async def test_a_bad_retry_policy_fails_the_app(make: MakeChannel, tmp_path: Path) -> None:
    source = PREAMBLE + f'@app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="1.00:00:00")\n{TIMER}def f(timer): ...\n'
    failure = await failure_of(make, tmp_path, source)
    assert failure.function_name == "f"
    assert "1.00:00:00" in failure.message


DURABLE = """\
import azure.durable_functions as df
import azure.functions as func

bp = df.Blueprint()

@bp.orchestration_trigger(context_name="context")
def chain(context):
    yield context.call_activity(act)

@bp.activity_trigger(input_name="value")
def act(value): ...

@bp.entity_trigger(context_name="context")
def counter(context): ...

@bp.route(route="start")
@bp.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient): ...

app = df.DFApp()
app.register_functions(bp)
"""


async def test_durable_functions_are_found_behind_the_wrappers_of_their_sdk(make: MakeChannel, tmp_path: Path) -> None:
    async with loading(make, tmp_path, DURABLE) as app:
        assert app.failure is None
        found = {one.def_name: one.source.line for one in app.functions if one.source}
        assert found == {"chain": 6, "act": 10, "counter": 13, "start": 16}


WEB_APPS = {
    "asgi": """
        import azure.functions as func
        async def web(scope, receive, send):
            if scope["type"] == "lifespan":
                while (await receive())["type"] != "lifespan.shutdown":
                    await send({"type": "lifespan.startup.complete"})
                return
            body = (await receive())["body"]
            await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": scope["path"].encode() + b" " + body})
        app = func.AsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
    """,
    "wsgi": """
        import azure.functions as func
        def web(environ, start_response):
            start_response("201 Created", [("content-type", "text/plain")])
            return [environ["PATH_INFO"].encode() + b" " + environ["wsgi.input"].read()]
        app = func.WsgiFunctionApp(app=web, http_auth_level=func.AuthLevel.ANONYMOUS)
    """,
}


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
async def test_a_web_app_of_another_framework_is_a_function(make: MakeChannel, tmp_path: Path, kind: str) -> None:
    channel = make(write_app(tmp_path, WEB_APPS[kind]), Lines(), {})
    app = await channel.start()
    try:
        [only] = app.functions
        assert (only.name, only.trigger.text("route")) == ("http_app_func", "/{*route}")
        answer = (await channel.invoke(invocation(only, {"req": http_request(body=b"body", method="POST")}))).return_value
        assert answer is not None
        assert (answer.value.status, answer.value.body) == ("201", b"/api/x body")
    finally:
        await channel.stop(0)


async def test_loggers_and_prints_at_import_belong_to_no_invocation(make: MakeChannel, tmp_path: Path) -> None:
    lines = Lines()
    channel = make(write_app(tmp_path, PREAMBLE + "import logging\nlogging.info('hello')\nprint('world')\n"), lines, {})
    await channel.start()
    await channel.stop(0)
    assert [(line.invocation_id, line.message, line.origin) for line in lines.all][:2] == [("", "hello", "user"), ("", "world", "console")]


async def test_debug_records_are_sent_only_if_the_app_asks_for_them(make: MakeChannel, tmp_path: Path) -> None:
    for setting, expected in (("0", []), ("1", ["hello"])):
        lines = Lines()
        folder = write_app(tmp_path / setting, PREAMBLE + "import logging\nlogging.getLogger('mine').debug('hello')\n")
        channel = make(folder, lines, {"PYTHON_ENABLE_DEBUG_LOGGING": setting})
        await channel.start()
        await channel.stop(0)
        assert [line.message for line in lines.all if line.logger == "mine"] == expected

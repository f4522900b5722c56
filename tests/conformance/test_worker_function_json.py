"""Apps of function.json files: what is read, what is imported, and what is said of each mistake, which stays with its function."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from linarite.errors import UserCodeFailed
from linarite.invocation import Datum, HttpResponse
from linarite.metadata import RetrySettings
from linarite.workers.child import ChildWorker
from linarite.workers.function_json import declarations
from linarite.workers.in_process import InProcessWorker
from linarite.workers.protocol import IndexedApp, LoadFailure, WorkerChannel
from tests.workers.calls import TIMER, Lines, function, invocation, request, up, write_app

HTTP = [
    {"authLevel": "anonymous", "type": "httpTrigger", "direction": "in", "name": "req", "methods": ["get", "post"]},
    {"type": "http", "direction": "out", "name": "$return"},
]
FAILURE = "cannot load function NoMain: function main() is not present in NoMain/__init__.py"


def declare(folder: Path, name: str, source: str, file: str = "__init__.py", **members: object) -> None:
    """A function's folder, with an HTTP trigger unless `bindings` says otherwise."""
    write_app(folder / name, source, file)
    (folder / name / "host.json").unlink()
    (folder / name / "function.json").write_text(json.dumps({"bindings": HTTP, **members}), "utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "__init__.py").write_text("NAME = 'shared'\n", "utf-8")
    declare(tmp_path, "Hello", "from . import helper\ndef main(req): return helper.NAME", scriptFile="__init__.py")
    (tmp_path / "Hello" / "helper.py").write_text("from ..shared import NAME\n", "utf-8")
    declare(
        tmp_path, "dash-name", "from __app__.shared import NAME\nfrom shared import NAME as same\nasync def main(req): return NAME + same"
    )
    declare(tmp_path, "Entry", "def go(req, context) -> str: return context.function_directory", "handler.py", entryPoint="go")
    out = [HTTP[0], {"type": "http", "direction": "out", "name": "res"}]
    source = "import azure.functions as func\ndef main(req, res: func.Out[func.HttpResponse]) -> None: res.set(func.HttpResponse('out'))"
    declare(tmp_path, "OutRes", source, bindings=out)
    declare(tmp_path, "NoMain", "x=1")
    declare(tmp_path, "SyntaxErr", "def main(req:\n")
    declare(tmp_path, "ParamMismatch", "def main(other): return 'x'")
    timer = [{"type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 * * * * *"}]
    retry = {"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:05"}
    declare(tmp_path, "Timer", "def main(timer): return None", bindings=timer, retry=retry, disabled=True)
    return tmp_path


@pytest_asyncio.fixture(params=["in_process", "child"])
async def worker(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[WorkerChannel]:
    channel: WorkerChannel
    if request.param == "child":
        channel = ChildWorker(Path(sys.executable), folder, os.environ, Lines())
    else:
        channel = InProcessWorker(folder, {}, Lines())
    yield channel
    await channel.stop(0)


async def returned(worker: WorkerChannel, app: IndexedApp, name: str) -> object:
    datum = (await worker.invoke(invocation(function(app, name), {"req": request()}))).return_value
    return None if datum is None else datum.value


async def test_functions_run_in_packages_of_the_apps_folder(worker: WorkerChannel, folder: Path) -> None:
    app = await worker.start()
    assert app.failure is None
    assert [one.name for one in app.functions] == sorted(
        ["Hello", "dash-name", "Entry", "OutRes", "NoMain", "SyntaxErr", "ParamMismatch", "Timer"]
    )
    assert await returned(worker, app, "Hello") == "shared"
    assert await returned(worker, app, "dash-name") == "sharedshared"
    assert await returned(worker, app, "Entry") == str(folder / "Entry")
    result = await worker.invoke(invocation(function(app, "OutRes"), {"req": request()}))
    assert result.return_value is None
    assert isinstance(result.outputs["res"].value, HttpResponse)
    assert (await worker.invoke(invocation(function(app, "Timer"), {"timer": TIMER}))).return_value is None


async def test_a_function_that_cannot_be_loaded_is_reported_and_fails_when_called(worker: WorkerChannel, folder: Path) -> None:
    app = await worker.start()
    failures = {failure.function_name: failure for failure in app.function_failures}
    assert set(failures) == {"NoMain", "SyntaxErr", "ParamMismatch"}
    assert failures["NoMain"].message == FAILURE
    assert (failures["SyntaxErr"].type_name, str(failures["SyntaxErr"].source)) == ("SyntaxError", f"{folder}/SyntaxErr/__init__.py:1")
    assert failures["ParamMismatch"].message == (
        "cannot load the ParamMismatch function: the following parameters are declared in Python but not in function.json: {'other'}"
    )
    for name, text in (("NoMain", f"RuntimeError: {FAILURE}"), ("ParamMismatch", "FunctionLoadError: cannot load the ParamMismatch")):
        for _ in range(2):
            with pytest.raises(UserCodeFailed) as failed:
                await returned(worker, app, name)
            assert str(failed.value).startswith(text)
    with pytest.raises(UserCodeFailed, match=r"SyntaxError: .*\(__init__\.py, line 1\)"):
        await returned(worker, app, "SyntaxErr")


async def test_what_a_function_json_says_is_known(worker: WorkerChannel, folder: Path) -> None:
    app = await worker.start()
    timer, entry = function(app, "Timer"), function(app, "Entry")
    assert timer.retry == RetrySettings(strategy="fixedDelay", max_retries=2, delay_s=5)
    assert (timer.is_decorated, timer.trigger.text("schedule")) == (False, "0 * * * * *")
    assert (entry.entry_point, entry.script_file, entry.directory) == ("go", str(folder / "Entry" / "handler.py"), str(folder / "Entry"))
    assert app.warnings == (
        f"{folder / 'Timer' / 'function.json'}: 'disabled' is not honoured, here as on Azure. "
        "Set AzureWebJobs.Timer.Disabled to true instead.",
    )


def failure_of(folder: Path, text: str, *files: str) -> LoadFailure:
    (folder / "F").mkdir()
    (folder / "F" / "function.json").write_text(text, "utf-8")
    for file in files:
        (folder / "F" / file).touch()
    found = declarations(folder, {})
    assert found.functions == ()
    [failure] = found.failures
    assert failure.function_name == "F"
    return failure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"bindings": [\n', "line 2, column 1: expected a value, found the end"),
        ("[]", "function.json holds list, not an object with scriptFile and bindings."),
        ('{"bindings": [1]}', "'bindings' must be an array of objects."),
        ('{"bindings": [{"type": "httpTrigger", "direction": "sideways", "name": "req"}]}', "'sideways' is not a valid binding direction."),
        (
            '{"scriptFile": "nothere.py", "bindings": []}',
            "Invalid script file name configuration. The 'scriptFile' property is set to a file that does not exist.",
        ),
        (
            '{"retry": {"strategy": "fixedDelay", "maxRetryCount": 1}, "bindings": []}',
            "Retry policy of F: delayInterval is missing; expected a timespan such as 00:00:05.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_fails_its_function(tmp_path: Path, text: str, message: str) -> None:
    failure = failure_of(tmp_path, text, "__init__.py")
    assert message in failure.message
    assert failure.file == str(tmp_path / failure.function_name / "function.json")


@pytest.mark.parametrize(
    ("files", "script"),
    [
        (["only.py"], "only.py"),
        (["a.py", "run.py"], "run.py"),
        (["__init__.py", "helper.py"], "__init__.py"),
        (["Run.py", "a.txt"], "Run.py"),
    ],
)
def test_a_script_that_is_not_named_is_found(tmp_path: Path, files: list[str], script: str) -> None:
    (tmp_path / "F").mkdir()
    (tmp_path / "F" / "function.json").write_text('{"bindings": []}', "utf-8")
    for file in files:
        (tmp_path / "F" / file).touch()
    found = declarations(tmp_path, {}).functions
    assert found is not None
    assert found[0].script_file == str(tmp_path / "F" / script)


def test_several_scripts_none_of_which_is_the_one(tmp_path: Path) -> None:
    assert "Unable to determine the primary function script." in failure_of(tmp_path, '{"bindings": []}', "a.py", "b.py").message


def test_a_script_for_decorators_comes_first_and_the_rest_is_warned_of(folder: Path) -> None:
    write_app(folder, "", "main.py")
    found = declarations(folder, {"PYTHON_SCRIPT_FILE_NAME": "main.py"})
    assert found.functions is None
    assert found.warnings[0].startswith("Detected mixed function app. Some functions may not be indexed: main.py is there")


def test_a_folder_without_an_app_is_told(tmp_path: Path) -> None:
    failure = declarations(tmp_path, {}).failure
    assert failure is not None
    assert failure.message.startswith(f"{tmp_path} has neither function_app.py nor a folder with a function.json.")


def test_comments_and_trailing_commas_are_taken_as_the_original_takes_them(tmp_path: Path) -> None:
    declare(tmp_path, "F", "")
    (tmp_path / "F" / "function.json").write_text('{ // trigger\n"Bindings": [{"Type": "httpTrigger", "Name": "req",},],}', "utf-8")
    found = declarations(tmp_path, {}).functions
    assert found is not None
    assert (found[0].trigger.name, found[0].trigger.direction) == ("req", "in")


DURABLE_MAIN = """\
import azure.durable_functions as df
def orchestrator(context):
    yield context.call_activity("Act", 1)
main = df.Orchestrator.create(orchestrator)
"""


@pytest.mark.filterwarnings("ignore:azure.functions df_loads:DeprecationWarning")  # the SDK's, at its own converter
async def test_a_durable_app_of_function_json_files_loads(tmp_path: Path) -> None:
    def binding(type_: str, name: str) -> list[dict[str, str]]:
        return [{"type": type_, "name": name, "direction": "in"}]

    declare(tmp_path, "Orch", DURABLE_MAIN, bindings=binding("orchestrationTrigger", "context"))
    declare(tmp_path, "Act", "def main(value: int) -> list: return [value]", bindings=binding("activityTrigger", "value"))
    worker = InProcessWorker(tmp_path, {}, Lines())
    async with up(worker) as app:
        assert app.function_failures == ()
        result = await worker.invoke(invocation(function(app, "Act"), {"value": Datum("json", "3")}))
        assert result.return_value == Datum("json", "[3]")

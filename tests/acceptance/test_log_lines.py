"""What a host prints while an app runs: the form of the lines, their order, and which of them are shown."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.host_process import PATIENCE_S, HostProcess, client

APP = """
import asyncio
import logging
import sys

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
print("loaded")


@app.route(route="speak")
def speak(req: func.HttpRequest) -> str:
    logging.info("one")
    print("two")
    logging.getLogger("mine").warning("three\\n  and a half")
    print("four: an error", file=sys.stderr)
    print("fi", end="")
    logging.debug("between")
    print("ve")
    logging.error("six")
    print("no end", end="")
    return "spoken"


@app.route(route="take/{turns:int}")
async def take(req: func.HttpRequest) -> str:
    turns = int(req.route_params["turns"])
    for number in range(turns):
        logging.info("turn %d of %d", number, turns)
        await asyncio.sleep(0)
        print(f"turned {number} of {turns}")
    return "taken"


@app.route(route="fail")
def fail(req: func.HttpRequest) -> str:
    raise ValueError("no\\nsuch luck")
"""

EXECUTING = r"Executing 'Functions\.(\w+)' \(Reason='This function was programmatically called via the host APIs\.', Id=([0-9a-f-]{36})\)"
EXECUTED = r"Executed 'Functions\.(\w+)' \(Succeeded, Id=([0-9a-f-]{36}), Duration=\d+ms\)"
STAMPED = re.compile(r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] (.*)")
SPOKEN = ["one", "two", "three", "  and a half", "four: an error", "five", "six", "no end"]


@pytest.fixture
def app(app_folder: Path) -> Path:
    (app_folder / "function_app.py").write_text(APP, "utf-8")
    values = {"IsEncrypted": False, "Values": {"FUNCTIONS_WORKER_RUNTIME": "python"}}
    (app_folder / "local.settings.json").write_text(json.dumps(values), "utf-8")
    return app_folder


async def called(host: HostProcess, *paths: str) -> None:
    """All at once; return when each has been answered."""
    async with client(host) as session:
        for answer in await asyncio.gather(*(session.get(path) for path in paths)):
            await answer.read()


async def stamped(host: HostProcess, path: str, last: str = "Executed") -> list[str]:
    """The lines of one call, without their stamps."""
    since = len(host.lines)
    await called(host, path)
    if last:
        await host.said(last, since)
    matches = [STAMPED.fullmatch(line) for line in host.lines[since:]]
    assert all(matches), host.lines[since:]
    return [match[1] for match in matches if match]


async def events(host: HostProcess, invocations: int, *paths: str) -> list[dict[str, Any]]:
    """The JSON lines of some calls."""
    since = len(host.lines)
    await called(host, *paths)
    seen = since
    for _ in range(invocations):
        await host.said('"Executed ', seen)
        seen = next(number for number in range(seen, len(host.lines)) if '"Executed ' in host.lines[number]) + 1
    return [json.loads(line) for line in host.lines[since:]]


@pytest.mark.parametrize("flags", [(), ("--in-process",)])
async def test_the_app_s_lines_stand_between_those_of_its_invocation_in_their_order(app: Path, flags: Sequence[str]) -> None:
    async with HostProcess(app, *flags) as host:
        first, *between, last = await stamped(host, "/api/speak")
    executing, executed = re.fullmatch(EXECUTING, first), re.fullmatch(EXECUTED, last)
    assert executing
    assert executed
    assert executing.groups() == executed.groups()
    assert executing[1] == "speak"
    assert between == SPOKEN
    assert "\x1b" not in host.output


async def test_a_failure_is_shown_once_with_the_app_s_own_traceback(app: Path) -> None:
    async with HostProcess(app) as host:
        _, failed, *rest = await stamped(host, "/api/fail", "raise ValueError")
    assert re.fullmatch(r"Executed 'Functions\.fail' \(Failed, Id=[0-9a-f-]{36}, Duration=\d+ms\)", failed)
    assert rest[:3] == ["Result: Failure", "Exception: ValueError: no", "such luck"]
    assert rest[3].startswith("Stack:   File ")
    assert rest[3].endswith('function_app.py", line 39, in fail') or "function_app.py" in rest[3]
    assert "linarite" not in "\n".join(rest)


async def test_json_lines_name_category_level_and_invocation_and_keep_each_invocation_s_order(app: Path) -> None:
    async with HostProcess(app, "--json") as host:
        lines = await events(host, 3, "/api/take/3", "/api/take/5", "/api/speak")
        everything = [json.loads(line) for line in host.lines]
    by_invocation: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_invocation.setdefault(line["invocationId"], []).append(line)
    assert len(by_invocation) == 3
    for told in by_invocation.values():
        first, *between, last = told
        assert re.fullmatch(EXECUTING, first["message"])
        assert re.fullmatch(EXECUTED, last["message"])
        name = first["category"].removeprefix("Function.")
        said = [line["message"] for line in between]
        if name == "take":
            turns = len(said) // 2
            assert said == [text for number in range(turns) for text in (f"turn {number} of {turns}", f"turned {number} of {turns}")]
        else:
            assert "\n".join(said).split("\n") == SPOKEN
            levels = ["Information", "Information", "Warning", "Error", "Information", "Error", "Information"]
            assert [line["level"] for line in between] == levels
        assert {line["category"] for line in between} == {f"Function.{name}.User", "Host.Function.Console"}
    assert [line["message"] for line in everything if "timestamp" not in line] == []
    assert any(line["message"].startswith("Listening on http://") for line in everything)


async def test_a_failure_is_one_json_line(app: Path) -> None:
    async with HostProcess(app, "--json") as host:
        _, failed = await events(host, 1, "/api/fail")
    assert failed["level"] == "Error"
    assert failed["message"].split("\n")[1:4] == ["Result: Failure", "Exception: ValueError: no", "such luck"]


def levels(**rules: str) -> str:
    return json.dumps({"version": "2.0", "logging": {"logLevel": {name.replace("__", "."): level for name, level in rules.items()}}})


async def test_host_json_says_what_is_shown_also_while_the_app_is_loaded_and_when_it_is_saved(app: Path) -> None:
    (app / "host.json").write_text(levels(default="Error", Function__speak="Debug"), "utf-8")
    async with HostProcess(app) as host:
        assert "loaded" not in [line.partition("] ")[2] for line in host.lines]
        assert [line for line in await stamped(host, "/api/speak") if line in ("one", "between", "two")] == ["one", "between"]
        await called(host, "/api/take/2")
        assert not [line for line in host.lines if "take" in line and "Exec" in line]
        since = len(host.lines)
        (app / "host.json").write_text(levels(default="Information", Function__speak="None"), "utf-8")
        await host.said("Reloaded", since)
        since = len(host.lines)
        await called(host, "/api/speak", "/api/take/2")
        await host.said(r"Executed 'Functions\.take'", since)
        assert "speak" not in "\n".join(host.lines[since:])


INFORMATION = ["Executing", *SPOKEN, "Executed"]
DEBUG = [*INFORMATION[:6], "between", *INFORMATION[6:]]


@pytest.mark.parametrize(
    ("flags", "environment", "shown"),
    [
        ((), {}, INFORMATION),
        ((), {"AzureFunctionsJobHost__logging__logLevel__default": "Debug"}, DEBUG),
        ((), {"AzureFunctionsJobHost__logging__logLevel__Function": "Error"}, ["two", "four: an error", "five", "six", "no end"]),
        ((), {"FUNCTIONS_USER_LOG_LEVEL": "Warning"}, ["three", "  and a half", "four: an error", "six"]),
        (("--user-log-level", "debug"), {}, DEBUG),
        (("--user-log-level", "Error"), {"FUNCTIONS_USER_LOG_LEVEL": "Debug"}, ["four: an error", "six"]),
    ],
)
async def test_levels_come_from_flags_and_variables_too(
    app: Path, flags: Sequence[str], environment: dict[str, str], shown: list[str]
) -> None:
    async with HostProcess(app, *flags, environment=environment) as host:
        lines = await stamped(host, "/api/speak", "")
        lines += await stamped(host, "/api/fail", "Result: Failure")  # shown at each of these levels, and behind all of the other's
    until = next(number for number, line in enumerate(lines) if "Functions.fail" in line)
    assert [re.sub(r"^(Execut\w+) .*", r"\1", line) for line in lines[:until]] == shown


async def test_a_level_that_is_none_is_refused_or_told(app: Path) -> None:
    async with HostProcess(app, "--user-log-level", "loud", listens=False) as host:
        assert await host.exit_code() == 2
    assert "'loud' is not one of" in host.output
    async with HostProcess(app, environment={"FUNCTIONS_USER_LOG_LEVEL": "loud"}) as host:
        assert "FUNCTIONS_USER_LOG_LEVEL is 'loud', which is no level: Trace, Debug," in host.output


async def test_verbose_shows_the_host_s_own_lines(app: Path) -> None:
    async with HostProcess(app, "--verbose") as host:
        assert "Mapped function route 'api/speak' [all] to 'speak'" in host.output
    async with HostProcess(app) as host:
        assert "Mapped function route" not in host.output


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_gets_colours(app: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "linarite", "start", "--port", "0"]
    environment = {"PATH": os.environ["PATH"], "FUNCTIONS_USER_LOG_LEVEL": "loud"}
    host = subprocess.Popen(command, cwd=app, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        seen = b""
        while b"Listening on" not in seen:
            seen += os.read(ours, 4096)
    finally:
        host.terminate()
        host.wait(PATIENCE_S)
        os.close(ours)
    warned = next(line for line in seen.split(b"\r\n") if b"which is no level" in line)
    assert re.fullmatch(rb"\x1b\[90m\[[\d:TZ.-]+\] \x1b\[0m\x1b\[33mFUNCTIONS_USER_LOG_LEVEL is .*\x1b\[0m", warned)

"""`linarite start`, also as `linarite host start`: the flags, Core Tools' spellings included."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from linarite.cli.levels import LEVELS
from linarite.errors import OperatorError

F = TypeVar("F", bound=Callable[..., Any])

IGNORED = {
    "no_build": "--no-build (there is nothing to build)",
    "timeout": "--timeout (a slow start is not cut short)",
    "runtime": "--runtime (there is one runtime here)",
    "offline": "--offline (nothing is downloaded)",
    "dotnet_isolated_debug": "--dotnet-isolated-debug (.NET only)",
    "pause_on_error": "--pause-on-error",
    "json_output_file": "--json-output-file (redirect stdout instead)",
    "cert": "--cert (a certificate is generated)",
    "password": "--password (a certificate is generated)",
}
"""Flags of `func` that are accepted and have no effect, and what is said of them."""


def as_one_value(arguments: Sequence[str]) -> list[str]:
    """`--language-worker -- ARGUMENTS...`, as `func` takes it, as `--language-worker=ARGUMENTS`."""
    flag = "--language-worker"
    if flag not in arguments:
        return list(arguments)
    at = list(arguments).index(flag)
    before, after = list(arguments[:at]), list(arguments[at + 1 :])
    if after[:1] == ["--"]:
        return [*before, f"{flag}={' '.join(after[1:])}"]
    return [*before, *([f"{flag}={after[0]}"] if after else [flag]), *after[1:]]


def spread_functions(arguments: Sequence[str]) -> list[str]:
    """`--functions A B` as `--functions A --functions B`, since `func` takes names up to the next flag."""
    spread: list[str] = []
    within = False
    for argument in arguments:
        if argument.startswith("-"):
            within = argument == "--functions"
            if within:
                continue
        elif within:
            spread.append("--functions")
        spread.append(argument)
    return spread


def _options(command: F) -> F:
    decorators = [
        click.option("--port", "-p", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 7071]"),
        click.option("--address", help="Address to listen on.  [default: 127.0.0.1]"),
        click.option("--script-root", "--prefix", type=click.Path(path_type=Path), help="The app's folder.  [default: here, or above]"),
        click.option("--functions", multiple=True, metavar="NAME...", help="Load only these functions."),
        click.option("--python", type=click.Path(path_type=Path), help="The app's interpreter.  [default: its virtual environment's]"),
        click.option(
            "--storage",
            type=click.Choice(["auto", "embedded", "azurite"]),
            help="Where durable work and timers are kept.  [default: auto]",
        ),
        click.option("--reload/--no-reload", default=True, help="Load saved files at once.  [default: reload]"),
        click.option("--in-process", is_flag=True, help="Run the app in the host's own process, for any debugger."),
        click.option("--debug", is_flag=False, flag_value="", metavar="[PORT]", help="Run the worker under debugpy."),
        click.option("--debug-wait", is_flag=True, help="Run the worker under debugpy, and load the app once a debugger has attached."),
        click.option("--enable-auth", "--enableAuth", is_flag=True, help="Ask for keys, as on Azure."),
        click.option("--use-https", "--useHttps", is_flag=True, help="Serve HTTPS with a generated certificate."),
        click.option("--cors", help="Allowed origins, separated by commas, or *."),
        click.option("--cors-credentials", is_flag=True, help="Allow credentials with CORS."),
        click.option(
            "--user-log-level",
            type=click.Choice(list(LEVELS), case_sensitive=False),
            help="Lowest level of functions' lines.  [default: Information]",
        ),
        click.option("--verbose", is_flag=True, help="Show the host's own lines too."),
        click.option("--json", "--enable-json-output", "as_json", is_flag=True, help="One JSON object a log line."),
        click.option("--language-worker", hidden=True),
        *(
            click.option(f"--{flag}", hidden=True, is_flag=True)
            for flag in ("no-build", "offline", "dotnet-isolated-debug", "pause-on-error")
        ),
        *(
            click.option(*names, hidden=True)
            for names in (["--timeout", "-t"], ["--runtime"], ["--json-output-file"], ["--cert"], ["--password"])
        ),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


@click.command("start")
@_options
def start(**given: Any) -> None:
    """Serve and fire the functions of the app in this folder."""
    gc.disable()  # what is imported now stays; to look through it again and again is a quarter of the start
    click.get_current_context().call_on_close(gc.enable)  # if it does not get as far as to serve
    from linarite.cli.run import run
    from linarite.options import HostOptions

    folder = app_folder(given["script_root"])
    debug_port = _debug_port(given["debug"])
    if given["in_process"] and (debug_port is not None or given["debug_wait"]):
        raise OperatorError(
            "--debug is for a worker of its own; with --in-process there is none. Start the host itself under the debugger: "
            "python -m debugpy --listen 9091 -m linarite start --in-process"
        )
    for name, what in IGNORED.items():
        if given.get(name):
            click.secho(f"Ignored: {what}.", fg="yellow", err=True)
    options = HostOptions(
        folder=folder,
        port=given["port"],
        address=given["address"],
        python=given["python"],
        storage=given["storage"],
        functions=given["functions"],
        reload=given["reload"],
        in_process=given["in_process"],
        debug_port=debug_port,
        debug_wait=given["debug_wait"],
        worker_arguments=given["language_worker"],
        enable_auth=given["enable_auth"],
        use_https=given["use_https"],
        cors=tuple(origin.strip() for origin in given["cors"].split(",") if origin.strip()) if given["cors"] else None,
        cors_credentials=given["cors_credentials"],
        user_log_level=given["user_log_level"],
    )
    run(options, verbose=given["verbose"], as_json=given["as_json"])


@click.group("host", hidden=True)
def _host() -> None:
    """`func host start`, as editors spell it."""


_host.add_command(start)


def register(cli: click.Group) -> None:
    """Add the commands to the command line."""
    cli.add_command(start)
    cli.add_command(_host)


def app_folder(given: Path | None) -> Path:
    """The folder to serve: the one named, else the nearest one upwards that looks like an app."""
    if given is not None:
        if not given.is_dir():
            raise OperatorError(f'"{given}" doesn\'t exist.')
        return given.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "host.json").exists() or (folder / "local.settings.json").exists():
            return folder
    raise OperatorError(
        "Unable to find project root. Expecting to find one of host.json, local.settings.json in project root. "
        f"Looked in {here} and above; go to the app's folder or name it with --script-root."
    )


def _debug_port(text: str | None) -> int | None:
    """The debugger's port, from `--debug [PORT]`."""
    from linarite.workers.interpreter_arguments import DEFAULT_DEBUG_PORT

    if not text:
        return None if text is None else DEFAULT_DEBUG_PORT
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise OperatorError(f"--debug takes a port, such as {DEFAULT_DEBUG_PORT}; {text!r} is none.")
    return int(text)

"""Apps whose functions are declared in function.json files, one folder each, instead of with decorators.

The host reads them, a worker imports what they name. An app with a script for decorators is not one of them, whatever else it has.
Source: azure-functions-host, HostFunctionMetadataProvider and Utility; functions-host section 1.4.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linarite import jsonc
from linarite.metadata import Binding, Function, RetrySettings, SourceLine
from linarite.retries import BadRetryPolicy, retry_policy
from linarite.workers.protocol import LoadFailure

FILE = "function.json"
DEFAULT_SCRIPT = "function_app.py"
_SCRIPT_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_\-]*\.py", re.ASCII)
_DIRECTIONS = ("in", "out", "inout")


class _Unreadable(Exception):
    """What is wrong with one function.json, in the words of the Functions host where it has any."""


@dataclass(frozen=True, slots=True)
class Declarations:
    """What the files of an app's folder declare. `functions` None: a script for decorators is there, and it alone counts."""

    script: str
    functions: tuple[Function, ...] | None
    failures: tuple[LoadFailure, ...] = ()
    warnings: tuple[str, ...] = ()
    failure: LoadFailure | None = None


def declarations(folder: Path, environment: Mapping[str, str]) -> Declarations:
    """Read what an app declares. `environment`: its settings, of which PYTHON_SCRIPT_FILE_NAME names the script for decorators."""
    script = environment.get("PYTHON_SCRIPT_FILE_NAME") or DEFAULT_SCRIPT
    if not _SCRIPT_NAME.fullmatch(script):
        return Declarations(script, (), failure=_bad_name(script))
    files = sorted(folder.glob(f"*/{FILE}"))
    if (folder / script).exists():
        return Declarations(script, None, warnings=_mixed(script, files))
    if not files:
        return Declarations(script, (), failure=_nothing(folder, script))
    functions: list[Function] = []
    failures: list[LoadFailure] = []
    warnings: list[str] = []
    for file in files:
        try:
            raw = _read(file)
            functions.append(_function(file, raw))
            warnings += _disabled(file, raw)
        except (_Unreadable, BadRetryPolicy, jsonc.JsonSyntaxError) as error:
            failures.append(_unread(file, error))
    return Declarations(script, tuple(functions), tuple(failures), tuple(warnings))


def _unread(file: Path, error: Exception) -> LoadFailure:
    message = f"{file}, {error}" if isinstance(error, jsonc.JsonSyntaxError) else str(error)
    return LoadFailure(type_name="", message=message, traceback="", function_name=file.parent.name, file=str(file))


def _mixed(script: str, files: list[Path]) -> tuple[str, ...]:
    if not files:
        return ()
    names = ", ".join(file.parent.name for file in files)
    return (f"Detected mixed function app. Some functions may not be indexed: {script} is there, so {FILE} of {names} is not read.",)


def _bad_name(script: str) -> LoadFailure:
    text = f"Invalid file name: {script} (PYTHON_SCRIPT_FILE_NAME). It must be a Python file of letters, digits, _ and -, such as main.py."
    return LoadFailure(type_name="InvalidFileNameError", message=text, traceback="")


def _nothing(folder: Path, script: str) -> LoadFailure:
    text = f"{folder} has neither {script} nor a folder with a {FILE}. Write one, or choose another folder with --script-root."
    return LoadFailure(type_name="NoFunctionApp", message=text, traceback="")


def _disabled(file: Path, raw: Mapping[str, Any]) -> tuple[str, ...]:
    name = file.parent.name
    if not raw.get("disabled"):
        return ()
    return (f"{file}: 'disabled' is not honoured, here as on Azure. Set AzureWebJobs.{name}.Disabled to true instead.",)


def _read(file: Path) -> dict[str, Any]:
    """The file's object, its names in lower case."""
    value = jsonc.parse(file.read_text("utf-8-sig", errors="replace")).value
    if not isinstance(value, dict):
        raise _Unreadable(f"{file} holds {type(value).__name__}, not an object with scriptFile and bindings.")
    return {name.lower(): member for name, member in value.items()}


def _function(file: Path, raw: Mapping[str, Any]) -> Function:
    folder = file.parent
    script = _script(folder, raw.get("scriptfile"))
    return Function(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, folder.name)),
        name=folder.name,
        bindings=tuple(_binding(one) for one in _bindings(raw)),
        script_file=str(script),
        entry_point=str(raw.get("entrypoint") or "main"),
        directory=str(folder),
        def_name=str(raw.get("entrypoint") or "main"),
        source=SourceLine(file=str(script), line=1),
        retry=_retry(folder.name, raw.get("retry")),
        is_decorated=False,
    )


def _bindings(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = raw.get("bindings") or []
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise _Unreadable("'bindings' must be an array of objects.")
    return given


def _binding(raw: dict[str, Any]) -> Binding:
    members = {name.lower(): value for name, value in raw.items()}
    direction = str(members.get("direction") or "in")
    if direction.lower() not in _DIRECTIONS:
        raise _Unreadable(f"'{direction}' is not a valid binding direction.")
    return Binding(name=str(members.get("name") or ""), type=str(members.get("type") or ""), direction=direction.lower(), raw=raw)


def _script(folder: Path, given: object) -> Path:
    """The script a function.json means: the one it names, the only one, `run.py` or `__init__.py`."""
    if given is not None:
        script = Path(os.path.normpath(folder / str(given)))
        if not script.is_file():
            raise _Unreadable("Invalid script file name configuration. The 'scriptFile' property is set to a file that does not exist.")
        return script
    others = sorted(one for one in folder.iterdir() if one.is_file() and one.name.lower() != FILE)
    if len(others) == 1:
        return others[0]
    for one in others:
        if one.stem.lower() == "run" or one.name.lower() == "__init__.py":
            return one
    raise _Unreadable(
        "Unable to determine the primary function script. Make sure atleast one script file is present. "
        "Try renaming your entry point script to 'run' or alternatively you can specify the name of the entry point script explicitly "
        "by adding a 'scriptFile' property to your function metadata."
    )


def _retry(name: str, raw: object) -> RetrySettings | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise _Unreadable("'retry' must be an object.")
    return retry_policy(raw, f"Retry policy of {name}")

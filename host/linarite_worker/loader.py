"""Loads an app: imports its script, finds the app object, asks it for its functions, checks each.

Source: azure-functions-python-worker, loader; functions-host sections 1.1 and 2.1.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import sys
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

from linarite_worker import signatures
from linarite_worker.converters import is_async
from linarite_worker.failures import LoadError
from linarite_worker.signatures import Signature
from linarite_worker.web_extension import WebExtension, web_extension


@dataclass(frozen=True)
class LoadedFunction:
    """One function, ready to be called; `facts` is what the host is told of one that it does not know yet."""

    id: str
    name: str
    directory: str
    call: Callable[..., Any]
    is_async: bool
    signature: Signature
    facts: dict[str, Any] = field(default_factory=dict)


def app_object(script: str) -> Any:
    """The app that a script makes. Whatever is wrong with it is raised."""
    return _app_of(imported(Path(script).stem), script)


@dataclass(frozen=True)
class LoadedApp:
    """A decorated app's functions, and what its HTTP functions are called by, if that is an extension."""

    functions: list[LoadedFunction]
    web: WebExtension | None


def load(app: Any, folder: str, script: str, *, is_shared: bool = False) -> LoadedApp:
    """The functions of a decorated app. Whatever is wrong with them is raised. `is_shared`: other apps may be in this process."""
    try:
        functions = _functions_of(app)
    except ValueError as error:
        raise _located(error, app) from None
    web = web_extension([function.get_user_function() for function in functions], is_shared=is_shared)
    return LoadedApp([_loaded(function, folder, script, web) for function in functions], web)


def _functions_of(app: Any) -> list[Any]:
    """What the app declares. An app that was asked before has kept the names, and would complain of each that it is there already."""
    app.functions_bindings = None
    functions: list[Any] = app.get_functions()
    return functions


def with_call(function: LoadedFunction, call: Callable[..., Any]) -> LoadedFunction:
    """The function with other code. Raises TypeError, with what is expected, if that cannot take as many arguments."""
    signature = function.signature
    names = [*signature.inputs, *signature.outputs, *(["context"] if signature.wants_context else [])]
    return replace(function, call=_by_name_or_place(function.name, call, names), is_async=is_async(call))


def _by_name_or_place(name: str, call: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    """Something that takes these keyword arguments: `call` itself, or else `call` with what they hold in their order."""
    try:
        expected = inspect.signature(call)
    except ValueError:  # some that are written in C
        return lambda **given: call(*(given[one] for one in names))
    with contextlib.suppress(TypeError):
        expected.bind(**dict.fromkeys(names))
        return call
    try:
        expected.bind(*names)
    except TypeError as error:
        raise TypeError(f"{call!r} cannot stand for {name}, which is called with {', '.join(names)}: {error}.") from None
    return lambda **given: call(*(given[one] for one in names))


def imported(name: str) -> ModuleType:
    """A module of the app. An import that fails gets the Functions worker's hint."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        error.msg = (
            f"{error.msg} Cannot find module. Please check the requirements.txt file for the missing module. "
            f"For more info, please refer the troubleshooting guide: https://aka.ms/functions-modulenotfound. Current sys.path: {sys.path}"
        )
        raise


def _app_of(module: ModuleType, script: str) -> Any:
    found = [value for name in dir(module) if isinstance(value := getattr(module, name, None), func.FunctionRegister)]
    if not found:
        raise LoadError(f"Could not find top level function app instances in {script}.", (str(module.__file__), 1), "ValueError", _NO_APP)
    if len(found) > 1:
        raise LoadError(
            f"More than one {type(found[0]).__name__} or other top level function app instances are defined.",
            (str(module.__file__), 1),
            "ValueError",
            f"They are {', '.join(name for name in dir(module) if any(getattr(module, name) is app for app in found))}; leave one of them. "
            "Functions of other modules belong into a func.Blueprint.",
        )
    return found[0]


_NO_APP = (
    "Assign one to a name in it: app = func.FunctionApp(), or func.AsgiFunctionApp(app=...) or func.WsgiFunctionApp(app=...) around an app "
    "of another framework. A func.Blueprint is none; register it with app.register_functions(...)."
)


def _located(error: ValueError, app: Any) -> Exception:
    """The SDK's complaint about a function, with the place of the last function it can mean."""
    for builder in reversed(getattr(app, "_function_builders", ())):
        function = getattr(builder, "_function", None)
        if function is not None and str(error).startswith(f"Function {function.get_function_name()} "):
            return LoadError(str(error), source_of(function.get_user_function()), type(error).__name__)
    return error


def _loaded(function: Any, folder: str, script: str, web: WebExtension | None) -> LoadedFunction:
    call = function.get_user_function()
    name = function.get_function_name()
    raw = [json.loads(text) for text in function.get_raw_bindings()]
    source = source_of(call)
    try:
        signature = signatures.check(name, call, [signatures.declared(binding) for binding in raw], signatures.DECORATED, web)
    except LoadError as error:
        raise LoadError(str(error), source, error.type_name, error.hint) from None
    facts = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        "name": name,
        "bindings": [_as_reference(binding) if binding["name"] in signature.clients else binding for binding in raw],
        "script_file": script,
        "entry_point": name,
        "directory": folder,
        "def_name": call.__name__,
        "source": None if source is None else {"file": source[0], "line": source[1]},
        "is_streamed": bool(signature.streamed),
        "retry": function.get_settings_dict("retry_policy") or None,
    }
    return LoadedFunction(facts["id"], name, folder, call, is_async(call), signature, facts)


def _as_reference(binding: dict[str, Any]) -> dict[str, Any]:
    """The binding with the mark that asks the host for a reference instead of content."""
    return {**binding, "properties": {**binding.get("properties", {}), "SupportsDeferredBinding": True}}


def source_of(function: Any) -> tuple[str, int] | None:
    """File and line where the user's code of a function begins, behind whatever wraps it."""
    code = getattr(inner_function(function), "__code__", None)
    return None if code is None else (code.co_filename, code.co_firstlineno)


def inner_function(function: Any) -> Any:
    """The user's own function behind the SDK's wrappers, `functools.wraps` and partials."""
    seen: list[Any] = []
    while not any(function is one for one in seen):
        seen.append(function)
        function = next((inner for inner in _wrapped_by(function) if callable(inner)), function)
    return function


def _wrapped_by(function: Any) -> Iterable[Any]:
    for name in ("orchestrator_function", "entity_function", "client_function", "__wrapped__", "func"):
        yield getattr(function, name, None)
    if (getattr(function, "__module__", None) or "").startswith("azure."):  # SDKs that leave no attribute keep it in a closure
        for cell in getattr(function, "__closure__", None) or ():
            if inspect.isfunction(cell.cell_contents):
                yield cell.cell_contents
    if not inspect.isroutine(function):
        yield getattr(function, "__call__", None)  # noqa: B004

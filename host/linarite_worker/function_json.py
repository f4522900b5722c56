"""Functions that function.json files declare: imports what they name, under the package name the Functions worker uses.

Source: azure-functions-python-worker, loader.load_function; functions-host section 1.4.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from linarite_worker import loader, signatures
from linarite_worker.converters import is_async
from linarite_worker.failures import LoadError
from linarite_worker.loader import LoadedFunction
from linarite_worker.signatures import Signature

PACKAGE = "__app__"
"""The app's folder as a package, so that `from ..shared import x` and `from __app__.shared import x` work."""


def load(folder: str, declared: Mapping[str, Any]) -> LoadedFunction:
    """One function, ready to be called. Whatever is wrong with it is raised."""
    _make_package(folder)
    name = declared["name"]
    script = Path(declared["script_file"]).relative_to(folder)
    module = loader.imported(_module_name(name, script))
    call = getattr(module, declared["entry_point"], None)
    if not callable(call):
        what = f"function {declared['entry_point']}() is not present in {script}"
        raise LoadError(f"cannot load function {name}: {what}", (declared["script_file"], 1), "RuntimeError")
    bindings = [signatures.declared(binding) for binding in declared["bindings"]]
    try:
        signature = signatures.check(name, call, bindings, signatures.FUNCTION_JSON)
    except LoadError as error:
        raise LoadError(str(error), loader.source_of(call), error.type_name) from None
    return LoadedFunction(declared["id"], name, declared["directory"], call, is_async(call), signature)


def broken(declared: Mapping[str, Any], error: BaseException) -> LoadedFunction:
    """A function that could not be loaded: calling it raises why."""

    def call() -> None:
        raise error.with_traceback(None)

    return LoadedFunction(declared["id"], declared["name"], declared["directory"], call, False, Signature())


def _module_name(name: str, script: Path) -> str:
    if script.suffix != ".py":
        raise LoadError(f"cannot load function {name}: invalid Python filename {script}", type_name="RuntimeError")
    parts = script.with_suffix("").parts
    return ".".join((PACKAGE, *(parts[:-1] if parts[-1].lower() == "__init__" else parts)))


def _make_package(folder: str) -> None:
    package = sys.modules.get(PACKAGE)
    if package is None or package.__path__ != [folder]:
        package = sys.modules[PACKAGE] = ModuleType(PACKAGE)
        package.__path__ = [folder]

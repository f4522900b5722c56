"""From what a worker found in an app, and what files declare, to what the host knows of it."""

from __future__ import annotations

from typing import Any

from linarite.metadata import Binding, Function
from linarite.retries import BadRetryPolicy, decorated_retry_policy
from linarite.workers import wire
from linarite.workers.function_json import Declarations
from linarite.workers.protocol import IndexedApp, LoadFailure


def indexed_app(found: wire.Indexed, declared: Declarations) -> IndexedApp:
    """The app. A decorated one with a bad retry policy has no functions at all, as on Azure."""
    failure = declared.failure or found.failure
    functions: tuple[Function, ...] = declared.functions or ()
    if declared.functions is None:
        try:
            functions = tuple(_function(one) for one in found.functions)
        except _BadFunction as error:
            failure = error.failure
    return IndexedApp(
        functions=functions,
        failure=failure,
        function_failures=declared.failures + found.function_failures,
        python_version=found.python_version,
        sdk_versions=found.sdk_versions,
        warnings=declared.warnings,
    )


class _BadFunction(Exception):
    def __init__(self, failure: LoadFailure) -> None:
        self.failure = failure


def _function(found: wire.IndexedFunction) -> Function:
    try:
        retry = None if found.retry is None else decorated_retry_policy(found.retry, f"Retry policy of {found.name}")
    except BadRetryPolicy as error:
        failure = LoadFailure(type_name="ValueError", message=str(error), traceback="", source=found.source, function_name=found.name)
        raise _BadFunction(failure) from None
    return Function(
        id=found.id,
        name=found.name,
        bindings=tuple(_binding(raw) for raw in found.bindings),
        script_file=found.script_file,
        entry_point=found.entry_point,
        directory=found.directory,
        def_name=found.def_name,
        source=found.source,
        retry=retry,
        is_streamed=found.is_streamed,
    )


def _binding(raw: dict[str, Any]) -> Binding:
    """A binding as a decorator emits it: `name`, `type` and `direction` are always there."""
    return Binding(name=raw["name"], type=raw["type"], direction=raw["direction"].lower(), raw=raw)

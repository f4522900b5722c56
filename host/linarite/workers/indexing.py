"""From what a worker found in an app to what the host knows of it."""

from __future__ import annotations

from typing import Any

from linarite.metadata import Binding, Function, RetrySettings
from linarite.retries import BadRetryPolicy, decorated_retry_policy, retry_policy
from linarite.workers import wire
from linarite.workers.protocol import IndexedApp, LoadFailure


def indexed_app(message: wire.Indexed) -> IndexedApp:
    """The app. A bad retry policy fails the one function of a function.json app, or the whole of a decorated one, as on Azure."""
    functions: list[Function] = []
    failures = list(message.function_failures)
    for found in message.functions:
        try:
            functions.append(_function(found))
        except BadRetryPolicy as error:
            failure = LoadFailure(type_name="ValueError", message=str(error), traceback="", source=found.source, function_name=found.name)
            if found.is_decorated:
                return _app(message, failure=failure)
            failures.append(failure)
    return _app(message, functions=tuple(functions), failure=message.failure, function_failures=tuple(failures))


def _app(message: wire.Indexed, **fields: Any) -> IndexedApp:
    return IndexedApp(python_version=message.python_version, sdk_versions=message.sdk_versions, warnings=message.warnings, **fields)


def _function(found: wire.IndexedFunction) -> Function:
    return Function(
        id=found.id,
        name=found.name,
        bindings=tuple(_binding(raw) for raw in found.bindings),
        script_file=found.script_file,
        entry_point=found.entry_point,
        directory=found.directory,
        def_name=found.def_name,
        source=found.source,
        retry=_retry(found),
        is_decorated=found.is_decorated,
    )


def _binding(raw: dict[str, Any]) -> Binding:
    by_name = {key.lower(): value for key, value in raw.items()}
    direction = str(by_name.get("direction") or "in").lower()
    return Binding(name=str(by_name.get("name", "")), type=str(by_name.get("type", "")), direction=direction, raw=raw)


def _retry(found: wire.IndexedFunction) -> RetrySettings | None:
    if found.retry is None:
        return None
    where = f"Retry policy of {found.name}" + (f" ({found.source})" if found.source else "")
    return decorated_retry_policy(found.retry, where) if found.is_decorated else retry_policy(found.retry, where)

"""Functions for tests, without an app."""

from __future__ import annotations

from typing import Any

from linarite.metadata import Binding, Function, SourceLine


def function(name: str, *bindings: dict[str, Any]) -> Function:
    return Function(
        id=name,
        name=name,
        bindings=tuple(Binding(name=raw["name"], type=raw["type"], direction=str(raw["direction"]).lower(), raw=raw) for raw in bindings),
        script_file="function_app.py",
        entry_point=name,
        directory="/app",
        def_name=name,
        source=SourceLine(file="function_app.py", line=7),
    )


def http_function(name: str, route: str | None = None, methods: list[str] | None = None, **trigger: Any) -> Function:
    raw = {"direction": "IN", "type": "httpTrigger", "name": "req", "authLevel": "ANONYMOUS", **trigger}
    if route is not None:
        raw["route"] = route
    if methods is not None:
        raw["methods"] = methods
    return function(name, raw, {"direction": "OUT", "type": "http", "name": "$return"})

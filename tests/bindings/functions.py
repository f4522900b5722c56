"""Functions as the worker reports them, for tests: a name and bindings."""

from __future__ import annotations

from typing import Any

from linarite.metadata import Binding, Function


def binding(type_name: str, name: str, direction: str = "in", **properties: Any) -> Binding:
    raw = {"direction": direction.upper(), "type": type_name, "name": name, **properties}
    return Binding(name=name, type=type_name, direction=direction, raw=raw)


def function(name: str, *bindings: Binding) -> Function:
    return Function(
        id=f"id-of-{name}", name=name, bindings=bindings, script_file="function_app.py", entry_point=name, directory=".", def_name=name
    )


def triggered(type_name: str, **properties: Any) -> Function:
    """A function with nothing but a trigger, whose parameter is `it`."""
    return function("f", binding(type_name, "it", **properties))

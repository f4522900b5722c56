"""The listing of an app's functions, in Core Tools' form, and the lines above it.

Source: azure-functions-core-tools, DisplayFunctionsInfoUtilities; functions-host section 9.1. Ours: a timer's line ends with its next time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from linarite.metadata import Function


def listing(
    functions: Iterable[Function],
    *,
    base_url: str,
    route_prefix: str,
    disabled: Collection[str] = (),
    next_times: Mapping[str, datetime] | None = None,
) -> list[str]:
    """The lines: HTTP functions first, each group by name; a blank line behind each; then the disabled ones.

    `base_url` has no trailing slash. `next_times`: when each timer fires next, by function name.
    """
    ordered = sorted(functions, key=lambda function: (function.trigger_type != "httptrigger", function.name.lower()))
    enabled = [function for function in ordered if function.name not in disabled]
    lines = ["", "Functions:", ""] if enabled else [""]
    for function in enabled:
        lines += [f"\t{function.name}: {_what(function, base_url, route_prefix, next_times or {})}", ""]
    return lines + [f"Function {function.name} is disabled." for function in ordered if function.name in disabled]


def _what(function: Function, base_url: str, route_prefix: str, next_times: Mapping[str, datetime]) -> str:
    if function.trigger_type == "httptrigger":
        return f"{_methods(function)} {base_url}/{_path(function, route_prefix)}"
    when = next_times.get(function.name)
    return function.trigger.type + (f" (next at {when.isoformat(sep=' ', timespec='seconds')})" if when else "")


def _methods(function: Function) -> str:
    methods = function.trigger.get("methods")
    return f"[{','.join(str(method).upper() for method in methods)}]" if methods else ""


def _path(function: Function, route_prefix: str) -> str:
    route = function.trigger.get("route")
    route = function.name if route is None else str(route)
    return f"{route_prefix}/{route}".lstrip("/") if route_prefix else route.lstrip("/")

"""`/admin/functions`: what functions there are, what is wrong with them, and running one by hand.

Source: azure-functions-host, FunctionsController, FunctionMetadataExtensions; functions-host section 4.1.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from linarite import jsonc
from linarite.function_rules import name_order
from linarite.metadata import Function
from linarite.web.admin.call import Call, Refused, route
from linarite.web.reply import Reply, as_json, empty, text
from linarite.web.routes import full_route
from linarite.web.site import Site

_READ_ONLY = "linarite does not change an app's files. Edit them in its folder; a saved change is loaded at once."


async def list_functions(call: Call) -> Reply:
    """All functions, by name."""
    site = call.web.site
    return as_json(200, [_shown(function, site, call) for function in sorted(site.functions, key=name_order)])


async def show_function(call: Call) -> Reply:
    """One function."""
    return as_json(200, _shown(_function(call), call.web.site, call))


async def show_status(call: Call) -> Reply:
    """What keeps a function from running. Known as well of functions whose metadata could not be read."""
    name = call.values["name"].lower()
    errors = [error for known, found in call.web.site.function_errors.items() if known.lower() == name for error in found]
    if not errors and call.web.site.function(name) is None:
        return empty(404)
    return as_json(200, {"errors": errors} if errors else {})


async def run_function(call: Call) -> Reply:
    """Run a function by hand. 202 at once; how it ends is only logged."""
    function = _function(call)
    given = call.json()
    if not isinstance(given, dict) or isinstance(given.get("input"), (dict, list)):
        return empty(400)
    value = given.get("input")
    await call.web.host.fire(function, None if value is None else str(value))
    return empty(202)


async def refuse_change(call: Call) -> Reply:
    """The Functions host would write or delete a folder of the app's."""
    return text(405, _READ_ONLY)


def _function(call: Call) -> Function:
    function = call.web.site.function(call.values["name"])
    if function is None:
        raise Refused(empty(404))
    return function


def _shown(function: Function, site: Site, call: Call) -> dict[str, Any]:
    base = call.base_url
    folder = Path(function.directory)
    script = folder / Path(function.script_file).name
    own = None if function.is_decorated else f"{base}/admin/vfs{folder.as_posix()}/"
    is_http = function.trigger_type == "httptrigger"
    return {
        "name": function.name,
        "script_root_path_href": own,
        "script_href": f"{base}/admin/vfs{script.as_posix()}",
        "config_href": own and f"{own}function.json",
        "test_data_href": f"{base}/admin/vfs{Path(tempfile.gettempdir()).as_posix()}/FunctionsData/{function.name}.dat",
        "href": f"{base}/admin/functions/{function.name}",
        "invoke_url_template": f"{base}/{full_route(function, site.host.http.route_prefix)}".lower() if is_http else None,
        "language": "python",
        "config": _config(function),
        "files": None,
        "test_data": "",
        "isDisabled": function.name in site.disabled,
        "isDirect": False,
        "isProxy": False,
    }


def _config(function: Function) -> dict[str, Any]:
    """The content of its function.json, or what would be in it."""
    if not function.is_decorated:
        return dict(jsonc.parse((Path(function.directory) / "function.json").read_text("utf-8-sig")).value)
    return {
        "name": function.name,
        "entryPoint": function.name,  # not the `def`'s, which the worker does not tell the Functions host
        "scriptFile": function.script_file,
        "language": "python",
        "functionDirectory": function.directory,
        "bindings": [binding.raw for binding in function.bindings],
    }


ROUTES = [
    *route("GET", "admin/functions", list_functions),
    *route("GET", "admin/functions/{name}", show_function),
    *route("GET", "admin/functions/{name}/status", show_status),
    *route("POST", "admin/functions/{name}", run_function),
    *route("PUT|DELETE", "admin/functions/{name}", refuse_change),
]

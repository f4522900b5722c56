"""Keys over HTTP: `/admin/host/{keys|functionkeys|systemkeys}` and `/admin/functions/{name}/keys`.

Source: azure-functions-host, KeysController; functions-host section 4.3.
"""

from __future__ import annotations

from typing import Any

from linarite.web.admin.call import Call, Refused, route
from linarite.web.keys import MASTER, Key, Scope
from linarite.web.reply import Reply, as_json, empty, text

_SCOPES: dict[str, Scope] = {"keys": "functionkeys", "functionkeys": "functionkeys", "systemkeys": "systemkeys"}


async def list_keys(call: Call) -> Reply:
    """All keys of a scope."""
    return as_json(200, {"keys": [{"name": key.name, "value": key.value} for key in _keys(call)], **_links(call)})


async def show_key(call: Call) -> Reply:
    """One key; the master key is a system key."""
    name = call.values["key"].lower()
    if _scope(call) == "systemkeys" and name == MASTER:
        return as_json(200, _shown(Key(MASTER, call.web.doors.keys.master), call))
    key = next((key for key in _keys(call) if key.name.lower() == name), None)
    return empty(404) if key is None else as_json(200, _shown(key, call))


async def put_key(call: Call) -> Reply:
    """Set a key to a value."""
    given = call.json()
    value = given.get("value") if isinstance(given, dict) else None
    if not isinstance(value, str) or not value:
        return text(400, "Invalid key value")
    return _put(call, value)


async def make_key(call: Call) -> Reply:
    """Set a key to a fresh value."""
    return _put(call, None)


async def delete_key(call: Call) -> Reply:
    """Forget a key. What the host itself needs stays."""
    name, scope, keys = call.values["key"], _scope(call), call.web.doors.keys
    if scope == "systemkeys" and name.lower() == MASTER:
        return text(400, "Cannot delete System Key.")
    deleted = keys.delete_function(_function(call), name) if scope is None else keys.delete_host(scope, name)
    return empty(204 if deleted else 404)


def _put(call: Call, value: str | None) -> Reply:
    name, scope, keys = call.values["key"], _scope(call), call.web.doors.keys
    key, is_new = keys.put_function(_function(call), name, value) if scope is None else keys.put_host(scope, name, value)
    reply = as_json(201 if is_new else 200, _shown(Key(name, key.value), call))
    if is_new:
        reply.headers.append((b"location", call.url.encode("ascii", "replace")))
    return reply


def _scope(call: Call) -> Scope | None:
    """The list of host-wide keys the path names; None if it names a function."""
    if "name" in call.values:
        return None
    scope = _SCOPES.get(call.values["scope"].lower())
    if scope is None:
        raise Refused(empty(404))
    return scope


def _keys(call: Call) -> list[Key]:
    scope = _scope(call)
    keys = call.web.doors.keys
    return keys.function_keys(_function(call)) if scope is None else keys.host_keys(scope)


def _function(call: Call) -> str:
    function = call.web.site.function(call.values["name"])
    if function is None:
        raise Refused(empty(404))
    return function.name


def _shown(key: Key, call: Call) -> dict[str, Any]:
    return {"name": key.name, "value": key.value, **_links(call)}


def _links(call: Call) -> dict[str, Any]:
    return {"links": [{"rel": "self", "href": call.url}]}


_HOST, _FUNCTION = "admin/host/{scope:regex(^(keys|functionkeys|systemkeys)$)}", "admin/functions/{name}/keys"
ROUTES = [
    entry
    for place in (_HOST, _FUNCTION)
    for entry in (
        *route("GET", place, list_keys),
        *route("GET", place + "/{key}", show_key),
        *route("PUT", place + "/{key}", put_key),
        *route("POST", place + "/{key}", make_key),
        *route("DELETE", place + "/{key}", delete_key),
    )
]

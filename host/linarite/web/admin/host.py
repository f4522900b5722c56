"""`/admin/host`: state, ping, drain, restart, logs, and the odd ends of the admin API.

Source: azure-functions-host, HostController, InstanceController; functions-host section 4.2.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from linarite import __version__
from linarite.web.admin.call import Call, route
from linarite.web.reply import TEXT, Reply, as_json, empty, text

RUNTIME_VERSION = "4.0.0.0"
"""The generation of the Functions runtime this host stands for."""

_LEVELS = (5, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LEVEL_NAMES = ("trace", "debug", "information", "warning", "error", "critical")
_XML = (
    '<HostStatus xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
    'xmlns="http://schemas.datacontract.org/2004/07/Microsoft.Azure.WebJobs.Script.WebHost.Models">{}</HostStatus>'
)
_XML_ARRAYS = 'xmlns:d2p1="http://schemas.microsoft.com/2003/10/Serialization/Arrays"'


async def ping(call: Call) -> Reply:
    """Whether the process answers; with `checkHealth=1` also whether the app runs."""
    is_ill = call.query.get("checkHealth") == "1" and call.web.site.state == "Error"
    return Reply(500 if is_ill else 200, [(b"cache-control", b"no-store,no-cache"), (b"pragma", b"no-cache")])


async def status(call: Call) -> Reply:
    """State and errors, as JSON or XML."""
    site, host = call.web.site, call.web.host
    value = {
        "id": host.id,
        "state": site.state,
        "version": RUNTIME_VERSION,
        "versionDetails": f"linarite {__version__}",
        "platformVersion": "",
        "instanceId": "",
        "computerName": "",
        **({"errors": list(site.errors)} if site.errors else {}),
        "processUptime": int((call.web.clock.now() - host.started_at).total_seconds() * 1000),
        "functionAppContentEditingState": "Unknown",
    }
    if "xml" in call.headers.get("accept", "") and "json" not in call.headers.get("accept", ""):
        return Reply(200, [(b"content-type", b"application/xml; charset=utf-8")], _status_xml(value).encode())
    return as_json(200, value)


def _status_xml(value: Mapping[str, Any]) -> str:
    """The same as .NET's data contract serializer writes it: members by name, in the order of their names."""
    errors = value.get("errors")
    texts = "".join(f"<d2p1:string>{escape(error)}</d2p1:string>" for error in errors or ())
    members = {
        **{name[0].upper() + name[1:]: f">{escape(str(member))}</{name[0].upper()}{name[1:]}>" for name, member in value.items()},
        "Errors": f" {_XML_ARRAYS}>{texts}</Errors>" if errors else f' {_XML_ARRAYS} i:nil="true" />',
        "ExtensionBundle": ' i:nil="true" />',
    }
    return _XML.format("".join(f"<{name}{members[name]}" for name in sorted(members)))


async def config(call: Call) -> Reply:
    """Options of the HTTP extension, and of concurrency."""
    http = call.web.site.host.http
    value = {
        "extensions": {
            "http": {
                "dynamicThrottlesEnabled": False,
                "enableChunkedRequestBinding": False,
                "maxConcurrentRequests": http.max_concurrent_requests,
                "maxOutstandingRequests": http.max_outstanding_requests,
                "routePrefix": http.route_prefix,
            }
        },
        "concurrency": {
            "dynamicConcurrencyEnabled": False,
            "maximumFunctionConcurrency": 500,
            "cpuThreshold": 0.8,
            "snapshotPersistenceEnabled": True,
        },
    }
    return Reply(200, [TEXT], json.dumps(value, indent=2).encode())


async def processes(call: Call) -> Reply:
    """This process and those that run user code."""
    named = [(os.getpid(), "linarite"), *((pid, "python") for pid in call.web.host.worker_pids)]
    shown = [{"processId": pid, "processName": name, "debugEngine": "python", "isEligibleForOpenInBrowser": False} for pid, name in named]
    return as_json(200, {"processes": shown})


async def drain(call: Call) -> Reply:
    """Stop the app's listeners."""
    await call.web.host.drain()
    return empty(202)


async def drain_status(call: Call) -> Reply:
    """How far a drain has come."""
    now = call.web.host.drain_status()
    return as_json(200, {"state": now.state, "outstandingInvocations": now.invocations, "outstandingRetries": now.retries})


async def resume(call: Call) -> Reply:
    """Start the app's listeners again."""
    if call.web.site.state not in ("Running", "Starting"):
        return empty(409)
    await call.web.host.resume()
    return as_json(200, {"state": call.web.site.state})


async def set_state(call: Call) -> Reply:
    """Take the app offline, or back."""
    wanted = call.json()
    if not isinstance(wanted, str) or wanted.lower() not in ("offline", "running"):
        return empty(400)
    is_offline = wanted.lower() == "offline"
    if (call.web.site.state == "Offline") == is_offline:
        return empty(200)
    await call.web.host.set_offline(is_offline)
    return empty(202)


async def restart(call: Call) -> Reply:
    """Load the app anew."""
    await call.web.host.restart()
    folder = str(call.web.host.folder)
    return as_json(200, {"isSelfHost": True, "secretsPath": "", "scriptPath": folder, "logPath": "", "testDataPath": ""})


async def write_log(call: Call) -> Reply:
    """Log entries of whoever calls, under a function's category or their own."""
    entries = call.json()
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        return text(400, "An array of log entry objects is expected.")
    for entry in entries:
        names = {name.lower(): value for name, value in entry.items()}
        function = names.get("functionname")
        category = f"Function.{function}" if function else str(names.get("category") or names.get("source") or "Host.Controllers.Host")
        logging.getLogger(category).log(_level(names.get("level")), "%s", names.get("message") or "")
    return empty(200)


def _level(given: object) -> int:
    """A level by .NET's name or number; Information if it is neither."""
    if isinstance(given, str) and given.lower() in _LEVEL_NAMES:
        return _LEVELS[_LEVEL_NAMES.index(given.lower())]
    return _LEVELS[given] if isinstance(given, int) and 0 <= given < len(_LEVELS) else logging.INFO


async def sync_triggers(call: Call) -> Reply:
    """There is no scale controller to tell."""
    return as_json(500, {"status": "Invalid environment for SyncTriggers operation."})


async def scale_status(call: Call) -> Reply:
    """Nothing scales here."""
    return text(400, "Runtime scale monitoring is not enabled.")


async def templates(call: Call) -> Reply:
    """There is no extension bundle."""
    return text(404, "Templates not found within the extension bundle or extension bundle is not configured for the function app.")


async def instance_info(call: Call) -> Reply:
    """Versions."""
    return as_json(200, {"FUNCTIONS_EXTENSION_VERSION": RUNTIME_VERSION, "WEBSITE_NODE_DEFAULT_VERSION": "8.5.0"})


async def warmup(call: Call) -> Reply:
    """Run the app's warm-up function, if it has one."""
    for function in call.web.site.functions:
        if function.trigger_type == "warmuptrigger":
            await call.web.host.fire(function, None)
    return empty(200)


async def no_files(call: Call) -> Reply:
    """Files are not served, to nobody."""
    return empty(403)


ROUTES = [
    *route("GET|POST", "admin/host/ping", ping, is_open=True),
    *route("GET", "admin/host/status", status),
    *route("GET", "admin/host/config", config),
    *route("GET", "admin/host/processes", processes),
    *route("POST", "admin/host/drain", drain),
    *route("GET", "admin/host/drain/status", drain_status),
    *route("POST", "admin/host/resume", resume),
    *route("PUT", "admin/host/state", set_state),
    *route("POST", "admin/host/restart", restart),
    *route("POST", "admin/host/log", write_log),
    *route("POST", "admin/host/synctriggers", sync_triggers),
    *route("POST", "admin/host/scale/status", scale_status),
    *route("GET", "admin/host/extensionBundle/v1/templates", templates),
    *route("GET", "admin/instance/info", instance_info),
    *route("GET|POST", "admin/warmup", warmup),
    *route("*", "admin/vfs/{*path}", no_files),
]

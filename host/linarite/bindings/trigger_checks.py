"""Whether a storage trigger can be listened to at all, and whether other storage bindings have a connection: looked at when a host starts.

Source: Storage extensions 5.x, the trigger binding providers; azure-functions-core-tools, StartHostAction, which warns of connections.
"""

from __future__ import annotations

from linarite.bindings.blob_paths import blob_pattern
from linarite.bindings.connections import DEFAULT
from linarite.bindings.queue_writes import queue_name
from linarite.metadata import Function
from linarite.settings import AppSettings, NoConnection
from linarite.storage.connection import account


def check_trigger(function: Function, settings: AppSettings) -> None:
    """For a queue or blob trigger: raises an AppError for a queue, path or connection that cannot be.

    The default connection is not looked at, since it may be supplied.
    """
    trigger = function.trigger
    if function.trigger_type == "queuetrigger":
        queue_name(trigger.text("queueName"))
    else:
        blob_pattern(trigger.text("path"))
    connection = trigger.text("connection") or DEFAULT
    if connection.lower() != DEFAULT.lower():
        account(settings.connection(connection), connection)


def missing_connections(function: Function, settings: AppSettings) -> list[str]:
    """What is to be said of inputs and outputs whose connection is not set: calls of the function will fail."""
    found: list[str] = []
    for binding in function.bindings:
        connection = binding.text("connection") or DEFAULT
        if binding.is_trigger or binding.type.lower() not in ("queue", "blob", "table") or connection.lower() == DEFAULT.lower():
            continue
        try:
            settings.connection(connection)
        except NoConnection as problem:
            place = f" ({function.source})" if function.source else ""
            found.append(f"Calls of function '{function.name}'{place} will fail, for its {binding.type} '{binding.name}'. {problem}")
    return found

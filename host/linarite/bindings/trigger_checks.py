"""Whether a storage trigger can be listened to at all, by what it declares: the Functions host looks when it starts."""

from __future__ import annotations

from linarite.bindings.blob_paths import blob_pattern
from linarite.bindings.connections import DEFAULT
from linarite.bindings.queue_writes import queue_name
from linarite.metadata import Function
from linarite.settings import AppSettings
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

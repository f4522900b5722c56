"""An instance as the management API shows it.

Source: the Durable extension's HttpApiHandler (StatusResponsePayload), as recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from linarite.durable.events import HistoryEvent, Status
from linarite.durable.instances import Instance
from linarite.web.durable_api.history import shown_history
from linarite.web.durable_api.json_text import shown


def status_body(instance: Instance, *, with_input: bool = True) -> dict[str, Any]:
    """The body of a status answer, without history. Times are whole seconds, texts are shown as the JSON they hold."""
    version = {"version": instance.version} if instance.version else {}
    return {
        "name": instance.name,
        **version,
        "instanceId": instance.instance_id,
        "runtimeStatus": instance.status.label,
        "input": shown(instance.input) if with_input else None,
        "customStatus": shown(instance.custom_status),
        "output": shown(instance.output),
        "createdTime": _seconds(instance.created_at),
        "lastUpdatedTime": _seconds(instance.last_updated_at),
    }


def with_history(
    body: dict[str, Any], instance: Instance, events: Sequence[HistoryEvent], *, inputs: bool, outputs: bool
) -> dict[str, Any]:
    """The body, its history added; an instance that is still pending has none to show."""
    if instance.status is Status.PENDING:
        return body
    return {**body, "historyEvents": shown_history(events, inputs=inputs, outputs=outputs)}


def _seconds(instant: str) -> str:
    return f"{instant[:19]}Z"

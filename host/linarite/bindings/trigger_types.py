"""Which triggers are listened to here, and why the others are not. Facts and sentences.

A trigger whose service cannot run on a developer's machine is listed with its reason; its function can still be fired by hand.
Source: azure-functions, the decorators; the extensions of bundle 4.x.
"""

from __future__ import annotations

from linarite.metadata import Function

LISTENED = frozenset({"httptrigger", "timertrigger", "queuetrigger", "blobtrigger"})
"""Trigger types that a listener or a route starts."""

DURABLE = frozenset({"orchestrationtrigger", "activitytrigger", "entitytrigger"})
"""Trigger types that durable work starts."""

_SERVICES = {
    "servicebustrigger": "Azure Service Bus",
    "eventhubtrigger": "Azure Event Hubs",
    "cosmosdbtrigger": "Azure Cosmos DB",
    "kafkatrigger": "Apache Kafka",
    "sqltrigger": "Azure SQL",
    "mysqltrigger": "Azure Database for MySQL",
    "signalrtrigger": "Azure SignalR",
    "rabbitmqtrigger": "RabbitMQ",
    "redispubsubtrigger": "Azure Redis",
    "redislisttrigger": "Azure Redis",
    "redisstreamtrigger": "Azure Redis",
    "daprserviceinvocationtrigger": "a Dapr sidecar",
    "daprbindingtrigger": "a Dapr sidecar",
    "daprtopictrigger": "a Dapr sidecar",
    "mcptooltrigger": "a Model Context Protocol endpoint",
    "mcpresourcetrigger": "a Model Context Protocol endpoint",
    "mcpprompttrigger": "a Model Context Protocol endpoint",
    "assistantskilltrigger": "Azure OpenAI",
    "connectortrigger": "an Azure connection",
}


def is_by_event(function: Function) -> bool:
    """Whether a blob trigger is told of blobs by Azure Event Grid, rather than looking for them."""
    return function.trigger.text("source").lower() == "eventgrid"


def reason_not_started(function: Function) -> str | None:
    """Why nothing here starts a function by itself, as a sentence that says how to start it; None if something does."""
    kind, name = function.trigger_type, function.name
    if kind == "blobtrigger" and is_by_event(function):
        return f"Its blob events come from Azure Event Grid, {_hook('blobs', 'Host.Functions.' + name)} {_by_hand(name, 'container/blob')}"
    if kind == "eventgridtrigger":
        return f"Its events come from Azure Event Grid, {_hook('EventGrid', name)} {_by_hand(name)}"
    if kind in LISTENED or kind in DURABLE:
        return None
    if kind == "warmuptrigger":
        return "Azure calls a warm-up function when it adds an instance. Call it with GET /admin/warmup."
    if service := _SERVICES.get(kind):
        return f"Its trigger {function.trigger.type} needs {service}, which linarite does not reach. {_by_hand(name)}"
    return f"Its trigger type {function.trigger.type} is not known here. {_by_hand(name)}"


def _by_hand(name: str, example: str = "...") -> str:
    return f'Fire it by hand: POST /admin/functions/{name} with a JSON body such as {{"input": "{example}"}}.'


def _hook(extension: str, name: str) -> str:
    path = f"/runtime/webhooks/{extension}?functionName={name}"
    return f"which does not run locally. Send it events: POST {path} with the header aeg-event-type: Notification."

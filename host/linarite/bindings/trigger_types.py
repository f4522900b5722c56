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
    "eventgridtrigger": "Azure Event Grid",
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


def reason_not_started(function: Function) -> str | None:
    """Why nothing here starts a function by itself, as a sentence that says how to start it; None if something does."""
    kind = function.trigger_type
    by_hand = f'Fire it by hand: POST /admin/functions/{function.name} with a JSON body such as {{"input": "..."}}.'
    if kind == "blobtrigger" and function.trigger.text("source").lower() == "eventgrid":
        return f"Its blob events come from Azure Event Grid, which does not run locally. {by_hand}"
    if kind in LISTENED or kind in DURABLE:
        return None
    if kind == "warmuptrigger":
        return "Azure calls a warm-up function when it adds an instance. Call it with GET /admin/warmup."
    if service := _SERVICES.get(kind):
        return f"Its trigger {function.trigger.type} needs {service}, which linarite does not reach. {by_hand}"
    return f"Its trigger type {function.trigger.type} is not known here. {by_hand}"

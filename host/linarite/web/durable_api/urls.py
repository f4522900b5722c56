"""URLs by which an instance is managed: in check-status answers, and in the value of a `durableClient` binding.

Source: the Durable extension's HttpApiHandler and BindingHelper; member order as recorded.
"""

from __future__ import annotations

from urllib.parse import quote

import msgspec

DEFAULT_CONNECTION = "AzureWebJobsStorage"
_DEFAULT_CONNECTION_IN_URLS = "Storage"
_PLACEHOLDER = "INSTANCEID"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where the public door is and which hub is meant.

    `base_url`: without a slash at its end, e.g. `http://localhost:7071/runtime/webhooks/durabletask`. `key_query`: what every URL
    has to carry, `code=…` or nothing. `connection`: the app setting of the hub's storage.
    """

    base_url: str
    hub: str
    connection: str = DEFAULT_CONNECTION
    key_query: str = ""


def check_status_urls(webhook: Webhook, instance_id: str) -> dict[str, str]:
    """Body of a check-status answer."""
    urls = _management_urls(webhook, segment(instance_id))
    del urls["rewindPostUri"]
    return {"id": instance_id, **urls}


def client_binding(webhook: Webhook, rpc_base_url: str | None) -> str:
    """The JSON text that a `durableClient` binding hands to the SDK.

    `rpc_base_url` ends in a slash; None (the endpoint is off) leaves the SDK's client without most of its methods.
    """
    start = f"{webhook.base_url}/orchestrators/{{functionName}}[/{{instanceId}}]"
    value = {
        "taskHubName": webhook.hub,
        "connectionName": None,
        "creationUrls": {
            "createNewInstancePostUri": f"{start}?{webhook.key_query}",
            "createAndWaitOnNewInstancePostUri": (
                f"{start}?timeout={{timeoutInSeconds}}&pollingInterval={{intervalInSeconds}}&{webhook.key_query}"
            ),
        },
        "managementUrls": {"id": _PLACEHOLDER, **_management_urls(webhook, _PLACEHOLDER)},
        "baseUrl": webhook.base_url,
        "requiredQueryStringParameters": webhook.key_query,
        "rpcBaseUrl": rpc_base_url,
        "httpBaseUrl": None,
        "maxGrpcMessageSizeInBytes": None,
        "grpcHttpClientTimeout": None,
    }
    return msgspec.json.encode(value).decode()


def segment(instance_id: str) -> str:
    """An instance id as part of a path. A blank is `%20` here, where the extension writes `+`, which is a plus sign in our paths."""
    return quote(instance_id, safe="-_.!*()").replace("~", "%7E")


def is_default_connection(name: str, configured: str) -> bool:
    """Whether a connection named in a binding or a URL is the one of the app's own hub."""
    return name.lower() in (DEFAULT_CONNECTION.lower(), _DEFAULT_CONNECTION_IN_URLS.lower(), configured.lower())


def _management_urls(webhook: Webhook, instance: str) -> dict[str, str]:
    connection = _DEFAULT_CONNECTION_IN_URLS if webhook.connection == DEFAULT_CONNECTION else webhook.connection
    query = f"taskHub={segment(webhook.hub)}&connection={segment(connection)}"
    if webhook.key_query:
        query += f"&{webhook.key_query}"
    base = f"{webhook.base_url}/instances/{instance}"
    return {
        "statusQueryGetUri": f"{base}?{query}",
        "sendEventPostUri": f"{base}/raiseEvent/{{eventName}}?{query}",
        "terminatePostUri": f"{base}/terminate?reason={{text}}&{query}",
        "rewindPostUri": f"{base}/rewind?reason={{text}}&{query}",
        "purgeHistoryDeleteUri": f"{base}?{query}",
        "restartPostUri": f"{base}/restart?{query}",
        "suspendPostUri": f"{base}/suspend?reason={{text}}&{query}",
        "resumePostUri": f"{base}/resume?reason={{text}}&{query}",
    }

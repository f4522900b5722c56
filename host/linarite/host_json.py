"""host.json: found or created, checked, overridden from the app's settings, read into `HostSettings`.

What the settings mean is said where they are used; their defaults are the fields of `settings.py`. Names that nobody here reads are
accepted in silence, as upstream.
Source: azure-functions-host, HostJsonFileConfigurationSource and ScriptJobHostOptionsSetup; Durable Functions extension, DurableTaskOptions
and its start-up errors as recorded; functions-host sections 3.9, 6, 7, 8.1.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from linarite.configuration import (
    Convert,
    Node,
    Reader,
    Row,
    choice,
    flag,
    integer,
    leaf,
    mapping,
    override,
    read_object,
    span_s,
    text,
    texts,
    tree,
    wrong,
)
from linarite.errors import AppError
from linarite.jsonc import Document
from linarite.metadata import RetrySettings
from linarite.retries import retry_policy
from linarite.settings import (
    AppSettings,
    BlobSettings,
    DurableSettings,
    HostSettings,
    HstsSettings,
    HttpSettings,
    LogSettings,
    QueueSettings,
)

log = logging.getLogger(__name__)

NAME = "host.json"
_HELP = "https://aka.ms/functions-hostjson"
_BUNDLE = {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"}
_CREATED = {"version": "2.0", "isDefaultHostConfig": True, "extensionBundle": _BUNDLE}


_SAYS_NOTHING = frozenset({"version", "isDefaultHostConfig", "extensionBundle"})


class BadHostJson(AppError):
    """host.json cannot be used as it is."""


class HostJson(NamedTuple):
    """What host.json, with its overrides, amounts to, and a row for every setting that is honoured."""

    settings: HostSettings
    rows: list[Row]


def read_host_json(folder: Path, settings: AppSettings) -> HostJson:
    """Read the file in `folder`, written with defaults if there is none. Raises BadHostJson, WrongSetting or BadRetryPolicy."""
    root = tree(_document(folder / NAME), NAME)
    override(
        root,
        {name: (value, _origin(settings, name)) for name, value in settings.section("AzureFunctionsJobHost").items()},
    )
    reader = Reader(root)
    host = _host_settings(reader)
    if idle := [path for path in reader.unread() if path.split(".")[0] not in _SAYS_NOTHING]:
        log.info("%s: without effect here: %s", NAME, ", ".join(idle))
    return HostJson(host, reader.rows)


def _origin(settings: AppSettings, name: str) -> str:
    name = "AzureFunctionsJobHost__" + name.replace(":", "__")
    return f"{settings.origin(name)} ({name})"


def _document(path: Path) -> Document:
    document = read_object(path, lambda why: BadHostJson(f"Unable to parse host configuration file '{path}'. {why}"), has_secrets=False)
    if document is None:
        return Document(_write(path, _CREATED), {})
    if not document.value:
        return Document(_write(path, {"version": "2.0"}), {})
    _check_version(document.value.get("version"))
    return document


def _write(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    """Write a host.json; a folder that cannot be written to is no reason to stop."""
    try:
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    except OSError as error:
        log.info("%s could not be written: %s", path, error)
    return content


def _check_version(version: Any) -> None:
    if version is None or version == "":
        raise BadHostJson(
            f"The {NAME} file is missing the required 'version' property. See {_HELP} for steps to migrate the configuration file."
        )
    if version != "2.0":
        confused = "This does not correspond to the function runtime version, only to the schema version of the host.json file. "
        raise BadHostJson(
            f"'{version}' is an invalid value for {NAME} 'version' property. We recommend you set the 'version' property to '2.0'. "
            f"{confused if str(version).startswith('3') else ''}See {_HELP} for more information on this configuration file."
        )


def _host_settings(reader: Reader) -> HostSettings:
    return reader.build(
        HostSettings,
        "",
        {
            "functions": ("functions", texts),
            "timeout_s": ("functionTimeout", _timeout_s),
            "retry": ("retry", _retry),
            "watch_directories": ("watchDirectories", texts),
            "watch_files": ("watchFiles", texts),
        },
        http=_http(reader),
        durable=_durable(reader),
        queues=_queues(reader),
        blobs=reader.build(
            BlobSettings,
            "extensions.blobs",
            {"max_parallel": ("maxDegreeOfParallelism", integer(1)), "poison_threshold": ("poisonBlobThreshold", integer(1))},
        ),
        logging=reader.build(LogSettings, "logging", {"levels": ("logLevel", mapping(_level))}),
    )


_level = choice("Trace", "Debug", "Information", "Warning", "Error", "Critical", "None")


def _timeout_s(node: Node) -> float | None:
    if leaf(node, "a timespan such as 00:05:00, or -1 for no limit").strip() == "-1":
        return None
    seconds: float = span_s(1.0, None, "FunctionTimeout must be greater than 00:00:01.")(node)
    return seconds


def _retry(node: Node) -> RetrySettings:
    if node.value is not None:
        raise wrong(node, 'an object such as {"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:05"}')
    return retry_policy({name: child.value for name, child in node.children.items()}, f"{node.origin}: {node.path}")


def _http(reader: Reader) -> HttpSettings:
    hsts = reader.build(
        HstsSettings,
        "extensions.http.hsts",
        {
            "is_enabled": ("isEnabled", flag),
            "max_age_s": ("maxAge", lambda node: int(span_s()(node))),
            "include_sub_domains": ("includeSubDomains", flag),
            "preload": ("preload", flag),
            "excluded_hosts": ("excludedHosts", texts),
        },
    )
    return reader.build(
        HttpSettings,
        "extensions.http",
        {
            "route_prefix": ("routePrefix", lambda node: text(node).strip("/")),
            "max_outstanding_requests": ("maxOutstandingRequests", integer(-1)),
            "max_concurrent_requests": ("maxConcurrentRequests", integer(-1)),
            "custom_headers": ("customHeaders", mapping()),
        },
        hsts=hsts,
    )


def _queues(reader: Reader) -> QueueSettings:
    return reader.build(
        QueueSettings,
        "extensions.queues",
        {
            "batch_size": ("batchSize", integer(1, 32)),
            "new_batch_threshold": ("newBatchThreshold", integer(0)),
            "visibility_s": ("visibilityTimeout", span_s()),
            "max_dequeue_count": ("maxDequeueCount", integer(1)),
            "encoding": ("messageEncoding", choice("base64", "none")),
        },
    )


def _positive(name: str) -> Convert:
    return integer(1, None, f"{name} must be a positive integer value.")


def _azure_storage_only(node: Node) -> None:
    name = text(node).strip()
    if name.lower() != "azurestorage":
        raise BadHostJson(
            f"{node.origin}: Storage provider type ({name}) was not found. Available storage providers: AzureStorage. To use it here "
            "only, set AzureFunctionsJobHost__extensions__durableTask__storageProvider__type to AzureStorage in local.settings.json."
        )


def _no_extended_sessions(node: Node) -> None:
    if flag(node):
        raise BadHostJson(
            f"{node.origin}: Durable Functions with extendedSessionsEnabled set to 'true' is only supported when using the in-process or "
            "isolated .NET worker. Please remove the setting or change it to 'false'."
        )


def _visibility_s(name: str) -> Convert:
    return span_s(60, 3600, f"{name} must be between 1 and 60 minutes.")


_DURABLE: dict[str, tuple[str, Convert]] = {
    "hub_name": ("hubName", text),
    "max_concurrent_activities": ("maxConcurrentActivityFunctions", _positive("MaxConcurrentActivityFunctions")),
    "max_concurrent_orchestrators": ("maxConcurrentOrchestratorFunctions", _positive("MaxConcurrentOrchestratorFunctions")),
    "max_entity_batch": ("maxEntityOperationBatchSize", _positive("MaxEntityOperationBatchSize")),
    "max_actions": ("maxOrchestrationActions", _positive("MaxOrchestrationActions")),
    "overridable_states": ("overridableExistingInstanceStates", choice("AnyState", "NonRunningStates")),
    "entity_reorder_window_s": ("entityMessageReorderWindowInMinutes", lambda node: float(integer(0)(node) * 60)),
    "store_inputs": ("storeInputsInOrchestrationHistory", flag),
    "default_version": ("defaultVersion", text),
    "version_match": ("versionMatchStrategy", choice("None", "Strict", "CurrentOrOlder")),
    "version_failure": ("versionFailureStrategy", choice("Reject", "Fail")),
    "http_async_sleep_ms": ("httpSettings.defaultAsyncRequestSleepTimeMilliseconds", integer(1)),
    "use_forwarded_host": ("httpSettings.useForwardedHost", flag),
    "use_app_lease": ("useAppLease", flag),
    "local_rpc_endpoint": ("localRpcEndpointEnabled", flag),
    "connection_name": ("storageProvider.connectionName|storageProvider.connectionStringName", text),
    "partition_count": (
        "storageProvider.partitionCount",
        integer(1, 16, "PartitionCount must be an integer value between 1 and 16."),
    ),
    "control_queue_batch_size": ("storageProvider.controlQueueBatchSize", integer(1, 32)),
    "control_queue_visibility_s": ("storageProvider.controlQueueVisibilityTimeout", _visibility_s("ControlQueueVisibilityTimeout")),
    "work_item_queue_visibility_s": ("storageProvider.workItemQueueVisibilityTimeout", _visibility_s("WorkItemQueueVisibilityTimeout")),
    "max_queue_polling_s": ("storageProvider.maxQueuePollingInterval", span_s(0.001)),
    "tracking_connection_name": (
        "storageProvider.trackingStoreConnectionName|storageProvider.trackingStoreConnectionStringName",
        text,
    ),
    "tracking_prefix": ("storageProvider.trackingStoreNamePrefix", text),
    "fetch_large_messages": ("storageProvider.fetchLargeMessagesAutomatically", flag),
    "queue_message_encoding": ("storageProvider.queueClientMessageEncoding", choice("UTF8", "Base64")),
    "use_table_partitions": ("storageProvider.useTablePartitionManagement", flag),
    "use_instance_table_etag": ("storageProvider.useInstanceTableEtag", flag),
}

_DURABLE_CHECKS: dict[str, Convert] = {
    "extendedSessionsEnabled": _no_extended_sessions,
    "maxConcurrentEntityFunctions": _positive("MaxConcurrentEntityFunctions"),  # nor upstream: on Azure Storage entities are orchestrations
    "storageProvider.type": _azure_storage_only,
    "storageProvider.controlQueueBufferThreshold": integer(1, 1000, "ControlQueueBufferThreshold must be between 1 and 1000."),
}
"""Settings without an effect here that stop a start upstream when they are wrong."""


def _durable(reader: Reader) -> DurableSettings:
    reader.check("extensions.durableTask", _DURABLE_CHECKS)
    return reader.build(DurableSettings, "extensions.durableTask", _DURABLE)

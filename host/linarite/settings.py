"""What can be set, and every default: host.json and the app's settings as frozen values.

A default lives in exactly one place, the field below. Reading them is the work of `host_json.py` and
`settings_files.py`.
Source: host.json reference; azure-functions-host ScriptJobHostOptions; DurableTaskOptions; QueuesOptions; BlobsOptions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from linarite.errors import AppError
from linarite.metadata import RetrySettings

CPUS = os.cpu_count() or 1

ENVIRONMENT = "environment"
"""Origin of a setting that the host was started with."""


@dataclass(frozen=True, slots=True)
class HstsSettings:
    """`extensions.http.hsts`."""

    is_enabled: bool = False
    max_age_s: int = 2592000
    include_sub_domains: bool = False
    preload: bool = False
    excluded_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """`extensions.http`. -1 is no limit."""

    route_prefix: str = "api"
    max_outstanding_requests: int = -1
    max_concurrent_requests: int = -1
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    hsts: HstsSettings = HstsSettings()


@dataclass(frozen=True, slots=True)
class DurableSettings:
    """`extensions.durableTask`. `hub_name` None: derived from the environment. Times are seconds; None: ours to choose."""

    hub_name: str | None = None
    connection_name: str = "AzureWebJobsStorage"
    partition_count: int = 4
    max_concurrent_activities: int = 10 * CPUS
    max_concurrent_orchestrators: int = 10 * CPUS
    max_entity_batch: int = 5000
    max_actions: int = 100_000
    overridable_states: Literal["AnyState", "NonRunningStates"] = "NonRunningStates"
    entity_reorder_window_s: float = 1800.0
    store_inputs: bool = False
    default_version: str | None = None
    version_match: Literal["None", "Strict", "CurrentOrOlder"] = "CurrentOrOlder"
    version_failure: Literal["Reject", "Fail"] = "Reject"
    http_async_sleep_ms: int = 30_000
    use_forwarded_host: bool = False
    use_app_lease: bool = True
    control_queue_batch_size: int = 32
    control_queue_visibility_s: float | None = None
    work_item_queue_visibility_s: float | None = None
    max_queue_polling_s: float | None = None
    tracking_connection_name: str | None = None
    tracking_prefix: str = "DurableTask"
    fetch_large_messages: bool = True
    queue_message_encoding: Literal["UTF8", "Base64"] = "UTF8"
    use_table_partitions: bool = True
    use_instance_table_etag: bool = False
    local_rpc_endpoint: bool = True


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """`extensions.queues`. `new_batch_threshold` None: half a batch."""

    batch_size: int = 16
    new_batch_threshold: int | None = None
    max_polling_s: float = 2.0
    visibility_s: float = 0.0
    max_dequeue_count: int = 5
    encoding: Literal["base64", "none"] = "base64"


@dataclass(frozen=True, slots=True)
class BlobSettings:
    """`extensions.blobs`."""

    max_parallel: int = 8 * CPUS
    poison_threshold: int = 5


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`logging`: minimum levels by category prefix; `default` under the key `default`."""

    levels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LocalHttpSettings:
    """`Host` in local.settings.json: where the local server listens and who may call it from a browser. None: not set."""

    port: int | None = None
    address: str | None = None
    cors: tuple[str, ...] = ()
    cors_credentials: bool = False


@dataclass(frozen=True, slots=True)
class HostSettings:
    """host.json, defaults filled in. `functions`: the only ones to load, or None for all. `timeout_s` None: no limit."""

    functions: tuple[str, ...] | None = None
    timeout_s: float | None = 1800.0
    retry: RetrySettings | None = None
    http: HttpSettings = HttpSettings()
    durable: DurableSettings = DurableSettings()
    queues: QueueSettings = QueueSettings()
    blobs: BlobSettings = BlobSettings()
    logging: LogSettings = LogSettings()
    watch_directories: tuple[str, ...] = ()
    watch_files: tuple[str, ...] = ()


class UnresolvedSetting(AppError):
    """A text names a setting between percent signs that is not there."""


class NoConnection(AppError):
    """A connection's setting is missing, or is of a kind that cannot work locally."""


class AppSettings(Mapping[str, str]):
    """The app's environment: names are looked up in any case, and `A:B` is `A__B`. Iterates over the names as written;
    of names that differ only in case the first counts.

    `origins` says where a value comes from, by its name as written: `environment`, or a file and line.
    """

    def __init__(self, values: Mapping[str, str], origins: Mapping[str, str] | None = None) -> None:
        self._values = dict(values)
        self._names = {_key(name): name for name in reversed(self._values)}
        self._origins = origins or {}

    def __getitem__(self, name: str) -> str:
        return self._values[self._names[_key(name)]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def origin(self, name: str) -> str:
        """Where a setting that is there was found."""
        return self._origins.get(self._names[_key(name)], ENVIRONMENT)

    def overlaid(self, values: Mapping[str, str]) -> AppSettings:
        """These settings with others over them."""
        names = {_key(name) for name in values}
        kept = {name: value for name, value in self._values.items() if _key(name) not in names}
        return AppSettings({**kept, **values}, {**self._origins, **dict.fromkeys(values, "this host")})

    def flag(self, name: str) -> bool:
        """Whether the setting is `true` or `1`, in any case."""
        return self.get(name, "").strip().lower() in ("true", "1")

    def section(self, name: str) -> dict[str, str]:
        """Settings below `name` (`name__x` or `name:x`), by the rest of their names as written, parts separated by colons."""
        prefix = _key(name) + ":"
        return {_colons(written)[len(prefix) :]: self._values[written] for key, written in self._names.items() if key.startswith(prefix)}

    def expand(self, text: str) -> str:
        """`text` with every `%NAME%` replaced by that setting. Raises UnresolvedSetting.

        Source: azure-webjobs-sdk, NameResolverExtensions.
        """
        expanded, at = "", 0
        while (start := text.find("%", at)) >= 0:
            end = text.find("%", start + 1)
            if end < 0:
                raise UnresolvedSetting(f"The '%' at position {start} does not have a closing '%'")
            name = text[start + 1 : end]
            if name not in self:
                raise UnresolvedSetting(f"'%{name}%' does not resolve to a value.")
            expanded += text[at:start] + self[name]
            at = end + 1
        return expanded + text[at:]

    def disables(self, function_name: str) -> bool:
        """Whether the app's settings switch that function off."""
        return self.flag(f"AzureWebJobs.{function_name}.Disabled") or self.flag(f"AzureWebJobs_{function_name}_Disabled")

    def connection(self, name: str = "") -> str:
        """The connection string that a binding's `connection` property names; "" is `AzureWebJobsStorage`. Raises NoConnection.

        Source: azure-webjobs-sdk, IConfigurationExtensions (GetWebJobsConnectionString).
        """
        name = name or "AzureWebJobsStorage"
        prefixed = name if name.lower().startswith("azurewebjobs") else f"AzureWebJobs{name}"
        places = (f"AzureWebJobs{name}", name, f"ConnectionStrings:{name}")
        for place in places:
            if self.get(place):
                return self[place]
        for place in places:
            if by_identity := next(iter(self.section(place)), None):
                raise NoConnection(
                    f"The connection '{name}' is set by identity ({place}__{by_identity}), which needs Azure. "
                    f"To run locally, set {name} to a connection string, or to UseDevelopmentStorage=true for Azurite."
                )
        raise NoConnection(
            f"Storage account connection string '{prefixed}' does not exist. Make sure that it is a defined App Setting. "
            f"Locally, add {name} to the Values of local.settings.json: a connection string, or UseDevelopmentStorage=true for Azurite."
        )


def _colons(name: str) -> str:
    return name.replace("__", ":")


def _key(name: str) -> str:
    return _colons(name).lower()

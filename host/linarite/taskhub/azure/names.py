"""Names, hashes, keys and limits of a task hub on Azure Storage.

Pure string rules; creating and using what they name is other files' work.
Source: DurableTask.AzureStorage: AzureStorageOrchestrationService (GetQueueName and settings), Fnv1aHashHelper, KeySanitation,
MessageManager, AzureTableTrackingStore.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

MAX_MESSAGE_BYTES = 45 * 1024
"""A longer envelope (UTF-8) travels in a blob; the margin to the service's 64 KiB is for Base64."""

MAX_PROPERTY_UNITS = 60 * 1024 // 2
"""A longer text (UTF-16 code units) of a row goes to a blob."""

MAX_COMMIT_ROWS = 99
"""History rows in one transaction; the sentinel is the hundredth."""

MAX_COMMIT_BYTES = 3 * 1024 * 1024
"""Estimated size at which a transaction is closed."""

SENTINEL = "sentinel"
"""Row key of the history row that says which generation is current; its ETag is the lock of the instance."""

START_BLOB_SUFFIX = "ExecutionStarted.json.gz"
"""How the name of a blob ends that holds a start *message*, not merely an input."""

_ESCAPES = {"^": "^^", "/": "^0", "\\": "^1", "#": "^2", "?": "^3"}
_UNESCAPES = {"^": "^", "0": "/", "1": "\\", "2": "#", "3": "?"}
_CONTROL_OFFSET = 0xC0


@dataclass(frozen=True, slots=True)
class HubNames:
    """Every resource of one task hub. `tracking_prefix` names the two tracking tables when they live in an account of their own."""

    hub: str
    partition_count: int
    tracking_prefix: str | None = None

    @property
    def control_queues(self) -> tuple[str, ...]:
        """All control queues by partition, e.g. `orders-control-03`."""
        return tuple(f"{self.hub.lower()}-control-{partition:02}" for partition in range(self.partition_count))

    @property
    def work_item_queue(self) -> str:
        return f"{self.hub.lower()}-workitems"

    @property
    def history_table(self) -> str:
        return f"{self.tracking_prefix or self.hub}History"

    @property
    def instances_table(self) -> str:
        return f"{self.tracking_prefix or self.hub}Instances"

    @property
    def partitions_table(self) -> str:
        return f"{self.hub}Partitions"

    @property
    def payload_container(self) -> str:
        return f"{self.hub.lower()}-largemessages"

    @property
    def app_lease_container(self) -> str:
        return f"{self.hub.lower()}-applease"

    @property
    def app_lease_blob(self) -> str:
        return f"{self.hub.lower()}-appleaseinfo"

    def control_queue_of(self, instance_id: str) -> str:
        """The queue that messages to an instance go to."""
        return self.control_queues[fnv1a(instance_id) % self.partition_count]


def fnv1a(text: str) -> int:
    """32-bit FNV-1a of the text's UTF-8."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8"):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def app_lease_id(app_name: str) -> str:
    """Lease id shared by all hosts of one app: a GUID whose first group is the hash of the name."""
    return f"{fnv1a(app_name):08x}-0000-0000-0000-000000000000"


def escape_key(instance_id: str) -> str:
    """Partition key of an instance: `/ \\ # ? ^` and control characters do not occur in it."""
    return "".join(_escaped(character) for character in instance_id)


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0x1F or 0x7F <= code <= 0x9F:
        return "^" + chr(_CONTROL_OFFSET + code)
    return _ESCAPES.get(character, character)


def unescape_key(key: str) -> str:
    """Instance id of a partition key."""
    characters = iter(key)
    return "".join(_unescaped(next(characters, "")) if character == "^" else character for character in characters)


def _unescaped(character: str) -> str:
    if character and ord(character) >= _CONTROL_OFFSET:
        return chr(ord(character) - _CONTROL_OFFSET)
    return _UNESCAPES.get(character, character)


def prefix_bounds(id_prefix: str) -> tuple[str, str]:
    """Lowest partition key with a prefix, and the lowest above all of them: the last UTF-16 code unit counted one up."""
    lower = escape_key(id_prefix)
    units = lower.encode("utf-16-le", "surrogatepass")
    last = min(int.from_bytes(units[-2:], "little") + 1, 0xFFFF)
    return lower, (units[:-2] + last.to_bytes(2, "little")).decode("utf-16-le", "surrogatepass")


def row_key(position: int) -> str:
    """Row key of the event at a position of its generation's history, e.g. `000000000000001A`."""
    return f"{position:016X}"


def message_blob(instance_id: str, activity_id: str, event_type: str) -> str:
    """Blob of an envelope too long for a queue; the instance id is not escaped. `activity_id` is a hyphenated GUID."""
    return f"{instance_id}/message-{activity_id.replace('-', '')}-{event_type}.json.gz"


def property_blob(partition_key: str, key: str, event_type: str, unique: str, name: str) -> str:
    """Blob of a text too long for a column; `unique` (8 hex digits) keeps racing hosts apart.

    An instance row has an empty `key`, and the property's name for an event type.
    """
    return f"{partition_key}/history-{key}-{event_type}-{unique}-{name}.json.gz"


def escape_blob(name: str) -> str:
    """A blob's name as it stands in a URL: every segment percent-escaped."""
    return "/".join(quote(segment, safe="-._~") for segment in name.split("/"))


def utf16_units(text: str) -> int:
    """Length of a text as the table service counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2

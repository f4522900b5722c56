"""What a function learns about the message or blob that triggered it, besides its content. Pure rules.

Metadata is a dict of names and values that goes to the worker as it is, and is what `{name}` in binding expressions is looked up in.
Names are compared in any case: a later value takes the place, and the spelling, of an earlier one.
Source: Storage queues extension, QueueTriggerBinding; Storage blobs extension 5.x, BlobTriggerBinding; Azure.Storage.Blobs, BlobProperties;
azure-functions-host, Utility.ApplyBindingData; recorded invocations.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timezone

from linarite.bindings.blob_paths import BlobPath
from linarite.bindings.newtonsoft import Date, NotJson, Value, compact, converted, looks_like_json, parse
from linarite.bindings.queue_messages import NotDecodable, as_text
from linarite.invocation import Datum, json_text, string
from linarite.storage.blob_properties import BlobProperties
from linarite.storage.queues import QueueMessage
from linarite.timestamps import moment, timestamp

Metadata = dict[str, Datum]

NEVER = "9999-12-31T23:59:59.9999999+00:00"
"""The last instant .NET knows: when a message that was never in a queue expires."""


def offset_text(instant: datetime) -> str:
    """An instant as Newtonsoft writes a DateTimeOffset, e.g. `2026-11-23T05:57:47+00:00`."""
    return timestamp(instant).removesuffix("Z") + "+00:00"


def queue_metadata(message: QueueMessage, content: bytes) -> Metadata:
    """What a message says about itself, and what its content says if that is a JSON object."""
    metadata: Metadata = {
        "DequeueCount": json_text(str(message.dequeue_count)),
        "ExpirationTime": _instant(message.expires_at),
        "Id": string(message.receipt.message_id),
        "InsertionTime": _instant(message.inserted_at),
        "NextVisibleTime": _instant(message.receipt.visible_at),
        "PopReceipt": string(message.receipt.pop_receipt),
    }
    return _with_text(metadata, content)


def unqueued_metadata(content: bytes, now: datetime) -> Metadata:
    """The same of a message that never was in a queue: what a function fired by hand is told."""
    metadata: Metadata = {
        "DequeueCount": json_text("0"),
        "ExpirationTime": json_text(compact(NEVER)),
        "InsertionTime": _instant(now),
        "NextVisibleTime": json_text(compact(NEVER)),
    }
    return _with_text(metadata, content)


def blob_metadata(path: BlobPath, url: str, properties: BlobProperties, captures: Mapping[str, str]) -> Metadata:
    """What a trigger tells of its blob; captures of the trigger's path take the place of what has the same name."""
    metadata: Metadata = {
        "BlobTrigger": string(str(path)),
        "Uri": json_text(compact(url)),
        "Properties": json_text(compact(property_values(properties))),
        "Metadata": json_text(compact(dict(properties.metadata or {}))),
    }
    return overlaid(metadata, {name: string(text) for name, text in captures.items()})


def overlaid(metadata: Metadata, more: Metadata) -> Metadata:
    """`metadata` with `more` on top; a name that is there in another case keeps its first spelling."""
    spelling = {name.lower(): name for name in metadata}
    result = dict(metadata)
    for name, value in more.items():
        result[spelling.setdefault(name.lower(), name)] = value
    return result


def payload_members(text: str) -> Metadata:
    """The members of a text that is a JSON object: objects as JSON, other values as text; arrays and nulls are left out."""
    if not looks_like_json(text):
        return {}
    try:
        value = parse(text)
    except NotJson:
        return {}
    return {name: _member(item) for name, item in value.items() if not isinstance(item, list | None)} if isinstance(value, Mapping) else {}


def _member(value: Value) -> Datum:
    if isinstance(value, Mapping):
        return json_text(compact(value))
    assert not isinstance(value, list)
    return string(_invariant(value) if isinstance(value, Date) else converted(value))


def _invariant(date: Date) -> str:
    """A date as .NET converts it to text (an app on Azure runs in UTC)."""
    return moment(date).strftime("%m/%d/%Y %H:%M:%S")


def _with_text(metadata: Metadata, content: bytes) -> Metadata:
    try:
        text = as_text(content)
    except NotDecodable:
        return metadata
    return overlaid({"QueueTrigger": string(text), **metadata}, payload_members(text))


def _instant(instant: datetime) -> Datum:
    return json_text(compact(offset_text(instant)))


_BLOB_TYPES = {"BlockBlob": 0, "PageBlob": 1, "AppendBlob": 2}
_LEASE_DURATIONS = {"infinite": 0, "fixed": 1}
_LEASE_STATES = {"available": 0, "leased": 1, "expired": 2, "breaking": 3, "broken": 4}
_LEASE_STATUSES = {"locked": 0, "unlocked": 1}
_NO_INSTANT = datetime(1, 1, 1, tzinfo=timezone.utc)


def property_values(blob: BlobProperties) -> dict[str, Value]:
    """The members of `Properties`: those of extension 5.x, with enumerations as their numbers, and `Length`, as 4.x calls the size."""
    return {
        "LastModified": offset_text(blob.modified_at),
        "CreatedOn": offset_text(blob.created_at or _NO_INSTANT),
        "Metadata": dict(blob.metadata or {}),
        "IsIncrementalCopy": blob.is_incremental_copy,
        "BlobType": _BLOB_TYPES.get(blob.blob_type, 0),
        "LeaseDuration": _LEASE_DURATIONS.get(blob.lease_duration or "", 0),
        "LeaseState": _LEASE_STATES.get(blob.lease_state or "", 0),
        "LeaseStatus": _LEASE_STATUSES.get(blob.lease_status or "", 1),
        "ContentLength": blob.size_bytes,
        "Length": blob.size_bytes,
        "ContentType": blob.content_type,
        "ETag": f'"{blob.etag}"',
        "ContentHash": base64.b64encode(blob.content_md5).decode("ascii") if blob.content_md5 else None,
        "ContentEncoding": blob.content_encoding,
        "ContentDisposition": blob.content_disposition,
        "ContentLanguage": blob.content_language,
        "CacheControl": blob.cache_control,
        "IsServerEncrypted": blob.is_encrypted,
        "AccessTier": blob.access_tier,
        "AccessTierInferred": blob.access_tier_inferred,
        "AccessTierChangedOn": offset_text(blob.access_tier_changed_at or _NO_INSTANT),
    }

"""What the blob service says about a blob, without its content.

Source: "Get Blob Properties", learn.microsoft.com.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties as SdkProperties


@dataclass(frozen=True, slots=True)
class BlobProperties:
    """Facts about one version of a blob. `etag` has no quotes; instants are UTC; the words about leases are the service's own."""

    etag: str
    size_bytes: int
    modified_at: datetime
    created_at: datetime | None = None
    blob_type: str = "BlockBlob"
    content_type: str | None = None
    content_md5: bytes | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    metadata: Mapping[str, str] | None = None
    lease_status: str | None = None
    lease_state: str | None = None
    lease_duration: str | None = None
    access_tier: str | None = None
    access_tier_inferred: bool = False
    access_tier_changed_at: datetime | None = None
    is_encrypted: bool = False
    is_incremental_copy: bool = False


@dataclass(frozen=True, slots=True)
class BlobPage:
    """Some of a container's blobs by name; only a `continuation` of None means that there are no more."""

    blobs: Mapping[str, BlobProperties]
    continuation: str | None


def blob_properties(sdk: SdkProperties) -> BlobProperties:
    """The facts in the SDK's own form of them."""
    headers, lease = sdk.content_settings, sdk.lease
    return BlobProperties(
        etag=str(sdk.etag).strip('"'),
        size_bytes=int(sdk.size),
        modified_at=sdk.last_modified,
        created_at=sdk.creation_time,
        blob_type=getattr(sdk.blob_type, "value", None) or str(sdk.blob_type),
        content_type=headers.content_type,
        content_md5=bytes(headers.content_md5) if headers.content_md5 else None,
        content_encoding=headers.content_encoding,
        content_language=headers.content_language,
        content_disposition=headers.content_disposition,
        cache_control=headers.cache_control,
        metadata=dict(sdk.metadata or {}),
        lease_status=lease.status,
        lease_state=lease.state,
        lease_duration=lease.duration,
        access_tier=sdk.blob_tier,
        access_tier_inferred=bool(sdk.blob_tier_inferred),
        access_tier_changed_at=sdk.blob_tier_change_time,
        is_encrypted=bool(sdk.server_encrypted),
        is_incremental_copy=bool(sdk.copy.incremental_copy),
    )

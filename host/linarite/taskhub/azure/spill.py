"""Texts too long for a table column: which they are, and what stands in their place.

A row keeps an empty text and, in a column beside it, the name of the blob; the blob is the gzipped text. Uploading and fetching are
`payloads.py`.
Source: DurableTask.AzureStorage, AzureTableTrackingStore (CompressLargeMessageAsync and its list of properties).
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace

from linarite.storage.tables import Row, Value
from linarite.taskhub.azure.names import MAX_PROPERTY_UNITS, property_blob, utf16_units

SPILLABLE = ("Name", "Input", "Result", "Output", "Reason", "Details", "Correlation", "FailureDetails", "Tags")
"""The only columns whose length is looked at."""

BLOB_NAME = "BlobName"
"""What the name of a pointer column ends with."""


def is_too_long(value: Value | None) -> bool:
    """Whether a value has to go to a blob."""
    return isinstance(value, str) and len(value) > MAX_PROPERTY_UNITS // 2 and utf16_units(value) > MAX_PROPERTY_UNITS


def spilt(row: Row, unique: Callable[[], str]) -> tuple[Row, dict[str, str]]:
    """The row with its long texts replaced by pointers, and the texts by the names of their blobs. `unique` makes 8 hex digits."""
    kind = str(row.columns.get("EventType", ""))
    texts = {name: str(row.columns[name]) for name in SPILLABLE if is_too_long(row.columns.get(name))}
    names = {name: property_blob(row.partition_key, row.row_key, kind or name, unique(), name) for name in texts}
    if not texts:
        return row, {}
    columns = dict(row.columns) | dict.fromkeys(texts, "") | {name + BLOB_NAME: blob for name, blob in names.items()}
    return replace(row, columns=columns), {names[name]: text for name, text in texts.items()}


def pointers(row: Row) -> dict[str, str]:
    """The blobs a row points to, by column."""
    return {name.removesuffix(BLOB_NAME): str(value) for name, value in row.columns.items() if name.endswith(BLOB_NAME) and value}


def restored(row: Row, texts: Mapping[str, str]) -> Row:
    """The row with the texts of its blobs, by column, back in place."""
    columns = {name: value for name, value in row.columns.items() if not name.endswith(BLOB_NAME)}
    return replace(row, columns={**columns, **texts})


def compress(text: str) -> bytes:
    """Content of a blob."""
    return gzip.compress(text.encode("utf-8", "surrogatepass"), compresslevel=6, mtime=0)


def decompress(content: bytes) -> str:
    """Text of a blob's content."""
    return gzip.decompress(content).decode("utf-8", "surrogatepass")

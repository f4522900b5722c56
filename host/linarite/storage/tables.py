"""Azure Storage tables: rows, queries and transactions.

Values keep their EDM type: `str` is Edm.String, `bool` Edm.Boolean, `int` Edm.Int32, `Long` Edm.Int64, `float` Edm.Double, and `Instant`
Edm.DateTime as its exact text of seven fractional digits, one more than `datetime` holds.
Rows are asked for on the bare wire, where every byte of a commit is ours to choose; tables are made and dropped by the SDK.
Source: "Table Service REST API" and "Performing entity group transactions", learn.microsoft.com.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import msgspec

from linarite.errors import StorageRefused
from linarite.storage.sdk import RETRIES, be_quiet, translated
from linarite.storage.wire import Answer, Wire

if TYPE_CHECKING:
    from azure.data.tables.aio import TableServiceClient

MAX_TRANSACTION = 100
"""Rows one transaction may change; all have one partition key."""

_JSON = "application/json"
_FORMAT = {"$format": "application/json;odata=minimalmetadata"}
_NO_ECHO = {"Prefer": "return-no-content"}
_TYPE = "@odata.type"


class Instant(str):
    """Edm.DateTime as the service spells it: UTC, seven fractional digits, `Z`."""

    __slots__ = ()


class Long(int):
    """Edm.Int64."""

    __slots__ = ()


Value = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Row:
    """One entity. `etag` is empty in rows that were not read from a table."""

    partition_key: str
    row_key: str
    columns: Mapping[str, Value]
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One operation on a row.

    `insert` fails if the row exists. `replace` and `merge` create the row if it is missing, unless `etag` says which version of it (or, as
    `*`, that any) must be there. `delete` takes any version if there is no `etag`.
    """

    kind: Literal["insert", "replace", "merge", "delete"]
    row: Row
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """One page of a query; only a `continuation` of None means that there are no more."""

    rows: Sequence[Row]
    continuation: str | None


class Tables:
    """The tables of one account."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._opened: TableServiceClient | None = None

    async def create(self, table: str) -> None:
        """Create the table unless it is there."""
        try:
            async with translated(self._wire.account, "table", f"create table {table}"):
                await self._client.create_table(table)
        except StorageRefused as refused:
            if refused.code != "TableAlreadyExists":
                raise

    async def drop(self, table: str) -> None:
        """Delete the table."""
        async with translated(self._wire.account, "table", f"delete table {table}"):
            await self._client.delete_table(table)

    async def change(self, table: str, change: Change) -> str:
        """Carry out one change; returns the row's new ETag (empty for a delete)."""
        method, path, headers = _operation(table, change)
        body = b"" if change.kind == "delete" else encode_row(change.row)
        answer = await self._wire.send("table", method, path, query=_FORMAT, headers=headers, body=body, content_type=_JSON if body else "")
        return answer.headers.get("etag", "")

    async def transaction(self, table: str, changes: Sequence[Change]) -> Sequence[str]:
        """Carry out up to 100 changes of one partition, all or none; returns the new ETags in order.

        Raises StorageRefused with the status of the change that failed.
        """
        boundary = f"batch_{uuid.uuid4()}"
        body = self._batch(table, changes, boundary)
        content_type = f"multipart/mixed; boundary={boundary}"
        answer = await self._wire.send("table", "POST", "$batch", headers=_json_headers(), body=body, content_type=content_type)
        return _outcome(answer, table)

    async def page(
        self, table: str, condition: str = "", *, select: Sequence[str] = (), top: int | None = None, after: str | None = None
    ) -> Rows:
        """One page of the rows that meet an OData condition, by keys; `after` is a page's continuation (an unreadable one: the end)."""
        query = dict(_FORMAT)
        if top is not None:
            query["$top"] = str(top)
        if select:
            query["$select"] = ",".join(select)
        if condition:
            query["$filter"] = condition
        if after is not None:
            keys = _next_keys(after)
            if not keys:
                return Rows([], None)
            query.update(keys)
        answer = await self._wire.send("table", "GET", f"{table}()", query=query, headers=_json_headers())
        return Rows([decode_row(entity) for entity in msgspec.json.decode(answer.body)["value"]], _continuation(answer))

    async def rows(self, table: str, condition: str = "", *, select: Sequence[str] = ()) -> AsyncIterator[Row]:
        """All rows that meet an OData condition, by keys."""
        after: str | None = None
        while True:
            page = await self.page(table, condition, select=select, after=after)
            for row in page.rows:
                yield row
            if (after := page.continuation) is None:
                return

    async def close(self) -> None:
        """Close the SDK's client, if it was used. The wire is the account's to close."""
        client, self._opened = self._opened, None
        if client is not None:
            await client.close()

    @property
    def _client(self) -> TableServiceClient:
        if self._opened is None:
            from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
            from azure.data.tables.aio import TableServiceClient

            be_quiet()
            account = self._wire.account
            key = AzureNamedKeyCredential(account.name, account.key) if account.key else AzureSasCredential(account.sas)
            self._opened = TableServiceClient(account.table_url, credential=key, retry_total=RETRIES)
        return self._opened

    def _batch(self, table: str, changes: Sequence[Change], boundary: str) -> bytes:
        changeset = f"changeset_{uuid.uuid4()}"
        parts = [f"--{boundary}\r\nContent-Type: multipart/mixed; boundary={changeset}\r\n\r\n".encode()]
        for change in changes:
            method, path, headers = _operation(table, change)
            lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Type": _JSON}.items())
            url = self._wire.url("table", path) + f"?$format={quote(_FORMAT['$format'], safe='')}"
            parts.append(
                f"--{changeset}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
                f"{method} {url} HTTP/1.1\r\n{lines}\r\n".encode()
            )
            parts.append((b"" if change.kind == "delete" else encode_row(change.row)) + b"\r\n")
        parts.append(f"--{changeset}--\r\n--{boundary}--\r\n".encode())
        return b"".join(parts)


def literal(text: str) -> str:
    """A string as OData writes it in a condition."""
    return "'" + text.replace("'", "''") + "'"


def encode_row(row: Row) -> bytes:
    """JSON of a row; values that JSON alone would not type are annotated."""
    body: dict[str, Any] = {"PartitionKey": row.partition_key, "RowKey": row.row_key}
    for name, value in row.columns.items():
        if isinstance(value, Instant):
            body[name], body[name + _TYPE] = str(value), "Edm.DateTime"
        elif isinstance(value, Long):
            body[name], body[name + _TYPE] = str(int(value)), "Edm.Int64"
        elif isinstance(value, float):
            body[name], body[name + _TYPE] = value, "Edm.Double"
        else:
            body[name] = value
    return msgspec.json.encode(body)


def decode_row(entity: dict[str, Any]) -> Row:
    """A row from the JSON object of a query's answer, without the `Timestamp` that the service adds to every row."""
    columns: dict[str, Value] = {}
    for name, value in entity.items():
        if value is not None and name != "Timestamp" and not name.startswith("odata.") and not name.endswith(_TYPE):
            columns[name] = _READ.get(entity.get(name + _TYPE, ""), _as_is)(value)
    return Row(str(columns.pop("PartitionKey", "")), str(columns.pop("RowKey", "")), columns, str(entity.get("odata.etag", "")))


def _as_is(value: Any) -> Value:
    return value  # type: ignore[no-any-return]


_READ = {"Edm.DateTime": Instant, "Edm.Int64": Long, "Edm.Double": float}


def _operation(table: str, change: Change) -> tuple[str, str, dict[str, str]]:
    """Method, escaped path and headers of a change."""
    if change.kind == "insert":
        return "POST", table, _json_headers(_NO_ECHO)
    keys = ",".join(f"{name}={literal(key)}" for name, key in (("PartitionKey", change.row.partition_key), ("RowKey", change.row.row_key)))
    method = {"replace": "PUT", "merge": "PATCH", "delete": "DELETE"}[change.kind]
    etag = change.etag or ("*" if change.kind == "delete" else "")
    return method, f"{table}({quote(keys, safe='=(),')})", _json_headers({"If-Match": etag} if etag else {})


def _json_headers(more: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"DataServiceVersion": "3.0", "Accept": _JSON, **(more or {})}


def _outcome(answer: Answer, table: str) -> list[str]:
    """The ETags in the parts of a transaction's answer, in order."""
    etags = []
    for part in re.split(rb"HTTP/1\.1 (?=\d{3})", answer.body)[1:]:
        status, (head, _, body) = int(part[:3]), part.partition(b"\r\n\r\n")
        if status >= 400:
            code = re.search(rb'"code"\s*:\s*"([^"]*)"', body)
            raise StorageRefused(status, code.group(1).decode() if code else "unknown error", f"a transaction on {table}")
        etag = re.search(rb"^etag:\s*(.*?)\s*$", head, re.IGNORECASE | re.MULTILINE)
        etags.append(etag.group(1).decode() if etag else "")
    return etags


def _continuation(answer: Answer) -> str | None:
    keys = [answer.headers.get(f"x-ms-continuation-next{name}key", "") for name in ("partition", "row")]
    return msgspec.json.encode(keys).decode() if any(keys) else None


def _next_keys(after: str) -> dict[str, str]:
    """Query options that continue a page; none if the token is not one of ours."""
    try:
        keys = msgspec.json.decode(after, type=list[str])
    except msgspec.DecodeError:
        return {}
    return {name: key for name, key in zip(("NextPartitionKey", "NextRowKey"), keys, strict=False) if key}

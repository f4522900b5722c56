"""Rows of tables read and written for functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from linarite.bindings.entities import BadEntity
from linarite.errors import AppError, StorageRefused
from linarite.storage.account import Storage
from linarite.storage.tables import MAX_TRANSACTION, Change, Row

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,62}")


class BadTableName(AppError):
    """A text cannot name a table."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is not a valid table name. Expected 3 to 63 letters and digits, the first a letter.")


def table_name(text: str) -> str:
    """The table a binding's `tableName` names. Raises BadTableName."""
    if not _NAME.fullmatch(text):
        raise BadTableName(text)
    return text


async def read(storage: Storage, table: str, condition: str, take: int) -> list[Row]:
    """Rows that meet a condition, up to `take` of them (0: all); none if there is no such table."""
    found: list[Row] = []
    try:
        async for row in storage.tables.rows(table, condition):
            found.append(row)
            if len(found) == take:
                break
    except StorageRefused as refused:
        if not refused.is_missing:
            raise
    return found


async def insert(storage: Storage, table: str, rows: Sequence[Row]) -> None:
    """Insert rows, up to 100 of one partition at a time; the table is created if it is not there.

    Raises BadEntity if one is there already; those of earlier batches stay.
    """
    for batch in batches(rows):
        try:
            await _insert(storage, table, batch)
        except StorageRefused as refused:
            if refused.code != "TableNotFound":
                raise
            await storage.tables.create(table)
            await _insert(storage, table, batch)


def batches(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that may go in together: of one partition, no key twice, no more than a transaction takes."""
    done: list[list[Row]] = []
    open_batches: dict[str, list[Row]] = {}
    for row in rows:
        batch = open_batches.setdefault(row.partition_key, [])
        if len(batch) == MAX_TRANSACTION or any(row.row_key == other.row_key for other in batch):
            done.append(batch)
            batch = open_batches[row.partition_key] = []
        batch.append(row)
    return done + list(open_batches.values())


async def _insert(storage: Storage, table: str, batch: list[Row]) -> None:
    changes = [Change("insert", row) for row in batch]
    try:
        if len(changes) == 1:
            await storage.tables.change(table, changes[0])
        else:
            await storage.tables.transaction(table, changes)
    except StorageRefused as refused:
        if refused.code != "EntityAlreadyExists":
            raise
        keys = ", ".join(f"({row.partition_key}, {row.row_key})" for row in batch[:3]) + (", ..." if batch[3:] else "")
        raise BadEntity(
            f"Table '{table}' has an entity with these keys already: {keys}. A table output only inserts; to change entities use the "
            "azure-data-tables package in the function."
        ) from None

"""Instance rows in SQL: columns, changes, queries.

Created-times are kept with all seven digits of their fraction, so that to compare the text is to compare in time.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec
from msgspec import UNSET

from linarite.durable.events import Status
from linarite.durable.instances import Instance, InstanceUpdate
from linarite.durable.messages import ENTITY_PREFIX
from linarite.taskhub.protocol import InstanceQuery, Page
from linarite.timestamps import seven_digits, trimmed

Values = dict[str, Any]
"""Columns by name, as stored."""

BLANK: Values = {
    **dict.fromkeys(("execution_id", "name", "created_at", "last_updated_at"), ""),
    **dict.fromkeys(("version", "custom_status", "completed_at", "scheduled_start", "generation", "tags", "input", "output")),
    "status": int(Status.RUNNING),
}
"""A row of which nothing is known yet."""

_TEXTS = ("input", "output")
_FIELDS = InstanceUpdate.__struct_fields__


def values_of(update: InstanceUpdate) -> Values:
    """The columns an update sets."""
    values = {name: value for name in _FIELDS if (value := getattr(update, name)) is not UNSET}
    if "status" in values:
        values["status"] = int(values["status"])
    if values.get("tags") is not None:
        values["tags"] = msgspec.json.encode(values["tags"]).decode()
    if "created_at" in values:
        values["created_at"] = seven_digits(values["created_at"])
    return values


def insert(database: sqlite3.Connection, instance_id: str, revision: int, chunks: int, values: Values) -> int:
    """A new row; its key."""
    row = {"instance_id": instance_id, "revision": revision, "chunks": chunks, **BLANK, **values}
    names = [name for name in row if name not in _TEXTS]
    marks = ", ".join("?" * len(names))
    cursor = database.execute(f"INSERT INTO instances ({', '.join(names)}) VALUES ({marks})", [row[name] for name in names])
    assert cursor.lastrowid is not None
    _write_texts(database, cursor.lastrowid, row)
    return cursor.lastrowid


def update(database: sqlite3.Connection, key: int, revision: int, chunks: int, values: Values) -> None:
    """Change the named columns."""
    changes = {"revision": revision, "chunks": chunks, **{name: value for name, value in values.items() if name not in _TEXTS}}
    assignments = ", ".join(f"{name} = ?" for name in changes)
    database.execute(f"UPDATE instances SET {assignments} WHERE key = ?", [*changes.values(), key])
    _write_texts(database, key, values)


def _write_texts(database: sqlite3.Connection, key: int, values: Values) -> None:
    names = [name for name in _TEXTS if name in values]
    if names:
        marks = ", ".join("?" * (1 + len(names)))
        changes = ", ".join(f"{name} = excluded.{name}" for name in names)
        database.execute(
            f"INSERT INTO texts (instance, {', '.join(names)}) VALUES ({marks}) ON CONFLICT (instance) DO UPDATE SET {changes}",
            [key, *(values[name] for name in names)],
        )


def delete(database: sqlite3.Connection, key: int) -> None:
    """Row and texts."""
    database.execute("DELETE FROM instances WHERE key = ?", (key,))
    database.execute("DELETE FROM texts WHERE instance = ?", (key,))


_COLUMNS = (
    "instance_id, execution_id, name, version, status, custom_status, created_at, last_updated_at, completed_at, "
    "scheduled_start, generation, tags"
)


def read(database: sqlite3.Connection, instance_id: str) -> Instance | None:
    """One instance."""
    row = database.execute(
        f"SELECT {_COLUMNS}, input, output FROM instances LEFT JOIN texts ON instance = key WHERE instance_id = ?", (instance_id,)
    ).fetchone()
    return _instance(row) if row else None


def read_page(database: sqlite3.Connection, query: InstanceQuery) -> Page:
    """One page, in the order of the ids' code points. The continuation is the last id given so far."""
    where, arguments = _conditions(query)
    texts = ", ".join(name if wanted else "NULL" for name, wanted in zip(_TEXTS, (query.with_input, query.with_output), strict=True))
    rows = database.execute(
        f"SELECT {_COLUMNS}, {texts} FROM instances LEFT JOIN texts ON instance = key {where} ORDER BY instance_id LIMIT ?",
        [*arguments, query.page_size + 1],
    ).fetchall()
    page = tuple(_instance(row) for row in rows[: query.page_size])
    last = page[-1].instance_id if page else query.after or ""
    return Page(page, last if len(rows) > query.page_size else None)


def _conditions(query: InstanceQuery) -> tuple[str, list[Any]]:
    conditions: list[tuple[str, list[Any]]] = []
    if query.after is not None:
        conditions.append(("instance_id > ?", [query.after]))
    if query.created_from is not None:
        conditions.append(("created_at >= ?", [seven_digits(query.created_from)]))
    if query.created_to is not None:
        conditions.append(("created_at <= ?", [seven_digits(query.created_to)]))
    if query.statuses:
        conditions.append((f"status IN ({', '.join('?' * len(query.statuses))})", [int(status) for status in query.statuses]))
    if query.id_prefix:
        conditions.append(("instance_id >= ? AND instance_id < ?", [query.id_prefix, query.id_prefix + "\U0010ffff"]))
    if query.exclude_entities:
        conditions.append(("NOT (instance_id >= ? AND instance_id < ?)", [ENTITY_PREFIX, chr(ord(ENTITY_PREFIX) + 1)]))
    where = f"WHERE {' AND '.join(condition for condition, _ in conditions)}" if conditions else ""
    return where, [argument for _, arguments in conditions for argument in arguments]


def _instance(row: tuple[Any, ...]) -> Instance:
    (instance_id, execution_id, name, version, status, custom_status, created_at, last_updated_at, completed_at, *rest) = row
    scheduled_start, generation, tags, input_text, output = rest
    return Instance(
        instance_id=instance_id,
        execution_id=execution_id,
        name=name,
        version=version,
        status=Status(status),
        input=input_text,
        output=output,
        custom_status=custom_status,
        created_at=trimmed(created_at) if created_at else created_at,
        last_updated_at=last_updated_at,
        completed_at=completed_at,
        scheduled_start=scheduled_start,
        generation=generation,
        tags=msgspec.json.decode(tags, type=dict[str, str]) if tags else None,
    )

"""Messages as the file keeps them: written, found again, forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from linarite.durable.messages import TaskMessage
from linarite.timestamps import moment

KEPT_BYTES = 32_768
"""A longer message is not kept in memory while it waits; it is read again when it is handed out."""

_decoder: msgspec.json.Decoder[TaskMessage] = msgspec.json.Decoder(TaskMessage)


@dataclass(eq=False, slots=True)
class StoredMessage:
    """One row of `messages` or `activities`. `seq` orders by arrival, over both; `message` is None if it is only in the file."""

    seq: int
    instance_id: str
    execution_id: str | None
    due: datetime | None
    message: TaskMessage | None
    deliveries: int = 0


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way into the file."""

    stored: StoredMessage
    is_activity: bool
    due_at: str | None
    text: str


def parcel(seq: int, message: TaskMessage) -> Parcel:
    """The message, encoded once."""
    text = msgspec.json.encode(message).decode()
    due_at = message.due_at
    stored = StoredMessage(
        seq=seq,
        instance_id=message.target.instance_id,
        execution_id=message.target.execution_id or None,
        due=moment(due_at) if due_at else None,
        message=message if len(text) <= KEPT_BYTES else None,
    )
    return Parcel(stored, message.is_activity_request, due_at, text)


_INSERT_MESSAGE = "INSERT INTO messages (seq, instance_id, execution_id, due_at, is_creation, message) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_ACTIVITY = "INSERT INTO activities (seq, message) VALUES (?, ?)"


def insert(database: sqlite3.Connection, parcels: Sequence[Parcel], *, is_creation: bool = False) -> None:
    """Add messages."""
    activities = [(p.stored.seq, p.text) for p in parcels if p.is_activity]
    others = [
        (p.stored.seq, p.stored.instance_id, p.stored.execution_id, p.due_at, is_creation, p.text) for p in parcels if not p.is_activity
    ]
    if activities:
        database.executemany(_INSERT_ACTIVITY, activities)
    if others:
        database.executemany(_INSERT_MESSAGE, others)


def delete(database: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Forget messages to instances."""
    database.executemany("DELETE FROM messages WHERE seq = ?", [(seq,) for seq in seqs])


def replace_activity(database: sqlite3.Connection, seq: int, answer: Parcel) -> None:
    """Forget an activity request, and send its answer."""
    database.execute("DELETE FROM activities WHERE seq = ?", (seq,))
    insert(database, [answer])


def take_back_creations(database: sqlite3.Connection, instance_id: str) -> frozenset[int]:
    """Forget the starts of an instance that clients sent and nobody has read; which they were."""
    found = database.execute("SELECT seq FROM messages WHERE is_creation AND instance_id = ?", (instance_id,))
    seqs = frozenset(seq for (seq,) in found)
    delete(database, seqs)
    return seqs


def read_all(database: sqlite3.Connection) -> tuple[list[StoredMessage], list[StoredMessage]]:
    """Everything that waits, in order of arrival: messages to instances, and activity requests. Bodies stay in the file."""
    messages = [
        StoredMessage(seq, instance_id, execution_id, moment(due_at) if due_at else None, None)
        for seq, instance_id, execution_id, due_at in database.execute(
            "SELECT seq, instance_id, execution_id, due_at FROM messages ORDER BY seq"
        )
    ]
    activities = [StoredMessage(seq, "", None, None, None) for (seq,) in database.execute("SELECT seq FROM activities ORDER BY seq")]
    return messages, activities


def bodies(database: sqlite3.Connection, seqs: Sequence[int]) -> dict[int, TaskMessage]:
    """Messages to instances, read from the file; one that was taken back in the meantime is left out."""
    return _bodies(database, "messages", seqs)


def activity_body(database: sqlite3.Connection, seq: int) -> TaskMessage:
    """One activity request, read from the file."""
    return _bodies(database, "activities", [seq])[seq]


def _bodies(database: sqlite3.Connection, table: str, seqs: Sequence[int]) -> dict[int, TaskMessage]:
    rows = [database.execute(f"SELECT seq, message FROM {table} WHERE seq = ?", (seq,)).fetchone() for seq in seqs]
    return {row[0]: _decoder.decode(row[1]) for row in rows if row}

"""Where an instance stands: its history, read once and remembered, and written one commit at a time.

Each commit of a generation is one row of its events. A checkpoint names the revision of the instance it was read at; a write succeeds only
on that revision, so whoever was overtaken (by a purge, a new start, a rewind) learns it and changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from linarite.durable.events import HistoryEvent, encode_event
from linarite.taskhub.sqlite import instance_rows, stored_messages
from linarite.taskhub.sqlite.instance_rows import Values
from linarite.taskhub.sqlite.stored_messages import Parcel

_lines: msgspec.json.Decoder[HistoryEvent] = msgspec.json.Decoder(HistoryEvent)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One instance as it is in the file. `chunks`: rows of history. `size`: characters of it."""

    key: int
    revision: int
    execution_id: str
    chunks: int
    events: tuple[HistoryEvent, ...]
    size: int

    def history_for(self, execution_id: str | None) -> tuple[HistoryEvent, ...]:
        """The history of the generation a message addresses; None addresses the current one."""
        return self.events if execution_id in (None, self.execution_id) else ()


@dataclass(frozen=True, slots=True)
class Commit:
    """What one decision changes in the file.

    `before`: where the instance stood when it was handed out. `values`: columns of the row, None if it stays as it is. `events`: the text
    of a new chunk, empty for none; `replaces`: it is the first of a new generation. `read`: messages that are done with.
    `is_over`: the instance ended before it began, so a start that waits is void.
    """

    instance_id: str
    before: Checkpoint | None
    revision: int
    values: Values | None
    events: str
    replaces: bool
    sent: Sequence[Parcel]
    read: Sequence[int]
    is_over: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a commit: the instance's key, 0 if it has no row, and starts that were taken back."""

    key: int
    taken_back: frozenset[int]


def encoded(events: Sequence[HistoryEvent]) -> str:
    """A chunk: one event a line."""
    return b"\n".join(map(encode_event, events)).decode()


def load(database: sqlite3.Connection, instance_id: str) -> Checkpoint | None:
    """Where the instance stands; None if there is no such instance."""
    row = database.execute("SELECT key, revision, execution_id, chunks FROM instances WHERE instance_id = ?", (instance_id,)).fetchone()
    if row is None:
        return None
    key, revision, execution_id, chunks = row
    texts = [text for (text,) in database.execute("SELECT events FROM history WHERE instance = ? ORDER BY chunk", (key,))]
    events = tuple(event for text in texts for event in _lines.decode_lines(text))
    return Checkpoint(key, revision, execution_id, chunks, events, sum(map(len, texts)))


def write(database: sqlite3.Connection, commit: Commit) -> Written | None:
    """Do all of it; None if the instance was changed since `before`: then nothing was done."""
    before = commit.before
    row = database.execute("SELECT revision FROM instances WHERE instance_id = ?", (commit.instance_id,)).fetchone()
    if (row and row[0]) != (before and before.revision):
        return None
    key = _write_instance(database, commit)
    stored_messages.insert(database, commit.sent)
    stored_messages.delete(database, commit.read)
    return Written(key, stored_messages.take_back_creations(database, commit.instance_id) if commit.is_over else frozenset())


def _write_instance(database: sqlite3.Connection, commit: Commit) -> int:
    before = commit.before
    if commit.values is None:
        return before.key if before else 0
    chunk = 0 if commit.replaces or before is None else before.chunks
    chunks = chunk + 1 if commit.events else chunk
    if before is None:
        key = instance_rows.insert(database, commit.instance_id, commit.revision, chunks, commit.values)
    else:
        key = before.key
        instance_rows.update(database, key, commit.revision, chunks, commit.values)
        if commit.replaces:
            delete_history(database, key)
    if commit.events:
        append_chunk(database, key, chunk, commit.events)
    return key


def append_chunk(database: sqlite3.Connection, key: int, chunk: int, events: str) -> None:
    """Add a chunk to a history that has `chunk` of them."""
    database.execute("INSERT INTO history (instance, chunk, events) VALUES (?, ?, ?)", (key, chunk, events))


def after(commit: Commit, new_events: tuple[HistoryEvent, ...], execution_id: str, key: int) -> Checkpoint:
    """Where a commit that changed an instance has left it."""
    before = commit.before
    if not commit.events:
        assert before is not None  # only a row that exists is changed alone
        return replace(before, revision=commit.revision)
    if commit.replaces or before is None:
        return Checkpoint(key, commit.revision, execution_id, 1, new_events, len(commit.events))
    size = before.size + len(commit.events)
    return Checkpoint(key, commit.revision, execution_id, before.chunks + 1, (*before.events, *new_events), size)


def delete_history(database: sqlite3.Connection, key: int) -> None:
    """All of an instance's events."""
    database.execute("DELETE FROM history WHERE instance = ?", (key,))


class Remembered:
    """Checkpoints of the instances last worked on, so that history is not read again: as many as fit into `limit` characters."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._checkpoints: OrderedDict[str, Checkpoint] = OrderedDict()

    def get(self, instance_id: str) -> Checkpoint | None:
        checkpoint = self._checkpoints.get(instance_id)
        if checkpoint is not None:
            self._checkpoints.move_to_end(instance_id)
        return checkpoint

    def put(self, instance_id: str, checkpoint: Checkpoint | None) -> Checkpoint | None:
        self.forget(instance_id)
        if checkpoint is None:
            return None
        self._checkpoints[instance_id] = checkpoint
        self._size += checkpoint.size
        while self._size > self._limit:
            _, oldest = self._checkpoints.popitem(last=False)
            self._size -= oldest.size
        return checkpoint

    def forget(self, instance_id: str) -> None:
        checkpoint = self._checkpoints.pop(instance_id, None)
        if checkpoint is not None:
            self._size -= checkpoint.size

"""The hub's file: opened, checked, brought to the present schema; and what its errors mean.

The schema is the SQL files in `schema/`, applied in order; the file's `user_version` says how many it has seen. Nothing is written to a
file before it is known to be a sound hub of a version that is understood.
"""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path

import msgspec

from linarite.errors import HubFileUnusable, HubUnavailable

APPLICATION_ID = 0x4C696E61
"""Marks an SQLite file as ours ("Lina")."""

_BUSY_S = 5.0
"""How long to wait for a tool that has the file open; other hosts are kept out by the host lock."""


def open_file(path: Path | None) -> sqlite3.Connection:
    """A connection to the hub in that file, made if there is none; None: to a new one in memory. Raises HubError."""
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path or ":memory:", timeout=_BUSY_S, isolation_level=None, cached_statements=256)
    except (OSError, sqlite3.Error) as error:
        raise HubFileUnusable(f"The task hub {path} cannot be opened: {error}.") from error
    try:
        _prepare(database, path)
    except sqlite3.Error as error:
        database.close()
        raise explained(error, path) from error
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection, path: Path | None) -> None:
    scripts = schema_scripts()
    version = _checked_version(database, path, len(scripts))
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA temp_store = MEMORY")
    for number, script in enumerate(scripts[version:], version + 1):
        database.executescript(f"BEGIN; {script} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;")


def _checked_version(database: sqlite3.Connection, path: Path | None, newest: int) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    is_empty = database.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    if is_empty:
        return 0
    if application != APPLICATION_ID:
        raise HubFileUnusable(f"{path} is an SQLite file, but not a task hub. Move it away, or choose another hub name.")
    if version > newest:
        raise HubFileUnusable(
            f"The task hub {path} was written by a newer linarite (schema {version}; this one knows {newest}). "
            "Upgrade linarite, or move the file away to begin anew."
        )
    (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise HubFileUnusable(_DAMAGED.format(path=path, said=verdict))
    return int(version)


def schema_scripts() -> list[str]:
    """The SQL of every schema version, oldest first."""
    folder = resources.files(__package__) / "schema"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text("utf-8") for name in names]


_DAMAGED = (
    "The task hub {path} is damaged ({said}); it was left as it is. "
    "Restore a copy of it together with its -wal file, or move both away to begin anew."
)
_FULL = (
    "There is no space left for the task hub {path}: nothing of this was written, and nothing that was is lost. "
    "Free some space; what waits then goes on by itself."
)


def explained(error: Exception, path: Path | None) -> Exception:
    """An error of the file or its contents in the words of the port, with what to do about it; any other as it is."""
    said = str(error)
    where = path or "in memory"
    if isinstance(error, msgspec.MsgspecError):
        return HubFileUnusable(_DAMAGED.format(path=where, said=said))
    if not isinstance(error, sqlite3.Error):
        return error
    if "disk is full" in said:
        return HubUnavailable(_FULL.format(path=where))
    if "malformed" in said or "not a database" in said:
        return HubFileUnusable(_DAMAGED.format(path=where, said=said))
    return HubUnavailable(f"The task hub {where} could not be read or written: {said}.")

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from linarite.errors import HubError, HubFileUnusable
from linarite.taskhub.sqlite.file import APPLICATION_ID, explained, open_file, schema_scripts


def test_a_new_file_has_the_newest_schema_and_our_mark(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "hub.db"
    with closing(open_file(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(schema_scripts()),)
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert database.execute("SELECT count(*) FROM instances").fetchone() == (0,)


def test_a_file_can_be_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    with closing(open_file(path)) as database:
        database.execute("INSERT INTO activities VALUES (1, 'kept')")
    with closing(open_file(path)) as database:
        assert database.execute("SELECT message FROM activities").fetchone() == ("kept",)


def test_each_hub_in_memory_is_its_own() -> None:
    with closing(open_file(None)) as one, closing(open_file(None)) as other:
        one.execute("INSERT INTO activities VALUES (1, 'mine')")
        assert other.execute("SELECT count(*) FROM activities").fetchone() == (0,)


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    with closing(open_file(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(
        HubFileUnusable, match=r"hub\.db was written by a newer linarite \(schema 99; this one knows 1\)\. Upgrade linarite"
    ):
        open_file(path)
    assert path.read_bytes() == before


def test_somebody_elses_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE cats (name)")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(HubFileUnusable, match="is an SQLite file, but not a task hub"):
        open_file(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    path.write_text("notes of mine\n" * 100, "utf-8")
    with pytest.raises(HubFileUnusable, match=r"is damaged .* it was left as it is"):
        open_file(path)
    assert path.read_text("utf-8") == "notes of mine\n" * 100


def test_a_damaged_file_is_reported_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    with closing(open_file(path)) as database:
        database.execute("BEGIN")
        database.executemany("INSERT INTO activities VALUES (?, ?)", [(n, "x" * 1000) for n in range(1000)])
        database.execute("COMMIT")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 20_000] = b"\xff" * 20_000
    path.write_bytes(content)
    with pytest.raises(HubFileUnusable, match="is damaged"):
        open_file(path)
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_file_is_said_to_be_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "hub.db").mkdir()
    with pytest.raises(HubError, match=r"hub\.db.*unable to open"):
        open_file(tmp_path / "hub.db")


def test_other_errors_pass_as_they_are() -> None:
    error = LookupError("a mistake of ours")
    assert explained(error, None) is error


def test_schema_scripts_are_numbered_from_one_without_a_gap() -> None:
    folder = Path(__file__).parents[3] / "host" / "linarite" / "taskhub" / "sqlite" / "schema"
    assert sorted(entry.name for entry in folder.iterdir()) == [f"{number:03}.sql" for number in range(1, len(schema_scripts()) + 1)]

"""`linarite settings`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from linarite.cli import cli, settings_command
from linarite.cli.settings_command import table
from linarite.configuration import Row
from linarite.provenance import MASK

settings_command.register(cli)

LOCAL = {"IsEncrypted": False, "Values": {"FUNCTIONS_WORKER_RUNTIME": "python", "API_KEY": "hush", "Greeting": "hello"}}


@pytest.fixture
def app(app_folder: Path) -> Path:
    (app_folder / "local.settings.json").write_text(json.dumps(LOCAL, indent=1), "utf-8")
    return app_folder


def shown(folder: Path, *flags: str) -> str:
    return CliRunner().invoke(cli, ["settings", "--script-root", str(folder), *flags], catch_exceptions=False).output


def test_the_table_has_a_line_for_each_setting_in_columns() -> None:
    lines = table([Row("Short", "1", "default"), Row("A.Longer.Name", "two\nlines", "host.json:3")])
    assert lines == [
        "SETTING        VALUE       FROM",
        "Short          1           default",
        "A.Longer.Name  two\\nlines  host.json:3",
    ]


def test_a_very_long_value_widens_no_other_line() -> None:
    _, short, long = table([Row("A", "1", "default"), Row("B", "x" * 300, ".env:1")])
    assert len(short) < 80
    assert long.endswith(f"{'x' * 300}  .env:1")


def test_settings_are_shown_with_their_places_and_without_secrets(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("Greeting", "good day")
    output = shown(app)
    lines = [line.split(None, 2) for line in output.splitlines()]
    assert ["API_KEY", MASK, "local.settings.json:5"] in lines
    assert ["extensions.http.routePrefix", "api", "default"] in lines
    assert "good day" in output
    assert "environment, not local.settings.json:6" in output
    assert "hush" not in output


def test_as_json_it_is_an_array_of_objects(app: Path) -> None:
    rows = json.loads(shown(app, "--json"))
    assert {"name": "API_KEY", "value": MASK, "origin": "local.settings.json:5"} in rows


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("host.json", "{", "host.json, line 1, column 2"),
        ("local.settings.json", '{"Values": {"A": "hush"}}', 'local.settings.json:1: "IsEncrypted" is missing'),
        ("local.settings.json", '{"IsEncrypted": false,\n"Values": {"A": "hush" "B": 1}}', "local.settings.json, line 2, column 24"),
        (".env", "A=1\nhush hush\n", ".env:2: expected NAME=value"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence_and_exit_code_1(app_folder: Path, file: str, content: str, sentence: str) -> None:
    (app_folder / file).write_text(content, "utf-8")
    run = subprocess.run([sys.executable, "-m", "linarite", "settings"], cwd=app_folder, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert sentence in run.stderr
    assert len(run.stderr.splitlines()) <= 4  # a syntax error shows its line and a caret
    assert run.stdout == ""


def test_the_app_is_found_from_a_folder_within_it(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (app / "deep").mkdir()
    monkeypatch.chdir(app / "deep")
    assert "API_KEY" in CliRunner().invoke(cli, ["settings"], catch_exceptions=False).output

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from linarite import __version__
from linarite.cli import cli, start
from linarite.cli.start import as_one_value, spread_functions
from linarite.errors import OperatorError

start.register(cli)


def test_names_after_functions_are_taken_up_to_the_next_flag() -> None:
    given = ["start", "--functions", "One", "Two", "--port", "7072"]
    assert spread_functions(given) == ["start", "--functions", "One", "--functions", "Two", "--port", "7072"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["--language-worker", "--", "-m debugpy --listen 127.0.0.1:9091"], "-m debugpy --listen 127.0.0.1:9091"),
        (["--language-worker", "--", "-m", "debugpy"], "-m debugpy"),
        (["--language-worker", "-X dev"], "-X dev"),
    ],
)
def test_the_worker_s_arguments_are_taken_as_func_takes_them(given: list[str], text: str) -> None:
    assert as_one_value(["host", "start", "--verbose", *given]) == ["host", "start", "--verbose", f"--language-worker={text}"]


def test_debug_needs_a_worker_of_its_own(app_folder: Path) -> None:
    with pytest.raises(OperatorError, match=r"python -m debugpy --listen 9091 -m linarite start --in-process"):
        CliRunner().invoke(cli, ["start", "--script-root", str(app_folder), "--debug", "--in-process"], catch_exceptions=False)


def test_version_prints_the_version_only() -> None:
    assert CliRunner().invoke(cli, ["--version"]).output == f"{__version__}\n"


def test_a_folder_that_does_not_exist_is_said_in_func_s_words() -> None:
    with pytest.raises(OperatorError, match=r'"/nowhere/at/all" doesn\'t exist\.'):
        CliRunner().invoke(cli, ["start", "--script-root", "/nowhere/at/all"], catch_exceptions=False)


def test_a_folder_that_is_no_app_is_said_with_what_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OperatorError, match=r"Unable to find project root.*host\.json, local\.settings\.json"):
        CliRunner().invoke(cli, ["start"], catch_exceptions=False)


@pytest.mark.parametrize("bad", ["0", "http", "70000"])
def test_a_debug_port_that_is_none_is_refused(app_folder: Path, bad: str) -> None:
    with pytest.raises(OperatorError, match="--debug takes a port"):
        CliRunner().invoke(cli, ["start", "--script-root", str(app_folder), "--debug", bad], catch_exceptions=False)

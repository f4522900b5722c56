"""Which Python runs the app."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from linarite.errors import OperatorError
from linarite.workers.interpreter import find_python


def environment(folder: Path) -> Path:
    """What a virtual environment looks like from afar; its Python."""
    (folder / "bin").mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("", "utf-8")
    python = folder / "bin" / "python"
    python.symlink_to(sys.executable)
    return python


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    return folder


def test_ours_if_there_is_no_other(app: Path) -> None:
    assert find_python(app, None, {}) == Path(sys.executable)


def test_the_apps_own_environment(app: Path) -> None:
    own = environment(app / ".venv")
    assert find_python(app, None, {}) == own


def test_the_active_environment_comes_before_the_apps_own(app: Path, tmp_path: Path) -> None:
    environment(app / ".venv")
    active = environment(tmp_path / "active")
    assert find_python(app, None, {"VIRTUAL_ENV": str(tmp_path / "active")}) == active


def test_what_is_asked_for_comes_first(app: Path, tmp_path: Path) -> None:
    chosen = environment(tmp_path / "chosen")
    active = {"VIRTUAL_ENV": str(app)}
    assert find_python(app, chosen, active) == chosen
    assert find_python(app, tmp_path / "chosen", active) == chosen


def test_core_tools_setting_counts_for_less_than_the_flag_and_more_than_an_environment(app: Path, tmp_path: Path) -> None:
    chosen, other = environment(tmp_path / "chosen"), environment(tmp_path / "other")
    assert find_python(app, None, {"VIRTUAL_ENV": str(app)}, str(other)) == other
    assert find_python(app, chosen, {}, str(other)) == chosen
    with pytest.raises(OperatorError, match="languageWorkers:python:defaultExecutablePath /gone/python: there is no such"):
        find_python(app, None, {}, "/gone/python")


def test_a_bare_name_is_looked_for_on_the_path(app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = environment(tmp_path / "env")
    monkeypatch.setenv("PATH", str(python.parent))
    assert find_python(app, Path("python"), {}) == python


def test_a_folder_that_is_no_environment_does_not_count(app: Path) -> None:
    (app / ".venv").mkdir()
    assert find_python(app, None, {}) == Path(sys.executable)


@pytest.mark.parametrize("chosen", ["no-such-python", "no/such/python"])
def test_what_is_asked_for_must_exist(app: Path, chosen: str) -> None:
    with pytest.raises(OperatorError, match=f"--python {chosen}: there is no such interpreter"):
        find_python(app, Path(chosen), {})


def test_a_broken_environment_is_told(app: Path) -> None:
    environment(app / ".venv").unlink()
    with pytest.raises(OperatorError, match=r"The app's environment is .*\.venv, which has no working bin/python\. Make it anew"):
        find_python(app, None, {})


def test_an_active_environment_that_is_gone_is_told(app: Path) -> None:
    with pytest.raises(OperatorError, match="VIRTUAL_ENV is /gone"):
        find_python(app, None, {"VIRTUAL_ENV": "/gone"})

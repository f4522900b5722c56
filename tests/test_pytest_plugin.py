"""The plugin as another project has it: pytest in a process of its own, in a folder of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs" / "testing.md"

EXAMPLES = ["function_app.py", "test_orders.py", "test_failures.py", "test_time.py", "test_async.py", "test_one_function.py"]

STRICT = """
[pytest]
addopts = --strict-markers --strict-config
filterwarnings = error
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""

APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="where")
def where(req: func.HttpRequest) -> str:
    return "{place}"
"""

ASKS = """
def test_it(linarite_app):
    assert linarite_app.http.get("/api/where").text == "{place}"
"""


MARKED = """
import os
from datetime import datetime, timezone

import azure.functions as func
import pytest

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="settings")
def settings(req: func.HttpRequest) -> str:
    return " ".join(os.environ[name] for name in ("A", "B", "C"))


START = datetime(2026, 1, 1, tzinfo=timezone.utc)
pytestmark = pytest.mark.linarite_app(app, settings={"A": "module", "B": "module", "C": "module"}, now=START)


@pytest.mark.linarite_app(settings={"B": "class", "C": "class"}, folder="app")
class TestTogether:
    @pytest.mark.linarite_app(settings={"C": "test"})
    def test_they_add_up(self, linarite_http, linarite_time, linarite_durable, run_until_idle):
        assert linarite_http.get("/v1/settings").text == "module class test"
        run_until_idle()
        assert linarite_time.now() == START


@pytest.mark.linarite_app(real_time=True)
def test_time_may_pass_by_itself(linarite_app):
    assert abs(linarite_app.time.now() - datetime.now(timezone.utc)).total_seconds() < 60
    assert linarite_app.http.get("/api/settings").text == "module module module"
"""


def app_in(folder: Path, place: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "host.json").write_text('{"version": "2.0"}', "utf-8")
    (folder / "function_app.py").write_text(APP.format(place=place), "utf-8")


def outcome(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of pytest in a folder."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return run.returncode, run.stdout + run.stderr


def test_the_app_is_the_nearest_folder_upwards_with_a_host_json(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    app_in(tmp_path, "top")
    app_in(tmp_path / "inner", "inner")
    for folder, place in ((tmp_path / "tests", "top"), (tmp_path / "inner" / "tests", "inner")):
        folder.mkdir()
        (folder / f"test_{place}.py").write_text(ASKS.format(place=place), "utf-8")
    code, said = outcome(tmp_path)
    assert code == 0, said


def test_an_ini_option_and_a_mark_name_another_folder(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nlinarite_app = apps/one\n", "utf-8")
    app_in(tmp_path / "apps" / "one", "one")
    app_in(tmp_path / "apps" / "two", "two")
    (tmp_path / "test_one.py").write_text(ASKS.format(place="one"), "utf-8")
    mark = 'import pytest\n\npytestmark = pytest.mark.linarite_app("apps/two")\n'
    (tmp_path / "test_two.py").write_text(mark + ASKS.format(place="two"), "utf-8")
    code, said = outcome(tmp_path, "--strict-markers")
    assert code == 0, said


def test_without_an_app_the_test_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (tmp_path / "test_none.py").write_text(ASKS.format(place=""), "utf-8")
    code, said = outcome(tmp_path)
    assert code == 1
    assert "No function app found: there is no host.json in" in said


def test_the_examples_of_the_documentation_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n# (\S+\.py)\n(.*?)^```", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert [name for name, _ in blocks] == [*EXAMPLES, "program.py"]
    app_in(tmp_path, "unused")
    for name, block in blocks:
        (tmp_path / name).write_text(block, "utf-8")
    (tmp_path / "pytest.ini").write_text(STRICT, "utf-8")
    code, said = outcome(tmp_path)
    assert code == 0, said
    assert re.search(r"^6 passed", said, re.MULTILINE), said
    program = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert (program.stdout, program.stderr) == ("shipped mug\n", "")


@pytest.mark.parametrize("command", ["import linarite.pytest_plugin, sys; print('linarite.host' in sys.modules)"])
def test_the_plugin_imports_no_host_before_a_test_asks_for_one(command: str) -> None:
    assert subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout == "False\n"


def test_marks_of_a_module_a_class_and_a_test_come_together(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "host.json").write_text('{"version": "2.0", "extensions": {"http": {"routePrefix": "v1"}}}', "utf-8")
    (tmp_path / "test_marks.py").write_text(MARKED, "utf-8")
    code, said = outcome(tmp_path)
    assert code == 0, said

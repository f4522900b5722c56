from __future__ import annotations

import io
import json
import logging
import re

import pytest

from linarite.cli.console import ConsoleHandler, LevelFilter, level_name


def record(category: str, level: int = logging.INFO, text: str = "text") -> logging.LogRecord:
    return logging.LogRecord(category, level, "", 0, text, None, None)


@pytest.mark.parametrize("category", ["Function.hello", "Function.hello.User", "Host.Function.Console"])
def test_what_a_function_says_is_shown_from_information_on(category: str) -> None:
    levels = LevelFilter()
    assert levels.filter(record(category))
    assert not levels.filter(record(category, logging.DEBUG))


@pytest.mark.parametrize("category", ["Host.Startup", "Worker.rpc", "Host.Triggers.Timer", "linarite.host", "uvicorn.error"])
def test_what_the_host_says_is_shown_from_warning_on(category: str) -> None:
    levels = LevelFilter()
    assert not levels.filter(record(category))
    assert levels.filter(record(category, logging.WARNING))


def test_the_line_that_editors_wait_for_is_always_shown() -> None:
    levels = LevelFilter(levels={"default": "None"})
    assert levels.filter(record("Worker.Python", text="Worker process started and initialized."))
    assert not levels.filter(record("Worker.Python", logging.CRITICAL, "anything else"))


def test_verbose_shows_the_host_s_lines_but_not_the_libraries() -> None:
    levels = LevelFilter(verbose=True)
    assert levels.filter(record("Host.Startup"))
    assert levels.filter(record("linarite.host"))
    assert not levels.filter(record("uvicorn.error"))


def test_the_longest_prefix_in_host_json_decides() -> None:
    levels = LevelFilter(levels={"Function": "Error", "Function.hello": "Debug"})
    assert levels.filter(record("Function.hello.User", logging.DEBUG))
    assert not levels.filter(record("Function.other", logging.WARNING))


def test_the_default_level_of_host_json_moves_both_unless_the_user_level_is_given() -> None:
    assert not LevelFilter(levels={"default": "None"}).filter(record("Function.hello", logging.CRITICAL))
    assert LevelFilter(levels={"default": "None"}, user_level="Information").filter(record("Function.hello"))
    assert LevelFilter(levels={"default": "Information"}).filter(record("Host.Startup"))


def test_a_changed_host_json_takes_effect() -> None:
    levels = LevelFilter()
    assert levels.filter(record("Function.hello"))
    levels.configure({"default": "Error"})
    assert not levels.filter(record("Function.hello"))


def test_every_line_of_a_text_has_its_own_stamp_and_no_colour_off_a_terminal() -> None:
    out = io.StringIO()
    ConsoleHandler(out).handle(record("Function.hello", text="one\ntwo"))
    assert [re.sub(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] ", "STAMP ", line) for line in out.getvalue().splitlines()] == [
        "STAMP one",
        "STAMP two",
    ]


def test_json_lines_carry_category_level_and_invocation() -> None:
    out = io.StringIO()
    line = record("Function.hello", logging.WARNING, "careful")
    line.invocation_id = "i-1"
    ConsoleHandler(out, as_json=True).handle(line)
    parsed = json.loads(out.getvalue())
    assert {key: parsed[key] for key in ("level", "category", "message", "invocationId")} == {
        "level": "Warning",
        "category": "Function.hello",
        "message": "careful",
        "invocationId": "i-1",
    }


def test_levels_have_the_runtime_s_names() -> None:
    assert [level_name(level) for level in (5, 10, 20, 30, 40, 50)] == ["Trace", "Debug", "Information", "Warning", "Error", "Critical"]

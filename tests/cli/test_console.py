from __future__ import annotations

import io
import json
import logging
import re

import pytest

from linarite.cli.console import ConsoleHandler, LevelFilter
from linarite.cli.levels import level_name, level_of


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


def configured(levels: dict[str, str], user_level: str = "", *, verbose: bool = False) -> LevelFilter:
    found = LevelFilter(verbose=verbose)
    found.configure(levels, level_of(user_level))
    return found


def test_the_line_that_editors_wait_for_is_always_shown() -> None:
    levels = configured({"default": "None"})
    assert levels.filter(record("Worker.Python", text="Worker process started and initialized."))
    assert not levels.filter(record("Worker.Python", logging.CRITICAL, "anything else"))


def test_verbose_shows_the_host_s_lines_but_not_the_libraries() -> None:
    levels = LevelFilter(verbose=True)
    assert levels.filter(record("Host.Startup"))
    assert levels.filter(record("linarite.host"))
    assert not levels.filter(record("uvicorn.error"))


def test_verbose_shows_no_less_than_host_json_asks_for() -> None:
    assert configured({"default": "Error"}, verbose=True).filter(record("Host.Startup"))
    assert configured({"default": "Debug"}, verbose=True).filter(record("Host.Startup", logging.DEBUG))


def test_the_longest_prefix_in_host_json_decides_in_any_case() -> None:
    levels = configured({"Function": "Error", "function.Hello": "Debug"})
    assert levels.filter(record("Function.hello.User", logging.DEBUG))
    assert not levels.filter(record("Function.other", logging.WARNING))


def test_the_default_level_of_host_json_moves_both_unless_the_user_level_is_given() -> None:
    assert not configured({"Default": "None"}).filter(record("Function.hello", logging.CRITICAL))
    assert configured({"default": "None"}, "information").filter(record("Function.hello"))
    assert configured({"default": "Information"}).filter(record("Host.Startup"))


def test_a_changed_host_json_takes_effect() -> None:
    levels = LevelFilter()
    assert levels.filter(record("Function.hello"))
    levels.configure({"default": "Error"})
    assert not levels.filter(record("Function.hello"))


def test_every_line_of_a_text_has_its_own_stamp_and_no_colour_off_a_terminal() -> None:
    out = io.StringIO()
    ConsoleHandler(out).handle(record("Function.hello", text="one\r\ntwo\u2028and more\n"))
    assert [re.sub(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] ", "STAMP ", line) for line in out.getvalue().split("\n")[:-1]] == [
        "STAMP one",
        "STAMP two\u2028and more",
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


def test_an_exception_of_ours_has_its_traceback_also_in_json() -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        line = logging.LogRecord("linarite.host", logging.ERROR, "", 0, "failed", None, (type(error), error, error.__traceback__))
    out = io.StringIO()
    ConsoleHandler(out, as_json=True).handle(line)
    message = json.loads(out.getvalue())["message"]
    assert message.startswith("failed\nTraceback (most recent call last):")
    assert message.endswith("ValueError: broken")


def test_colours_are_for_terminals() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    for level in (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG):
        ConsoleHandler(out).handle(record("Function.hello", level, "one\ntwo"))
    lines = [re.sub(r"\[[\d:TZ.-]+\]", "STAMP", line) for line in out.getvalue().splitlines()]
    assert lines == [f"\x1b[90mSTAMP \x1b[0m\x1b[{code}m{text}\x1b[0m" for code in (31, 33, 36, 32) for text in ("one", "two")]


def test_a_character_that_the_terminal_does_not_know_costs_no_line() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, "ascii")
    ConsoleHandler(out).handle(record("Function.hello", text="caf\u00e9"))
    assert raw.getvalue().rstrip().endswith(rb"caf\xe9")

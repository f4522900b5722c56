from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from linarite.cli.listing import listing
from linarite.host import display_host
from linarite.metadata import Binding, Function


def function(name: str, trigger: str, **properties: Any) -> Function:
    binding = Binding(name="req", type=trigger, direction="in", raw={"type": trigger, "name": "req", **properties})
    return Function(id=name, name=name, bindings=(binding,), script_file="function_app.py", entry_point=name, directory="", def_name=name)


def test_http_functions_come_first_then_the_rest_each_by_name() -> None:
    functions = [
        function("act", "activityTrigger"),
        function("Zoo", "httpTrigger", methods=["GET", "POST"], route="zoo/{id:int?}"),
        function("apple", "httpTrigger"),
    ]
    assert listing(functions, base_url="http://localhost:7071", route_prefix="api") == [
        "",
        "Functions:",
        "",
        "\tapple:  http://localhost:7071/api/apple",
        "",
        "\tZoo: [GET,POST] http://localhost:7071/api/zoo/{id:int?}",
        "",
        "\tact: activityTrigger",
        "",
    ]


def test_an_empty_prefix_leaves_no_double_slash() -> None:
    lines = listing([function("all", "httpTrigger", route="/{*route}")], base_url="http://localhost:7071", route_prefix="")
    assert "\tall:  http://localhost:7071/{*route}" in lines


def test_a_timer_says_when_it_fires_next() -> None:
    when = {"tick": datetime(2026, 6, 24, 10, 5, tzinfo=timezone.utc)}
    lines = listing([function("tick", "timerTrigger")], base_url="", route_prefix="api", next_times=when)
    assert "\ttick: timerTrigger (next at 2026-06-24 10:05:00+00:00)" in lines


def test_a_disabled_function_is_named_below_the_others() -> None:
    lines = listing([function("off", "timerTrigger"), function("on", "timerTrigger")], base_url="", route_prefix="", disabled={"off"})
    assert lines == ["", "Functions:", "", "\ton: timerTrigger", "", "Function off is disabled."]


def test_without_functions_there_is_no_heading() -> None:
    assert listing([], base_url="", route_prefix="api") == [""]


def test_addresses_are_shown_as_a_browser_takes_them() -> None:
    assert [display_host(address) for address in ("127.0.0.1", "0.0.0.0", "192.0.2.1", "2001:db8::1")] == [
        "localhost",
        "localhost",
        "192.0.2.1",
        "[2001:db8::1]",
    ]

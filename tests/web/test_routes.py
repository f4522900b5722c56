"""Which function answers: order, methods, conflicts, warnings."""

from __future__ import annotations

import pytest

from linarite.metadata import Function
from linarite.web.routes import InvalidRoute, RouteTable, route_table
from tests.web.functions import function, http_function


def found(table: RouteTable, path: str, method: str = "GET") -> str | None:
    match = table.find(method, path)
    return match[0].function.name if match else None


def test_the_first_match_in_name_order_wins_however_unspecific() -> None:
    table = route_table([http_function("b", "g/lit"), http_function("a", "g/{*rest}"), http_function("c", "g/{x}")])
    assert found(table, "/api/g/lit") == "a"


def test_names_are_ordered_regardless_of_case_with_underscore_after_letters() -> None:
    table = route_table([http_function("raise_", "{*x}"), http_function("RaiseBase", "{*x:alpha}")])
    assert [route.function.name for route in table.routes] == ["RaiseBase", "raise_"]


def test_an_earlier_parameter_and_a_later_literal_keep_their_order_within_a_group() -> None:
    table = route_table([http_function("a", "{x:int}"), http_function("b", "{x}"), http_function("c", "5"), http_function("d", "lit")])
    assert [found(table, f"/api/{path}") for path in ("5", "lit", "other")] == ["a", "b", "b"]


def test_a_literal_that_sorts_first_wins_over_a_parameter() -> None:
    table = route_table([http_function("b", "g/{x}"), http_function("a", "g/lit")])
    assert (found(table, "/api/g/lit"), found(table, "/api/g/other")) == ("a", "b")


def test_a_method_that_is_not_served_is_no_match() -> None:
    table = route_table([http_function("a", "x", ["GET"]), http_function("b", "x", ["POST"])])
    assert [found(table, "/api/x", method) for method in ("GET", "get", "POST", "PUT", "HEAD")] == ["a", "a", "b", None, None]


def test_without_methods_every_verb_is_served() -> None:
    table = route_table([http_function("a", "x")])
    assert found(table, "/api/x", "FOO") == "a"


@pytest.mark.parametrize("route", [None, "", "  "])
def test_a_blank_route_is_the_functions_name(route: str | None) -> None:
    assert found(route_table([http_function("Hello", route)]), "/api/hello") == "Hello"


def test_an_empty_prefix_leaves_the_route_alone_and_a_leading_slash_is_tolerated() -> None:
    table = route_table([http_function("a", "/{*route}")], "")
    assert (found(table, "/"), found(table, "/any/thing")) == ("a", "a")


def test_a_prefix_of_two_segments() -> None:
    table = route_table([http_function("a", "x")], "v1/api")
    assert (found(table, "/V1/api/x"), found(table, "/v1/x"), found(table, "/x")) == ("a", None, None)


def test_a_leading_slash_below_a_prefix_is_refused_with_function_line_and_remedy() -> None:
    with pytest.raises(InvalidRoute, match=r"'api//\{\*route\}' of function 'app' \(function_app\.py:7\).*routePrefix.*503"):
        route_table([http_function("app", "/{*route}")])


def test_functions_without_an_http_trigger_have_no_route() -> None:
    timer = function("tick", {"direction": "IN", "type": "timerTrigger", "name": "timer"})
    assert route_table([timer]).listing() == "No HTTP routes mapped"


def test_the_same_route_belongs_to_the_function_whose_name_sorts_first() -> None:
    table = route_table([http_function("same_b", "Same/"), http_function("same_a", "same")])
    assert found(table, "/api/same") == "same_a"
    assert table.errors == {"same_b": "The route specified conflicts with the route defined by function 'same_a'."}


def test_a_conflict_in_one_method_unmaps_all_of_the_later_functions_methods() -> None:
    table = route_table([http_function("a", "x", ["GET", "POST"]), http_function("b", "x", ["POST", "PUT"])])
    assert (found(table, "/api/x", "POST"), found(table, "/api/x", "PUT")) == ("a", None)


def test_parameter_names_count_in_conflicts() -> None:
    assert route_table([http_function("a", "x/{id}"), http_function("b", "x/{name}")]).errors == {}


@pytest.mark.parametrize("route", ["admin", "Admin/foo", "administrators/list", "/runtime/x"])
def test_reserved_routes_are_refused(route: str) -> None:
    table = route_table([http_function("a", route)], "")
    assert table.errors == {"a": "The specified route conflicts with one or more built in routes."}


def test_the_listing_is_the_functions_hosts() -> None:
    table = route_table([http_function("b", "x/{id}", ["GET", "POST"]), http_function("a", "y")])
    assert table.listing().splitlines() == [
        "Initializing function HTTP routes",
        "Mapped function route 'api/y' [all] to 'a'",
        "Mapped function route 'api/x/{id}' [GET,POST] to 'b'",
    ]


def shadowing(*functions: Function) -> list[str]:
    return [warning.split("'")[1] for warning in route_table(functions).warnings()]


def test_a_literal_route_behind_a_parameter_is_warned_of() -> None:
    warnings = route_table([http_function("b", "p/list"), http_function("a", "p/{id}")]).warnings()
    assert len(warnings) == 1
    assert "Function 'b' (function_app.py:7) can never be called over HTTP" in warnings[0]
    assert "'api/p/{id}' of 'a'" in warnings[0]


@pytest.mark.parametrize(
    ("functions", "shadowed"),
    [
        ([http_function("a", "p/list"), http_function("b", "p/{id}")], []),
        ([http_function("a", "p/{id:int}"), http_function("b", "p/list")], []),
        ([http_function("a", "p/{id}", ["GET"]), http_function("b", "p/list")], []),
        ([http_function("a", "p/{id}", ["GET"]), http_function("b", "p/list", ["GET"])], ["b"]),
        ([http_function("a", "p/{id}", ["GET"]), http_function("b", "p/{*x}", ["PUT"]), http_function("c", "p/l", ["GET", "PUT"])], ["c"]),
        ([http_function("a", "{*all}"), http_function("b", "p/list"), http_function("c", "p/{id}")], ["b"]),
    ],
)
def test_only_unreachable_literals_are_warned_of(functions: list[Function], shadowed: list[str]) -> None:
    assert shadowing(*functions) == shadowed

"""Which functions may run."""

from __future__ import annotations

from typing import Any

import pytest

from linarite.function_rules import AmbiguousNames, check
from tests.web.functions import function, http_function

RULE = "Valid are letters and digits, a letter first; no underscore."
TRIGGER = {"direction": "IN", "type": "httpTrigger", "name": "req"}


def error(name: str, *bindings: dict[str, Any]) -> str | None:
    return check([function(name, *bindings)], None, ()).errors.get(name, (None,))[0]


@pytest.mark.parametrize("name", ["a", "A1", "a_b-c", "x" * 128])
def test_good_names(name: str) -> None:
    assert error(name, TRIGGER) is None


@pytest.mark.parametrize("name", ["bad.name", "1digit", "host", "HOST", "_a", "é", "x" * 129, "a b"])
def test_bad_names(name: str) -> None:
    assert error(name, TRIGGER) == f"'{name}' is not a valid function name."


def output(name: str, kind: str = "queue", direction: str = "OUT") -> dict[str, Any]:
    return {"direction": direction, "type": kind, "name": name}


@pytest.mark.parametrize(
    ("bindings", "message"),
    [
        ([], "At least one binding must be declared."),
        (
            [TRIGGER, output("$return"), output("$return")],
            "Multiple bindings with name '$return' discovered. Binding names must be unique. @app.route declares one for the response; "
            "its binding_arg_name gives that another name.",
        ),
        ([output("msg")], "No trigger binding specified. A function must have a trigger input binding."),
        ([TRIGGER, output("my_queue")], "The binding name my_queue is invalid. Please assign a valid name to the binding. " + RULE),
        ([TRIGGER, output("1st")], "The binding name 1st is invalid. Please assign a valid name to the binding. " + RULE),
        ([TRIGGER, output("$return", direction="IN")], "$return bindings must specify a direction of 'out'."),
        ([TRIGGER, output("REQ")], "Multiple bindings with name 'REQ' discovered. Binding names must be unique."),
    ],
)
def test_metadata_that_cannot_be_taken(bindings: list[dict[str, Any]], message: str) -> None:
    assert error("f", *bindings) == message
    assert check([function("f", *bindings)], None, ()).functions == ()


def test_a_binding_nobody_registers_is_an_error_of_a_function_that_is_known() -> None:
    checked = check([function("f", TRIGGER, output("x", "nonesuch"), output("$return", "http"))], None, ())
    assert checked.errors["f"] == (
        "The binding type(s) 'nonesuch' are not registered. Please ensure the type is correct and the binding extension is installed.",
    )
    assert [one.name for one in checked.functions] == ["f"]


def test_a_trigger_of_any_type_may_be_fired_by_hand() -> None:
    assert error("f", {"direction": "IN", "type": "somethingTrigger", "name": "it"}) is None


def test_functions_come_in_the_order_of_names() -> None:
    names = [one.name for one in check([http_function(name) for name in ("raise_", "b", "RaiseBase", "A")], None, ()).functions]
    assert names == ["A", "b", "RaiseBase", "raise_"]


def test_only_the_functions_wanted_are_loaded() -> None:
    functions = [http_function("one"), http_function("Two"), http_function("three")]
    assert [one.name for one in check(functions, ["TWO", "nosuch"], ()).functions] == ["Two"]
    assert check(functions, [], ()).functions == ()


def test_names_that_differ_in_case_only_are_named_with_their_places() -> None:
    with pytest.raises(AmbiguousNames, match=r"'same' \(function_app\.py:7\) and 'Same' \(function_app\.py:7\).*503"):
        check([http_function("same"), http_function("Same")], None, ())


def test_what_is_disabled_is_listed_all_the_same() -> None:
    checked = check([http_function("one"), http_function("two")], None, ["two", "three"])
    assert checked.disabled == {"two"}
    assert [one.name for one in checked.functions] == ["one", "two"]

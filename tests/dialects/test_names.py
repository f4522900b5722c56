from __future__ import annotations

from typing import Any

import pytest

from linarite.dialects.names import DurableFunctions
from linarite.errors import AppError
from linarite.metadata import Binding, Function


def function(name: str, trigger: str = "activityTrigger", def_name: str = "", **members: Any) -> Function:
    raw = {"name": "context", "type": trigger, "direction": "IN", **members}
    binding = Binding(name="context", type=trigger, direction="in", raw=raw)
    return Function(
        id=f"{name}-id", name=name, bindings=(binding,), script_file="f.py", entry_point="", directory="", def_name=def_name or name
    )


def named(*functions: Function) -> DurableFunctions:
    return DurableFunctions(functions, lambda text: text.replace("%Hub%", "resolved"))


def test_a_function_is_found_in_any_case_and_only_among_its_kind() -> None:
    functions = named(function("say_hello"), function("chain", "orchestrationTrigger"))
    assert functions.get("activity", "SAY_HELLO") is not None
    assert functions.get("orchestrator", "say_hello") is None


def test_the_bindings_own_name_comes_first() -> None:
    renamed = function("py_orch", "orchestrationTrigger", orchestration="NamedOrch")
    other = function("NamedOrch", "orchestrationTrigger", orchestration="elsewhere")
    functions = named(other, renamed)
    assert functions.get("orchestrator", "namedorch") is renamed
    assert functions.get("orchestrator", "py_orch") is renamed


def test_the_def_name_counts_where_only_one_function_has_it() -> None:
    functions = named(function("A", def_name="inner"), function("B", def_name="both"), function("C", def_name="both"))
    assert functions.get("activity", "inner") is not None
    assert functions.get("activity", "both") is None


def test_an_entitys_name_may_come_from_a_setting() -> None:
    assert named(function("e", "entityTrigger", entityName="%Hub%")).get("entity", "RESOLVED") is not None


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    assert named(function("b"), function("a")).unknown("activity", "c") == (
        "The function 'c' doesn't exist, is disabled, or is not an activity function. "
        "Additional info: The following are the known activity functions: 'a', 'b'."
    )
    assert named().unknown("entity", "c").endswith("Additional info: No entity functions are currently registered!")


def test_an_orchestrator_may_not_be_named_like_an_entity() -> None:
    with pytest.raises(AppError, match="@o"):
        named(function("@o", "orchestrationTrigger"))


def test_an_app_of_the_next_sdk_is_told_apart() -> None:
    objection = named(function("o", "orchestrationTrigger", durableRequiresGrpc=True)).sdk_objection
    assert objection is not None
    assert "pip install 'azure-functions-durable>=1.7,<2'" in objection
    assert named(function("o", "orchestrationTrigger")).sdk_objection is None

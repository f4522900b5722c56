"""Binding expressions: grammar, values, built-ins, and the words for what does not work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linarite.expressions import BadExpression, NoValue, Surroundings, binding_data, parse_template, with_settings
from linarite.invocation import NONE, Datum, json_text, string
from linarite.metadata import Binding, Function
from linarite.settings import AppSettings, UnresolvedSetting


def guids() -> Iterator[UUID]:
    for number in range(1, 100):
        yield UUID(int=number)


def render(text: str, data: dict[str, Any] | None = None) -> str:
    fresh = guids()
    now = datetime(2026, 3, 5, 7, 8, 9, tzinfo=timezone.utc)
    return parse_template(text).render(data or {}, Surroundings("Copy", lambda: now, lambda: next(fresh)))


@given(st.text())
def test_a_text_without_braces_is_itself(text: str) -> None:
    plain = text.replace("{", "").replace("}", "")
    assert render(plain) == plain


@given(st.text())
def test_doubled_braces_stand_for_braces(text: str) -> None:
    assert render(text.replace("{", "{{").replace("}", "}}")) == text


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("out/{name}.{ext}", "out/photo.png"),
        ("{NAME}", "photo"),
        ("{{{name}}}", "{photo}"),
        ("{order.customer.NAME}", "Ann"),
        ("{order}", ""),
        ("{list}", ""),
        ("{nothing}", ""),
        ("{count}-{price}-{whole}-{yes}", "5-1.5-2-True"),
        ("{headers.x-request-id}", "r1"),
        ("{name:ignored}", "photo"),
    ],
)
def test_expressions_look_into_the_binding_data(text: str, rendered: str) -> None:
    data = {
        "name": "photo",
        "Ext": "png",
        "order": {"Customer": {"name": "Ann"}},
        "list": [1],
        "nothing": None,
        "count": 5,
        "price": 1.5,
        "whole": 2.0,
        "yes": True,
        "headers": {"X-Request-Id": "r1"},
    }
    assert render(text, data) == rendered


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{rand-guid}", "00000000-0000-0000-0000-000000000001"),
        ("{RAND-GUID:N}", "00000000000000000000000000000001"),
        ("{rand-guid:b}{rand-guid:P}", "{00000000-0000-0000-0000-000000000001}(00000000-0000-0000-0000-000000000002)"),
        ("{sys.randguid:N}", "00000000000000000000000000000001"),
        ("{DateTime}", "2026-03-05T07-08-09Z"),
        ("{datetime:yyyy-MM}/{DateTime:HH}", "2026-03/07"),
        ("{DateTime: }", "2026-03-05T07-08-09Z"),
        ("{sys.utcnow}", "2026-03-05T07-08-09Z"),
        ("{sys.UtcNow:yyyy}", "2026"),
        ("{sys.methodname}", "Copy"),
        ("{DateTime:yyyy.MM}", "2026"),  # upstream cuts it at the dot
    ],
)
def test_built_in_expressions(text: str, rendered: str) -> None:
    assert render(text) == rendered


def test_binding_data_goes_before_what_is_built_in() -> None:
    assert render("{DateTime}|{sys.methodname}|{DateTime:yyyy}", {"datetime": "mine", "sys": {"MethodName": "x"}}) == "mine|x|2026"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a{}", "Invalid template 'a{}'. The parameter name at position 2 is empty."),
        ("a{b", "Invalid template 'a{b'. Missing closing bracket at position 2."),
        ("a}b", "Invalid template 'a}b'. Missing opening bracket at position 2."),
        ("{a}}", "Invalid template '{a}}'. Missing opening bracket at position 4."),
        ("{a-b}", "Invalid template '{a-b}'. The parameter name 'a-b' is invalid."),
        ("{1a}", "Invalid template '{1a}'. Invalid template expression '1a'"),
        ("{a b}", "Invalid template '{a b}'. Invalid template expression 'a b'"),
        ("{a..b}", "Invalid template '{a..b}'. The expression 'a..b' has nothing between two dots, or after the last."),
    ],
)
def test_a_text_that_is_no_template_is_refused_in_upstream_s_words(text: str, message: str) -> None:
    with pytest.raises(BadExpression) as caught:
        parse_template(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{nope}", "No value for named parameter 'nope'."),
        ("{nope.a}", "No value for named parameter 'nope'."),
        ("{a.nope}", "Error while accessing 'nope': property doesn't exist."),
        ("{a.b.c}", "Error while accessing 'c': property doesn't exist."),
        ("{sys.nope}", "Error while accessing 'nope': property doesn't exist."),
        ("{rand-guid:Q}", "Input string was not in a correct format: 'Q' is no format of a GUID; it has N, D, B and P."),
        ("{DateTime:x}", "Input string was not in a correct format: 'x' is no standard date format."),
    ],
)
def test_what_an_invocation_does_not_have_is_named(text: str, message: str) -> None:
    with pytest.raises(NoValue) as caught:
        render(text, {"a": {"b": 1}})
    assert str(caught.value) == message


def test_a_template_knows_the_names_it_asks_for() -> None:
    assert parse_template("c/{name}-{order.id}-{rand-guid}-{DateTime:HH}").names == ("name", "order")


def test_trigger_metadata_is_binding_data() -> None:
    metadata = {
        "QueueTrigger": string("text"),
        "DequeueCount": json_text("1"),
        "order": json_text('{"id": 7}'),
        "raw": Datum("bytes", b"x"),
        "none": NONE,
    }
    assert binding_data(metadata) == {"QueueTrigger": "text", "DequeueCount": 1, "order": {"id": 7}}


def function(*bindings: dict[str, Any]) -> Function:
    built = tuple(Binding(name="b", type=raw["type"], direction="in", raw=raw) for raw in bindings)
    return Function(id="1", name="f", bindings=built, script_file="f.py", entry_point="f", directory="", def_name="f")


def test_settings_are_put_into_the_properties_that_take_them() -> None:
    settings = AppSettings({"Q": "orders", "When": "0 * * * * *"})
    resolved = with_settings(
        function({"type": "queueTrigger", "QueueName": "%q%-in"}, {"type": "timerTrigger", "schedule": "%When%", "other": "%Q%"}), settings
    )
    assert [binding.raw for binding in resolved.bindings] == [
        {"type": "queueTrigger", "QueueName": "orders-in"},
        {"type": "timerTrigger", "schedule": "0 * * * * *", "other": "%Q%"},
    ]


def test_an_http_route_keeps_its_percent_signs() -> None:
    given = function({"type": "httpTrigger", "route": "a/%Q%", "path": "%Q%"})
    assert with_settings(given, AppSettings({})) is given


def test_a_setting_that_is_missing_is_named() -> None:
    with pytest.raises(UnresolvedSetting, match=r"^'%NOPE%' does not resolve to a value\.$"):
        with_settings(function({"type": "queueTrigger", "queueName": "%NOPE%"}), AppSettings({}))

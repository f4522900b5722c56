from __future__ import annotations

import pytest

from linarite.durable.events import EventRaised
from linarite.web.durable_api.json_text import InvalidJson
from linarite.web.durable_api.messages import event_message, id_problem, operation_input, signal_message


@pytest.mark.parametrize("good", ["a", "a b", "a+b%'", "ü東", "x" * 256, "a@b"])
def test_ids_that_are_fine(good: str) -> None:
    assert id_problem(good) is None


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("@x", "Orchestration instance ids must not start with @."),
        ("a/b", "Orchestration instance ids must not contain /, \\, #, ?, or control characters."),
        ("a\\b", "Orchestration instance ids must not contain /, \\, #, ?, or control characters."),
        ("a\nb", "Orchestration instance ids must not contain /, \\, #, ?, or control characters."),
        ("a\x7fb", "Orchestration instance ids must not contain /, \\, #, ?, or control characters."),
        ("x" * 257, "Instance ID lengths must not exceed 256 characters."),
        ("😀" * 129, "Instance ID lengths must not exceed 256 characters."),
    ],
)
def test_ids_that_are_not(bad: str, sentence: str) -> None:
    assert id_problem(bad) == sentence


def test_an_event_is_rewritten() -> None:
    event = event_message("x", "go", '{ "d" : 1e3 }', "2026-01-01T00:00:00Z").event
    assert isinstance(event, EventRaised)
    assert event.input == '{"d":1000.0}'


@pytest.mark.parametrize(
    ("body", "is_json_body", "wrapped"),
    [
        ('"7"', True, '"7"'),  # the SDK's client: JSON text in a string
        ('"{\\"a\\": 1}"', True, '"{\\"a\\": 1}"'),
        ("5", True, '"5"'),
        ('{"a": 1}', True, '"{\\"a\\":1}"'),
        ('"plain"', True, '"\\"plain\\""'),
        ("plain", False, '"\\"plain\\""'),
        (None, True, '"null"'),
    ],
)
def test_entity_inputs_are_texts_that_hold_json(body: str | None, is_json_body: bool, wrapped: str) -> None:
    assert operation_input(body, is_json_body=is_json_body) == wrapped


def test_an_entity_input_that_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidJson):
        operation_input("{bad", is_json_body=True)


def test_a_signal_is_written_as_the_extensions_client_writes_it() -> None:
    message = signal_message("@counter@h1", "add", '"7"', "64628256-a573-4c03-b32c-13e29b45cfa0", "2026-01-01T00:00:00Z")
    assert isinstance(message.event, EventRaised)
    assert message.event.name == "op"
    assert message.event.input == (
        '{"op":"add","signal":true,"input":"\\"7\\"","id":"64628256-a573-4c03-b32c-13e29b45cfa0",'
        '"Timestamp":"0001-01-01T00:00:00","Predecessor":"0001-01-01T00:00:00"}'
    )
    assert message.target.instance_id == "@counter@h1"
    assert message.target.execution_id is None

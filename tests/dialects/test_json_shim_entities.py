"""Entities in the JSON shim, with the real SDK."""

from __future__ import annotations

import json
import warnings
from typing import Any

import azure.durable_functions as df
import pytest

from linarite.dialects.json_shim import entities
from linarite.durable.entities import Batch, Result, Signal
from linarite.durable.entity_messages import Request

NOW = "2026-01-01T00:00:00Z"


def batch(*operations: tuple[str, str | None], state: str | None = None) -> Batch:
    asked = tuple(Request(op=op, input=text, id=f"id{at}") for at, (op, text) in enumerate(operations))
    return Batch("counter", "k1", state is not None, state, asked)


def test_the_request_has_the_recorded_members() -> None:
    asked = batch(("add", '"5"'), state="10")
    assert entities.request(asked) == (
        '{"self":{"name":"counter","key":"k1"},"exists":true,"state":"10",'
        '"batch":[{"name":"add","input":"\\"5\\"","isSignal":false,"id":"id0"}]}'
    )


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ('"5"', 5),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('"null"', None),
        (None, None),
        ("5", 5),
        ('{"a":1}', {"a": 1}),
        ('"hello"', "hello"),
        ('"\\"hello\\""', "hello"),
        ("null", None),
        ("no json", "no json"),
    ],
)
def test_every_input_reaches_the_operation(stored: str | None, value: Any) -> None:
    seen = []

    def code(context: Any) -> None:
        seen.append(context.get_input())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        df.Entity.create(code)(entities.request(batch(("x", stored))))
    assert seen == [value]


def test_a_batch_runs_on_the_sdk_and_an_error_does_not_take_the_state_back() -> None:
    def code(context: Any) -> None:
        if context.operation_name == "fail":
            context.set_state(999)
            raise ValueError("boom")
        context.set_state(context.get_state(lambda: 0) + context.get_input())
        context.set_result(context.get_state())

    asked = batch(("fail", None), ("add", '"1"'), state="10")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = df.Entity.create(code)(entities.request(asked))
    reply = entities.reply(asked, text, NOW)
    assert (reply.exists, reply.state) == (True, "1000")
    assert reply.results == (Result('"boom"', True), Result("1000"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"x"', "did not answer with an entity's JSON document"),
        (None, "did not answer with an entity's JSON document"),
        ('{"entityExists": true, "entityState": "2", "results": [], "signals": []}', "answered 0 of 1 operations"),
    ],
)
def test_an_answer_that_cannot_be_used_fails_every_operation_and_keeps_the_state(text: str | None, sentence: str) -> None:
    reply = entities.reply(batch(("x", None), state="7"), text, NOW)
    assert (reply.exists, reply.state) == (True, "7")
    (result,) = reply.results
    assert result.is_error
    assert sentence in json.loads(result.text or "")


def test_a_time_out_is_told_raw() -> None:
    (result,) = entities.timed_out(batch(("x", None)), "Timeout value of 00:05:00 was exceeded by function: Counter", NOW).results
    assert result == Result("Timeout value of 00:05:00 was exceeded by function: Counter", True)


def test_a_signals_target_is_named_in_lower_case() -> None:
    answer = {
        "entityExists": True,
        "entityState": "1",
        "results": [{"isError": False, "duration": 0, "result": None}],
        "signals": [{"target": {"name": "Counter", "key": "Key"}, "name": "add", "input": '"5"'}],
    }
    reply = entities.reply(batch(("x", None)), json.dumps(answer), NOW)
    assert reply.signals == (Signal("@counter@Key", "add", '"\\"5\\""'),)
    assert reply.results == (Result(None),)

"""The line that yields a task, in orchestrators that the SDK replays."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import azure.durable_functions as df
import pytest

from linarite_worker.yields import finding

pytestmark = pytest.mark.filterwarnings("ignore:azure.functions df_loads", "ignore:df_loads", "ignore:Potential duplicate")
Context = Any


def helper(context: Context) -> Any:
    return (yield context.call_activity("third", 3))  # line +1


def orchestrator(context: Context) -> Any:
    first = context.call_activity("first", 1)
    context.signal_entity(df.EntityId("e", "k"), "add", 1)
    yield first  # line +3
    yield context.task_all([context.call_activity("second", 2), first, context.call_activity("sibling", 2)])  # line +4
    yield from helper(context)
    yield context.call_activity_with_retry("fourth", df.RetryOptions(1000, 2), 4)  # line +6
    return "done"  # line +7


def boom(context: Context) -> Any:
    yield context.call_activity("first", 1)
    raise ValueError("boom")  # line +2


def plain(context: Context) -> Any:
    return 1


def found(code: Callable[..., Any], task_id: int | None, answers: dict[int, Any]) -> dict[str, Any] | None:
    """The place, as its file's name, lines after the `def` and task, for a history in which these tasks have answers."""
    events: list[dict[str, Any]] = [
        {"EventType": 12, "EventId": -1, "IsPlayed": False, "Timestamp": "2026-01-01T00:00:00Z"},
        {"EventType": 0, "EventId": -1, "IsPlayed": False, "Timestamp": "2026-01-01T00:00:00Z", "Name": "o", "Version": ""},
    ]
    for answered, result in answers.items():
        answer = {"EventType": 5, "EventId": -1, "IsPlayed": False, "Timestamp": "2026-01-01T00:00:00Z"}
        events.append({**answer, "TaskScheduledId": answered, "Result": json.dumps(result)})
    document = {
        "history": events,
        "instanceId": "i",
        "isReplaying": False,
        "parentInstanceId": None,
        "input": None,
        "upperSchemaVersion": 2,
    }
    place: dict[str, Any] | None = json.loads(finding(df.Orchestrator.create(code), task_id)(context=json.dumps(document)))
    return place


def lines_after(place: dict[str, Any] | None, code: Callable[..., Any]) -> tuple[int, str]:
    assert place is not None
    assert place["file"] == __file__
    return place["line"] - code.__code__.co_firstlineno, place["name"]


ALL = {1: None, 2: None, 3: None, 4: None, 5: None}


@pytest.mark.parametrize(
    ("task_id", "within", "line", "name"),
    [
        (1, orchestrator, 3, "first"),
        (2, orchestrator, 4, "second"),
        (3, orchestrator, 4, "sibling"),
        (4, helper, 1, "third"),
        (5, orchestrator, 6, "fourth"),
    ],
)
def test_a_task_is_found_where_it_is_yielded_first(task_id: int, within: Callable[..., Any], line: int, name: str) -> None:
    assert lines_after(found(orchestrator, task_id, ALL), within) == (line, name)


@pytest.mark.parametrize(
    ("answers", "within", "line"),
    [({}, orchestrator, 3), ({1: None, 2: None, 3: None}, helper, 1), (ALL, orchestrator, 7)],
    ids=["at its first task", "in what it delegates to", "at its end"],
)
def test_the_end_of_a_replay_is_where_the_orchestrator_waits_or_ends(
    answers: dict[int, Any], within: Callable[..., Any], line: int
) -> None:
    assert lines_after(found(orchestrator, None, answers), within) == (line, "")


def test_an_orchestrator_that_raises_ends_where_it_raises() -> None:
    assert lines_after(found(boom, None, {0: None}), boom) == (2, "")


def test_what_is_not_yielded_has_no_place() -> None:
    assert found(orchestrator, 0, ALL) is None  # the signal
    assert found(orchestrator, 4, {}) is None
    assert found(plain, None, {}) is None


def test_a_profiler_that_is_there_is_put_back() -> None:
    def profiler(*_: object) -> None: ...

    sys.setprofile(profiler)
    try:
        found(orchestrator, 1, {})
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)

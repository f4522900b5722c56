"""Episodes worked through by hand with SDK 1.7.0: requests as it was given them, and its answers, word for word.

The events before a request's last block are the committed history and those in it the messages; the request that core and dialect make
must have every member that the example shows, and what the core adds must be what the next request of the example shows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from linarite.dialects.json_shim import answers
from linarite.dialects.json_shim.requests import EncodedHistory, request
from linarite.durable.actions import Answer
from linarite.durable.decision import Decision
from linarite.durable.events import (
    ExecutionStarted,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorStarted,
    Status,
    decode_event,
    encode_event,
)
from linarite.durable.messages import TaskMessage
from linarite.durable.turn import Knowledge, Reply, take_turn
from linarite.errors import UserCodeFailed
from linarite.settings import DurableSettings
from tests.golden.recorded_invocations import alike

Episode = tuple[dict[str, Any], str | None, str | None]

ME = {"InstanceId": "abc123", "ExecutionId": "8f0e1c2d3b4a59687786958493a2b1c0"}
REST: dict[int, dict[str, Any]] = {
    0: {"OrchestrationInstance": ME, "ParentInstance": None, "Tags": None, "Input": None, "GenerateNewTrace": False},
    4: {"Input": None},
    5: {"Result": None},
    7: {"Input": None},
}
"""Members that the examples leave out, by kind of event."""


def examples() -> dict[str, list[Episode]]:
    found: dict[str, list[Episode]] = {}
    lines = (Path(__file__).parent / "data" / "payloads" / "worked.jsonl").read_text("utf-8").splitlines()
    for line in lines:
        name, document, answer, raised = json.loads(line.replace('\\"e1\\"', f'\\"{ME["ExecutionId"]}\\"'))
        if document.get("parentInstanceId"):
            parent = {
                "Name": "p",
                "OrchestrationInstance": {"InstanceId": document["parentInstanceId"]},
                "TaskScheduleId": 0,
                "Version": None,
            }
            document["history"][1].setdefault("ParentInstance", parent)
        document["history"] = [{**REST.get(event["EventType"], {}), **event} for event in document["history"]]
        found.setdefault(name, []).append((document, answer, raised))
    return found


def events(document: dict[str, Any]) -> list[HistoryEvent]:
    return [decode_event(json.dumps(event)) for event in document["history"]]


def split(history: Sequence[HistoryEvent]) -> tuple[list[HistoryEvent], list[HistoryEvent]]:
    begun = max(at for at, event in enumerate(history) if isinstance(event, OrchestratorStarted))
    return list(history[:begun]), list(history[begun:])


def reply(name: str, episode: Episode) -> Answer:
    document, answer, raised = episode
    clock = split(events(document))[1][0].timestamp
    if raised is None:
        return answers.answer(name, answer, clock)
    return answers.failure(name, UserCodeFailed("Exception", raised, ""), clock)


def turn(episodes: list[Episode]) -> tuple[list[HistoryEvent], Decision, int]:
    """One turn beginning with the first of these; how many of them it took."""
    history = events(episodes[0][0])
    past, block = split(history)
    started = next(event for event in history if isinstance(event, ExecutionStarted))
    to = OrchestrationInstance(instance_id="abc123")
    messages = [TaskMessage(event=event, target=to) for event in block[1:]]
    ids = iter(f"{n:032x}" for n in range(1, 20))
    settings = DurableSettings(default_version="2.0")
    running = take_turn(past, messages, Knowledge(), block[0].timestamp, lambda: next(ids), settings, lambda action: None)
    used = 0
    try:
        episode = next(running)
        while True:
            contains(json.loads(request(episode, EncodedHistory(), 30000)), episodes[used][0])
            answer = reply(started.name, episodes[used])
            used += 1
            episode = running.send(Reply(answer, block[0].timestamp))
    except StopIteration as end:
        decision: Decision = end.value.decision
        return past, decision, used


def contains(found: Any, shown: Any) -> None:
    """Whether everything that is shown is found; times, ids and the order of `FireAt`s digits apart."""
    if isinstance(shown, dict):
        assert [name for name in shown if name not in found] == []
        for name, value in shown.items():
            contains(found[name], value)
    elif isinstance(shown, list):
        assert len(found) == len(shown)
        for one, other in zip(found, shown, strict=True):
            contains(one, other)
    else:
        assert alike(found) == alike(shown)


def without_flags(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events without `IsPlayed`, which the examples set where it pleases."""
    return [{name: value for name, value in event.items() if name != "IsPlayed"} for event in made]


def follows(before: Episode, after: Episode) -> bool:
    """Whether the second request is the very next of the same run: an example may leave episodes out, or show variants."""
    earlier, later = (split(events(document[0]))[0] for document in (before, after))
    return sum(isinstance(e, OrchestratorStarted) for e in later) == 1 + sum(isinstance(e, OrchestratorStarted) for e in earlier)


@pytest.mark.parametrize("name", examples())
def test_a_worked_example_comes_out_step_by_step(name: str) -> None:
    episodes = examples()[name]
    at = 0
    while at < len(episodes):
        past, decision, used = turn(episodes[at:])
        at += used
        if at < len(episodes) and follows(episodes[at - 1], episodes[at]) and not decision.replaces_history:
            made = [json.loads(encode_event(event)) for event in (*past, *decision.new_events)]
            shown = [json.loads(encode_event(event)) for event in split(events(episodes[at][0]))[0]]
            contains(without_flags(made), without_flags(shown))


def test_a_finished_example_ends_with_its_output_and_a_failed_one_with_its_text() -> None:
    _, chain, _ = turn(examples()["E1"][-1:])
    assert chain.custom_status == '{"at":1}'
    completed = json.loads(encode_event(chain.new_events[-2]))
    assert json.loads(completed["Result"])[0] == "Hello Tokyo!"
    _, fail, _ = turn(examples()["E9"][-1:])
    completed = json.loads(encode_event(fail.new_events[-2]))
    assert (completed["OrchestrationStatus"], completed["Result"]) == (Status.FAILED, "Orchestrator function 'fail' failed: kaboom")
    assert fail.custom_status == '"s"'

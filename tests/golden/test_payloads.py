"""What the reference's extension handed to the SDK, stored and sent, against what core and dialect make of the same events.

Each recorded orchestrator invocation is one step: the events before its last block are the committed history, those in the block are
the messages, and the recorded answer is given to the core. Its request must be the recorded one, its new events those that the next
recorded request (or, at the end, the table) shows as history, and its messages those that the reference sent. Times, random ids and
stack traces are made alike first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from msgspec import UNSET

from linarite.dialects.json_shim import activities
from linarite.dialects.json_shim.requests import EncodedHistory, request
from linarite.dialects.names import DurableFunctions
from linarite.durable.decision import Decision
from linarite.durable.events import (
    ExecutionCompleted,
    ExecutionStarted,
    GenericEvent,
    HistoryEvent,
    OrchestrationInstance,
    OrchestratorStarted,
    TaskCompleted,
    TaskFailed,
    decode_event,
    encode_event,
)
from linarite.durable.instances import instance_update
from linarite.durable.messages import TaskMessage
from linarite.durable.rewind import rewind
from linarite.durable.turn import Episode, Knowledge, Reply, take_turn
from linarite.errors import UserCodeFailed
from linarite.metadata import Binding, Function
from tests.golden.recorded_invocations import Recorded, alike, extension_app, invocations, orchestrations, settings_of, wire
from tests.golden.recorded_rows import events_of

NOW = "2027-01-01T00:00:00Z"

_LIMIT = (
    "Orchestrator function '{}' failed: Maximum amount of orchestration actions (2) has been reached. "
    "This value can be configured in host.json file as MaxOrchestrationActions."
)
_MISSING = (
    "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity task with sequence ID 0 and "
    "name 'say_hello' (version ''), but the current replay execution hasn't (yet?) scheduled this task. "
    "Was a change made to the orchestrator code after this instance had already started running?"
)
_OTHER = (
    "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity task with sequence number 0 "
    "named 'say_hello', but the current orchestration replay instead scheduled an activity task named 'add' with this sequence number.  "
    "Was a change made to the orchestrator code after this instance had already started running?"
)

ENDS_OTHERWISE: dict[str, tuple[str, str | None]] = {
    "i-blob_pm_fan": ("2.10: the reference hangs", _LIMIT.format("fan")),
    "i-maxactions_fan": ("2.10: the reference hangs", _LIMIT.format("fan")),
    "i-maxactions_chain": ("2.10: the reference hangs", _LIMIT.format("chain")),
    "i-selfsub": (
        "2.10: the reference hangs",
        "Orchestrator function 'selfsub' failed: "
        "The instance ID of a sub-orchestration must be different than the instance ID of a parent orchestration.",
    ),
    "i-subid_at": (
        "2.10: the reference hangs",
        "Orchestrator function 'raw' failed: Orchestration instance ids must not start with @.",
    ),
    "i-unknownact": ("2.10: the reference hangs; the dispatcher answers what the core asks for", None),
    "i-unknownsub": ("2.10: the reference hangs; the dispatcher answers what the core asks for", None),
    "i-badentity": ("2.10: the reference hangs; the dispatcher answers what the core asks for", None),
    "i-failorch_empty": ("2.13: the reference hangs on an empty error", "Orchestrator function 'failorch_empty' failed: Exception"),
    "i-late_unlabelled": (
        "2.13: the reference loses the error",
        "Orchestrator function 'raw' failed: RuntimeError: unlabelled late failure",
    ),
    "i-late_labelled_noactions": ("9.5: the completion takes the next free id; delivered events count as played", _MISSING),
    "i-nondet": ("9.5: new events are not stored; delivered events count as played", _OTHER),
    "i-nongen": ("2.13: without .NET's frame", "Orchestrator function 'nongen' failed: RuntimeError: not a generator"),
    "i-rawfail_badjson": ("2.13: without .NET's frame", "Orchestrator function 'raw' failed: RuntimeError: boom\n\n$OutOfProcData$:{bad"),
    "i-rawfail_badjson_b": ("2.13: without .NET's frame", "Orchestrator function 'raw' failed: RuntimeError: boom\n\n$OutOfProcData$:{bad"),
    "i-rawfail_isdone": ("2.13: SDK 1.7.0 says so when an output cannot be encoded", "Orchestrator function 'raw' failed: boom-done"),
    "i-rawresp_err_notdone": (
        "2.5: the text instead of a null reference",
        "Orchestrator function 'raw' failed: plain error in return value",
    ),
}
"""Instances whose last recorded episode has another end here: where it is decided or why, and the failure's text (None: it goes on)."""

DIFFERENT = {
    "entity_lock": "actions 13 and 14 are not in SDK 1.x (2.6); they are refused as an unexpected action type",
    "http_async": "no SDK 1.x asks for polling (7); where it is asked for, the orchestrator is shown the 202",
    **dict.fromkeys(
        ("trace_entity", "trace_event", "trace_start", "trace_sub"), "tracing is not kept; `tracing` in host.json has no effect"
    ),
    **dict.fromkeys(("long_input", "store_inputs_big", "utf8_big_input"), "the recording cuts the input"),
}
"""Scenarios that are not compared."""

LAST_UNCOMPARED = {
    "dates": "the output holds 1E+30, which we write 1e30",
    **dict.fromkeys(
        ("badactivity", "raisetype", "rewind_flaky", "rewind_parent", "http_token", "httpfail"), "the recording cuts a failure's text"
    ),
    **dict.fromkeys(("big", "bigstatus_8000", "bigstatus_8190"), "the recording cuts a result or a status"),
}
"""Scenarios whose last history and messages are not compared."""


def split(history: Sequence[HistoryEvent]) -> tuple[list[HistoryEvent], list[HistoryEvent]]:
    """What is committed, and the block that has begun."""
    begun = max(at for at, event in enumerate(history) if isinstance(event, OrchestratorStarted))
    return list(history[:begun]), list(history[begun:])


def shown(events: Iterable[HistoryEvent]) -> list[Any]:
    return [json.loads(encode_event(event)) for event in events]


@dataclass(frozen=True, slots=True)
class Step:
    """What the core did with the messages of one recorded invocation, and how many recorded answers it took."""

    past: list[HistoryEvent]
    decision: Decision
    used: int

    @property
    def history(self) -> list[HistoryEvent]:
        return [*([] if self.decision.replaces_history else self.past), *self.decision.new_events]


def run(steps: list[Recorded]) -> Step:
    """One turn, beginning with the first of these invocations."""
    past, block = split(steps[0].history)
    me = next(event.orchestration_instance for event in steps[0].history if isinstance(event, ExecutionStarted))
    messages = [TaskMessage(event=event, target=_target(event, me)) for event in block[1:]]
    ids = iter(f"{n:032x}" for n in range(1, 100))
    turn = take_turn(
        past, messages, Knowledge(frozenset()), block[0].timestamp, lambda: next(ids), settings_of(steps[0].scenario), _functions().refuses
    )
    used = 0
    asked: Episode | None = None
    try:
        episode = next(turn)
        while True:
            if asked is not None and episode.started is asked.started:  # the core looks for the event that came last
                reply = steps[used - 1].ask_again(request(episode, EncodedHistory(), 30000))
            else:
                asked = episode
                compare_request(episode, steps[used])
                reply = steps[used].reply()
                used += 1
            episode = turn.send(Reply(reply, NOW))
    except StopIteration as end:
        return Step(past, end.value.decision, used)


@cache
def _functions() -> DurableFunctions:
    """The recorded app's entities, as functions."""
    binding = Binding(name="context", type="entityTrigger", direction="in", raw={})
    entities = [
        Function(id=n, name=n, bindings=(binding,), script_file="", entry_point="", directory="", def_name=n) for n in extension_app().E
    ]
    return DurableFunctions(entities, str)


def _target(event: HistoryEvent, me: OrchestrationInstance) -> OrchestrationInstance:
    return me if isinstance(event, ExecutionStarted) else OrchestrationInstance(instance_id=me.instance_id)


def compare_request(episode: Episode, step: Recorded) -> None:
    document = json.loads(request(episode, EncodedHistory(), 30000))
    recorded = dict(step.payload)
    if "sourceInstanceId" not in recorded:  # 3.15.2 has no such member
        del document["sourceInstanceId"]
    if isinstance(recorded["input"], int | float | list):  # 2.2: the SDK takes only text
        recorded["input"] = json.dumps(recorded["input"])
    assert list(document) == list(recorded)
    assert [list(event) for event in document["history"]] == [list(event) for event in recorded["history"]]
    assert alike(document) == alike(recorded)


def stored(scenario: str, instance_id: str) -> list[HistoryEvent] | None:
    """The history left in the table, or None where the recording is not whole."""
    rows = {
        row["RowKey"][1]: {column: value for column, (_, value) in row.items()}
        for name, table, row in wire("extension-rows")
        if name == scenario and table == "History" and row["PartitionKey"][1] == instance_id
    }
    sentinel = rows.pop("sentinel", None)
    mine = [row for _, row in sorted(rows.items()) if sentinel and row["ExecutionId"] == sentinel["ExecutionId"]]
    whole = [row["RowKey"] for row in mine] == [f"{at:016X}" for at in range(len(mine))]
    return events_of(mine) if mine and whole else None


_COLUMNS = ("Name", "Version", "RuntimeStatus", "Input", "Output", "CustomStatus", "Tags", "Generation")


def columns(decision: Decision) -> dict[str, Any]:
    """What a commit writes into the instance row; what is nothing is not a column."""
    if not decision.new_events:
        return {}
    update = instance_update(decision.new_events, execution_id=decision.execution_id, custom_status=decision.custom_status, now=NOW)
    values = {
        "RuntimeStatus": update.status if update.status is UNSET else update.status.label,
        "CustomStatus": "null" if update.custom_status is None else update.custom_status,
        "Tags": update.tags if update.tags is UNSET else json.dumps(update.tags, separators=(",", ":")),
    } | {name: getattr(update, name.lower()) for name in ("Name", "Version", "Input", "Output", "Generation")}
    return {name: value for name, value in values.items() if value is not UNSET and value is not None}


def row_left(scenario: str, instance_id: str) -> dict[str, Any]:
    """The same columns of the row that the reference left."""
    rows = [
        row for name, table, row in wire("extension-rows") if (name, table, row["PartitionKey"][1]) == (scenario, "Instances", instance_id)
    ]
    return {name: value for name, (_, value) in rows[-1].items() if name in _COLUMNS} if rows else {}


def sent(scenario: str, instance_id: str) -> list[Any]:
    """The events of all messages that this instance sent."""
    messages = [text for name, text in wire("extension-messages") if name == scenario and text["TaskMessage"]]
    mine = [text["TaskMessage"] for text in messages if (text["Sender"] or {}).get("InstanceId") == instance_id]
    events = [_without_types(message["Event"]) for message in mine]
    return [event for event in events if event["EventType"] not in (5, 6)]  # an activity's answer names its orchestration


def _without_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_types(inner) for name, inner in value.items() if name != "$type"}
    return value


@pytest.mark.parametrize(
    ("scenario", "instance_id"),
    [case for case in orchestrations() if case[0] not in DIFFERENT],
    ids=[f"{scenario}-{instance_id[-12:]}" for scenario, instance_id in orchestrations() if scenario not in DIFFERENT],
)
def test_requests_history_and_messages_are_the_recorded_ones(scenario: str, instance_id: str) -> None:
    steps = orchestrations()[scenario, instance_id]
    outbound: list[Any] = []
    summary = {"Generation": steps[0].payload["history"][1]["Generation"]}  # what the client wrote
    at = 0
    while at < len(steps):
        step = run(steps[at:])
        summary |= columns(step.decision)
        outbound += shown(message.event for message in step.decision.outbound)
        at += max(step.used, 1)
        if instance_id in ENDS_OTHERWISE and any(isinstance(event, ExecutionCompleted) for event in step.decision.new_events):
            break
        if at < len(steps):
            seen = split(steps[at].history)[0]
            assert alike(shown(_rewound_like(seen, step.history))) == alike(shown(seen))
    if instance_id in ENDS_OTHERWISE:
        assert [e.result for e in step.history if isinstance(e, ExecutionCompleted)] == [
            text for text in (ENDS_OTHERWISE[instance_id][1],) if text is not None
        ]
        return
    if scenario in LAST_UNCOMPARED:
        return
    left = stored(scenario, instance_id)
    if left is not None:
        assert alike(shown(step.history)) == alike(shown(left))
    row = row_left(scenario, instance_id)
    if left is not None and row["RuntimeStatus"] != "Pending":  # started anew since
        assert alike({name: value for name, value in summary.items() if value is not None}) == alike(row)
    assert by_text(outbound) == by_text(shown(decode_event(json.dumps(event)) for event in sent(scenario, instance_id)))


def _rewound_like(seen: Sequence[HistoryEvent], history: list[HistoryEvent]) -> Sequence[HistoryEvent]:
    """The history, rewound if what was seen next had been."""
    has_been = sum(isinstance(e, GenericEvent) for e in seen) > sum(isinstance(e, GenericEvent) for e in history)
    return rewind(history).applied_to(history) if has_been else history


def by_text(events: Iterable[Any]) -> list[str]:
    """Messages leave together, in no promised order."""
    return sorted(json.dumps(alike(event)) for event in events)


ACTIVITIES = [(at, r) for at, r in enumerate(invocations()) if r.kind == "activity"]


@pytest.mark.parametrize("scenario", sorted({r.scenario for _, r in ACTIVITIES} - {"big", "store_inputs_big"}))  # whose values are cut
def test_activities_are_given_and_answer_what_was_recorded(scenario: str) -> None:
    messages = [text["TaskMessage"]["Event"] for name, text in wire("extension-messages") if name == scenario and text["TaskMessage"]]
    given = [activities.trigger_value(event["Input"]) for event in messages if event["EventType"] == 4 and event["Name"] != HTTP]
    ran = [recorded for _, recorded in ACTIVITIES if recorded.scenario == scenario]
    for value in given:
        assert any(json.loads(value) == recorded.payload for recorded in ran)
    answered = [_without_types(event) for event in messages if event["EventType"] in (5, 6)]
    for recorded in ran:
        assert any(_is_answer(recorded, event) for event in answered)


HTTP = "BuiltIn::HttpActivity"


def _is_answer(recorded: Recorded, event: Any) -> bool:
    task_id = event["TaskScheduledId"]
    if recorded.error is None:
        done = activities.completed(task_id, recorded.answer, NOW)
        return isinstance(done, TaskCompleted) and done.result == event.get("Result") and event["EventType"] == 5
    type_name, _, message = recorded.error.partition(": ")
    failed = activities.failed(task_id, recorded.function, UserCodeFailed(type_name, message, recorded.stack or ""), NOW)
    assert isinstance(failed, TaskFailed)
    if event["EventType"] != 6 or failed.reason != event["Reason"]:
        return False
    ours, theirs = json.loads(failed.details or ""), json.loads(event["Details"])
    for details in (ours, theirs):
        details["InnerException"] |= {"Source": "", "StackTrace": ""}  # frames of the recording's own front
    return json.dumps(ours) == json.dumps(theirs)


def test_every_difference_is_a_scenario() -> None:
    assert {*LAST_UNCOMPARED, *DIFFERENT} <= {recorded.scenario for recorded in invocations()}
    assert {*ENDS_OTHERWISE} <= {instance_id for _, instance_id in orchestrations()}

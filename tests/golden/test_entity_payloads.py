"""What the reference handed to entities, kept of them and sent for them, against ours, from the same requests."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from typing import Any

import pytest

from linarite.dialects.json_shim import entities
from linarite.durable.decision import Decision
from linarite.durable.entities import take_entity_turn
from linarite.durable.events import EventRaised, ExecutionStarted, HistoryEvent, OrchestrationInstance, decode_event, encode_event
from linarite.durable.messages import TaskMessage
from linarite.settings import DurableSettings
from tests.golden.recorded_invocations import Recorded, alike, invocations, wire

NOW = "2027-01-01T00:00:00Z"

UNUSABLE = {
    "ent_raw_boom": "4.3: an exception fails each operation; the reference repeats the batch for ever",
    "ent_raw_nores": "4.3: missing results fail each operation; the reference repeats the batch for ever",
    "ent_raw_notjson": "4.3: no document fails each operation; the reference repeats the batch for ever",
    "ent_raw_sig": "4.3: a signal's target is written in lower case",
    "ent_call_nullres": "its recording holds other scenarios' entities, which are repeated for ever",
}
"""Scenarios in which only the requests are compared."""


@cache
def batches() -> dict[tuple[str, str], list[Recorded]]:
    """Entity invocations by scenario and entity."""
    found = defaultdict(list)
    for recorded in invocations():
        if recorded.kind == "entity":
            me = recorded.payload["self"]
            found[recorded.scenario, f"@{me['name']}@{me['key']}"].append(recorded)
    return dict(found)


@cache
def requests() -> dict[str, HistoryEvent]:
    """Every request that the reference sent, by its id."""
    found = {}
    for _, text in wire("extension-messages"):
        event = (text["TaskMessage"] or {}).get("Event", {})
        if event.get("EventType") == 15 and "@" in text["TaskMessage"]["OrchestrationInstance"]["InstanceId"][:1]:
            found[json.loads(event["Input"])["id"]] = decode_event(json.dumps(event))
    return found


def turn(entity_id: str, history: tuple[HistoryEvent, ...], events: list[HistoryEvent], recorded: Recorded | None) -> Decision:
    """One turn with these messages, which lead to a recorded batch or to none; the request is compared."""
    to = OrchestrationInstance(instance_id=entity_id)
    messages = [TaskMessage(event=event, target=to) for event in events]
    ids = iter(f"{n:032x}" for n in range(1, 20))
    running = take_entity_turn(entity_id, history, messages, NOW, lambda: next(ids), DurableSettings())
    try:
        batch = next(running)
    except StopIteration as end:
        assert recorded is None
        without: Decision = end.value
        return without
    assert recorded is not None
    expected = json.loads(json.dumps(recorded.payload))
    for operation in expected["batch"]:
        operation["input"] = entities.operation_input(operation["input"])  # 4.2: what the SDK could not read is brought into its form
    assert entities.request(batch) == json.dumps(expected, separators=(",", ":"), ensure_ascii=False)
    try:
        running.send(entities.reply(batch, recorded.answer, NOW))
    except StopIteration as end:
        decision: Decision = end.value
        return decision
    raise AssertionError("one batch is one turn")


def left(scenario: str, entity_id: str) -> dict[str, Any]:
    """The instance row of the entity, as it was dumped last."""
    rows = [
        row for name, table, row in wire("extension-rows") if (name, table, row["PartitionKey"][1]) == (scenario, "Instances", entity_id)
    ]
    return {column: value for column, (_, value) in rows[-1].items()} if rows else {}


def sent(scenario: str, entity_id: str) -> list[Any]:
    """The events of the messages that the entity sent, those to itself left out."""
    events = []
    for name, text in wire("extension-messages"):
        message = text["TaskMessage"]
        if name != scenario or not message or (text["Sender"] or {}).get("InstanceId") != entity_id:
            continue
        if message["OrchestrationInstance"]["InstanceId"] != entity_id:
            events.append(json.loads(encode_event(decode_event(json.dumps(message["Event"])))))
    return events


@pytest.mark.parametrize("entity_id", ["@counter@l0", "@counter@l1"])
def test_a_lock_is_taken_kept_and_given_back_as_recorded(entity_id: str) -> None:
    history: tuple[HistoryEvent, ...] = ()
    outbound: list[Any] = []
    (recorded,) = batches()["entity_lock", entity_id]
    for name, text in wire("extension-messages"):
        message = text["TaskMessage"]
        if name == "entity_lock" and message["OrchestrationInstance"]["InstanceId"] == entity_id:
            event = decode_event(json.dumps(message["Event"]))
            is_operation = event in [requests()[operation["id"]] for operation in recorded.payload["batch"]]
            decision = turn(entity_id, history, [event], recorded if is_operation else None)
            history = decision.new_events
            outbound += [json.loads(encode_event(message.event)) for message in decision.outbound]
    started = history[1]
    assert isinstance(started, ExecutionStarted)
    assert alike(started.input) == alike(left("entity_lock", entity_id)["Input"])
    assert alike(outbound) == alike(sent("entity_lock", entity_id))


WHOLE = [case for case in batches() if case[0] != "entity_lock"]


@pytest.mark.parametrize(("scenario", "entity_id"), WHOLE, ids=[f"{scenario}-{entity}" for scenario, entity in WHOLE])
def test_an_entitys_requests_state_and_answers_are_the_recorded_ones(scenario: str, entity_id: str) -> None:
    history: tuple[HistoryEvent, ...] = ()
    outbound: list[Any] = []
    decision = Decision(execution_id="")
    for recorded in batches()[scenario, entity_id]:
        if recorded.payload["exists"] and not history:  # its earlier life is in another recording
            return
        asked = [requests()[operation["id"]] for operation in recorded.payload["batch"]]
        decision = turn(entity_id, history, asked, recorded)
        history = decision.new_events
        outbound += [json.loads(encode_event(message.event)) for message in decision.outbound]
    row = left(scenario, entity_id)
    if scenario in UNUSABLE or not row:
        return
    started = history[1]
    assert isinstance(started, ExecutionStarted)
    assert alike(started.input) == alike(row["Input"])
    assert decision.custom_status == row["CustomStatus"]
    assert (started.name, started.version) == (row["Name"], row["Version"])
    assert alike(outbound) == alike(sent(scenario, entity_id))


def test_every_difference_is_a_scenario() -> None:
    assert {*UNUSABLE} <= {scenario for scenario, _ in batches()}
    assert all(isinstance(event, EventRaised) for event in requests().values())

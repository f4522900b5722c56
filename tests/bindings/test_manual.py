"""Functions fired by hand: recorded cases, and every other trigger type as the SDK reads it."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import azure.functions
import pytest

from linarite.bindings.manual import CannotFire, manual_trigger
from linarite.invocation import Datum, json_text, string
from linarite.workers import wire
from linarite_worker import frames
from linarite_worker.datums import BodyReader, from_wire
from tests.bindings.functions import triggered
from tests.workers.calls import invocation

NOW = datetime(2026, 11, 23, 5, 57, 51, 858901, tzinfo=timezone.utc)


def seen_by_the_sdk(type_name: str, given: str, **properties: Any) -> Any:
    """What a function with an annotated parameter gets, once the invocation has been a frame to the worker."""
    fired = triggered(type_name, **properties)
    [(header, body)] = frames.parse(wire.invoke(invocation(fired, *manual_trigger(fired, given, NOW))))
    reader = BodyReader(body)
    value = from_wire(header["inputs"]["it"], reader)
    metadata = {name: from_wire(item, reader) for name, item in header.get("trigger_metadata", {}).items()}
    registry: Any = azure.functions.get_binding_registry  # has no annotations
    converter = registry().get(type_name)
    assert converter is not None
    return converter.decode(value, trigger_metadata=metadata)


def test_a_queue_function_as_recorded() -> None:
    value, metadata = manual_trigger(triggered("queueTrigger"), '{"a":1}', NOW)
    assert value == {"it": string('{"a":1}')}
    assert metadata == {
        "DequeueCount": json_text("0"),
        "it": string('{"a":1}'),
        "NextVisibleTime": json_text('"9999-12-31T23:59:59.9999999+00:00"'),
        "ExpirationTime": json_text('"9999-12-31T23:59:59.9999999+00:00"'),
        "QueueTrigger": string('{"a":1}'),
        "a": string("1"),
        "InsertionTime": json_text('"2026-11-23T05:57:51.858901+00:00"'),
    }


def test_a_queue_message_has_no_id_and_no_receipt() -> None:
    message = seen_by_the_sdk("queueTrigger", "manual text")
    assert (message.get_body(), message.id, message.pop_receipt, message.dequeue_count) == (b"manual text", None, None, 0)
    assert str(message.expiration_time) == "9999-12-31 23:59:59.999999+00:00"
    assert message.insertion_time == NOW


def test_binary_data_arrives_as_bytes() -> None:
    assert manual_trigger(triggered("queueTrigger", dataType="BINARY"), "é", NOW)[0] == {"it": Datum("bytes", "é".encode())}


def test_service_bus() -> None:
    one = seen_by_the_sdk("serviceBusTrigger", '{"x": 1}')
    assert (one.get_body(), one.delivery_count, one.application_properties) == (b'{"x": 1}', 1, {})
    many = seen_by_the_sdk("serviceBusTrigger", '["a", {"x": 1}]', cardinality="MANY")
    assert [message.get_body() for message in many] == [b"a", b'{"x":1}']
    assert [message.get_body() for message in seen_by_the_sdk("serviceBusTrigger", "text", cardinality="MANY")] == [b"text"]


def test_event_hubs() -> None:
    one = seen_by_the_sdk("eventHubTrigger", "text")
    assert (one.get_body(), one.sequence_number, one.enqueued_time) == (b"text", 0, NOW)
    many = seen_by_the_sdk("eventHubTrigger", "[1, 2]", cardinality="many")
    assert [event.get_body() for event in many] == [b"1", b"2"]
    assert [event.get_body() for event in seen_by_the_sdk("eventHubTrigger", '["a"]', cardinality="many", dataType="binary")] == [b"a"]


@pytest.mark.parametrize("form", [{}, {"dataType": "binary"}], ids=["text", "binary"])
def test_kafka(form: dict[str, str]) -> None:
    one = seen_by_the_sdk("kafkaTrigger", "text", topic="orders", **form)
    assert (one.get_body(), one.topic, one.partition) == (b"text", "orders", 0)
    many = seen_by_the_sdk("kafkaTrigger", '["a", "b"]', topic="orders", cardinality="MANY", **form)
    assert [(event.get_body(), event.topic, event.offset) for event in many] == [(b"a", "orders", 0), (b"b", "orders", 0)]


def test_event_grid() -> None:
    event = {"id": "1", "topic": "t", "subject": "s", "eventType": "e", "eventTime": "2026-01-02T03:04:05Z", "data": {"x": 1}}
    seen = seen_by_the_sdk("eventGridTrigger", json.dumps({**event, "dataVersion": "1"}))
    assert (seen.id, seen.subject, seen.get_json()) == ("1", "s", {"x": 1})
    with pytest.raises(CannotFire, match=r"expected a JSON object as input, found '\[1\]'"):
        manual_trigger(triggered("eventGridTrigger"), "[1]", NOW)


def test_documents_and_rows() -> None:
    assert [document["id"] for document in seen_by_the_sdk("cosmosDBTrigger", '[{"id": "1"}, {"id": "2"}]')] == ["1", "2"]
    assert [document["id"] for document in seen_by_the_sdk("cosmosDBTrigger", "{'id': '1'}")] == ["1"]
    assert [row["Item"]["id"] for row in seen_by_the_sdk("mysqlTrigger", '[{"Item": {"id": 1}}]')] == [1]
    assert manual_trigger(triggered("sqlTrigger"), "[]", NOW)[0] == {"it": json_text("[]")}
    with pytest.raises(CannotFire, match="takes JSON: the input 'x' is not"):
        manual_trigger(triggered("cosmosDBTrigger"), "x", NOW)
    with pytest.raises(CannotFire, match="takes a list"):
        manual_trigger(triggered("cosmosDBTrigger"), "5", NOW)


@pytest.mark.parametrize("kind", ["mcpToolTrigger", "daprTopicTrigger", "assistantSkillTrigger", "connectorTrigger", "somethingTrigger"])
def test_other_triggers_get_the_text_and_the_members_of_its_object(kind: str) -> None:
    value, metadata = manual_trigger(triggered(kind), '{"x": 1}', NOW)
    assert (value, metadata) == ({"it": string('{"x": 1}')}, {"it": string('{"x": 1}'), "x": string("1")})


def test_a_warm_up_needs_no_input() -> None:
    assert manual_trigger(triggered("warmupTrigger"), None, NOW) == ({"it": string("")}, {})


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("queueTrigger", None, "without an input"),
        ("httpTrigger", "x", "send a request to its route"),
        ("orchestrationTrigger", "x", "start an orchestration with a durable client"),
        ("activityTrigger", "x", "start an orchestration with a durable client"),
    ],
)
def test_what_cannot_be_fired(kind: str, given: str | None, said: str) -> None:
    with pytest.raises(CannotFire, match=said):
        manual_trigger(triggered(kind), given, NOW)

"""Which triggers start by themselves, and what is said of the others."""

from __future__ import annotations

import pytest

from linarite.bindings.trigger_types import reason_not_started
from tests.bindings.functions import triggered


@pytest.mark.parametrize("kind", ["httpTrigger", "timerTrigger", "queueTrigger", "blobTrigger", "orchestrationTrigger", "entityTrigger"])
def test_what_starts_has_no_reason_not_to(kind: str) -> None:
    assert reason_not_started(triggered(kind)) is None


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("serviceBusTrigger", "Azure Service Bus"),
        ("eventHubTrigger", "Azure Event Hubs"),
        ("cosmosDBTrigger", "Azure Cosmos DB"),
        ("kafkaTrigger", "Apache Kafka"),
        ("sqlTrigger", "Azure SQL"),
        ("eventGridTrigger", "Azure Event Grid"),
        ("mcpToolTrigger", "Model Context Protocol"),
        ("daprTopicTrigger", "Dapr"),
        ("myOwnTrigger", "myOwnTrigger is not known here"),
    ],
)
def test_the_reason_names_what_is_missing_and_how_to_fire_by_hand(kind: str, named: str) -> None:
    reason = reason_not_started(triggered(kind))
    assert reason is not None
    assert named in reason
    assert "POST /admin/functions/f" in reason


def test_a_warm_up_is_called_by_its_own_route() -> None:
    assert "GET /admin/warmup" in str(reason_not_started(triggered("warmupTrigger")))


def test_events_of_event_grid_can_be_sent_to_a_web_hook() -> None:
    blobs = str(reason_not_started(triggered("blobTrigger", source="EventGrid")))
    assert "POST /runtime/webhooks/blobs?functionName=Host.Functions.f with the header aeg-event-type: Notification" in blobs
    assert '{"input": "container/blob"}' in blobs
    assert "POST /runtime/webhooks/EventGrid?functionName=f with" in str(reason_not_started(triggered("eventGridTrigger")))
    assert reason_not_started(triggered("blobTrigger", source="LogsAndContainerScan")) is None

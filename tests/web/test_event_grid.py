"""Handshakes and deliveries of Azure Event Grid, as far as they are HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from linarite.web.event_grid import Event, EventGridDoor
from linarite.web.reply import Reply, empty, text


@dataclass
class Receiver:
    """Takes everything but what is for `nobody`."""

    taken: list[tuple[str, Sequence[Event]]] = field(default_factory=list)

    def refusal(self, function_name: str) -> Reply | None:
        return text(404, "cannot find function: 'nobody'") if function_name == "nobody" else None

    async def receive(self, function_name: str, events: Sequence[Event]) -> Reply:
        self.taken.append((function_name, events))
        return empty(202)


async def post(receiver: Receiver, body: Any, kind: str = "Notification", *, name: str = "f", **scope: Any) -> tuple[int, str]:
    """Status and body of the answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    given = {"method": "POST", "path": "/runtime/webhooks/EventGrid", "query_string": f"functionName={name}&code=x".encode()}
    await EventGridDoor(receiver)({**given, "headers": [(b"aeg-event-type", kind.encode())], **scope}, receive, send)
    headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], headers.get("webhook-allowed-origin") or sent[1]["body"].decode()


async def test_events_are_handed_on_one_or_many() -> None:
    receiver = Receiver()
    assert await post(receiver, [{"id": "1"}, {"id": "2"}]) == (202, "")
    assert await post(receiver, {"id": "3"}, "notification") == (202, "")
    assert receiver.taken == [("f", [{"id": "1"}, {"id": "2"}]), ("f", [{"id": "3"}])]


async def test_a_subscription_is_validated_in_either_schema() -> None:
    data = {"validationCode": "512d38b6", "validationUrl": "https://rp.example/validate"}
    answer = (200, '{"validationResponse":"512d38b6"}')
    assert await post(Receiver(), [{"id": "1", "data": data}], "SubscriptionValidation") == answer
    assert await post(Receiver(), {"id": "1", "data": json.dumps(data)}, "SubscriptionValidation") == answer


async def test_a_cloud_event_subscription_is_allowed() -> None:
    asked = [(b"webhook-request-origin", b"eventgrid.azure.us")]
    assert await post(Receiver(), b"", method="OPTIONS", headers=asked) == (200, "eventgrid.azure.us")
    assert await post(Receiver(), b"", method="OPTIONS", headers=[(b"webhook-request-origin", b"evil")]) == (200, "eventgrid.azure.net")


async def test_an_end_of_a_subscription_is_taken_note_of() -> None:
    assert await post(Receiver(), [], "Unsubscribe") == (202, "")


async def test_an_unknown_function_is_refused_before_anything_else() -> None:
    assert await post(Receiver(), b"no JSON", name="nobody") == (404, "cannot find function: 'nobody'")


@pytest.mark.parametrize(
    ("body", "kind", "sentence"),
    [
        ([{}], "", "Expected a header aeg-event-type: Notification, found ''"),
        (b"no JSON", "Notification", "Expected JSON: "),
        ("text", "Notification", "Expected a JSON object, or an array of them"),
        ([{"data": {}}], "SubscriptionValidation", "whose data has a validationCode"),
        ([], "SubscriptionValidation", "whose data has a validationCode"),
    ],
)
async def test_what_is_no_delivery_is_400_and_says_what_was_expected(body: Any, kind: str, sentence: str) -> None:
    receiver = Receiver()
    status, answer = await post(receiver, body, kind)
    assert status == 400
    assert sentence in answer
    assert receiver.taken == []

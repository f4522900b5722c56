from __future__ import annotations

import json
from typing import Any

import pytest

from linarite.durable.events import EventRaised
from tests.web.durable_api.asgi import Answer, ask
from tests.web.durable_api.conftest import Doors

BASE = "/runtime/webhooks/durabletask"
JSON = {"Content-Type": "application/json"}


async def get(doors: Doors, path: str) -> Answer:
    return await ask(doors.public, "GET", f"{BASE}/entities/{path}")


async def post(doors: Doors, path: str, body: bytes | str = b"", headers: dict[str, str] | None = None) -> Answer:
    return await ask(doors.public, "POST", f"{BASE}/entities/{path}", body, headers)


def keep(doors: Doors, entity_id: str, state: str, *, exists: bool = True) -> None:
    scheduler = ({"exists": True} if exists else {}) | {"state": state, "sorter": {}}
    doors.hub.keep(entity_id, name=entity_id, input=json.dumps(scheduler))


def request(doors: Doors) -> dict[str, Any]:
    """The request in the one message that was sent."""
    (message,) = doors.hub.sent
    assert isinstance(message.event, EventRaised)
    content: dict[str, Any] = json.loads(message.event.input or "")
    return content


async def test_state_is_shown_as_the_json_it_is(doors: Doors) -> None:
    keep(doors, "@counter@Key", '{"n":  1e3}')
    answer = await get(doors, "Counter/Key")
    assert (answer.status, answer.body) == (200, b'{"n":1000.0}')


@pytest.mark.parametrize("path", ["Counter/nosuch", "Counter/key", "Nope/x", "Counter/deleted", "Counter/odd"])
async def test_what_does_not_exist_is_404(doors: Doors, path: str) -> None:
    keep(doors, "@counter@Key", "1")
    keep(doors, "@counter@deleted", "null", exists=False)
    doors.hub.keep("@counter@odd", input="not a scheduler's state")
    assert (await get(doors, path)).status == 404


async def test_a_dollar_sign_is_the_empty_key_and_keys_may_hold_at_signs(doors: Doors) -> None:
    keep(doors, "@counter@", "1")
    keep(doors, "@counter@@at@x", "2")
    assert (await get(doors, "Counter/$")).json == 1
    assert (await get(doors, "Counter/@at@x")).json == 2


async def test_a_list_holds_the_entities_that_exist(doors: Doors) -> None:
    keep(doors, "@counter@@at@x", '{"a":1}')
    keep(doors, "@counter@gone", "null", exists=False)
    keep(doors, "@counters@other", "3")
    doors.hub.keep("@odd")
    doors.hub.keep("an-orchestration")
    at = "2026-01-01T00:00:00.1234567Z"
    counter = {"entityId": {"name": "counter", "key": "@at@x"}, "lastOperationTime": at, "state": None}
    other = {"entityId": {"name": "counters", "key": "other"}, "lastOperationTime": at, "state": None}
    assert (await get(doors, "")).json == [counter, other]
    assert (await get(doors, "COUNTER/")).json == [counter]
    assert (await get(doors, "Counter?fetchState=True")).json == [counter | {"state": {"a": 1}}]
    assert (await get(doors, "Counter?lastOperationTimeFrom=2030-01-01T00:00:00Z")).json == []
    assert (await get(doors, "Counter?lastOperationTimeTo=2020-01-01T00:00:00Z")).json == []


async def test_a_list_goes_in_pages(doors: Doors) -> None:
    for key in "abc":
        keep(doors, f"@counter@{key}", "1")
    first = await get(doors, "Counter?top=2")
    token = {"x-ms-continuation-token": first.headers["x-ms-continuation-token"]}
    second = await ask(doors.public, "GET", f"{BASE}/entities/Counter?top=2", headers=token)
    assert [entity["entityId"]["key"] for entity in first.json + second.json] == ["a", "b", "c"]
    assert second.headers["x-ms-continuation-token"] == ""


async def test_a_signal_is_sent_to_the_entity_in_lower_case(doors: Doors) -> None:
    assert (await post(doors, "Counter/Key?op=add", '"5"', JSON)).status == 202
    assert doors.hub.sent[0].target.instance_id == "@counter@Key"
    assert list(request(doors)) == ["op", "signal", "input", "id", "Timestamp", "Predecessor"]
    assert request(doors)["op"] == "add"
    assert request(doors)["input"] == '"5"'


@pytest.mark.parametrize("door", ["public", "rpc"])
async def test_a_value_sent_by_hand_reaches_the_entity_as_the_sdk_would_send_it(doors: Doors, door: str) -> None:
    base = f"{BASE}" if door == "public" else "/durabletask"
    await ask(getattr(doors, door), "POST", f"{base}/entities/Counter/k?op=add", '{"a": 5}', JSON)
    assert request(doors)["input"] == '"{\\"a\\":5}"'


async def test_an_operation_without_a_body_or_a_name(doors: Doors) -> None:
    assert (await post(doors, "Counter")).status == 202
    assert doors.hub.sent[0].target.instance_id == "@counter@"
    assert (request(doors)["op"], request(doors)["input"]) == ("", '"null"')


async def test_delete_is_an_operation(doors: Doors) -> None:
    assert (await ask(doors.public, "DELETE", f"{BASE}/entities/Counter/k?op=add")).status == 202
    assert request(doors)["op"] == "delete"


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("?op=a", "Invalid entity id: entity name must not be a null or empty string. (Parameter 'entityName')"),
        ("Counter/a%23b", "entityKey (Parameter 'Entity keys must not contain /, \\, #, ?, or control characters.')"),
        (
            "Nope/x",
            "The function 'nope' doesn't exist, is disabled, or is not an entity function. "
            "Additional info: The following are the known entity functions: 'Counter', 'Failer'.",
        ),
    ],
)
async def test_an_entity_that_cannot_be_is_refused(doors: Doors, path: str, sentence: str) -> None:
    answer = await post(doors, path)
    assert (answer.status, answer.json) == (400, {"Message": sentence})
    assert not doors.hub.sent


async def test_an_app_without_entities_says_so() -> None:
    answer = await post(Doors(entities=()), "Nope/x")
    assert answer.json["Message"].endswith("Additional info: No entity functions are currently registered!")


async def test_a_signal_that_claims_to_be_json_has_to_be(doors: Doors) -> None:
    answer = await post(doors, "Counter/k", "{bad", JSON)
    assert answer.status == 400
    assert answer.json["Message"].startswith("Could not parse JSON content: ")

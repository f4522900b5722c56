"""The SDK's own client against a recording of it with the real extension: the same calls, and what they return or raise."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import azure.durable_functions as df
import pytest
import pytest_asyncio
from azure.durable_functions.models.OrchestrationRuntimeStatus import OrchestrationRuntimeStatus
from azure.durable_functions.models.utils import http_utils

from linarite.web.durable_api.rpc import RpcEndpoint
from linarite.web.durable_api.urls import client_binding
from tests.golden.durable_http import recorded
from tests.golden.durable_world import EmbeddedWorld, at_work

Result = Any
"""Whatever a method of the SDK returns."""

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.asyncio(loop_scope="module")]

CALLS = recorded("sdk_calls.jsonl")
DIFFERENT: dict[int, tuple[str, Result]] = {
    5: (
        "Ours: an id that begins with @ is refused (spec 6, 9.1)",
        {"exception": "Exception", "text": "Orchestration instance ids must not start with @."},
    ),
    26: (
        "The recorded hub held instances of other scenarios",
        [{"name": "nosuch", "instanceId": "sdk-none", "runtimeStatus": "Failed"}],
    ),
    27: (
        "The same",
        [
            {"name": "wait", "instanceId": "a", "runtimeStatus": "Running"},
            {"name": "chain", "instanceId": "sdk-1", "runtimeStatus": "Completed"},
            {"name": "nosuch", "instanceId": "sdk-none", "runtimeStatus": "Failed"},
        ],
    ),
    33: ("Ours: a deleted entity is gone (spec 6)", {"entity_exists": False, "entity_state": None}),
}
"""By position: why, and what is returned instead."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def results() -> AsyncIterator[list[Result]]:
    """What the calls return here, one after another, each once the one before has had its effect."""
    async with at_work(EmbeddedWorld) as world:
        endpoint = RpcEndpoint(world.host, preferred_port=0)
        await endpoint.start()
        client = df.DurableOrchestrationClient(client_binding(world.host.webhook(), endpoint.base_url))
        returned = []
        for call in CALLS:
            returned.append(await _outcome(client, call))
            await world.settle()
        yield returned
        await http_utils._close_session()
        await endpoint.stop()


async def _outcome(client: Any, call: dict[str, Any]) -> Result:
    arguments = [_argument(text) for text in call["args"]]
    named = {name: _argument(text) for name, text in call["kwargs"].items()}
    try:
        return _shown(await getattr(client, call["method"])(*arguments, **named))
    except Exception as error:
        return {"exception": type(error).__name__, "text": str(error)}


def _argument(text: str) -> Any:
    """The value whose text was recorded."""
    if text.startswith("["):
        return [OrchestrationRuntimeStatus.Failed]
    if text.count("@") == 2:
        return df.EntityId(*text[1:].split("@"))
    if text.startswith("2020-"):
        return datetime.fromisoformat(text)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _shown(result: Any) -> Result:
    """A result as the recorder wrote it down; times left out."""
    match type(result).__name__:
        case "DurableOrchestrationStatus":
            content = {name: value for name, value in result.to_json().items() if not name.endswith("Time")}
            return {"type": "DurableOrchestrationStatus", "json": content}
        case "PurgeHistoryResult":
            return {"type": "PurgeHistoryResult", "instances_deleted": result.instances_deleted}
        case "EntityStateResponse":
            return {"entity_exists": result.entity_exists, "entity_state": result.entity_state}
        case "list":
            return [{"name": one.name, "instanceId": one.instance_id, "runtimeStatus": one.runtime_status.name} for one in result]
    return result


def _without_times(result: Result) -> Result:
    if isinstance(result, dict) and "json" in result:
        return {**result, "json": {name: value for name, value in result["json"].items() if not name.endswith("Time")}}
    return result


@pytest.mark.parametrize("position", range(len(CALLS)), ids=lambda position: f"{position}-{CALLS[position]['method']}")
async def test_a_call_ends_as_recorded(position: int, results: list[Result]) -> None:
    theirs = _without_times(CALLS[position]["result"])
    if position in DIFFERENT:
        assert results[position] != theirs
        theirs = DIFFERENT[position][1]
    assert results[position] == theirs

"""The durable client against recordings of the real extension: binding values, and every HTTP exchange.

The exchanges run against an embedded hub with the dispatcher and the real SDK behind it. What differs stands in
`durable_http_differences.py`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from linarite.web.durable_api.urls import Webhook, client_binding
from tests.golden.durable_http import DATA, Exchange, Player, exchanges, recorded, unlike
from tests.golden.durable_http_differences import BY_EXCHANGE
from tests.golden.durable_http_steps import AWAITED, SCENARIOS, UNRECORDED
from tests.golden.durable_world import embedded_world
from tests.web.durable_api.asgi import Answer

pytestmark = pytest.mark.filterwarnings("ignore")  # the SDK warns apps, and this one runs in our process

Played = dict[tuple[str, int], Answer]

EXCHANGES = [exchange for scenario in SCENARIOS for exchange in exchanges(scenario)]


@pytest.mark.parametrize("binding", recorded("bindings.jsonl"), ids=lambda binding: binding["function"])
def test_a_binding_has_the_recorded_value(binding: dict[str, Any]) -> None:
    value = binding["value"]
    webhook = Webhook(base_url="http://localhost:7071/runtime/webhooks/durabletask", hub=value["taskHubName"], key_query="code=testkey")
    ours = client_binding(webhook, "http://127.0.0.1:17071/durabletask/")
    assert ours == json.dumps(value, separators=(",", ":"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def played() -> AsyncIterator[Played]:
    """Our answers to all exchanges, played one after another in one world."""
    async with embedded_world() as world:
        player = Player(world)
        yield {
            (exchange.scenario, exchange.index): answer
            for scenario in SCENARIOS
            for exchange, answer in await player.play(scenario, UNRECORDED.get(scenario, {}))
        }


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: f"{exchange.scenario}:{exchange.index}")
async def test_an_exchange_is_answered_as_recorded(exchange: Exchange, played: Played) -> None:
    answer = played[exchange.scenario, exchange.index]
    difference = BY_EXCHANGE.get((exchange.scenario, exchange.index))
    if difference is None:
        assert unlike(exchange, answer) == ""
    else:
        assert unlike(exchange, answer), f"equal by now; out of the table with it: {difference.reason}"
        assert answer.status == difference.status
        assert difference.says in answer.body.decode()


def test_everything_recorded_is_played_and_what_differs_is_counted() -> None:
    assert {file.stem for file in (DATA / "exchanges").glob("*.jsonl")} == {*SCENARIOS, *AWAITED}
    assert set(BY_EXCHANGE) <= {(exchange.scenario, exchange.index) for exchange in EXCHANGES}
    assert (len(EXCHANGES) - len(BY_EXCHANGE), len(BY_EXCHANGE)) == (380, 50)

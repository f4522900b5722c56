"""The durable client against recordings of the real extension: binding values, and every HTTP exchange.

The exchanges run against both hubs, with the dispatcher and the real SDK behind them. What differs stands in
`durable_http_differences.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
import pytest_asyncio

from linarite.azurite import Ports
from linarite.web.durable_api.urls import Webhook, client_binding
from tests.golden.durable_http import DATA, Exchange, Player, World, exchanges, recorded, unlike
from tests.golden.durable_http_differences import BY_EXCHANGE, Difference
from tests.golden.durable_http_steps import NOT_ON_AZURITE, SCENARIOS, UNRECORDED
from tests.golden.durable_world import AzuriteWorld, EmbeddedWorld, at_work
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


async def _play(world: World, scenarios: Iterable[str]) -> Played:
    """Our answers to all exchanges, played one after another in one world."""
    player = Player(world)
    return {
        (exchange.scenario, exchange.index): answer
        for scenario in scenarios
        for exchange, answer in await player.play(scenario, UNRECORDED.get(scenario, {}))
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def embedded() -> Played:
    async with at_work(EmbeddedWorld) as world:
        return await _play(world, SCENARIOS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on_azurite(azurite: Ports) -> Played:
    async with at_work(lambda functions: AzuriteWorld(functions, azurite.connection_string())) as world:
        return await _play(world, [scenario for scenario in SCENARIOS if scenario not in NOT_ON_AZURITE])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("exchange", EXCHANGES, ids=str)
async def test_an_exchange_is_answered_as_recorded(exchange: Exchange, embedded: Played) -> None:
    _compare(exchange, embedded, BY_EXCHANGE.get((exchange.scenario, exchange.index)))


@pytest.mark.azurite
@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("exchange", [one for one in EXCHANGES if one.scenario not in NOT_ON_AZURITE], ids=str)
async def test_so_it_is_on_azurite(exchange: Exchange, on_azurite: Played) -> None:
    difference = BY_EXCHANGE.get((exchange.scenario, exchange.index))
    _compare(exchange, on_azurite, None if difference and difference.is_embedded_only else difference)


def _compare(exchange: Exchange, played: Played, difference: Difference | None) -> None:
    answer = played[exchange.scenario, exchange.index]
    if difference is None:
        assert unlike(exchange, answer) == ""
    else:
        assert unlike(exchange, answer), f"equal by now; out of the table with it: {difference.reason}"
        assert answer.status == difference.status
        assert difference.says in answer.body.decode()


def test_everything_recorded_is_played_and_what_differs_is_counted() -> None:
    assert {file.stem for file in (DATA / "exchanges").glob("*.jsonl")} == set(SCENARIOS)
    assert set(BY_EXCHANGE) <= {(exchange.scenario, exchange.index) for exchange in EXCHANGES}
    assert (len(EXCHANGES) - len(BY_EXCHANGE), len(BY_EXCHANGE)) == (413, 62)

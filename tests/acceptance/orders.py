"""Orders of the sample app: placed, awaited, and looked at closely, on whichever hub."""

from __future__ import annotations

import aiohttp

from tests.host_process import finished

ORDER = {"customer": "ada@example.com", "item": "kettle", "quantity": 2}
OUTPUT = {"payment": "P-ada@example.com-59.00", "tracking": "T-R-kettle-2", "amount": 59.0}
STEPS = ["CheckAndReserveInventory", "ProcessPayment", "ScheduleShipping", "EmailCustomer"]

_INSTANCES = "/runtime/webhooks/durabletask/instances"


async def place(session: aiohttp.ClientSession, order: str) -> bool:
    """Start an order under an id of our own; whether the host lived to say that it has."""
    try:
        async with session.post(f"/runtime/webhooks/durabletask/orchestrators/PlaceOrder/{order}", json=ORDER) as answer:
            assert answer.status == 202
            return True
    except (aiohttp.ClientError, ConnectionError):
        return False


async def is_known(session: aiohttp.ClientSession, order: str) -> bool:
    """Whether there is such an instance."""
    async with session.get(f"{_INSTANCES}/{order}") as answer:
        assert answer.status in (200, 202, 404)
        return answer.status != 404


async def check(session: aiohttp.ClientSession, order: str) -> None:
    """Wait until an order has come through; its row is right, and its history has each step once."""
    status = await finished(session, f"{_INSTANCES}/{order}?showHistory=true&showHistoryOutput=true")
    found = {name: status[name] for name in ("name", "runtimeStatus", "customStatus", "input", "output")}
    assert found == {"name": "PlaceOrder", "runtimeStatus": "Completed", "customStatus": "shipped", "input": ORDER, "output": OUTPUT}, order
    assert str(status["createdTime"]) <= str(status["lastUpdatedTime"])
    events = status["historyEvents"]
    assert isinstance(events, list)
    kinds = [(event["EventType"], event.get("FunctionName")) for event in events]
    steps = [("TaskCompleted", step) for step in STEPS]
    assert kinds == [("ExecutionStarted", "PlaceOrder"), *steps, ("ExecutionCompleted", None)], f"{order}: {events}"
    assert events[-1]["Result"] == OUTPUT

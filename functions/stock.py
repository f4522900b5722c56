"""A monitor: look, sleep on a durable timer, look again, until something happened or time is up.

curl -X POST localhost:7071/api/stock/CONTOSO -d '{"percent": 2, "every_seconds": 5, "for_minutes": 30}'
"""

import logging
import math
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

blueprint = df.Blueprint()


@blueprint.route(route="stock/{symbol}", methods=["POST"])
@blueprint.durable_client_input(client_name="client")
async def watch_stock(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Starts a monitor for one symbol. The instance id is the symbol's, so a second one is refused while the first runs."""
    body = req.get_json() if req.get_body() else {}
    symbol = req.route_params["symbol"].upper()
    wish = {
        "symbol": symbol,
        "percent": float(body.get("percent", 2)),
        "every_seconds": float(body.get("every_seconds", 5)),
        "for_minutes": float(body.get("for_minutes", 30)),
    }
    instance_id = f"stock-{symbol}"
    running = await client.get_status(instance_id)
    if running and running.runtime_status in (df.OrchestrationRuntimeStatus.Running, df.OrchestrationRuntimeStatus.Pending):
        return func.HttpResponse(f"{symbol} is being watched already.", status_code=409)
    await client.start_new("CheckStockPrice", instance_id=instance_id, client_input=wish)
    return client.create_check_status_response(req, instance_id)


@blueprint.function_name("CheckStockPrice")
@blueprint.orchestration_trigger(context_name="context")
def check_stock_price(context: df.DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any]]:
    """Ends when the price has moved by `percent`, or when time is up.

    The clock is `context.current_utc_datetime`, never `datetime.now()`: a replay must see the same times.
    """
    wish = context.get_input()
    end = context.current_utc_datetime + timedelta(minutes=wish["for_minutes"])
    first = yield context.call_activity("GetStockPrice", {"symbol": wish["symbol"], "at": context.current_utc_datetime.isoformat()})
    while context.current_utc_datetime < end:
        pause = context.current_utc_datetime + timedelta(seconds=wish["every_seconds"])
        yield context.create_timer(min(pause, end))
        price = yield context.call_activity("GetStockPrice", {"symbol": wish["symbol"], "at": context.current_utc_datetime.isoformat()})
        change = (price - first) / first * 100
        context.set_custom_status({"first": first, "price": price, "change": round(change, 2)})
        if abs(change) >= wish["percent"]:
            yield context.call_activity("NotifyStockPercentageChange", {"symbol": wish["symbol"], "change": round(change, 2)})
            return {"symbol": wish["symbol"], "moved": True, "change": round(change, 2)}
    return {"symbol": wish["symbol"], "moved": False}


@blueprint.function_name("GetStockPrice")
@blueprint.activity_trigger(input_name="quote")
def get_stock_price(quote: dict) -> float:
    """A made-up market: every price swings by 5 % within ten minutes."""
    seconds = datetime.fromisoformat(quote["at"]).timestamp()
    base = 50 + sum(map(ord, quote["symbol"])) % 100
    return round(base * (1 + 0.05 * math.sin(seconds / 600 * math.tau)), 4)


@blueprint.function_name("NotifyStockPercentageChange")
@blueprint.activity_trigger(input_name="change")
def notify_stock_percentage_change(change: dict) -> None:
    """Tells whoever asked (here: the log)."""
    logging.warning("%s moved by %s %%", change["symbol"], change["change"])

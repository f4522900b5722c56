"""Function chaining, started as an async HTTP API.

    curl -X POST localhost:7071/api/orders -d '{"customer": "ada@example.com", "item": "kettle", "quantity": 2}'

answers 202 with the URLs of the new instance; its `statusQueryGetUri` tells how far the order has come.
"""

import logging
from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func

blueprint = df.Blueprint()

# Activities run at least once, so each must give the same answer when it is asked again. These derive everything from their input.
PRICES = {"kettle": 29.5, "teapot": 34.0, "mug": 7.25}
STOCK = {"kettle": 12, "teapot": 3, "mug": 140}


@blueprint.route(route="orders", methods=["POST"])
@blueprint.durable_client_input(client_name="client")
async def start_order(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Takes an order and answers at once; the work goes on behind the status URL."""
    try:
        order = req.get_json()
        order = {"customer": str(order["customer"]), "item": str(order["item"]), "quantity": int(order.get("quantity", 1))}
    except (AttributeError, KeyError, TypeError, ValueError):
        return func.HttpResponse('Send JSON such as {"customer": "ada@example.com", "item": "kettle", "quantity": 2}', status_code=400)
    instance_id = await client.start_new("PlaceOrder", client_input=order)
    return client.create_check_status_response(req, instance_id)


@blueprint.function_name("PlaceOrder")
@blueprint.orchestration_trigger(context_name="context")
def place_order(context: df.DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any]]:
    """The order's steps, one after the other. Where a step fails, what went before is in the history and is not done again."""
    order = context.get_input()
    reservation = yield context.call_activity("CheckAndReserveInventory", order)
    context.set_custom_status("reserved")
    payment = yield context.call_activity("ProcessPayment", {**order, "amount": reservation["amount"]})
    context.set_custom_status("paid")
    shipping = yield context.call_activity("ScheduleShipping", {**order, "reservation": reservation["id"]})
    context.set_custom_status("shipped")
    yield context.call_activity("EmailCustomer", {"to": order["customer"], "tracking": shipping["tracking"]})
    return {"payment": payment["id"], "tracking": shipping["tracking"], "amount": reservation["amount"]}


@blueprint.function_name("CheckAndReserveInventory")
@blueprint.activity_trigger(input_name="order")
def check_and_reserve_inventory(order: dict) -> dict:
    """Raises if there is not enough; the order then fails with that text."""
    item, quantity = order["item"], order["quantity"]
    if quantity > STOCK.get(item, 0):
        raise ValueError(f"{quantity} x {item} wanted, {STOCK.get(item, 0)} in stock")
    return {"id": f"R-{item}-{quantity}", "amount": round(PRICES[item] * quantity, 2)}


@blueprint.function_name("ProcessPayment")
@blueprint.activity_trigger(input_name="order")
def process_payment(order: dict) -> dict:
    """Charges the customer."""
    return {"id": f"P-{order['customer']}-{order['amount']:.2f}"}


@blueprint.function_name("ScheduleShipping")
@blueprint.activity_trigger(input_name="order")
def schedule_shipping(order: dict) -> dict:
    """Books a parcel."""
    return {"tracking": f"T-{order['reservation']}"}


@blueprint.function_name("EmailCustomer")
@blueprint.activity_trigger(input_name="message")
def email_customer(message: dict) -> None:
    """Tells the customer (here: the log)."""
    logging.info("To %s: your parcel %s is on its way", message["to"], message["tracking"])

"""Human interaction: wait for a person, but not for ever.

curl -X POST localhost:7071/api/expenses -d '{"who": "ada", "amount": 120, "within_seconds": 3600}'
curl -X POST localhost:7071/api/expenses/INSTANCE/approve
"""

import logging
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

blueprint = df.Blueprint()


@blueprint.route(route="expenses", methods=["POST"])
@blueprint.durable_client_input(client_name="client")
async def submit_expense(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Submits an expense for approval."""
    instance_id = await client.start_new("ApproveExpense", client_input=req.get_json())
    return client.create_check_status_response(req, instance_id)


@blueprint.route(route="expenses/{instance}/{verdict:regex(^(approve|reject)$)}", methods=["POST"])
@blueprint.durable_client_input(client_name="client")
async def decide_expense(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """What the link in the manager's mail does."""
    await client.raise_event(req.route_params["instance"], "Verdict", req.route_params["verdict"])
    return func.HttpResponse(status_code=202)


@blueprint.function_name("ApproveExpense")
@blueprint.orchestration_trigger(context_name="context")
def approve_expense(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    """Approved, rejected or, without an answer in time, escalated."""
    expense = context.get_input()
    yield context.call_activity("AskManager", {**expense, "instance": context.instance_id})
    deadline = context.create_timer(context.current_utc_datetime + timedelta(seconds=expense.get("within_seconds", 3600)))
    verdict = context.wait_for_external_event("Verdict")
    winner = yield context.task_any([verdict, deadline])
    if winner == deadline:
        return "escalated"
    deadline.cancel()  # a timer left running would keep the instance from completing
    return "approved" if "approve" in verdict.result else "rejected"


@blueprint.function_name("AskManager")
@blueprint.activity_trigger(input_name="expense")
def ask_manager(expense: dict) -> None:
    """Sends the mail (here: the log)."""
    logging.info("%s asks for %s: POST /api/expenses/%s/approve or /reject", expense["who"], expense["amount"], expense["instance"])

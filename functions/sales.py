"""Fan-out and fan-in: ask for everything at once, go on when all of it is there.

curl -X POST localhost:7071/api/sales -d '["north", "south", "east", "west"]'
"""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func

blueprint = df.Blueprint()


@blueprint.route(route="sales", methods=["POST"])
@blueprint.durable_client_input(client_name="client")
async def start_sales_report(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Starts a report over the regions in the body and waits a moment for it: a fast answer comes back as a plain 200."""
    instance_id = await client.start_new("TotalSales", client_input=req.get_json())
    return await client.wait_for_completion_or_create_check_status_response(
        req, instance_id, timeout_in_milliseconds=5000, retry_interval_in_milliseconds=250
    )


@blueprint.function_name("TotalSales")
@blueprint.orchestration_trigger(context_name="context")
def total_sales(context: df.DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any]]:
    """One activity a region, all at the same time."""
    regions = context.get_input()
    amounts = yield context.task_all([context.call_activity("SalesOfRegion", region) for region in regions])
    return {"regions": len(regions), "total": sum(amounts)}


@blueprint.function_name("SalesOfRegion")
@blueprint.activity_trigger(input_name="region")
def sales_of_region(region: str) -> int:
    """A made-up figure that depends on the region's name alone."""
    return sum(map(ord, region)) * 100

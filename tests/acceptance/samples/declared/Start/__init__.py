"""Starts any orchestrator, with a parcel if the URL says how heavy it is; answers through a named output."""

import azure.functions as func
from azure.durable_functions import DurableOrchestrationClient

from ..shared.parcels import Parcel


async def main(req: func.HttpRequest, starter: str, answer: func.Out[func.HttpResponse]) -> None:
    client = DurableOrchestrationClient(starter)
    given = Parcel("Lima", int(req.params["grams"])) if "grams" in req.params else None
    instance_id = await client.start_new(req.route_params["functionName"], client_input=given)
    answer.set(client.create_check_status_response(req, instance_id))

"""Asks what a parcel costs: objects are its input, go to an activity and come back."""

import azure.durable_functions as df

from ..shared.parcels import Parcel


def orchestrate(context: df.DurableOrchestrationContext):
    parcel = context.get_input()
    packed = yield context.call_activity("Weigh", Parcel(parcel.to, parcel.grams + 50))
    return f"{packed.grams} g to {packed.to}"


main = df.Orchestrator.create(orchestrate)

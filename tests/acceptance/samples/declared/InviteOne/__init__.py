"""Greets whom it is given."""

import azure.durable_functions as df


def orchestrate(context: df.DurableOrchestrationContext):
    return (yield context.call_activity("Greet", context.get_input()))


main = df.Orchestrator.create(orchestrate)

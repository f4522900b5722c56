"""Has another orchestrator do the work."""

import azure.durable_functions as df


def orchestrate(context: df.DurableOrchestrationContext):
    return (yield context.call_sub_orchestrator("InviteOne", "Ada"))


main = df.Orchestrator.create(orchestrate)

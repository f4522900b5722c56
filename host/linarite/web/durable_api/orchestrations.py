"""Starting an orchestration, looking at it, and telling it something.

Source: the Durable extension's HttpApiHandler and DurableClient, as recorded. Where its laxness would hurt a local user we are stricter:
ids are checked and bodies are strict JSON.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

from starlette.responses import Response

from linarite.clock import Clock
from linarite.durable.events import OrchestrationInstance, Status
from linarite.durable.instances import Instance
from linarite.durable.messages import TaskMessage
from linarite.errors import InstanceExists
from linarite.settings import DurableSettings
from linarite.taskhub.protocol import HubClient
from linarite.timestamps import Timestamp
from linarite.web.durable_api.answers import (
    FAILURE,
    OPERATION_EXCEPTION,
    Refused,
    argument_error,
    empty,
    error,
    failure,
    invalid_json,
    json_answer,
)
from linarite.web.durable_api.call import Call, Wait
from linarite.web.durable_api.json_text import InvalidJson, parsed, shown
from linarite.web.durable_api.messages import (
    event_message,
    id_problem,
    resume_message,
    start_message,
    suspend_message,
    terminate_message,
)
from linarite.web.durable_api.status import status_body, with_history


async def start(call: Call, name: str, instance_id: str = "") -> Response:
    """Start an orchestration, under a new id if none is given. An unknown name is accepted: the instance then fails."""
    text = await call.body() or None
    if text is not None:
        try:
            parsed(text)
        except InvalidJson as problem:
            return invalid_json(str(problem))
    instance_id = instance_id or uuid.uuid4().hex
    if problem_with_id := id_problem(instance_id):
        return argument_error(problem_with_id)
    if call.host.is_disabled(name):
        return argument_error(f"The function '{name}' is disabled; remove its setting AzureWebJobs.{name}.Disabled.")
    wait = call.wait()
    version = call.query.text("version")
    instance = OrchestrationInstance(instance_id=instance_id, execution_id=str(uuid.uuid4()))
    message = start_message(name, instance, text, call.host.settings.default_version if version is None else version, call.now())
    hub = await call.hub()
    try:
        await hub.create(message, overridable(call.host.settings))
    except InstanceExists as conflict:
        return error(409, str(conflict))
    return await started(call, hub, instance_id, wait)


def overridable(settings: DurableSettings) -> frozenset[Status]:
    """Statuses in which an instance may be replaced by a new one with its id."""
    return frozenset(status for status in Status if status.is_terminal or settings.overridable_states == "AnyState")


async def started(call: Call, hub: HubClient, instance_id: str, wait: Wait | None) -> Response:
    """The answer to a start: how to follow the instance or, if the request waits and it finishes in time, what came of it."""
    instance = await _finished(hub, instance_id, wait, call.host.clock) if wait else None
    if instance is None:
        return call.check_status(instance_id)
    if instance.status is Status.COMPLETED:
        return json_answer(shown(instance.output))
    return await _status_answer(call, hub, instance, failed=200)


async def _finished(hub: HubClient, instance_id: str, wait: Wait, clock: Clock) -> Instance | None:
    """The instance once it is finished, or None after the time-out."""
    deadline = clock.now() + timedelta(seconds=wait.timeout_s)
    while True:
        instance = await hub.instance(instance_id)
        if instance is not None and instance.status.is_terminal:
            return instance
        remaining_s = (deadline - clock.now()).total_seconds()
        if remaining_s <= 0:
            return None
        await clock.sleep(min(max(wait.interval_s, _SHORTEST_PAUSE_S), remaining_s))


_SHORTEST_PAUSE_S = 0.01


async def show_status(call: Call, instance_id: str) -> Response:
    """The instance's status, with its history if that is asked for."""
    hub = await call.hub()
    instance = await hub.instance(instance_id)
    if instance is None:
        return empty(404)
    return await _status_answer(call, hub, instance, failed=500 if call.query.flag("returnInternalServerErrorOnFailure", False) else 200)


async def _status_answer(call: Call, hub: HubClient, instance: Instance, *, failed: int) -> Response:
    query = call.query
    inputs = query.flag("showInput", True)
    body = status_body(instance, with_input=inputs)
    if query.flag("showHistory", False):
        events = await hub.history(instance.instance_id)
        body = with_history(body, instance, events, inputs=inputs, outputs=query.flag("showHistoryOutput", False))
    if not instance.status.is_terminal:
        return json_answer(body, 202, {"Location": call.url, "Retry-After": "5"})
    return json_answer(body, failed if instance.status is Status.FAILED else 200)


async def raise_event(call: Call, instance_id: str, name: str) -> Response:
    """Raise an external event with the body's JSON."""
    hub = await call.hub()
    await _unfinished(hub, instance_id)
    if call.media_type != "application/json":
        return error(400, "Only application/json request content is supported")
    try:
        message = event_message(instance_id, name, await call.body() or "", call.now())
    except InvalidJson as problem:
        return invalid_json(str(problem))
    await hub.send(message)
    return empty(202)


async def terminate(call: Call, instance_id: str) -> Response:
    """End the instance; its children go on."""
    return await _send_reason(call, instance_id, terminate_message)


async def suspend(call: Call, instance_id: str) -> Response:
    """Hold the instance until it is resumed."""
    return await _send_reason(call, instance_id, suspend_message, "suspend", frozenset({Status.SUSPENDED}))


async def resume(call: Call, instance_id: str) -> Response:
    """Let a suspended instance go on."""
    return await _send_reason(call, instance_id, resume_message, "resume", frozenset(Status) - {Status.SUSPENDED})


async def _send_reason(
    call: Call,
    instance_id: str,
    message: Callable[[str, str | None, Timestamp], TaskMessage],
    verb: str = "",
    impossible: frozenset[Status] = frozenset(),
) -> Response:
    hub = await call.hub()
    instance = await _unfinished(hub, instance_id)
    if instance.status in impossible:
        detail = f"Cannot {verb} the orchestration instance {instance_id} because instance is in the {instance.status.label} state."
        return failure(500, FAILURE, detail, OPERATION_EXCEPTION)
    await hub.send(message(instance_id, call.query.text("reason"), call.now()))
    return empty(202)


async def _unfinished(hub: HubClient, instance_id: str) -> Instance:
    """The instance; refused with 404 if there is none, with 410 if it is finished."""
    instance = await hub.instance(instance_id)
    if instance is None:
        raise Refused(empty(404))
    if instance.status.is_terminal:
        raise Refused(empty(410))
    return instance


async def rewind(call: Call, instance_id: str) -> Response:
    """Let a failed instance try again what failed."""
    hub = await call.hub()
    instance = await hub.instance(instance_id)
    if instance is None:
        return json_answer(f'No orchestration with instance ID "${instance_id}" found.', 404)  # the stray $ is the extension's
    if instance.status is not Status.FAILED:
        sentence = f'This orchestration has status {instance.status.label}, but only orchestrations in the "Failed" state can be rewound.'
        return json_answer(sentence, 412)
    await hub.rewind(instance_id, call.query.text("reason"))
    return empty(202)

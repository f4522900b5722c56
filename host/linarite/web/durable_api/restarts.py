"""Starting an orchestration again with the input it had.

Source: the Durable extension's HttpApiHandler and DurableClient (RestartAsync, RestartWithOptionsAsync), as recorded.
"""

from __future__ import annotations

import uuid

import msgspec
from starlette.responses import Response

from linarite.dialects.json_shim.requests import SOURCE_INSTANCE_TAG
from linarite.durable.events import OrchestrationInstance
from linarite.errors import InstanceExists
from linarite.web.durable_api.answers import ARGUMENT_EXCEPTION, EXISTS_EXCEPTION, argument_error, error, failure
from linarite.web.durable_api.call import Call
from linarite.web.durable_api.json_text import shown
from linarite.web.durable_api.messages import id_problem, start_message
from linarite.web.durable_api.orchestrations import overridable, started


async def restart(call: Call, instance_id: str) -> Response:
    """Start again, under a new id unless the request says otherwise. The source may still be running then."""
    new_id = uuid.uuid4().hex if call.query.flag("restartWithNewInstanceId", True) else instance_id
    return await _restarted(call, instance_id, new_id, call.host.settings.default_version)


async def restart_with_options(call: Call, instance_id: str) -> Response:
    """Start again under the id, and with the version, that the request names."""
    new_id = call.query.text("newInstanceId")
    if not new_id:
        return error(400, "A new orchestration instance ID must be provided.")
    if new_id.startswith("@"):
        return argument_error("Orchestration instance IDs must not start with @. (Parameter 'newInstanceId')")
    if problem := id_problem(new_id):
        return argument_error(problem)
    version = call.query.text("version")
    return await _restarted(call, instance_id, new_id, call.host.settings.default_version if version is None else version)


async def _restarted(call: Call, source_id: str, new_id: str, version: str | None) -> Response:
    wait = call.wait()
    hub = await call.hub()
    source = await hub.instance(source_id)
    if source is None:
        detail = f"No instance with ID '{source_id}' was found. (Parameter 'instanceId')"
        return failure(400, "InstanceId does not match a valid orchestration instance.", detail, ARGUMENT_EXCEPTION)
    again = OrchestrationInstance(instance_id=new_id, execution_id=uuid.uuid4().hex)
    tags = None if new_id == source_id else {SOURCE_INSTANCE_TAG: source_id}
    message = start_message(source.name, again, _rewritten(source.input), version, call.now(), tags)
    try:
        await hub.create(message, overridable(call.host.settings))
    except InstanceExists as conflict:
        return failure(409, "A non-terminal instance with this instance ID already exists.", str(conflict), EXISTS_EXCEPTION)
    return await started(call, hub, new_id, wait)


def _rewritten(stored: str | None) -> str:
    """The input as the extension stores it again: rewritten JSON, `null` where there was none."""
    return msgspec.json.encode(shown(stored)).decode()

"""Reading, listing and signalling entities.

An entity is an instance named `@name@key`; its input is the scheduler's state, which holds the entity's own.
Source: the Durable extension's HttpApiHandler, EntityId and SchedulerState, as recorded. Unlike there, an entity that was deleted is gone.
"""

from __future__ import annotations

import uuid
from typing import Any

import msgspec
from starlette.responses import Response

from linarite.durable.instances import Instance
from linarite.durable.messages import ENTITY_PREFIX, is_entity
from linarite.taskhub.protocol import InstanceQuery
from linarite.web.durable_api.answers import Refused, empty, error, json_answer
from linarite.web.durable_api.call import Call
from linarite.web.durable_api.instances import TOKEN_HEADER, one_page
from linarite.web.durable_api.json_text import InvalidJson, shown
from linarite.web.durable_api.messages import has_forbidden, operation_input, signal_message

_EMPTY_KEY = "$"


class _SchedulerState(msgspec.Struct, frozen=True):
    """The part of an entity's stored input that is read here; `state` is JSON text."""

    exists: bool = False
    state: str | None = None


async def read_entity(call: Call, name: str, key: str) -> Response:
    """The entity's state."""
    hub = await call.hub()
    instance = await hub.instance(_entity_id(name, "" if key == _EMPTY_KEY else key))
    state = _state(instance) if instance else None
    return empty(404) if state is None else json_answer(shown(state))


async def list_entities(call: Call, name: str = "") -> Response:
    """One page of entities that exist, of one name or of all."""
    query = call.query
    page, token = await one_page(
        call,
        InstanceQuery(
            # an entity is created anew by each batch of operations, so this is when it last worked
            created_from=query.instant("lastOperationTimeFrom"),
            created_to=query.instant("lastOperationTimeTo"),
            id_prefix=_entity_id(name, "") if name else ENTITY_PREFIX,
            with_output=False,
        ),
    )
    with_state = query.flag("fetchState", False)
    entities = [_shown(entity, state if with_state else None) for entity in page.instances if (state := _state(entity)) is not None]
    return json_answer(entities, headers={TOKEN_HEADER: token})


async def signal_entity(call: Call, name: str = "", key: str = "") -> Response:
    """Ask an entity for an operation, without waiting for it."""
    return await _signal(call, name, key, call.query.text("op") or "")


async def delete_entity(call: Call, name: str = "", key: str = "") -> Response:
    """Ask an entity for the operation `delete`."""
    return await _signal(call, name, key, "delete")


async def _signal(call: Call, name: str, key: str, operation: str) -> Response:
    _check(call, name, key)
    try:
        value = operation_input(await call.body(), is_json_body=call.media_type == "application/json")
    except InvalidJson as problem:
        return error(400, f"Could not parse JSON content: {problem}")
    hub = await call.hub()
    await hub.send(signal_message(_entity_id(name, key), operation, value, str(uuid.uuid4()), call.now()))
    return empty(202)


def _check(call: Call, name: str, key: str) -> None:
    """Refuse an entity that cannot be, or whose function is unknown."""
    if not name:
        raise Refused(error(400, "Invalid entity id: entity name must not be a null or empty string. (Parameter 'entityName')"))
    if has_forbidden(key):
        raise Refused(error(400, "entityKey (Parameter 'Entity keys must not contain /, \\, #, ?, or control characters.')"))
    functions = call.host.functions()
    if functions.get("entity", name) is None:
        raise Refused(error(400, functions.unknown("entity", name.lower())))


def _entity_id(name: str, key: str) -> str:
    return f"{ENTITY_PREFIX}{name.lower()}{ENTITY_PREFIX}{key}"


def _state(instance: Instance) -> str | None:
    """The entity's state as JSON text; None if it does not exist, or if the instance is no entity."""
    if not is_entity(instance.instance_id) or instance.input is None:
        return None
    try:
        scheduler = msgspec.json.decode(instance.input, type=_SchedulerState)
    except msgspec.DecodeError:
        return None
    return scheduler.state if scheduler.exists else None


def _shown(entity: Instance, state: str | None) -> dict[str, Any]:
    name, _, key = entity.instance_id.removeprefix(ENTITY_PREFIX).partition(ENTITY_PREFIX)
    return {"entityId": {"name": name, "key": key}, "lastOperationTime": entity.created_at, "state": shown(state)}

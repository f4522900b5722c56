"""Listing instances and purging them, by id or by filter.

Source: the Durable extension's HttpApiHandler, as recorded. Unlike the extension we refuse a status that does not exist, where it would
leave out the filter, and never purge an instance that is not finished.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace

from starlette.responses import Response

from linarite.durable.events import Status
from linarite.durable.messages import is_entity
from linarite.taskhub.protocol import HubClient, InstanceQuery, Page
from linarite.timestamps import timestamp
from linarite.web.durable_api.answers import Refused, empty, error, json_answer
from linarite.web.durable_api.call import Call
from linarite.web.durable_api.query import Query
from linarite.web.durable_api.status import status_body

TOKEN_HEADER = "x-ms-continuation-token"
_TOKEN_MARK = b">"
_FINISHED = frozenset(status for status in Status if status.is_terminal)
_PURGE_PAGE = 100


async def list_instances(call: Call) -> Response:
    """One page of instances, ordered by id."""
    query = call.query
    with_input = query.flag("showInput", True)
    page, token = await one_page(
        call,
        InstanceQuery(
            created_from=query.instant("createdTimeFrom"),
            created_to=query.instant("createdTimeTo"),
            statuses=_statuses(query),
            id_prefix=query.text("instanceIdPrefix") or None,
            with_input=with_input,
        ),
    )
    return json_answer([status_body(instance, with_input=with_input) for instance in page.instances], headers={TOKEN_HEADER: token})


async def one_page(call: Call, query: InstanceQuery) -> tuple[Page, str]:
    """The page that the request asks for by size and token, and the token of the next one, empty if there is none.

    A token that cannot be read gives an empty page. Pages of no size keep their place.
    """
    given = call.request.headers.get(TOKEN_HEADER, "")
    after = _place(given)
    if given and after is None:
        return Page((), None), ""
    size = call.query.whole("top")
    if size is not None and size < 0:
        raise Refused(error(400, f"The page size top={size} is negative; leave it out for {query.page_size}."))
    hub = await call.hub()
    page = await hub.instances(_at(query, after or None, query.page_size if size is None else max(size, 1)))
    if size == 0:
        return Page((), None), _token(after or "") if page.instances or page.continuation else ""
    return page, "" if page.continuation is None else _token(page.continuation)


async def purge_instance(call: Call, instance_id: str) -> Response:
    """Delete a finished instance, or an entity."""
    hub = await call.hub()
    if not is_entity(instance_id):
        instance = await hub.instance(instance_id)
        if instance is None:
            return empty(404)
        if not instance.status.is_terminal:
            sentence = (
                "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID "
                f"{instance_id} has status {instance.status.label}"
            )
            return json_answer(sentence, 412)
    return _purged(int(await hub.purge(instance_id)))


async def purge_instances(call: Call) -> Response:
    """Delete all finished instances that were created in a span of time."""
    created_from = call.query.instant("createdTimeFrom")
    if created_from is None:
        return json_answer("Please provide value for 'createdTimeFrom' parameter.", 400)
    asked = _statuses(call.query)
    statuses = asked & _FINISHED if asked else _FINISHED
    if not statuses:
        return empty(404)
    created_to = call.query.instant("createdTimeTo") or timestamp(call.host.clock.now())
    condition = InstanceQuery(
        created_from=created_from, created_to=created_to, statuses=statuses, page_size=_PURGE_PAGE, with_input=False, with_output=False
    )
    return _purged(await _purge_all(await call.hub(), condition))


async def _purge_all(hub: HubClient, condition: InstanceQuery) -> int:
    deleted = 0
    page = await hub.instances(condition)
    while True:
        for instance in page.instances:
            deleted += await hub.purge(instance.instance_id)
        if page.continuation is None:
            return deleted
        page = await hub.instances(_at(condition, page.continuation, condition.page_size))


def _purged(count: int) -> Response:
    return json_answer({"instancesDeleted": count}) if count else empty(404)


def _statuses(query: Query) -> frozenset[Status]:
    """The statuses asked for, by name or number; refused if one does not exist."""
    try:
        return frozenset(Status(int(name)) if name.isdecimal() else Status.of(name) for name in query.names("runtimeStatus"))
    except ValueError as problem:
        raise Refused(error(400, f"runtimeStatus: {problem}.")) from None


def _at(query: InstanceQuery, after: str | None, size: int) -> InstanceQuery:
    return replace(query, after=after, page_size=size)


def _token(place: str) -> str:
    """A hub's continuation, or the empty text for the start, as a header may carry it."""
    return base64.b64encode(_TOKEN_MARK + place.encode()).decode()


def _place(token: str) -> str | None:
    """What `_token` was made of; None if this is no token of ours."""
    try:
        content = base64.b64decode(token, validate=True)
        return content[1:].decode() if content.startswith(_TOKEN_MARK) else None
    except (binascii.Error, UnicodeDecodeError):
        return None

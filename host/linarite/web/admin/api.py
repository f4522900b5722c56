"""Finds the handler of an admin request, lets only administrators through, and answers 404 where there is none.

Source: azure-functions-host, WebHost/Controllers; functions-host section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from linarite.web import requests
from linarite.web.admin import functions, host, keys
from linarite.web.admin.call import AdminRoute, Call, Refused
from linarite.web.reply import Reply, empty
from linarite.web.requests import Receive, Scope
from linarite.web.templates import request_path

if TYPE_CHECKING:
    from linarite.web.app import Web

ROUTES = [*host.ROUTES, *functions.ROUTES, *keys.ROUTES]


async def answer(web: Web, path: str, scope: Scope, receive: Receive) -> Reply:
    """The answer to one admin request. An unknown path is 404 for everybody; a wrong method is no match either."""
    found = _find(scope["method"].upper(), path)
    if found is None:
        return empty(404)
    entry, values = found
    if not entry.is_open and (refused := web.doors.refuse_admin(scope)) is not None:
        return refused
    try:
        headers = requests.read_headers(scope)
        query = requests.joined(requests.read_query(scope["query_string"]))
        body = await requests.read_body(receive)
        return await entry.handler(Call(web, scope["method"].upper(), scope["scheme"], path, values, headers, query, body))
    except UnicodeDecodeError:
        return Reply(400, closes=True)
    except Refused as refusal:
        return refusal.reply


def _find(method: str, path: str) -> tuple[AdminRoute, dict[str, str]] | None:
    split = request_path(path)
    for entry in ROUTES:
        if entry.method in (method, "*") and (values := entry.template.match(split)) is not None:
            return entry, values
    return None

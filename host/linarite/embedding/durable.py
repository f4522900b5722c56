"""The orchestrations and entities of a host in the same process, as its management API shows them.

Methods are named as the SDK's client names them. That client is for functions; this one is for whoever runs the host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from linarite.embedding.http import Http, RequestOptions, Response
from linarite.errors import LinariteError
from linarite.timestamps import moment
from linarite.web.durable_api.app import PUBLIC_PATH
from linarite.web.durable_api.instances import TOKEN_HEADER


class DurableRequestRefused(LinariteError):
    """An instance or an entity could not do what was asked of it."""


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """How far an instance has come. `runtime_status`: Pending, Running, Suspended, Completed, Failed, Terminated."""

    instance_id: str
    name: str
    runtime_status: str
    input: Any
    output: Any
    custom_status: Any
    created_time: datetime
    last_updated_time: datetime
    history: Sequence[Mapping[str, Any]]
    """Its events, if they were asked for."""


class Durable:
    """Asks the management API through `http`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def start_new(self, name: str, *, instance_id: str | None = None, client_input: Any = None) -> str:
        """Start an orchestration; its instance id."""
        path = f"/orchestrators/{_part(name)}" + (f"/{_part(instance_id)}" if instance_id is not None else "")
        started = await self._send("POST", path, json=client_input)
        return str(started.json()["id"])

    async def get_status(self, instance_id: str, *, show_history: bool = False) -> InstanceStatus | None:
        """An instance's status; None if there is no such instance."""
        shown = "true" if show_history else "false"
        params = {"showHistory": shown, "showHistoryOutput": shown}
        answer = await self._http.get(f"{PUBLIC_PATH}/instances/{_part(instance_id)}", params=params)
        return None if answer.status_code == 404 else _status(_accepted(answer).json())

    async def get_status_all(self, *, runtime_status: Sequence[str] = (), id_prefix: str = "") -> list[InstanceStatus]:
        """All instances, or those in one of these statuses whose id begins so, by id."""
        params = {"runtimeStatus": ",".join(runtime_status), "instanceIdPrefix": id_prefix}
        wanted = {name: value for name, value in params.items() if value}
        found: list[InstanceStatus] = []
        token = ""
        while True:
            page = await self._send("GET", "/instances", params=wanted, headers={TOKEN_HEADER: token} if token else {})
            found += [_status(one) for one in page.json()]
            if not (token := page.headers.get(TOKEN_HEADER, "")):
                return found

    async def raise_event(self, instance_id: str, event_name: str, event_data: Any = None) -> None:
        """Raise an external event. Refused if the instance is not there, or has ended."""
        await self._send("POST", f"/instances/{_part(instance_id)}/raiseEvent/{_part(event_name)}", json=event_data)

    async def terminate(self, instance_id: str, reason: str = "") -> None:
        """End an instance; its children go on."""
        await self._tell(instance_id, "terminate", reason)

    async def suspend(self, instance_id: str, reason: str = "") -> None:
        """Hold an instance until it is resumed."""
        await self._tell(instance_id, "suspend", reason)

    async def resume(self, instance_id: str, reason: str = "") -> None:
        """Let a suspended instance go on."""
        await self._tell(instance_id, "resume", reason)

    async def rewind(self, instance_id: str, reason: str = "") -> None:
        """Let a failed instance try again what failed."""
        await self._tell(instance_id, "rewind", reason)

    async def restart(self, instance_id: str, *, restart_with_new_instance_id: bool = True) -> str:
        """Start an instance again with the input it had; the id of the new one."""
        params = {"restartWithNewInstanceId": str(restart_with_new_instance_id).lower()}
        restarted = await self._send("POST", f"/instances/{_part(instance_id)}/restart", params=params)
        return str(restarted.json()["id"])

    async def purge_instance_history(self, instance_id: str) -> None:
        """Forget an instance that has ended."""
        await self._send("DELETE", f"/instances/{_part(instance_id)}")

    async def signal_entity(self, name: str, key: str, operation: str, operation_input: Any = None) -> None:
        """Ask an entity for an operation, without waiting for it."""
        await self._send("POST", f"/entities/{_part(name)}/{_part(key)}", params={"op": operation}, json=operation_input)

    async def read_entity_state(self, name: str, key: str) -> Any:
        """The state of an entity; None if there is no such entity."""
        answer = await self._http.get(f"{PUBLIC_PATH}/entities/{_part(name)}/{_part(key or '$')}")
        return None if answer.status_code == 404 else _accepted(answer).json()

    async def _tell(self, instance_id: str, what: str, reason: str) -> None:
        await self._send("POST", f"/instances/{_part(instance_id)}/{what}", params={"reason": reason})

    async def _send(self, method: str, path: str, **options: Any) -> Response:
        given: RequestOptions = options  # type: ignore[assignment]  # passed on as they are
        return _accepted(await self._http.request(method, PUBLIC_PATH + path, **given))


def _accepted(answer: Response) -> Response:
    if answer.status_code < 400:
        return answer
    said = {404: "There is no such instance.", 410: "The instance has ended."}.get(
        answer.status_code, f"The answer is {answer.status_code}."
    )
    try:
        told = answer.json()
    except json.JSONDecodeError:
        raise DurableRequestRefused(said) from None
    raise DurableRequestRefused(str(told.get("ExceptionMessage") or told.get("Message")) if isinstance(told, dict) else str(told))


def _status(shown: Mapping[str, Any]) -> InstanceStatus:
    return InstanceStatus(
        instance_id=shown["instanceId"],
        name=shown["name"],
        runtime_status=shown["runtimeStatus"],
        input=shown["input"],
        output=shown["output"],
        custom_status=shown["customStatus"],
        created_time=moment(shown["createdTime"]),
        last_updated_time=moment(shown["lastUpdatedTime"]),
        history=shown.get("historyEvents") or (),
    )


def _part(text: str) -> str:
    return quote(text, safe="")

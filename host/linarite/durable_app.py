"""The durable part of a job host: the client's two doors, what a `durableClient` binding is given, how durable functions are run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from linarite.bindings.protocol import Call
from linarite.clock import Clock
from linarite.dialects.names import DurableFunctions
from linarite.hubs import Hubs
from linarite.invocation import Datum, InvocationResult, Place, SoughtTask, string
from linarite.invoker import Invoker
from linarite.metadata import Binding, Function
from linarite.settings import AppSettings, DurableSettings
from linarite.web.durable_api.app import PUBLIC_PATH, DurableApi
from linarite.web.durable_api.call import DurableHost
from linarite.web.durable_api.rpc import RpcEndpoint
from linarite.web.durable_api.urls import Webhook, client_binding

NO_REASON = "(null)"
"""What the runtime prints as the reason of an orchestrator's, an activity's or an entity's invocation."""
SEARCH = "It does not replay its history; this looks for the line."
"""Reason of the one invocation more that finds where an orchestrator has changed."""


class DurableCalls:
    """Runs orchestrators, activities and entities through the invoker; implements the dispatcher's port."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker

    async def call(self, function: Function, value: str, metadata: Mapping[str, Datum]) -> str | None:
        """See `dispatcher.AppCalls`. A retry policy on such a function is the orchestrator's affair, not the host's."""
        inputs = {function.trigger.name: string(value)}
        result = await self._invoker.invoke(function, inputs, metadata, reason=NO_REASON, is_retried=False)
        return _text(result)

    async def place(self, function: Function, value: str, task_id: int | None) -> Place | None:
        """See `dispatcher.AppCalls`. The invocation is logged, with a reason that says what it is for."""
        inputs = {function.trigger.name: string(value)}
        result = await self._invoker.invoke(function, inputs, reason=SEARCH, is_retried=False, seeks=SoughtTask(task_id))
        return msgspec.json.decode(_text(result) or "null", type=Place | None)


def _text(result: InvocationResult) -> str | None:
    returned = result.return_value
    return None if returned is None or returned.kind == "none" else str(returned.value)


class DurableClientInput:
    """Gives functions their durable client: the SDK builds it from this JSON text."""

    def __init__(self, webhook: Callable[[], Webhook], rpc_base_url: Callable[[], Awaitable[str | None]], settings: AppSettings) -> None:
        self._webhook = webhook
        self._rpc_base_url = rpc_base_url
        self._settings = settings

    async def read(self, binding: Binding, call: Call) -> Datum:
        """The client's value, for the hub and connection that the binding names, or for the app's own."""
        webhook = self._webhook()
        if hub := self._settings.expand(binding.text("taskHub")):
            webhook = msgspec.structs.replace(webhook, hub=hub)
        if connection := binding.text("connectionName") or binding.text("connection"):
            webhook = msgspec.structs.replace(webhook, connection=connection)
        return string(client_binding(webhook, await self._rpc_base_url()))


class DurableDoors:
    """The public management API and the SDK client's own endpoint, on `rpc_port` if that is free; 0 is any.

    `functions` and `is_disabled` tell of the app as it is now.
    """

    def __init__(
        self,
        hubs: Hubs,
        settings: AppSettings,
        durable: DurableSettings,
        webhook: Callable[[], Webhook],
        functions: Callable[[], DurableFunctions],
        is_disabled: Callable[[str], bool],
        clock: Clock,
        rpc_port: int,
    ) -> None:
        host = DurableHost(webhook=webhook, settings=durable, hubs=hubs, functions=functions, is_disabled=is_disabled, clock=clock)
        self.api = DurableApi(host, PUBLIC_PATH)
        self._rpc = RpcEndpoint(host, rpc_port) if durable.local_rpc_endpoint else None
        self._opening = asyncio.Lock()
        self.client = DurableClientInput(webhook, self._rpc_base_url, settings)

    async def open(self) -> None:
        """Let the SDK's client in; done when a function is first given one, if not before."""
        async with self._opening:
            if self._rpc is not None and self._rpc.base_url is None:
                await self._rpc.start()

    async def close(self) -> None:
        """Let nobody in any more."""
        if self._rpc is not None:
            await self._rpc.stop()

    async def _rpc_base_url(self) -> str | None:
        await self.open()
        return self._rpc.base_url if self._rpc is not None else None

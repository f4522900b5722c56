"""A public door over hub doubles, and the host behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from linarite.clock import ManualClock
from linarite.dialects.names import DurableFunctions
from linarite.errors import HubUnavailable
from linarite.metadata import Binding, Function
from linarite.settings import DurableSettings
from linarite.taskhub.protocol import HubClient
from linarite.web.durable_api.app import PUBLIC_PATH, RPC_PATH, DurableApi
from linarite.web.durable_api.call import DurableHost
from linarite.web.durable_api.urls import Webhook
from tests.web.durable_api.hub_double import HubDouble

WEBHOOK = Webhook(base_url=f"http://localhost:7071{PUBLIC_PATH}", hub="Shop", key_query="code=k")


def entity(name: str) -> Function:
    """An entity function."""
    trigger = Binding(name="context", type="entityTrigger", direction="in", raw={})
    return Function(id=name, name=name, bindings=(trigger,), script_file="", entry_point="", directory="", def_name=name)


@dataclass
class Doors:
    """Both doors of one host. `hub` is its own hub, `others` are those that requests name."""

    hub: HubDouble = field(default_factory=HubDouble)
    others: dict[tuple[str | None, str | None], HubDouble] = field(default_factory=dict)
    clock: ManualClock = field(default_factory=ManualClock)
    settings: DurableSettings = field(default_factory=DurableSettings)
    entities: Sequence[str] = ("Counter", "Failer")
    disabled: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        host = DurableHost(
            webhook=lambda: WEBHOOK,
            settings=self.settings,
            hubs=self._find,
            functions=lambda: DurableFunctions(map(entity, self.entities), resolve=str),
            is_disabled=lambda name: name in self.disabled,
            clock=self.clock,
        )
        self.host = host
        self.public = DurableApi(host, PUBLIC_PATH)
        self.rpc = DurableApi(host, RPC_PATH)

    async def _find(self, hub: str | None, connection: str | None) -> HubClient:
        if hub is None and connection is None:
            return self.hub
        if connection == "Nope":
            raise HubUnavailable("Unable to resolve the Azure Storage connection named 'Nope'.")
        return self.others.setdefault((hub, connection), HubDouble())


@pytest.fixture
def doors() -> Doors:
    return Doors()

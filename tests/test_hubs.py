from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from linarite.azurite import Ports
from linarite.bindings.connections import Connections
from linarite.clock import SystemClock
from linarite.hubs import Hubs
from linarite.settings import AppSettings, DurableSettings
from linarite.storage_resolution import StorageChoice


@pytest.mark.azurite
async def test_two_hosts_of_one_folder_have_two_names_and_a_restarted_one_has_its_own_again(azurite: Ports, tmp_path: Path) -> None:
    connections = Connections(AppSettings({"AzureWebJobsStorage": azurite.connection_string()}))
    durable = DurableSettings(hub_name="H" + uuid.uuid4().hex[:20])
    choice = StorageChoice("azurite", azurite.connection_string(), "of the test")

    def host() -> Hubs:
        return Hubs(choice, AppSettings({}), durable, connections, tmp_path, SystemClock())

    def names() -> dict[str, str]:
        return {path.name: path.read_text("utf-8") for path in tmp_path.glob("worker-id*")}

    one, two = host(), host()
    try:
        await one.own()
        await two.own()
        both = names()
        assert len(set(both.values())) == 2
        await one.stop()
        await one.own()
        assert names() == both
    finally:
        await one.stop()
        await two.stop()
        await connections.close()

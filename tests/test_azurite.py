from __future__ import annotations

import asyncio

import pytest

from linarite.azurite import Ports


@pytest.mark.azurite
async def test_the_run_s_azurite_answers_on_all_three_ports(azurite: Ports) -> None:
    for port in (azurite.blob, azurite.queue, azurite.table):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()

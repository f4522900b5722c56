from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from linarite.azurite import Azurite, Ports
from tests.processes import descendant, gone


@pytest.mark.azurite
async def test_the_run_s_azurite_answers_on_all_three_ports(azurite: Ports) -> None:
    for port in (azurite.blob, azurite.queue, azurite.table):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()


@pytest.mark.azurite
async def test_a_start_that_is_called_off_leaves_no_process_behind(azurite: Ports, tmp_path: Path) -> None:
    starting = asyncio.create_task(Azurite(tmp_path, Ports(0, 0, 0)).start())
    process = await descendant(os.getpid(), str(tmp_path))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await asyncio.wait_for(gone(process), 60)

from __future__ import annotations

from linarite.clock import ManualClock
from linarite.taskhub.sqlite.hub import SqliteHub
from tests.conformance.episodes import ANY_STATUS, names, raised, start


async def test_what_came_before_the_first_episode_is_delivered_with_the_start() -> None:
    """Otherwise an instance that this host may not run could not be terminated: its start comes back again and again, alone."""
    clock = ManualClock()
    hub = SqliteHub(None, clock)
    await hub.start()
    await hub.create(start("order-7", clock.now()), ANY_STATUS)
    await hub.send(raised("order-7", "early", clock.now()))
    await hub.start_work()
    item = await hub.next_orchestration()
    assert names(item) == ["ExecutionStarted", "early"]
    await hub.stop()

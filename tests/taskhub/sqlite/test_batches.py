from __future__ import annotations

import pytest

from linarite.clock import ManualClock
from linarite.taskhub.sqlite.checkpoints import Checkpoint
from linarite.taskhub.sqlite.deliveries import Mailbox
from linarite.taskhub.sqlite.hub import SqliteHub
from linarite.taskhub.sqlite.stored_messages import StoredMessage
from tests.conformance.episodes import ANY_STATUS, names, raised, start

RUNNING = Checkpoint(key=1, revision=1, execution_id="e1", chunks=1, events=(), size=0)
PENDING = Checkpoint(key=1, revision=1, execution_id="e1", chunks=0, events=(), size=0)


def batch_of(checkpoint: Checkpoint | None, *execution_ids: str | None) -> list[str | None]:
    mailbox = Mailbox("i", [StoredMessage(seq, "i", execution_id, None, None) for seq, execution_id in enumerate(execution_ids)])
    return [stored.execution_id for stored in mailbox.batch(checkpoint)]


@pytest.mark.parametrize(
    ("checkpoint", "waiting", "batch"),
    [
        (RUNNING, (None, "e1", None), [None, "e1", None]),
        (RUNNING, ("e1", "e1", "e2", "e1"), ["e1", "e1"]),
        (RUNNING, (None, "e2", None), [None]),
        (RUNNING, ("old", "old", None), ["old", "old"]),
        (PENDING, ("e1", None), ["e1", None]),
        (PENDING, (None, "e1"), [None]),
        (None, ("e1", None), ["e1", None]),
        (None, (None, None, "e1"), [None, None]),
    ],
)
def test_a_batch_is_for_one_generation(checkpoint: Checkpoint | None, waiting: tuple[str | None, ...], batch: list[str | None]) -> None:
    assert batch_of(checkpoint, *waiting) == batch


@pytest.mark.parametrize(
    ("waiting", "stuck", "order", "is_news"),
    [
        (("e1", None), {0, 1}, [0, 1], False),
        (("e1", "old", None), {0}, [1, 0, 2], True),
        (("e1", "old", None), {0, 2}, [1, 0, 2], True),
        ((None, "e1"), {0}, [0, 1], True),
        (("e1", "e2", "old", "e1"), {0}, [1, 2, 0, 3], True),
    ],
)
def test_what_is_stuck_lets_other_generations_pass(
    waiting: tuple[str | None, ...], stuck: set[int], order: list[int], is_news: bool
) -> None:
    mailbox = Mailbox("i", [StoredMessage(seq, "i", execution_id, None, None) for seq, execution_id in enumerate(waiting)])
    assert mailbox.let_others_pass(stuck, RUNNING) is is_news
    assert [stored.seq for stored in mailbox.messages] == order


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

"""The rules of taking messages out of a queue, on a manual clock and queues in memory."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from linarite.bindings.wakes import Wakes
from linarite.clock import ManualClock
from linarite.listeners.backoff import wait_s
from linarite.listeners.queue_pump import Outcome, PoisonQueue, QueuePump, poison_queue_name
from linarite.settings import QueueSettings
from linarite.storage.outages import Outages
from linarite.storage.queues import QueueMessage
from tests.listeners.fake_queues import FakeQueues, fake_storage


class Bench:
    """A pump over queue `q`, whose function does as the test says."""

    def __init__(self, settings: QueueSettings) -> None:
        self.clock = ManualClock()
        self.wakes = Wakes()
        self.storage, self.queues = fake_storage(self.clock)
        self.handled: list[tuple[str, int]] = []
        self.answer: Callable[[QueueMessage], Outcome] = lambda message: Outcome.DONE
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most_running = 0
        self.pump = QueuePump(self.storage, "q", self._handle, settings, self._poison_for, self.clock, self.wakes, Outages())

    async def _handle(self, message: QueueMessage) -> Outcome:
        self.handled.append((message.text, message.dequeue_count))
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
            return self.answer(message)
        finally:
            self.running -= 1

    def _poison_for(self, message: QueueMessage) -> PoisonQueue | None:
        return PoisonQueue(self.storage, "q-poison")

    async def settle(self) -> None:
        """Let everything run that is not asleep on the clock."""
        for _ in range(50):
            await asyncio.sleep(0)

    async def run_for(self, seconds: float) -> None:
        """Move the clock wake by wake."""
        await self.settle()
        end = self.clock.now().timestamp() + seconds
        while (due := self.clock.next_wake()) is not None and due.timestamp() <= end:
            self.clock.advance_to(due)
            await self.settle()


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def made(settings: QueueSettings | None = None) -> Bench:
        benches.append(Bench(settings or QueueSettings()))
        return benches[-1]

    yield made
    for bench in benches:
        bench.queues.is_down = True  # what is left over is left over
        bench.gate.set()
        bench.clock.advance(10_000)
        await bench.pump.stop()


def intervals(queues: FakeQueues) -> list[float]:
    moments = [at for _, at in queues.polls]
    return [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(moments)]


async def test_a_message_that_is_done_is_deleted(make: Callable[..., Bench]) -> None:
    bench = make()
    await bench.queues.create("q")
    await bench.queues.put("q", "a")
    await bench.pump.start()
    await bench.settle()
    assert bench.handled == [("a", 1)]
    assert bench.queues.texts("q") == []


async def test_polls_of_an_empty_queue_get_rarer_up_to_the_longest(make: Callable[..., Bench]) -> None:
    bench = make(QueueSettings(max_polling_s=2.0))
    await bench.queues.create("q")
    await bench.pump.start()
    await bench.run_for(20)
    waits = intervals(bench.queues)
    assert 0.18 <= waits[0] <= 0.22
    assert waits[:4] == sorted(waits[:4])
    assert waits[-3:] == [2.0] * 3


async def test_after_a_message_polls_are_close_again(make: Callable[..., Bench]) -> None:
    bench = make(QueueSettings(max_polling_s=60.0))
    await bench.queues.create("q")
    await bench.pump.start()
    await bench.run_for(300)
    await bench.queues.put("q", "a")
    bench.wakes.notify(bench.queues.url("q"))
    await bench.settle()
    bench.queues.polls.clear()
    await bench.run_for(2)
    assert bench.handled == [("a", 1)]
    assert len(bench.queues.polls) >= 3


async def test_a_write_of_this_process_ends_the_wait(make: Callable[..., Bench]) -> None:
    bench = make(QueueSettings(max_polling_s=60.0))
    await bench.queues.create("q")
    await bench.pump.start()
    await bench.run_for(120)
    before = bench.clock.now()
    await bench.queues.put("q", "a")
    bench.wakes.notify(bench.queues.url("q"))
    await bench.settle()
    assert bench.handled == [("a", 1)]
    assert bench.clock.now() == before


async def test_a_queue_that_is_not_there_is_empty(make: Callable[..., Bench], caplog: pytest.LogCaptureFixture) -> None:
    bench = make()
    await bench.pump.start()
    await bench.run_for(5)
    assert caplog.records == []
    await bench.queues.create("q")
    await bench.queues.put("q", "a")
    await bench.run_for(2)
    assert bench.handled == [("a", 1)]


async def test_no_more_than_a_batch_and_the_threshold_run_at_once(make: Callable[..., Bench]) -> None:
    bench = make(QueueSettings(batch_size=4, new_batch_threshold=2))
    await bench.queues.create("q")
    for number in range(12):
        await bench.queues.put("q", str(number))
    bench.gate.clear()
    await bench.pump.start()
    await bench.run_for(10)
    assert len(bench.handled) == 4  # 4 in flight are more than the threshold of 2
    bench.gate.set()
    await bench.run_for(10)
    assert len(bench.handled) == 12
    assert bench.most_running <= 6


async def test_the_threshold_is_half_a_batch_unless_it_is_set(make: Callable[..., Bench]) -> None:
    bench = make(QueueSettings(batch_size=4))
    await bench.queues.create("q")
    for number in range(3):
        await bench.queues.put("q", str(number))
    bench.gate.clear()
    await bench.pump.start()
    await bench.settle()
    assert [queue for queue, _ in bench.queues.polls] == ["q"]  # 3 are more than half of 4


async def test_five_failures_lead_to_the_poison_queue(make: Callable[..., Bench], caplog: pytest.LogCaptureFixture) -> None:
    bench = make(QueueSettings(visibility_s=1.0))
    bench.answer = lambda message: Outcome.FAILED
    await bench.queues.create("q")
    await bench.queues.put("q", "bad")
    await bench.pump.start()
    await bench.run_for(30)
    assert [count for _, count in bench.handled] == [1, 2, 3, 4, 5]
    assert (bench.queues.texts("q"), bench.queues.texts("q-poison")) == ([], ["bad"])
    assert bench.queues.renewals == [("bad", 1.0)] * 4  # shown again after all attempts but the last
    assert caplog.messages == ["Message has reached MaxDequeueCount of 5. Moving message to queue 'q-poison'."]


async def test_without_a_visibility_time_out_the_next_attempt_is_at_once(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.answer = lambda message: Outcome.FAILED
    await bench.queues.create("q")
    await bench.queues.put("q", "bad")
    await bench.pump.start()
    await bench.run_for(0.7)
    assert bench.queues.texts("q-poison") == ["bad"]


async def test_a_message_that_failed_too_often_elsewhere_is_not_run(make: Callable[..., Bench]) -> None:
    bench = make(QueueSettings(max_dequeue_count=2))
    await bench.queues.create("q")
    await bench.queues.put("q", "bad")
    for _ in range(2):
        await bench.queues.get("q", 1, 0)
    await bench.pump.start()
    await bench.settle()
    assert bench.handled == []
    assert bench.queues.texts("q-poison") == ["bad"]


async def test_a_hopeless_message_is_poison_at_once(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.answer = lambda message: Outcome.HOPELESS
    await bench.queues.create("q")
    await bench.queues.put("q", "bad")
    await bench.pump.start()
    await bench.settle()
    assert len(bench.handled) == 1
    assert bench.queues.texts("q-poison") == ["bad"]


async def test_without_a_poison_queue_a_failed_message_stays_hidden(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.answer = lambda message: Outcome.FAILED
    bench.pump = QueuePump(
        bench.storage, "q", bench.pump._handle, QueueSettings(), lambda message: None, bench.clock, bench.wakes, Outages()
    )
    await bench.queues.create("q")
    await bench.queues.put("q", "bad")
    await bench.pump.start()
    await bench.run_for(300)
    assert (len(bench.handled), bench.queues.texts("q")) == (1, ["bad"])


async def test_a_message_in_work_stays_hidden(make: Callable[..., Bench]) -> None:
    bench = make()
    await bench.queues.create("q")
    await bench.queues.put("q", "long")
    bench.gate.clear()
    await bench.pump.start()
    await bench.run_for(1900)
    assert bench.queues.renewals == [("long", 600.0)] * 6
    assert bench.handled == [("long", 1)]
    bench.gate.set()
    await bench.settle()
    assert bench.queues.texts("q") == []  # deleted by the receipt of the last renewal


async def test_an_outage_is_said_once_and_survived(make: Callable[..., Bench], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = make()
    await bench.queues.create("q")
    await bench.queues.put("q", "before")
    bench.gate.clear()
    await bench.pump.start()
    await bench.settle()
    bench.queues.is_down = True
    bench.gate.set()  # done while storage is away
    await bench.run_for(60)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("The queue service does not answer.")
    bench.queues.is_down = False
    await bench.queues.put("q", "after")
    await bench.run_for(5)
    assert bench.handled == [("before", 1), ("after", 1)]
    assert bench.queues.texts("q") == []
    assert caplog.messages[1:] == [f"Storage at {bench.storage.account.queue_url} answers again."]


async def test_stopping_waits_for_what_is_in_work(make: Callable[..., Bench]) -> None:
    bench = make()
    await bench.queues.create("q")
    await bench.queues.put("q", "a")
    bench.gate.clear()
    await bench.pump.start()
    await bench.settle()
    stopping = asyncio.create_task(bench.pump.stop())
    await bench.settle()
    assert not stopping.done()
    bench.gate.set()
    await stopping
    assert bench.queues.texts("q") == []


async def test_stopping_can_be_cut_short(make: Callable[..., Bench]) -> None:
    bench = make()
    await bench.queues.create("q")
    await bench.queues.put("q", "a")
    bench.gate.clear()
    await bench.pump.start()
    await bench.settle()
    stopping = asyncio.create_task(bench.pump.stop())
    await bench.settle()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert (bench.running, bench.queues.texts("q")) == (0, ["a"])


async def test_a_mistake_of_ours_loses_no_message(make: Callable[..., Bench], caplog: pytest.LogCaptureFixture) -> None:
    bench = make(QueueSettings(max_dequeue_count=1))

    def wrong(message: QueueMessage) -> Outcome:
        raise AssertionError("a mistake")

    bench.answer = wrong
    await bench.queues.create("q")
    await bench.queues.put("q", "a")
    await bench.pump.start()
    await bench.settle()
    assert bench.queues.texts("q-poison") == ["a"]
    assert "could not be handled" in caplog.text


@pytest.mark.parametrize(("queue", "poison"), [("q", "q-poison"), ("q-poison", None), ("q" * 56, "q" * 56 + "-poison"), ("q" * 57, None)])
def test_names_of_poison_queues(queue: str, poison: str | None) -> None:
    assert poison_queue_name(queue) == poison


def test_waits_double_from_a_tenth_of_a_second() -> None:
    assert [round(wait_s(times, 60, 0.5), 3) for times in range(5)] == [0.1, 0.2, 0.3, 0.5, 0.9]
    assert [round(wait_s(1, 60, chance), 3) for chance in (0, 1)] == [0.18, 0.22]
    assert wait_s(10_000, 60, 1) == 60

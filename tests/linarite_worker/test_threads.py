"""Threads for plain functions: made on demand, bounded, in order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from linarite_worker.threads import Threads


def until(event: threading.Event) -> Callable[[], None]:
    """A call that lasts until then."""

    def call() -> None:
        event.wait(10)

    return call


def test_calls_run_beside_each_other() -> None:
    threads, meeting = Threads(3), threading.Barrier(4)

    def meet() -> None:
        meeting.wait(10)

    for _ in range(3):
        threads.submit(meet)
    meeting.wait(10)
    threads.stop()


def test_a_thread_goes_on_with_what_waits() -> None:
    threads, names = Threads(2), SimpleQueue[str]()
    may_go = threading.Event()
    threads.submit(until(may_go))
    for _ in range(20):
        threads.submit(lambda: names.put(threading.current_thread().name))
    assert len({names.get(timeout=10) for _ in range(20)}) == 1  # whichever of the two does not stand still
    may_go.set()
    threads.stop()


def test_what_finds_no_thread_waits_its_turn() -> None:
    threads, order = Threads(1), SimpleQueue[int]()
    may_go = threading.Event()
    threads.submit(until(may_go))
    for number in range(5):
        threads.submit(lambda number=number: order.put(number))  # type: ignore[misc]  # a default, not a parameter
    assert order.empty()
    may_go.set()
    assert [order.get(timeout=10) for _ in range(5)] == [0, 1, 2, 3, 4]
    threads.stop()


def test_after_the_stop_nothing_is_begun() -> None:
    threads, done = Threads(1), SimpleQueue[str]()
    has_begun, may_go = threading.Event(), threading.Event()

    def first() -> None:
        has_begun.set()
        may_go.wait(10)
        done.put("first")

    threads.submit(first)
    threads.submit(lambda: done.put("second"))
    assert has_begun.wait(10)
    threads.stop()
    may_go.set()
    assert done.get(timeout=10) == "first"
    with pytest.raises(RuntimeError, match="stopped"):
        threads.submit(lambda: done.put("third"))
    assert done.empty()


def test_without_any_thread_the_caller_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads, done = Threads(2), SimpleQueue[str]()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            threads.submit(lambda: done.put("lost"))
    threads.submit(lambda: done.put("run"))
    assert done.get(timeout=10) == "run"
    threads.stop()


def test_one_thread_is_enough_when_the_system_allows_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads, done = Threads(2), SimpleQueue[str]()
    may_go = threading.Event()
    threads.submit(until(may_go))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        threads.submit(lambda: done.put("later"))
    may_go.set()
    assert done.get(timeout=10) == "later"
    threads.stop()


async def test_what_a_call_returns_or_raises_is_handed_back() -> None:
    threads = Threads(1)
    assert await threads.result(lambda: threading.current_thread().name) == "linarite_0"
    with pytest.raises(ZeroDivisionError):
        await threads.result(lambda: 1 // 0)
    threads.stop()


async def test_a_result_nobody_waits_for_any_more_costs_no_thread() -> None:
    threads, has_begun, may_go, loop = Threads(1), asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def hold() -> None:
        loop.call_soon_threadsafe(has_begun.set)
        may_go.wait(10)

    begun = asyncio.ensure_future(threads.result(hold))
    waiting = asyncio.ensure_future(threads.result(lambda: pytest.fail("began")))
    await has_begun.wait()
    for task in (begun, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    may_go.set()
    assert await threads.result(lambda: "served") == "served"
    threads.stop()

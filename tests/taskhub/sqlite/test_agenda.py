from __future__ import annotations

import asyncio
from datetime import timedelta

from linarite.clock import ManualClock
from linarite.taskhub.sqlite.agenda import Agenda


class Diary:
    """An agenda on a manual clock, and what happened when."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.begin = self.clock.now()
        self.agenda = Agenda(self.clock, lambda: self.happened.append(("pause", self.seconds())))
        self.happened: list[tuple[str, float]] = []

    def seconds(self) -> float:
        return (self.clock.now() - self.begin).total_seconds()

    def plan(self, name: str, seconds: float) -> None:
        self.agenda.at(self.begin + timedelta(seconds=seconds), lambda: self.happened.append((name, self.seconds())))

    async def pass_to(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.clock.advance_to(self.begin + timedelta(seconds=seconds))
        for _ in range(3):
            await asyncio.sleep(0)


async def test_things_happen_at_their_time_in_order() -> None:
    diary = Diary()
    for name, seconds in (("c", 3), ("a", 1), ("b", 2), ("a too", 1)):
        diary.plan(name, seconds)
    await diary.pass_to(1)
    await diary.pass_to(2)
    await diary.pass_to(3)
    assert diary.happened == [("a", 1), ("a too", 1), ("pause", 1), ("b", 2), ("pause", 2), ("c", 3), ("pause", 3)]
    assert diary.agenda.next_due() is None
    assert diary.clock.next_wake() is None


async def test_there_is_one_sleep_at_a_time() -> None:
    diary = Diary()
    diary.plan("late", 100)
    await diary.pass_to(1)
    diary.plan("early", 5)
    await diary.pass_to(2)
    assert diary.clock.next_wake() == diary.agenda.next_due() == diary.begin + timedelta(seconds=5)
    await diary.pass_to(5)
    assert diary.clock.next_wake() == diary.begin + timedelta(seconds=100)
    await diary.pass_to(100)
    assert [name for name, _ in diary.happened if name != "pause"] == ["early", "late"]


async def test_what_happens_may_plan_more() -> None:
    diary = Diary()
    diary.agenda.at(diary.begin + timedelta(seconds=1), lambda: diary.plan("then", 2))
    await diary.pass_to(1)
    await diary.pass_to(2)
    assert ("then", 2) in diary.happened


async def test_a_closed_agenda_forgets_and_sleeps_no_more() -> None:
    diary = Diary()
    diary.plan("never", 1)
    await asyncio.sleep(0)
    await diary.agenda.close()
    assert diary.clock.next_wake() is None
    await diary.pass_to(2)
    assert diary.happened == []

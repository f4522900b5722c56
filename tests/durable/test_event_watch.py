"""What is said about external events, beside what the SDK really does with them."""

from __future__ import annotations

from typing import Any

from linarite.durable.actions import WaitForEvent
from linarite.durable.event_watch import EventWatch
from linarite.durable.events import EventRaised
from tests.durable.turns import Context, Steps
from tests.durable.world import World


def three_waits(context: Context) -> Steps:
    seen = []
    for _ in range(3):
        seen.append((yield context.wait_for_external_event("Go")))
        yield context.call_activity("rest", 0)
    return seen


def world_of(code: Any) -> World:
    world = World({"o": code}, {"rest": lambda n: n})
    world.start("o")
    world.settle()
    return world


def tell(world: World, name: str, value: Any = None) -> None:
    """Raise an event and let the orchestrator see it alone, before any activity runs."""
    world.raise_event(name, value)
    batch = [m for m in world.due() if isinstance(m.event, EventRaised)]
    world.turn("i", batch)


def test_nothing_is_said_where_each_wait_gets_its_event() -> None:
    world = world_of(three_waits)
    for value in (1, 2, 3):
        world.raise_event("Go", value)
        world.settle()
    assert world.output() == [1, 2, 3]
    assert not world.warnings


def test_an_event_that_another_replaces_before_anyone_waits_is_said_to_be_lost() -> None:
    world = world_of(three_waits)
    for value in (1, 2, 3):
        tell(world, "Go", value)
    assert len(world.warnings) == 1
    assert world.warnings[0].startswith("event 'Go' (history row 8) is lost: another one (row 11) came before")
    world.settle()
    assert world.output() == [1, 3, 3]


def test_an_event_that_came_before_its_wait_is_said_to_be_repeated() -> None:
    world = world_of(three_waits)
    tell(world, "Go", 1)
    tell(world, "Go", 2)
    world.settle()
    assert world.output() == [1, 2, 2]
    assert [warning.partition(": ")[0] for warning in world.warnings] == ["event 'Go' (history row 8) is given to another wait"]


def test_a_wait_that_is_spelt_otherwise_is_named() -> None:
    world = world_of(three_waits)
    tell(world, "go", 1)
    assert len(world.warnings) == 1
    assert "waits for 'Go'" in world.warnings[0]
    assert world.output() is None


def test_an_event_that_continue_as_new_leaves_behind_is_said_to_be_lost() -> None:
    def once(context: Context) -> Steps:
        if context.get_input() == 1:
            return "second"
        yield context.call_activity("rest", 0)
        context.continue_as_new(1)
        return None

    world = World({"o": once}, {"rest": lambda n: n})
    world.start("o")
    world.step()
    tell(world, "Go")
    world.settle()
    assert world.output() == "second"
    assert len(world.warnings) == 1
    assert "continued as new before it waited for it" in world.warnings[0]


def test_an_event_that_is_carried_over_is_not_lost() -> None:
    def collect(context: Context) -> Steps:
        seen = [*(context.get_input() or []), (yield context.wait_for_external_event("add"))]
        if len(seen) < 2:
            context.continue_as_new(seen)
            return None
        return seen

    world = world_of(collect)
    world.raise_event("add", 1)
    world.raise_event("add", 2)
    world.settle()
    assert world.output() == [1, 2]
    assert not world.warnings


def test_nothing_is_said_by_a_host_that_has_not_seen_the_beginning() -> None:
    world = world_of(three_waits)
    world.forgets = True
    for value in (1, 2, 3):
        tell(world, "Go", value)
    assert not world.warnings


def test_a_copy_goes_on_apart_from_the_watch_it_was_made_of() -> None:
    def go(row: int) -> EventRaised:
        return EventRaised(name="Go", input=None, timestamp=f"2026-01-01T00:00:0{row}Z")

    watch = EventWatch()
    watch.follow([], [go(0)], [])
    assert watch.copy().follow([go(0)], [], [WaitForEvent(name="Go")]) == []
    lost = watch.copy().follow([go(0)], [go(1)], [])
    assert lost == watch.follow([go(0)], [go(1)], [])
    assert "(history row 0) is lost" in lost[0]

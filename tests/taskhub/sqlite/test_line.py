from __future__ import annotations

import asyncio
import random

import pytest

from linarite.taskhub.sqlite.line import Line


def opened() -> Line[int]:
    line: Line[int] = Line()
    line.open()
    return line


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_first_come_first_served() -> None:
    line = opened()
    takers = [asyncio.ensure_future(line.take()) for _ in range(3)]
    await turns()
    for thing in (1, 2, 3):
        line.put(thing)
    assert await asyncio.gather(*takers) == [1, 2, 3]


async def test_what_is_put_back_comes_first() -> None:
    line = opened()
    line.put(1)
    line.put_back(0)
    assert [await line.take(), await line.take()] == [0, 1]


async def test_a_closed_line_keeps_what_it_has_until_it_opens() -> None:
    line: Line[int] = Line()
    takers = [asyncio.ensure_future(line.take()) for _ in range(2)]
    line.put(1)
    line.put(2)
    await turns()
    assert not any(taker.done() for taker in takers)
    line.open()
    assert await asyncio.gather(*takers) == [1, 2]


async def test_closing_stops_those_who_wait_already() -> None:
    line = opened()
    taker = asyncio.ensure_future(line.take())
    await turns()
    line.close()
    line.put(1)
    await turns()
    assert not taker.done()
    line.open()
    assert await taker == 1


async def test_one_who_is_woken_and_cancelled_at_once_leaves_it_to_the_next() -> None:
    line = opened()
    first, second = asyncio.ensure_future(line.take()), asyncio.ensure_future(line.take())
    await turns()
    line.put(1)
    first.cancel()
    assert await second == 1


async def test_one_who_is_cancelled_before_a_thing_arrives_is_passed_over() -> None:
    line = opened()
    first, second = asyncio.ensure_future(line.take()), asyncio.ensure_future(line.take())
    await turns()
    first.cancel()
    line.put(1)
    assert await second == 1
    assert first.cancelled()


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_lost_whoever_is_cancelled_when(seed: int) -> None:
    die = random.Random(seed)
    line = opened()
    taken: list[int] = []

    async def take() -> None:
        taken.append(await line.take())

    takers: list[asyncio.Task[None]] = []
    for thing in range(200):
        takers += [asyncio.create_task(take()) for _ in range(die.randrange(3))]
        await turns(die.randrange(3))
        line.put(thing)
        if takers and die.randrange(2):
            die.choice(takers).cancel()
    takers += [asyncio.create_task(take()) for _ in range(200)]
    while len(taken) < 200:
        await turns()
    for taker in takers:
        taker.cancel()
    await asyncio.gather(*takers, return_exceptions=True)
    assert sorted(taken) == list(range(200)), f"seed {seed}"

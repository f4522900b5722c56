"""Large orchestrations on a host as a user runs it, measured as `python -m bench.scale` does."""

from __future__ import annotations

import sys

import pytest
from bench.scale import Usage, cost

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")]


def grown_mib(usage: tuple[Usage, Usage]) -> float:
    before, after = usage
    return after.peak_mib - before.peak_mib


def test_ten_thousand_activities_at_once_take_no_more_memory_each_than_fewer_do() -> None:
    fewer, many = (cost("embedded", "fan", size) for size in (2_500, 10_000))
    for of_fewer, of_many in ((fewer.host, many.host), (fewer.worker, many.worker)):
        assert grown_mib(of_many) < 1.5 * 4 * grown_mib(of_fewer)


def test_a_loop_of_five_hundred_steps_ends_within_the_memory_of_its_history() -> None:
    loop = cost("embedded", "loop", 500)
    assert max(grown_mib(loop.host), grown_mib(loop.worker)) < 20

"""Waiting in tests for what nobody announces, without real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds. What never comes is stopped by the test's own limit."""
    while not condition():  # noqa: ASYNC110  nothing sets an event for it
        await asyncio.sleep(0)

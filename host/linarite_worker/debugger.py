"""What a worker under a debugger says and does before it loads the app."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def meet(address: str, waits: bool, say: Callable[[str], None]) -> None:
    """Say where a debugger can attach; if asked to, return once one has, so that a breakpoint in code that runs on import is hit."""
    if not waits:
        say(f"A debugger can attach on {address}.")
        return
    say(f"Waiting for a debugger to attach on {address}.")
    debugpy: Any = sys.modules.get("debugpy")  # it has started this worker
    if debugpy is not None:
        debugpy.wait_for_client()

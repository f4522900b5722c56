"""The ports between the host and whatever watches a source: what it is asked, and whom it calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from linarite.invocation import Datum, InvocationResult
from linarite.metadata import Function


class Listener(Protocol):
    """Watches one source for one function."""

    async def start(self) -> None:
        """Begin to watch; returns once it does. Raises LinariteError if it cannot, with what to do."""
        ...

    async def stop(self) -> None:
        """Stop watching; returns when what it started has drained."""
        ...


class Invoker(Protocol):
    """The way in to user code, as listeners use it."""

    async def invoke(
        self,
        function: Function,
        inputs: Mapping[str, Datum],
        trigger_metadata: Mapping[str, Datum],
        *,
        reason: str,
        details: Mapping[str, str] | None = None,
    ) -> InvocationResult:
        """Run a function, with retries, deadline, log lines and outputs.

        Raises UserCodeFailed or a LinariteError, after it has been logged.
        """
        ...

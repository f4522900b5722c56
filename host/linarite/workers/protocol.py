"""The port to a worker: where user code is loaded and run.

Two channels implement it, a child process and the same code in this process, and a pool that stands for several children; one
conformance suite holds them to the same behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from linarite.invocation import Invocation, InvocationResult
from linarite.metadata import Function, SourceLine

LogLevel = Literal["Trace", "Debug", "Information", "Warning", "Error", "Critical"]


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """A log record or a line of output from user code.

    `invocation_id` is empty if it belongs to none. `origin`: `user` for logging by the app, `system` for the SDK's and the worker's own,
    `console` for prints and raw stdout or stderr.
    """

    invocation_id: str
    level: LogLevel
    logger: str
    message: str
    origin: Literal["user", "system", "console"]


class LoadFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an app, or one function of a function.json app, could not be loaded.

    `traceback` holds the app's frames only. `source`, `text` and `caret` (a column from 1) point at the line where they are known.
    `message` is the Functions worker's; `hint` is ours, and says what to do. `file` is where to look if there is no such line.
    """

    type_name: str
    message: str
    traceback: str
    source: SourceLine | None = None
    text: str = ""
    caret: int = 0
    function_name: str = ""
    hint: str = ""
    file: str = ""


class IndexedApp(msgspec.Struct, frozen=True, kw_only=True):
    """What loading the app found. `failure` means no functions at all; `function_failures` are single functions of a function.json app."""

    functions: tuple[Function, ...] = ()
    failure: LoadFailure | None = None
    function_failures: tuple[LoadFailure, ...] = ()
    python_version: str = ""
    sdk_versions: dict[str, str] = {}
    """`azure-functions`, `azure-functions-durable`: installed versions, by package name."""
    warnings: tuple[str, ...] = ()


LogSink = Callable[[LogLine], None]


class WorkerChannel(Protocol):
    """One way to reach user code."""

    async def start(self) -> IndexedApp:
        """Bring the worker up and load the app. The app's own mistakes are in the result.

        Raises OperatorError if no worker can be started at all (interpreter missing or without the SDK).
        """
        ...

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one function; many may be in flight.

        Raises UserCodeFailed if it raised or its value could not be encoded, WorkerDied if the worker ended meanwhile.
        Cancelling stops the wait, not the user's code.
        """
        ...

    async def abort(self, invocation_id: str) -> None:
        """End the worker that runs this invocation, with all else it runs: nothing less stops user code.

        A pool returns when another worker is ready in its place.
        """
        ...

    async def stop(self, grace_s: float) -> None:
        """Let invocations in flight end for up to `grace_s` seconds, then end the worker. No process is left behind."""
        ...

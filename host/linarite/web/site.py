"""What is served, and what the web part asks of the host that serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from linarite.invocation import Datum, InvocationResult
from linarite.metadata import Function
from linarite.settings import AppSettings, HostSettings
from linarite.web.routes import RouteTable

HostState = Literal["Starting", "Running", "Error", "Offline", "Stopping"]
DrainState = Literal["Disabled", "InProgress", "Completed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One generation of an app, as the outside sees it. A saved change makes a new one.

    `errors`: what keeps the app, or all of it that is decorated, from running. In state `Error` nothing but the admin API and the
    homepage answers, as on Azure. `function_errors`: what keeps single functions from running, by name; they may be in `functions` or not.
    `places` says where functions are written, by name; "" if that is not known.
    """

    state: HostState = "Running"
    errors: Sequence[str] = ()
    functions: Sequence[Function] = ()
    function_errors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    disabled: frozenset[str] = frozenset()
    routes: RouteTable = field(default_factory=RouteTable)
    host: HostSettings = field(default_factory=HostSettings)
    settings: AppSettings = field(default_factory=lambda: AppSettings({}))

    def function(self, name: str) -> Function | None:
        """A function by name, in any case."""
        return next((function for function in self.functions if function.name.lower() == name.lower()), None)


class Invoker(Protocol):
    """The way in to user code."""

    async def invoke(
        self,
        function: Function,
        inputs: Mapping[str, Datum],
        trigger_metadata: Mapping[str, Datum] = ...,
        *,
        reason: str,
        trace_parent: str = ...,
        trace_state: str = ...,
    ) -> InvocationResult:
        """Run a function, with retries, deadline, log lines and outputs.

        Raises UserCodeFailed or a LinariteError, after it has been logged.
        """
        ...


@dataclass(frozen=True, slots=True)
class Drain:
    """How far a drain has come."""

    state: DrainState
    invocations: int
    retries: int = 0


class HostView(Protocol):
    """What the admin API shows of the host, and asks of it."""

    @property
    def id(self) -> str:
        """The host id of the app."""
        ...

    @property
    def folder(self) -> Path:
        """The app's folder."""
        ...

    @property
    def started_at(self) -> datetime:
        """When this process began to serve, aware, UTC."""
        ...

    @property
    def worker_pids(self) -> Sequence[int]:
        """Processes that run user code; none where it runs in this one."""
        ...

    async def restart(self) -> None:
        """Load the app anew."""
        ...

    async def drain(self) -> None:
        """Start nothing new of the app's own accord: its listeners stop. Returns at once."""
        ...

    async def resume(self) -> None:
        """End a drain, if there is one."""
        ...

    def drain_status(self) -> Drain:
        """Whether a drain is on, and what it waits for."""
        ...

    async def set_offline(self, offline: bool) -> None:
        """Answer 503 to everything but the admin API, or no longer."""
        ...

    async def fire(self, function: Function, value: str | None) -> None:
        """Run a function by hand with `value` as its trigger's, as the Functions host converts it; None: none was given.

        Returns once it runs; whatever goes wrong, also with the value, is logged with the invocation.
        """
        ...

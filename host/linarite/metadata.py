"""What a function is: its name, its bindings, where it is written. Facts only, as the worker reported them.

Binding properties keep the spelling the decorators emit (camelCase names, upper-case enum values); lookups ignore case, since
function.json files use lower case.
Source: azure-functions `Function.get_function_json`; azure-functions-host, FunctionMetadata.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger, input or output. `raw` is its JSON object as emitted; `direction` is `in`, `out` or `inout`."""

    name: str
    type: str
    direction: str
    raw: dict[str, Any]

    @property
    def is_trigger(self) -> bool:
        return self.type.lower().endswith("trigger")

    def get(self, name: str, default: Any = None) -> Any:
        """A property by name, in any case; `default` if it is absent or null."""
        wanted = name.lower()
        for key, value in self.raw.items():
            if key.lower() == wanted and value is not None:
                return value
        return default

    def text(self, name: str, default: str = "") -> str:
        """A property as text."""
        value = self.get(name)
        return default if value is None else str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A property as a truth value; the texts `true` and `1` count, in any case."""
        value = self.get(name)
        return default if value is None else str(value).strip().lower() in ("true", "1")


class SourceLine(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is written in the app."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class RetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """A function's or the host's retry policy; `max_retries` -1 is for ever, intervals are seconds."""

    strategy: str
    max_retries: int
    delay_s: float = 0.0
    minimum_s: float = 0.0
    maximum_s: float = 0.0


class Function(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One function of the app.

    `def_name` is the Python `def`'s name, which an SDK sends when user code passes the function object instead of a name.
    """

    id: str
    name: str
    bindings: tuple[Binding, ...]
    script_file: str
    entry_point: str
    directory: str
    def_name: str
    source: SourceLine | None = None
    retry: RetrySettings | None = None
    is_decorated: bool = True
    is_streamed: bool = False
    """Its HTTP request is read, and answered, piece by piece."""

    @cached_property
    def trigger(self) -> Binding:
        """Its one trigger; an index without one never gets here."""
        return next(binding for binding in self.bindings if binding.is_trigger)

    @property
    def trigger_type(self) -> str:
        """The trigger's type in lower case, e.g. `httptrigger`."""
        return self.trigger.type.lower()

    def output(self, type_name: str) -> Binding | None:
        """The first output binding of that type (lower case), or None."""
        return next((b for b in self.bindings if b.direction != "in" and b.type.lower() == type_name), None)

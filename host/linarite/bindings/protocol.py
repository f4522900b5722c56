"""The port to what functions read and write besides their trigger. The invoker finds an implementation by the binding's type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from linarite.invocation import Datum
from linarite.metadata import Binding, Function


@dataclass(frozen=True, slots=True)
class Call:
    """One invocation as its bindings see it: what expressions such as `{name}` in their properties can refer to.

    `inputs` holds the trigger's value, by its binding's name.
    """

    id: str
    function: Function
    inputs: Mapping[str, Datum]
    trigger_metadata: Mapping[str, Datum]


class InputBinding(Protocol):
    """Reads one input before the function runs."""

    async def read(self, binding: Binding, call: Call) -> Datum:
        """The value, or `none` if there is nothing to read. What it raises fails the invocation before the function has run."""
        ...


class OutputBinding(Protocol):
    """Writes one output after the function has run."""

    async def write(self, binding: Binding, value: Datum, call: Call) -> None:
        """Deliver a value (never `none`). What it raises fails the invocation although the function has run."""
        ...


@dataclass(frozen=True, slots=True)
class BindingTypes:
    """What implements which binding type; types in lower case."""

    inputs: Mapping[str, InputBinding]
    outputs: Mapping[str, OutputBinding]


NO_BINDINGS = BindingTypes({}, {})

"""What all storage bindings need: their properties with expressions resolved, their account, and a warning that is said once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID, uuid4

from linarite.bindings.connections import Connections
from linarite.bindings.protocol import Call
from linarite.clock import Clock
from linarite.errors import AppError, LinariteError
from linarite.expressions import Surroundings, binding_data, parse_template
from linarite.metadata import Binding
from linarite.storage.account import Storage

T = TypeVar("T")


class BindingFailed(AppError):
    """A binding's value could not be read or written; the invocation fails."""

    def __init__(self, binding: Binding, problem: Exception) -> None:
        super().__init__(f"Exception binding parameter '{binding.name}' of type {binding.type}: {problem}")


class Resolver:
    """See the module. `new_guid` makes what `{rand-guid}` stands for."""

    def __init__(self, connections: Connections, clock: Clock, new_guid: Callable[[], UUID] = uuid4) -> None:
        self._connections = connections
        self._clock = clock
        self._new_guid = new_guid
        self._warned: set[tuple[str, str]] = set()

    def storage(self, binding: Binding) -> Storage:
        """The account of the binding's connection. Raises NoConnection or InvalidConnectionString."""
        return self._connections.storage(binding.text("connection"))

    def text(self, binding: Binding, name: str, call: Call) -> str:
        """A property with its expressions resolved, "" if it is not set. Raises NoValue or BadExpression."""
        return self._render(binding.text(name), binding_data(call.trigger_metadata), call)

    def odata(self, binding: Binding, name: str, call: Call) -> str:
        """The same for a text in which values stand between single quotes."""
        return self._render(binding.text(name), _quoted(binding_data(call.trigger_metadata)), call)

    def warn(self, binding: Binding, call: Call, sentence: str) -> None:
        """Say it once for a function's binding."""
        key = (call.function.name, binding.name)
        if key not in self._warned:
            self._warned.add(key)
            logging.getLogger(f"Function.{call.function.name}").warning("%s", sentence, extra={"invocation_id": call.id})

    def _render(self, text: str, data: Mapping[str, Any], call: Call) -> str:
        return parse_template(text).render(data, Surroundings(call.function.name, self._clock.now, self._new_guid))


def _quoted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _quoted(member) for name, member in value.items()}
    return value.replace("'", "''") if isinstance(value, str) else value


async def for_binding(binding: Binding, work: Awaitable[T]) -> T:
    """The result of work for a binding; failures say which binding it was. Raises BindingFailed."""
    try:
        return await work
    except LinariteError as problem:
        raise BindingFailed(binding, problem) from problem

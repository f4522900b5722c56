"""The app's orchestrators, activities and entities, by the names they are called by.

A function is called by its binding's own property if that is set, else by its function name; the SDK sends the `def` name when user
code passes the function object, so that counts too where only one function has it. Case never counts.
Source: durable-extension, OrchestrationTriggerAttribute and its siblings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

from linarite.durable.actions import CallEntity
from linarite.durable.numbering import Numbered
from linarite.errors import AppError
from linarite.metadata import Function

Kind = Literal["orchestrator", "activity", "entity"]

_TRIGGERS: dict[str, tuple[Kind, str]] = {
    "orchestrationtrigger": ("orchestrator", "orchestration"),
    "activitytrigger": ("activity", "activity"),
    "entitytrigger": ("entity", "entityName"),
}


class DurableFunctions:
    """Looks durable functions up. `resolve` replaces `%setting%` in a name that a binding gives."""

    def __init__(self, functions: Iterable[Function], resolve: Callable[[str], str]) -> None:
        durable = [(_TRIGGERS[f.trigger_type][0], f) for f in functions if f.trigger_type in _TRIGGERS]
        self._by_name: dict[tuple[Kind, str], Function] = {}
        self._called: dict[Kind, list[str]] = {}
        self._needs_grpc = next((f.name for _, f in durable if any(b.flag("durableRequiresGrpc") for b in f.bindings)), None)
        for kind, function in durable:
            self._called.setdefault(kind, []).append(_own_name(function, resolve))
            self._by_name.setdefault((kind, self._called[kind][-1].lower()), function)
        for kind, function in durable:
            self._by_name.setdefault((kind, function.name.lower()), function)
        uses = Counter((kind, function.def_name.lower()) for kind, function in durable)
        for kind, function in durable:
            if uses[kind, function.def_name.lower()] == 1:
                self._by_name.setdefault((kind, function.def_name.lower()), function)

    def get(self, kind: Kind, name: str) -> Function | None:
        """The function of that kind that is called so, or None."""
        return self._by_name.get((kind, name.lower()))

    def called(self, kind: Kind) -> list[str]:
        """The names by which functions of that kind are called."""
        return self._called.get(kind, [])

    def refuses(self, action: Numbered) -> str | None:
        """Why an orchestrator may not ask for this, or None: a signal to an unknown entity would be lost without a word."""
        if isinstance(action, CallEntity) and action.is_signal:
            name = action.instance_id[1:].partition("@")[0]
            return None if self.get("entity", name) else self.unknown("entity", name)
        return None

    @property
    def sdk_objection(self) -> str | None:
        """Why these functions cannot be served, or None: they were made with a generation of the SDK that speaks another protocol."""
        if self._needs_grpc is None:
            return None
        return (
            f"Function '{self._needs_grpc}' was made with azure-functions-durable 2.x, which speaks gRPC; this host speaks to 1.x. "
            "Install it into the app's environment: pip install 'azure-functions-durable>=1.7,<2'"
        )

    def unknown(self, kind: Kind, name: str) -> str:
        """The sentence about a name that nobody has."""
        known = ", ".join(f"'{name}'" for name in sorted(self.called(kind), key=str.lower))
        info = f"The following are the known {kind} functions: {known}." if known else f"No {kind} functions are currently registered!"
        return f"The function '{name}' doesn't exist, is disabled, or is not an {kind} function. Additional info: {info}"


def _own_name(function: Function, resolve: Callable[[str], str]) -> str:
    kind, member = _TRIGGERS[function.trigger_type]
    name = resolve(function.trigger.text(member)) or function.name
    if kind == "orchestrator" and name.startswith("@"):
        raise AppError(f"Orchestrator '{name}' (function '{function.name}'): names that begin with @ belong to entities. Rename it.")
    return name

"""Which functions may run: names, bindings, the list of those wanted, and what is switched off. Pure rules.

What is wrong with one function concerns that function only, as on Azure; two names that differ in nothing but case stop the whole app.
Source: azure-functions-host, Utility (ValidateName, ValidateBinding, ValidateFunction); functions-host sections 1.5 and 1.6.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from linarite.errors import AppError
from linarite.metadata import Binding, Function

_FUNCTION_NAME = re.compile(r"[a-z][a-z0-9_\-]{0,127}", re.IGNORECASE | re.ASCII)
_BINDING_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9]{0,127}|\$return", re.ASCII)

_GOOD_NAME = "Valid are letters and digits, a letter first; no underscore."
_SECOND_RETURN = " @app.route declares one for the response; its binding_arg_name gives that another name."

BINDING_TYPES = frozenset(
    {
        *("http", "queue", "blob", "table", "servicebus", "eventhub", "eventgrid", "cosmosdb", "sql", "mysql", "kafka"),
        *("durableclient", "orchestrationclient"),
        *("signalr", "signalrconnectioninfo", "sendgrid", "twiliosms", "rabbitmq", "redis", "kusto"),
        *("webpubsub", "webpubsubconnection", "webpubsubcontext"),
        *("daprstate", "daprsecret", "daprpublish", "daprinvoke", "daprbinding"),
        *("textcompletion", "assistantcreate", "assistantquery", "assistantpost", "embeddings", "embeddingsstore", "semanticsearch"),
    }
)
"""Types of inputs and outputs that extension bundle 4.x and the runtime register, in lower case. A trigger may be of any type here: what
nothing listens to can still be fired by hand."""


class AmbiguousNames(AppError):
    """Two functions whose names differ in case only."""

    def __init__(self, one: Function, other: Function) -> None:
        super().__init__(
            f"Functions '{one.name}'{_place(one)} and '{other.name}'{_place(other)} have names that differ in case only. Rename one. "
            "On Azure the whole app answers 503 (Sequence contains more than one matching element)."
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """The functions of an app, sorted out. `errors`: messages by function name.

    `functions` are those whose metadata can be read, in the order of names; some of them may still have errors, and then do not run.
    `disabled` holds names.
    """

    functions: tuple[Function, ...]
    errors: Mapping[str, tuple[str, ...]]
    disabled: frozenset[str]


def name_order(function: Function) -> str:
    """Sort key of functions: by name, in any case, as .NET's ordinal comparison has it (`_` after letters)."""
    return function.name.upper()


def check(functions: Iterable[Function], wanted: Collection[str] | None, disabled: Collection[str]) -> Checked:
    """Sort out an app's functions. `wanted`: the only ones to load, by name in any case; None: all. Raises AmbiguousNames."""
    names = None if wanted is None else {name.lower() for name in wanted}
    ordered = sorted((one for one in functions if names is None or one.name.lower() in names), key=name_order)
    for one, other in pairwise(ordered):
        if one.name.lower() == other.name.lower():
            raise AmbiguousNames(one, other)
    errors: dict[str, tuple[str, ...]] = {}
    listed: list[Function] = []
    for function in ordered:
        if (unreadable := metadata_error(function)) is not None:
            errors[function.name] = (unreadable,)
            continue
        listed.append(function)
        others = {binding.type for binding in function.bindings if not binding.is_trigger}
        if unknown := sorted(kind for kind in others if kind.lower() not in BINDING_TYPES):
            errors[function.name] = (_unregistered(unknown),)
    return Checked(tuple(listed), errors, frozenset(one.name for one in listed if one.name in disabled))


def metadata_error(function: Function) -> str | None:
    """What keeps a function's metadata from being taken, in the Functions host's words; None if nothing does."""
    if not _FUNCTION_NAME.fullmatch(function.name) or function.name.lower() == "host":
        return f"'{function.name}' is not a valid function name."
    if not function.bindings:
        return "At least one binding must be declared."
    seen: set[str] = set()
    for binding in function.bindings:
        if (problem := _binding_error(binding)) is not None:
            return problem
        if binding.name.lower() in seen:
            hint = _SECOND_RETURN if binding.name == "$return" else ""
            return f"Multiple bindings with name '{binding.name}' discovered. Binding names must be unique.{hint}"
        seen.add(binding.name.lower())
    if not any(binding.is_trigger for binding in function.bindings):
        return "No trigger binding specified. A function must have a trigger input binding."
    return None


def _binding_error(binding: Binding) -> str | None:
    if not _BINDING_NAME.fullmatch(binding.name):
        return f"The binding name {binding.name} is invalid. Please assign a valid name to the binding. {_GOOD_NAME}"
    if binding.name == "$return" and binding.direction != "out":
        return "$return bindings must specify a direction of 'out'."
    return None


def _unregistered(types: Iterable[str]) -> str:
    return (
        f"The binding type(s) '{', '.join(types)}' are not registered. "
        "Please ensure the type is correct and the binding extension is installed."
    )


def _place(function: Function) -> str:
    return f" ({function.source})" if function.source else ""

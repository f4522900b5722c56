"""Binding expressions: what `{name}`, `{a.b}`, `{rand-guid}` and `{DateTime:yyyy}` in binding properties stand for; and `%NAME%`. Pure.

Source: azure-webjobs-sdk, BindingTemplateParser, BindingTemplateToken, BindingParameterResolver, BindingDataPathHelper, SystemBindingData,
NameResolverExtensions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from linarite.configuration import plain_text
from linarite.date_formats import format_date
from linarite.errors import AppError
from linarite.invocation import Datum
from linarite.metadata import Binding, Function
from linarite.settings import AppSettings

_DEFAULT_DATE = "yyyy-MM-ddTHH-mm-ssK"  # without colons, so that it can name a blob
_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<expression>[^{}]*)\}|(?P<literal>[^{}]+)|(?P<brace>[{}])")
_NAME = re.compile(r"[^\W\d][\w.\-]*")
_BUILTINS = ("rand-guid", "datetime")
_MISSING = object()


class BadExpression(AppError):
    """A binding property's text is no template."""


class NoValue(AppError):
    """An expression names something that this invocation does not have; the invocation fails."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What expressions can ask for besides the binding data. Each occurrence asks anew."""

    function_name: str
    now: Callable[[], datetime]
    new_guid: Callable[[], UUID]


@dataclass(frozen=True, slots=True)
class _Expression:
    names: tuple[str, ...]
    form: str
    is_builtin: bool


@dataclass(frozen=True, slots=True)
class BindingTemplate:
    """A parsed text: literals and expressions."""

    text: str
    parts: tuple[str | _Expression, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What the expressions begin with, built-in ones left out."""
        return tuple(part.names[0] for part in self.parts if isinstance(part, _Expression) and not part.is_builtin)

    def render(self, data: Mapping[str, Any], around: Surroundings) -> str:
        """The text with every expression's value in its place. `data` is the trigger's; names count in any case. Raises NoValue."""
        known = {name.lower(): value for name, value in data.items()}
        return "".join(part if isinstance(part, str) else _text(_evaluate(part, known, around), part.form) for part in self.parts)


@lru_cache(maxsize=1024)
def parse_template(text: str) -> BindingTemplate:
    """Take a text apart; `{{` and `}}` stand for braces. Raises BadExpression."""
    parts: list[str | _Expression] = []
    for token in _TOKEN.finditer(text):
        if token["brace"]:
            missing = "closing" if token["brace"] == "{" else "opening"
            raise BadExpression(f"Invalid template '{text}'. Missing {missing} bracket at position {token.start() + 1}.")
        if token["literal"] or token["expression"] is None:
            parts.append(token["literal"] or token[0][0])
        elif not token["expression"]:
            raise BadExpression(f"Invalid template '{text}'. The parameter name at position {token.start() + 1} is empty.")
        else:
            parts.append(_expression(token["expression"], text))
    return BindingTemplate(text, tuple(parts))


def _expression(source: str, text: str) -> _Expression:
    if source.lower().startswith(_BUILTINS):
        # Upstream takes a built-in apart at dots too, its format included: of {DateTime:yyyy.MM} only the year is left.
        name, _, form = source.split(".")[0].partition(":")
        return _Expression((name,), form, is_builtin=True)
    path, _, form = source.partition(":")
    if not _NAME.fullmatch(path):
        raise BadExpression(f"Invalid template '{text}'. Invalid template expression '{path}'")
    names = tuple(path.split("."))
    if "-" in names[0]:
        raise BadExpression(f"Invalid template '{text}'. The parameter name '{names[0]}' is invalid.")
    if not all(names):
        raise BadExpression(f"Invalid template '{text}'. The expression '{path}' has nothing between two dots, or after the last.")
    return _Expression(names, form, is_builtin=False)


def _evaluate(expression: _Expression, known: Mapping[str, Any], around: Surroundings) -> Any:
    first = expression.names[0].lower()
    value: Any = known.get(first, _MISSING) if not (expression.is_builtin and expression.form) else _MISSING
    if value is _MISSING and expression.is_builtin:
        return around.new_guid() if first.startswith("rand-guid") else around.now()
    if value is _MISSING and first == "sys":
        value = {"methodname": around.function_name, "utcnow": around.now, "randguid": around.new_guid}
    if value is _MISSING:
        raise NoValue(f"No value for named parameter '{expression.names[0]}'.")
    for name in expression.names[1:]:
        value = _member(value, name)
    return value() if callable(value) else value


def _member(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key.lower() == name.lower():
                return member
    raise NoValue(f"Error while accessing '{name}': property doesn't exist.")


def _text(value: Any, form: str) -> str:
    """A value as text; objects and lists have none."""
    try:
        if isinstance(value, datetime):
            return format_date(value, form if form.strip() else _DEFAULT_DATE)
        if isinstance(value, UUID):
            return _guid_text(value, form.strip())
    except ValueError as error:
        raise NoValue(f"Input string was not in a correct format: {error}.") from None
    return plain_text(value) if isinstance(value, (str, bool, int, float)) else ""


def _guid_text(guid: UUID, form: str) -> str:
    match form.upper():
        case "" | "D":
            return str(guid)
        case "N":
            return guid.hex
        case "B":
            return f"{{{guid}}}"
        case "P":
            return f"({guid})"
        case _:
            raise ValueError(f"'{form}' is no format of a GUID; it has N, D, B and P")


def binding_data(metadata: Mapping[str, Datum]) -> dict[str, Any]:
    """What a trigger's metadata means to expressions: texts as they are, JSON as its value, nothing else."""
    return {
        name: json.loads(datum.value) if datum.kind == "json" else datum.value
        for name, datum in metadata.items()
        if datum.kind in ("json", "string", "int", "double")
    }


_RESOLVED = frozenset(
    name.lower()
    for name in (
        *("queueName", "path", "schedule", "tableName", "partitionKey", "rowKey", "filter", "connection", "taskHub", "topicName"),
        *("subscriptionName", "eventHubName", "consumerGroup", "databaseName", "containerName", "collectionName", "leaseContainerName"),
        *("leaseCollectionName", "leaseDatabaseName", "leaseContainerPrefix", "sqlQuery", "id", "commandText", "parameters"),
        *("connectionStringSetting", "leaseConnection", "topicEndpointUri", "topicKeySetting", "brokerList", "topic", "hubName"),
        "connectionName",
    )
)
"""Properties, of whatever binding, in which the extensions put settings in the place of `%NAME%`. HTTP's are not among them."""


def with_settings(function: Function, settings: AppSettings) -> Function:
    """The function with every `%NAME%` in its bindings replaced. Raises UnresolvedSetting, in the runtime's words."""
    bindings = tuple(_binding_with_settings(binding, settings) for binding in function.bindings)
    return function if bindings == function.bindings else msgspec.structs.replace(function, bindings=bindings)


def _binding_with_settings(binding: Binding, settings: AppSettings) -> Binding:
    if binding.type.lower() in ("http", "httptrigger"):
        return binding
    raw = {
        name: settings.expand(value) if isinstance(value, str) and name.lower() in _RESOLVED else value
        for name, value in binding.raw.items()
    }
    return msgspec.structs.replace(binding, raw=raw)

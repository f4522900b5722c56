"""A function fired by hand: what the text of `{"input": ...}` becomes for each type of trigger. Pure rules.

Timers and blobs are not here: theirs need the stored status, or the blob. Of a message that never was in its service only what the SDK
cannot do without is made up. Where a trigger takes many messages at a time, a JSON array is many and anything else is one.
Source: azure-functions-host, FunctionsController (Invoke); azure-functions, the converters of each trigger; recorded invocations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from linarite.bindings.newtonsoft import NotJson, Value, compact, parse
from linarite.bindings.trigger_metadata import Metadata, offset_text, overlaid, payload_members, unqueued_metadata
from linarite.bindings.trigger_types import DURABLE
from linarite.errors import AppError
from linarite.invocation import Datum, json_text, string
from linarite.metadata import Function


class CannotFire(AppError):
    """A function cannot be fired by hand with what was given."""


def manual_trigger(function: Function, given: str | None, now: datetime) -> tuple[dict[str, Datum], Metadata]:
    """The trigger's value by its binding's name, and its metadata. `given` None: the body had no `input`. Raises CannotFire."""
    kind, name = function.trigger_type, function.trigger.name
    if kind == "httptrigger":
        raise CannotFire(f"Function '{function.name}' has an HTTP trigger: send a request to its route instead.")
    if kind in DURABLE:
        raise CannotFire(f"Function '{function.name}' belongs to durable work: start an orchestration with a durable client instead.")
    if given is None and kind != "warmuptrigger":
        raise CannotFire(f'Function \'{function.name}\' was fired by hand without an input. Send a JSON body such as {{"input": "..."}}.')
    value, metadata = _MAKERS.get(kind, _text)(function, given or "", now)
    own_name = {} if given is None else {name: string(given)}
    return {name: value}, overlaid(own_name, metadata)


def event_trigger(event: Mapping[str, Value]) -> tuple[Datum, Metadata]:
    """The value and metadata of an event of Azure Event Grid."""
    content = compact(event)
    return json_text(content), payload_members(content)


def _text(function: Function, given: str, now: datetime) -> tuple[Datum, Metadata]:
    return _as_declared(function, given), payload_members(given)


def _as_declared(function: Function, given: str) -> Datum:
    return Datum("bytes", given.encode()) if function.trigger.text("dataType").lower() == "binary" else string(given)


def _queue(function: Function, given: str, now: datetime) -> tuple[Datum, Metadata]:
    return _as_declared(function, given), unqueued_metadata(given.encode(), now)


def _service_bus(function: Function, given: str, now: datetime) -> tuple[Datum, Metadata]:
    one: Mapping[str, Value] = {"UserProperties": {}, "ApplicationProperties": {}, "DeliveryCount": 1, "EnqueuedTimeUtc": offset_text(now)}
    return _one_or_many(function, given, one, {f"{name}Array": value for name, value in one.items()})


def _event_hub(function: Function, given: str, now: datetime) -> tuple[Datum, Metadata]:
    system: Mapping[str, Value] = {"SequenceNumber": 0, "Offset": 0, "PartitionKey": None, "EnqueuedTimeUtc": offset_text(now)}
    one: Mapping[str, Value] = {"SystemProperties": {}, "SequenceNumber": 0, "Offset": "0", "EnqueuedTimeUtc": offset_text(now)}
    return _one_or_many(function, given, one, {"SystemPropertiesArray": system})


def _kafka(function: Function, given: str, now: datetime) -> tuple[Datum, Metadata]:
    topic = function.trigger.text("topic")
    one: Mapping[str, Value] = {"Timestamp": offset_text(now), "Partition": 0, "Offset": 0, "Topic": topic, "Headers": []}
    many: Mapping[str, Value] = {"TimestampArray": offset_text(now), "KeyArray": None, "PartitionArray": 0, "HeadersArray": []}
    value, metadata = _one_or_many(function, given, one, many)
    if value.kind.startswith("collection_"):
        metadata["TopicArray"] = Datum("collection_string", [topic] * len(value.value))
        metadata["OffsetArray"] = Datum("collection_sint64", [0] * len(value.value))
    return value, metadata


def _one_or_many(function: Function, given: str, one: Mapping[str, Value], many: Mapping[str, Value]) -> tuple[Datum, Metadata]:
    """A message with the metadata `one`, or a list of them, each with the metadata `many`."""
    if function.trigger.text("cardinality").lower() != "many":
        return _as_declared(function, given), overlaid(_json_members(one), payload_members(given))
    texts = _elements(given)
    metadata = _json_members({name: [value] * len(texts) for name, value in many.items()})
    if function.trigger.text("dataType").lower() == "binary":
        return Datum("collection_bytes", [text.encode() for text in texts]), metadata
    return Datum("collection_string", texts), metadata


def _json_members(values: Mapping[str, Value]) -> Metadata:
    return {name: string(value) if isinstance(value, str) else json_text(compact(value)) for name, value in values.items()}


def _elements(given: str) -> Sequence[str]:
    try:
        value = parse(given)
    except NotJson:
        return [given]
    if not isinstance(value, list):
        return [given]
    return [item if isinstance(item, str) else compact(item) for item in value]


def _event_grid(function: Function, given: str, now: datetime) -> tuple[Datum, Metadata]:
    value = _json(function, given)
    if not isinstance(value, Mapping):
        raise CannotFire(f"Function '{function.name}' takes one event: expected a JSON object as input, found {_found(given)}.")
    return event_trigger(value)


def _documents(function: Function, given: str, now: datetime) -> tuple[Datum, Metadata]:
    """Changed documents or rows: always a list."""
    value = _json(function, given)
    if not isinstance(value, list | Mapping):
        raise CannotFire(f"Function '{function.name}' takes a list: expected a JSON array of objects as input, found {_found(given)}.")
    return json_text(compact(value if isinstance(value, list) else [value])), {}


def _json(function: Function, given: str) -> Value:
    try:
        return parse(given)
    except NotJson as problem:
        raise CannotFire(f"Function '{function.name}' takes JSON: the input {_found(given)} is not ({problem}).") from None


def _found(given: str) -> str:
    return repr(given if len(given) <= 60 else given[:57] + "...")


_Maker = Callable[[Function, str, datetime], tuple[Datum, Metadata]]

_MAKERS: Mapping[str, _Maker] = {
    "queuetrigger": _queue,
    "servicebustrigger": _service_bus,
    "eventhubtrigger": _event_hub,
    "kafkatrigger": _kafka,
    "eventgridtrigger": _event_grid,
    "cosmosdbtrigger": _documents,
    "sqltrigger": _documents,
    "mysqltrigger": _documents,
}

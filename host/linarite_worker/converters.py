"""The SDK's converters by binding type, and the one for types it has none for.

Source: azure-functions-python-worker, bindings/meta and bindings/generic.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from linarite_worker.failures import BadValue

Converter = Any
"""A converter *class* of the SDK; its methods are class methods."""


class GenericConverter:
    """For binding types the SDK does not know: text and bytes as they are."""

    @classmethod
    def check_input_type_annotation(cls, pytype: type) -> bool:
        return issubclass(pytype, (str, bytes))

    @classmethod
    def check_output_type_annotation(cls, pytype: type) -> bool:
        return issubclass(pytype, (str, bytes, bytearray))

    @classmethod
    def has_trigger_support(cls) -> bool:
        return False

    @classmethod
    def decode(cls, data: Datum, *, trigger_metadata: Mapping[str, Datum] | None) -> Any:
        if data.type in ("string", "json", "bytes"):
            return data.value
        if data.type is None:
            return None
        raise ValueError(f'unexpected type of data received for the "generic" binding: {data.type!r}')

    @classmethod
    def encode(cls, obj: Any, *, expected_type: type | None) -> Datum:
        for types, kind in _GENERIC_KINDS:
            if isinstance(obj, types):
                return Datum(obj, kind)
        raise NotImplementedError


_GENERIC_KINDS: tuple[tuple[Any, str | None], ...] = (
    (type(None), None),
    (str, "string"),
    ((bytes, bytearray), "bytes"),
    (dict, "dict"),
    (list, "list"),
    (int, "int"),
    (float, "double"),
)


def converter_of(binding_type: str) -> Converter:
    """The converter for a binding type; types the SDK does not register are generic."""
    registry: Any = func.get_binding_registry()  # type: ignore[no-untyped-call]
    return registry.get(binding_type) or GenericConverter


def has_implicit_output(binding_type: str) -> bool:
    """Whether a binding of this type lets the function return a value without `$return`."""
    converter = converter_of(binding_type)
    if converter is GenericConverter:
        return binding_type != "durableClient"  # the SDK before 1.2.4 registers none for it
    return bool(getattr(converter, "has_implicit_output", bool)())


def decode(converter: Converter, datum: Datum, metadata: Mapping[str, Datum]) -> Any:
    """The Python value of an input. Raises TypeError if the converter does not take this kind of value."""
    try:
        return converter.decode(datum, trigger_metadata=metadata)
    except NotImplementedError:
        raise TypeError(
            f"unable to decode incoming TypedData: unsupported combination of TypedData field {datum.type!r} "
            f"and expected binding type {converter}"
        ) from None


def encode(converter: Converter, value: Any, expected_type: type | None) -> Datum | None:
    """The datum of an output. Raises BadValue if the converter does not take values of this type."""
    try:
        datum: Datum | None = converter.encode(value, expected_type=expected_type)
    except NotImplementedError:
        message = f'unable to encode outgoing TypedData: unsupported type "{converter}" for Python type "{type(value).__name__}"'
        hint = _HTTP_HINTS.get(type(value), _HTTP_HINT) if converter is converter_of("http") else ""
        raise BadValue(message, "TypeError", hint) from None
    return datum


_HTTP_HINT = "An HTTP function returns a str or a func.HttpResponse."
_HTTP_HINTS: Mapping[type, str] = {
    type(None): f"{_HTTP_HINT} Where there is nothing to say: func.HttpResponse(status_code=204).",
    bytes: f"{_HTTP_HINT} For bytes: func.HttpResponse(value, mimetype=...).",
    **dict.fromkeys((dict, list, tuple), f'{_HTTP_HINT} For JSON: func.HttpResponse(json.dumps(value), mimetype="application/json").'),
}


def takes_metadata(converter: Converter) -> bool:
    """Whether a converter of this kind is handed the trigger's metadata. The one for HTTP requests would not look at it."""
    return bool(converter.has_trigger_support()) and converter is not converter_of("httpTrigger")


def is_async(function: Any) -> bool:
    """Whether calling the function gives something to await."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004

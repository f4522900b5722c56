"""Parameters that want a client of a storage SDK instead of content: the types of the `azurefunctions-extensions-bindings-*` packages.

The host sends a reference and the extension's own converter makes the client of it. Which extension is there is known by what the app
has imported.
Source: azurefunctions-extensions-base, meta; azure-functions-python-worker, bindings/meta (deferred bindings).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from azure.functions.meta import Datum

_BASE = "azurefunctions.extensions.base"


class ClientConverter:
    """Stands in for a converter of the SDK: the extension's, for one type."""

    def __init__(self, converter: Any, pytype: type) -> None:
        self._converter = converter
        self._pytype = pytype

    def has_trigger_support(self) -> bool:
        return True

    def decode(self, data: Datum, *, trigger_metadata: Mapping[str, Datum] | None) -> Any:
        return self._converter.decode(data, trigger_metadata=trigger_metadata, pytype=self._pytype)


def client_converter(binding_type: str, annotation: Any) -> ClientConverter | None:
    """The converter of a parameter whose annotation is a client type; None for every other annotation."""
    base: Any = sys.modules.get(_BASE)
    if base is None or not isinstance(annotation, type):
        return None
    registry = base.get_binding_registry()
    if not registry.check_supported_type(annotation):
        return None
    converter = registry.get(binding_type)
    if converter is None or not converter.check_input_type_annotation(annotation):
        return None
    return ClientConverter(converter, annotation)

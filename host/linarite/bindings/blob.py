"""Blob inputs and outputs of functions."""

from __future__ import annotations

from linarite.bindings import blob_access
from linarite.bindings.blob_content import content_of, is_deferred, loses_bytes, reference, value_of
from linarite.bindings.blob_paths import blob_path
from linarite.bindings.connections import DEFAULT
from linarite.bindings.protocol import Call
from linarite.bindings.resolver import Resolver, for_binding
from linarite.bindings.wakes import Wakes
from linarite.invocation import NONE, Datum
from linarite.metadata import Binding


class BlobBinding:
    """Reads a whole blob for a function, or writes one."""

    def __init__(self, resolver: Resolver, wakes: Wakes) -> None:
        self._resolver = resolver
        self._wakes = wakes

    async def read(self, binding: Binding, call: Call) -> Datum:
        """See `InputBinding`. A blob that is not there is `none`; where the function wants a client, the worker makes it."""
        return await for_binding(binding, self._read(binding, call))

    async def write(self, binding: Binding, value: Datum, call: Call) -> None:
        """See `OutputBinding`."""
        await for_binding(binding, self._write(binding, value, call))

    async def _read(self, binding: Binding, call: Call) -> Datum:
        path, storage = blob_path(self._resolver.text(binding, "path", call)), self._resolver.storage(binding)
        if is_deferred(binding):
            return reference(path, binding.text("connection") or DEFAULT)
        content = await blob_access.read(storage, path)
        if content is None:
            return NONE
        value = value_of(content, binding)
        if loses_bytes(value, content):
            self._resolver.warn(
                binding,
                call,
                f"Blob {path} is not UTF-8 text, and input '{binding.name}' asks for text: bytes are lost, on Azure too. "
                'Add data_type="BINARY" to the blob input.',
            )
        return value

    async def _write(self, binding: Binding, value: Datum, call: Call) -> None:
        path = blob_path(self._resolver.text(binding, "path", call))
        await blob_access.write(self._resolver.storage(binding), path, content_of(value), call.id, self._wakes)
